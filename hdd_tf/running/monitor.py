"""The output of a run during distillation: files, summaries and the progress bar."""

import gc
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from hdd_tf.artifacts.history import ValidationScore, record_validation
from hdd_tf.artifacts.pictures import grid_array, save_grid
from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.artifacts.summaries import SummaryWriter
from hdd_tf.artifacts.titles import set_title
from hdd_tf.config import identity
from hdd_tf.data.memory import give_back
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.progress import progress_bar
from hdd_tf.running.checkpoints import DistillationCheckpoints
from hdd_tf.running.loop import BlockReport, StopRequest
from hdd_tf.running.tracked_sets import SetTracker

# Bound on the work that a crash costs, also for slow iterations.
SECONDS_BETWEEN_CHECKPOINTS = 600.0
_LIMITS = "The least and the largest value of the images as stored, on the 0-255 scale."
_CLIPPED = (
    " This method clips its images to that range: a constant 0 or 255 says that some "
    "pixel is at the limit, and nothing else."
)


class SilentMonitor:
    """A monitor without output, for a process that is not the chief; a context.

    Args:
        stop: Request to stop the run, checked after each block.

    Attributes:
        seconds: Seconds of distillation in all.
    """

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop
        self.seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    def catch_up(self, iteration: int) -> None:
        """Does analysis and scoring that are due, also after a restart.

        Args:
            iteration: Iterations that the images have seen; their state is saved.

        Raises:
            InterruptedRunError: a signal came, which ends the work at once.
        """

    def reads_images(self, iteration: int) -> bool:
        """Returns True if `after_block` is going to read the state of all classes.

        Args:
            iteration: Iterations done.
        """
        return False

    def after_block(self, report: BlockReport) -> None:
        """Does all work that is due after a block of iterations.

        Raises:
            InterruptedRunError: a signal asked the run to stop; its state is saved.
        """
        # Other processes do not know yet of a signal that is not shared.
        if self._stop.is_shared:
            self._stop.check()

    def before_refusal(self, iteration: int) -> None:
        """Keeps what is done, before the error of a file that cannot be read.

        Args:
            iteration: Iterations that the images have seen.
        """


