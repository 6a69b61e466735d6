"""MTT and DATM as methods: their experts, their start, and what an update leaves alone.

tests/toys/test_methods.py runs them on several devices, in parts and resumed.
"""

import dataclasses
import json
import os
import pathlib
import shutil
import signal

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.data.dataset import LabelledImages
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.errors import InputError, InterruptedRunError
from hdd_tf.networks.registry import build_network
from hdd_tf.objectives.building import build_method
from hdd_tf.objectives.trajectories.experts import flat_shelf, plain_shelf
from hdd_tf.objectives.trajectories.flat_weights import FlatWeights
from hdd_tf.running.divergence import check_finite
from hdd_tf.training import network_trainer
from hdd_tf.training.network_trainer import NetworkTrainer
from tests.blobs import blobs

pytestmark = pytest.mark.slow

CLASSES, SHAPE = 2, (8, 8, 1)
NETWORK = build_network("convnet", SHAPE, CLASSES, 2, 4)
SIZE = FlatWeights(NETWORK.weight_shapes).size


@pytest.fixture(scope="module")
def dataset():
    return blobs()


@pytest.fixture(scope="module")
def expert_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("experts")


def config(expert_dir, objective="mtt", **settings):
    small = {
        "dataset": "arrays", "ipc": 3, "depth": 2, "width": 4, "dsa": "none",
        "geometry": "euclidean", "image_lr": 1.0, "trajectory_experts": 2,
        "trajectory_epochs": 3, "trajectory_bound": 2, "trajectory_batch": 16,
        "student_steps": 2, "zca": False, "progress": False,
        "expert_dir": str(expert_dir),
    }  # fmt: skip
    return Config(objective=objective, **(small | settings))


def shelf(expert_dir, dataset, of=plain_shelf, **settings):
    return of(config(expert_dir, **settings), dataset, NETWORK)


def take(shelf):
    return shelf.take(dry_run=False, progress=False)


def complete(shelf):
    shelf.complete(dry_run=False, progress=False)


def method_of(expert_dir, dataset, objective="mtt", **settings):
    strategy = tf.distribute.get_strategy()
    given = config(expert_dir, objective, **settings)
    method = build_method(MethodContext(given, dataset, NETWORK, strategy))
    method.train_ahead()
    method.assemble()
    return method


def test_snapshots_are_the_weights_after_each_epoch(expert_dir, dataset):
    trajectories = shelf(expert_dir, dataset)
    experts = take(trajectories)
    reader, flat = (
        trajectories.reader(dry_run=False),
        FlatWeights(NETWORK.weight_shapes),
    )
    read = tf.function(reader.read)
    snapshots = [read(tf.constant(1), tf.constant(epoch)) for epoch in range(4)]
    start = trajectories.buffer.take(2).initial
    for epoch, weights in ((0, start), (3, experts.trained)):
        expected = flat.join([weight[1] for weight in weights])
        np.testing.assert_array_equal(snapshots[epoch], expected)
    # The epochs of a shorter training are those of a longer one.
    shorter = shelf(expert_dir, dataset, trajectory_epochs=2, trajectory_bound=1)
    last = flat.join([weight[1] for weight in take(shorter).trained])
    np.testing.assert_array_equal(snapshots[2], last)


@pytest.mark.parametrize("of", [plain_shelf, flat_shelf])
def test_what_is_kept_of_experts_and_their_classes_is_written_down(
    expert_dir, dataset, of
):
    trajectories = shelf(expert_dir, dataset, of)
    take(trajectories)
    kind = json.loads((trajectories.buffer.path / "kind.json").read_text())
    assert kind["kept"] == "the weights after every epoch"
    assert kind["label_names"] == ["a", "b"]


@pytest.mark.parametrize("norm", ["layer", "group"])
def test_norms_without_a_second_derivative_are_refused(expert_dir, dataset, norm):
    network = build_network("convnet", SHAPE, CLASSES, 1, 4, norm=norm)
    given = config(expert_dir, norm=norm)
    strategy = tf.distribute.get_strategy()
    with pytest.raises(InputError, match="give --norm=instance, or none"):
        build_method(MethodContext(given, dataset, network, strategy))


def test_experts_of_both_methods_differ(expert_dir, dataset):
    plain, flat = shelf(expert_dir, dataset), shelf(expert_dir, dataset, flat_shelf)
    assert plain.buffer.path != flat.buffer.path
    weights = [take(each).trained[0].numpy() for each in (plain, flat)]
    assert np.isfinite(weights[1]).all() and not np.array_equal(*weights)


