"""Eight-bit images: the rounding of floats, and PNG files."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.errors import InputError

# Bytes of a file per image value: Deflate, which PNG uses, packs at most 1032 bytes
# into one.
FEWEST_BYTES = 1 / 1032
_ROUNDING = "clipped to [0, 255], then rounded to the nearest integer, ties to even"
# Signature, length and type of the first chunk, which is always the header.
_PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_COLOUR_TYPE = {1: 0, 3: 2}


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Clips images to 0-255 and rounds them.

    Args:
        images: `[n, h, w, c]` float32 on the 0-255 scale.

    Returns:
        `[n, h, w, c]` uint8.

    Raises:
        InputError: a value is NaN or infinite.
    """
    if not np.isfinite(images).all():
        raise InputError(
            "the images hold values that are not finite: pixels cannot; take an "
            "earlier checkpoint, or another encoding"
        )
    return np.rint(np.clip(images, 0, 255)).astype(np.uint8)


def quantisation(images: np.ndarray, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the entry of hdd_tf.json that describes the rounding of images.

    Args:
        images: `[n, h, w, c]` float32, before the rounding.
        metadata: Metadata of the set. Images that an earlier export rounded keep that
            export's entry.
    """
    if "quantisation" in metadata and np.array_equal(to_uint8(images), images):
        return {"quantisation": metadata["quantisation"]}
    clipped = (images < 0) | (images > 255)
    return {
        "quantisation": {
            "rounding": _ROUNDING,
            "clipped_fraction": round(float(clipped.mean()), 6),
        }
    }


def encode_png(images: np.ndarray) -> np.ndarray:
    """Returns `[n]` PNG files, as bytes, of `[n, h, w, c]` uint8 images.

    Raises:
        InputError: the images are neither gray nor RGB.
    """
    if images.shape[-1] not in _COLOUR_TYPE:
        raise InputError(
            f"PNG holds images of 1 or 3 channels, not {images.shape[-1]}: take "
            "another encoding"
        )
    return tf.io.encode_png(images).numpy()


def decode_png(files: Sequence[bytes], image_shape: Sequence[int]) -> np.ndarray:
    """Decodes PNG files of one shape.

    Args:
        files: `[n]` contents of the files.
        image_shape: `[h, w, c]` of each image, compared with the file's header before
            the image is decoded.

    Returns:
        `[n, h, w, c]` float32 with the values 0, 1, ..., 255.

    Raises:
        ValueError: a file is not an 8-bit PNG of that shape.
        tf.errors.OpError: a file is damaged.
    """
    height, width, channels = image_shape
    head = _PNG_START + width.to_bytes(4, "big") + height.to_bytes(4, "big")
    # Bit depth, colour type, and the default compression, filter and interlacing.
    head += bytes([8, _COLOUR_TYPE.get(channels, 0xFF), 0, 0, 0])
    for number, file in enumerate(files):
        if file[: len(head)] != head:
            raise ValueError(f"image {number} is no 8-bit PNG of {image_shape}")
    images = np.empty([len(files), *image_shape], np.float32)
    batches = (
        tf.data.Dataset.from_generator(
            lambda: iter(files), output_signature=tf.TensorSpec([], tf.string)
        )
        .map(lambda file: tf.io.decode_png(file, channels), tf.data.AUTOTUNE)
        .batch(256)
    )
    done = 0
    for batch in batches.as_numpy_iterator():
        images[done : done + len(batch)] = batch
        done += len(batch)
    return images
