"""Image files of a split as parts that fit into memory."""

import math
import pathlib
from collections.abc import Callable, Iterator

import numpy as np

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data_cache.writing_in_parts import Decoding
from hdd_tf.reading.folders.class_folders import ImageFiles
from hdd_tf.reading.folders.image_files import read_images

# Of a part: many files, so that all threads have some.
_PART = 2**25


def decoding_of_files(
    files: ImageFiles,
    channels: int,
    *sizes: tuple[int, int],
    bits: int = 16,
    on_transparent: Callable[[pathlib.Path], object] = lambda path: None,
) -> Decoding:
    """Returns how image files are decoded a part at a time; see `read_images`.

    Args:
        files: The files.
        channels: 1 for gray, 3 for RGB.
        *sizes: Heights and widths to fit each image to, one after the other.
        bits: As in `read_image`.
        on_transparent: Called with each file that has transparent parts, in order.
    """
    count = max(1, _PART // (channels * math.prod(sizes[-1])))

    def images_from(start: int) -> Iterator[LabelledImages]:
        for first in range(start, len(files.paths), count):
            part = files.take(np.arange(first, min(first + count, len(files.paths))))
            # Without a name, which would keep them while the next ones are decoded.
            yield LabelledImages(
                read_images(
                    part.paths,
                    channels,
                    *sizes,
                    bits=bits,
                    on_transparent=on_transparent,
                ),
                part.labels,
            )

    return Decoding(lambda: files.labels, images_from)
