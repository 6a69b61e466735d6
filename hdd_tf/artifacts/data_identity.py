"""Whether two runs are on the same images, however their folder is spelt."""

import os
from collections.abc import Mapping
from typing import Any

from hdd_tf.data.catalogue import FOLDER


def is_same_folder(
    old: Mapping[str, Any],
    old_data: Mapping[str, Any] | None,
    new: Mapping[str, Any],
    new_data: Mapping[str, Any] | None,
) -> bool:
    """Tells whether two runs are on one folder of images: `pets/`, `./pets`, a link.

    The checksums of the images decide, and where one run has none of them (it is of an
    earlier version), whether both paths lead to one folder.

    Args:
        old: Identity of a run, see `config.identity`.
        old_data: What `config.json` records of its data, or None.
        new: Identity of another run.
        new_data: What is known of its data, or None.
    """
    paths = []
    for settings in (old, new):
        kind, colon, path = str(settings.get("dataset")).partition(":")
        if kind + colon != FOLDER:
            return False
        paths.append(os.path.realpath(os.path.expanduser(path)))
    sums = [_checksums(data or {}) for data in (old_data, new_data)]
    return sums[0] == sums[1] if all(sums) else paths[0] == paths[1]


def images_of(settings: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    """Returns what runs that only differ in the seed have in common of their images.

    Args:
        settings: Identity of a run.
        data: What `config.json` records of its data.

    Returns:
        The setting `dataset`; of a folder the checksum of its test split, which every
        seed has whole, if that is recorded.
    """
    dataset = settings.get("dataset")
    if str(dataset).startswith(FOLDER) and "test_sha256" in data:
        return [FOLDER, data["test_sha256"]]
    return dataset


def _checksums(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name.endswith("_sha256")}
