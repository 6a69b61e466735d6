"""From what somebody writes to the value of a setting; ValueError where it is none."""

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from absl import flags

from hdd_tf.settings.paths import line_of_text


def number(accept: Callable[[float], bool]) -> Callable[[Any], float]:
    """Returns the conversion of a finite number or fraction (`-1/3`) in a range."""

    def convert(value: Any) -> float:
        if isinstance(value, bool):
            raise TypeError("a truth value is not a number")
        # Fraction only for a/b: Fraction("1e999999999") would build that integer.
        fraction = isinstance(value, str) and "/" in value
        try:
            number = float(Fraction(value) if fraction else value)
        except (ZeroDivisionError, OverflowError) as error:
            raise ValueError("no finite number") from error
        if not (math.isfinite(number) and accept(number)):
            raise ValueError("out of range")
        return number

    return convert


def multiple_of(unit: int, most: int) -> Callable[[Any], int]:
    """Returns the conversion of a positive integer that others divide evenly."""

    def convert(value: Any) -> int:
        number = flags.IntegerParser(lower_bound=unit, upper_bound=most).parse(value)
        if number % unit:
            raise ValueError("no multiple")
        return number

    return convert


def some_text(value: Any) -> str:
    """Returns a line of text that is not empty."""
    if not value:
        raise ValueError("empty")
    return line_of_text(value)


def image_size(value: Any) -> str:
    """Returns a height and width as `32x48`, "" for the images' own."""
    if isinstance(value, bool):
        raise TypeError("a truth value is no size")
    if isinstance(value, (tuple, list)):
        value = "x".join(map(str, value))
    if value == "":
        return value
    sides = str(value).split("x")
    if len(sides) > 2 or not all(re.fullmatch("[1-9][0-9]{0,3}", s) for s in sides):
        raise ValueError("no size in pixels")
    return f"{sides[0]}x{sides[-1]}"


def height_and_width(image_size: str) -> tuple[int, int] | None:
    """Returns what a checked `--image_size` says, None for the images' own size."""
    if not image_size:
        return None
    height, width = map(int, image_size.split("x"))
    return height, width


def classes(value: Any) -> tuple[str, ...]:
    """Returns indices in ascending order, then names in alphabetical order."""
    if isinstance(value, str):
        value = [] if value in ("", "none") else value.split(",")
    words = [some_text(str(word).strip()) for word in value]
    # Only what is a number as it is written: "1.5" or "-1" can be a name.
    words = [str(int(w)) if w.isascii() and w.isdecimal() else w for w in words]
    if len(set(words)) < len(words) or len(words) == 1:
        raise ValueError("one class only, or one twice")
    numbers = sorted((w for w in words if w.isdecimal()), key=int)
    return (*numbers, *sorted(w for w in words if not w.isdecimal()))
