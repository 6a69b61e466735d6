"""What `auto` means in a run, of precisions and XLA: settled once, and recorded."""

import dataclasses
import pathlib
from typing import Any

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.config import Config, rows
from hdd_tf.distributed.precision import resolve, slowness
from hdd_tf.errors import InputError, one_line

_PRECISIONS = ("precision", "eval_precision")
_SETTINGS = (*_PRECISIONS, "jit_compile")


def settled(config: Config) -> Config:
    """Returns the settings with precisions that this process' devices have.

    `auto` is what the run in the directory has, so that a run goes on as it began even
    on other devices. A new run gets what the devices are best at. Of XLA that is off,
    since no gain by it has been measured.

    Args:
        config: Settings of the command. With several experiments, one that exists
            decides for all.

    Raises:
        InputError: the devices do not have a precision that the settings ask for, or
            that the run has.
    """
    recorded = _recorded(pathlib.Path(config.run_dir)) if config.run_dir else {}
    chosen: dict[str, Any] = {}
    for name in _SETTINGS:
        value = given = getattr(config, name)
        if given == "auto":
            value = recorded.get(name, given)
        if name not in _PRECISIONS:
            chosen[name] = "off" if value == "auto" else value
            continue
        try:
            chosen[name] = resolve(name, value)
        except InputError as error:
            if value == given:
                raise
            # Another value would make another run.
            raise InputError(
                f"the run in {one_line(config.run_dir)} has --{name}={value}, which "
                "the devices here do not have: go on with it on an NVIDIA GPU of "
                "compute capability 8.0 or higher"
            ) from error
    return dataclasses.replace(config, **chosen)


def told_slowness(config: Config) -> str:
    """Returns a line if a precision of the settings is slow here, or ""."""
    for name in _PRECISIONS:
        if line := slowness(getattr(config, name)):
            return f"--{name}={getattr(config, name)}: {line}"
    return ""


def _recorded(directory: pathlib.Path) -> dict[str, str]:
    """Returns these settings of the run, or of the first run, in a directory."""
    for place in (directory, *sorted(directory.glob("seed[0-9]*"))):
        if not (place / "config.json").is_file():
            continue
        try:
            identity = RunDirectory(place).read_config()["identity"]
        except InputError:
            return {}  # Whoever opens the run says what is wrong with it.
        known = rows()
        return {name: identity.get(name, known[name].before) for name in _SETTINGS}
    return {}
