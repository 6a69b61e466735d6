"""One row of the table of settings."""

import dataclasses
from typing import Any

from absl import flags

from hdd_tf.methods.registry import METHODS


def setting(
    default: Any, parser: flags.ArgumentParser, help_text: str, *, identity: bool = True
) -> Any:
    """Returns one row of the table, a dataclass field with its flag as metadata."""
    metadata = {"parser": parser, "help": help_text, "identity": identity}
    return dataclasses.field(default=default, metadata=metadata)


def choice(
    default: str, choices: tuple[str, ...], help_text: str, **kwargs: Any
) -> Any:
    """Returns a row whose value is one of a few names."""
    return setting(default, flags.EnumParser(choices), help_text, **kwargs)


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
