"""One row of the table of settings."""

import dataclasses
from typing import Any

from absl import flags


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
