"""A set as the Hugging Face Hub shows it: image files in parquet, or in folders."""

import json
import math
import pathlib
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from hdd_tf.artifacts.encodings.pixels import encode_png, to_uint8
from hdd_tf.artifacts.sets.set_content import DistilledSet
from hdd_tf.errors import InputError
from hdd_tf.exporting.hub_card import write_card
from hdd_tf.exporting.hub_extras import EXTRAS, are_extras, write_hub_extras
from hdd_tf.exporting.targets import check_replaceable
from hdd_tf.files import atomic
from hdd_tf.files.unfinished import entries_of

ENCODINGS = ("parquet", "png_folder")
CARD = "README.md"
_PARQUET = "data/train-00000-of-00001.parquet"
_FOLDERS = "train"
# So that a page can be shown without reading all of the file.
_ROWS_OF_A_GROUP = 100
# Names that no file can have somewhere, or that readers pass over.
_FORBIDDEN = set('/\\:*?"<>|')
_LONGEST_NAME = 100


def write_hub(
    directory: pathlib.Path, distilled_set: DistilledSet, encoding: str = "parquet"
) -> None:
    """Writes a set for the Hub, which replaces such a directory as a whole.

    Args:
        directory: The directory: new, empty, or one that was written here.
        distilled_set: The set; its images are clipped and rounded to 8 bits.
        encoding: `parquet`, or `png_folder` for a folder of each class called by the
            class's name.

    Raises:
        InputError: the directory cannot be written, the images are neither gray nor
            RGB, or folders cannot hold the set's class names or soft labels.
    """
    names = list(distilled_set.class_names)
    if encoding == "png_folder":
        _check_folders(names, distilled_set)
    images = to_uint8(distilled_set.images)
    files: list[bytes] = list(encode_png(images))
    try:
        with atomic.new_directory(directory) as partial:
            if encoding == "parquet":
                features = _write_parquet(partial, files, distilled_set, names)
            else:
                features = _write_folders(partial, files, distilled_set, names)
            carried = write_hub_extras(partial, distilled_set)
            inside = (distilled_set.images < 0) | (distilled_set.images > 255)
            card = write_card(
                features,
                {"ipc": int(np.bincount(distilled_set.labels).max())}
                | distilled_set.metadata,
                data_files="data/train-*" if encoding == "parquet" else "",
                count=len(images),
                size=images.shape[1:],
                clipped=float(inside.mean()),
                soft=distilled_set.label_logits is not None,
                carried=carried,
                whitened=distilled_set.whitening is not None,
                num_bytes=sum(map(len, files)),
            )
            (partial / CARD).write_text(card, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {directory}: {error.strerror}") from error


def is_replaceable(directory: pathlib.Path) -> bool:
    """Returns True if a directory is missing, empty, or was written by `write_hub`."""
    if not directory.is_dir():
        return not directory.exists()
    names = {entry.name for entry in entries_of(directory)}
    if not names:
        return True
    tops = {_PARQUET.partition("/")[0], _FOLDERS}
    known = names - {EXTRAS}
    if CARD not in known or len(known) != 2 or not known & tops:
        return False
    folder = directory / next(iter(known - {CARD}))
    below = [path for path in folder.rglob("*") if not path.is_dir()]
    return are_extras(directory / EXTRAS) and all(
        path.suffix in (".parquet", ".png") for path in below
    )


def check_hub_output(
    directory: pathlib.Path,
    overwrite: bool = False,
    *,
    flag: str = "--output_dir=",
    replace: str = "add --overwrite",
) -> None:
    """Checks that an export for the Hub may be written, before anything is read.

    Args:
        directory: Where to.
        overwrite: True if an earlier export for the Hub may be replaced.
        flag: Text before the directory in messages; empty where no flag named it.
        replace: What messages advise in order to replace an earlier export.

    Raises:
        InputError: it holds other things, or an export that may not be replaced.
    """
    check_replaceable(
        directory,
        "an export for the Hub",
        is_replaceable(directory),
        overwrite,
        flag=flag,
        replace=replace,
    )


def _write_parquet(
    directory: pathlib.Path,
    files: Sequence[bytes],
    distilled_set: DistilledSet,
    names: list[str],
) -> dict[str, Any]:
    """Writes the file, whose schema says to `datasets` what its columns are."""
    # Imported here because no other export needs it.
    import pyarrow
    import pyarrow.parquet

    digits = max(4, len(str(len(files) - 1)))
    columns = {
        "image": pyarrow.array(
            [
                {"bytes": file, "path": f"{number:0{digits}}.png"}
                for number, file in enumerate(files)
            ],
            pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())]),
        ),
        "label": pyarrow.array(distilled_set.labels, pyarrow.int64()),
    }
    kinds: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"names": names, "_type": "ClassLabel"},
    }
    logits = distilled_set.label_logits
    if logits is not None:
        columns["soft_label"] = pyarrow.array(
            list(logits), pyarrow.list_(pyarrow.float32())
        )
        number = {"dtype": "float32", "_type": "Value"}
        kinds["soft_label"] = {"feature": number, "_type": "Sequence"}
    about = {
        "huggingface": json.dumps({"info": {"features": kinds}}),
        # What no feature can say, and `hdd-tf evaluate --set` needs.
        "hdd_tf": json.dumps({"cells": _cells(distilled_set), "soft_label": "logits"}),
    }
    table = pyarrow.table(columns).replace_schema_metadata(about)
    path = directory / _PARQUET
    path.parent.mkdir()
    pyarrow.parquet.write_table(table, path, row_group_size=_ROWS_OF_A_GROUP)
    return _features(names, logits is not None)


