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
    still raises, and whatever TensorFlow has to say later is shown. The first import
    of a process is followed by `add_in_one_order`.

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
    # Where it was imported before, a program may be using it.
    if is_new:
        add_in_one_order()


def add_in_one_order() -> None:
    """Lets TensorFlow add three large tensors or more in the order they are written in.

    Its graph optimiser has a heuristic of scheduling, to save memory: where tensors of
    a function would take more than 205 MiB at once, four fifths of what TensorFlow
    takes a CPU to have, such a sum becomes a variable that each term is added to as
    soon as it is there. With two threads the last bits then differ from call to call,
    even with TensorFlow's op determinism: those of the images' gradient in a pass of
    128 images 32x32 at width 128, and of gradients of gradients in one of 64.

    The settings that TensorFlow has for its optimiser do not name it. This is the
    public way to be without it, as long as TensorFlow has not begun to compute, as it
    does while it is imported where devices come as plugins: then nothing changes. Call
    it once, in a process that has just imported TensorFlow.

    Raises:
        ValueError: TensorFlow's graphs were in use; it then computes in graphs alone.
    """
    import tensorflow as tf

    settings = tf.compat.v1.ConfigProto()
    passes = settings.graph_options.rewrite_options
    # The default, but for scheduling.
    passes.memory_optimization = passes.SWAPPING_HEURISTICS
    # What is enabled already reads no settings.
    tf.compat.v1.disable_eager_execution()
    try:
        tf.compat.v1.enable_eager_execution(settings)
    except (ValueError, AttributeError):  # The second while it words the first.
        tf.compat.v1.disable_eager_execution()
        tf.compat.v1.enable_eager_execution()


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
