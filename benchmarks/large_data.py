"""Makes a data set of many classes, larger than some bound of memory, of small files.

    python benchmarks/large_data.py --place /tmp/large --classes 1000 --images 64
    hdd-tf --dataset=folder:/tmp/large ...
    python benchmarks/large_data.py --place /tmp/tiny --layout tiny_imagenet
    hdd-tf --dataset=tiny_imagenet --data_dir=/tmp/tiny ...

Each class has a coarse pattern of its own, and its images that pattern with coarse
noise: PNG files of two kilobytes that networks can tell apart. The same arguments make
the same files.
"""

import argparse
import os
import pathlib
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from PIL import Image

_CELLS = 8
_TEST_IMAGES = 2


def main() -> None:
    """Makes the files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--place", type=pathlib.Path, required=True)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--images", type=int, default=64, help="of each class")
    parser.add_argument("--side", type=int, default=64, help="a multiple of 8")
    parser.add_argument(
        "--layout", choices=("folder", "tiny_imagenet"), default="folder"
    )
    given = parser.parse_args()
    is_tiny = given.layout == "tiny_imagenet"
    make = partial(
        write_class, given.place, images=given.images, side=given.side, is_tiny=is_tiny
    )
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(make, range(given.classes), chunksize=8))
    if is_tiny:
        names = [class_name(label) for label in range(given.classes)]
        (given.place / "wnids.txt").write_text("\n".join(names))
    size = given.classes * given.images * given.side**2 * 3
    print(
        f"{given.classes * given.images:,} training images, {size:,} bytes "
        f"({size / 2**20:.0f} MiB) decoded, in {given.place}"
    )


def class_name(label: int) -> str:
    """Returns the name of a class, which looks like one of WordNet."""
    return f"n{label:08}"


def write_class(
    place: pathlib.Path, label: int, images: int, side: int, is_tiny: bool
) -> None:
    """Writes the training and test images of a class."""
    rng = np.random.default_rng(label)
    pattern = rng.integers(0, 256, (_CELLS, _CELLS, 3))
    name = class_name(label)
    training, test = place / "train" / name, place / "test" / name
    if is_tiny:
        training, test = training / "images", place / "val" / name / "images"
    for folder, count in ((training, images), (test, _TEST_IMAGES)):
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            noise = rng.normal(0.0, 40.0, pattern.shape)
            coarse = np.clip(pattern + noise, 0, 255).astype(np.uint8)
            whole = coarse.repeat(side // _CELLS, 0).repeat(side // _CELLS, 1)
            Image.fromarray(whole).save(folder / f"{index:04}.png", compress_level=1)


if __name__ == "__main__":
    main()
