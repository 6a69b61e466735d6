import errno
import os
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.data.class_store import ClassStore
from hdd_tf.data.dataset import LabelledImages, channel_statistics
from hdd_tf.data.image_rows import failed_reads_named, gather_rows
from hdd_tf.data.normalisation import Normalisation, whitening_of
from hdd_tf.data.stored_images import StoredImages
from hdd_tf.errors import InputError

IMAGES = np.random.default_rng(5).integers(0, 256, (12, 3, 2, 3), np.uint8)
LABELS = np.array([1, 0, 2, 1, 0, 0, 2, 1, 2, 0, 1, 1])
ORDER = np.argsort(LABELS, kind="stable")
NORMALISATION = Normalisation((0.4, 0.5, 0.6), (0.2, 0.3, 0.4))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "images.u8"
    path.write_bytes(IMAGES[ORDER].tobytes())
    return path


@pytest.fixture
def stored(path):
    positions = np.empty(12, np.int64)
    positions[ORDER] = np.arange(12)
    return StoredImages(path, IMAGES.shape, positions)


@pytest.mark.parametrize(
    "rows",
    [3, slice(2, 9), slice(None, None, -2), [4, 4, 0], [[1, 9], [4, 5]], LABELS == 2],
    ids=str,
)
def test_rows_are_those_of_an_array(stored, rows):
    expected = IMAGES[rows if isinstance(rows, slice) else np.asarray(rows)]
    found = stored[rows]
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


def test_a_part_reads_nothing_and_has_its_own_rows(stored):
    part = stored.select(np.array([7, 2, 11])).select(np.array([2, 0]))
    assert part.shape == (2, 3, 2, 3) and part.nbytes == 0
    np.testing.assert_array_equal(part[:], IMAGES[[11, 7]])
    np.testing.assert_array_equal(stored[:], IMAGES)


def test_a_class_is_one_read(stored, monkeypatch):
    reads = []
    whole = os.preadv
    monkeypatch.setattr(
        os, "preadv", lambda *given: reads.append(given[-1]) or whole(*given)
    )
    stored.take(np.flatnonzero(LABELS == 1))
    assert reads == [4 * 18]


def test_nothing_makes_an_array_of_all(stored):
    with pytest.raises(TypeError, match="take rows of them"):
        np.asarray(stored)


def test_draws_and_images_are_those_from_memory(stored):
    key = tf.constant([3, 4])
    of_memory, of_disk = (
        ClassStore(images, LABELS, 3, NORMALISATION) for images in (IMAGES, stored)
    )

    def drawn(store):
        rows, weights = store.draw_indices(key, 5)
        batch, labels = store.draw_batches(key, 2, 4)
        return rows, weights, labels, store.gather(rows), store.gather(batch[1])

    for found, expected in zip(
        *(tf.function(drawn)(each) for each in (of_disk, of_memory)),
        strict=True,
    ):
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found, expected)
    assert of_disk.image_shape == of_memory.image_shape


def test_what_is_computed_from_all_is_the_same(stored):
    assert (
        LabelledImages(stored, LABELS).checksum
        == LabelledImages(IMAGES, LABELS).checksum
    )
    assert channel_statistics(stored) == channel_statistics(IMAGES)
    assert whitening_of(stored).equals(whitening_of(IMAGES))


def test_a_file_that_becomes_shorter_is_told_in_a_line(stored, path):
    os.truncate(path, 100)
    with pytest.raises(InputError, match=r"images\.u8 cannot be read.*shorter"):
        stored.take(np.arange(12))
    graph = tf.function(lambda rows: gather_rows(stored, rows))
    with pytest.raises(InputError, match=r"shorter.*goes on"), failed_reads_named():
        graph(tf.range(12))
    # The first images are still there.
    np.testing.assert_array_equal(stored[1], IMAGES[1])


@pytest.mark.parametrize("change", ["shorter", "link", "folder"])
def test_only_a_file_of_the_size_is_opened(path, change):
    if change == "shorter":
        os.truncate(path, 100)
    else:
        path.rename(path.with_name("other"))
        if change == "link":
            path.symlink_to("other")
        else:
            path.mkdir()
    with pytest.raises((OSError, ValueError)):
        StoredImages(path, IMAGES.shape, np.arange(12))


