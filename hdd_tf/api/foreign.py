"""Sets of other programs in Python: `hdd_tf.evaluate("x.npz", dataset=NAME)`."""

import os
from collections.abc import Mapping
from typing import Any

from hdd_tf.api.calls import in_python
from hdd_tf.artifacts.run_records import is_of_hdd_tf
from hdd_tf.errors import InputError, warn
from hdd_tf.evaluation.foreign_score import ForeignScore
from hdd_tf.foreign_sets.labels import KINDS
from hdd_tf.foreign_sets.reading import Told
from hdd_tf.foreign_sets.scales import SCALES

_AUTO = "auto"


def checked_told(told: Told) -> Told:
    """Returns what a caller says of a set.

    Raises:
        InputError: it is none of what can be said.
    """
    for name, value, known in (
        ("set_scale", told.scale, (_AUTO, *SCALES)),
        ("set_labels", told.labels, (_AUTO, *KINDS)),
    ):
        if value not in known:
            raise InputError(f"{name}={value!r} must be one of {', '.join(known)}")
    for name, count, least in (
        ("set_cells", told.cells, 0),
        ("set_number", told.number, 1),
    ):
        if not isinstance(count, int) or isinstance(count, bool) or count < least:
            raise InputError(f"{name}={count!r} must be a whole number from {least}")
    return told


def foreign_result(
    source: Any, told: Told, arrays: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Scores the set of another program, as `hdd-tf evaluate --set` does.

    Args:
        source: What `evaluate` was given.
        told: What the caller says of the set.
        arrays: Its other arguments by their names; None where one is not given.
        settings: Settings of the evaluation.

    Returns:
        The scores, in the form of result.json; None for what hdd_tf itself has made,
        and for arrays.

    Raises:
        InputError: the set or its data set cannot be read, they do not go together, or
            the arguments do not.
    """
    is_path = isinstance(source, (str, os.PathLike))
    place = os.path.expanduser(os.fspath(source)) if is_path else ""
    is_told = checked_told(told) != Told()
    if not is_path or is_of_hdd_tf(place):
        if is_told:
            raise InputError(
                "set_scale, set_labels, set_cells and set_number are of the files of "
                "other programs; arrays are taken as they are, and a set of hdd_tf "
                "says itself what it holds: leave them out"
            )
        return None
    if not (is_told or os.path.isfile(place) or "dataset" in settings):
        return None
    for name, value in arrays.items():
        if value is not None:
            raise InputError(
                f"{source} is a set of another program, which is scored on a data set "
                f"by its name: give dataset=NAME, and leave {name} out"
            )
    score = ForeignScore(place, settings, told)
    # Before the hours of training: what was assumed may be wrong.
    warn(in_python(score.described))
    return score.result()
