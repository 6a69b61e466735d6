"""Keras' global settings: hdd_tf's own while it works, and the caller's afterwards.

Data format, float type, epsilon and dtype policy are defaults that a layer takes when
it is made. They come from keras.json, or from the program that uses hdd_tf, and with
others than Keras' own a network is another one: its height is taken for its channels,
its weights have half the precision. The backend is chosen when Keras is imported, and
nothing can change it afterwards.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

from hdd_tf.errors import InputError, one_line

_BACKEND = "tensorflow"


class _Defaults(NamedTuple):
    """The settings that all threads share."""

    floatx: str
    epsilon: float
    data_format: str


# What Keras has without a keras.json.
_OWN = _Defaults("float32", 1e-7, "channels_last")

_lock = threading.Lock()
# How many calls, of any threads, work with the settings of hdd_tf.
_calls = 0
_callers = _OWN


def choose_for_command() -> None:
    """Imports TensorFlow, and Keras with hdd_tf's settings for good.

    For commands: no other program in the process has settings of its own.

    Raises:
        InputError: Keras cannot be imported, or has another backend already.
    """
    os.environ["KERAS_BACKEND"] = _BACKEND
    # With it TensorFlow looks for tf_keras, the Keras of old, which nothing here needs.
    os.environ.pop("TF_USE_LEGACY_KERAS", None)
    keras = import_keras()
    _write(keras, _OWN)
    keras.config.set_dtype_policy(_OWN.floatx)


def check_drawing() -> None:
    """Checks that matplotlib starts, which Keras imports where it is installed.

    Raises:
        InputError: MPLBACKEND names no backend that matplotlib knows.
    """
    named = os.environ.get("MPLBACKEND")
    if not named or "matplotlib" in sys.modules:
        return
    try:
        import matplotlib  # noqa: F401
    except ValueError as error:
        raise InputError(
            f"MPLBACKEND={one_line(named)} names no backend of matplotlib, without "
            "which neither Keras nor pictures start: unset it, or set MPLBACKEND=agg"
        ) from error
    except ImportError:
        pass  # Whoever needs it will say so.


def import_keras() -> Any:
    """Returns the module `keras`, once it is known that it computes with TensorFlow.

    Raises:
        InputError: Keras cannot be imported, or has another backend.
    """
    mend = f"start Python with KERAS_BACKEND={_BACKEND}"
    try:
        import tensorflow  # noqa: F401  # It reads keras.json too.

        import keras  # isort: skip
    except Exception as error:  # A damaged keras.json raises whatever Python does.
        is_set = os.environ.get("KERAS_BACKEND") == _BACKEND
        if is_set and isinstance(error, ImportError):
            raise  # The installation is broken: no matter of settings.
        folder = os.environ.get("KERAS_HOME", os.path.join("~", ".keras"))
        raise InputError(
            f"Keras cannot be imported ({type(error).__name__} {one_line(error)}): "
            f"{mend}, and see that {one_line(os.path.join(folder, 'keras.json'))} "
            "holds valid settings"
        ) from error
    if keras.config.backend() != _BACKEND:
        raise InputError(
            f"Keras computes with {keras.config.backend()} here, and hdd_tf needs "
            f"TensorFlow: {mend}"
        )
    return keras


@contextlib.contextmanager
def own_settings() -> Iterator[None]:
    """Gives Keras hdd_tf's settings; afterwards those from before are back.

    It may be nested, and entered by several threads at once: the caller's settings are
    back when the last has left. A dtype policy belongs to a thread. One that nobody has
    set yet is fixed by this as by making any layer: Keras has no way to unset it.
    """
    global _calls, _callers
    keras = import_keras()
    policy = keras.config.dtype_policy()
    with _lock:
        if not _calls:
            _callers = _Defaults(
                keras.config.floatx(),
                keras.config.epsilon(),
                keras.config.image_data_format(),
            )
            _write(keras, _OWN)
        _calls += 1
    keras.config.set_dtype_policy(_OWN.floatx)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        with _lock:
            _calls -= 1
            if not _calls:
                _write(keras, _callers)


@contextlib.contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Gives the layers that are made meanwhile a dtype policy of Keras.

    Args:
        name: Such as `float32` or `mixed_bfloat16`.
    """
    keras = import_keras()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _write(keras: Any, defaults: _Defaults) -> None:
    keras.config.set_floatx(defaults.floatx)
    keras.config.set_epsilon(defaults.epsilon)
    keras.config.set_image_data_format(defaults.data_format)