class Advice:
    """Stands for the system, which is asked for parts of the file."""

    def __init__(self, monkeypatch):
        self.asked = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        monkeypatch.setattr(os, "posix_fadvise", self)

    def __call__(self, descriptor, offset, size, advice):
        self.asked.append((offset, size))
        assert self.may_go_on.wait(10)

    def all_asked(self, stored):
        """Waits for the thread that asks, and returns what it has asked for."""
        self.may_go_on.set()
        deadline = time.monotonic() + 10
        while stored._file._asking is not None:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        return self.asked


def test_asking_ahead_reaches_the_system_once(stored, monkeypatch):
    advice = Advice(monkeypatch)
    rows = np.array([[11, 0], [3, 1], [3, 11]])
    # Two classes: 0 at its first place, 1 at three of its five.
    expected = [(0, 18), (4 * 18, 36), (8 * 18, 18)]
    stored.ask_ahead(rows)
    assert advice.all_asked(stored) == expected
    stored.ask_ahead(rows)
    assert advice.all_asked(stored) == expected


def test_the_newest_request_waits_and_no_thread_stays(stored, monkeypatch):
    threads = threading.active_count()
    advice = Advice(monkeypatch)
    advice.may_go_on.clear()
    for row in (1, 4, 5):  # The first three places of the file.
        stored.ask_ahead(np.array([row]))
        assert threading.active_count() == threads + 1
        while not advice.asked:  # The first is under way.
            time.sleep(0.001)
    assert advice.all_asked(stored) == [(0, 18), (36, 18)]
    deadline = time.monotonic() + 10
    while threading.active_count() > threads:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_streams_wait_for_each_other_in_turn(stored, monkeypatch):
    advice = Advice(monkeypatch)
    advice.may_go_on.clear()
    stored.ask_ahead(np.array([1]))
    while not advice.asked:  # The first is under way.
        time.sleep(0.001)
    for row, stream in ((4, ""), (5, "batches"), (10, "batches"), (4, "")):
        stored.ask_ahead(np.array([row]), stream)
    # Rows 4 and 10 have the places 1 and 7 of the file; 5 was replaced.
    assert advice.all_asked(stored) == [(0, 18), (18, 18), (7 * 18, 18)]
    # Each remembers its own requests.
    stored.ask_ahead(np.array([10]), "batches")
    stored.ask_ahead(np.array([1]), "")
    assert len(advice.all_asked(stored)) == 3
    stored.ask_ahead(np.array([10]), "")
    assert advice.all_asked(stored)[3:] == [(7 * 18, 18)]


def test_a_system_that_fails_to_read_ahead_is_no_error(stored, monkeypatch):
    def fail(*given):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "posix_fadvise", fail)
    stored.ask_ahead(np.array([1]))
    while stored._file._asking is not None:
        time.sleep(0.001)
    np.testing.assert_array_equal(stored[1], IMAGES[1])


def test_images_of_the_next_draw_are_asked_for(stored, monkeypatch):
    store = ClassStore(stored, LABELS, 3, NORMALISATION)
    requests = []

    def ask(rows, stream=""):
        requests.append((stream, rows.copy()))

    monkeypatch.setattr(stored, "ask_ahead", ask)
    keys = tf.constant([[3, 4], [5, 6], [7, 8]])

    @tf.function
    def draw(index):
        return store.draw_indices(keys[index], 2, keys[index + 1])

    for index in (0, 1):
        rows, weights = draw(tf.constant(index))
        expected, same = store.draw_indices(keys[index], 2)
        np.testing.assert_array_equal(rows, expected)
        np.testing.assert_array_equal(weights, same)
        asked = requests[-3:-1]  # The last one is of the draw without a next.
        assert [stream for stream, _ in asked] == ["", ""]
        np.testing.assert_array_equal(asked[0][1], rows)
        np.testing.assert_array_equal(
            asked[1][1], store.draw_indices(keys[index + 1], 2)[0]
        )
    assert draw.experimental_get_tracing_count() == 1
    requests.clear()
    rows, labels = store.draw_batches(keys[0], 2, 4, keys[1], "batches")
    following, _ = store.draw_batches(keys[1], 2, 4)
    expected, same = store.draw_batches(keys[0], 2, 4)
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(labels, same)
    assert [stream for stream, _ in requests] == ["batches", "batches", "", ""]
    np.testing.assert_array_equal(requests[0][1], rows)
    np.testing.assert_array_equal(requests[1][1], following)
