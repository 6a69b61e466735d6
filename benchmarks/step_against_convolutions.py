"""Times the distillation step beside the bare convolutions it cannot do without.

    python benchmarks/step_against_convolutions.py [--classes 10] [--ipc 10] ...

Both are timed in turn in one process and the ratio is what counts: absolute times
depend on the machine and on what else it does. "Bare convolutions" are the forward
passes of the network's three convolutions for all real and synthetic images of a step,
and the backward passes to the inputs for the synthetic ones; nothing else.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.cli.memory_allocator import keep_freed_memory
from hdd_tf.config import Config
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.registry import build_step
from hdd_tf.reading.loading import dataset_from_arrays


def bare_convolutions(
    num_real: int, num_synthetic: int, size: int, channels: int, width: int
) -> Callable[[], None]:
    """Returns a function that runs the convolutions of one step at depth 3."""
    inputs = [(size, channels), (size // 2, width), (size // 4, width)]
    maps = {
        count: [tf.random.normal([count, side, side, c]) for side, c in inputs]
        for count in {min(num_real, 2560), num_synthetic}
    }
    kernels = [tf.random.normal([3, 3, c, width]) for _, c in inputs]
    # More images than this would only take more memory: repeat them.
    repeats, real_maps = num_real / 2560, maps[min(num_real, 2560)]

    @tf.function
    def run() -> tf.Tensor:
        total = tf.constant(0.0)
        for _ in tf.range(max(1, round(repeats))):
            for kernel, real in zip(kernels, real_maps, strict=True):
                total += tf.nn.conv2d(real, kernel, 1, "SAME")[0, 0, 0, 0]
        for kernel, synthetic in zip(kernels, maps[num_synthetic], strict=True):
            with tf.GradientTape() as tape:
                tape.watch(synthetic)
                output = tf.nn.conv2d(synthetic, kernel, 1, "SAME")
            gradient = tape.gradient(output, synthetic)
            total += output[0, 0, 0, 0] + gradient[0, 0, 0, 0]
        return total

    return lambda: run().numpy()


def distillation_step(arguments: argparse.Namespace) -> Callable[[], None]:
    """Returns a function that runs one iteration with the published settings."""
    count, size = arguments.real_batch * 2, arguments.size
    labels = np.repeat(np.arange(arguments.classes), count)
    shape = (len(labels), size, size, arguments.channels)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    config = Config(
        dataset="arrays", ipc=arguments.ipc, width=arguments.width, loss_weight=20.0,
        geometry=arguments.geometry, real_batch=arguments.real_batch,
        max_images_per_forward=arguments.max_images,
    )  # fmt: skip
    dataset = dataset_from_arrays(images, labels)
    network = matched_network(config, dataset.image_shape, arguments.classes)
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    step = build_step(MethodContext(config, dataset, network, strategy))
    done = iter(range(10**9))
    return lambda: step.run(next(done), 1)["gradient_norm"].numpy()


def seconds(run: Callable[[], None]) -> float:
    """Returns the wall time of one call."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def main() -> None:
    """Prints the times of both, pair by pair, and the ratio's median."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--ipc", type=int, default=10)
    parser.add_argument("--real_batch", type=int, default=256)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--max_images", type=int, default=0)
    parser.add_argument("--geometry", default="hyperbolic")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only_step", action="store_true", help="for its memory")
    arguments = parser.parse_args()
    keep_freed_memory()  # As the command does; it serves both sides.
    step = distillation_step(arguments)
    if arguments.only_step:
        step()
        print(f"step {seconds(step):.3f} s")
    else:
        convolutions = bare_convolutions(
            arguments.classes * arguments.real_batch,
            arguments.classes * arguments.ipc,
            arguments.size,
            arguments.channels,
            arguments.width,
        )
        step(), convolutions()
        pairs = [(seconds(step), seconds(convolutions)) for _ in range(arguments.pairs)]
        for step_seconds, bare in pairs:
            print(
                f"step {step_seconds:.3f} s, convolutions {bare:.3f} s, "
                f"ratio {step_seconds / bare:.3f}"
            )
        median = statistics.median(step / bare for step, bare in pairs)
        print(f"median ratio {median:.3f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak:.2f} GiB")


if __name__ == "__main__":
    main()
