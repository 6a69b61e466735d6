"""What a setting accepts: absl flag parsers, for text and for Python values alike.

absl's own float parser lets nan and infinity through and knows no fractions, and a
list or a path needs rules too; integers, enums and switches are absl's own.
"""

import re
from collections.abc import Callable
from typing import Any

from absl import flags

from hdd_tf.methods.registry import METHODS, baseline_names
from hdd_tf.settings.conversions import (
    classes,
    image_size,
    multiple_of,
    number,
    some_text,
)
from hdd_tf.settings.paths import LIMITS, data_set, initialisation, path_text

BASELINES = baseline_names()
# Of differentiable Siamese augmentation, in the order of its random numbers.
AUGMENTATIONS = ("color", "crop", "cutout", "flip", "scale", "rotate")
# Which part of a class's images pruning keeps.
KEEP = ("near_root", "far_from_root", "random")


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


def _model(value: Any) -> str:
    """Returns the name of a model, or its directory with `~` expanded."""
    return path_text(value) if value else ""


def _augmentations(*words: str) -> _Parser:
    """Returns the parser of augmentations joined by underscores, or a word."""

    def convert(value: Any) -> str:
        names = some_text(value).split("_")
        known = len(set(names)) == len(names) and set(names) <= set(AUGMENTATIONS)
        if value not in words and not known:
            raise ValueError("unknown augmentation, or one twice")
        return value

    return _Parser(
        f"{', '.join(words)} or different names out of {', '.join(AUGMENTATIONS)} "
        "joined by _",
        convert,
    )


def _baseline_names(value: Any) -> tuple[str, ...]:
    """Returns the names among BASELINES, in its order; true means all of them."""
    if isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        words = {"true": ",".join(BASELINES), "false": "", "none": ""}
        value = [name for name in words.get(value.lower(), value).split(",") if name]
    names = [str(name).strip() for name in value]
    if not set(names) <= set(BASELINES):
        raise ValueError("unknown baseline")
    return tuple(name for name in BASELINES if name in names)


class _MethodParser(flags.ArgumentParser):
    """Takes the name of a method that is in the registry by now."""

    def parse(self, argument: Any) -> str:
        if argument not in METHODS:
            raise ValueError("unknown method")
        return argument


