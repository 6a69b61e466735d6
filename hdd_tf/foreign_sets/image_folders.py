"""Sets in folders of image files, a folder for each class."""

import math
import pathlib

import numpy as np

from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError
from hdd_tf.foreign_sets.class_names import labels_of_names
from hdd_tf.foreign_sets.content import ForeignArrays, check_fits
from hdd_tf.reading.class_folders import FolderLister, list_classes
from hdd_tf.reading.image_files import read_images, used_bits
from hdd_tf.reading.image_headers import read_header


def read_image_folders(directory: pathlib.Path, dataset: Dataset) -> ForeignArrays:
    """Reads a set from folders of images.

    Args:
        directory: The folder with a folder for each class, called by the class's name
            or number in the data set; see `class_names.labels_of_names`.
        dataset: The data set, whose size and channels the images have.

    Raises:
        InputError: there are no class folders, a folder is of no class, a file is no
            image or of another size, or a link leads out of `directory`.
    """
    lister = FolderLister(directory)
    folders = {path.name: path for path in lister.folders(directory)}
    if not folders:
        raise InputError(
            f"{directory} is no set that is known here: give a folder with a folder of "
            "images for each class, a TFDS directory, or an .npz or .pt file"
        )
    order = labels_of_names(directory, list(folders), dataset.label_names)
    of_label = dict(zip(order, folders, strict=True))
    files = list_classes(lister, folders, [of_label[label] for label in sorted(order)])
    height, width, channels = dataset.image_shape
    deep: list[pathlib.Path] = []
    noted: set[int] = set()
    colours = 0
    for path in files.paths:
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
    check_fits(directory, 4 * len(files.paths) * math.prod(dataset.image_shape))
    bits = used_bits(deep, noted) if deep else 16
    images = read_images(files.paths, channels, (height, width), bits=bits)
    # Only now: what cannot be used is answered in one line.
    lister.warn_of_left_out()
    return ForeignArrays(
        images,
        np.array(sorted(order), np.int64)[files.labels],
        scales=("0-255",),
        note=f"{colours} colour images read as gray" * (channels == 1 and colours > 0),
    )
