"""Importing TensorFlow for commands: quietly, lightly, and to add in one order."""

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
    is_new = "tensorflow" not in sys.modules
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
    # Where it was imported before, it may have computed.
    if is_new:
        _add_in_one_order()


def _add_in_one_order() -> None:
    """Lets TensorFlow add three large tensors or more in the order they are written in.

    A pass of its graph optimiser saves memory: where the tensors of a function take
    more than 205 MB of a CPU, such a sum becomes a variable that each term is added to
    as soon as it is there. With two threads the last bits then differ from call to
    call, in spite of TensorFlow's op determinism: those of the images' gradient in a
    pass of 128 images 32x32 at width 128, and of gradients of gradients in one of 64.

    The settings that TensorFlow has for its optimiser do not name that pass. This is
    the public way to be without it, before TensorFlow first computes.
    """
    import tensorflow as tf

    settings = tf.compat.v1.ConfigProto()
    passes = settings.graph_options.rewrite_options
    passes.memory_optimization = passes.NO_MEM_OPT
    # What is enabled already reads no settings.
    tf.compat.v1.disable_eager_execution()
    tf.compat.v1.enable_eager_execution(settings)


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
