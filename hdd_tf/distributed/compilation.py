"""Whether XLA compiles the passes of images through networks, and how.

Pieces of an iteration's graph are compiled, not the whole: drawing real images has
shapes that follow the classes' sizes, and stays as it is. XLA fuses operations, so sums
are in another order and results differ from those of uncompiled pieces by rounding.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from hdd_tf.errors import InputError, one_line

# Runs a piece of a graph, a function without arguments, and returns its tensors.
Piece = Callable[[Callable[[], Any]], Any]
_may_have_pieces = contextvars.ContextVar("_may_have_pieces", default=True)
_is_compiled_whole = contextvars.ContextVar("_is_compiled_whole", default=False)
# Twice unless a caller says less: some objectives are functions of gradients.
_times_differentiated = contextvars.ContextVar("_times_differentiated", default=2)


def piece_of(jit_compile: str) -> Piece:
    """Returns the function that runs a piece of a graph.

    Args:
        jit_compile: The setting; `on` to compile by XLA.
    """
    return compiled if jit_compile == "on" else as_it_is


def as_it_is(work: Callable[[], Any]) -> Any:
    """Returns what `work` returns."""
    return work()


def compiled(work: Callable[[], Any]) -> Any:
    """Returns what `work` returns, computed by code that XLA compiles.

    Args:
        work: Function that returns tensors of shapes known in the graph. It may use
            tensors of the graph around it; no gradient flows through it to them.
    """

    def whole() -> Any:
        before = _is_compiled_whole.set(True)
        try:
            return work()
        finally:
            _is_compiled_whole.reset(before)

    return tf.function(whole, jit_compile=True, autograph=False)()


def check_compilation(jit_compile: str, strategy: tf.distribute.Strategy) -> None:
    """Checks that the devices can run compiled pieces.

    Args:
        jit_compile: The setting.
        strategy: The devices that compute.

    Raises:
        InputError: there are several replicas, or XLA cannot compile here.
    """
    if jit_compile != "on":
        return
    replicas = strategy.num_replicas_in_sync
    if replicas > 1:
        raise InputError(
            f"--jit_compile=on is for one device, and {replicas} compute here: give "
            "--jit_compile=off, or --strategy=one_device"
        )
    if why := _trouble(strategy.extended.worker_devices[0]):
        raise InputError(
            f"--jit_compile=on: XLA does not work here ({why}): give --jit_compile=off"
        )


@contextlib.contextmanager
def without_pieces() -> Iterator[None]:
    """Keeps layers from having pieces compiled in graphs that are traced meanwhile.

    For graphs that are saved, since other devices and programs may run them.
    """
    before = _may_have_pieces.set(False)
    try:
        yield
    finally:
        _may_have_pieces.reset(before)


def is_compiled_whole() -> bool:
    """Returns whether XLA compiles the graph that is traced with all around it.

    Pieces that are to be apart would not stay so there.
    """
    return _is_compiled_whole.get()


def may_have_pieces() -> bool:
    """Returns whether layers may have pieces compiled in the graph that is traced."""
    return _may_have_pieces.get()


@contextlib.contextmanager
def differentiated(times: int) -> Iterator[None]:
    """Says how often, at most, the graphs traced meanwhile are differentiated.

    Layers then may have pieces whose further gradients, though right, would be other
    bits than those of TensorFlow's operations. Within another such context, what this
    one says holds.

    Args:
        times: 0 for values alone, 1 for gradients, 2 for gradients of these.
    """
    before = _times_differentiated.set(times)
    try:
        yield
    finally:
        _times_differentiated.reset(before)


def times_differentiated() -> int:
    """Returns how often, at most, the graph that is traced is differentiated."""
    return _times_differentiated.get()


@functools.cache
def works(device: str) -> bool:
    """Returns whether XLA compiles for a device; tried once in a process.

    Args:
        device: Name of the device, such as `CPU:0`.
    """
    # It is asked while graphs are built.
    with tf.init_scope():
        return not _trouble(device)


def _trouble(device: str) -> str:
    """Returns why XLA does not work on a device, or ""."""
    try:
        # On GPUs the exponential needs a library of CUDA that may be missing.
        with tf.device(device):
            number = tf.constant(1.0)
            compiled(lambda: tf.exp(number)).numpy()
    except (tf.errors.OpError, ValueError) as error:
        return one_line(str(error))[:200]
    return ""
