"""The timing stages of `gpu.py`: iterations, PyTorch beside them, and the roofline."""

import itertools
import statistics
from typing import Any

import tensorflow as tf
from gpu_plan import Plan, Stage
from timing import seconds
from workloads import random_dataset

from hdd_tf.config import Config
from hdd_tf.data.class_store import ClassStore
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distributed.precision import computing_in
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.building import build_step
from hdd_tf.random_keys import derive_key

# Iterations of a call, as `--steps_per_call` has them, and timed calls.
_PER_CALL, _CALLS = 10, 3


def time_steps(plan: Plan, stage: Stage) -> None:
    """Notes the seconds of an iteration in every precision, with and without XLA."""
    stage.note("draw", draw_of_real_images(plan))
    # What matters most comes first, for time may run out.
    for jit_compile, ipc, precision, objective in itertools.product(
        plan.compilations, plan.ipcs, plan.precisions, plan.objectives
    ):
        name = f"{objective} ipc {ipc} {precision} jit_compile={jit_compile}"
        if stage.is_over(name):
            return
        try:
            stage.note(name, timed_step(plan, objective, ipc, precision, jit_compile))
        except (tf.errors.OpError, ValueError) as error:
            # One that fails, as for want of memory, is a result too.
            stage.note(name, {"failed": str(error)[:300]})


def timed_step(
    plan: Plan, objective: str, ipc: int, precision: str, jit_compile: str
) -> dict[str, Any]:
    """Returns the times of a step of the published shapes, and its memory."""
    config = Config(
        dataset="arrays", objective=objective, ipc=ipc, width=plan.width,
        depth=plan.depth, real_batch=plan.real_images(objective, ipc),
        loss_weight=20.0, num_experts=1, precision=precision, jit_compile=jit_compile,
    )  # fmt: skip
    per_class = max(2 * config.real_batch, ipc * config.formation_factor**2)
    dataset = random_dataset(plan.classes, per_class, plan.image_shape)
    network = matched_network(config, plan.image_shape, plan.classes)
    strategy = tf.distribute.OneDeviceStrategy(plan.device)
    context = MethodContext(config, dataset, network, strategy, dry_run=True)
    on_gpu = plan.device.startswith("GPU")
    if on_gpu:
        tf.config.experimental.reset_memory_stats(plan.device)
    with computing_in(precision):
        step = build_step(context)
        done = itertools.count(0, _PER_CALL)

        def call() -> None:
            step.run(next(done), _PER_CALL)["gradient_norm"].numpy()

        first = seconds(call)
        taken = [seconds(call) / _PER_CALL for _ in range(_CALLS)]
    each = statistics.median(taken)
    found = {
        "seconds of an iteration": each,
        "least and most": [min(taken), max(taken)],
        "seconds of tracing and compiling": first - _PER_CALL * each,
        "traces": step.trace_count,
        "images on": _device_of(step.method.synthetic_set.images),
        "real batch": config.real_batch,
    }
    if on_gpu:
        memory = tf.config.experimental.get_memory_info(plan.device)
        found["peak GiB"] = memory["peak"] / 2**30
    return found


def draw_of_real_images(plan: Plan) -> dict[str, Any]:
    """Returns where real images are drawn, and what drawing and sending them takes.

    They lie in the host's memory, and a batch is sent as bytes.
    """
    count = plan.real_images(plan.objectives[0], plan.ipcs[0])
    dataset = random_dataset(plan.classes, 2 * count, plan.image_shape)
    training = dataset.training
    store = ClassStore(
        training.images, training.labels, plan.classes, dataset.normalisation
    )

    @tf.function
    def draw(number: tf.Tensor) -> tf.Tensor:
        rows, _ = store.draw_indices(derive_key(0, number), count)
        with tf.device(plan.device):
            return tf.reduce_sum(store.gather(rows))

    numbers = iter(range(10**9))

    def call() -> None:
        draw(tf.constant(next(numbers))).numpy()

    call()
    taken = statistics.median(seconds(call) for _ in range(2 * _CALLS))
    return {"images lie on": _device_of(store.sizes), "seconds of a batch": taken}


