"""Flag files: where they are found, and what their lines may be.

A flag file has one `--name=value` a line, blank lines, comment lines (`#`, `//`) and
`--flagfile=OTHER`, which is expanded where it stands; the last value of a flag wins.
absl reads such files too, but it ignores a line that does not start with `--`, warns
about a cycle and goes on, and looks for a nested file only in the working directory.
Here each of these mistakes ends the program with the file, the line and the remedy.
"""

import difflib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hdd_tf.config import EXACT
from hdd_tf.errors import InputError

_DIRECTIVE = re.compile(r"--?flagfile(?:=(.*))?", re.DOTALL)
_FLAG_LINE = re.compile(r"--\w+(=.*)?")
_INNER_FLAG = re.compile(r"\s(--[a-zA-Z]\w+)(?=[=\s]|$)")
_COMMENT = re.compile(r"\s((?:#|//)(?:\s.*|$))", re.DOTALL)


class Argument(NamedTuple):
    """One argument; `origin` is "FILE:LINE" or, from the command line, empty."""

    text: str
    origin: str = ""


def published_directory() -> Path:
    """Returns the folder of the flag files that come with hdd_tf.

    That is the package hdd_tf.published_flags where a wheel is installed, and flags/
    beside hdd_tf in a clone.
    """
    package = Path(__file__).parents[1]
    installed = package / "published_flags"
    return installed if installed.is_dir() else package.parent / "flags"


def published_names() -> list[str]:
    """Returns the names of the flag files that come with hdd_tf, without `.cfg`.

    Such as `svhn_ipc10` (DM) and, of the folder of another objective,
    `idm/svhn_ipc10`.
    """
    directory = published_directory()
    return sorted(
        path.relative_to(directory).with_suffix("").as_posix()
        for path in directory.rglob("*.cfg")
    )


def expand_flag_files(arguments: Sequence[str]) -> tuple[list[Argument], str]:
    """Replaces every `--flagfile=X` (or `--flagfile X`) by what the file says.

    Args:
        arguments: The command line without the program's name.

    Returns:
        The arguments in order, and the stem of the last flag file that the command
        line names ("" where it names none); see `_stem`.

    Raises:
        InputError: A file or one of its lines cannot be used.
    """
    expanded: list[Argument] = []
    stem = ""
    remaining = iter(arguments)
    for text in remaining:
        directive = _DIRECTIVE.fullmatch(text)
        if directive is None:
            _check_value(text)
            expanded.append(Argument(text))
            continue
        name = directive[1] if directive[1] is not None else next(remaining, "")
        path = _find(name, ())
        expanded += _read(path, ())
        stem = _stem(path)
    return expanded, stem


def _stem(path: Path) -> str:
    """Returns what names the runs of a flag file: its name without `.cfg`.

    The `flags.cfg` of every run has the same name, so the run's own name stands for it,
    and `_repeat` keeps the new run out of that run's directory.
    """
    directory = Path(os.path.abspath(path)).parent
    if path.name == "flags.cfg" and (directory / "config.json").is_file():
        return f"{directory.name}_repeat"
    return path.stem


def _read(path: Path, including: tuple[Path, ...], origin: str = "") -> list[Argument]:
    """Returns the arguments of one file; `including` are the files that led to it."""
    at = f"{origin}: " if origin else ""
    if path.resolve() in including:
        raise InputError(
            f"{at}--flagfile={path} comes back to a file that includes this line; "
            "remove the line"
        )
    try:
        # utf-8-sig: some editors put a byte order mark first.
        text = path.read_bytes().decode("utf-8-sig")
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{at}flag file {path} is not UTF-8 text (byte {error.start}); "
            "save it as UTF-8"
        ) from error
    except OSError as error:
        raise InputError(
            f"{at}flag file {path} cannot be read: {error.strerror}"
        ) from error

    is_exact = False
    arguments: list[Argument] = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith(("#", "//")):
            is_exact = line == EXACT
            continue
        here = f"{path}:{number}"
        if not _FLAG_LINE.fullmatch(line):
            raise InputError(
                f"{here}: {line!r} is not a flag; write --name=value, or start the "
                "line with # if it is a comment"
            )
        directive = _DIRECTIVE.fullmatch(line)
        if not is_exact:
            _check_value(line, here)
        is_exact = False
        if directive is None:
            arguments.append(Argument(line, here))
        else:
            chain = (*including, path.resolve())
            nested = _find(directive[1] or "", chain, here)
            arguments += _read(nested, chain, here)
    return arguments


def _check_value(text: str, here: str = "") -> None:
    """Checks that a value has not swallowed what was to stand beside it.

    Values that are paths would otherwise be taken as they are: a directory would be
    called `x --ipc=1`, and `--ipc` not be set. What exists is meant.

    Args:
        text: A flag with its value.
        here: "FILE:LINE", or empty on the command line.

    Raises:
        InputError: It holds another flag, and in a flag file a comment or quotes.
    """
    name, _, value = text.partition("=")
    path = value.removeprefix("folder:").removeprefix("from:")
    if not value or os.path.exists(os.path.expanduser(path)):
        return
    if other := _INNER_FLAG.search(value):
        place = "on a line" if here else "as a word"
        mend = f"{other[1]} is a flag: write it {place} of its own"
    elif here and (comment := _COMMENT.search(value)):
        mend = f"all behind {name}= is its value: put {comment[1]!r} on its own line"
    elif here and len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        mend = "values in flag files have no quotes: leave them out"
    else:
        return
    raise InputError(f"{here}: {text}: {mend}" if here else f"{text}: {mend}")


def _find(name: str, including: tuple[Path, ...], origin: str = "") -> Path:
    """Returns the file a `--flagfile=name` means.

    First beside the including file, then in the working directory, then among the
    published ones, there with or without `flags/` and `.cfg`.
    """
    at = f"{origin}: " if origin else ""
    if not name:
        raise InputError(f"{at}--flagfile needs a file: write --flagfile=FILE")
    wanted = Path(os.path.expanduser(name))
    published = published_directory()
    # "flags/X.cfg" is what the files are called in a clone.
    inside = wanted.relative_to("flags") if wanted.parts[:1] == ("flags",) else wanted
    places = [including[-1].parent / wanted] if including else []
    places += [wanted, published / inside, published / f"{inside}.cfg"]
    # os.path's tests, unlike Path's, answer for names that are too long or forbidden.
    for place in places:
        if os.path.exists(place) and not os.path.isdir(place):
            return place
    if any(map(os.path.isdir, places)):
        raise InputError(f"{at}--flagfile={name} is a directory; name a file in it")
    names = published_names()
    close = [
        match
        for text in (str(inside), wanted.name)
        for match in difflib.get_close_matches(text.removesuffix(".cfg"), names)
    ]
    hint = "give its path, or a published file's name, which --help lists"
    if close:
        hint = f"did you mean {' or '.join(dict.fromkeys(close))}?"
    raise InputError(f"{at}--flagfile={name} does not exist; {hint}")