def network_names(known: tuple[str, ...]) -> flags.ArgumentParser:
    """Returns the parser of a list of networks: known names or `module:function`.

    A name given twice counts once; `none` or nothing is the empty list.
    """

    def convert(value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            value = [] if value.lower() == "none" else value.split(",")
        names = [str(name).strip() for name in value]
        for name in filter(None, names):
            if name not in known and not re.fullmatch(r"\w+(\.\w+)*:\w+", name):
                raise ValueError("unknown network")
        return tuple(dict.fromkeys(filter(None, names)))

    return _Parser(
        f"none, or a list of {', '.join(known)} and module:function", convert
    )


def pool_names(known: tuple[str, ...]) -> flags.ArgumentParser:
    """Returns the parser of `published`, or of a list of different known networks."""

    def convert(value: Any) -> str:
        names = [name.strip() for name in some_text(value).split(",")]
        if len(set(names)) < len(names) or not (
            names == ["published"] or set(names) <= set(known)
        ):
            raise ValueError("unknown network, or one twice")
        return ",".join(names)

    return _Parser(
        f"published, or a list of different ones of {', '.join(known)}", convert
    )


COUNT = flags.IntegerParser(lower_bound=1)
# Numbers of iterations are int32 in the graph.
ITERATIONS = flags.IntegerParser(lower_bound=1, upper_bound=2**31 - 1)
ITERATIONS.syntactic_help = "a positive integer, 2,147,483,647 at most"
METHOD = _MethodParser()
# Of what takes memory or work of its own each: more would end in exhausted memory or
# overflow, after minutes or hours.
FEW = flags.IntegerParser(lower_bound=1, upper_bound=10**6)
FEW_OR_ZERO = flags.IntegerParser(lower_bound=0, upper_bound=10**6)
DEVICES = flags.IntegerParser(lower_bound=0, upper_bound=1024)
COUNT_OR_ZERO = flags.IntegerParser(lower_bound=0)
# Below 2^53 every JSON reader keeps it exact.
SEED = flags.IntegerParser(lower_bound=0, upper_bound=2**53 - 1)
# The noise of a diffusion model has 1,000 times, of which steps skip at least one.
DIFFUSION_STEPS = flags.IntegerParser(lower_bound=1, upper_bound=500)
SWITCH = flags.BooleanParser()
PATH = _Parser(
    f"a path in UTF-8 on one line, without spaces around it, {LIMITS}", path_text
)
DSA = _augmentations("none")
DSA_OR_AUTO = _augmentations("auto", "none")
# Beyond these bounds it is infinity or nothing in float32.
POSITIVE = _Parser(
    "a number above 0 (from 1e-37 to 1e38)", number(lambda x: 1e-37 <= x <= 1e38)
)
NOT_NEGATIVE = _Parser("a number, 0 or above", number(lambda x: x >= 0))
SHARE = _Parser("a number from 0 to 1", number(lambda x: 0 <= x <= 1))
PART = _Parser("a number from 0 to below 1", number(lambda x: 0 <= x < 1))
FRACTION = _Parser("a number above 0, up to 1", number(lambda x: 0 < x <= 1))
# Beyond these bounds -1/K or its square leave float32.
CURVATURE = _Parser(
    "a number below 0 such as -1, -0.5 or -1/3 (from -1e12 to -1e-12)",
    number(lambda x: -1e12 <= x <= -1e-12),
)
CURVATURE_OR_ZERO = _Parser(
    "0, or a number below it such as -1, -0.5 or -1/3 (from -1e12 to -1e-12)",
    number(lambda x: x == 0 or -1e12 <= x <= -1e-12),
)
ROOT_POWER = _Parser("a number from -100 to 1", number(lambda x: -100 <= x <= 1))
SPHERICAL = _Parser(
    "a number above 0 (from 1e-12 to 1e12)", number(lambda x: 1e-12 <= x <= 1e12)
)
# Points of the sphere stay in a hemisphere, and most of them within it.
PRODUCT_RADIUS = _Parser("a number above 0, up to 1.5", number(lambda x: 0 < x <= 1.5))
# Beyond, its hyperbolic sine leaves float32.
ROW_RADIUS = _Parser("a number above 0, up to 80", number(lambda x: 0 < x <= 80))
INIT = _Parser(f"real, mix, noise or from:DIR, {LIMITS}", initialisation)
DATA_SET = _Parser(f"a name or folder:DIR, on one line, {LIMITS}", data_set)
IMAGE_SIZE = _Parser(
    "empty, or pixels such as 32, or height x width such as 32x48, up to 9999",
    image_size,
)
CLASSES = _Parser(
    "empty (all), or two or more different indices or names such as 0,3,5", classes
)
GROUPED_CHANNELS = _Parser("a multiple of 8, from 8 to 4096", multiple_of(8, 4096))
MODEL_SIDE = _Parser("a multiple of 16, from 16 to 4096", multiple_of(16, 4096))
MODEL = _Parser(f"empty, or a name or directory on one line, {LIMITS}", _model)
BASELINE_NAMES = _Parser(
    "true (all), false (none), or a list of " + ",".join(BASELINES), _baseline_names
)


def expected_value(parser: flags.ArgumentParser) -> str:
    """Says what a parser accepts, to complete "must be ..."."""
    if parser is METHOD:
        return "one of " + ", ".join(METHODS)
    if isinstance(parser, flags.EnumParser):
        return "one of " + ", ".join(parser.enum_values)
    return parser.syntactic_help or "true or false"


def refusal(name: str, value: Any, parser: flags.ArgumentParser) -> str:
    """Says in one line that a setting cannot have this value, and what it can have."""
    shown = str(value) if str(value).isprintable() else ascii(value)
    # Whoever gave a megabyte knows which.
    shown = shown if len(shown) <= 200 else f"{shown[:200]}..."
    return f"--{name}={shown}: must be {expected_value(parser)}"
