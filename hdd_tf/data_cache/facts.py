"""What decides the pixels of a split, for the name and the description of its entry."""

import hashlib
import os
import pathlib
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import PIL

from hdd_tf.data_cache.entry import Facts

# Of a prepared set, beside its records.
_DESCRIPTIONS = ("dataset_info.json", "features.json")


def facts_of_prepared(
    builder: Any,
    split: str,
    keys: tuple[str, str],
    image_shape: tuple[int, int, int],
    is_resized: bool,
) -> Facts | None:
    """Returns what decides the images of a split that TFDS has prepared.

    Args:
        builder: `tfds.core.DatasetBuilder` of the set.
        split: Name of the split.
        keys: Names of its features that are the image and the label.
        image_shape: Height, width and channels of the images as they are read.
        is_resized: Whether they are brought to that size.

    Returns:
        The facts; None where the files are not on a disk of this machine.
    """
    import tensorflow as tf

    info = builder.info.splits[split]
    folder = pathlib.Path(os.fspath(builder.data_path))
    records = [pathlib.Path(os.fspath(path)) for path in info.filepaths]
    if not records or not all(path.is_file() for path in records):
        return None
    described = [folder / name for name in _DESCRIPTIONS if (folder / name).is_file()]
    return Facts(
        builder.info.full_name,
        split,
        (info.num_examples, *image_shape),
        {
            "image": keys[0],
            "label": keys[1],
            "resized": is_resized,
            "tensorflow": tf.__version__,
            **({"pillow": PIL.__version__} if is_resized else {}),
        },
        _state_of([*described, *records], folder),
    )


def facts_of_files(
    name: str,
    split: str,
    paths: Sequence[pathlib.Path],
    labels: np.ndarray,
    sizes: Sequence[tuple[int, int]],
    folder: pathlib.Path,
    channels: int = 3,
    more: Mapping[str, Any] = types.MappingProxyType({}),
) -> Facts:
    """Returns what decides the images of a split that lies as a file each.

    Args:
        name: Name of the data set.
        split: Name of the split.
        paths: The files, in their order.
        labels: `[n]` int64, their labels.
        sizes: Heights and widths that each image is brought to, one after the other.
        folder: What the files lie below.
        channels: 1 for gray, 3 for RGB.
        more: Whatever else decides how they are read.
    """
    return Facts(
        name,
        split,
        (len(paths), *sizes[-1], channels),
        {"sizes": [list(size) for size in sizes], "pillow": PIL.__version__, **more},
        _state_of(paths, folder)
        | {"labels": hashlib.sha256(labels.astype("<i8").tobytes()).hexdigest()},
    )


def facts_of_embedded(
    name: str, split: str, num_images: int, image_shape: tuple[int, int, int]
) -> Facts:
    """Returns what decides the images of a split that a library brings along.

    Args:
        name: Name of the data set.
        split: Name of the split.
        num_images: Number of images.
        image_shape: Height, width and channels.
    """
    import sklearn
    import tensorflow as tf

    versions = {
        "scikit-learn": sklearn.__version__,
        "tensorflow": tf.__version__,
        "pillow": PIL.__version__,
    }
    return Facts(name, split, (num_images, *image_shape), versions, {})


def _state_of(paths: Iterable[pathlib.Path], folder: pathlib.Path) -> dict[str, Any]:
    """Returns names, sizes and times of files as one sum."""
    digest, count, size = hashlib.sha256(), 0, 0
    for path in paths:
        found = path.stat()
        name = os.path.relpath(path, folder)
        # Names of files are bytes, and may be no text.
        digest.update(os.fsencode(name))
        digest.update(f"\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
        count, size = count + 1, size + found.st_size
    return {"files": count, "bytes": size, "sha256": digest.hexdigest()}