def _cells(distilled_set: DistilledSet) -> int:
    """Returns how many training images lie along each side of an image."""
    metadata = distilled_set.metadata
    return 1 if metadata.get("decoded") else int(metadata.get("formation_factor", 1))


def _write_folders(
    directory: pathlib.Path,
    files: Sequence[bytes],
    distilled_set: DistilledSet,
    names: list[str],
) -> dict[str, Any]:
    for label, name in enumerate(names):
        folder = directory / _FOLDERS / name
        folder.mkdir(parents=True)
        own = np.flatnonzero(distilled_set.labels == label)
        digits = max(4, math.ceil(math.log10(len(own) + 1)))
        for number, row in enumerate(own):
            (folder / f"{number:0{digits}}.png").write_bytes(files[int(row)])
    # Readers number the classes in the order of their folders' names.
    return _features(sorted(names), False)


def _features(names: Sequence[str], soft: bool) -> dict[str, Any]:
    """Returns the features as a card has them."""
    of_names = {str(number): name for number, name in enumerate(names)}
    features: dict[str, Any] = {
        "image": {"dtype": "image"},
        "label": {"dtype": {"class_label": {"names": of_names}}},
    }
    if soft:
        features["soft_label"] = {"sequence": "float32"}
    return features


def _check_folders(names: Sequence[str], distilled_set: DistilledSet) -> None:
    """Raises InputError where folders cannot hold what the set has."""
    remedy = "take --encoding=parquet"
    carried = distilled_set
    if any(
        labels is not None
        for labels in (carried.label_logits, carried.epoch_labels, carried.teacher)
    ):
        # Readers number classes by the folders' names, which may be another order.
        raise InputError(f"folders of images cannot hold soft labels: {remedy}")
    for name in names:
        if (
            not name.isprintable()
            or name != name.strip()
            or name.strip(".") != name
            or not name
            or len(name.encode()) > _LONGEST_NAME
            or _FORBIDDEN & set(name)
        ):
            raise InputError(
                f"no folder can be called like the class {name!r:.80} (at most "
                f"{_LONGEST_NAME} bytes, none of {''.join(sorted(_FORBIDDEN))}, no "
                f"control characters, no dots or spaces at the ends): {remedy}"
            )
    plain = [unicodedata.normalize("NFC", name).casefold() for name in names]
    for number, name in enumerate(plain):
        if name in plain[:number]:
            raise InputError(
                f"the classes '{names[plain.index(name)]}' and '{names[number]}' would "
                f"share a folder on some systems: {remedy}"
            )
