"""A small set that carries everything a set can carry."""

import dataclasses

import numpy as np

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.data.epoch_labels import EpochLabels
from hdd_tf.data.normalisation import whitening_of
from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.registry import build_with_options
from hdd_tf.networks.teacher import Teacher, TeacherNetwork
from hdd_tf.random_keys import derive_key

EXTRAS = (
    "label_logits",
    "student_rate",
    "teacher",
    "epoch_labels",
    "whitening",
    "beside",
)
NETWORKS = {
    "convnet_batch": NetworkOptions(depth=1, width=4),
    "convnet": NetworkOptions(depth=1, width=3, norm="none"),
}
RECIPE = {
    **{"epochs": 300, "learning_rate": 0.01, "loss": "kl", "temperature": 20.0},
    **{"extra_norm_pass": True, "drop_epochs": [100, 200], "augmentations": ["crop"]},
}


def full_set(plain: DistilledSet, seed: int = 0) -> DistilledSet:
    """Returns a set with everything beside its images drawn at random.

    Args:
        plain: A set without any of `EXTRAS`.
        seed: Of what is drawn.
    """
    rng = np.random.default_rng(seed)
    count, height, width, channels = plain.images.shape
    classes = len(plain.metadata["label_names"])
    shape = height, width, channels
    real = rng.integers(0, 256, [40, *shape], np.uint8)
    return dataclasses.replace(
        plain,
        metadata={**plain.metadata, "recipe": RECIPE},
        label_logits=rng.normal(0, 3, [count, classes]).astype(np.float32),
        student_rate=-0.0123,
        teacher=random_teacher(shape, classes, seed),
        epoch_labels=random_epoch_labels(rng, count, height, width, classes),
        whitening=whitening_of(real, epsilon=0.2),
        beside={"prototypes": plain.images + 1.0},
    )


def random_teacher(shape: tuple[int, int, int], classes: int, seed: int) -> Teacher:
    """Returns fresh networks, with statistics that are none of the initial ones."""
    networks = []
    for number, (name, options) in enumerate(NETWORKS.items()):
        network = build_with_options(name, shape, classes, options)
        weights, state = network.initial_variables(derive_key(seed, number))
        networks.append(
            TeacherNetwork(
                name,
                options,
                [weight.numpy() for weight in weights],
                [np.asarray(value + 0.5, np.float32) for value in state],
            )
        )
    return Teacher(tuple(networks), shape, classes)


def random_epoch_labels(
    rng: np.random.Generator, count: int, height: int, width: int, classes: int
) -> EpochLabels:
    """Returns labels of two epochs of batches of four images."""
    corners = rng.integers(0, [height, width], [2, count, 2])
    sizes = rng.integers(1, [height, width] - corners + 1)
    first = np.arange(count) // 4 * 4
    return EpochLabels(
        rows=np.array([rng.permutation(count) for _ in range(2)], np.int32),
        boxes=np.concatenate([corners, sizes], axis=-1).astype(np.int16),
        flips=rng.random([2, count]) < 0.5,
        partners=rng.integers(
            0, np.minimum(4, count - first), [2, count], dtype=np.int32
        ),
        cuts=rng.integers(0, [height, width] * 2, [2, -(-count // 4), 4], np.int16),
        logits=rng.normal(0, 3, [2, count, classes]).astype(np.float16),
        batch_size=4,
    )


def assert_same_extras(found: DistilledSet, expected: DistilledSet) -> None:
    """Asserts that two sets carry the same, to the bit, beside their images."""
    np.testing.assert_array_equal(found.label_logits, expected.label_logits)
    assert found.student_rate == expected.student_rate
    assert found.metadata.get("recipe") == expected.metadata.get("recipe")
    for name in ("whitening", "epoch_labels"):
        mine, theirs = getattr(found, name), getattr(expected, name)
        assert (mine is None) == (theirs is None)
        for field in dataclasses.fields(theirs) if theirs is not None else ():
            value = getattr(mine, field.name)
            np.testing.assert_array_equal(value, getattr(theirs, field.name))
    assert (found.beside is None) == (expected.beside is None)
    for name, images in (expected.beside or {}).items():
        np.testing.assert_array_equal(found.beside[name], images)
    assert (found.teacher is None) == (expected.teacher is None)
    if expected.teacher is not None:
        _assert_same_teacher(found.teacher, expected.teacher)


def _assert_same_teacher(found: Teacher, expected: Teacher) -> None:
    assert found.image_shape == expected.image_shape
    assert found.num_classes == expected.num_classes
    for mine, theirs in zip(found.networks, expected.networks, strict=True):
        assert (mine.name, mine.options) == (theirs.name, theirs.options)
        for name in ("weights", "state"):
            pairs = zip(getattr(mine, name), getattr(theirs, name), strict=True)
            for value, original in pairs:
                assert value.dtype == original.dtype
                np.testing.assert_array_equal(value, original)
