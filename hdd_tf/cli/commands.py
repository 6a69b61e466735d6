"""The commands of `hdd-tf`, as data: a new one is a module and a line here.

Nothing here imports TensorFlow, or a command before it is asked for.
"""

import difflib
import importlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from hdd_tf.cli.program import run_program, wants_help
from hdd_tf.errors import InputError
from hdd_tf.shipped.naming import is_shipped


class Command(NamedTuple):
    """One command.

    Attributes:
        program: `module:function`; the function takes what the user called and the
            arguments, and returns the exit code.
        about: What it does, in one line of help.
    """

    program: str
    about: str


# The first of each is meant where the command line names none.
COMMANDS: Mapping[str, Command] = {
    "distill": Command(
        "hdd_tf.cli.distill_command:main", "Distil a data set; resumes what is begun."
    ),
    "bank": Command(
        "hdd_tf.cli.distill_command:bank_main", "Summarise all real images beforehand."
    ),
    "evaluate": Command(
        "hdd_tf.cli.evaluate_command:main", "Train fresh networks on a distilled set."
    ),
    "export": Command(
        "hdd_tf.cli.commands:export_main", "Write sets and models for other programs."
    ),
    "report": Command(
        "hdd_tf.cli.report_command:main", "Compare runs with the published numbers."
    ),
    "sets": Command(
        "hdd_tf.cli.sets_command:main", "List the distilled sets that come with it."
    ),
}
EXPORTS: Mapping[str, Command] = {
    "tfrecord": Command(
        "hdd_tf.cli.export_set:main", "The distilled set, in one of five encodings."
    ),
    "hub": Command(
        "hdd_tf.cli.export_hub:main", "The set for the Hugging Face Hub, with a card."
    ),
    "saved_model": Command(
        "hdd_tf.cli.export_models:main", "SavedModels of the encoder and a classifier."
    ),
    "projector": Command(
        "hdd_tf.cli.export_projector:main", "Embeddings for TensorBoard's projector."
    ),
}


def run_command(commands: Mapping[str, Command], argv: Sequence[str]) -> int:
    """Runs the command that the first argument names, or else the first of all.

    Args:
        commands: Those there are, by name.
        argv: What the user called, such as `hdd-tf`, and the arguments.

    Returns:
        The command's exit code.

    Raises:
        InputError: the first argument is a word, and there is no such command.
    """
    called, *words = argv
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    name = words[0] if words else ""
    if name in commands:
        return _function(commands[name])([f"{called} {name}", *words[1:]])
    # Neither a flag nor an attempt at one, as `ipc=10` is.
    if re.fullmatch(r"\w[\w-]*", name):
        close = difflib.get_close_matches(name, commands, n=1)
        known = list(commands)
        known[-2:] = [" and ".join(known[-2:])]
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        raise InputError(f"{name!r} is not a command of {called}; {hint}")
    if wants_help(words):
        print(commands_text(commands, called))
    return _function(next(iter(commands.values())))([called, *words])


def export_main(argv: Sequence[str]) -> int:
    """Runs the export that the first word names, or else that of the set.

    Returns:
        The exit code, as `run_program` does.
    """
    return run_program(_export, argv)


def _export(argv: Sequence[str]) -> int:
    called, *words = argv
    is_source = words and (os.path.isdir(words[0]) or is_shipped(words[0]))
    if is_source and words[0] not in EXPORTS:
        words = [next(iter(EXPORTS)), *words]
    return run_command(EXPORTS, [called, *words])


def commands_text(commands: Mapping[str, Command], called: str) -> str:
    """Returns the help's list of commands, without what the default one's help says."""
    width = max(map(len, commands))
    default = next(iter(commands))
    lines = [f"usage: {called} [COMMAND] [ARGUMENT ...]", "", "Commands:"]
    lines += [f"  {name:{width}}  {each.about}" for name, each in commands.items()]
    about = f"`{called} COMMAND --help` describes each. Without one, it is {default}:"
    return "\n".join([*lines, "", about, ""])


def _function(command: Command) -> Callable[[Sequence[str]], int]:
    module, _, function = command.program.partition(":")
    return getattr(importlib.import_module(module), function)
