"""What keeps a number from being a reproduction of the published one.

Budgets are compared with those of the papers (published.py), all other settings with
the flag file of the cell that comes with hdd_tf.
"""

import functools
from collections.abc import Mapping
from typing import Any

from hdd_tf.arguments.command_line import parse_command_line
from hdd_tf.arguments.flag_files import published_names
from hdd_tf.config import identity, names_of, rows
from hdd_tf.data import catalogue
from hdd_tf.errors import InputError
from hdd_tf.methods.registry import METHODS, traits_of
from hdd_tf.methods.traits import Accuracy, Budget
from hdd_tf.report import published
from hdd_tf.report.rows import Row
from hdd_tf.report.run import Run
from hdd_tf.settings.scope import Scope

# Budgets are compared by themselves; the rest only says which cell or row it is.
_NOT_COMPARED = {
    *(name for name, row in rows().items() if row.is_cell or row.is_budget),
    *names_of(Scope.SEED, Scope.MAY_GROW, Scope.BASELINES),
}
# Values that stand for what is published. The programs computed in float32, or in
# TensorFloat-32 where PyTorch had cards for it; a run records what `auto` was to it.
_EXACT = ("float32", "tf32")
_AS_PUBLISHED: dict[str, tuple[Any, ...]] = {
    "eval_protocol": ("auto",),
    "eval_batch": (0,),
    "eval_dsa": ("auto",),
    "precision": _EXACT,
    "eval_precision": _EXACT,
    "jit_compile": ("off",),
}


def published_number(row: Row) -> Accuracy | None:
    """Returns the published accuracy of a row's cell; None if there is none."""
    run = row.run
    if not _is_of_published_network(row):
        return None
    return published.published_accuracy(
        run.dataset, run.ipc, row.objective, run.geometry
    )


def published_budget(row: Row) -> Budget | None:
    """Returns the budget of the published number; None if it is not known."""
    if not row.is_distilled or not _is_of_published_network(row):
        return None
    run = row.run
    return published.published_budget(run.dataset, run.ipc, run.objective, run.geometry)


def _is_of_published_network(row: Row) -> bool:
    """Whether tables have accuracies of a row's network; of others none do."""
    traits = traits_of(row.objective)
    return row.network == (traits.published_network if traits else "convnet")


def partial_set(run: Run) -> str | None:
    """Says how a run's data set differs in size from the published one.

    Returns:
        None where it does not, or there is no published size; otherwise the words for
        it.
    """
    whole = catalogue.PUBLISHED.get(run.dataset)
    if whole is None:
        return None
    training, test = run.data.get("training_images"), run.data.get("test_images")
    if not isinstance(training, int) or not isinstance(test, int):
        return "size of the data set not recorded"
    # A validation split is held out class by class, and rounded in each.
    fraction = float(run.settings.get("validation_fraction") or 0)
    expected = whole.num_training * (1 - fraction)
    rounding = len(run.data.get("label_names") or ()) if fraction else 0
    if abs(training - expected) <= rounding and test == whole.num_test:
        return None
    held_out = " after the validation split" if fraction else ""
    return (
        f"partial data set: {training:,} of {round(expected):,} training images"
        f"{held_out}, {test:,} of {whole.num_test:,} test images"
    )


def differences(row: Row) -> list[str]:
    """Says where a row departs from the published protocol.

    Args:
        row: Of a distilled set whose budget is published.

    Returns:
        A few words for each departure: budgets first, then settings.
    """
    budget, run = published_budget(row), row.run
    if budget is None:
        return []
    networks = sorted({len(values) for values in row.values})
    found = {
        "iterations": (run.iterations, budget.iterations),
        "real batch": (run.settings.get("real_batch"), budget.real_batch),
        "evaluation epochs": (row.epochs, budget.eval_epochs),
        "sets": (len(row.values), budget.sets),
        "networks": (networks[0], budget.networks),
    }
    return [
        f"{name} {number(ours)} of {theirs:,}"
        for name, (ours, theirs) in found.items()
        if theirs is not None and ours != theirs
    ] + _setting_differences(run)


def number(value: Any) -> str:
    """Returns a count as text, also one that an old version did not record."""
    return f"{value:,}" if isinstance(value, int) else "unrecorded"


def _setting_differences(run: Run) -> list[str]:
    settings = _published_settings(run)
    if settings is None:
        return ["settings not compared (no flag file of this cell)"]
    found = []
    for name, value in settings.items():
        if name in _NOT_COMPARED or not run.reads(name):
            continue
        same = _AS_PUBLISHED.get(name, ())
        if run.settings.get(name) not in (value, *same):
            ours = run.settings.get(name, "unrecorded")
            # `auto` says nothing to who reads it.
            shown = same[0] if same and value == "auto" else value
            found.append(f"--{name}={ours} (published {shown})")
    return found


def _published_settings(run: Run) -> dict[str, Any] | None:
    """Returns the settings of a cell's flag file, for the run's geometry."""
    files = [
        settings
        for settings in _flag_file_settings()
        if catalogue.canonical_name(settings["dataset"]) == run.dataset
        and (settings["ipc"], settings["objective"]) == (run.ipc, run.objective)
    ]
    if not files:
        return None
    # A shorter schedule would be one of ours, not the published one.
    best = max(files, key=lambda s: (s["geometry"] == run.geometry, s["iterations"]))
    return _for_geometry(best, run)


def _for_geometry(settings: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """Returns a published file's settings as the run's geometry has them."""
    # Without a geometry there is no other form.
    if run.geometry in (settings["geometry"], "none"):
        return dict(settings)
    of_one_geometry = {name for name, row in rows().items() if row.geometries}
    plain = {k: v for k, v in settings.items() if k not in of_one_geometry}
    return {**plain, "image_lr": plain_image_lr(run.dataset, run.ipc, run.objective)}


def plain_image_lr(dataset: str, ipc: int, objective: str) -> float:
    """Returns the published image learning rate of a plain, Euclidean method.

    Args:
        dataset: TFDS name.
        ipc: Images per class.
        objective: A method with published budgets.

    Raises:
        ValueError: none is known.
    """
    rate = METHODS[objective].plain_image_lr
    if rate is None:
        raise ValueError(f"no image learning rate of plain {objective} is known.")
    return rate(dataset, ipc)


@functools.cache
def _flag_file_settings() -> tuple[dict[str, Any], ...]:
    """Returns the settings of every published flag file of a whole cell."""
    found = []
    for name in published_names():
        try:
            config = parse_command_line(["report", f"--flagfile={name}"])
        except InputError:  # base.cfg alone names no data set.
            continue
        found.append(identity(config))
    return tuple(found)
