"""Flags of a command's own, beside which settings of a run may be given."""

import os
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from absl import flags

from hdd_tf.arguments.command_line import recorded_config
from hdd_tf.arguments.flag_files import expand_flag_files
from hdd_tf.arguments.flag_names import unknown_flag
from hdd_tf.config import Config, rows
from hdd_tf.errors import InputError
from hdd_tf.files.links import check_writable
from hdd_tf.settings.paths import check_length
from hdd_tf.shipped.naming import is_shipped, place_of_set

# Flags that name what to export.
SOURCES = ("run_dir", "checkpoint", "set")
_PATHS = (*SOURCES, "output_dir", "output", "plot")


class ParsedFlags(NamedTuple):
    """A parsed command line.

    Attributes:
        values: The command's own flags.
        overrides: All other arguments, which are settings of a run.
    """

    values: flags.FlagValues
    overrides: list[str]

    def required(self, name: str) -> str:
        """Returns the value of a flag that has to be given.

        Raises:
            InputError: it is not.
        """
        value = self.values[name].value
        if not value:
            raise InputError(f"--{name} is missing; --help says what it is")
        return str(value)

    def directory(self, name: str) -> pathlib.Path:
        """Returns the directory to write that a flag names.

        Raises:
            InputError: the flag is not given, or it names a file or a place below one,
                or one that cannot be written to.
        """
        path = pathlib.Path(self.required(name))
        place = next((each for each in (path, *path.parents) if each.exists()), path)
        if place.exists() and not place.is_dir():
            raise InputError(f"--{name}={path}: {place} is a file; name a directory")
        check_writable(path, f"--{name}=")
        return path

    def config(self, record: dict) -> Config:
        """Returns a run's settings, overridden by those of the command line.

        Args:
            record: Contents of the run's `config.json`.

        Raises:
            InputError: an unknown flag, or an invalid value.
        """
        return recorded_config(record["config"], self.overrides)


def parse_own_flags(
    argv: Sequence[str], values: flags.FlagValues, settings: bool = True
) -> ParsedFlags:
    """Sets a command's own flags from its command line.

    A first word that is a directory, or the name of a set that comes with hdd_tf,
    stands for the flag that names the source: a run's for --run_dir, any other for
    --set where the command has that flag. Flag files are read as everywhere.

    Args:
        argv: Program name and arguments.
        values: The command's own flags, not parsed yet.
        settings: Whether settings of a run may be given beside them.

    Raises:
        InputError: there is no flag of a name, a word is neither a flag nor the
            source, or a flag file cannot be used.
        flags.Error: one of them has an invalid value.
    """
    called, *words = argv
    _, *others = values([called, *words_of(words)], known_only=True)
    source = os.path.expanduser(others[0]) if others else ""
    if source and (os.path.isdir(source) or is_shipped(source)):
        place, others = source, others[1:]
        is_run = os.path.isfile(os.path.join(place, "config.json"))
        name = "run_dir" if is_run or "set" not in values else "set"
        if values[name].present:
            raise InputError(
                f"{place} and --{name}={values[name].value}: give one of the two"
            )
        values[name].parse(place)
        values[name].present += 1
    settle_paths(values)
    given = [name for name in SOURCES if name in values and values[name].value]
    if given == ["set"]:  # Of two sources the command says that they are two.
        values["set"].value = place_of_set(str(values["set"].value))
    _check_names(others, [*values, *(rows() if settings else ())])
    if others and not settings:
        raise InputError(
            f"{others[0]!r} is not a flag, and not the directory of a run or set to "
            "export; --help lists the flags"
        )
    return ParsedFlags(values, others)


def given_source(values: flags.FlagValues) -> tuple[str, str]:
    """Returns the flag of `SOURCES` that is given, and its value.

    Raises:
        InputError: none of them is given, or several are.
    """
    given = [name for name in SOURCES if values[name].value]
    if len(given) != 1:
        raise InputError(
            f"{' and '.join(f'--{name}' for name in given) or 'nothing'} to export: "
            "give one of --run_dir, --checkpoint and --set"
        )
    return given[0], str(values[given[0]].value)


def words_of(words: Sequence[str]) -> list[str]:
    """Returns the words of a command line, with the lines of flag files in their place.

    Raises:
        InputError: a flag file or one of its lines cannot be used.
    """
    return [argument.text for argument in expand_flag_files(words)[0]]


def settle_paths(values: flags.FlagValues) -> None:
    """Expands `~` in every path that a command's own flags name, and checks its length.

    Raises:
        InputError: one is longer than any that can exist.
    """
    for name in _PATHS:
        if name in values and values[name].value:
            # A shell does not expand what stands behind an equals sign.
            path = os.path.expanduser(str(values[name].value))
            check_length(path, f"--{name}=")
            values[name].value = path


def _check_names(words: Sequence[str], known: Sequence[str]) -> None:
    """Checks that the flags among words exist.

    Raises:
        InputError: one does not; the message has the name that is most like it.
    """
    for word in words:
        match = re.match(r"--?((?:no)?([A-Za-z_][\w-]*))", word)
        if match is None or not {match[1], match[2]}.isdisjoint(known):
            continue
        raise InputError(unknown_flag(match[1], known))


def own_flags_help(values: flags.FlagValues) -> str:
    """Returns the help's list of a command's own flags."""
    # absl heads them with a module's name, and goes on with flags of its own.
    own = values.get_help().partition("\nabsl.flags:")[0]
    return "\n" + re.sub(r"^\S+:$", "Flags:", own.strip(), count=1, flags=re.M) + "\n"
