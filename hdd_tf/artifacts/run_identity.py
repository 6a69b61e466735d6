"""Whether a run is the one that a directory holds: its settings, and its data."""

import pathlib
from collections.abc import Collection
from typing import Any

from hdd_tf.artifacts.data_identity import is_same_folder
from hdd_tf.config import differing_fields
from hdd_tf.errors import InputError


def check_same_run(
    path: pathlib.Path,
    stored: dict[str, Any],
    identity: dict[str, Any],
    data: dict[str, Any] | None,
    may_differ: Collection[str] = (),
) -> None:
    """Checks that a run may continue what its directory holds.

    Args:
        path: The directory.
        stored: Contents of its `config.json`.
        identity: Values that must stay the same for the run to continue.
        data: Facts of the data set that must stay the same; None if they are not known.
        may_differ: Names of values that may be others after all.

    Raises:
        InputError: a value or a fact is another one.
    """
    known, known_data = stored["identity"], stored["data"]
    if is_same_folder(known, known_data, identity, data):
        # One folder in other words: neither its path nor its name matters.
        identity = {**identity, "dataset": known["dataset"]}
        if data and known_data:
            data = {**data, "name": known_data.get("name")}
    differences = [
        f"--{name}: {known.get(name, 'not set')} -> {identity.get(name, 'not set')}"
        for name in differing_fields(known, identity)
        if name not in may_differ
    ]
    if differences:
        raise InputError(
            f"run_dir {path} holds a run with other settings "
            f"({', '.join(differences)}): repeat those, or give another --run_dir"
        )
    _check_same_data(path, known_data, data)


def _check_same_data(
    path: pathlib.Path, old: dict[str, Any] | None, new: dict[str, Any] | None
) -> None:
    if old is None or new is None:
        return
    # Earlier versions recorded fewer facts, which cannot be compared.
    names = [name for name in new if old.get(name, new[name]) != new[name]]
    if names:
        raise InputError(
            f"run_dir {path} holds a run on other data (different "
            f"{', '.join(names)}): give the same data (other versions of image "
            "decoders may read other pixels), or another --run_dir"
        )
