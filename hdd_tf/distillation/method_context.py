"""The context that a method is built from."""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts.sets.initial_images import initial_images
from hdd_tf.config import Config
from hdd_tf.data.class_store import ClassStore
from hdd_tf.data.dataset import Dataset
from hdd_tf.data.memory import check_room, memory_at_most
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.distributed.class_blocks import (
    ClassBlocks,
    default_max_images,
    plan_class_blocks,
)
from hdd_tf.distributed.class_shares import ClassShares
from hdd_tf.distributed.compilation import Piece, piece_of
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.training.experts import Experts
from hdd_tf.training.shelf import Shelf


@dataclasses.dataclass(frozen=True, eq=False)
class MethodContext:
    """A run's settings, data, network and devices.

    Attributes:
        config: The settings of the run.
        dataset: The data set whose real images are distilled or chosen from.
        network: The network `--network`, a function of its weights.
        strategy: Distribution strategy: the devices that compute.
        dry_run: True for a dry run, which trains and writes nothing: networks that a
            method trains ahead stay untrained.
    """

    config: Config
    dataset: Dataset
    network: FunctionalNetwork
    strategy: tf.distribute.Strategy
    dry_run: bool = False

    @property
    def fast_network(self) -> FunctionalNetwork:
        """The network in the precision of the settings, for all but synthetic images.

        Rounded convolutions put units beside the kink of ReLU on its other side. In the
        features of real images, whose mean is matched, that averages out. In the
        gradient of a few synthetic images it does not: its cosine to that of float32
        is .996 to .9992, and this way .999997 or more (docs/performance.md).
        """
        return self.network.in_precision(self.config.precision)

    @property
    def piece(self) -> Piece:
        """The function that runs a piece of an iteration: through XLA, or as it is."""
        return piece_of(self.config.jit_compile)

    @functools.cached_property
    def store(self) -> ClassStore:
        """The real training images, for random draws."""
        dataset = self.dataset
        return ClassStore(
            dataset.training.images,
            dataset.training.labels,
            dataset.num_classes,
            dataset.normalisation,
        )

    @functools.cached_property
    def class_sizes(self) -> np.ndarray:
        """Number of training images of each class, `[C]`."""
        labels = self.dataset.training.labels
        return np.bincount(labels, minlength=self.dataset.num_classes)

    def store_of(self, shares: ClassShares | None) -> ClassStore:
        """Returns the real images of the classes that this process' replicas match.

        Args:
            shares: Classes whose images each replica holds; None if all hold all.

        Returns:
            A store that can lack the images of other classes; `store` if that is there
            already, because something else needs all images.
        """
        training = self.dataset.training
        if shares is None or "store" in vars(self):
            return self.store
        held = np.isin(training.labels, shares.of_process(self.strategy))
        if held.all():
            return self.store
        return ClassStore(
            training.select(np.flatnonzero(held)).images,
            training.labels,
            self.dataset.num_classes,
            self.dataset.normalisation,
            np.where(held, np.cumsum(held) - 1, 0),
        )

    def initial_images(self, store: ClassStore | None = None) -> tf.Tensor:
        """Returns the initial images of the settings, see `initial_images`.

        Args:
            store: The real training images, or those of some classes; None for all.

        Returns:
            `[C, ipc, h, w, c]` float32 normalised images.

        Raises:
            InputError: settings and data do not fit, or memory cannot hold the images.
        """
        config = self.config
        if config.init == "noise":  # Otherwise the number of real images bounds it.
            count = config.ipc * self.dataset.num_classes
            check_room(
                f"--ipc={config.ipc}: the set of {count:,} images",
                4 * count * math.prod(self.dataset.image_shape),
                "give a smaller one",
            )
        return initial_images(
            config.init,
            store or self.store,
            config.ipc,
            config.seed,
            self.dataset.num_classes,
            config.formation_factor,
            self.dataset.label_names,
        )

    @property
    def max_images(self) -> int:
        """Largest number of images of a forward pass, by the settings or by memory."""
        # GPUs have memory of their own.
        on_host = not tf.config.get_visible_devices("GPU")
        return self.config.max_images_per_forward or default_max_images(
            self.dataset.image_shape,
            self.config.width,
            memory_at_most() if on_host else None,
            self.config.ipc * self.dataset.num_classes,
        )

    def images_of_pass(self, maps: int) -> int:
        """Returns the largest number of images of a pass that keeps several maps.

        Args:
            maps: Number of maps of the first layer that the pass keeps of an image. It
                counts if the settings leave the number of images open.
        """
        if self.config.max_images_per_forward:
            return self.max_images
        return max(1, self.max_images // maps)

    def taker(self, shelf: Shelf) -> Callable[[], Experts]:
        """Returns a function that takes the networks of a shelf, see `Shelf.take`.

        Args:
            shelf: The shelf.

        Raises:
            InputError: memory does not hold the networks, or their disk those that
                are missing.
        """
        shelf.check_room()
        return functools.partial(
            shelf.take, dry_run=self.dry_run, progress=self.config.progress
        )

    def class_blocks(
        self,
        synthetic_per_class: int,
        couples_classes: bool = False,
        max_classes: int | None = None,
        maps: int = 1,
    ) -> ClassBlocks:
        """Returns the split of the classes over replicas and blocks.

        Args:
            synthetic_per_class: Number of synthetic images of each class in a pass.
            couples_classes: True if the comparison of a class needs the images of all
                classes: one block, whatever `max_images` is. The comparison itself
                keeps to the memory then, and there is one replica.
            max_classes: Largest number of classes of a block; None for no limit.
            maps: See `images_of_pass`.
        """
        config, num_classes = self.config, self.dataset.num_classes
        real_per_class = min(config.real_batch, int(self.class_sizes.max()))
        if config.bank_over == "all":
            real_per_class = 1  # No iteration passes any.
        return plan_class_blocks(
            num_classes,
            self.strategy.num_replicas_in_sync,
            real_per_class=real_per_class,
            synthetic_per_class=synthetic_per_class,
            max_images=num_classes * max(real_per_class, synthetic_per_class)
            if couples_classes
            else self.images_of_pass(maps),
            max_classes=max_classes,
        )

    def shares(self, needs_whole_set: bool) -> ClassShares | None:
        """Returns the classes whose images each replica holds; None if all hold all.

        Args:
            needs_whole_set: True if an iteration needs the images of all classes
                together.
        """
        replicas = self.strategy.num_replicas_in_sync
        # Whitened images are shown by their whole set's map to pixels.
        whitened = self.dataset.normalisation.whitening is not None
        if replicas == 1 or needs_whole_set or whitened:
            return None
        return ClassShares(self.dataset.num_classes, replicas)

    def variables_in(
        self, shares: ClassShares | None
    ) -> contextlib.AbstractContextManager[object]:
        """Returns where variables of all classes are: on every replica, or the host.

        Args:
            shares: See `shares`.
        """
        return tf.device("CPU:0") if shares else self.strategy.scope()

    def synthetic_set(
        self,
        images: tf.Tensor,
        label_logits: tf.Tensor | None = None,
        student_rate: float | None = None,
        shares: ClassShares | None = None,
    ) -> SyntheticSet:
        """Makes the synthetic set with the properties of the method's traits.

        Args:
            images: `[C, ipc, h, w, c]` float32 initial images, normalised.
            label_logits: `[C, ipc, C]` initial logits of learnt labels, or None.
            student_rate: Initial value of a learnt learning rate of students, or None.
            shares: Classes whose images each replica holds; None if all hold all.
        """
        with self.variables_in(shares):
            made = SyntheticSet(
                images,
                self.dataset.normalisation,
                self.config.formation_factor,
                self.config.traits.unit_range,
                label_logits,
                student_rate,
            )
        if shares:
            made.spread_over(self.strategy, shares)
        return made
