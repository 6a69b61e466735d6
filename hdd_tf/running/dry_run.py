"""The dry run: the cost of a run, measured before the run starts."""

import dataclasses
import time
from collections.abc import Hashable

import tensorflow as tf

from hdd_tf.analysis.pruning import pruned_dataset
from hdd_tf.analysis.trained_weights import check_place_of_encoder
from hdd_tf.artifacts.pictures import grid_array
from hdd_tf.config import Config
from hdd_tf.data.memory import peak_memory
from hdd_tf.distillation.method import IterativeMethod, Work
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.distributed.replica_sums import counted_sums
from hdd_tf.files.disk_room import size_text
from hdd_tf.methods.traits import Kind
from hdd_tf.objectives.building import build_method, build_step
from hdd_tf.random_keys import derive_key
from hdd_tf.running.costs.further_memory import check_further_memory
from hdd_tf.running.costs.works import Costs

_TIMED_ITERATIONS = 2
# Iterations whose kind is asked for, in about a second.
_MOST_ASKED = 1_000_000


def estimate_run(run: RunContext) -> str:
    """Runs a few iterations without writing, and returns the cost of the whole run.

    Args:
        run: The experiment.

    Returns:
        Lines of text for people: time, memory and bytes to write.
    """
    config = run.config
    check_further_memory(run)
    check_place_of_encoder(run)
    if config.traits.is_selection:
        return _estimate_selection(run)
    # A random choice keeps the same number of images, and needs no training.
    as_many = dataclasses.replace(config, keep="random")
    dataset = pruned_dataset(dataclasses.replace(run, config=as_many))
    step = build_step(run.method_context(dataset, dry_run=True), gathers=False)
    kinds = _kinds(step.method, config.iterations)
    seconds, sent = zip(*(_measured(step, first) for first, _ in kinds), strict=True)
    step.method.gather()
    total = sum(s * count for s, (_, count) in zip(seconds, kinds, strict=True))
    timing = f"{seconds[0]:.3f} s"
    if len(kinds) > 1:
        timing = ", ".join(
            f"{s:.3f} s in {count:,} of them"
            for s, (_, count) in zip(seconds, kinds, strict=True)
        )
    times = _times(config)
    stages = step.method.stages()
    return "\n".join(
        [
            f"{dataset.name}: {len(dataset.training.labels):,} training images of "
            f"{dataset.num_classes} classes, distilled to "
            f"{config.ipc * dataset.num_classes:,}",
            f"time per iteration  {timing} ({_duration(total)} for "
            f"{config.iterations:,}{times})",
            *_lines(stages),
            *_sent(run, step.method, max(sent)),
            *_whole_cost(run, total + sum(stage.seconds for stage in stages)),
            f"to be written       {_bytes_written(run, step.method) / 2**20:.1f} "
            f"MiB to {config.run_dir}{times}",
            "nothing was written",
        ]
    )


def _kinds(method: IterativeMethod, iterations: int) -> list[tuple[int, int]]:
    """Returns the first iteration of each kind and the number of those of the kind."""
    kinds: dict[Hashable, tuple[int, int]] = {}
    for iteration in range(min(iterations, _MOST_ASKED)):
        kind = method.kind_of(iteration)
        first, count = kinds.get(kind, (iteration, 0))
        kinds[kind] = first, count + 1
    # Whatever comes later is like the last.
    kinds[kind] = first, count + 1 + max(0, iterations - _MOST_ASKED)
    return list(kinds.values())


def _measured(step: DistillationStep, start: int) -> tuple[float, int]:
    """Measures an iteration.

    Returns:
        Its seconds, measured or reckoned; and the bytes that its devices sum up, or 0
        if an iteration of the same graph was measured before.
    """
    with counted_sums() as sums:
        step.run(start, 1)  # Traces the graph.
    began = time.perf_counter()
    for _ in range(_TIMED_ITERATIONS):
        step.run(start, 1)["gradient_norm"].numpy()
    seconds = (time.perf_counter() - began) / _TIMED_ITERATIONS
    return seconds / step.method.dry_run_share, sum(sums)


