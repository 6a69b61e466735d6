"""The loop over iterations: blocks of them in the graph, the rest between blocks."""

import dataclasses
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from hdd_tf.distillation.step import DistillationStep
from hdd_tf.errors import InterruptedRunError
from hdd_tf.running.divergence import check_finite
from hdd_tf.running.profiling import ProfiledStep
from hdd_tf.signals import STOPPING, handled_by
from hdd_tf.training.call_length import CallLength


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
    """Whether a signal has asked the run to stop, and which.

    Attributes:
        signal: The signal; None: the run goes on.
        is_shared: Whether all processes of the run know of it.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.is_shared = False
        self._at_once = False

    def note(self, stopped_by: signal.Signals) -> None:
        """Asks to stop; called by the signal's handler.

        Raises:
            InterruptedRunError: within `at_once`.
        """
        self.signal = stopped_by
        if self._at_once:
            self.check()

    def check(self) -> None:
        """Ends the run if a signal has asked for it.

        Raises:
            InterruptedRunError: one has.
        """
        if self.signal:
            raise InterruptedRunError(self.signal)

    def share(self, anyone: bool) -> None:
        """Takes over the wish of another process of the run.

        Args:
            anyone: Whether a signal has asked any of them to stop.
        """
        self.is_shared = anyone
        if anyone and self.signal is None:
            self.signal = signal.Signals.SIGTERM

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Lets a signal end a long block, as soon as TensorFlow returns to Python.

        For work that has nothing to save and can be done again.

        Raises:
            InterruptedRunError: a signal came before or meanwhile.
        """
        self.check()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False
        self.check()  # Python drops what is raised within a destructor.


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turns SIGTERM and SIGINT into a request to stop at the next safe point.

    A second signal of either kind kills the process: nobody has to wait for the graph.
    """
    request = StopRequest()

    def note(number: int, frame: object) -> None:
        for each in STOPPING:
            signal.signal(each, signal.SIG_DFL)
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
) -> None:
    """Runs the iterations from `start` to `stop`.

    Args:
        step: The compiled step.
        start: Iterations already done.
        stop: Iterations in all.
        steps_per_call: Most iterations of one call into the graph; fewer where they
            would take too long, see `CallLength`.
        after_block: Called after each call; may raise to end the loop.
        cadences: Blocks end at every multiple of each of these (0: ignored), so that
            what happens every N iterations sees exactly N.
        label_names: Of the classes, for messages.
        agree: From the number of iterations that this process would give a call to the
            one that all processes of the run give it.

    Raises:
        InputError: a loss, a gradient or the images are not finite. `after_block` is
            not called then, so no checkpoint ever holds such images.
    """
    iteration, length = start, CallLength(steps_per_call)
    while iteration < stop:
        ends = [iteration + agree(length.steps), stop]
        ends += [(iteration // every + 1) * every for every in cadences if every]
        count = min(ends) - iteration
        began = time.perf_counter()
        results = step.run(iteration, count)
        metrics = {name: values.numpy() for name, values in results.items()}
        seconds = time.perf_counter() - began
        check_finite(metrics, iteration, label_names)
        iteration += count
        loss, norm = metrics["loss_per_class"], metrics["gradient_norm"]
        after_block(BlockReport(iteration, loss, norm, seconds))
        length.learn(count, seconds)
