"""The soft labels of a set, and the check that a protocol's labels are among them."""

import dataclasses
from typing import Self

import numpy as np

from hdd_tf.artifacts.sets.set_content import DistilledSet
from hdd_tf.data.epoch_labels import EpochLabels
from hdd_tf.errors import InputError
from hdd_tf.networks.teacher import Teacher
from hdd_tf.protocols.training_protocol import TrainingProtocol

# Value of a protocol's `labels` -> its name in messages.
LABEL_NAMES = {
    "stored": "a soft label for each image",
    "epochs": "soft labels for each epoch",
    "teacher": "a teacher",
}


@dataclasses.dataclass(frozen=True, eq=False)
class LabelSources:
    """Soft labels of a set, in addition to the classes.

    Attributes:
        label_logits: `[n, C]` float32 logits, one vector an image; or None.
        epoch_labels: Labels of every view in a number of epochs; or None.
        teacher: Networks whose logits for a student's batch are its labels; or None.
    """

    label_logits: np.ndarray | None = None
    epoch_labels: EpochLabels | None = None
    teacher: Teacher | None = None

    @classmethod
    def of_set(cls, carried: DistilledSet, protocol: TrainingProtocol) -> Self:
        """Returns the labels of a set that a protocol needs.

        Raises:
            InputError: the set has labels of fewer epochs than the protocol.
        """
        stored = carried.epoch_labels
        # To repeat them would be another training than the one that is named.
        if (
            protocol.labels == "epochs"
            and stored is not None
            and stored.num_epochs < protocol.epochs
        ):
            raise InputError(
                f"the set has soft labels of {stored.num_epochs:,} epochs, and "
                f"networks would train for {protocol.epochs:,}: give "
                f"--eval_epochs={stored.num_epochs}"
            )
        return cls(
            carried.label_logits if protocol.labels == "stored" else None,
            carried.epoch_labels if protocol.labels == "epochs" else None,
            carried.teacher if protocol.labels == "teacher" else None,
        )

    def check(
        self, protocol: TrainingProtocol, num_images: int, image_shape: tuple[int, ...]
    ) -> None:
        """Checks that the labels of a protocol are present and fit the images.

        Args:
            protocol: Training protocol.
            num_images: Number of training images.
            image_shape: Height, width and channels of the training images.

        Raises:
            InputError: labels are missing, or belong to other images; the message names
                a remedy.
        """
        found = {
            "hard": self,
            "stored": self.label_logits,
            "epochs": self.epoch_labels,
            "teacher": self.teacher,
        }[protocol.labels]
        if found is None:
            raise InputError(
                f"the evaluation protocol trains on {LABEL_NAMES[protocol.labels]}, "
                "and this set has none: name another --eval_protocol"
            )
        try:
            if protocol.labels == "stored":
                self._check_stored(num_images)
            elif protocol.labels == "epochs":
                self._check_epochs(protocol, num_images, image_shape)
            elif protocol.labels == "teacher":
                self._check_teacher(image_shape)
        except ValueError as error:
            raise InputError(
                f"the soft labels do not fit the set: {str(error).rstrip('.')}; "
                "evaluate the set as it was exported"
            ) from error

    def _check_stored(self, num_images: int) -> None:
        assert self.label_logits is not None
        if self.label_logits.ndim != 2 or len(self.label_logits) != num_images:
            raise ValueError(
                f"labels of shape {self.label_logits.shape} for {num_images} images."
            )

    def _check_epochs(
        self, protocol: TrainingProtocol, num_images: int, image_shape: tuple[int, ...]
    ) -> None:
        stored = self.epoch_labels
        assert stored is not None
        height, width, _ = image_shape
        stored.check_images(num_images, height, width, stored.num_classes)
        if stored.batch_size != protocol.batch_size:
            raise InputError(
                f"the set's labels are of batches of {stored.batch_size} images, and "
                f"networks would train on batches of {protocol.batch_size}: give "
                f"--eval_batch={stored.batch_size}"
            )

    def _check_teacher(self, image_shape: tuple[int, ...]) -> None:
        assert self.teacher is not None
        if tuple(self.teacher.image_shape) != tuple(image_shape):
            raise ValueError(
                f"the teacher takes {self.teacher.image_shape} images, these are "
                f"{tuple(image_shape)}."
            )
