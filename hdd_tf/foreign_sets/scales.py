"""On which scale the values of foreign images are: told, or plain from the values.

A set on the wrong scale trains networks on something else and scores badly without a
word, so what the values leave open is refused, not guessed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hdd_tf.data.normalisation import Normalisation
from hdd_tf.errors import InputError

SCALES = ("0-255", "0-1", "-1-1", "normalised", "zca")


class _Plausible(NamedTuple):
    """What the values of a set on a scale are like, as pixels from 0 to 1.

    Attributes:
        inside: Least part of the values on the scale, with a tenth to spare on both
            sides. Optimised images leave it here and there, normalised ones further.
        contrast: Bounds on their standard deviation, in units of the data set's.
        brightness: Bound on how far their mean is from the data set's, in units of its
            standard deviation. A balanced set is about as bright as the data set.
    """

    inside: float
    contrast: tuple[float, float]
    brightness: float


_PLAUSIBLE = {
    "0-255": _Plausible(0.8, (0.2, 3.0), 1.0),
    "0-1": _Plausible(0.8, (0.2, 3.0), 1.0),
    "-1-1": _Plausible(0.95, (0.2, 3.0), 1.0),
    # Images on the 0-1 scale, read so, are about half a deviation too bright.
    "normalised": _Plausible(0.5, (0.2, 5.0), 0.35),
}
# Whole numbers that stay below it may be pixels in other units, such as 0-16.
_BRIGHT_PIXEL = 64
# Values looked at: a statistic needs no more.
_MOST_VALUES = 2**22


def choose_scale(
    place: object,
    images: np.ndarray,
    normalisation: Normalisation,
    told: str = "auto",
    scales: Sequence[str] = (),
) -> str:
    """Returns the scale of a set's images, one of `SCALES`.

    Args:
        place: The set, for messages.
        images: `[n, h, w, c]` finite numbers.
        normalisation: Of the data set, by mean and standard deviation.
        told: What the user says; `auto` for nothing.
        scales: What the program that wrote the set can have used; empty for anything.

    Raises:
        InputError: `told` is `auto`, and the values are plausible on several scales or
            on none.
    """
    if told != "auto":
        return told
    if scales == ("0-255",):
        return scales[0]
    found = plausible_scales(images, normalisation)
    if len(scales) == 1 and scales[0] in found:
        return scales[0]
    if "normalised" in found and "zca" in scales:
        found.append("zca")
    if len(found) == 1:
        return found[0]
    low, high = images.min(), images.max()
    if images.dtype.kind in "iu" and (low < 0 or high > 255):
        raise InputError(
            f"{place} has whole numbers from {low} to {high} ({images.dtype}), and "
            "pixels are from 0 to 255: write them so, such as images * (255 / 65535) "
            "for 16 bits, or say that they are something else by --set_scale"
        )
    may_be = " or ".join(found) if found else "on no scale known here"
    raise InputError(
        f"{place} has values from {low:.4g} to {high:.4g} ({images.dtype}), which "
        f"may be {may_be}: say which by --set_scale={'|'.join(SCALES)} (normalised: "
        "by the data set's mean and standard deviation; zca: whitened)"
    )


def plausible_scales(images: np.ndarray, normalisation: Normalisation) -> list[str]:
    """Returns the scales, without `zca`, on which a set's values are plausible.

    Args:
        images: `[n, h, w, c]` finite numbers.
        normalisation: Of the data set, by mean and standard deviation.
    """
    low, high = images.min(), images.max()
    if not np.issubdtype(images.dtype, np.floating):
        return ["0-255"] if low >= 0 and _BRIGHT_PIXEL <= high <= 255 else []
    if low >= 0 and high <= 1:
        # Normalised images have pixels that are darker than the mean.
        return ["0-1"] if high > low else []
    step = max(1, images.size // _MOST_VALUES)
    values = images[::step].astype(np.float64)
    mean, std = np.asarray(normalisation.mean), np.asarray(normalisation.std)
    found = []
    for scale, bounds in _PLAUSIBLE.items():
        pixels = _to_unit(values, scale, mean, std)
        inside = np.mean((pixels >= -0.1) & (pixels <= 1.1))
        least, most = bounds.contrast
        if (
            inside >= bounds.inside
            and least <= pixels.std() / std.mean() <= most
            and abs(pixels.mean() - mean.mean()) / std.mean() <= bounds.brightness
        ):
            found.append(scale)
    return found


def _to_unit(
    values: np.ndarray, scale: str, mean: np.ndarray, std: np.ndarray
) -> np.ndarray:
    """Returns values of a scale as pixels from 0 to 1."""
    if scale == "normalised":
        return values * std + mean
    if scale == "-1-1":
        return (values + 1) / 2
    return values / 255 if scale == "0-255" else values


def to_pixels(
    images: np.ndarray, scale: str, normalisation: Normalisation
) -> np.ndarray:
    """Returns images on the 0-255 scale, float32, not clipped.

    Args:
        images: `[n, h, w, c]` numbers.
        scale: One of `SCALES`.
        normalisation: Which the images are normalised or whitened by, where they are.
    """
    values: np.ndarray = images.astype(np.float32)
    if scale in ("normalised", "zca"):
        return normalisation.to_pixels(values)
    if scale == "-1-1":
        values = (values + 1) / 2
    return values if scale == "0-255" else values * np.float32(255.0)
