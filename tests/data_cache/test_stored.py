import errno
import json
import os
import pathlib
import shutil
import types
import weakref

import numpy as np
import pytest

from hdd_tf.data import memory
from hdd_tf.data.dataset import LabelledImages, channel_statistics
from hdd_tf.data.stored_images import StoredImages
from hdd_tf.data_cache import writing_in_parts
from hdd_tf.data_cache.cache import DataCache
from hdd_tf.data_cache.entry import FACTS, IMAGES, LABELS, Entry, Facts
from hdd_tf.data_cache.real_store import lies_on_disk
from hdd_tf.data_cache.writing_in_parts import Decoding
from hdd_tf.errors import InputError

ABOUT = Facts("pets/2.0.0", "train", (11, 3, 2, 1), {"by": 1}, {"bytes": 7})
IMAGES_OF_SPLIT = np.random.default_rng(0).integers(0, 256, ABOUT.shape, np.uint8)
SPLIT = LabelledImages(IMAGES_OF_SPLIT, np.array([2, 0, 1, 1, 0, 2, 2, 0, 1, 0, 1]))


class Source:
    """Gives the split in parts of three, and notes from where on it was asked."""

    def __init__(self, fails_at=None, split=SPLIT):
        self.asked = []
        self.fails_at = fails_at
        self.split = split

    def images_from(self, start):
        self.asked.append(start)
        for first in range(start, 11, 3):
            rows = np.arange(first, min(first + 3, 11))
            if self.fails_at is not None and rows[-1] >= self.fails_at:
                raise KeyboardInterrupt
            yield self.split.take(rows)

    @property
    def decoding(self):
        return Decoding(lambda: SPLIT.labels, self.images_from)


def stored(directory, source=None, about=ABOUT, **settings):
    source = source or Source()
    return DataCache(directory, **settings).stored(about, source.decoding)


def same(part):
    assert isinstance(part.images, StoredImages)
    np.testing.assert_array_equal(part.images[:], SPLIT.images)
    np.testing.assert_array_equal(part.labels, SPLIT.labels)


def only_entry(directory):
    (place,) = directory.glob("*/*")
    return place


def test_images_and_description_are_those_that_memory_would_write(tmp_path):
    part = stored(tmp_path / "disk")
    same(part)
    DataCache(tmp_path / "memory").whole(ABOUT, lambda: SPLIT)
    for name in (FACTS, IMAGES):
        written_in_parts = (only_entry(tmp_path / "disk") / name).read_bytes()
        assert written_in_parts == (only_entry(tmp_path / "memory") / name).read_bytes()
    assert part.checksum == SPLIT.checksum
    # Either way of reading takes what the other has written.
    same(stored(tmp_path / "memory", Source(fails_at=0)))


def test_memory_has_one_part_at_a_time(tmp_path):
    parts = []

    def images_from(start):
        for first in range(start, 11, 3):
            assert all(part() is None for part in parts)
            part = SPLIT.take(np.arange(first, min(first + 3, 11)))
            parts.append(weakref.ref(part))
            yield part
            del part

    same(DataCache(tmp_path).stored(ABOUT, Decoding(lambda: SPLIT.labels, images_from)))
    assert len(parts) == 4


