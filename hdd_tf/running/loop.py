"""The loop over iterations: blocks run in the graph, all other work between blocks."""

import dataclasses
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from hdd_tf.distillation.step import DistillationStep
from hdd_tf.errors import InputError, InterruptedRunError
from hdd_tf.running.divergence import check_finite
from hdd_tf.running.profiling import ProfiledStep
from hdd_tf.signals import handled_by, next_one_kills
from hdd_tf.training.graph.call_length import CallLength


@dataclasses.dataclass(frozen=True)
class BlockReport:
    """The results of one call into the graph.

    Attributes:
        iteration: Iterations done since the start of the run.
        loss_per_class: `[count, C]` losses of the block's iterations.
        gradient_norm: `[count]` norms of the images' gradient.
        seconds: Wall time of the block.
        limits: Least and largest value of the images on the 0-255 scale, if devices
            hold parts of them; else None.
    """

    iteration: int
    loss_per_class: np.ndarray
    gradient_norm: np.ndarray
    seconds: float
    limits: np.ndarray | None = None


class StopRequest:
    """The state of a request by a signal to stop the run.

    Attributes:
        signal: The signal; None while the run continues.
        is_shared: True if all processes of the run know of the request.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.is_shared = False
        self._at_once = False

    def note(self, stopped_by: signal.Signals) -> None:
        """Records a request to stop; the signal's handler calls it.

        Raises:
            InterruptedRunError: the call is within `at_once`.
        """
        self.signal = stopped_by
        if self._at_once:
            self.check()

    def check(self) -> None:
        """Ends the run if a signal has requested it.

        Raises:
            InterruptedRunError: a signal has requested it.
        """
        if self.signal:
            raise InterruptedRunError(self.signal)

    def share(self, anyone: bool) -> None:
        """Records a request to any process of the run.

        Args:
            anyone: True if a signal has asked any process to stop.
        """
        self.is_shared = anyone
        if anyone and self.signal is None:
            self.signal = signal.Signals.SIGTERM

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Lets a signal end the block as soon as TensorFlow returns to Python.

        The block must have nothing to save, and must be repeatable.

        Raises:
            InterruptedRunError: a signal came before or during the block.
        """
        self.check()
        self._at_once = True
        try:
            yield
        except Exception:
            self.check()  # Libraries may turn the interruption into another error.
            raise
        finally:
            self._at_once = False
        self.check()  # Python drops errors that are raised in a destructor.


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turns the signals of `STOPPING` into a request to stop at the next safe point.

    A second one kills the process, so that nobody has to wait for the graph; see
    `next_one_kills`.
    """
    request = StopRequest()

    def note(number: int, frame: object) -> None:
        next_one_kills()
        request.note(signal.Signals(number))

    with handled_by(note):
        yield request


def run_iterations(
    step: DistillationStep | ProfiledStep,
    start: int,
    stop: int,
    steps_per_call: int,
    after_block: Callable[[BlockReport], None],
    cadences: tuple[int, ...] = (),
    label_names: Sequence[str] = (),
    agree: Callable[[int], int] = lambda steps: steps,
    before_refusal: Callable[[int], None] = lambda iteration: None,
) -> None:
    """Runs the iterations from `start` to `stop`.

    Args:
        step: The compiled step.
        start: Iterations already done.
        stop: Iterations in all.
        steps_per_call: Upper bound on the iterations of one call into the graph. Slow
            iterations get shorter calls, see `CallLength`.
        after_block: Callback after each call; it may raise to end the loop.
        cadences: Periods in iterations; 0 is ignored. Blocks end at every multiple of
            each period, so that periodic work runs at exactly these iterations.
        label_names: Names of the classes, for messages.
        agree: Function from the number of iterations that this process proposes for a
            call to the number that all processes use.
        before_refusal: Callback with the iterations done, which are whole, before the
            error of a file that the next ones cannot read.

    Raises:
        InputError: a loss, a gradient or the images are not finite. `after_block` is
            not called for that block, so no checkpoint ever holds such images. Or a
            file that iterations read is missing or damaged.
    """
    iteration, length = start, CallLength(steps_per_call)
    while iteration < stop:
        ends = [iteration + agree(length.steps), stop]
        ends += [(iteration // every + 1) * every for every in cadences if every]
        count = min(ends) - iteration
        began = time.perf_counter()
        try:
            results = step.run(iteration, count)
        except InputError:
            before_refusal(iteration)
            raise
        metrics = {name: values.numpy() for name, values in results.items()}
        seconds = time.perf_counter() - began
        check_finite(metrics, iteration, label_names, step.method.remedy)
        iteration += count
        loss, norm = metrics["loss_per_class"], metrics["gradient_norm"]
        after_block(BlockReport(iteration, loss, norm, seconds, metrics.get("limits")))
        length.learn(count, seconds)