def _sent(run: RunContext, method: IterativeMethod, sums: int) -> list[str]:
    """Returns a line about what devices send each other, if there are several.

    Args:
        run: The experiment.
        method: The method, after `assemble`.
        sums: Bytes that all devices sum up in an iteration.
    """
    devices = run.strategy.num_replicas_in_sync
    # Other methods sum up in loops, whose lengths the graph does not tell.
    if devices == 1 or run.config.traits.kind is not Kind.CLASS_WISE:
        return []
    gathered = method.gathered_bytes
    more = f", and {size_text(gathered)} of images are gathered where they are saved"
    return [
        f"sent an iteration   {size_text(sums)} by each of {devices} devices"
        + more * (gathered > 0)
    ]


def _estimate_selection(run: RunContext) -> str:
    """Returns the cost of a set without iterations: its networks and its stages."""
    config, dataset = run.config, run.dataset
    training = dataset.training
    count, times = len(training.labels), _times(config)
    method = build_method(run.method_context(dataset, dry_run=True))
    method.train_ahead()
    stages = method.stages()
    lines = _lines(stages)
    if not stages and config.traits.trains_network:
        lines = [
            "choice              a network trains; features and the choice itself are "
            "not counted"
        ]
    elif not stages:
        lines = ["choice              no network to train"]
    made = "are chosen by" if config.traits.is_coreset else "images are made by"
    size = config.ipc * dataset.num_classes
    # The export is float32, and its picture is small in comparison.
    bytes_written = 4 * size * training.images[0].size
    return "\n".join(
        [
            f"{dataset.name}: {count:,} training images of {dataset.num_classes} "
            f"classes, of which {size:,} {made} {config.objective}",
            *lines,
            *_whole_cost(run, sum(stage.seconds for stage in stages)),
            f"to be written       {bytes_written / 2**20:.1f} MiB to "
            f"{config.run_dir}{times}",
            "nothing was written",
        ]
    )


def _lines(works: list[Work]) -> list[str]:
    return [
        f"{work.name:<19} {work.count}: {_duration(work.seconds)}" for work in works
    ]


def _times(config: Config) -> str:
    experiments = config.num_experiments
    return f", {experiments} times" if experiments > 1 else ""


def _whole_cost(run: RunContext, seconds: float) -> list[str]:
    """Returns lines about all other work, the total, and memory.

    Args:
        run: The experiment.
        seconds: Seconds of the iterations, or of the choice of images.
    """
    costs, config = Costs(run), run.config
    works = [*costs.before(), *costs.scores(), *costs.analysis()]
    total = seconds + sum(work.seconds for work in works)
    lines = _lines(works)
    several = config.num_experiments
    every = f", {_duration(total * several)} for {several} experiments" * (several > 1)
    lines.append(
        f"in all              {_duration(total)}{every} (a step of each was measured; "
        "without start, pictures and files)"
    )
    memory = f"{peak_memory() / 2**30:.2f} GiB (peak of this process)"
    return [*lines, f"memory              {memory}"]


def _bytes_of_analysis(run: RunContext, images: int) -> int:
    """Returns the bytes of the projector's two tables, and of two SavedModels."""
    if not run.config.analysis:
        return 0
    weights = run.network.initial_weights(derive_key(0))
    probe = run.network.features(weights, tf.zeros([1, *run.dataset.image_shape]))
    points = images + min(run.config.analysis_images, len(run.dataset.training.labels))
    values = 2 * points * probe.shape[-1] + 2 * sum(int(tf.size(w)) for w in weights)
    return 4 * values


def _bytes_written(run: RunContext, method: IterativeMethod) -> int:
    config, pixels = run.config, method.synthetic_set.pixels()
    # Each checkpoint kept holds the method's state; the export holds the images again,
    # stored and (if different) decoded.
    kept = config.iterations // config.checkpoint_every + 1
    if config.keep_checkpoints:
        kept = min(kept, config.keep_checkpoints)
    state = method.state_bytes * kept + pixels.nbytes
    images = config.ipc * config.formation_factor**2 * run.dataset.num_classes
    state += _bytes_of_analysis(run, images)
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
