"""Compares what two starts of one run have written, bit for bit.

Left out are clocks: seconds in JSON files, and TensorBoard's event files, of which the
scalars are compared.
"""

import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts.checkpoint_files import CheckpointFiles
from hdd_tf.artifacts.sets.distilled_set import read_distilled_set
from hdd_tf.files.unfinished import is_leftover

# Clocks, and how many checkpoints there are: nothing of it changes what is computed.
CLOCKS = {
    "seconds", "environment", "later_environments", "sha256_of_this_object",
    "set_sha256",  # Of a description that has some of these.
}  # fmt: skip
CADENCES = {"checkpoint_every", "keep_checkpoints"}
_CADENCE_LINES = rb"--(checkpoint_every|keep_checkpoints)=.*"
_NOT_COMPARED = re.compile(r"seconds_per_iteration|image/")
# Replaced as a run goes on: of use for a comparison when it has ended.
CHANGING = re.compile(r"/(best_validation|projector)/|_unfinished\.npz$|/\.lock$")


def newest_checkpoints(place: pathlib.Path) -> dict[str, int]:
    """Returns the iteration of the newest whole checkpoint of each run directory."""
    found = {}
    for directory in sorted(place.rglob("checkpoints")):
        newest = CheckpointFiles(directory).newest_whole()
        found[directory.parent.relative_to(place).as_posix()] = newest or 0
    return found


def differences(
    whole: pathlib.Path, parts: pathlib.Path, *, finished: bool
) -> list[str]:
    """Says what of a run that was killed is unlike the one that was not.

    Args:
        whole: Where a run was that ended undisturbed and kept all checkpoints.
        parts: Where the same command was killed.
        finished: Whether it has ended since. If not, what is there under its final
            name must be as it will be in the end.
    """
    found = []
    for file in _files(parts):
        name = file.relative_to(parts).as_posix()
        if not finished and CHANGING.search(f"/{name}"):
            continue
        if not (whole / name).exists():
            found.append(f"{name} is not there without kills")
        elif not _same_file(whole / name, file, finished):
            found.append(f"{name} differs")
    for directory in parts.rglob("checkpoints"):
        found += _checkpoint_differences(
            whole / directory.relative_to(parts), directory
        )
    for directory in parts.rglob("best_validation"):
        read_distilled_set(directory)  # Whole at any time: it has checksums.
    if finished:
        mine = {file.relative_to(parts) for file in _files(parts)}
        theirs = {file.relative_to(whole) for file in _files(whole)}
        found += [f"{name} is missing" for name in sorted(theirs - mine)]
        found += [
            f"{path} was left behind"
            for path in parts.rglob("*")
            if is_leftover(path.name) or path.name == ".lock"
        ]
        found += _scalar_differences(whole, parts)
    return found


def _files(place: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields files under their final names, but for checkpoints and events."""
    for path in sorted(place.rglob("*")):
        parts = path.relative_to(place).parts
        hidden = any(is_leftover(part) for part in parts)
        events = path.name.startswith("events.out.tfevents")
        if path.is_file() and not hidden and not events and "checkpoints" not in parts:
            yield path


def _same_file(whole: pathlib.Path, part: pathlib.Path, finished: bool) -> bool:
    # Of a SavedModel the variables count; its graph has names that count upwards.
    if part.name == "variables.index":
        return _same_tensors(whole.with_suffix(""), part.with_suffix(""))
    if "saved_model" in part.parts:
        return True
    if part.suffix == ".json":
        one, other = (
            _without_clocks(json.loads(p.read_bytes())) for p in (whole, part)
        )
        if part.name == "validation.json" and not finished:
            one = one[: len(other)]
        return one == other
    one, other = whole.read_bytes(), part.read_bytes()
    if part.name == "flags.cfg":
        one, other = (re.sub(_CADENCE_LINES, b"", text) for text in (one, other))
    return one == other


def _without_clocks(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: value[name] for name in value if name not in CLOCKS | CADENCES}
        return {name: _without_clocks(item) for name, item in kept.items()}
    if isinstance(value, list):
        return [_without_clocks(item) for item in value]
    return value


def _checkpoint_differences(whole: pathlib.Path, parts: pathlib.Path) -> list[str]:
    found, files = [], CheckpointFiles(parts)
    numbers = [
        int(path.name[10:].partition(".")[0])
        for path in parts.glob("iteration-*.sha256.json")
        if path.is_file()
    ]
    for number in numbers:
        one, other = whole / f"iteration-{number}", files.prefix(number)
        if not _same_tensors(one, other):
            found.append(f"{other} differs")
    return found


def _same_tensors(one: pathlib.Path, other: pathlib.Path) -> bool:
    """Compares all tensors of two checkpoints but the seconds spent."""
    readers = [tf.train.load_checkpoint(str(prefix)) for prefix in (one, other)]
    names = [set(reader.get_variable_to_shape_map()) for reader in readers]
    if names[0] != names[1]:
        return False
    compared = [
        n for n in names[0] if not n.startswith(("seconds/", "_CHECKPOINTABLE"))
    ]
    return all(
        np.asarray(readers[0].get_tensor(name)).tobytes()
        == np.asarray(readers[1].get_tensor(name)).tobytes()
        for name in compared
    )


def _scalar_differences(whole: pathlib.Path, parts: pathlib.Path) -> list[str]:
    """Compares TensorBoard's curves; what was written twice must be so alike."""
    found = []
    for directory in sorted(path for path in whole.rglob("tensorboard")):
        name = directory.relative_to(whole)
        one, other = _scalars(directory), _scalars(parts / name)
        found += [f"{name}: {key} is missing" for key in sorted(one.keys() - other)]
        found += [
            f"{name}: {key} differs"
            for key in sorted(one.keys() & other)
            if one[key] != other[key]
        ]
    return found


def _scalars(directory: pathlib.Path) -> dict[tuple[str, int], set[bytes]]:
    """Returns the values written of each curve and step.

    But for clocks, and for the images' limits: these are looked at where a call into
    the graph ends, and how long calls are depends on how fast they are.
    """
    from tensorboard.backend.event_processing import event_file_loader

    values: dict[tuple[str, int], set[bytes]] = {}
    for path in directory.glob("events.out.tfevents.*"):
        for event in event_file_loader.EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                plugin = value.metadata.plugin_data.plugin_name
                if plugin in ("", "scalars") and not _NOT_COMPARED.match(value.tag):
                    key = value.tag, event.step
                    content = value.tensor.SerializeToString()
                    values.setdefault(key, set()).add(content)
    return values
