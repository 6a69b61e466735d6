"""Real images on disk are those from memory, of every kind of source."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from hdd_tf.data import memory
from hdd_tf.data.dataset import data_record
from hdd_tf.data.sharing import ALONE, PartOfImages, Sharing
from hdd_tf.data.stored_images import StoredImages
from hdd_tf.data_cache.setting import CacheSetting
from hdd_tf.errors import InputError
from hdd_tf.reading import tfds_reader
from hdd_tf.reading.folders import image_files, known_headers
from hdd_tf.reading.loading import load_dataset


@pytest.fixture
def prepared(write_set):
    """A prepared set in three shards, whose labels are in no order."""
    labels = [1, 2, 0, 0, 2, 1, 1, 1, 0, 2, 0, 1, 2, 0]
    write_set({"train": 14, "test": 6}, labels=labels, num_shards=3)
    return "pictures"


@pytest.fixture
def unpacked(tmp_path, draw_image):
    for wnid in ("n02115641", "n02086240", "n02087394"):
        for split, count in (("train", 4), ("val", 2)):
            for index in range(count):
                path = tmp_path / "imagewoof2-160" / split / wnid / f"{index}.JPEG"
                draw_image(path, 160, 170 + 10 * index)
    return "imagewoof"


@pytest.fixture
def folder(tmp_path, draw_image):
    for name in ("cat", "dog"):
        for index in range(6):
            draw_image(tmp_path / "pets" / name / f"{index}.png", 9, 8 + index)
    return f"folder:{tmp_path / 'pets'}"


def load(name, place, store, classes=(), held_out=0.25, keeps=True, sharing=ALONE):
    caching = CacheSetting("auto", keeps, store=store)
    size = None if name == "pictures" else (7, 6)
    return load_dataset(
        name, str(place), held_out, 3, {}, size, classes, caching, sharing
    )


class OfClassOne(Sharing):
    """A process that matches class 1."""

    reads_all = False

    def own_classes(self, num_classes):
        return np.array([1])


@pytest.mark.parametrize("source", ["prepared", "unpacked", "folder", "digits"])
@pytest.mark.parametrize("classes", [(), ("0", "1")], ids=["all", "some"])
def test_images_on_disk_are_those_from_memory(source, classes, request, tmp_path):
    name = source if source == "digits" else request.getfixturevalue(source)
    expected = load(name, tmp_path, "memory", classes)
    for _ in range(2):  # Decoded, and from what is kept.
        found = load(name, tmp_path, "disk", classes)
        assert data_record(found) == data_record(expected)
        for split in ("training", "validation", "test"):
            images = getattr(found, split).images
            assert isinstance(images, StoredImages)
            np.testing.assert_array_equal(images[:], getattr(expected, split).images)
    assert (tmp_path / "hdd_tf_cache").is_dir()


@pytest.mark.parametrize("classes", [(), ("1", "2")], ids=["all", "some"])
@pytest.mark.parametrize("store", ["memory", "disk", "kept"])
def test_a_process_holds_its_own_classes_of_an_unpacked_set(
    store, classes, unpacked, tmp_path
):
    expected = load(unpacked, tmp_path, "memory", classes)
    if store == "kept":  # By the chief, before.
        load(unpacked, tmp_path, "disk")
    found = load(
        unpacked,
        tmp_path,
        "disk" if store == "kept" else store,
        classes,
        sharing=OfClassOne(),
    )
    training = found.training
    own = np.flatnonzero(training.labels == 1)
    np.testing.assert_array_equal(training.labels, expected.training.labels)
    assert isinstance(training.images, PartOfImages) and len(own) == 3
    for rows in (own, np.arange(len(training.labels))):
        np.testing.assert_array_equal(
            training.images[rows], expected.training.images[rows]
        )
    lies = isinstance(training.select(own).images.settled(), StoredImages)
    assert lies == (store != "memory")
    sizes = {path.stat().st_size // 126 for path in tmp_path.rglob("images.u8")}
    # Before validation images are held out: one of four.
    assert sizes == {"memory": set(), "disk": {4}, "kept": {12, 6}}[store]


def test_auto_takes_the_disk_where_memory_is_too_small(folder, tmp_path, monkeypatch):
    # 8 images are matched or held out of matching, and 4 are for the test.
    # Beside them as much again is left for the run, since they are few.
    needed = (10 + 2) * 7 * 6 * 3
    monkeypatch.setattr(memory, "available_memory", lambda: 2 * needed)
    assert isinstance(load(folder, tmp_path, "auto").training.images, np.ndarray)
    assert not (tmp_path / "hdd_tf_cache").exists()
    monkeypatch.setattr(memory, "available_memory", lambda: needed - 1)
    with pytest.raises(InputError, match="start the run itself first"):
        load(folder, tmp_path, "auto", keeps=False)
    monkeypatch.setattr(memory, "available_memory", lambda: 2 * needed - 1)
    only = load(folder, tmp_path, "auto", keeps=False)  # Better than none.
    assert isinstance(only.training.images, np.ndarray)
    assert isinstance(load(folder, tmp_path, "auto").training.images, StoredImages)


def test_a_file_of_a_folder_takes_few_bytes(tmp_path, monkeypatch):
    # Of thousands, in a few.
    monkeypatch.setattr(image_files, "_WAITING", 64)
    monkeypatch.setattr(known_headers, "_AT_ONCE", 64)
    for name, value in (("dark", 10), ("light", 200)):
        Image.new("L", (4, 4), value).save(tmp_path / f"{name}.png")
    peaks = []
    for per_class in (60, 60, 560):  # The first one imports.
        root = tmp_path / f"pets{len(peaks)}"
        for split, count in (("train", per_class), ("test", 1)):
            for name in ("dark", "light"):
                content = (tmp_path / f"{name}.png").read_bytes()
                (root / split / name).mkdir(parents=True)
                for row in range(count):
                    (root / split / name / f"{row:06}.png").write_bytes(content)
        tracemalloc.start()
        found = load_dataset(
            *(f"folder:{root}", str(tmp_path), 0.0, 3, {}, None, ()),
            CacheSetting("auto", True, store="disk"),
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.training.images.shape == (2 * per_class, 4, 4, 1)
    a_file = (peaks[2] - peaks[1]) / 1000
    # Its name and folder, 16 pixels, and a few numbers of where it is.
    assert a_file < 150


def test_a_stopped_decoding_of_shards_goes_on_within_one(
    prepared, tmp_path, monkeypatch
):
    expected = load(prepared, tmp_path, "memory")
    whole, given = tfds_reader._parts, []

    def parts(builder, features, split, start):
        for part in whole(builder, features, split, start):
            if split == "train" and len(given) == 3:
                raise KeyboardInterrupt
            given.append((split, start, len(part.labels)))
            yield part

    monkeypatch.setattr(tfds_reader, "_BATCH_BYTES", 2 * 6 * 5 * 3)
    monkeypatch.setattr(tfds_reader, "_parts", parts)
    with pytest.raises(KeyboardInterrupt):
        load(prepared, tmp_path, "disk")
    assert given == [("train", 0, 2)] * 3
    given.append("again")
    found = load(prepared, tmp_path, "disk")
    assert given[4:] == [("train", 6, 2)] * 4 + [("test", 0, 2)] * 3
    assert data_record(found) == data_record(expected)


def test_folder_that_changed_is_decoded_anew(folder, tmp_path, draw_image, caplog):
    before = load(folder, tmp_path, "disk")
    draw_image(tmp_path / "pets" / "cat" / "0.png", 20, 20)
    after = load(folder, tmp_path, "disk")
    assert "older than the files" in caplog.text
    assert after.training.checksum != before.training.checksum
    assert data_record(after) == data_record(load(folder, tmp_path, "memory"))
