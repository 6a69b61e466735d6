"""Embeddings for TensorBoard's projector: tensors, sprites and metadata.

The files are in the directory of a run's event files. The paths in them are relative,
so that the directory may be moved or copied.
"""

import io
import math
import os
import pathlib

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorboard.plugins import projector

from hdd_tf.analysis.disk_layout import DiskLayout
from hdd_tf.analysis.embeddings import Embeddings
from hdd_tf.errors import InputError
from hdd_tf.files import atomic
from hdd_tf.geometry import coordinates

# TensorBoard looks for this name.
CONFIG_FILE = "projector_config.pbtxt"
_FOLDER = "projector"
# TensorBoard does not support sprite sheets beyond 8192 pixels.
_MOST_THUMBNAIL = 64
_MOST_SHEET = 8192


def write_projector(
    directory: str | os.PathLike, embeddings: Embeddings, layout: DiskLayout | None
) -> None:
    """Writes the files of TensorBoard's Projector tab.

    Args:
        directory: Directory of a run's event files.
        embeddings: Embeddings whose features and coordinates in the Poincare ball of
            radius 1 are shown.
        layout: Coordinates in the disk; None leaves the disk out.

    Raises:
        InputError: `directory` holds a foreign projector.
    """
    target = pathlib.Path(directory)
    refuse_foreign(target)
    everything = np.arange(len(embeddings.labels))
    point = tf.constant(embeddings.klein), tf.constant(embeddings.log_gamma)
    tensors = [
        ("poincare_ball", coordinates.to_poincare(point, -1.0).numpy(), everything),
        ("features", embeddings.features, everything),
    ]
    if layout:
        # The tab shows points in space, so the disk needs a third coordinate of zeros.
        flat = np.pad(layout.coordinates, [(0, 0), (0, 1)])
        tensors.append(("poincare_disk", flat, layout.rows))
    config = projector.ProjectorConfig()
    for name, tensor, rows in tensors:
        _write_tensor(target, name, tensor.astype(np.float32), config)
        _write_points(target, name, embeddings, rows, config)
    # Last, because the configuration names the other files.
    atomic.write_text(target / CONFIG_FILE, str(config))


def refuse_foreign(directory: pathlib.Path) -> None:
    """Checks that a projector to replace is ours.

    Args:
        directory: Directory of the projector's files.

    Raises:
        InputError: the projector is foreign.
    """
    config = directory / CONFIG_FILE
    if not config.exists():
        return
    lines = config.read_text(encoding="utf-8", errors="replace").splitlines()
    paths = [line for line in lines if "tensor_path:" in line]
    if not paths or not all(f'"{_FOLDER}/' in line for line in paths):
        raise InputError(
            f"{config} is of another projector: name another directory, or move it "
            "away."
        )


def _write_tensor(
    target: pathlib.Path,
    name: str,
    tensor: np.ndarray,
    config: projector.ProjectorConfig,
) -> None:
    entry = config.embeddings.add()
    entry.tensor_name = name
    entry.tensor_path = f"{_FOLDER}/{name}.bytes"
    # TensorBoard reads the raw bytes only with a shape.
    entry.tensor_shape.extend(tensor.shape)
    atomic.write_bytes(target / entry.tensor_path, tensor.tobytes())


def _write_points(
    target: pathlib.Path,
    name: str,
    embeddings: Embeddings,
    rows: np.ndarray,
    config: projector.ProjectorConfig,
) -> None:
    """Writes the metadata and the thumbnails of the points of the newest tensor."""
    entry = config.embeddings[-1]
    entry.metadata_path = f"{_FOLDER}/{name}.tsv"
    atomic.write_text(target / entry.metadata_path, _metadata(embeddings, rows))
    sheet, width, height = _sprites(embeddings.images[rows])
    entry.sprite.image_path = f"{_FOLDER}/{name}.png"
    entry.sprite.single_image_dim.extend([width, height])
    atomic.write_bytes(target / entry.sprite.image_path, sheet)


def _metadata(embeddings: Embeddings, rows: np.ndarray) -> str:
    """Returns a table of tab-separated columns with a header."""
    names = ["".join(c if c.isprintable() else " " for c in name)
             for name in embeddings.label_names]  # fmt: skip
    lines = ["label\tkind\tradius\tlorentz_weight"]
    for row in rows:
        kind = "synthetic" if embeddings.synthetic[row] else "real"
        lines.append(
            f"{names[embeddings.labels[row]]}\t{kind}\t{embeddings.radius[row]:.5g}\t"
            f"{embeddings.weight[row]:.5g}"
        )
    return "\n".join(lines) + "\n"


def _sprites(images: np.ndarray) -> tuple[bytes, int, int]:
    """Returns a PNG sheet, and the width and height of a thumbnail on it."""
    across = math.ceil(math.sqrt(len(images)))
    most = min(_MOST_THUMBNAIL, _MOST_SHEET // across)
    height, width = images.shape[1:3]
    factor = min(1.0, most / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    sheet = Image.new("RGB", (across * size[0], across * size[1]))
    for number, image in enumerate(images):
        pixels = image if image.shape[-1] == 3 else image[..., 0]
        thumbnail = Image.fromarray(pixels).convert("RGB").resize(size)
        down, right = divmod(number, across)
        sheet.paste(thumbnail, (right * size[0], down * size[1]))
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG")
    return buffer.getvalue(), *size
