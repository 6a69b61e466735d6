"""Importing TensorFlow without its start-up notes."""

import os
import sys

from hdd_tf.keras_settings import choose_for_command


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
        choose_for_command()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
