"""The settings that differ among the runs of a page."""

from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element

from hdd_tf.config import names_of
from hdd_tf.report.page.elements import element, table
from hdd_tf.report.rows import Group
from hdd_tf.settings.scope import Scope

# Runs that differ in these alone are pooled.
_SEEDS = names_of(Scope.SEED)


def differing_settings(groups: Sequence[Group]) -> dict[str, list[str]]:
    """Returns the values of the settings that not all groups have in common.

    Settings that none of the groups' methods reads are left out.

    Args:
        groups: Groups of runs that differ only in the seed.

    Returns:
        A text of each group by the name of the setting; `unused` where its
        method does not read it.
    """
    runs = [group.first for group in groups]
    names = dict.fromkeys(name for run in runs for name in run.settings)
    found = {}
    for name in names:
        reads = [run.reads(name) for run in runs]
        # An older run has no value of a setting that it would not read either.
        values = {
            _text(run.settings.get(name))
            for run, read in zip(runs, reads, strict=True)
            if read or name in run.settings
        }
        if name not in _SEEDS and any(reads) and len(values) > 1:
            found[name] = [
                _text(run.settings.get(name)) if read else "unused"
                for run, read in zip(runs, reads, strict=True)
            ]
    return found


def settings_section(groups: Sequence[Group], titles: Sequence[str]) -> Element:
    """Makes the table of the settings that differ.

    Args:
        groups: As in `differing_settings`.
        titles: A short name of each group, all different.
    """
    found = differing_settings(groups)
    if not found:
        return element("p", "None but the seeds.")
    columns = {"setting": "left"} | dict.fromkeys(titles, "left")
    cells: list[list[str | Element]] = [
        [element("code", f"--{name}"), *values] for name, values in found.items()
    ]
    return table(columns, cells, "Settings that differ")


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "not recorded" if value is None else str(value)
