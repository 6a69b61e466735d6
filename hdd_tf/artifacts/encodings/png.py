"""Eight-bit images in a TFDS folder, in the PNG of TFDS's own `Image` feature."""

import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hdd_tf.artifacts.encodings import pixels, tfds_folder
from hdd_tf.artifacts.encodings.base import Encoding, check_bytes, num_logits


class Png(Encoding):
    """Clipped and rounded images, for every pipeline that reads images of TFDS."""

    name = "png"
    files = tfds_folder.FILES
    outside_range = False

    def write(
        self,
        directory: pathlib.Path,
        images: np.ndarray,
        labels: np.ndarray,
        metadata: Mapping[str, Any],
        label_logits: np.ndarray | None = None,
    ) -> dict[str, Any]:
        """Writes records with a PNG file each; see the base class."""
        # Imported here because it takes seconds, and reading a set does not need it.
        import tensorflow_datasets as tfds

        encoded = pixels.encode_png(pixels.to_uint8(images))
        tfds_folder.write_records(directory, encoded, labels, label_logits)
        tfds_folder.write_tfds_metadata(
            directory,
            tfds.features.Image(shape=images.shape[1:], encoding_format="png"),
            num_records=len(images),
            label_names=[str(name) for name in metadata["label_names"]],
            description=f"{metadata['dataset']} distilled by hdd_tf, clipped and "
            "rounded to 8 bits; see hdd_tf.json.",
            num_logits=num_logits(metadata),
        )
        return pixels.quantisation(images, metadata)

    def read(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Reads the records and decodes their images; see the base class."""
        size = (directory / tfds_folder.RECORDS_FILE).stat().st_size
        check_bytes(metadata, size, pixels.FEWEST_BYTES)
        files, labels, label_logits = tfds_folder.read_records(
            directory, metadata["num_images"], num_logits=num_logits(metadata)
        )
        images = pixels.decode_png(list(files), metadata["image_shape"])
        return images, labels, label_logits

    def foreign_files(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> Iterable[pathlib.Path]:
        """Returns foreign files of records."""
        return tfds_folder.other_records(directory)