def test_a_stopped_training_leaves_the_same_snapshots(
    tmp_path, expert_dir, dataset, monkeypatch
):
    whole = shelf(expert_dir, dataset)
    take(whole)
    monkeypatch.setattr(network_trainer, "UPDATES_PER_CALL", 3)
    train, calls = NetworkTrainer.train, []

    def interrupted(self, key, on_epochs, resume, on_call, at_epoch):
        def count():
            calls.append(resume)
            if len(calls) in (3, 6):
                raise InterruptedRunError(signal.SIGTERM)
            on_call()

        return train(self, key, on_epochs, resume, count, at_epoch)

    monkeypatch.setattr(NetworkTrainer, "train", interrupted)
    parts = shelf(tmp_path, dataset)
    with pytest.raises(InterruptedRunError):
        take(parts)
    folder = parts.buffer.path / "expert_000"
    # A snapshot that was lost meanwhile is made again, from the start.
    (folder / "epoch_001.f32").unlink()
    with pytest.raises(InterruptedRunError):
        take(shelf(tmp_path, dataset))
    take(shelf(tmp_path, dataset))
    assert calls[3] is None and any(resume is not None for resume in calls)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["crc32.json", *(f"epoch_00{epoch}.f32" for epoch in range(4))]
    for name in names:
        same = whole.buffer.path / "expert_000" / name
        assert (folder / name).read_bytes() == same.read_bytes()


def copied(place, expert_dir, dataset):
    """Returns a shelf in another place, with the experts of the first."""
    take(shelf(expert_dir, dataset))
    shutil.copytree(expert_dir, place, dirs_exist_ok=True)
    return shelf(place, dataset)


@pytest.mark.parametrize("damage", ["gone", "short", "huge", "sums"])
def test_a_damaged_snapshot_is_refused(tmp_path, expert_dir, dataset, damage):
    trajectories = copied(tmp_path, expert_dir, dataset)
    folder = trajectories.buffer.path / "expert_000"
    snapshot = folder / "epoch_001.f32"
    values = bytearray(snapshot.read_bytes())
    assert len(values) == 4 * SIZE
    if damage == "gone":
        snapshot.unlink()
    elif damage == "short":
        snapshot.write_bytes(values[:-4])
    elif damage == "huge":
        os.truncate(snapshot, 2**42)  # It takes no room, but would not fit in memory.
    else:
        (folder / "crc32.json").write_text("{}")
    with pytest.raises(InputError, match=r"expert_000.*move .* away") as caught:
        complete(trajectories)
    assert "\n" not in str(caught.value)


def test_a_snapshot_is_read_when_it_is_first_used(
    tmp_path, expert_dir, dataset, monkeypatch
):
    method = method_of(
        copied(tmp_path, expert_dir, dataset).buffer.path.parent, dataset
    )
    read, read_bytes = [], pathlib.Path.read_bytes

    def noted(path):
        read.append(path)
        return read_bytes(path)

    monkeypatch.setattr(pathlib.Path, "read_bytes", noted)
    # What iterations draw, one by one.
    drawn = [method._draws.draw(tf.constant(i)).numpy().tolist() for i in range(9)]
    assert method._draws.of_iterations(2, 7).tolist() == drawn[2:]
    ends = [
        [
            method._shelf.buffer.path
            / f"expert_{expert:03d}"
            / f"epoch_{epoch:03d}.f32"
            for epoch in epochs
        ]
        for expert, *epochs in drawn
    ]
    method.check_reads(0, 2)
    assert read == list(dict.fromkeys(ends[0] + ends[1]))
    # An iteration with a snapshot that none has read before.
    later = next(i for i in range(2, 9) if not set(ends[i]) <= set(read))
    new = next(path for path in ends[later] if path not in read)
    values = bytearray(read_bytes(new))
    values[9] ^= 1
    new.write_bytes(values)
    before, step = learnt(method), DistillationStep(method)
    with pytest.raises(InputError, match=r"cannot be used \(it has changed\): move "):
        step.run(2, later - 1)
    # Nothing has changed, so the state is that of the iterations before.
    np.testing.assert_equal(learnt(method), before)
    values[9] ^= 1
    new.write_bytes(values)
    method.check_reads(2, later - 1)
    count = len(read)
    method.check_reads(0, later + 1)
    assert len(read) == count == len(set(read)) + 1
    # One that has gone meanwhile is missed before a graph asks for it.
    new.unlink()
    with pytest.raises(InputError, match="No such file or directory"):
        step.run(later, 1)


def test_no_expert_is_read_for_classes_as_labels(tmp_path, expert_dir, dataset):
    trajectories = copied(tmp_path, expert_dir, dataset)
    for path in trajectories.buffer.path.glob("*.npz"):
        path.write_bytes(b"")
    complete(trajectories)
    with pytest.raises(InputError, match=r"expert_001.npz cannot be read"):
        trajectories.weights(1, dry_run=False)


def test_bytes_of_experts_are_those_of_their_files(tmp_path, expert_dir, dataset):
    trajectories = copied(tmp_path, expert_dir, dataset)
    buffer = trajectories.buffer
    each = buffer.bytes_to_write(3)  # Two of them are there.
    files = [path for path in buffer.path.rglob("*0*") if path.is_file()]
    written = sum(path.stat().st_size for path in files) / 2
    assert each < written < each + 20_000
    # Snapshots of an unfinished one are there already.
    (buffer.path / "expert_001.npz").unlink()
    (buffer.path / "expert_001" / "epoch_002.f32").unlink()
    assert buffer.bytes_to_write(2) == each - 3 * 4 * SIZE


