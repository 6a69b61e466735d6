"""Sets in folders of image files, a folder for each class."""

import math
import pathlib
from collections.abc import Sequence

import numpy as np

from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError
from hdd_tf.foreign_sets.class_names import labels_of_names
from hdd_tf.foreign_sets.content import ForeignArrays, check_fits
from hdd_tf.reading.folders.class_folders import FolderLister, list_classes
from hdd_tf.reading.folders.image_files import read_images, used_bits
from hdd_tf.reading.folders.image_headers import read_header
from hdd_tf.reading.folders.split_folders import is_wrapper


def read_image_folders(directory: pathlib.Path, dataset: Dataset) -> ForeignArrays:
    """Reads a set from folders of images.

    Args:
        directory: The folder with a folder for each class, called by the class's name
            or number in the data set; see `class_names.labels_of_names`.
        dataset: The data set, whose size and channels the images have.

    Raises:
        InputError: there are no class folders, a folder is of no class, `decode_files`
            raises it, or a link leads out of `directory`.
    """
    lister = FolderLister(directory)
    top = lister.folders(directory)
    if len(top) == 1 and is_wrapper(top[0]):  # As an export for the Hub has `train`.
        top = lister.folders(top[0])
    folders = {path.name: path for path in top}
    if not folders:
        raise InputError(
            f"{directory} is no set that is known here: give a folder with a folder of "
            "images for each class, a TFDS directory, or an .npz, .pt or .parquet file"
        )
    order = labels_of_names(directory, list(folders), dataset.label_names)
    of_label = dict(zip(order, folders, strict=True))
    files = list_classes(lister, folders, [of_label[label] for label in sorted(order)])
    images, note = decode_files(directory, files.paths, dataset)
    # Only now: what cannot be used is answered in one line.
    lister.warn_of_left_out()
    return ForeignArrays(
        images,
        np.array(sorted(order), np.int64)[files.labels],
        scales=("0-255",),
        note=note,
    )


def decode_files(
    place: pathlib.Path, paths: Sequence[pathlib.Path], dataset: Dataset
) -> tuple[np.ndarray, str]:
    """Decodes image files of a data set's size.

    Args:
        place: The set, for messages.
        paths: The files.
        dataset: The data set, whose size and channels the images have.

    Returns:
        `[n, h, w, c]` uint8, and what is not read as it is stored, in words.

    Raises:
        InputError: a file is no image or of another size, or they do not fit into
            memory.
    """
    height, width, channels = dataset.image_shape
    deep: list[pathlib.Path] = []
    noted: set[int] = set()
    colours = 0
    for path in paths:
        header = read_header(path)
        if (header.height, header.width) != (height, width):
            raise InputError(
                f"{path} is {header.height}x{header.width}, and the images of "
                f"{dataset.name} are {height}x{width}: give --image_size="
                f"{header.height}x{header.width} if the set was made at that size"
            )
        colours += not header.gray
        if header.bits > 8:
            deep.append(path)
        if header.is_exact:
            noted.add(header.bits)
    check_fits(place, 4 * len(paths) * math.prod(dataset.image_shape))
    bits = used_bits(deep, noted) if deep else 16
    images = read_images(paths, channels, (height, width), bits=bits)
    told = channels == 1 and colours > 0
    return images, f"{colours} colour images read as gray" if told else ""
