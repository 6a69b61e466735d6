"""Image files in folders of their class: finding and listing them."""

import dataclasses
import functools
import itertools
import os
import pathlib
import warnings
from collections.abc import Iterator

import numpy as np
from PIL import features

from hdd_tf.errors import InputError, warn
from hdd_tf.reading.folders.compact_paths import Paths

_SUFFIXES = (
    *(".apng", ".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo"),
    *(".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
# What Pillow can be built without.
_OPTIONAL_SUFFIXES = {
    "avif": (".avif",),
    "jpg_2000": (".j2c", ".j2k", ".jp2", ".jpc", ".jpf", ".jpx"),
}
# What systems leave in folders of images, besides hidden files.
_LITTER = {"Thumbs.db", "desktop.ini", "__MACOSX", "@eaDir"}


@functools.cache
def image_suffixes() -> tuple[str, ...]:
    """Returns how names of image files end, those that this Pillow reads."""
    found = list(_SUFFIXES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # An old Pillow knows no AVIF.
        for feature, suffixes in _OPTIONAL_SUFFIXES.items():
            if features.check(feature):
                found += suffixes
    return tuple(sorted(found))


def is_image(path: pathlib.Path) -> bool:
    """Tells whether a file is called as images are."""
    return path.suffix.lower() in image_suffixes()


def is_litter(name: str) -> bool:
    """Tells whether a file or folder is hidden, or what systems leave behind."""
    return name.startswith(".") or name in _LITTER


@dataclasses.dataclass(frozen=True, eq=False)
class ImageFiles:
    """Files of one split.

    Attributes:
        paths: The files, in the order of the split.
        labels: `[n]` int64.
    """

    paths: Paths
    labels: np.ndarray

    def take(self, rows: np.ndarray) -> "ImageFiles":
        """Returns the files at `rows`, in that order."""
        return ImageFiles(self.paths.take(rows), self.labels[rows])


class FolderLister:
    """Lists folders below one root, always in the order of their names.

    Args:
        root: Where all files must lie; a link to elsewhere is refused, since what it
            leads to is not part of the set that was given.

    Attributes:
        has_links: Whether a symbolic link was followed.
    """

    def __init__(self, root: pathlib.Path) -> None:
        self._root = root
        self._real_root = os.path.realpath(root)
        self._left_out = Paths()
        self.has_links = False

    def folders(self, folder: pathlib.Path) -> list[pathlib.Path]:
        """Returns the folders in a folder; notes the files beside them as left out."""
        entries = list(self._entries(folder))
        self._left_out.extend(path for path in entries if not path.is_dir())
        return [path for path in entries if path.is_dir()]

    def images(self, folder: pathlib.Path) -> Paths:
        """Returns the image files at any depth below a folder.

        Raises:
            InputError: there is none, or a link leads out of the root.
        """
        images = Paths()
        for path in self._walk(folder):
            (images if is_image(path) else self._left_out).append(path)
        if not images:
            raise InputError(
                f"the class folder {folder} has no images: put some in or move it away "
                f"(images end in {', '.join(image_suffixes())})."
            )
        return images

    def leave_out(self, path: pathlib.Path) -> None:
        """Notes a file or folder that is not used."""
        self._left_out.append(path)

    def warn_of_left_out(self) -> None:
        """Says in one line what was found and not used."""
        if self._left_out:
            # What may well have been meant is named before texts beside the images.
            meant = itertools.chain(
                (path for path in self._left_out if path.is_dir()),
                (path for path in self._left_out if is_image(path)),
            )
            warn(
                f"{len(self._left_out)} files or folders below {self._root} are not "
                "images of a class and were left out, such as "
                f"{next(meant, self._left_out[0])}."
            )

    def _walk(self, folder: pathlib.Path) -> Iterator[pathlib.Path]:
        """Yields the files below a folder, depth first."""
        # No recursion, which Python ends with an error of its own. No folder twice:
        # links could lead through a few of them in endlessly many ways.
        read = {_place(folder)}
        waiting = [self._entries(folder)]
        while waiting:
            path = next(waiting[-1], None)
            if path is None:
                waiting.pop()
            elif path.is_dir():
                place = _place(path)
                if place in read:
                    raise InputError(
                        f"{path} is a symbolic link that leads to a folder of the same "
                        "class, or there is one to it: images count once; take the "
                        "link out."
                    )
                read.add(place)
                waiting.append(self._entries(path))
            else:
                yield path

    def _entries(self, folder: pathlib.Path) -> Iterator[pathlib.Path]:
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            raise InputError(
                f"{folder} cannot be read ({error.strerror}): make it readable."
            ) from error
        for name in names:
            if is_litter(name):
                continue
            path = folder / name
            if path.is_symlink():
                self._check_link(path)
                self.has_links = True
            yield path

    def _check_link(self, path: pathlib.Path) -> None:
        target = os.path.realpath(path)
        if not os.path.exists(target):
            problem = "leads nowhere"
        elif os.path.commonpath([target, self._real_root]) != self._real_root:
            problem = f"leads out of {self._root}"
        elif os.path.commonpath([target, os.path.realpath(path.parent)]) == target:
            problem = "leads back to a folder that it lies in"
        else:
            return
        raise InputError(
            f"{path} is a symbolic link that {problem}: put the images themselves "
            "there, or take it out."
        )


def _place(folder: pathlib.Path) -> tuple[int, int]:
    """Returns what a folder is by, whatever path leads there."""
    found = os.stat(folder)
    return found.st_dev, found.st_ino


def list_classes(
    lister: FolderLister, folders: dict[str, pathlib.Path], names: list[str]
) -> ImageFiles:
    """Lists the images of class folders, class after class.

    Args:
        lister: Of the set that they belong to.
        folders: Folder of each class; a class may be missing.
        names: The classes, in the order of their labels.
    """
    paths = Paths()
    sizes = np.zeros(len(names), np.int64)
    for label, name in enumerate(names):
        if name in folders:
            before = len(paths)
            paths.extend(lister.images(folders[name]))
            sizes[label] = len(paths) - before
    return ImageFiles(paths, np.repeat(np.arange(len(names)), sizes))
