"""From the words of a command line to a checked `Config`."""

import dataclasses
import itertools
import os
import re
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import flags

from hdd_tf.arguments.flag_files import expand_flag_files, published_names
from hdd_tf.arguments.flag_names import unknown_flag
from hdd_tf.config import (
    Config,
    config_from_flags,
    define_flags,
    flag_text,
    from_json,
    headings,
    rows,
)
from hdd_tf.errors import InputError
from hdd_tf.settings import parsers
from hdd_tf.settings.row import Row, row_of

HELP_WORDS = {"--help", "-help", "-h", "-?", "--helpfull", "--helpshort"}


def parse_command_line(argv: Sequence[str]) -> Config:
    """Returns the settings a command line asks for, `run_dir` filled in.

    Args:
        argv: Program name and arguments, such as `sys.argv`.

    Raises:
        InputError: Something cannot be used; one line, with the flag file's name and
            line where it came from one.
        SystemExit: With code 0, after the help that was asked for.
    """
    if HELP_WORDS.intersection(argv[1:]):
        sys.stdout.write(help_text())
        raise SystemExit(0)
    values, stem = _parse_arguments(argv[1:])
    config = config_from_flags(values)
    if config.run_dir:
        return config
    return dataclasses.replace(config, run_dir=default_run_dir(config, stem))


def recorded_config(recorded: Mapping[str, Any], arguments: Sequence[str]) -> Config:
    """Returns settings that a set or a run holds, with those of arguments for some.

    Args:
        recorded: Settings, as `config.to_json` gives them; whoever made the set could
            have written them.
        arguments: Flags that override them, without a program's name.

    Raises:
        InputError: As `parse_command_line` and `from_json`; or the recorded settings
            name a program to run, and no flag does.
    """
    return overridden(recorded, given_settings(arguments))


def given_settings(arguments: Sequence[str]) -> dict[str, Any]:
    """Returns the settings that flags name, flag files among them.

    Args:
        arguments: Flags, without a program's name.

    Raises:
        InputError: As `parse_command_line`.
    """
    values, _ = _parse_arguments(arguments)
    return {name: values[name].value for name in values if values[name].present}


def check_scoring_flags(arguments: Sequence[str]) -> None:
    """Refuses flags that cannot change the score of a set that exists.

    Those of flag files, which describe a whole run, are let through.

    Args:
        arguments: Flags, without a program's name.

    Raises:
        InputError: one of them has no effect on scoring, or as `parse_command_line`.
    """
    _parse_arguments(arguments)
    words = [word.text for word in expand_flag_files(arguments)[0] if not word.origin]
    values = define_flags()
    _parse(words, values)
    for name, row in rows().items():
        if values[name].present and not row.is_scoring:
            raise InputError(
                f"--{name} has no effect on the score of a set that exists: leave it "
                "out, or give it to hdd-tf distill"
            )


def overridden(recorded: Mapping[str, Any], given: Mapping[str, Any]) -> Config:
    """Returns recorded settings, with the values given for some of them.

    Args:
        recorded: As in `recorded_config`.
        given: Values by the settings' names.

    Raises:
        InputError: As `recorded_config`.
    """
    config = from_json(recorded)
    programs = [name for name in config.eval_networks if ":" in name]
    if programs and "eval_networks" not in given:
        raise InputError(
            f"the recorded settings name the program {programs[0]} to run; if you "
            f"trust it, give --eval_networks={','.join(config.eval_networks)}, else "
            "--eval_networks=none"
        )
    return dataclasses.replace(config, **given)


def _parse_arguments(arguments: Sequence[str]) -> tuple[flags.FlagValues, str]:
    """Returns parsed flags and the stem of the last flag file."""
    expanded, stem = expand_flag_files(arguments)
    values = define_flags()
    # A flag file's line is one whole flag; on the command line `--ipc 10` is two words.
    for origin, words in itertools.groupby(expanded, key=lambda word: word.origin):
        try:
            _parse([word.text for word in words], values)
        except InputError as error:
            raise InputError(f"{origin}: {error}" if origin else str(error)) from error
    return values, stem


