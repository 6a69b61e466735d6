"""Other images with the labels that a set's teacher gives: fair rows beside the set."""

import dataclasses

import numpy as np

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.config import Config
from hdd_tf.data.epoch_labels import EpochLabels
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.errors import InputError
from hdd_tf.methods.registry import BESIDE_TITLES
from hdd_tf.networks.teacher import Teacher
from hdd_tf.progress import epoch_bar
from hdd_tf.protocols.epoch_labelling import label_epochs
from hdd_tf.protocols.training_protocol import TrainingProtocol


def learns_of_teacher(
    protocol: TrainingProtocol, distilled_set: DistilledSet | None
) -> bool:
    """Returns whether the real images beside a set learn the labels of its teacher.

    Args:
        protocol: Protocol of the evaluation.
        distilled_set: The set; None if only the protocol is known.
    """
    if protocol.labels == "teacher":
        return True
    # Stored labels may have come without the networks that gave them.
    known = distilled_set is None or distilled_set.teacher is not None
    return protocol.labels == "epochs" and known


def labels_by(
    teacher: Teacher,
    images: np.ndarray,
    protocol: TrainingProtocol,
    normalisation: Normalisation,
    config: Config,
) -> EpochLabels:
    """Returns the labels of `label_epochs`, and shows a bar of the epochs.

    Args:
        teacher: Networks whose mean logits are the labels.
        images: `[n, h, w, c]` images on the 0-255 scale.
        protocol: Protocol of the students, with `labels="epochs"`.
        normalisation: Normalisation of the images.
        config: The settings, of which `seed` and `progress` are used.

    Raises:
        InterruptedRunError: a signal came.
    """
    with epoch_bar("labels", protocol.epochs, config.progress) as bar:
        return label_epochs(
            teacher, images, protocol, normalisation, config.seed, bar.update
        )


def taught_by(
    beside: DistilledSet,
    images: np.ndarray,
    labels: np.ndarray,
    protocol: TrainingProtocol,
    normalisation: Normalisation,
    config: Config,
) -> DistilledSet:
    """Returns images with the teacher of a set, as students learn the set itself.

    Where students learn stored views, the teacher labels views of these images, drawn
    as those of the set were.

    Args:
        beside: A set for which `learns_of_teacher` is True.
        images: `[n, h, w, c]` float32 images on the 0-255 scale.
        labels: `[n]` class numbers.
        protocol: Protocol of the evaluation.
        normalisation: Normalisation of the set's images.
        config: The settings, of which `seed` and `progress` are used.
    """
    labelled = None
    if protocol.labels == "epochs" and beside.teacher is not None:
        labelled = labels_by(beside.teacher, images, protocol, normalisation, config)
    return dataclasses.replace(
        beside,
        images=images,
        labels=labels,
        label_logits=None,
        student_rate=None,
        epoch_labels=labelled,
    )


def set_beside(distilled_set: DistilledSet, name: str) -> DistilledSet:
    """Returns a set that another one carries, with the labels and teacher of that.

    Args:
        distilled_set: The set that carries it.
        name: Key of `methods.registry.BESIDE_TITLES`.

    Raises:
        InputError: it carries none of this name.
    """
    images = (distilled_set.beside or {}).get(name)
    if images is None:
        raise InputError(
            f"this set has no {BESIDE_TITLES[name]}, which its method scores beside "
            "it: evaluate the set as it was exported"
        )
    return dataclasses.replace(
        distilled_set, images=images, epoch_labels=None, beside=None
    )
