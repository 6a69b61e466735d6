"""Names of classes: what they are as text, and which of them a set can carry."""

import unicodedata
from collections.abc import Hashable, Iterable, Sequence

from hdd_tf.errors import InputError


def are_distinct(names: Sequence[str]) -> bool:
    """Tells whether no name is blank or looks like another.

    TensorFlow Datasets, among the readers of a set, takes spaces around names away, and
    a letter with its accent may be one character or two.
    """
    words = {composed(name).strip() for name in names}
    return len(words) == len(names) and "" not in words


def check_lines(names: Iterable[str], title: str) -> None:
    """Refuses names that a file with a name on each line cannot carry.

    TensorFlow Datasets has such a file in a set, and would number the classes anew.

    Args:
        names: The names of classes.
        title: What messages call them.

    Raises:
        InputError: A name has an end of line in it, or half a character.
    """
    for name in names:
        if {"\n", "\r"} & set(name.strip()):
            raise InputError(
                f"{title} hold the text {name!r:.80}, which has an end of line in it: "
                "replace that"
            )
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"{title} hold the text {name!r:.80}, which UTF-8 cannot encode: give "
                "another one"
            ) from error


def name_of(label: Hashable) -> str:
    """Returns a label as text."""
    return label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label)


def composed(name: str) -> str:
    """Returns a name with each letter and its accent as one character, if there is."""
    return unicodedata.normalize("NFC", name)