def default_run_dir(config: Config, stem: str) -> str:
    """Returns the run directory of a command that names none.

    Args:
        config: The run's settings.
        stem: Stem of its flag file, see `expand_flag_files`; "" for data set and IPC
            instead.
    """
    seeds = f"seed{config.seed}"
    if config.num_experiments > 1:
        seeds = f"seeds{config.seed}-{config.seed + config.num_experiments - 1}"
    method = config.objective
    if config.traits.has_geometry:
        method = f"{method}_{config.geometry}"
    # `folder:pets/` is `folder:pets`; earlier versions had a directory for each.
    # A TFDS name may hold "/" and ":" (`name/config:1.0.0`).
    stems = (
        [stem]
        if stem
        else [
            re.sub(r"\W+", "_", f"{dataset}_ipc{config.ipc}")
            for dataset in (config.dataset, config.dataset.rstrip("/"))
        ]
    )
    places = [f"runs/{stem}_{method}_{seeds}" for stem in stems]
    return next(filter(os.path.exists, places), places[-1])


def _parse(words: list[str], values: flags.FlagValues) -> None:
    """Sets `values` from words of one origin; absl's errors become one-line ones."""
    try:
        leftover = values(["", *words])[1:]
    except flags.UnrecognizedFlagError as error:
        raise InputError(unknown_flag(error.flagname, [*values, "flagfile"])) from error
    except flags.IllegalFlagValueError as error:
        raise InputError(_illegal_value(error, values)) from error
    except (flags.Error, ValueError) as error:
        raise InputError(" ".join(str(error).split())) from error
    if leftover:
        raise InputError(
            f"{leftover[0]!r} is not a flag; every setting is given as --name=value"
        )


def _illegal_value(error: Exception, values: flags.FlagValues) -> str:
    """Rewords absl's "flag --NAME=VALUE: PROBLEM" to say what is accepted."""
    problem = f": {error.__context__}"
    match = re.fullmatch(
        r"flag --(\w+)=(.*)", str(error).removesuffix(problem), re.DOTALL
    )
    if match is None:
        return " ".join(str(error).split())
    name, value = match.groups()
    return parsers.refusal(name, value, values[name].parser)


def help_text(
    called: str = "hdd-tf",
    about: str = "Distils an image data set into a few synthetic images per class.",
) -> str:
    """Returns the help: every flag under its heading, with default and bounds.

    Args:
        called: What the user called, which the usage line repeats.
        about: What it does.
    """
    files = ", ".join(published_names())
    lines = [
        about,
        "",
        f"usage: {called} [--flagfile=FILE ...] [--name=value ...]",
        "",
        "--flagfile=FILE reads flags from a file; flags after it override it.",
        *textwrap.wrap(f"Published files: {files}.", width=80),
    ]
    return "\n".join(lines) + "\n" + flags_help(lambda row: True)


def flags_help(is_shown: Callable[[Row], bool]) -> str:
    """Returns the help's list of flags, under their headings.

    Args:
        is_shown: Whether the flag of a row is one of them.
    """
    lines, heading = [], ""
    wrapper = textwrap.TextWrapper(80, " " * 6, " " * 6, break_on_hyphens=False)
    heading_at = headings()
    for field in dataclasses.fields(Config):
        heading = heading_at.get(field.name, heading)
        row = row_of(field)
        if not is_shown(row):
            continue
        if heading:
            lines += ["", f"{heading}:"]
            heading = ""
        default = "" if field.default is None else flag_text(field.default)
        about = f"{row.help} ({parsers.expected_value(row.parser)})"
        lines.append(f"  --{field.name}={default}")
        lines += wrapper.wrap(about)
    return "\n".join(lines) + "\n"
