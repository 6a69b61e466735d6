import pathlib
import tempfile
from typing import ClassVar
from unittest import mock

import numpy as np
import pytest
import requests
import tensorflow_datasets as tfds
from PIL import Image

from hdd_tf.errors import InputError
from hdd_tf.reading.imagenet_builders import Imagewoof, TinyImagenet
from hdd_tf.reading.loading import load_dataset
from hdd_tf.reading.unpacked import ARCHIVES, IMAGEWOOF_CLASSES

# In the `dev` extra; an environment that was made before may lack it.
pytest.importorskip("dill", reason="tfds.testing needs dill")

RNG = np.random.default_rng(0)


def draw(path, height, width, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    # Few pixels enlarged, so that there are many such files in little time.
    pixels = RNG.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    image = Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST)
    image.convert(mode).save(path)


def make_tiny_imagenet(root):
    wnids = [f"n{index:08}" for index in range(200)]
    for wnid in wnids:
        mode = "L" if wnid.endswith("3") else "RGB"
        images = root / "train" / wnid / "images"
        draw(images / f"{wnid}_0.JPEG", 64, 64, mode)
    for index in range(3):
        draw(root / "val" / "images" / f"val_{index}.JPEG", 64, 64)
    lines = [
        f"val_{index}.JPEG\t{wnids[9 - index]}\t0\t0\t9\t9\n" for index in range(3)
    ]
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    draw(root / "test" / "images" / "test_0.JPEG", 64, 64)
    (root / "wnids.txt").write_text("\n".join(reversed(wnids)))
    words = [f"{wnid}\tthing {index}, object\n" for index, wnid in enumerate(wnids)]
    (root / "words.txt").write_text("".join(words))


def make_imagewoof(root):
    for index, wnid in enumerate(IMAGEWOOF_CLASSES):
        draw(root / "train" / wnid / f"{wnid}_1.JPEG", 160, 200 + index)
        draw(root / "val" / wnid / f"{wnid}_2.JPEG", 213, 160)


class _ArchiveTest:
    """Makes what an archive unpacks to before TFDS's own tests run on it."""

    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.EXAMPLE_DIR = directory.name
        cls.make(pathlib.Path(directory.name) / cls.FOLDER)
        super().setUpClass()

    def test_prepared_is_what_is_read_unpacked(self):
        def unpack(manager, url):
            self.assertEqual(url, ARCHIVES[self.builder.name].url)
            return pathlib.Path(self.EXAMPLE_DIR)

        with (
            mock.patch.object(
                tfds.download.DownloadManager, "download_and_extract", unpack
            ),
            mock.patch.object(requests, "head"),  # The hosts can be reached.
        ):
            prepared = load_dataset(self.builder.name, self.tmp_dir, 0.0, seed=0)
        unpacked = load_dataset(self.builder.name, self.EXAMPLE_DIR, 0.0, seed=0)
        self.assertEqual(prepared.label_names, unpacked.label_names)
        for split in ("training", "test"):
            first, second = getattr(prepared, split), getattr(unpacked, split)
            np.testing.assert_array_equal(first.images, second.images)
            np.testing.assert_array_equal(first.labels, second.labels)


class TinyImagenetTest(_ArchiveTest, tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = TinyImagenet
    SPLITS: ClassVar = {"train": 200, "validation": 3}
    FOLDER = "tiny-imagenet-200"
    make = staticmethod(make_tiny_imagenet)


class ImagewoofTest(_ArchiveTest, tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = Imagewoof
    SPLITS: ClassVar = {"train": 10, "validation": 10}
    SKIP_CHECKSUMS = True
    FOLDER = "imagewoof2-160"
    make = staticmethod(make_imagewoof)


def test_an_archive_that_has_changed(tmp_path, monkeypatch):
    builder = Imagewoof(data_dir=tmp_path)
    monkeypatch.setattr(
        tfds.download.DownloadManager, "download_and_extract", lambda *_: tmp_path
    )
    with pytest.raises(InputError, match=r"does not unpack to imagewoof\*"):
        builder.download_and_prepare()
