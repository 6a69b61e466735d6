"""What a run would cost, measured before it starts."""

import resource
import sys
import time

import tensorflow as tf

from hdd_tf.artifacts.pictures import grid_array
from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.assembly import Distillation, build_distillation

_TIMED_ITERATIONS = 2
_KEPT_CHECKPOINTS = 2


def estimate_run(
    config: Config, dataset: Dataset, strategy: tf.distribute.Strategy
) -> str:
    """Runs a few real iterations, writes nothing, and says what a run would cost.

    Args:
        config: The run's settings.
        dataset: The real images.
        strategy: Where to compute.

    Returns:
        Lines for people: time, memory, bytes.
    """
    distillation = build_distillation(config, dataset, strategy)
    distillation.step.run(0, 1)  # Traces the graph.
    began = time.perf_counter()
    distillation.step.run(1, _TIMED_ITERATIONS)["gradient_norm"].numpy()
    seconds = (time.perf_counter() - began) / _TIMED_ITERATIONS
    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    experiments = config.num_experiments
    times = f", {experiments} times" if experiments > 1 else ""
    return "\n".join(
        [
            f"{dataset.name}: {len(dataset.training.labels):,} training images of "
            f"{dataset.num_classes} classes, distilled to "
            f"{config.ipc * dataset.num_classes:,}",
            f"time per iteration  {seconds:.3f} s "
            f"({_duration(seconds * config.iterations)} for {config.iterations:,}, "
            f"without evaluation{times})",
            f"memory              {peak / 2**30:.2f} GiB (peak of this process)",
            f"to be written       {_bytes_written(config, distillation) / 2**20:.1f} "
            f"MiB to {config.run_dir}{times}",
            "nothing was written",
        ]
    )


def _bytes_written(config: Config, distillation: Distillation) -> int:
    pixels = distillation.synthetic_set.pixels()
    # Images, velocities and the objective's state in each checkpoint kept; images once
    # more as the export, and decoded, where that is another.
    objective = sum(
        4 * variable.shape.num_elements()
        for variable in distillation.objective.variables
    )
    state = (2 * pixels.nbytes + objective) * _KEPT_CHECKPOINTS + pixels.nbytes
    if config.formation_factor > 1:
        state += pixels.nbytes * config.formation_factor**2
    pictures = 2
    if config.picture_every:
        pictures += config.iterations // config.picture_every
    if pixels.shape[-1] not in (1, 3):
        return state  # Such images are not drawn.
    # PNG hardly compresses such images; each goes to a file and to TensorBoard.
    return state + 2 * pictures * grid_array(pixels).nbytes


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
