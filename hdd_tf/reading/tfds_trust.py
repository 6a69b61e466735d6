"""What a prepared set of TFDS may not be: a program, or larger than its files.

TFDS imports whatever module `features.json` names, and TensorFlow takes whatever memory
a record's head asks for. Such sets come from anywhere, so both are looked at first.
"""

import os
import pathlib
from collections.abc import Iterator
from typing import Any

from hdd_tf.errors import InputError
from hdd_tf.files.json_files import read_json
from hdd_tf.files.record_files import count_records

_FEATURES_FILE = "features.json"
_TFDS = "tensorflow_datasets."
# Under which TFDS's own reader looks for the name of a class.
_CLASS_KEYS = {"pythonClassName", "python_class_name", "type"}


def check_features_file(directory: str | os.PathLike) -> None:
    """Refuses a set whose features are programs other than TFDS itself.

    Args:
        directory: Of a prepared set. What is not on this machine's disk is passed.

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
            f"{path} cannot be read: delete that directory and prepare it again"
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
    """Refuses a set whose files of records are not what they say of themselves.

    Args:
        builder: `tfds.core.DatasetBuilder` of a prepared set.

    Raises:
        InputError: a split has a number of images that none can have, or records that
            its files have no room for; or the files are of another kind.
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
            except (OSError, ValueError) as error:
                raise _damaged(builder, name) from error


def _damaged(builder: Any, split: str) -> InputError:
    return InputError(
        f"the split '{split}' of {builder.info.name} in {builder.data_dir} is damaged: "
        "delete that directory and prepare it again (its records do not fit into its "
        "files)"
    )
