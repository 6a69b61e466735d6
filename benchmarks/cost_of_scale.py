"""What an iteration costs as classes and images per class grow, and what follows.

    python benchmarks/cost_of_scale.py

Runs the real step on random images in memory, fits

    CPU seconds = fixed + per_image * classes * (real + 2 * synthetic)

(synthetic images are also gone back through), and says what that makes of ImageNet-1K,
with the bytes that are sent and held, which are counted rather than measured.
"""

import argparse

import numpy as np
from cost_curves import Sizes, step_seconds

from hdd_tf.data.memory import peak_memory


def main() -> None:
    """Measures, fits, and prints a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--classes", type=int, nargs="+", default=[10, 40, 160])
    parser.add_argument("--ipc", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--real", type=int, default=64, help="real images of a class")
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--width", type=int, default=32)
    arguments = parser.parse_args()
    sizes = Sizes(real=arguments.real, width=arguments.width, base_side=arguments.side)
    rows, seconds = [], []
    print("classes  ipc  CPU s/iteration  peak memory (GiB)")
    for classes in arguments.classes:
        for ipc in arguments.ipc:
            spent = step_seconds(sizes, ipc=ipc, classes=classes)
            rows.append([1.0, classes * (arguments.real + 2 * ipc)])
            seconds.append(spent)
            peak = peak_memory() / 2**30
            print(f"{classes:7}  {ipc:3}  {spent:15.2f}  {peak:17.2f}", flush=True)
    matrix, values = np.array(rows), np.array(seconds)
    # Relative errors count, not those of the largest.
    solution = np.linalg.lstsq(
        matrix / values[:, None], np.ones_like(values), rcond=None
    )[0]
    errors = matrix @ solution / values - 1
    print(
        f"fit: {solution[0]:.2f} s + {1e3 * solution[1]:.3f} ms an image; off by "
        f"{100 * np.abs(errors).max():.0f} % at most"
    )
    for side in (64, 128, 224):
        for ipc in (1, 10):
            stored = 1000 * ipc * side * side * 3 * 4
            images = 1000 * (arguments.real + 2 * ipc)
            work = images * solution[1] * (side / arguments.side) ** 2
            print(
                f"ImageNet-1K {side}x{side}, ipc {ipc}: {work:.0f} CPU s an iteration "
                f"at width {arguments.width}; {stored / 2**20:.0f} MiB sent, "
                f"{3 * stored / 2**30:.1f} GiB of images, velocity and gradient held"
            )


if __name__ == "__main__":
    main()
