"""One experiment from its settings to its result: the order of the work.

Every process of a run on several machines does the same work. The process' writer (see
`run_writer`) decides what it writes.
"""

from contextlib import nullcontext
from typing import Any

from hdd_tf.analysis.pruning import pruned_dataset
from hdd_tf.config import cadences
from hdd_tf.distillation.method import Work
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.errors import InputError
from hdd_tf.objectives.building import build_iterative
from hdd_tf.running.checkpoints import DistillationCheckpoints
from hdd_tf.running.loop import BlockReport, run_iterations, stop_on_signals
from hdd_tf.running.run_writer import SilentWriter, run_writer


def run_experiment(run: RunContext) -> dict[str, Any] | None:
    """Distils a set, exports it and scores the export; resumes a run that was stopped.

    All processes of a run call this function, and agree on each step by name. The chief
    alone writes files and scores them.

    Args:
        run: The experiment, whose method has iterations.

    Returns:
        The contents of `result.json`; None in a process that is not the chief.

    Raises:
        InputError: settings, data and run directory do not match.
        InterruptedRunError: a signal stopped the run, with its state saved.
    """
    workers = run.workers
    writer = run_writer(run)
    # Checked first, because an invalid or finished run trains no networks.
    if workers.broadcast("whether the run is finished", writer.is_finished()):
        return writer.complete()
    # In a call of its own, so that the method is gone when networks are scored.
    return writer.finish(_distil(run, writer))


def _distil(run: RunContext, writer: SilentWriter) -> float:
    """Does the iterations of an experiment that are not done yet.

    Returns:
        Seconds of distillation in all.
    """
    config, workers = run.config, run.workers
    # The chief trains networks and stores them; the other processes read them.
    with workers.chief_first("networks that train ahead"):
        writer.check()
        method = build_iterative(run.method_context(pruned_dataset(run)))
        method.train_ahead()
    with workers.all_take_part():
        method.assemble()
    writer.open(method)
    checkpoints = DistillationCheckpoints(
        run.directory.checkpoints, method.state(), config.keep_checkpoints
    )
    start, seconds = _restore(run, checkpoints)
    with (
        stop_on_signals() as stop,
        writer.monitor(checkpoints, start, seconds, stop) as monitor,
    ):
        if start:
            monitor.catch_up(start)

        def after_block(report: BlockReport) -> None:
            asked = stop.signal is not None
            stopping = workers.any_process("whether to stop", asked)
            stop.share(stopping)
            if not method.is_whole:
                wanted = monitor.reads_images(report.iteration)
                if workers.broadcast("whether to gather the images", wanted):
                    method.gather()
            # If all processes stop, none waits for the chief.
            with nullcontext() if stopping else workers.chief_alone():
                monitor.after_block(report)

        with workers.all_take_part():
            run_iterations(
                writer.profiled(DistillationStep(method, gathers=False)),
                start,
                config.iterations,
                config.steps_per_call,
                after_block,
                cadences(config),
                run.dataset.label_names,
                lambda steps: workers.broadcast("iterations of a call", steps),
                monitor.before_refusal,
            )
    return monitor.seconds


def fill_bank(run: RunContext) -> list[Work]:
    """Computes all that an experiment's method needs before iteration 0, and keeps it.

    Args:
        run: The experiment, whose method has iterations.

    Returns:
        What there is now: the bank, and where it lies.

    Raises:
        InputError: settings and data do not match.
        InterruptedRunError: a signal stopped it, with all but a class saved.
    """
    method = build_iterative(run.method_context(pruned_dataset(run)))
    method.train_ahead()
    return method.stages()


def _restore(
    run: RunContext, checkpoints: DistillationCheckpoints
) -> tuple[int, float]:
    """Restores the chief's newest checkpoint in every process.

    Returns:
        The iterations done and their seconds, which are 0 in other processes.

    Raises:
        InputError: there is no whole checkpoint, or a process does not see the chief's.
    """
    workers = run.workers
    start, seconds = checkpoints.restore() if workers.is_chief else (0, 0.0)
    start = workers.broadcast("the first iteration", start)
    if not workers.is_chief and start and checkpoints.restore()[0] != start:
        raise InputError(
            f"worker {workers.index} does not see the chief's checkpoint of iteration "
            f"{start}: give a --run_dir on a file system that all workers share."
        )
    if start and workers.is_chief:
        print(f"{run.config.run_dir} goes on from iteration {start}.")
    return start, seconds
