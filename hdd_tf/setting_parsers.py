"""What a setting accepts: absl flag parsers, for text and for Python values alike.

absl's own float parser lets nan and infinity through and knows no fractions, and a
list or a path needs rules too; integers, enums and switches are absl's own.
"""

import math
import os
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from absl import flags

CORESETS = ("random", "herding", "k_center", "forgetting")
BASELINES = (*CORESETS, "whole")


class _Parser(flags.ArgumentParser):
    """Flag parser around a conversion that raises ValueError on what it refuses.

    Args:
        expected: Completes "must be ...", in messages and in the help.
        convert: From text (or the native value) to the native value.
    """

    def __init__(self, expected: str, convert: Callable[[Any], Any]) -> None:
        self.syntactic_help = expected
        self._convert = convert

    def parse(self, argument: Any) -> Any:
        return self._convert(argument)


def _number(accept: Callable[[float], bool]) -> Callable[[Any], float]:
    """Returns the conversion of a finite number or fraction (`-1/3`) in a range."""

    def convert(value: Any) -> float:
        if isinstance(value, bool):
            raise TypeError("a truth value is not a number")
        # Fraction only for a/b: Fraction("1e999999999") would build that integer.
        fraction = isinstance(value, str) and "/" in value
        try:
            number = float(Fraction(value) if fraction else value)
        except ZeroDivisionError as error:
            raise ValueError("division by zero") from error
        if not (math.isfinite(number) and accept(number)):
            raise ValueError("out of range")
        return number

    return convert


def _line_of_text(value: Any) -> str:
    """Returns `value` if a line of a UTF-8 flag file can carry it unchanged."""
    if not isinstance(value, str) or value.strip() != value:
        raise ValueError("not a text without spaces around it")
    if len(value.splitlines()) > 1:
        raise ValueError("more than one line")
    value.encode()  # UnicodeEncodeError, a ValueError, for undecodable bytes.
    return value


def _path(value: Any) -> str:
    return os.path.expanduser(_line_of_text(os.fspath(value)))


def _some_text(value: Any) -> str:
    if not value:
        raise ValueError("empty")
    return _line_of_text(value)


def _initialisation(value: Any) -> str:
    kind, colon, directory = _line_of_text(value).partition(":")
    if value in ("real", "noise"):
        return value
    if kind == "from" and directory:
        return kind + colon + _path(directory)
    raise ValueError("unknown initialisation")


def _baseline_names(value: Any) -> tuple[str, ...]:
    """Returns the names among BASELINES, in its order; true means all of them."""
    if isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        words = {"true": ",".join(BASELINES), "false": "", "none": ""}
        value = [name for name in words.get(value.lower(), value).split(",") if name]
    names = [name.strip() for name in value]
    if not set(names) <= set(BASELINES):
        raise ValueError("unknown baseline")
    return tuple(name for name in BASELINES if name in names)


COUNT = flags.IntegerParser(lower_bound=1)
COUNT_OR_ZERO = flags.IntegerParser(lower_bound=0)
# Below 2^53 every JSON reader keeps it exact.
SEED = flags.IntegerParser(lower_bound=0, upper_bound=2**53 - 1)
SWITCH = flags.BooleanParser()
TEXT = _Parser("one line of text without spaces around it", _line_of_text)
PATH = _Parser("a path on one line, without spaces around it", _path)
NAME = _Parser("a name", _some_text)
POSITIVE = _Parser("a number above 0", _number(lambda x: x > 0))
NOT_NEGATIVE = _Parser("a number, 0 or above", _number(lambda x: x >= 0))
PART = _Parser("a number from 0 to below 1", _number(lambda x: 0 <= x < 1))
# Beyond these bounds -1/K or its square leave float32.
CURVATURE = _Parser(
    "a number below 0 such as -1, -0.5 or -1/3 (from -1e12 to -1e-12)",
    _number(lambda x: -1e12 <= x <= -1e-12),
)
INIT = _Parser("real, noise or from:DIR", _initialisation)
BASELINE_NAMES = _Parser(
    "true (all), false (none), or a list of " + ",".join(BASELINES), _baseline_names
)


def expected_value(parser: flags.ArgumentParser) -> str:
    """Says what a parser accepts, to complete "must be ..."."""
    if isinstance(parser, flags.EnumParser):
        return "one of " + ", ".join(parser.enum_values)
    return parser.syntactic_help or "true or false"


def refusal(name: str, value: Any, parser: flags.ArgumentParser) -> str:
    """Says in one line that a setting cannot have this value, and what it can have."""
    shown = str(value) if str(value).isprintable() else repr(value)
    return f"--{name}={shown}: must be {expected_value(parser)}"
