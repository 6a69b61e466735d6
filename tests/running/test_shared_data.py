"""Processes of a run read their own classes and agree; threads stand for processes."""

import shutil
import threading

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hdd_tf.config import Config
from hdd_tf.data.dataset import data_record
from hdd_tf.data.sharing import PartOfImages
from hdd_tf.data.stored_images import StoredImages
from hdd_tf.data_cache.entry import IMAGES
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distributed import class_shares
from hdd_tf.distributed.workers import Workers
from hdd_tf.errors import InputError
from hdd_tf.methods.registry import METHODS
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.building import build_iterative
from hdd_tf.reading.folders import image_headers
from hdd_tf.reading.loading import dataset_from_arrays, load_configured_dataset
from hdd_tf.running import shared_data
from hdd_tf.running.shared_data import SharingOfWorkers, load_shared

CLASSES = ("cat", "cow", "dog", "elk", "fox")


class Meeting:
    """Where two threads add what they send."""

    def __init__(self):
        self._barrier = threading.Barrier(2)
        self._sent = {}

    def sum_of(self, index, values):
        self._sent[index] = values
        self._barrier.wait(60)
        total = [a + b for a, b in zip(*self._sent.values(), strict=True)]
        self._barrier.wait(60)
        return total


class WorkerOfTwo(Workers):
    def __init__(self, index, meeting):
        super().__init__(tf.distribute.get_strategy())
        self.count, self.index = 2, index
        self._meeting = meeting

    def _sum_of_processes(self, values):
        return self._meeting.sum_of(self.index, values)


