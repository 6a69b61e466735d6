import dataclasses
import errno
import json
import os
import pathlib
import shutil
import threading
import types

import numpy as np
import pytest

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data_cache import cache as caches
from hdd_tf.data_cache import entry as entries
from hdd_tf.data_cache import writing
from hdd_tf.data_cache.cache import DataCache
from hdd_tf.data_cache.entry import FACTS, IMAGES, LABELS, Facts, digest_of
from hdd_tf.data_cache.facts import facts_of_files
from hdd_tf.data_cache.setting import CacheSetting
from hdd_tf.errors import InputError
from hdd_tf.files.checksums import OWN_SUM, seal

ABOUT = Facts("pets/2.0.0", "train", (9, 2, 3, 1), {"by": 1}, {"bytes": 7})
LABELS_OF_PART = np.array([2, 0, 1, 1, 0, 2, 2, 0, 1])


def part():
    images = np.random.default_rng(0).integers(0, 256, ABOUT.shape, np.uint8)
    return LabelledImages(images, LABELS_OF_PART)


class Decoder:
    """Counts how often it is asked for the images."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return part()


def same(found, expected):
    assert found.images.dtype == np.uint8 and found.labels.dtype == np.int64
    np.testing.assert_array_equal(found.images, expected.images)
    np.testing.assert_array_equal(found.labels, expected.labels)


def only_entry(directory):
    (place,) = directory.glob("*/*")
    return place


@pytest.fixture
def kept(tmp_path):
    """A directory with one entry."""
    DataCache(tmp_path / "kept").whole(ABOUT, part)
    return tmp_path / "kept"


def test_second_start_decodes_nothing_and_has_the_same_bits(kept):
    decode, told = Decoder(), []
    found = DataCache(kept, tell=told.append).whole(ABOUT, decode)
    same(found, part())
    assert decode.calls == 0 and found.checksum == part().checksum
    assert told == [f"decoded images      train, 0.1 KiB: read from {only_entry(kept)}"]


def test_files_are_sorted_by_class(kept):
    place, expected = only_entry(kept), part()
    order = np.argsort(expected.labels, kind="stable")
    stored = np.fromfile(place / IMAGES, np.uint8).reshape(ABOUT.shape)
    np.testing.assert_array_equal(stored, expected.images[order])
    stored = np.fromfile(place / LABELS, "<i8")
    np.testing.assert_array_equal(stored, expected.labels)
    assert json.loads((place / FACTS).read_text())["class_sizes"] == [3, 3, 3]
    names = {path.name for path in kept.rglob("*") if path.is_file()}
    assert names == {IMAGES, LABELS, FACTS}  # Neither a lock nor a partial file.


@pytest.mark.parametrize("chunk", [1, 13, 2**24])
def test_any_chunks_give_the_same(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(entries, "_CHUNK", chunk)
    for _ in range(2):
        same(DataCache(tmp_path).whole(ABOUT, part), part())


def test_rows_of_an_entry(kept):
    entry = DataCache(kept).verified(ABOUT)
    rows = np.flatnonzero(LABELS_OF_PART != 1)
    same(entry.take(rows), part().take(rows))
    assert DataCache(kept / "other").verified(ABOUT) is None


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def resealed(path, **changes):
    content = json.loads(path.read_text())
    del content[OWN_SUM]
    path.write_text(json.dumps(seal({**content, **changes})))


def lead_out(path):
    path.rename(path.parents[3] / "elsewhere")
    path.symlink_to(path.parents[3] / "elsewhere")


def as_pipe(path):
    path.unlink()
    os.mkfifo(path)


DAMAGES = {
    "a pixel": (IMAGES, flip),
    "a label": (LABELS, flip),
    "too few labels": (LABELS, lambda path: os.truncate(path, 8)),
    "too short": (IMAGES, lambda path: os.truncate(path, 10)),
    "too long": (IMAGES, lambda path: os.truncate(path, 2**40)),
    "facts": (FACTS, flip),
    "facts no object": (FACTS, lambda path: path.write_text("[]")),
    "no sum": (FACTS, lambda path: resealed(path, sha256=None, files={})),
    "no images": (IMAGES, pathlib.Path.unlink),
    "no facts": (FACTS, pathlib.Path.unlink),
    "a link": (IMAGES, lead_out),
    "a pipe": (LABELS, as_pipe),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told_and_mended(kept, caplog, damage):
    name, change = DAMAGES[damage]
    change(only_entry(kept) / name)
    decode = Decoder()
    assert DataCache(kept).verified(ABOUT) is None
    same(DataCache(kept).whole(ABOUT, decode), part())
    assert decode.calls == 1
    told = {record.getMessage() for record in caplog.records}
    assert len(told) == 1 and "are decoded anew" in min(told)
    same(DataCache(kept).whole(ABOUT, decode), part())
    assert decode.calls == 1


def test_changed_files_are_decoded_anew(kept, caplog):
    newer = dataclasses.replace(ABOUT, source={"bytes": 8})
    decode = Decoder()
    for _ in range(2):
        DataCache(kept).whole(newer, decode)
    assert decode.calls == 1 and "older than the files" in caplog.text
    only_entry(kept)  # It replaced the other.


@pytest.mark.parametrize(
    "change",
    [
        {"decoding": {"by": 2}},
        {"data": "pets/2.0.1"},
        {"split": "test"},
        {"shape": (9, 3, 2, 1)},
    ],
)
def test_what_decides_the_pixels_has_its_own_entry(kept, caplog, change):
    other = dataclasses.replace(ABOUT, **change)
    decode = Decoder()
    DataCache(kept).whole(
        other,
        lambda: LabelledImages(decode().images.reshape(other.shape), LABELS_OF_PART),
    )
    assert decode.calls == 1 and not caplog.records
    assert len(list(kept.glob("*/*"))) == 2


def test_entry_under_the_name_of_another_is_not_used(kept, caplog):
    resealed(only_entry(kept) / FACTS, split="test")
    decode = Decoder()
    same(DataCache(kept).whole(ABOUT, decode), part())
    assert decode.calls == 1 and "of other images" in caplog.text


def test_one_of_two_decodes_and_the_other_waits(tmp_path, monkeypatch):
    decode, results = Decoder(), []
    decoding, waits = threading.Event(), threading.Event()
    monkeypatch.setattr(DataCache, "wait", lambda self, holder: waits.set())

    def slowly():
        decoding.set()
        assert waits.wait(10)
        return decode()

    def start():
        results.append(DataCache(tmp_path).whole(ABOUT, slowly))

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
        assert decoding.wait(10)
    for thread in threads:
        thread.join(10)
    assert decode.calls == 1 and len(results) == 2
    for found in results:
        same(found, part())


def refuse(number):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_failing_write_costs_only_time(tmp_path, monkeypatch, caplog, asked, number):
    monkeypatch.setattr(caches, "_WORTHWHILE", 0)
    monkeypatch.setattr(writing, "describe_files", refuse(number))
    same(DataCache(tmp_path / "new", asked).whole(ABOUT, part), part())
    assert not (tmp_path / "new").exists()
    silent = number == errno.EROFS and not asked
    assert ["are not kept in" in r.message for r in caplog.records] == [True][silent:]


def test_full_disk_is_seen_before_it_is_filled(tmp_path, monkeypatch, caplog):
    full = types.SimpleNamespace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: full)
    same(DataCache(tmp_path / "new").whole(ABOUT, part), part())
    assert "No space left" in caplog.text and not (tmp_path / "new").exists()


def test_unwritable_directory_is_told_only_if_asked_for(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(caches, "_WORTHWHILE", 0)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for asked in (False, True):
        same(DataCache(tmp_path / "new", asked).whole(ABOUT, part), part())
        assert len(caplog.records) == asked and not (tmp_path / "new").exists()


@pytest.mark.parametrize("level", ["data set", "entry"])
def test_link_in_a_strangers_directory_replaces_nothing(kept, tmp_path, caplog, level):
    place = only_entry(kept) if level == "entry" else only_entry(kept).parent
    other = tmp_path / "precious"
    place.rename(tmp_path / "moved")
    other.mkdir()
    (other / only_entry_name(tmp_path, level)).mkdir(parents=True, exist_ok=True)
    (other / "thesis").touch()
    place.symlink_to(other)
    same(DataCache(kept).whole(ABOUT, part), part())
    assert (other / "thesis").exists() and "symbolic link" in caplog.text


def only_entry_name(tmp_path, level):
    moved = tmp_path / "moved"
    return "x" if level == "entry" else next(moved.iterdir()).name


def test_cache_beside_the_data_keeps_only_large_sets(tmp_path):
    auto = CacheSetting("auto").beside(tmp_path)
    auto.whole(ABOUT, part)
    assert not list(tmp_path.iterdir())
    auto.whole(ABOUT, part, bytes_of_set=2**24)
    only_entry(tmp_path / "hdd_tf_cache")


def test_a_dry_run_tells_and_writes_nothing(tmp_path):
    told = []
    cache = CacheSetting(str(tmp_path / "new"), False, told.append).beside("data")
    same(cache.whole(ABOUT, part), part())
    assert not list(tmp_path.iterdir())
    assert "train, 0.1 KiB: a run writes them to " in told[0]


@pytest.mark.parametrize(
    ("setting", "root"), [("none", "data"), ("", "data"), ("auto", "gs://data")]
)
def test_no_cache(tmp_path, monkeypatch, setting, root):
    monkeypatch.chdir(tmp_path)
    cache = CacheSetting(setting).beside(root)
    same(cache.whole(ABOUT, part, 2**30), part())
    assert cache.verified(ABOUT) is None and not list(tmp_path.iterdir())


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is no directory: give one, or"):
        CacheSetting(str(tmp_path / "file")).beside("data")


def test_an_empty_split_is_not_kept(tmp_path):
    none = dataclasses.replace(ABOUT, shape=(0, 2, 3, 1))
    DataCache(tmp_path).whole(none, lambda: part().take(np.arange(0)))
    assert not list(tmp_path.iterdir())


def test_names_that_are_no_text_decide_the_images_too(tmp_path):
    def facts(name):
        path = pathlib.Path(os.fsdecode(os.fsencode(tmp_path) + name))
        path.write_bytes(b"x")
        os.utime(path, (0, 0))
        found = facts_of_files(
            "folder:x", "train", [path], np.zeros(1, np.int64), [(4, 4)], tmp_path
        )
        return digest_of({"recipe": found.recipe, "source": dict(found.source)})

    assert len({facts(b"/caf\xe9.png"), facts(b"/caf\xe8.png"), facts(b"/c.png")}) == 3
