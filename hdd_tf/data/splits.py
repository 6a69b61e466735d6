"""Holding out a part of each class."""

import numpy as np

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.errors import InputError
from hdd_tf.random_keys import Purpose


def hold_out_validation(
    training: LabelledImages, num_classes: int, fraction: float, seed: int
) -> tuple[LabelledImages, LabelledImages | None]:
    """Splits training images into training and validation, each class by itself.

    Of a class of n images `round(fraction * n)` are held out, as `draw_held_out` says.
    Both parts keep the order of the whole.

    Args:
        training: The published training split.
        num_classes: C.
        fraction: Part to hold out, in [0, 1); 0 holds out nothing.
        seed: Seed of the run; the same seed holds out the same images.

    Returns:
        Training and validation; the latter is None for `fraction` 0.

    Raises:
        InputError: `fraction` is outside [0, 1), or too small to hold out any image.
    """
    if not 0 <= fraction < 1:
        raise InputError(
            f"validation_fraction={fraction} is not in [0, 1): give a part such as 0.1."
        )
    if fraction == 0:
        return training, None
    held_out = draw_held_out(
        training.labels, num_classes, fraction, (seed, Purpose.VALIDATION_SPLIT)
    )
    if not held_out.any():
        largest = np.bincount(training.labels).max()
        raise InputError(
            f"validation_fraction={fraction} holds out no image, as no class has more "
            f"than {largest}: give a larger part, or 0 for no validation split."
        )
    return (
        training.take(np.flatnonzero(~held_out)),
        training.take(np.flatnonzero(held_out)),
    )


def draw_held_out(
    labels: np.ndarray, num_classes: int, fraction: float, stream: tuple[int, ...]
) -> np.ndarray:
    """Draws a part of each class at random, but leaves at least one of it.

    Args:
        labels: `[n]` integers in [0, C).
        num_classes: C.
        fraction: Part of each class, in [0, 1).
        stream: Names the stream of random numbers.

    Returns:
        `[n]` bool, true for what is held out: `round(fraction * n)` of a class of n.
    """
    held_out = np.zeros(len(labels), bool)
    for label in range(num_classes):
        rows = np.flatnonzero(labels == label)
        count = min(round(fraction * len(rows)), len(rows) - 1)
        # A stream of its own, so that a class's split depends on that class alone.
        generator = np.random.default_rng([*stream, label])
        held_out[generator.permutation(rows)[: max(count, 0)]] = True
    return held_out