def time_torch(plan: Plan, stage: Stage) -> None:
    """Notes the seconds of DM's iteration in PyTorch, on the same card."""
    try:
        import torch
        from torch_step import TorchOptions, matching_step
    except ImportError:
        stage.note("left out", "PyTorch is not installed")
        return
    device = "cpu" if plan.dry else "cuda"
    if not plan.dry and not torch.cuda.is_available():
        stage.note("left out", "PyTorch sees no card")
        return
    stage.note("version", str(torch.__version__))
    ways = {
        "tf32": TorchOptions(device, tf32=True),
        "float32": TorchOptions(device, tf32=False),
        "tf32 channels-last": TorchOptions(device, channels_last=True, tf32=True),
    }
    for ipc, (name, options) in itertools.product(plan.ipcs, ways.items()):
        if stage.is_over(f"ipc {ipc} {name}"):
            return
        run = matching_step(
            options, plan.classes, ipc, plan.real_images("dm", ipc), plan.image_shape,
            plan.width,
        )  # fmt: skip
        run(), run()
        taken = [seconds(run) for _ in range(_CALLS * _PER_CALL)]
        stage.note(f"ipc {ipc} {name}", {"seconds": statistics.median(taken)})


def roofline(plan: Plan, stage: Stage) -> None:
    """Notes the card's measured peaks, and the floors of DM's iteration by them."""
    with tf.device(plan.device):
        bandwidth = _bytes_per_second(plan)
        stage.note("copy, GB/s", bandwidth / 1e9)
        peaks = {p: _flops_per_second(plan, p) for p in plan.precisions}
    stage.note("product, TFLOP/s", {p: peak / 1e12 for p, peak in peaks.items()})
    for ipc in plan.ipcs:
        real, made = (
            plan.classes * count for count in (plan.real_images("dm", ipc), ipc)
        )
        flops, moved = step_work(plan, real, made)
        for precision, peak in peaks.items():
            floors = {"product": flops / peak, "memory": moved / bandwidth}
            stage.note(
                f"floors ipc {ipc} {precision}, s",
                floors | {"FLOPs": flops, "bytes": moved},
            )


def step_work(plan: Plan, real: int, made: int) -> tuple[int, int]:
    """Counts the least work of an iteration of DM, from the shapes of its maps.

    Convolutions: forward for every image, and backward to the images for synthetic
    ones. Memory: a block reads its input and writes its map, and reads the map to
    write what it is after norm, ReLU and pooling; float32, and thrice for synthetic
    images, whose gradient takes the way back and reads what the way there wrote.

    Args:
        plan: The plan, with shapes of images and network.
        real: Real images of an iteration.
        made: Synthetic images of an iteration.

    Returns:
        FLOPs, with two for a product and its sum, and bytes.
    """
    side, _, channels = plan.image_shape
    flops = moved = 0
    for _ in range(plan.depth):
        pixels = side * side
        flops += 2 * 9 * channels * plan.width * pixels * (real + 2 * made)
        values = pixels * (channels + 2 * plan.width + plan.width // 4)
        moved += 4 * values * (real + 3 * made)
        side, channels = side // 2, plan.width
    return flops, moved


def _flops_per_second(plan: Plan, precision: str) -> float:
    dtype = "bfloat16" if precision == "bfloat16" else "float32"
    with computing_in(precision):
        factor = tf.cast(tf.random.normal([plan.product] * 2), dtype)

        def work() -> None:
            for _ in range(_PER_CALL):
                product = tf.linalg.matmul(factor, factor)
            product[0, 0].numpy()

        work()
        taken = min(seconds(work) for _ in range(_CALLS))
    return _PER_CALL * 2 * plan.product**3 / taken


def _bytes_per_second(plan: Plan) -> float:
    values = tf.zeros([plan.copied])

    def work() -> None:
        for _ in range(_PER_CALL):
            copy = values + 1.0
        copy[0].numpy()

    work()
    taken = min(seconds(work) for _ in range(_CALLS))
    return _PER_CALL * 2 * 4 * plan.copied / taken


def _device_of(value: Any) -> str:
    """Returns the short name of the device that a variable or tensor lies on."""
    device = value.values[0].device if hasattr(value, "values") else value.device
    return str(device).split("device:")[-1]