@pytest.fixture
def machines(tmp_path):
    """The same folder of images on two machines."""
    rng = np.random.default_rng(2)
    for split, count in (("train", 4), ("val", 2)):
        for label, name in enumerate(CLASSES):
            folder = tmp_path / "0/pets" / split / name
            folder.mkdir(parents=True)
            for index in range(count + label % 2):
                pixels = rng.integers(0, 256, (8, 9, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    shutil.copytree(tmp_path / "0", tmp_path / "1")
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    """The image files that are opened, one entry for each time."""
    found, whole = [], image_headers.Image.open
    monkeypatch.setattr(
        image_headers.Image,
        "open",
        lambda path, *more, **how: found.append(path) or whole(path, *more, **how),
    )
    return found


@pytest.fixture
def first_of_two(monkeypatch):
    """A strategy of two devices, of which the first is this process'."""
    monkeypatch.setattr(class_shares, "_replicas_of_process", lambda strategy: [0])
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def load_both(machines, monkeypatch, store="memory", cache="", **settings):
    """Returns what each of two processes has: a data set, or its error."""
    monkeypatch.setattr(
        SharingOfWorkers,
        "own_classes",
        lambda self, count: (
            np.arange(self._workers.index, count, 2)
            if self._is_by_class
            else np.arange(count)
        ),
    )
    meeting, found = Meeting(), {}

    def load(index):
        place = machines / str(index)
        config = Config(
            dataset=f"folder:{place / 'pets'}",
            data_cache=str(cache or place / "kept"),
            real_store=store,
            **{"seed": 3, "progress": False, **settings},
        )
        worker = WorkerOfTwo(index, meeting)
        try:
            found[index] = load_shared(config, tf.distribute.get_strategy(), worker)
        except InputError as error:
            found[index] = error

    threads = [threading.Thread(target=load, args=[index]) for index in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found[0], found[1]


def names_of(paths, machine):
    """Returns the files of a machine among paths, as (split, class)."""
    inside = [str(path).split(f"/{machine}/pets/")[1:] for path in map(str, paths)]
    return [tuple(rest[0].split("/")[:2]) for rest in inside if rest]


@pytest.mark.parametrize("store", ["memory", "disk"])
def test_a_worker_opens_the_files_of_its_classes(store, machines, monkeypatch, opened):
    chief, worker = load_both(machines, monkeypatch, store)
    own = ["cow", "elk"]
    assert sorted(names_of(opened, 1)) == [("train", n) for n in own for _ in range(5)]
    size = sum(p.stat().st_size for p in (machines / "1/pets").rglob("*.png"))
    read = {path for path in opened if "/1/pets/" in str(path)}
    assert 0 < sum(path.stat().st_size for path in read) < 0.5 * size
    # The record of a run is what it was before: the chief's, of all images.
    config = Config(dataset=f"folder:{machines / '0/pets'}", seed=3)
    alone = load_configured_dataset(config)
    assert data_record(chief) == data_record(alone)
    assert worker.training.checksum == chief.training.checksum
    assert (worker.mean, worker.std) == (chief.mean, chief.std)
    for split in ("training", "test"):
        found, expected = getattr(worker, split), getattr(chief, split)
        np.testing.assert_array_equal(found.labels, expected.labels)
        assert isinstance(found.images, PartOfImages)
        # Whoever takes more than its own gets it, from the files.
        np.testing.assert_array_equal(found.images[:], expected.images[:])
    if store == "disk":
        sizes = [
            {path.stat().st_size for path in (machines / name).rglob(IMAGES)}
            for name in ("0/kept", "1/kept")
        ]
        assert sizes == [{22 * 216, 12 * 216}, {10 * 216}]


def test_a_worker_takes_its_rows_from_a_cache_that_is_shared(
    machines, monkeypatch, opened
):
    shutil.rmtree(machines / "1")
    (machines / "1").symlink_to("0")
    shared = machines / "kept"
    chief, worker = load_both(machines, monkeypatch, "disk", shared)
    assert len(opened) == 2 * 34 and len(list(shared.rglob(IMAGES))) == 2
    opened.clear()
    own = np.flatnonzero(np.isin(worker.training.labels, [1, 3]))
    np.testing.assert_array_equal(
        worker.training.images[own], chief.training.images[own]
    )
    assert len(own) == 10 and not opened


@pytest.mark.parametrize("changed", ["cow", "dog"])
@pytest.mark.parametrize("objective", ["dm", "idm"])
def test_other_images_of_a_class_that_is_matched_are_refused(
    changed, objective, machines, monkeypatch
):
    path = machines / "1/pets/train" / changed / "1.png"
    pixels = np.array(Image.open(path))
    pixels[3, 4, 1] ^= 1
    Image.fromarray(pixels).save(path)
    found = load_both(machines, monkeypatch, objective=objective)
    # DM matches class by class; IDM's networks train on all.
    if changed == "dog" and objective == "dm":
        assert not any(isinstance(each, InputError) for each in found)
        return
    assert "a worker of TF_CONFIG has other training images" in str(found[0])
    assert "worker 1 of TF_CONFIG has other training images" in str(found[1])


def test_other_files_are_refused(machines, monkeypatch):
    (machines / "1/pets/train/dog/3.png").unlink()
    for error in load_both(machines, monkeypatch):
        assert "other training images than the chief" in str(error)


def test_a_second_start_reads_no_image_that_lies_on_disk(machines, monkeypatch, opened):
    load_both(machines, monkeypatch, "disk")
    before = len(opened)
    monkeypatch.setattr(shared_data, "class_sums", None)
    monkeypatch.setattr(StoredImages, "take", None)
    for found in load_both(machines, monkeypatch, "disk"):
        assert not isinstance(found, Exception)
    # Of the chief's files the headers.
    assert not names_of(opened[before:], 1)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"objective": "dm"}, [0, 2, 4]),
        ({"objective": "idm"}, [0, 1, 2, 3, 4]),
        ({"objective": "dm", "keep_fraction": 0.5}, [0, 1, 2, 3, 4]),
        ({"objective": "dsa", "zca": True}, [0, 1, 2, 3, 4]),
    ],
)
def test_classes_that_a_process_reads(settings, expected, first_of_two):
    workers = WorkerOfTwo(0, Meeting())
    sharing = SharingOfWorkers(
        Config(dataset="digits", **settings), first_of_two, workers
    )
    assert sharing.own_classes(5).tolist() == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name, traits in METHODS.items() if traits.draws_own_classes]
)
def test_such_methods_need_no_images_of_other_classes(name, tmp_path, first_of_two):
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), np.uint8)
    dataset = dataset_from_arrays(images, np.arange(12) % 3)
    config = Config(
        **{"dataset": "arrays", "objective": name, "width": 4, "depth": 1, "ipc": 1},
        **{"real_batch": 2, "num_experts": 1, "expert_dir": str(tmp_path)},
        datadam_batch_norm=False,
    )
    network = matched_network(config, dataset.image_shape, 3)
    context = MethodContext(config, dataset, network, first_of_two, dry_run=True)
    method = build_iterative(context)
    assert method._shares is not None and "store" not in vars(context)
