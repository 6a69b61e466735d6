"""PNG files in one folder a class, a format that vision libraries read.

`keras.utils.image_dataset_from_directory` and torchvision's `ImageFolder` number the
classes by the order of the folders' names. A number at the start of each name gives our
order. Both take every folder for a class. A set with a teacher has a folder `teacher/`,
so its class folders are in a folder of their own, `images/`.
"""

import pathlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hdd_tf.artifacts.encodings import pixels
from hdd_tf.artifacts.encodings.base import Encoding, check_bytes, num_logits
from hdd_tf.files.npz_file import read_npz, write_npz

# Soft labels, with the names of their images.
LOGITS_FILE = "label_logits.npz"
_LONGEST_NAME = 40
_FILE = re.compile(r"\d{4,9}\.png", re.ASCII)
# Suffixes of files that readers of such folders take for images.
_IMAGE_SUFFIXES = {
    *(".bmp", ".gif", ".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".tif", ".tiff"),
    ".webp",
}


class PngFolder(Encoding):
    """Clipped and rounded images, class after class: `000_name/0000.png`."""

    name = "png_folder"
    outside_range = False
    class_major = True

    def write(
        self,
        directory: pathlib.Path,
        images: np.ndarray,
        labels: np.ndarray,
        metadata: Mapping[str, Any],
        label_logits: np.ndarray | None = None,
    ) -> dict[str, Any]:
        """Writes a folder for each class, even an empty one; see the base class."""
        encoded = pixels.encode_png(pixels.to_uint8(images))
        names = [str(name) for name in metadata["label_names"]]
        folders = class_folders(names)
        root = directory / _root(metadata)
        root.mkdir(exist_ok=True)
        written = []
        for label, folder in enumerate(folders):
            (root / folder).mkdir()
            own = encoded[labels == label]
            digits = max(4, len(str(len(own) - 1)))
            for number, file in enumerate(own):
                path = root / folder / f"{number:0{digits}}.png"
                path.write_bytes(file)
                written.append(path.relative_to(directory).as_posix())
        layout: dict[str, Any] = {"folders": dict(zip(folders, names, strict=True))}
        if _root(metadata):
            layout["root"] = _root(metadata)
        if label_logits is not None:
            arrays = {
                "files": np.array(written),
                "label_logits": label_logits[self.order(labels)],
            }
            write_npz(directory / LOGITS_FILE, arrays)
            layout["label_logits"] = f"{LOGITS_FILE}: a row for each of its files"
        return {**pixels.quantisation(images, metadata), "layout": layout}

    def read(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Reads the images in the order of their names; see the base class."""
        names = sorted(self._image_names(metadata))
        if len(names) != metadata["num_images"]:
            raise ValueError(f"{len(names)} files")
        paths = [directory / name for name in names]
        sizes = [path.stat().st_size for path in paths]
        label_logits = None
        if classes := num_logits(metadata):
            sizes.append((directory / LOGITS_FILE).stat().st_size)
        check_bytes(metadata, sum(sizes), pixels.FEWEST_BYTES)
        if classes:
            label_logits = _read_logits(directory / LOGITS_FILE, names, classes)
        label_of = {
            folder: label
            for label, folder in enumerate(class_folders(metadata["label_names"]))
        }
        labels = [label_of[path.parent.name] for path in paths]
        files = [path.read_bytes() for path in paths]
        images = pixels.decode_png(files, metadata["image_shape"])
        return images, np.array(labels, np.int64), label_logits

    def owned(self, metadata: Mapping[str, Any]) -> set[str]:
        """Returns the listed files with names of this encoding, and the logits."""
        own = self._image_names(metadata)
        return own if num_logits(metadata) is None else own | {LOGITS_FILE}

    def folders(self, metadata: Mapping[str, Any]) -> set[str]:
        """Returns the class folders, and the folder `images` if they are in it."""
        root = _root(metadata)
        folders = class_folders(metadata["label_names"])
        return {f"{root}/{name}" for name in folders} | {root} if root else set(folders)

    def _image_names(self, metadata: Mapping[str, Any]) -> set[str]:
        folders = self.folders(metadata) - {_root(metadata)}
        split = ((name, *name.rpartition("/")) for name in metadata["files"])
        return {
            name
            for name, folder, _, file in split
            if folder in folders and _FILE.fullmatch(file)
        }

    def foreign_files(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> Iterable[pathlib.Path]:
        """Returns foreign images in class folders, and foreign folders beside them."""
        folders, owned = self.folders(metadata), self.owned(metadata)
        root = directory / _root(metadata)
        for path in root.iterdir():
            hidden = path.name.startswith(".")
            known = path.relative_to(directory).as_posix() in folders
            if path.is_dir() and not hidden and not known:
                yield path
        for path in root.glob("*/**/*"):
            is_image = path.suffix.lower() in _IMAGE_SUFFIXES
            if is_image and path.relative_to(directory).as_posix() not in owned:
                yield path


def _root(metadata: Mapping[str, Any]) -> str:
    """Returns the folder of the class folders; empty for the set's own folder."""
    return "images" if "teacher" in metadata else ""


def _read_logits(
    path: pathlib.Path, names: Sequence[str], num_logits: int
) -> np.ndarray:
    """Reads the soft labels of the images `names`, in the order of `names`."""
    files = np.array(names)
    arrays = read_npz(
        path,
        {
            "files": (files.dtype, files.shape),
            "label_logits": (np.float32, (len(names), num_logits)),
        },
    )
    if not np.array_equal(arrays["files"], files):
        raise ValueError(f"{path.name} names other files")
    return arrays["label_logits"]


def class_folders(label_names: Sequence[str]) -> list[str]:
    """Returns a folder name for each class; the sorted names are in label order.

    A folder name keeps only letters, digits, `_` and `-` of ASCII from the class name,
    which may hold any characters. Some systems do not preserve accents.
    """
    digits = max(3, len(str(len(label_names) - 1)))
    folders = []
    for label, name in enumerate(label_names):
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^A-Za-z0-9-]+", "_", plain).strip("_-")[:_LONGEST_NAME]
        folders.append(f"{label:0{digits}}_{plain}" if plain else f"{label:0{digits}}")
    return folders
