"""The data of a run on several machines, in which all processes agree."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.data.dataset import CHECKSUM, Dataset, LabelledImages
from hdd_tf.data.sharing import PartOfImages, Sharing, class_sums
from hdd_tf.data.stored_images import StoredImages
from hdd_tf.distributed.class_shares import ClassShares
from hdd_tf.distributed.workers import Workers
from hdd_tf.reading.loading import load_configured_dataset

_WHAT = "training images"


class SharingOfWorkers(Sharing):
    """The sharing of the processes of a run; see `Sharing`.

    Args:
        config: Settings of the run.
        strategy: Strategy of the run.
        workers: The processes.
    """

    def __init__(
        self, config: Config, strategy: tf.distribute.Strategy, workers: Workers
    ) -> None:
        self.reads_all = workers.is_chief
        self._workers = workers
        self._strategy = strategy
        # Whitening is of all images, and so is a choice among them by their radius.
        self._is_by_class = (
            config.traits.draws_own_classes
            and not config.zca
            and config.keep_fraction == 1.0
        )

    def own_classes(self, num_classes: int) -> np.ndarray:
        """Returns the classes of this process' replicas, or all; see `Sharing`."""
        if not self._is_by_class:
            return np.arange(num_classes)
        replicas = self._strategy.num_replicas_in_sync
        return ClassShares(num_classes, replicas).of_process(self._strategy)

    def of_chief(self, what: str, compute: Callable[[], Any]) -> Any:
        """Returns the chief's value in every process; see `Sharing`."""
        workers = self._workers
        return workers.tell(what, compute() if workers.is_chief else None)


def load_shared(
    config: Config, strategy: tf.distribute.Strategy, workers: Workers
) -> Dataset:
    """Loads the data of a run; all of its processes must call it.

    The chief reads everything, and others the classes that they match where these are
    known before images are decoded. The processes compare labels, and the images of
    each class that a process matches by their sum.

    Args:
        config: Settings of the run.
        strategy: Strategy of the run.
        workers: The processes.

    Raises:
        InputError: the data cannot be used, or a process has other images than the
            chief (all raise it).
    """
    if workers.count == 1:
        return load_configured_dataset(config)
    sharing = SharingOfWorkers(config, strategy, workers)
    dataset = load_configured_dataset(config, sharing=sharing)
    training = dataset.training
    labels = hashlib.sha256(training.labels.astype("<i8").tobytes()).hexdigest()
    shown = [labels, dataset.image_shape, dataset.label_names]
    workers.assert_same(_WHAT, [*shown, dataset.mean, dataset.std])
    num_classes = dataset.num_classes
    checksum, sums = sharing.of_chief(
        "sums of the training images",
        lambda: [training.checksum, _sums_of(training, np.arange(num_classes))],
    )
    # Where images lie on disk, those of the chief are there now.
    own = sharing.own_classes(num_classes)
    differs = False
    if not workers.is_chief:
        differs = _sums_of(training, own) != [sums[label] for label in own]
        if isinstance(training.images, PartOfImages):
            training.images.know(CHECKSUM, checksum, training.labels)
    with workers.all_take_part():
        workers.refuse_other(_WHAT, differs)
    return dataset


def _sums_of(training: LabelledImages, classes: np.ndarray) -> list[str]:
    """Returns `class_sums`, which images on disk remember from one start to the next.

    Args:
        training: The training split.
        classes: `[k]` int64 classes whose images this process holds.
    """
    if not isinstance(training.images, StoredImages):
        return class_sums(training, classes)
    own = training.select(np.flatnonzero(np.isin(training.labels, classes)))
    images = own.images
    if isinstance(images, StoredImages):
        images = images.settled()
    part = LabelledImages(images, own.labels)
    if not isinstance(images, StoredImages):
        return class_sums(part, classes)
    return images.remembered(
        "sha256 of classes", lambda: class_sums(part, classes), part.labels
    )
