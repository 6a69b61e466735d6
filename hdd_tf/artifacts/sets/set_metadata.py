"""Reads `hdd_tf.json`, the description of a distilled set, without trust.

The file comes with the set, from any source. Its own checksum shows that it is
complete, but anyone can compute a checksum. All entries are therefore checked before
they are used.
"""

import os
import pathlib
from collections.abc import Callable
from typing import Any

from hdd_tf.artifacts import run_records
from hdd_tf.artifacts.encodings.base import Encoding
from hdd_tf.artifacts.encodings.registry import ENCODINGS
from hdd_tf.artifacts.sets import set_extras
from hdd_tf.artifacts.sets.set_content import is_recipe
from hdd_tf.errors import InputError
from hdd_tf.files import checksums
from hdd_tf.files.json_files import read_json

METADATA_FILE = "hdd_tf.json"
FORMAT = "hdd_tf distilled set"
FORMAT_VERSION = 1
# Bytes for the checksums of a million files; a larger file is not a description.
_LARGEST = 256 * 2**20
# Bound on a channel's mean or standard deviation, on the 0-1 scale; far above any.
_LARGEST_NUMBER = 1e6


def read_metadata(path: pathlib.Path) -> tuple[dict[str, Any], Encoding]:
    """Reads and checks the description of a set.

    Args:
        path: The file `hdd_tf.json`.

    Returns:
        The description and the set's encoding.

    Raises:
        InputError: the file is damaged, is of another program or version, or has an
            invalid entry.
    """
    metadata = _read_object(path)
    if metadata.get("format") != FORMAT:
        raise InputError(f"{path} does not describe a distilled set of hdd_tf")
    known: dict[str, list[Any]] = {
        "format_version": [FORMAT_VERSION],
        "encoding": list(ENCODINGS),
    }
    for key, values in known.items():
        if metadata.get(key) not in values:
            names = " or ".join(repr(value) for value in values)
            raise InputError(
                f"{path} has {key} {metadata.get(key)!r:.40}, this version of "
                f"hdd_tf reads {names}: use the version that wrote it"
            )
    if not checksums.is_sealed(metadata):
        raise InputError(
            f"{path} is damaged or was edited: copy or export the set anew"
        )
    for key, is_right in RIGHT.items():
        if not is_right(metadata.get(key)):
            raise _invalid_entry(path, key)
    for key, is_right in _RIGHT_IF_THERE.items():
        if key in metadata and not is_right(metadata[key]):
            raise _invalid_entry(path, key)
    encoding = ENCODINGS[metadata["encoding"]]
    owned = encoding.owned(metadata) | set_extras.owned_files(metadata)
    if set(metadata["files"]) != owned:
        raise _invalid_entry(path, "files")
    if metadata["formation_factor"] > max(metadata["image_shape"][:2]):
        raise _invalid_entry(path, "formation_factor")
    return metadata, encoding


def read_unchecked(path: pathlib.Path) -> tuple[dict[str, Any], Encoding] | None:
    """Returns a description that may be damaged; None if it cannot be read."""
    try:
        metadata = _read_object(path)
    except InputError:
        return None
    encoding = metadata.get("encoding")
    if not isinstance(encoding, str) or encoding not in ENCODINGS:
        return None
    if any(not RIGHT[key](metadata.get(key)) for key in ("files", "label_names")):
        return None
    return metadata, ENCODINGS[encoding]


def _read_object(path: pathlib.Path) -> dict[str, Any]:
    folder = os.path.realpath(path.parent)
    if os.path.dirname(os.path.realpath(path)) != folder:
        raise InputError(
            f"{path} leads out of {path.parent}: put the file itself there"
        )
    try:
        metadata = read_json(path, _LARGEST)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(
            f"{path} is damaged (not JSON): copy or export the set anew"
        ) from error
    if not isinstance(metadata, dict):
        raise InputError(f"{path} does not describe a distilled set of hdd_tf")
    return metadata


def _invalid_entry(path: pathlib.Path, key: str) -> InputError:
    return InputError(
        f"{path} has an invalid entry {key!r}: it was not written by hdd_tf, or is "
        "damaged; export the set anew"
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_shape(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        # A larger side does not fit into the header of a PNG or of a NumPy file.
        and all(_is_count(side) and side < 2**31 for side in value)
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _are_integers(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int for item in value)


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, int | float)
        and not isinstance(item, bool)
        # The bounds exclude NaN and integers that do not fit into a float.
        and -_LARGEST_NUMBER < item < _LARGEST_NUMBER
        for item in value
    )


def _are_files(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(about, dict)
        and isinstance(about.get("bytes"), int)
        and about["bytes"] >= 0
        and isinstance(about.get("sha256"), str)
        for about in value.values()
    )


RIGHT: dict[str, Callable[[Any], bool]] = {
    "num_images": _is_count,
    "image_shape": _is_shape,
    "formation_factor": _is_count,
    "decoded": lambda value: isinstance(value, bool),
    "label_names": _are_names,
    "mean": _are_numbers,
    "std": lambda value: _are_numbers(value) and all(item > 0 for item in value),
    # The settings that a run recorded; config.from_json checks them.
    "source": lambda value: isinstance(value, dict),
    "dataset": _is_text,
    "objective": _is_text,
    "geometry": _is_text,
    "ipc": lambda value: _is_count(value) and run_records.is_count(value),
    "files": _are_files,
}
_RIGHT_IF_THERE: dict[str, Callable[[Any], bool]] = {
    "iteration": run_records.is_count,
    "selected": run_records.is_choice,
    "seconds": run_records.is_number,
    "recipe": is_recipe,
    "classes": _are_integers,
    **set_extras.RIGHT,
}
