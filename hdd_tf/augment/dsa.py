"""Differentiable Siamese augmentation (DSA).

A group is a set of images that share one draw. In matching, a group is a class: its
real and its synthetic images get the same draw. In training, every image is a group of
its own. All groups pass through one pipeline,

    colour -> one affine warp (crop, flip, scale, rotate) -> cutout.

A transformation that a group did not draw is exactly the identity, so the pipeline has
neither a loop over groups nor a branch. Pixels that the warp samples outside of the
image are zero, whatever the colour.

Source: Zhao and Bilen, "Dataset Condensation with Differentiable Siamese
Augmentation", ICML 2021, with the ranges of its released program.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from hdd_tf.augment.colour import adjust_colour
from hdd_tf.augment.cutout import cut_span, kept_pixels
from hdd_tf.augment.warp import affine_maps, warp
from hdd_tf.errors import InputError
from hdd_tf.random_keys import derive_key
from hdd_tf.settings.parsers import AUGMENTATIONS

TRANSFORMATIONS = AUGMENTATIONS

# Ranges of the drawn values. Shifts are fractions of the image's side.
_BRIGHTNESS = 0.5  # added, in [-0.5, 0.5]
_SATURATION = 1.0  # factor in [0, 2]
_CONTRAST = 0.5  # factor in [0.5, 1.5]
_CROP = 0.125
_FLIP_PROBABILITY = 0.5
_SCALE = 1.2  # factor of the sampling grid in [1 / 1.2, 1.2]
_ROTATE = math.radians(15.0)

# The two streams of random numbers under a draw's key.
_CHOICE, _VALUES = 0, 1


class DSAParameters(NamedTuple):
    """Parameters of the transformations of g groups; unused ones are the identity.

    Attributes:
        brightness: `[g]` float32, added to every value; 0 is the identity.
        saturation: `[g]` float32, factor of the channels' distance from their mean;
            1 is the identity. For images of one channel every value is the identity.
        contrast: `[g]` float32, factor of the values' distance from the image's mean;
            1 is the identity.
        affine: `[g, 6]` float64, maps from output pixels to input pixels (see
            `warp.warp`).
        cutout: `[g, 4]` int32: top, bottom, left and right of a rectangle set to zero;
            bottom and right are exclusive. All 0 is the identity.
    """

    brightness: tf.Tensor
    saturation: tf.Tensor
    contrast: tf.Tensor
    affine: tf.Tensor
    cutout: tf.Tensor


class Choice(NamedTuple):
    """Names of the transformations of a draw.

    Attributes:
        always: Names of the transformations that every group gets.
        one_of: Names of the transformations of which each group gets one.
    """

    always: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()


def dance_choice(names: Sequence[str]) -> Choice:
    """Returns the choice of IDC and DANCE: one of crop, scale and rotate.

    Flip, colour and cutout are always applied if they are named. The programs of IDC
    and DANCE flip before they change colours. The two operations commute, so this
    pipeline gives the same images.

    Args:
        names: Different names out of `TRANSFORMATIONS`.
    """
    always = [name for name in ("flip", "color", "cutout") if name in names]
    one_of = [name for name in names if name not in always]
    return Choice(tuple(always), tuple(one_of))


def parse_strategy(text: str) -> tuple[str, ...]:
    """Splits names joined by underscores, such as "color_crop".

    Args:
        text: The joined names, or "none".

    Returns:
        The names; an empty tuple for "none".

    Raises:
        InputError: A name is unknown or given twice.
    """
    if text == "none":
        return ()
    names = tuple(text.split("_"))
    if len(set(names)) < len(names) or not set(names) <= set(TRANSFORMATIONS):
        raise InputError(
            f'augmentation "{text}" cannot be read: write "none" or different names '
            f"out of {', '.join(TRANSFORMATIONS)} joined by underscores"
        )
    return names


def draw(
    key: tf.Tensor,
    groups: int | tf.Tensor,
    height: int,
    width: int,
    *,
    always: Sequence[str] = (),
    one_of: Sequence[str] = (),
    same_choice: bool = False,
) -> DSAParameters:
    """Draws the parameters of all groups.

    Args:
        key: `[2]` int32 key; the draw depends on the key alone.
        groups: Number of groups. In matching, draw all classes at once and take blocks
            with `gather`, so that a class's draw does not depend on the blocks. In
            training, every image is a group.
        height: Rows of the images.
        width: Columns of the images.
        always: Names of the transformations that every group gets.
        one_of: Names of the transformations of which each group gets one.
        same_choice: True if all groups get the same transformation of `one_of`. The
            values are always drawn for each group.

    Returns:
        Parameters with leading dimension `groups`.

    Raises:
        ValueError: A name is unknown or given twice.
    """
    names = [*always, *one_of]
    if len(set(names)) < len(names) or not set(names) <= set(TRANSFORMATIONS):
        raise ValueError(f"Not different names out of {TRANSFORMATIONS}: {names}.")
    # A float32 below 1 times a whole number, rounded, stays below that number. So
    # neither this choice nor the shifts and squares need clipping.
    choice = tf.random.stateless_uniform(
        [1 if same_choice else groups], derive_key(key, _CHOICE)
    )
    chosen = tf.broadcast_to(tf.cast(choice * len(one_of), tf.int32), [groups])
    active = {
        name: chosen == list(one_of).index(name)
        if name in one_of
        else tf.fill([groups], name in always)
        for name in TRANSFORMATIONS
    }
    # Every transformation reads columns of its own: a strategy without one of them
    # leaves the random numbers of the others unchanged.
    u = tf.unstack(
        tf.random.stateless_uniform([groups, 11], derive_key(key, _VALUES)), axis=1
    )
    square = tf.stack([*cut_span(u[3], height), *cut_span(u[4], width)], axis=1)
    return DSAParameters(
        brightness=tf.where(active["color"], _symmetric(u[0], _BRIGHTNESS), 0.0),
        saturation=tf.where(active["color"], 1 + _symmetric(u[1], _SATURATION), 1.0),
        contrast=tf.where(active["color"], 1 + _symmetric(u[2], _CONTRAST), 1.0),
        affine=affine_maps(
            height,
            width,
            shift_rows=tf.where(active["crop"], _shift(u[5], height), 0.0),
            shift_columns=tf.where(active["crop"], _shift(u[6], width), 0.0),
            mirror=active["flip"] & (u[7] < _FLIP_PROBABILITY),
            scale_x=tf.where(active["scale"], _scale(u[8]), 1.0),
            scale_y=tf.where(active["scale"], _scale(u[9]), 1.0),
            angle=tf.where(active["rotate"], _symmetric(u[10], _ROTATE), 0.0),
        ),
        cutout=tf.where(active["cutout"][:, None], square, 0),
    )


def draw_choice(
    key: tf.Tensor, choice: Choice, shape: Sequence[int]
) -> DSAParameters | None:
    """Draws the parameters of each class, as `draw` does.

    Args:
        key: `[2]` int32 key.
        choice: Names of the transformations.
        shape: Shape `[C, n, h, w, c]` of the images of all classes.

    Returns:
        The parameters of C groups; None if no transformation is named.
    """
    if not any(choice):
        return None
    return draw(
        key, shape[0], shape[2], shape[3], always=choice.always, one_of=choice.one_of
    )


def gather(
    parameters: DSAParameters | None, indices: tf.Tensor
) -> DSAParameters | None:
    """Returns the parameters of the groups `indices`, a `[k]` integer tensor."""
    if parameters is None:
        return None
    return DSAParameters(*(tf.gather(field, indices) for field in parameters))


def apply(
    images: tf.Tensor, parameters: DSAParameters | None, differentiable: bool
) -> tf.Tensor:
    """Augments groups of images.

    Args:
        images: `[g, n, h, w, c]` float tensor, n images per group.
        parameters: Parameters of the g groups; None for no augmentation.
        differentiable: True if a gradient flows to `images`; real images need none. The
            values do not depend on it.

    Returns:
        `[g, n, h, w, c]` tensor of `images`' dtype.
    """
    if not differentiable:
        images = tf.stop_gradient(images)
    if parameters is None:
        return images
    images = adjust_colour(images, *parameters[:3])
    images = warp(images, parameters.affine, differentiable)
    return images * kept_pixels(parameters.cutout, images)


def _symmetric(uniform: tf.Tensor, limit: float) -> tf.Tensor:
    return (2 * uniform - 1) * limit


def _scale(uniform: tf.Tensor) -> tf.Tensor:
    return 1 / _SCALE + uniform * (_SCALE - 1 / _SCALE)


def _shift(uniform: tf.Tensor, side: int) -> tf.Tensor:
    """Returns whole numbers in [-p, p] as floats, p = 1/8 of the side, rounded."""
    limit = int(_CROP * side + 0.5)
    return tf.floor(uniform * (2 * limit + 1)) - limit
