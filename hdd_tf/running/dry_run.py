"""The dry run: the cost of a run, measured before the run starts."""

import dataclasses
import resource
import sys
import time

import numpy as np

from hdd_tf.analysis.pruning import pruned_dataset
from hdd_tf.artifacts.pictures import grid_array
from hdd_tf.config import Config
from hdd_tf.distillation.method import IterativeMethod
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.methods.registry import RANDOM
from hdd_tf.methods.traits import Encoder
from hdd_tf.objectives.registry import build_step
from hdd_tf.random_keys import derive_key
from hdd_tf.selection.coresets import CoresetSelector

_TIMED_ITERATIONS = 2
_TIMED_IMAGES = 512


def estimate_run(run: RunContext) -> str:
    """Runs a few iterations without writing, and returns the cost of the whole run.

    Args:
        run: The experiment.

    Returns:
        Lines of text for people: time, memory and bytes to write.
    """
    config = run.config
    if config.traits.is_selection:
        return _estimate_coreset(run)
    # A random choice keeps the same number of images, and needs no training.
    as_many = dataclasses.replace(config, keep="random")
    dataset = pruned_dataset(dataclasses.replace(run, config=as_many))
    step = build_step(run.method_context(dataset, dry_run=True))
    bank = config.real_bank_size
    seconds = _seconds_per_iteration(step, 0)
    timing = [f"time per iteration  {seconds:.3f} s"]
    total = seconds * config.iterations
    if 0 < bank < config.iterations:
        revisiting = _seconds_per_iteration(step, bank)
        timing += [f"for the first {bank:,}, then {revisiting:.3f} s"]
        total = seconds * bank + revisiting * (config.iterations - bank)
    times = _times(config)
    return "\n".join(
        [
            f"{dataset.name}: {len(dataset.training.labels):,} training images of "
            f"{dataset.num_classes} classes, distilled to "
            f"{config.ipc * dataset.num_classes:,}",
            f"{' '.join(timing)} ({_duration(total)} for {config.iterations:,}, "
            f"without evaluation{times})",
            *_before(config),
            _memory(),
            f"to be written       {_bytes_written(config, step.method) / 2**20:.1f} "
            f"MiB to {config.run_dir}{times}",
            "nothing was written",
        ]
    )


def _seconds_per_iteration(step: DistillationStep, start: int) -> float:
    """Returns the seconds of an iteration, measured at iteration `start`."""
    step.run(start, 1)  # Traces the graph.
    began = time.perf_counter()
    for _ in range(_TIMED_ITERATIONS):
        step.run(start, 1)["gradient_norm"].numpy()
    return (time.perf_counter() - began) / _TIMED_ITERATIONS


def _estimate_coreset(run: RunContext) -> str:
    """Returns the cost of choosing a coreset: the training of one network, if any."""
    config, dataset = run.config, run.dataset
    training = dataset.training
    count, times = len(training.labels), _times(config)
    work = "no network to train"
    if config.traits.trains_network:
        few = dataclasses.replace(
            dataset, training=training.take(np.arange(min(_TIMED_IMAGES, count)))
        )
        short = dataclasses.replace(
            config, objective=RANDOM, baselines=(), coreset_epochs=1, progress=False
        )
        # The first training traces the graph.
        trainer = CoresetSelector(short, few, run.network).trained_network()
        began = time.perf_counter()
        trainer.train(derive_key(config.seed))
        epoch = (time.perf_counter() - began) * count / trainer.num_images
        work = (
            f"{epoch:.1f} s ({_duration(epoch * config.coreset_epochs)} for "
            f"{config.coreset_epochs:,}, without features and evaluation{times})"
        )
    size = config.ipc * dataset.num_classes
    # The export is float32, and its picture is small in comparison.
    bytes_written = 4 * size * training.images[0].size
    return "\n".join(
        [
            f"{dataset.name}: {count:,} training images of {dataset.num_classes} "
            f"classes, of which {size:,} are chosen by {config.objective}",
            f"time per epoch      {work}",
            *_before(config),
            _memory(),
            f"to be written       {bytes_written / 2**20:.1f} MiB to "
            f"{config.run_dir}{times}",
            "nothing was written",
        ]
    )


def _times(config: Config) -> str:
    experiments = config.num_experiments
    return f", {experiments} times" if experiments > 1 else ""


def _memory() -> str:
    # The unit is a kilobyte on Linux, a byte on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return f"memory              {peak / 2**30:.2f} GiB (peak of this process)"


def _before(config: Config) -> list[str]:
    """Returns lines about other networks that train on real images, if any."""
    lines = []
    missing = f"on the real images, where {config.expert_dir} lacks"
    if config.keep_fraction < 1 and config.keep != "random":
        lines.append(f"pruning             {config.keep_epochs} epochs {missing} it")
    for what, times in config.traits.training_ahead(config):
        lines.append(f"{what:<20}{times} epochs {missing} them")
    if config.analysis and config.traits.encoder is Encoder.TRAINED:
        lines.append(
            f"analysis            {config.encoder_epochs} epochs {missing} its encoder"
        )
    return lines


def _bytes_written(config: Config, method: IterativeMethod) -> int:
    pixels = method.synthetic_set.pixels()
    # Each checkpoint kept holds the method's state; the export holds the images again,
    # stored and (if different) decoded.
    kept = config.iterations // config.checkpoint_every + 1
    if config.keep_checkpoints:
        kept = min(kept, config.keep_checkpoints)
    state = method.state_bytes * kept + pixels.nbytes
    if config.formation_factor > 1:
        state += pixels.nbytes * config.formation_factor**2
    if config.select == "best_validation":
        state += pixels.nbytes
    if config.best_on_test:
        state += pixels.nbytes * -(-config.iterations // config.eval_every)
    pictures = 2
    if config.picture_every:
        pictures += config.iterations // config.picture_every
    if pixels.shape[-1] not in (1, 3):
        return state  # Such images are not drawn.
    # PNG hardly compresses such images. Each is written to a file and to TensorBoard.
    return state + 2 * pictures * grid_array(pixels).nbytes


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
