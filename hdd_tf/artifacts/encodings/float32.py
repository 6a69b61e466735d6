"""Float images, bit for bit, in a TFDS folder of TFRecords."""

import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hdd_tf.artifacts.encodings import tfds_folder
from hdd_tf.artifacts.encodings.base import Encoding, check_bytes, num_logits


class Float32(Encoding):
    """Lossless: values outside 0-255 and fractions are kept."""

    name = "float32"
    files = tfds_folder.FILES

    def write(
        self,
        directory: pathlib.Path,
        images: np.ndarray,
        labels: np.ndarray,
        metadata: Mapping[str, Any],
        label_logits: np.ndarray | None = None,
    ) -> dict[str, Any]:
        """Writes records with a list of floats each; see the base class."""
        # Imported here because it takes seconds, and reading a set does not need it.
        import tensorflow_datasets as tfds

        tfds_folder.write_records(directory, images, labels, label_logits)
        tfds_folder.write_tfds_metadata(
            directory,
            tfds.features.Tensor(shape=images.shape[1:], dtype=np.float32),
            num_records=len(images),
            label_names=[str(name) for name in metadata["label_names"]],
            description=f"{metadata['dataset']} distilled by hdd_tf, float images "
            "on the 0-255 scale, not clipped; see hdd_tf.json.",
            num_logits=num_logits(metadata),
        )
        return {}

    def read(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Reads the records; see the base class."""
        size = (directory / tfds_folder.RECORDS_FILE).stat().st_size
        check_bytes(metadata, size, per_value=4)
        return tfds_folder.read_records(
            directory,
            metadata["num_images"],
            metadata["image_shape"],
            num_logits(metadata),
        )

    def foreign_files(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> Iterable[pathlib.Path]:
        """Returns foreign files of records."""
        return tfds_folder.other_records(directory)
