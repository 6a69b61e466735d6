"""Held-out splits: a random part of each class."""

import numpy as np

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data.stored_images import StoredImages
from hdd_tf.errors import InputError
from hdd_tf.random_keys import Purpose


def hold_out_validation(
    training: LabelledImages,
    num_classes: int,
    fraction: float,
    seed: int,
    in_place: bool = False,
) -> tuple[LabelledImages, LabelledImages | None]:
    """Splits training images into a training and a validation split, class by class.

    `draw_held_out` draws the validation images. Both splits keep the order of the
    images.

    Args:
        training: The published training split.
        num_classes: Number of classes C.
        fraction: Part of each class to hold out, in [0, 1); 0 holds out nothing.
        seed: Seed of the run; the same seed holds out the same images.
        in_place: Whether both splits take the memory of `training`, which must not be
            used afterwards; otherwise images in memory are copied.

    Returns:
        The training split, and the validation split or None for a `fraction` of 0.

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
    rows = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    if not in_place or isinstance(training.images, StoredImages):
        return training.select(rows[0]), training.select(rows[1])
    _sort_in_place(training.images, np.concatenate(rows))
    count = len(rows[0])
    return (
        LabelledImages(training.images[:count], training.labels[rows[0]]),
        LabelledImages(training.images[count:], training.labels[rows[1]]),
    )


def _sort_in_place(images: np.ndarray, order: np.ndarray) -> None:
    """Puts images in another order, with memory for one of them.

    Args:
        images: `[n, h, w, c]`.
        order: `[n]` permutation: the row that comes to each place.
    """
    source = order.tolist()
    for start in range(len(source)):
        if source[start] == start:
            continue
        # Around a cycle of the permutation each image moves once.
        spare, place = images[start].copy(), start
        while source[place] != start:
            images[place] = images[source[place]]
            source[place], place = place, source[place]
        images[place], source[place] = spare, place


def draw_held_out(
    labels: np.ndarray, num_classes: int, fraction: float, stream: tuple[int, ...]
) -> np.ndarray:
    """Draws a part of each class at random, and leaves at least one image of a class.

    Args:
        labels: `[n]` integers in [0, C).
        num_classes: Number of classes C.
        fraction: Part of each class to draw, in [0, 1).
        stream: Integers that select the stream of random numbers.

    Returns:
        `[n]` bool, True for images that are held out: `round(fraction * m)` images of a
        class of m, at most m - 1.
    """
    held_out = np.zeros(len(labels), bool)
    for label in range(num_classes):
        rows = np.flatnonzero(labels == label)
        count = min(round(fraction * len(rows)), len(rows) - 1)
        # Each class has a stream of its own, so its split depends on that class alone.
        generator = np.random.default_rng([*stream, label])
        held_out[generator.permutation(rows)[: max(count, 0)]] = True
    return held_out
