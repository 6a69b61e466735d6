"""Times the distillation step beside the bare convolutions it cannot do without.

    python benchmarks/step_against_convolutions.py [--classes 10] [--ipc 10] ...

Both are timed in turn in one process and the ratio is what counts: absolute times
depend on the machine and on what else it does. "Bare convolutions" are the forward
passes of the network's three convolutions for all real and synthetic images of a step,
and the backward passes to the inputs for the synthetic ones; nothing else.
`benchmarks/bench.py` times this and more.
"""

import argparse

from bare_convolutions import step_convolutions
from timing import ratio, seconds, time_in_turn
from workloads import distillation_step, step_run

from hdd_tf.cli.memory_allocator import keep_freed_memory
from hdd_tf.cli.tensorflow_import import add_in_one_order
from hdd_tf.data.memory import peak_memory


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
    parser.add_argument("--precision", default="float32", help="of both")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only_step", action="store_true", help="for its memory")
    arguments = parser.parse_args()
    keep_freed_memory()  # As the command does; it serves both sides.
    shape = arguments.size, arguments.size, arguments.channels
    step = step_run(
        distillation_step(
            arguments.classes,
            shape,
            ipc=arguments.ipc,
            width=arguments.width,
            geometry=arguments.geometry,
            precision=arguments.precision,
            real_batch=arguments.real_batch,
            max_images_per_forward=arguments.max_images,
        )
    )
    if arguments.only_step:
        step()
        print(f"step {seconds(step):.3f} s")
    else:
        convolutions = step_convolutions(
            arguments.classes * arguments.real_batch,
            arguments.classes * arguments.ipc,
            shape,
            arguments.width,
            precision=arguments.precision,
        )
        runs = {"step": step, "convolutions": convolutions}
        taken = time_in_turn(runs, arguments.pairs).values()
        for step_seconds, bare in zip(*taken, strict=True):
            print(
                f"step {step_seconds:.3f} s, convolutions {bare:.3f} s, "
                f"ratio {step_seconds / bare:.3f}"
            )
        print(f"median ratio {ratio(*taken).median:.3f}")
    print(f"peak memory {peak_memory() / 2**30:.2f} GiB")


if __name__ == "__main__":
    add_in_one_order()  # As the command does, in a process of its own.
    main()
