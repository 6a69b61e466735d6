"""RDED: realistic and diverse crops of real images, Sun et al., CVPR 2024.

A network is trained on the real images. Of each class some images are drawn, and some
crops of each. The crop of an image that the network is surest of stands for it, and the
best of these are stitched into the set's images. The network goes along as the teacher
of whoever trains on them.

Sources: arXiv 2312.03526, and the authors' program (LINs-lab/RDED at 3f6453d). Not
known of it are the training of its networks, and the seeds of its draws.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.distillation.method import Method, Work
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.errors import InputError
from hdd_tf.networks.options import options_of
from hdd_tf.networks.teacher import Teacher
from hdd_tf.progress import progress_bar
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.selection.rded.crops import CropScorer, best_crops, draw_crops
from hdd_tf.selection.rded.observer import observer_shelf
from hdd_tf.selection.rded.stitching import stitch, through_jpeg
from hdd_tf.training.teachers import teacher_of_experts

# Images that the observer's accuracy is told of.
_MOST_TESTED = 10_000


class SelectionOfCrops(Method):
    """Chooses and stitches crops of real images, with their observer as teacher.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """

    def __init__(self, context: MethodContext) -> None:
        self._context = context
        self._config, self._dataset = context.config, context.dataset
        self._check()
        shelf = observer_shelf(self._config, self._dataset, context.network)
        self._take = context.taker(shelf)
        self._observer: Teacher | None = None

    def train_ahead(self) -> None:
        """Trains the observer if it is missing, and loads it."""
        dataset = self._dataset
        self._observer = teacher_of_experts(
            self._take(),
            self._config.rded_network,
            options_of(self._config),
            dataset.image_shape,
            dataset.num_classes,
        )

    def result(self, metadata: Mapping[str, Any]) -> DistilledSet:
        """Returns the stitched crops with their teacher.

        Args:
            metadata: Metadata of the run's sets.
        """
        assert self._observer is not None
        scorer, classes = self._scorer(), range(self._dataset.num_classes)
        made = []
        with progress_bar(
            "select", len(classes), "class", self._config.progress
        ) as bar:
            for label in classes:
                made.append(self._of_class(scorer, label))
                bar.update()
        accuracy = self._accuracy(scorer.logits)
        return DistilledSet.from_class_images(
            np.stack(made),
            {
                **metadata,
                "selected": "crops that the observer is surest of",
                "observer": accuracy,
            },
            teacher=self._observer,
        )

    def stages(self) -> list[Work]:
        """Returns the cost of scoring all crops, by the scoring of a few."""
        config, labels = self._config, self._dataset.training.labels
        sizes = np.bincount(labels, minlength=self._dataset.num_classes)
        images = int(np.minimum(sizes, config.rded_images).sum())
        scorer, count = self._scorer(), self._context.max_images
        few = self._dataset.training.images[: max(1, count // config.rded_crops)]
        boxes = self._draw(0, len(few))
        scorer.scores(few, boxes, 0)  # Traces the graph.
        began = time.perf_counter()
        scorer.scores(few, boxes, 0)
        seconds = (time.perf_counter() - began) * images / len(few)
        crops = f"{images * config.rded_crops:,} crops"
        return [Work("scores of crops", crops, seconds)]

    def _check(self) -> None:
        config, (height, width, channels) = self._config, self._dataset.image_shape
        factor = config.rded_factor
        if factor > min(height, width):
            raise InputError(
                f"--rded_factor={factor} is more than {height}x{width} images have "
                "pixels: give a smaller one"
            )
        name, smallest = self._dataset.smallest_class
        needed = config.ipc * factor**2
        taken = (
            f"--ipc={config.ipc} with --rded_factor={factor} takes crops of {needed:,}"
        )
        if needed > config.rded_images:
            raise InputError(
                f"{taken} images of each class, and --rded_images={config.rded_images} "
                "draws fewer: give more of them, or lower --ipc"
            )
        if needed > smallest:
            raise InputError(
                f"{taken} images of each class, and the smallest one has fewer "
                f"({name}: {smallest} training images): lower --ipc"
            )
        if config.rded_jpeg and channels not in (1, 3):
            raise InputError(
                f"--rded_jpeg keeps images of 1 or 3 channels, and these have "
                f"{channels}: leave it out"
            )

    def _scorer(self) -> CropScorer:
        assert self._observer is not None
        height, width, _ = self._dataset.image_shape
        factor = self._config.rded_factor
        return CropScorer(
            self._observer,
            self._dataset.normalisation,
            (height // factor, width // factor),
            self._context.max_images,
        )

    def _of_class(self, scorer: CropScorer, label: int) -> np.ndarray:
        """Returns the images of a class, `[ipc, h, w, c]` uint8."""
        config, training = self._config, self._dataset.training
        height, width, _ = self._dataset.image_shape
        rows = np.flatnonzero(training.labels == label)
        key = derive_key(config.seed, Purpose.CROPPED_IMAGES, label)
        order = tf.random.experimental.stateless_shuffle(tf.range(len(rows)), key)
        images = training.images[rows[order.numpy()[: config.rded_images]]]
        boxes = self._draw(label, len(images))
        factor = config.rded_factor
        scores = scorer.scores(images, boxes, label)
        chosen = best_crops(scores, config.ipc * factor**2)
        parts = scorer.cut(images[chosen.images], boxes[chosen.images, chosen.numbers])
        stitched = stitch(parts, factor, height, width)
        return through_jpeg(stitched) if config.rded_jpeg else stitched

    def _draw(self, label: int, images: int) -> np.ndarray:
        """Returns the crops of a class's images, `[images, crops, 4]`."""
        key = derive_key(self._config.seed, Purpose.CROPS, label)
        height, width, _ = self._dataset.image_shape
        return draw_crops(key, images, self._config.rded_crops, height, width)

    def _accuracy(self, logits: Callable[[tf.Tensor], tf.Tensor]) -> dict[str, Any]:
        """Returns how well the observer knows images: never those of the test split.

        Args:
            logits: The observer's function from normalised images to logits.
        """
        split, name = self._dataset.training, "training"
        if self._dataset.validation is not None:
            split, name = self._dataset.validation, "validation"
        part = split.take(
            np.linspace(0, len(split.labels) - 1, _MOST_TESTED).astype(int)
            if len(split.labels) > _MOST_TESTED
            else np.arange(len(split.labels))
        )
        step, right = self._context.max_images, 0
        for start in range(0, len(part.labels), step):
            images = self._dataset.normalise(part.images[start : start + step])
            found = logits(tf.constant(images)).numpy().argmax(axis=1)
            right += int((found == part.labels[start : start + step]).sum())
        percent = round(100 * right / len(part.labels), 2)
        print(
            f"the observer knows {percent:.2f} % of {len(part.labels):,} {name} images",
            flush=True,
        )
        return {"accuracy": percent, "split": name, "images": len(part.labels)}


def build(context: MethodContext) -> SelectionOfCrops:
    """Builds RDED.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """
    return SelectionOfCrops(context)