def test_a_stopped_decoding_goes_on_where_it_was(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        stored(tmp_path, Source(fails_at=7))
    assert not list(tmp_path.glob("*/[!.]*"))
    source = Source()
    part = stored(tmp_path, source)
    assert source.asked == [6]
    same(part)
    assert part.checksum == SPLIT.checksum
    assert not list(tmp_path.glob("*/.*unfinished"))


def test_a_kill_costs_what_was_not_noted(tmp_path, monkeypatch):
    notes = []
    monkeypatch.setattr(writing_in_parts, "_SECONDS_BETWEEN_NOTES", -1.0)
    whole = writing_in_parts._Unfinished._note

    def note(unfinished):
        if len(notes) < 2:  # Later ones the kill prevents.
            whole(unfinished)
        notes.append(unfinished.done)

    monkeypatch.setattr(writing_in_parts._Unfinished, "_note", note)
    with pytest.raises(KeyboardInterrupt):
        stored(tmp_path, Source(fails_at=10))
    monkeypatch.undo()
    source = Source()
    same(stored(tmp_path, source))
    assert notes == [3, 6, 9, 9] and source.asked == [6]


@pytest.mark.parametrize(
    "change", ["source", "note", "number", "images", "labels", "class", "pipe", "link"]
)
def test_what_cannot_be_gone_on_with_is_begun_anew(tmp_path, change):
    with pytest.raises(KeyboardInterrupt):
        stored(tmp_path / "kept", Source(fails_at=7))
    (place,) = (tmp_path / "kept").glob("*/.*unfinished")
    about = ABOUT
    if change == "source":
        about = Facts(*(ABOUT.data, ABOUT.split, ABOUT.shape, ABOUT.decoding), {"b": 8})
    elif change == "note":
        (place / "progress.json").write_text("{")
    elif change == "number":
        noted = json.loads((place / "progress.json").read_text())
        (place / "progress.json").write_text(json.dumps(noted | {"done": 2.0}))
    elif change == "labels":
        (place / LABELS).write_bytes((place / LABELS).read_bytes() + bytes(8))
    elif change == "class":
        (place / LABELS).write_bytes(b"\xff" * (place / LABELS).stat().st_size)
    elif change == "pipe":
        (place / LABELS).unlink()
        os.mkfifo(place / LABELS)
    elif change == "images":
        os.truncate(place / IMAGES, 5)
    else:
        place.rename(tmp_path / "elsewhere")
        place.symlink_to(tmp_path / "elsewhere")
    source = Source()
    same(stored(tmp_path / "kept", source, about))
    assert source.asked == [0]


def test_a_source_that_changes_meanwhile_is_told(tmp_path):
    other = LabelledImages(SPLIT.images, SPLIT.labels[::-1].copy())
    with pytest.raises(InputError, match="not what it was when its labels were read"):
        stored(tmp_path, Source(split=other))
    same(stored(tmp_path))


def test_a_start_reads_nothing_that_was_checked(tmp_path, monkeypatch):
    first = stored(tmp_path)
    statistics = channel_statistics(first.images)
    part = first.select(np.arange(4))
    sum_of_part = part.checksum
    monkeypatch.setattr(Entry, "verify", None)
    monkeypatch.setattr(StoredImages, "take", None)
    again = stored(tmp_path)
    assert again.checksum == SPLIT.checksum
    assert channel_statistics(again.images) == statistics
    assert again.select(np.arange(4)).checksum == sum_of_part
    monkeypatch.undo()
    # Another part is not taken for it.
    assert again.select(np.arange(5)).checksum == SPLIT.take(np.arange(5)).checksum


@pytest.mark.parametrize("how", ["changed", "shorter", "brought along"])
def test_damage_is_seen_and_mended(tmp_path, caplog, how):
    stored(tmp_path)
    place = only_entry(tmp_path)
    data = bytearray((place / IMAGES).read_bytes())
    data[7] ^= 1
    if how == "shorter":
        del data[-1]
    before = (place / IMAGES).stat()
    (place / IMAGES).write_bytes(data)
    if how == "brought along":  # A copy keeps the time of change, the system's not.
        os.utime(place / IMAGES, ns=(before.st_atime_ns, before.st_mtime_ns))
    source = Source()
    same(stored(tmp_path, source))
    assert source.asked == [0] and "damaged" in caplog.text


def test_a_disk_that_is_too_small_is_told_before_anything_is_decoded(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(
        shutil, "disk_usage", lambda place: types.SimpleNamespace(free=2**26)
    )
    source = Source()
    with pytest.raises(InputError, match=r"iB, cannot be kept in .*No space left"):
        stored(tmp_path / "kept", source)
    assert not source.asked and not (tmp_path / "kept").exists()


def test_systems_that_take_no_place_beforehand_have_the_same(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")
    same(stored(tmp_path, Source()))


def test_a_disk_that_fills_up_costs_nothing_that_is_decoded(tmp_path, monkeypatch):
    whole = os.pwrite

    def pwrite(descriptor, data, offset):
        if len(calls) > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        calls.append(offset)
        return whole(descriptor, data, offset)

    calls = []
    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(InputError, match=r"No space left.*is used again"):
        stored(tmp_path)
    monkeypatch.undo()
    source = Source()
    same(stored(tmp_path, source))
    assert source.asked == [3]


def test_where_nothing_may_be_written_it_is_told(tmp_path):
    with pytest.raises(InputError, match="start the run itself first"):
        stored(tmp_path, keeps=False)
    stored(tmp_path)
    same(stored(tmp_path, keeps=False))


@pytest.mark.parametrize(
    ("store", "fits", "has_cache", "expected"),
    [
        ("memory", True, True, False),
        ("memory", False, True, "--real_store=disk"),
        ("auto", True, True, False),
        ("auto", False, True, True),
        ("auto", False, False, "or --data_cache=DIR"),
        ("disk", True, True, True),
        ("disk", True, False, "give --data_cache=DIR"),
    ],
)
def test_where_images_are(tmp_path, monkeypatch, store, fits, has_cache, expected):
    needed = (11 + 5) * 6
    # Where there is a choice, some is left for the run.
    left = needed if store == "auto" and has_cache else 0
    monkeypatch.setattr(memory, "available_memory", lambda: needed + left - (not fits))
    cache = DataCache(tmp_path if has_cache else None, store=store)

    def decide():
        return lies_on_disk(cache, "pets", (11, 5), (3, 2, 1), lambda: [ABOUT])

    if isinstance(expected, bool):
        assert decide() is expected
        return
    with pytest.raises(InputError, match=expected):
        decide()


def test_files_of_another_machine_do_not_lie_on_this_disk(tmp_path):
    cache = DataCache(tmp_path, store="disk")
    with pytest.raises(InputError, match="not on a disk of this machine"):
        lies_on_disk(cache, "pets", (11, 5), (3, 2, 1), lambda: [None, None])


def test_a_score_elsewhere_needs_no_disk_though_the_run_had_one(tmp_path):
    cache = DataCache(pathlib.Path("/nowhere/kept"), keeps=False, store="disk")
    assert not lies_on_disk(cache, "pets", (11, 5), (3, 2, 1), lambda: [ABOUT])
