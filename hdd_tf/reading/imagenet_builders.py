"""TFDS builders of TinyImageNet and ImageWoof; importing this registers them."""

import os
import pathlib
from collections.abc import Iterator
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from hdd_tf.errors import InputError
from hdd_tf.reading.class_folders import ImageFiles
from hdd_tf.reading.image_files import read_image
from hdd_tf.reading.unpacked import (
    ARCHIVES,
    IMAGEWOOF_CLASSES,
    find_unpacked,
    list_unpacked,
)


class _ArchiveBuilder(  # type: ignore[call-arg]
    tfds.core.GeneratorBasedBuilder, skip_registration=True
):
    """A set of `unpacked.ARCHIVES`.

    Images are stored as PNG, so that they are exactly what Pillow decodes: the same
    whether a set is read prepared or from its unpacked files. For the same reason
    examples are not shuffled.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "Initial release."}

    def _make_info(
        self, label: tfds.features.ClassLabel, description: str, homepage: str
    ) -> tfds.core.DatasetInfo:
        size = ARCHIVES[self.name].size
        return tfds.core.DatasetInfo(
            builder=self,
            description=description,
            homepage=homepage,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(
                        shape=(size, size, 3), encoding_format="png"
                    ),
                    "label": label,
                }
            ),
            supervised_keys=("image", "label"),
            disable_shuffling=True,
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        extracted = dl_manager.download_and_extract(ARCHIVES[self.name].url)
        folder = find_unpacked(self.name, pathlib.Path(os.fspath(extracted)))
        if folder is None:
            raise InputError(
                f"the archive of {self.name} does not unpack to "
                f"{ARCHIVES[self.name].folders} with train/ and val/: it has changed."
            )
        files = list_unpacked(self.name, folder)
        if self.name == "tiny_imagenet":  # Its names come with the archive.
            self.info.features["label"].names = list(files.label_names)
        return {
            "train": self._generate_examples(files.training, files.label_names),
            "validation": self._generate_examples(files.test, files.label_names),
        }

    def _generate_examples(
        self, files: ImageFiles, label_names: tuple[str, ...]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        size = ARCHIVES[self.name].size
        for path, label in zip(files.paths, files.labels, strict=True):
            label_name = label_names[label]
            image = read_image(path, 3, (size, size))
            yield f"{label_name}/{path.name}", {"image": image, "label": label_name}


class TinyImagenet(_ArchiveBuilder):
    """200 classes of ImageNet at 64x64 pixels.

    The split `test` of the archive has no labels and is left out; scores are published
    on `validation`.
    """

    # As those record it who have downloaded the file.
    url_infos: ClassVar = {
        ARCHIVES["tiny_imagenet"].url: tfds.core.download.checksums.UrlInfo(
            size=248_100_043,
            checksum="6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
            filename="tiny-imagenet-200.zip",
        )
    }

    def _info(self) -> tfds.core.DatasetInfo:
        return self._make_info(
            tfds.features.ClassLabel(num_classes=200),
            "200 classes of ImageNet, 500 training and 50 validation images each, "
            "64x64 pixels.",
            "http://cs231n.stanford.edu/",
        )


class Imagewoof(_ArchiveBuilder):
    """10 breeds of dogs of ImageNet, the centre of each image at 128x128 pixels.

    No checksum of the archive is known here: TFDS records that of what it downloads,
    but has nothing to compare it with.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        return self._make_info(
            tfds.features.ClassLabel(names=list(IMAGEWOOF_CLASSES.values())),
            "10 breeds of dogs of ImageNet (fastai's second version, 160 px), short "
            "side scaled to 128 pixels and the centre cut out.",
            "https://github.com/fastai/imagenette",
        )
