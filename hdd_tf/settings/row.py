"""One row of the table of settings."""

import dataclasses
from typing import Any

from absl import flags

from hdd_tf.methods.registry import METHODS, traits_of
from hdd_tf.settings.scope import Scope


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """What is known of a setting beside its name and default.

    Attributes:
        parser: Accepts a value, as text or from Python, or raises ValueError.
        help: Meaning and unit.
        scope: The part of a run that it belongs to.
        geometries: The geometries that it has a meaning in; empty for all.
        before: What runs had of versions that did not know it; None for its default.
        is_cell: Whether it is part of the name of a published table's cell.
        is_budget: Whether published budgets say it (methods/traits.py).
        is_cadence: Whether it is a number of iterations after which something happens
            that needs the images as they are by then; 0 for never.
        is_asked_later: Whether a finished run may be asked for another value, which
            adds scores and changes none.
        is_command_only: Whether the functions of Python, which handle one set and have
            no run directory, cannot follow it though its scope is theirs.
        is_making_only: Whether a set that exists, and its score, do not depend on it
            though its scope is one of scores too.
        is_of_iterations: Whether methods without iterations do not read it.
        is_unbanked: Whether what a bank keeps of all real images does not depend on it
            though distilled sets do.
    """

    parser: flags.ArgumentParser
    help: str
    scope: Scope
    geometries: tuple[str, ...] = ()
    before: Any = None
    is_cell: bool = False
    is_budget: bool = False
    is_cadence: bool = False
    is_asked_later: bool = False
    is_command_only: bool = False
    is_making_only: bool = False
    is_of_iterations: bool = False
    is_unbanked: bool = False

    def is_read(self, name: str, method: str, geometry: str) -> bool:
        """Returns whether a method reads the setting.

        Args:
            name: Its name.
            method: Name of the method; one that this version does not know reads all.
            geometry: Geometry of the run; `none` for methods without one.
        """
        traits = traits_of(method)
        if traits is None:
            return True
        if self.geometries and geometry not in self.geometries:
            return False
        if self.is_of_iterations and traits.is_selection:
            return False
        owned = any(name.startswith(each.own_settings) for each in METHODS.values())
        return not owned or name.startswith(traits.own_settings)

    @property
    def is_scoring(self) -> bool:
        """Whether the score of a set that exists follows it."""
        is_followed = not (self.is_command_only or self.is_making_only)
        return self.scope.is_scoring and is_followed


def setting(
    default: Any,
    parser: flags.ArgumentParser,
    help_text: str,
    scope: Scope,
    **traits: Any,
) -> Any:
    """Returns one row of the table, a dataclass field with its `Row` as metadata.

    Args:
        default: Its value where none is given; None where other settings decide.
        parser: As in `Row`.
        help_text: As `help` in `Row`.
        scope: As in `Row`; no setting is without one.
        **traits: The further attributes of `Row`.
    """
    row = Row(parser=parser, help=help_text, scope=scope, **traits)
    return dataclasses.field(default=default, metadata={"row": row})


def choice(
    default: str,
    choices: tuple[str, ...],
    help_text: str,
    scope: Scope,
    **traits: Any,
) -> Any:
    """Returns a row whose value is one of a few names; see `setting`."""
    return setting(default, flags.EnumParser(choices), help_text, scope, **traits)


def row_of(field: dataclasses.Field) -> Row:
    """Returns the row that a field of the settings was made from."""
    row: Row = field.metadata["row"]
    return row


def unset(name: str) -> str:
    """Says what a setting is where it is not given: what each method has.

    Args:
        name: Of a trait, or of one of a method's own settings.
    """
    methods: dict[str, list[str]] = {}
    for method, traits in METHODS.items():
        if not traits.is_selection:
            value = traits.settings.get(name, getattr(traits, name, None))
            methods.setdefault(str(value), []).append(method)
    if len(methods) == 1:
        return f"Unset: {next(iter(methods))}."
    parts = (f"{value} with {' and '.join(own)}" for value, own in methods.items())
    return f"Unset: {', '.join(parts)}."