class RunMonitor(SilentMonitor):
    """Writes checkpoints, summaries and pictures, and moves the progress bar.

    The monitor is a context: entering it writes the first picture, leaving it closes
    the files.

    Args:
        run: The experiment.
        checkpoints: Checkpoints of the run.
        synthetic_set: The images.
        make_set: Function that returns the current set.
        start: Iterations already done.
        seconds: Seconds of distillation already spent.
        stop: Request to stop the run, checked after each block.
        evaluate: Function that returns a set's accuracy on the validation split in
            percent, called every `--eval_every` iterations.
        analyse: Function that analyses the current images, called every
            `--analysis_every` iterations with the iteration and the summary writer.
        trackers: Trackers that receive the set after each score.
        notice: Function that returns a line for the user about the last iterations,
            or an empty one.
        is_whole: Function that returns True if the images can be read, False if
            devices hold parts of them that were not gathered.
    """

    def __init__(
        self,
        *,
        run: RunContext,
        checkpoints: DistillationCheckpoints,
        synthetic_set: SyntheticSet,
        make_set: Callable[[], DistilledSet],
        start: int,
        seconds: float,
        stop: StopRequest,
        evaluate: Callable[[DistilledSet], float],
        analyse: Callable[[int, SummaryWriter], None],
        trackers: Sequence[SetTracker],
        notice: Callable[[], str] = str,
        is_whole: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(stop)
        config = run.config
        self._config = config
        self._directory = run.directory
        self._checkpoints = checkpoints
        self._synthetic_set = synthetic_set
        self._make_set = make_set
        self._label_names = run.dataset.label_names
        self._dataset_name = run.dataset.name
        self._evaluate = evaluate
        self._analyse = analyse
        self._trackers = trackers
        self._notice = notice
        self._is_whole = is_whole
        self._start = start
        self._saved_at = time.monotonic()
        self.seconds = seconds
        self.summaries = SummaryWriter(run.directory.tensorboard)
        self._progress = progress_bar(
            "distil", config.iterations, "it", config.progress, start
        )

    def __enter__(self) -> Self:
        if self._start == 0:
            values = identity(self._config)
            self.summaries.hyper_parameters(values, self._directory.path.name)
            self._picture(0, "init.png")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.close()
        self.summaries.close()

    def reads_images(self, iteration: int) -> bool:
        """Returns True if the state of all classes is read; see `SilentMonitor`."""
        pictured = _due(iteration, self._config.picture_every)
        return pictured or self._is_saved_after(iteration)

    def after_block(self, report: BlockReport) -> None:
        """Does all work that is due after a block of iterations.

        Raises:
            InterruptedRunError: a signal asked the run to stop; its state is saved.
        """
        config, iteration = self._config, report.iteration
        done = iteration == config.iterations
        self.seconds += report.seconds
        loss = float(report.loss_per_class[-1].sum())
        self._progress.update(len(report.loss_per_class))
        self._progress.set_postfix(loss=f"{loss:.4g}", refresh=False)
        self._log(report, done)
        if line := self._notice():
            print(line, flush=True)
        if _due(iteration, config.picture_every):
            self._picture(iteration, f"iter_{iteration:06d}.png")
        elif done:  # The file is final.png; TensorBoard has no other place for it.
            self._picture(iteration, "")
        # If not, the signal or the time came after `reads_images`, and is heeded after
        # the next block.
        if self._is_whole():
            if self._is_saved_after(iteration):
                self._save(iteration)
            self._stop.check()
        self.catch_up(iteration)

    def _is_saved_after(self, iteration: int) -> bool:
        config = self._config
        if iteration == config.iterations or self._stop.signal is not None:
            return True
        overdue = time.monotonic() - self._saved_at > SECONDS_BETWEEN_CHECKPOINTS
        # The state is saved before scoring and analysis, which are slow; the analysis
        # also reads the checkpoint.
        every = (config.checkpoint_every, config.eval_every, config.analysis_every)
        return overdue or any(_due(iteration, period) for period in every)

    def before_refusal(self, iteration: int) -> None:
        """Saves the state, and says so; see `SilentMonitor`."""
        if iteration > self._start:
            self._save(iteration)
        if iteration:
            print(f"the state after iteration {iteration} is saved", flush=True)

    def catch_up(self, iteration: int) -> None:
        """Does analysis and scoring that are due; see `SilentMonitor`."""
        config = self._config
        done = iteration == config.iterations
        if _due(iteration, config.analysis_every) and not done:
            with self._stop.at_once():
                self._analyse(iteration, self.summaries)
            # The analysis' graphs and the functions that trace them hold each other.
            # Python would free them late, and each analysis leaves ten megabytes.
            gc.collect()
        if config.eval_every and (done or _due(iteration, config.eval_every)):
            self._validate(iteration)

    def _save(self, iteration: int) -> None:
        self._checkpoints.save(iteration, self.seconds)
        self._saved_at = time.monotonic()
        self.summaries.flush()

    def _validate(self, iteration: int) -> None:
        with self._stop.at_once():
            # One call, because a method may be slow to return its set.
            made = self._make_set()
            accuracy = self._evaluate(made)
        self.summaries.scalars(iteration, {"accuracy/validation": accuracy})
        score = ValidationScore(iteration, self.seconds, accuracy)
        record_validation(self._directory.path, score)
        for tracker in self._trackers:
            tracker.offer(iteration, accuracy, made)
        self._stop.check()

    def _log(self, report: BlockReport, done: bool) -> None:
        every = self._config.log_every
        first = report.iteration - len(report.gradient_norm) + 1
        for row, iteration in enumerate(range(first, report.iteration + 1)):
            if iteration % every and not (done and iteration == report.iteration):
                continue
            losses = report.loss_per_class[row]
            self.summaries.scalars(
                iteration,
                {
                    "loss": float(losses.sum()),
                    "gradient_norm": float(report.gradient_norm[row]),
                    "seconds_per_iteration": report.seconds / len(report.gradient_norm),
                },
            )
            self.summaries.loss_per_class(iteration, losses, self._label_names)
        # The 0-255 scale makes values outside of it easy to see.
        found = report.limits
        least, largest = self._synthetic_set.limits() if found is None else found
        limits = {"image/min": float(least), "image/max": float(largest)}
        told = _LIMITS + _CLIPPED * self._config.traits.unit_range
        if self._synthetic_set.student_rate is not None:
            limits["student_rate"] = float(self._synthetic_set.student_rate.numpy())
        self.summaries.scalars(
            report.iteration, limits, {"image/min": told, "image/max": told}
        )

    def _picture(self, iteration: int, name: str) -> None:
        """Shows the images in TensorBoard, and in a file where it has a name."""
        give_back()
        pixels = self._synthetic_set.pixels()
        directory = self._directory.pictures
        directory.mkdir(parents=True, exist_ok=True)
        if pixels.shape[-1] not in (1, 3):
            return  # Other channels have no colours to show.
        title = set_title(self._config, self._dataset_name, iteration)
        if name:
            save_grid(directory / name, pixels, self._label_names, title)
        self.summaries.image_grid(iteration, grid_array(pixels, title=title))


def _due(iteration: int, every: int) -> bool:
    """Returns True if work of period `every` is due; a period of 0 means never."""
    return every > 0 and iteration % every == 0
