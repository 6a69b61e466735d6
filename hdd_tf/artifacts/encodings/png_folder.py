"""PNG files in one folder a class, which every toolbox of vision reads.

`keras.utils.image_dataset_from_directory` and torchvision's `ImageFolder` number the
classes by the order of the folders' names; a number at their head makes it ours.
"""

import pathlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hdd_tf.artifacts.encodings import pixels
from hdd_tf.artifacts.encodings.base import Encoding, check_bytes

_LONGEST_NAME = 40
_FILE = re.compile(r"\d{4,9}\.png", re.ASCII)
# What the readers of such folders take for an image, or for another class.
_IMAGE_SUFFIXES = {
    *(".bmp", ".gif", ".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".tif", ".tiff"),
    ".webp",
}


class PngFolder(Encoding):
    """Clipped and rounded, class after class: `000_name/0000.png`."""

    name = "png_folder"
    outside_range = False

    def write(
        self,
        directory: pathlib.Path,
        images: np.ndarray,
        labels: np.ndarray,
        metadata: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Writes a folder for each class, even an empty one; see the base class."""
        encoded = pixels.encode_png(pixels.to_uint8(images))
        names = [str(name) for name in metadata["label_names"]]
        folders = class_folders(names)
        for label, folder in enumerate(folders):
            (directory / folder).mkdir()
            own = encoded[labels == label]
            digits = max(4, len(str(len(own) - 1)))
            for number, file in enumerate(own):
                path = directory / folder / f"{number:0{digits}}.png"
                path.write_bytes(file)
        return {
            **pixels.quantisation(images, metadata),
            "layout": {"folders": dict(zip(folders, names, strict=True))},
        }

    def read(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Reads the images in the order of their names; see the base class."""
        names = sorted(self.owned(metadata))
        if len(names) != metadata["num_images"]:
            raise ValueError(f"{len(names)} files")
        paths = [directory / name for name in names]
        check_bytes(
            metadata, sum(path.stat().st_size for path in paths), pixels.FEWEST_BYTES
        )
        label_of = {
            folder: label
            for label, folder in enumerate(class_folders(metadata["label_names"]))
        }
        labels = [label_of[path.parent.name] for path in paths]
        files = [path.read_bytes() for path in paths]
        images = pixels.decode_png(files, metadata["image_shape"])
        return images, np.array(labels, np.int64)

    def owned(self, metadata: Mapping[str, Any]) -> set[str]:
        """Returns those files that the metadata list and that this class would name."""
        folders = self.folders(metadata)
        split = ((name, *name.partition("/")) for name in metadata["files"])
        return {
            name
            for name, folder, _, file in split
            if folder in folders and _FILE.fullmatch(file)
        }

    def folders(self, metadata: Mapping[str, Any]) -> set[str]:
        """Returns the folders of the classes."""
        return set(class_folders(metadata["label_names"]))

    def strangers(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> Iterable[pathlib.Path]:
        """Returns images in the folders of classes, and folders beside those."""
        folders, owned = self.folders(metadata), self.owned(metadata)
        for path in directory.iterdir():
            hidden = path.name.startswith(".")
            if path.is_dir() and not hidden and path.name not in folders:
                yield path
        for path in directory.glob("*/**/*"):
            is_image = path.suffix.lower() in _IMAGE_SUFFIXES
            if is_image and path.relative_to(directory).as_posix() not in owned:
                yield path


def class_folders(label_names: Sequence[str]) -> list[str]:
    """Returns a folder's name for each class; sorted, they are in the labels' order.

    Only letters, digits, `_` and `-` of ASCII are left of a class's name, since it may
    hold anything and not every system keeps accents as they are.
    """
    digits = max(3, len(str(len(label_names) - 1)))
    folders = []
    for label, name in enumerate(label_names):
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^A-Za-z0-9-]+", "_", plain).strip("_-")[:_LONGEST_NAME]
        folders.append(f"{label:0{digits}}_{plain}" if plain else f"{label:0{digits}}")
    return folders