def test_trajectories_of_something_else_are_refused(tmp_path, expert_dir, dataset):
    trajectories = copied(tmp_path, expert_dir, dataset)
    path = trajectories.buffer.path / "kind.json"
    kind = json.loads(path.read_text())
    kind["network"] = "lenet"
    path.write_text(json.dumps(kind))
    with pytest.raises(InputError, match=r"network.*is another.*--expert_dir"):
        complete(trajectories)


def test_labels_and_images_begin_where_experts_are_right(expert_dir, dataset):
    method = method_of(
        expert_dir, dataset, "datm", trajectory_epochs=12, trajectory_bound=2
    )
    learnt = method.synthetic_set
    logits = learnt.label_logits.numpy()
    assert logits.shape == (CLASSES, 3, CLASSES)
    np.testing.assert_array_equal(logits.argmax(-1), [[0] * 3, [1] * 3])
    pixels = dataset.normalisation.normalise(dataset.training.images)
    for label, images in enumerate(learnt.images.numpy()):
        own = pixels[dataset.training.labels == label]
        for image in images:
            assert (own == image).all(axis=(1, 2, 3)).sum() == 1
        assert len(np.unique(images.reshape(3, -1), axis=0)) == 3


@pytest.mark.stress
def test_experts_that_are_never_right_are_told(expert_dir, dataset):
    # One class is a copy of the other: no expert is right about both.
    images = dataset.training.images.copy()
    images[1::2] = images[::2]
    same = LabelledImages(images, dataset.training.labels)
    alike = dataclasses.replace(dataset, training=same)
    with pytest.raises(InputError, match=r"--ipc=30 .*--trajectory_init=any") as caught:
        method_of(expert_dir, alike, "datm", ipc=30, trajectory_experts=1)
    assert "\n" not in str(caught.value)


def learnt(method):
    state = {**method.state()}
    values = method.synthetic_set
    state |= {"images": values.images, "logits": values.label_logits}
    state["rate"] = values.student_rate
    return {
        name: value.numpy().copy()
        for name, value in state.items()
        if hasattr(value, "numpy")
    }


@pytest.fixture(scope="module")
def bounded(expert_dir, dataset):
    method = method_of(
        expert_dir, dataset, "datm", trajectory_init="any", trajectory_threshold=1e-6
    )
    return method, DistillationStep(method)


def test_a_loss_above_the_threshold_moves_nothing(bounded):
    bounded, step = bounded
    start = learnt(bounded)
    assert len(start) == 6
    metrics = step.run(0, 2)
    np.testing.assert_equal(learnt(bounded), start)
    assert (metrics["loss_per_class"].numpy() > 1e-6).all()
    assert (metrics["gradient_norm"].numpy() == 0).all()
    assert "moved nothing" in bounded.notice() and bounded.notice() == ""


def test_a_loss_that_is_not_finite_moves_nothing_either(bounded):
    bounded, step = bounded
    rate = bounded.synthetic_set.student_rate
    usual = rate.numpy()
    rate.assign(1e30)
    start = learnt(bounded)
    metrics = step.run(0, 1)
    np.testing.assert_equal(learnt(bounded), start)
    assert all(np.isfinite(values).all() for values in metrics.values())
    rate.assign(usual)


def test_a_rate_that_runs_away_is_told(expert_dir, dataset):
    method = method_of(expert_dir, dataset, student_rate_lr=0)
    step = DistillationStep(method)
    step.run(0, 1)
    assert method.notice() == ""
    rate = method.synthetic_set.student_rate
    rate.assign(-0.01)
    step.run(1, 1)
    assert "fallen below 0" in method.notice() and method.notice() == ""
    rate.assign(1e30)
    metrics = step.run(2, 1)
    with pytest.raises(InputError, match=r"learning rate is .*--student_rate_lr"):
        check_finite(
            {name: values.numpy() for name, values in metrics.items()},
            0,
            dataset.label_names,
            method.remedy,
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trajectory_epochs": 20}, "up to epoch 21, .* give 21 or more"),
        ({"trajectory_least": 20}, "leave no epoch to start from"),
        ({"trajectory_first": 21}, "least < first <= bound"),
        ({"zca": True, "formation_factor": 2}, "whitens them whole"),
        ({"zca": True, "objective": "dance", "formation_factor": 1}, "clipped"),
        ({"real_bank_size": 5}, "--real_bank_size=5"),
        ({"jit_compile": "on"}, "leave it at auto"),
    ],
)
def test_settings_that_cannot_be_followed(settings, message):
    with pytest.raises(InputError, match=message) as caught:
        Config(**({"dataset": "x", "objective": "mtt"} | settings))
    assert "\n" not in str(caught.value)


def test_stored_images_are_whole(expert_dir, dataset):
    with pytest.raises(InputError, match="--formation_factor=2"):
        method_of(expert_dir, dataset, formation_factor=2)
