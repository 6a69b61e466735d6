"""Summaries over all real images of a class, in the networks of many iterations.

The images of a class are read and normalised in parts that memory holds. Each part
passes through several networks before the next one is read, and the summaries of the
parts are merged, exactly.
"""

import functools
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.distillation.bank.bank_files import BankFiles, kind_of_bank
from hdd_tf.distillation.bank.filling import check, fill
from hdd_tf.distillation.bank.real_bank import RealBank
from hdd_tf.distillation.comparison import Comparison, Merging
from hdd_tf.distillation.method import Work
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Objective, Pass
from hdd_tf.distillation.real_images import PartOfClass
from hdd_tf.errors import InputError
from hdd_tf.files.disk_room import size_text
from hdd_tf.random_keys import Purpose, derive_key

# Most bytes of the weights of networks that look at the same images in turn, where
# the settings leave their number open.
_BYTES_OF_NETWORKS = 512 * 2**20


class _Look(NamedTuple):
    """What an iteration looks at real images with.

    Attributes:
        weights: Weights of its network.
        more: What else the comparison needs, see `Pass`.
        parameters: Augmentation of all classes; None for none.
    """

    weights: list[tf.Tensor]
    more: Any
    parameters: dsa.DSAParameters | None


class WholeClasses:
    """Summarises all real images of each class for the first iterations of a run.

    Network and augmentation are those of an iteration. A class has one augmentation in
    it, which all parts of the class get.

    Args:
        context: The run's settings, data, network and devices.
        objective: Objective, which gives the weights of each pass.
        comparison: Comparison, which `merges`.
        augmentations: Transformations that a class draws.

    Attributes:
        sizes: `[C]` number of images of each class.
    """

    def __init__(
        self,
        context: MethodContext,
        objective: Objective,
        comparison: Comparison,
        augmentations: dsa.Choice,
    ) -> None:
        config, dataset = context.config, context.dataset
        labels = dataset.training.labels
        self.sizes = np.bincount(labels, minlength=dataset.num_classes)
        # In the order of the split, which is that of the disk.
        rows = np.argsort(labels, kind="stable")
        self._rows = np.split(rows, np.cumsum(self.sizes)[:-1])
        self._normalise = dataset.normalisation.row_tensors(dataset.image_shape[1])
        self._context = context
        self._objective = objective
        self._comparison = comparison
        self._augmentations = augmentations
        self._number = config.real_bank_size
        weights = sum(map(math.prod, context.network.weight_shapes))
        self._at_once = min(
            self._number,
            config.bank_networks_at_once
            or max(1, _BYTES_OF_NETWORKS // max(1, 4 * weights)),
        )
        empty = comparison.empty_summary(1)
        self._pack = functools.partial(
            tf.nest.pack_sequence_as,
            tf.nest.map_structure(lambda part: None, empty),
        )
        self._summarize: Callable[..., list[tf.Tensor]] | None = None
        self._drawn: tuple[int, list[_Look]] = (-1, [])

    def summaries(
        self, label: int, on_images: Callable[[int], object] = lambda count: None
    ) -> list[np.ndarray]:
        """Returns the summaries of a class in every iteration.

        Args:
            label: Class number.
            on_images: Function of the number of images that just passed through a
                network; it is called repeatedly.

        Returns:
            Float32 arrays `[iterations, ...]`, in the order of `tf.nest.flatten`.
        """
        found = [
            self._of_networks(label, self._looks(first), on_images)
            for first in range(0, self._number, self._at_once)
        ]
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]

    def seconds_per_image(self) -> float:
        """Returns the seconds of an image in one network, measured."""
        label = int(self.sizes.argmax())
        rows, look = self._parts(label)[0], self._draw(tf.constant(0))
        seconds = 0.0
        for _ in range(2):  # The first time traces the graph.
            began = time.perf_counter()
            self._of_part(label, self._read(rows), look)[0].numpy()
            seconds = time.perf_counter() - began
        return seconds / len(rows)

    def _of_networks(
        self, label: int, looks: list[_Look], on_images: Callable[[int], object]
    ) -> list[np.ndarray]:
        """Returns the summaries of a class in some iterations, one reading for all."""
        parts = []
        for rows in self._parts(label):
            images, found = self._read(rows), []
            for look in looks:
                found.append(self._of_part(label, images, look))
                on_images(len(rows))
            parts.append([tf.concat(part, axis=0) for part in zip(*found, strict=True)])
        if len(parts) == 1:
            return [part.numpy() for part in parts[0]]
        stacked = self._pack([tf.stack(part) for part in zip(*parts, strict=True)])
        whole = cast(Merging, self._comparison).merge(stacked)
        return [part.numpy() for part in tf.nest.flatten(whole)]

    def _parts(self, label: int) -> list[np.ndarray]:
        """Returns the rows of a class in parts, as equal as possible."""
        rows = self._rows[label]
        return np.array_split(rows, -(-len(rows) // self._context.max_images))

    def _read(self, rows: np.ndarray) -> tf.Tensor:
        """Returns normalised images; no store, which can hold all of them once more."""
        images = self._context.dataset.training.images[rows]
        return self._normalise(tf.constant(images))

    def _looks(self, first: int) -> list[_Look]:
        """Returns the networks of as many iterations as share a reading."""
        if self._drawn[0] != first:
            self._drawn = (-1, [])  # Frees the ones before.
            numbers = range(first, min(first + self._at_once, self._number))
            self._drawn = first, [self._draw(tf.constant(i)) for i in numbers]
        return self._drawn[1]

    @functools.cached_property
    def _draw(self) -> Callable[[tf.Tensor], _Look]:
        """The graph of `_look`."""
        graph = tf.function(self._look, autograph=False)
        return graph.get_concrete_function(tf.TensorSpec([], tf.int32))

    def _look(self, iteration: tf.Tensor) -> _Look:
        """Returns network and augmentation of an iteration, in the graph."""
        work = self._objective.pass_of(iteration, 0)
        if not work.compare:
            raise ValueError("a bank keeps what the first pass of an iteration sees.")
        key = derive_key(self._context.config.seed, Purpose.AUGMENTATION, iteration)
        shape = [len(self.sizes), 1, *self._context.dataset.image_shape]
        parameters = dsa.draw_choice(key, self._augmentations, shape)
        return _Look(list(work.weights), work.more, parameters)

    def _of_part(self, label: int, images: tf.Tensor, look: _Look) -> list[tf.Tensor]:
        """Returns the summary `[1, ...]` of a part of a class."""
        if self._summarize is None:
            # One graph for parts of all sizes: the numbers of a class must not depend
            # on which class came first.
            shape = [None, *self._context.dataset.image_shape]
            self._summarize = tf.function(
                self._summary, autograph=False
            ).get_concrete_function(
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec(shape, tf.float32),
                tf.nest.map_structure(tf.type_spec_from_value, look),
            )
        return self._summarize(tf.constant(label), images, look)

    def _summary(
        self, label: tf.Tensor, images: tf.Tensor, look: _Look
    ) -> list[tf.Tensor]:
        """Returns the summary `[1, ...]` of a part of a class, in the graph."""
        parameters = dsa.gather(look.parameters, label[None])
        part = PartOfClass(label, images, parameters, self._context.piece)
        work = Pass(look.weights, more=look.more)
        return tf.nest.flatten(self._comparison.summarize(work, part))


class BankOverAll:
    """A bank of summaries of all real images: what it costs, its files, its filling.

    Args:
        bank: The bank that is filled.
        context: The run's settings, data, network and devices.
        objective: Objective, which gives the weights of each pass.
        comparison: Comparison, which `merges`.
        augmentations: Transformations that a class draws.
    """

    def __init__(
        self,
        bank: RealBank,
        context: MethodContext,
        objective: Objective,
        comparison: Comparison,
        augmentations: dsa.Choice,
    ) -> None:
        self._bank = bank
        self._context = context
        # Made where it is used, and not kept, for its networks.
        self._whole = functools.partial(
            WholeClasses, context, objective, comparison, augmentations
        )

    def check(self) -> None:
        """Checks that its files can be written; raises an InputError if not."""
        check(self._files())

    def fill(self) -> None:
        """Computes what the files lack, and takes all summaries from them."""
        files, whole, config = self._files(), self._whole(), self._context.config
        fill(files, whole.summaries, whole.sizes, self._bank.size, config.progress)
        for label in range(self._context.dataset.num_classes):
            self._bank.write_class(label, files.read(label))

    def work(self) -> Work:
        """Returns what it costs to compute what the files lack."""
        files, whole, size = self._files(), self._whole(), self._bank.size
        room = size_text(self._bank.num_bytes)
        count = f"{size} x {whole.sizes.sum():,} images, {room}"
        missing = files.missing()
        if not missing:
            return Work("bank", f"{count}, kept in {files.path}", 0.0)
        images = size * int(whole.sizes[missing].sum())
        seconds = images * whole.seconds_per_image()
        return Work("bank", f"{count}, where {files.path} lacks them", seconds)

    def _files(self) -> BankFiles:
        context = self._context
        kind = kind_of_bank(context.config, context.dataset, context.network)
        classes = context.dataset.num_classes
        return BankFiles(
            context.config.bank_dir, kind, self._bank.class_shapes, classes
        )


def check_merges(comparison: Comparison, objective: str) -> None:
    """Checks that a bank can be over all real images.

    Args:
        comparison: Comparison whose summaries the bank is to keep.
        objective: Name of the method, for the message.

    Raises:
        InputError: the summaries of parts of a class cannot be merged.
    """
    if not comparison.merges:
        raise InputError(
            "--bank_over=all merges the summaries of parts of a class, and those of "
            f"--objective={objective} (with these settings) cannot be merged: leave it "
            "at batch"
        )
