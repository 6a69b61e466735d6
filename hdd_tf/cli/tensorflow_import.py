"""Importing TensorFlow without its start-up notes, and without what no command uses."""

import contextlib
import os
import sys
from collections.abc import Iterator

from hdd_tf.keras_settings import choose_for_command

# Keras imports them where they are installed, for its wrappers of models for
# scikit-learn and for its galleries of images: a third of TensorFlow's whole import.
_UNUSED_BY_COMMANDS = ("sklearn", "matplotlib")


def import_quietly() -> None:
    """Imports TensorFlow and Keras, with the notes about the machine off the terminal.

    They are written to file descriptor 2 before any log level counts. A failing import
    still raises, and whatever TensorFlow has to say later is shown.

    Raises:
        InputError: Keras cannot be imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        with _hidden(_UNUSED_BY_COMMANDS):
            choose_for_command()
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextlib.contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    """Lets imports of packages fail meanwhile, as if they were not installed.

    Those that are imported already stay. Afterwards all can be imported as ever.
    """
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # Its documented use.
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name)
