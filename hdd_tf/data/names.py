"""Names of data sets, checked before TensorFlow is imported."""

import difflib
import functools
import importlib.util
import os
import pathlib
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from hdd_tf.data.catalogue import DIGITS, FOLDER, NAMED, canonical_name
from hdd_tf.errors import InputError

# Of a directory that holds a prepared set.
INFO_FILE = "dataset_info.json"
# Folders of TFDS's package without data sets.
_OTHER_FOLDERS = {"core", "testing", "scripts", "url_checksums", "proto", "rlds"}
# Sources that do not show these are not as they were when this was written.
_UNDERSTOOD = {"cifar10", "mnist", "emnist", "svhn_cropped"}
_CLASS = re.compile(rb"^class (\w+)\(", re.MULTILINE)


class Request(NamedTuple):
    """A TFDS name `name/config:version`.

    Attributes:
        name: Name of the data set.
        config: Name of the configuration; empty if not given.
        version: Version, which may have wildcards; empty if not given.
    """

    name: str
    config: str
    version: str

    @classmethod
    def parse(cls, text: str) -> "Request":
        """Splits a name into its parts.

        Args:
            text: `name`, `name/config`, `name:version` or `name/config:version`.

        Raises:
            InputError: the text has another form.
        """
        found = re.fullmatch(r"(\w+)(?:/([^:/]+))?(?::([\d.*]+))?", text)
        if found is None:
            raise InputError(
                f"--dataset={text} is not the name of a data set, which looks like "
                f"name, name/config or name:1.0.0; own images are {FOLDER}DIR."
            )
        return cls(*(part or "" for part in found.groups()))

    def __str__(self) -> str:
        config = f"/{self.config}" if self.config else ""
        return self.name + config + (f":{self.version}" if self.version else "")


def root_directory(data_dir: str | None) -> str:
    """Returns the directory of data sets, TFDS's default where None is given."""
    return data_dir or os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")


def check_name(dataset: str, data_dir: str | None) -> None:
    """Refuses the name of a data set that cannot be found.

    Whoever reads the set looks again. TFDS, which takes a second to import, is asked
    for a name that is neither in its sources nor like one of them.

    Args:
        dataset: As `--dataset` takes it.
        data_dir: As `--data_dir` takes it; None for TFDS's default.

    Raises:
        InputError: there is no such folder or data set.
    """
    name = canonical_name(dataset)
    if name.startswith(FOLDER):
        if not pathlib.Path(name.removeprefix(FOLDER)).expanduser().is_dir():
            raise no_such_folder(name.removeprefix(FOLDER))
        return
    if name == DIGITS:
        return
    request, place = Request.parse(name), root_directory(data_dir)
    root = pathlib.Path(place).expanduser()
    is_elsewhere = "://" in place  # Such as gs://, which TFDS reads too.
    if is_elsewhere or (root / INFO_FILE).exists() or (root / request.name).is_dir():
        return
    shown = names_in_sources()
    if request.name in {*NAMED, *shown}:
        return
    if shown >= _UNDERSTOOD and difflib.get_close_matches(request.name, shown, n=1):
        raise unknown_name(request, root, shown)
    import tensorflow_datasets as tfds

    names = tfds.list_builders(with_community_datasets=False)
    if request.name not in names:
        raise unknown_name(request, root, names)


@functools.cache
def names_in_sources() -> frozenset[str]:
    """Returns the names of TFDS's data sets, as its sources show without an import."""
    found = importlib.util.find_spec("tensorflow_datasets")
    if found is None or found.origin is None:
        return frozenset()
    package = pathlib.Path(found.origin).parent
    names = {path.name for path in package.glob("datasets/*/")}
    for folder in package.iterdir():
        if not folder.is_dir() or folder.name in {*_OTHER_FOLDERS, "datasets"}:
            continue
        for file in folder.rglob("*.py"):
            classes = _CLASS.findall(file.read_bytes())
            names.update(_snake_case(each.decode()) for each in classes)
    return frozenset(names)


def no_such_folder(directory: str) -> InputError:
    """Returns the error of a folder of images that does not exist."""
    if os.path.isfile(os.path.expanduser(directory)):
        return InputError(
            f"--dataset={FOLDER}{directory} is a file: unpack it if it is an archive, "
            "and give the folder that holds a folder of images for each class."
        )
    return InputError(
        f"--dataset={FOLDER}{directory}: there is no such folder; give one that "
        "holds a folder of images for each class."
    )


def unknown_name(request: Request, root: Any, names: Iterable[str]) -> InputError:
    """Returns the error of a data set that is neither prepared nor one of TFDS's.

    Args:
        request: What was asked for.
        root: Path of the directory of data sets.
        names: Those of TFDS.
    """
    known = [*NAMED, *names]
    if root.is_dir():
        known += [child.name for child in root.iterdir() if child.is_dir()]
    close = difflib.get_close_matches(request.name, dict.fromkeys(known), n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else "."
    return InputError(
        f"no data set '{request}': neither prepared in {root} nor one of "
        f"{', '.join(NAMED)} or of TFDS's own, nor {FOLDER}DIR{hint}"
    )


def _snake_case(name: str) -> str:
    """Returns the name that TFDS gives to a class's data set."""
    parts = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", parts).lower()
