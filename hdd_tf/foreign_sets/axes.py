"""The axes of foreign images: which are height, width and channels."""

import pathlib
from collections.abc import Sequence

import numpy as np

from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError
from hdd_tf.foreign_sets.content import ForeignArrays


def channels_last(
    place: pathlib.Path, arrays: ForeignArrays, dataset: Dataset
) -> tuple[np.ndarray, str]:
    """Returns images `[n, h, w, c]`, and a word on their order if it was another.

    Args:
        place: The set, for messages.
        arrays: The set.
        dataset: The data set, which has such images.

    Raises:
        InputError: the images have another size or other channels.
    """
    images = arrays.images
    height, width, channels = dataset.image_shape
    if images.ndim == 3 and channels == 1:
        images = images[..., None]
    orders = {(height, width, channels): "", (channels, height, width): "first"}
    found = orders.get(images.shape[1:])
    if (height, width, channels) == (channels, height, width):
        found = "first" if arrays.channels_first else ""
    if images.ndim != 4 or found is None:
        _check_channels(place, arrays.images.shape[1:], dataset)
        raise InputError(
            f"{place} has images of {size(arrays.images.shape[1:])}, and "
            f"{dataset.name} has images of {size(dataset.image_shape)}: name the data "
            "set that it is of, or the size that it was made at by --image_size"
        )
    if found:
        return np.moveaxis(images, 1, -1), ", stored channels first"
    return images, ""


def _check_channels(
    place: pathlib.Path, shape: tuple[int, ...], dataset: Dataset
) -> None:
    """Raises InputError where the size is right, and only the channels are others."""
    *sides, channels = dataset.image_shape
    if shape == tuple(sides):
        given, axis = 1, "images[..., None]"
    elif shape[:-1] == tuple(sides):
        given, axis = shape[-1], "images"
    elif shape[1:] == tuple(sides):
        given, axis = shape[0], "numpy.moveaxis(images, 1, -1)"
    else:
        return
    mend = "name the data set that it is of"
    if given == 1:
        mend += f", or write numpy.repeat({axis}, {channels}, axis=-1)"
    elif given == channels + 1:
        mend += f", or leave transparency out: {axis}[..., :{channels}]"
    elif channels == 1:
        mend += ", or write images that are gray"
    raise InputError(
        f"{place} has images of {size(shape)}, {_channels(given)}, and those of "
        f"{dataset.name} are {size(dataset.image_shape)}, {_channels(channels)}: "
        f"{mend}"
    )


def _channels(count: int) -> str:
    return f"{count} channel{'s' if count != 1 else ''}"


def size(shape: Sequence[int]) -> str:
    """Returns a shape such as `32x32x3`."""
    return "x".join(map(str, shape))
