"""Archives, downloaded where they are missing: what is read, and what is left."""

import shutil

import numpy as np
import pytest
import requests
import tensorflow_datasets as tfds

from hdd_tf.errors import InputError
from hdd_tf.reading.loading import load_dataset
from hdd_tf.reading.unpacked import ARCHIVES, IMAGEWOOF_CLASSES


def make_tiny_imagenet(root, draw_image):
    wnids = [f"n{index:08}" for index in range(5)]
    for index, wnid in enumerate(wnids):
        mode = "L" if index == 3 else "RGB"
        draw_image(root / "train" / wnid / "images" / f"{wnid}_0.JPEG", 64, 64, mode)
        draw_image(root / "val" / "images" / f"val_{index}.JPEG", 64, 64)
    lines = [f"val_{i}.JPEG\t{wnid}\t0\t0\t9\t9\n" for i, wnid in enumerate(wnids)]
    (root / "val" / "val_annotations.txt").write_text("".join(reversed(lines)))
    (root / "wnids.txt").write_text("\n".join(reversed(wnids)))
    words = [f"{wnid}\tthing {index}, object\n" for index, wnid in enumerate(wnids)]
    (root / "words.txt").write_text("".join(words))


def make_imagewoof(root, draw_image):
    for index, wnid in enumerate(IMAGEWOOF_CLASSES):
        draw_image(root / "train" / wnid / f"{wnid}_1.JPEG", 160, 200 + index)
        draw_image(root / "val" / wnid / f"{wnid}_2.JPEG", 213, 160)


SETS = {
    "tiny_imagenet": ("zip", make_tiny_imagenet),
    "imagewoof": ("gztar", make_imagewoof),
}


@pytest.fixture
def serve(monkeypatch):
    """Makes TFDS download a local archive; returns what it was asked for."""
    asked = []

    def start(archive):
        class Manager(tfds.download.DownloadManager):
            def __init__(self, *, url_infos, **others):
                asked.append({url: info.checksum for url, info in url_infos.items()})
                super().__init__(url_infos=url_infos, **others)

            def download_and_extract(self, url):
                asked.append(url)
                return self.extract(shutil.copy(archive, self.download_dir))

        monkeypatch.setattr(tfds.download, "DownloadManager", Manager)
        monkeypatch.setattr(requests, "head", lambda url, timeout: None)
        return asked

    return start


@pytest.mark.parametrize("name", SETS)
def test_what_is_downloaded_is_read_as_it_unpacks(name, serve, tmp_path, draw_image):
    kind, make = SETS[name]
    folder = ARCHIVES[name].folders.replace("*", "2-160")
    make(tmp_path / "mine" / folder, draw_image)
    asked = serve(shutil.make_archive(tmp_path / "a", kind, tmp_path / "mine"))
    mine = load_dataset(name, str(tmp_path / "mine"), 0.0, seed=0)
    assert asked == []

    root = tmp_path / "data"
    loaded = load_dataset(name, str(root), 0.0, seed=0)
    sums, url = asked
    assert url == ARCHIVES[name].url
    assert sums == ({url: ARCHIVES[name].sha256} if ARCHIVES[name].sha256 else {})
    again = load_dataset(name, str(root), 0.0, seed=0)
    assert len(asked) == 2  # It lies there now.
    for dataset in (loaded, again):
        assert dataset.label_names == mine.label_names
        for split in ("training", "test"):
            first, second = getattr(dataset, split), getattr(mine, split)
            np.testing.assert_array_equal(first.images, second.images)
            np.testing.assert_array_equal(first.labels, second.labels)
    assert sorted(path.name for path in root.iterdir()) == ["downloads", folder]
    assert list((root / "downloads" / "extracted").iterdir()) == []


def test_an_archive_that_has_changed(serve, tmp_path, draw_image):
    make_imagewoof(tmp_path / "mine" / "dogs", draw_image)
    serve(shutil.make_archive(tmp_path / "a", "gztar", tmp_path / "mine"))
    with pytest.raises(InputError, match=r"does not unpack to imagewoof\*"):
        load_dataset("imagewoof", str(tmp_path / "data"), 0.0, seed=0)


def test_a_download_that_fails_leaves_nothing(serve, tmp_path):
    serve(tmp_path / "nowhere")
    words = r"tiny_imagenet is not prepared .* and cannot be downloaded: where there is"
    with pytest.raises(InputError, match=words):
        load_dataset("tiny_imagenet", str(tmp_path / "data"), 0.0, seed=0)
    assert list(tmp_path.rglob("*")) == []
