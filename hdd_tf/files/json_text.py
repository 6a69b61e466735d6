"""Text of JSON: plain values, numbers on one line, nothing that is not finite."""

import json
import math
import os
import re
from collections.abc import Mapping
from typing import Any

# A list of numbers as json writes it, indented; a text would have quotation marks.
_NUMBERS = re.compile(r"\[(?:\s+(?:-?\d[-+.\deE]*|null),?)+\s+\]")


def json_text_of_numbers(value: Any) -> str:
    """Returns `json_text(value)` with each list of numbers on one line."""
    return _NUMBERS.sub(lambda match: " ".join(match[0].split()), json_text(value))


def json_text(value: Any) -> str:
    """Returns `to_plain(value)` as indented JSON with a final newline."""
    text = json.dumps(to_plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def to_plain(value: Any) -> Any:
    """Turns nested values into values of JSON, which are equal after a write and read.

    NumPy and TensorFlow values become numbers and lists, tuples become lists, and paths
    become strings. Numbers that are not finite become None, because JSON has none, and
    a long run must not fail while it writes its result.
    """
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "numpy"):
        value = value.numpy()
    if hasattr(value, "tolist"):
        return to_plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
