"""Checks that a prepared TFDS set runs no foreign program and fits into its files.

TFDS imports every module that `features.json` names, and TensorFlow allocates as much
memory as a record's header asks for. Prepared sets may come from untrusted sources, so
both are checked before a set is read.
"""

import os
import pathlib
from collections.abc import Iterator
from typing import Any

from hdd_tf.errors import InputError, one_line
from hdd_tf.files.json_files import read_json
from hdd_tf.files.record_files import count_records

PREPARE_ANEW = "prepare it anew in another directory and give that as --data_dir"
_FEATURES_FILE = "features.json"
_TFDS = "tensorflow_datasets."
# Under which TFDS's own reader looks for the name of a class.
_CLASS_KEYS = {"pythonClassName", "python_class_name", "type"}


def check_features_file(directory: str | os.PathLike) -> None:
    """Checks that the features of a set are classes of TFDS itself.

    Args:
        directory: Directory of a prepared set. A directory that is not on this
            machine's disk is not checked.

    Raises:
        InputError: `features.json` names another program, or cannot be read.
    """
    path = pathlib.Path(os.fspath(directory), _FEATURES_FILE)
    if not path.exists():
        return
    try:
        names = list(_class_names(read_json(path)))
    except (OSError, RecursionError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({one_line(error)}): {PREPARE_ANEW}"
        ) from error
    for name in names:
        if not name.startswith(_TFDS):
            raise InputError(
                f"{path} names the program {name} as a kind of feature, and only those "
                "of TFDS itself are read: write the set anew with them"
            )


def _class_names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in _CLASS_KEYS and isinstance(item, str):
                yield item
            yield from _class_names(item)
    elif isinstance(value, list):
        for item in value:
            yield from _class_names(item)


def check_records(builder: Any) -> None:
    """Checks that the files of a set can hold the records that they describe.

    Args:
        builder: `tfds.core.DatasetBuilder` of a prepared set.

    Raises:
        InputError: a split has a negative number of images, the records of a split do
            not fit into its files, or the files are not TFRecord files.
    """
    stored_as = builder.info.file_format.value
    if stored_as != "tfrecord":
        raise InputError(
            f"{builder.info.name} in {builder.data_dir} is stored as {stored_as}, and "
            "only TFRecord files are read: prepare it as such elsewhere (tfds build "
            f"{builder.info.full_name.rsplit(':')[0]} --data_dir=DIR "
            "--file_format=tfrecord) and give that --data_dir"
        )
    for name, split in builder.info.splits.items():
        lengths = getattr(split, "shard_lengths", [])
        if any(length < 0 for length in lengths):
            raise _damaged(builder, name)
        for path in map(os.fspath, split.filepaths):
            # What is missing TFDS says itself; what is elsewhere it reads itself.
            if not os.path.isfile(path):
                continue
            try:
                count_records(path, most=sum(lengths))
            except OSError as error:
                raise InputError(f"{one_line(error)}: mend that") from error
            except ValueError as error:
                raise _damaged(builder, name) from error


def _damaged(builder: Any, split: str) -> InputError:
    return InputError(
        f"the split '{split}' of {builder.info.name} in {builder.data_dir} is damaged: "
        f"{PREPARE_ANEW} (its records do not fit into its files)"
    )
