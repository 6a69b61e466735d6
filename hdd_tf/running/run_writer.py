"""The writers of an experiment: the chief writes all files, other processes none."""

import gc
from collections.abc import Callable
from typing import Any

from hdd_tf.analysis.analyse import analyse
from hdd_tf.analysis.encoder_of_run import EncoderOfRun
from hdd_tf.analysis.trained_weights import check_place_of_encoder
from hdd_tf.artifacts.checkpoint_files import CheckpointFiles
from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.artifacts.sets.run_whitening import keep_whitening
from hdd_tf.artifacts.summaries import SummaryWriter
from hdd_tf.data.memory import give_back
from hdd_tf.distillation.method import IterativeMethod
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.errors import InputError, one_line
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.exporting.installation import check_installation
from hdd_tf.exporting.metadata import metadata_of_set
from hdd_tf.running.checkpoints import DistillationCheckpoints
from hdd_tf.running.costs.further_memory import check_further_memory
from hdd_tf.running.finished import complete_result, is_finished
from hdd_tf.running.loop import StopRequest
from hdd_tf.running.monitor import RunMonitor, SilentMonitor
from hdd_tf.running.outputs import open_run, score_export, write_export
from hdd_tf.running.profiling import ProfiledStep
from hdd_tf.running.tracked_sets import BestOnValidation, EverySet, SetTracker


class SilentWriter:
    """The writer of a process that is not the chief: it writes nothing.

    The runner calls the methods in their order here.
    """

    def is_finished(self) -> bool:
        """Returns True if the directory holds the requested result.

        Raises:
            InputError: the directory belongs to another run, or holds foreign files.
        """
        return False

    def complete(self) -> dict[str, Any] | None:
        """Returns the result of a finished run, with scores that this start adds.

        Raises:
            InputError: there is no result, or no readable export.
        """
        return None

    def check(self) -> None:
        """Checks, before anything trains, that the run can be resumed and evaluated.

        Raises:
            InputError: the checkpoints are damaged, or the settings of the evaluation
                are invalid.
        """

    def open(self, method: IterativeMethod) -> None:
        """Makes `run_dir` the directory of the run.

        Args:
            method: The method, after `assemble`.
        """

    def monitor(
        self,
        checkpoints: DistillationCheckpoints,
        start: int,
        seconds: float,
        stop: StopRequest,
    ) -> SilentMonitor:
        """Returns the monitor of the iterations, a context.

        Args:
            checkpoints: Checkpoints of the run.
            start: Iterations already done.
            seconds: Seconds of distillation already spent.
            stop: Request to stop the run, checked after each block of iterations.
        """
        return SilentMonitor(stop)

    def profiled(self, step: DistillationStep) -> DistillationStep | ProfiledStep:
        """Returns the step, profiled for TensorBoard with `--profile`."""
        return step

    def finish(self, seconds: float) -> dict[str, Any] | None:
        """Exports the method's set, scores the export, and returns the result.

        Args:
            seconds: Seconds of distillation in all.

        Returns:
            The contents of `result.json`; None in a process that is not the chief.
        """
        return None


class RunWriter(SilentWriter):
    """The writer of the chief.

    Args:
        run: The experiment.
    """

    def __init__(self, run: RunContext) -> None:
        self._run = run

    def is_finished(self) -> bool:
        """Returns True if the directory holds the result; see `SilentWriter`."""
        return is_finished(self._run)

    def complete(self) -> dict[str, Any] | None:
        """Returns the result of a finished run; see `SilentWriter`."""
        run = self._run
        keep_whitening(run.directory.path, run.dataset.whitening)
        return complete_result(run)

    def check(self) -> None:
        """Checks checkpoints and evaluation; see `SilentWriter`."""
        check_installation(self._run.config)
        check_further_memory(self._run)
        check_place_of_encoder(self._run)
        CheckpointFiles(self._run.directory.checkpoints).check()
        self._evaluation = self._new_evaluation()

    def open(self, method: IterativeMethod) -> None:
        """Makes `run_dir` the directory of the run; see `SilentWriter`."""
        run, config = self._run, self._run.config
        open_run(run)
        self._method = method
        record = run.directory.read_config()
        self._metadata = metadata_of_set(config, record, config.iterations)
        self._best = self._every = None
        if config.select == "best_validation":
            self._best = BestOnValidation(run.directory, self._metadata)
        if config.best_on_test:
            self._every = EverySet(run.directory, self._metadata)

    def monitor(
        self,
        checkpoints: DistillationCheckpoints,
        start: int,
        seconds: float,
        stop: StopRequest,
    ) -> RunMonitor:
        """Returns the monitor of the iterations; see `SilentWriter`."""
        trackers: list[SetTracker | None] = [self._best, self._every]
        return RunMonitor(
            run=self._run,
            checkpoints=checkpoints,
            synthetic_set=self._method.synthetic_set,
            make_set=self._made_set,
            start=start,
            seconds=seconds,
            stop=stop,
            evaluate=self._accuracy_on_validation,
            analyse=self._analysis(),
            trackers=[tracker for tracker in trackers if tracker],
            notice=self._method.notice,
            is_whole=lambda: self._method.is_whole,
        )

    def profiled(self, step: DistillationStep) -> DistillationStep | ProfiledStep:
        """Returns the step, profiled with `--profile`; see `SilentWriter`."""
        if not self._run.config.profile:
            return step
        return ProfiledStep(step, self._run.directory.tensorboard)

    def finish(self, seconds: float) -> dict[str, Any] | None:
        """Exports, scores and returns the result; see `SilentWriter`."""
        run = self._run
        give_back()
        distilled = self._best.read() if self._best else self._made_set()
        write_export(run, distilled)
        # The files are scored. What made them would lie beside the networks, and its
        # graphs and the functions that trace them hold each other.
        del distilled, self._method
        gc.collect()
        give_back()
        spent = {"distil": round(seconds, 3)}
        result = score_export(run, self._evaluation, run.config.iterations, spent)
        if self._every:
            result["best_on_test"] = self._every.best_on_test(self._evaluation)
            run.directory.write_result(result)
        return result

    def _new_evaluation(self) -> Evaluation:
        run = self._run
        return Evaluation(run.config, run.dataset, run.network)

    def _made_set(self) -> DistilledSet:
        return self._method.result(self._metadata)

    def _accuracy_on_validation(self, made: DistilledSet) -> float:
        return self._evaluation.score_set(made, split="validation").mean

    def _analysis(self) -> Callable[[int, SummaryWriter], None]:
        """Returns the analysis to make during the run, with one encoder for all."""
        run = self._run
        encoder = EncoderOfRun(run)

        def analyse_now(iteration: int, summaries: SummaryWriter) -> None:
            made = self._made_set()
            try:
                analyse(run, encoder.weights(), made, iteration, summaries, final=False)
            except (InputError, OSError) as error:
                # The analysis fails alone: the distillation goes on.
                print(
                    one_line(f"no analysis of iteration {iteration}: {error}"),
                    flush=True,
                )

        return analyse_now


def run_writer(run: RunContext) -> SilentWriter:
    """Returns the writer of this process."""
    return RunWriter(run) if run.workers.is_chief else SilentWriter()
