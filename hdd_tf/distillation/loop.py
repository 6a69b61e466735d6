"""The loop over iterations: blocks of them in the graph, the rest between blocks."""

import dataclasses
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from hdd_tf.distillation.profiling import ProfiledStep
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.errors import InputError

# How long a signal may have to wait for the graph to return.
SECONDS_PER_CALL = 5.0


@dataclasses.dataclass(frozen=True)
class BlockReport:
    """What one call into the graph did.

    Attributes:
        iteration: Iterations done since the start of the run.
        loss_per_class: `[count, C]` losses of the block's iterations.
        gradient_norm: `[count]` norms of the images' gradient.
        seconds: Wall time of the block.
    """

    iteration: int
    loss_per_class: np.ndarray
    gradient_norm: np.ndarray
    seconds: float


class StopRequest:
    """Whether a signal has asked the run to stop, and which."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turns SIGTERM and SIGINT into a request to stop at the next safe point.

    A second signal of either kind acts as if this were not here, as soon as the call
    into the graph that is under way returns.
    """
    request = StopRequest()
    watched = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in watched}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: object) -> None:
        request.signal = signal.Signals(number)
        restore()

    for number in watched:
        signal.signal(number, note)
    try:
        yield request
    finally:
        restore()


def run_iterations(
    step: DistillationStep | ProfiledStep,
    start: int,
    stop: int,
    steps_per_call: int,
    after_block: Callable[[BlockReport], None],
    cadences: tuple[int, ...] = (),
) -> None:
    """Runs the iterations from `start` to `stop`.

    Args:
        step: The compiled step.
        start: Iterations already done.
        stop: Iterations in all.
        steps_per_call: Most iterations of one call into the graph; fewer where they
            would take longer than `SECONDS_PER_CALL`.
        after_block: Called after each call; may raise to end the loop.
        cadences: Blocks end at every multiple of each of these (0: ignored), so that
            what happens every N iterations sees exactly N.

    Raises:
        InputError: a loss or a gradient is not finite. The images are then lost in
            memory, but the last checkpoint is not.
    """
    iteration, most = start, 1
    while iteration < stop:
        ends = [iteration + most, stop]
        ends += [(iteration // every + 1) * every for every in cadences if every]
        count = min(ends) - iteration
        began = time.perf_counter()
        metrics = step.run(iteration, count)
        loss = metrics["loss_per_class"].numpy()
        norm = metrics["gradient_norm"].numpy()
        _check_finite(loss, norm, iteration)
        seconds = time.perf_counter() - began
        iteration += count
        after_block(BlockReport(iteration, loss, norm, seconds))
        # A call is not interrupted: where iterations are slow, calls are short.
        most = max(1, min(steps_per_call, int(SECONDS_PER_CALL * count / seconds)))


def _check_finite(loss: np.ndarray, norm: np.ndarray, iteration: int) -> None:
    bad = ~np.isfinite(loss)
    if bad.any():
        row, label = np.argwhere(bad)[0]
        raise InputError(
            f"the loss of class {label} is {loss[row, label]} at iteration "
            f"{iteration + row + 1}: lower --image_lr or --loss_weight; the last "
            "checkpoint is kept."
        )
    if not np.isfinite(norm).all():
        row = int(np.argmin(np.isfinite(norm)))
        raise InputError(
            f"the gradient's norm is {norm[row]} at iteration {iteration + row + 1}: "
            "lower --image_lr or --loss_weight; the last checkpoint is kept."
        )
