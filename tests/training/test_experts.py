"""Experts: trained once for all runs, resumed, never mistaken for others."""

import concurrent.futures
import dataclasses
import os
import shutil
import signal
import time
import types

import numpy as np
import pytest

from hdd_tf.data import memory
from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data.normalisation import whitening_of
from hdd_tf.errors import InputError, InterruptedRunError
from hdd_tf.files import disk_room, lock
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.registry import build_network
from hdd_tf.protocols.beforehand import constant_protocol, expert_protocol
from hdd_tf.training import network_trainer
from hdd_tf.training.experts import ExpertBuffer
from hdd_tf.training.network_trainer import NetworkTrainer
from hdd_tf.training.shelf import Shelf
from tests.blobs import blobs

NETWORK = build_network("convnet", (8, 8, 1), 2, depth=2, width=4)


@pytest.fixture(scope="module")
def dataset():
    return blobs()


def buffer(directory, dataset, epochs=4, batch=16, seed=0):
    protocol = expert_protocol(epochs, batch)
    return ExpertBuffer(directory, NETWORK, "convnet", dataset, protocol, seed)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, dataset):
    """A folder with a buffer of two experts, them, and the epochs that were told."""
    folder, epochs = tmp_path_factory.mktemp("trained"), []
    return folder, buffer(folder, dataset).take(2, epochs.append), epochs


@pytest.fixture
def copied(tmp_path, trained):
    """A copy of that folder that a test may change."""
    return shutil.copytree(trained[0], tmp_path / "copied")


def first_of(experts):
    return [[weight[:1] for weight in weights] for weights in experts]


def arrays(experts):
    return [weight.numpy() for weights in experts for weight in weights]


def assert_equal(first, second):
    for mine, other in zip(arrays(first), arrays(second), strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.slow
def test_trained_once_and_found_again(copied, trained, dataset, monkeypatch):
    _, taken, epochs = trained
    assert taken.number == 2 and sum(epochs) == 8
    assert not np.array_equal(taken.initial[0], taken.trained[0])
    assert not np.array_equal(taken.trained[0][0], taken.trained[0][1])
    monkeypatch.setattr(NetworkTrainer, "train", None)  # Training would fail now.
    epochs = []
    assert_equal(buffer(copied, dataset).take(2, epochs.append), taken)
    assert sum(epochs) == 8
    assert_equal(buffer(copied, dataset).take(1), first_of(taken))


def test_a_folder_of_another_name_has_the_same_experts(tmp_path, dataset, monkeypatch):
    def called(name, images=dataset):
        return buffer(tmp_path, dataclasses.replace(images, name=name), epochs=1)

    first = called("folder:pets").take(1)
    monkeypatch.setattr(NetworkTrainer, "train", None)  # Training would fail now.
    assert_equal(called("folder:link").take(1), first)
    changed = dataset.training.take(np.arange(60))
    other = called("folder:link", dataclasses.replace(dataset, training=changed))
    assert not other.path.exists() and not called("arrays").path.exists()
    # What is there but damaged is no buffer.
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "kind.json").write_text("[1]")
    assert called("folder:link").path == called("folder:pets").path


@pytest.mark.slow
def test_experts_learn(tmp_path, dataset):
    taken = buffer(tmp_path, dataset, epochs=20).take(1)
    images = (dataset.training.images / 255 - 0.5) / 0.25
    logits = NETWORK.logits([w[0] for w in taken.trained], images.astype(np.float32))
    assert (logits.numpy().argmax(1) == dataset.training.labels).mean() > 0.9


def test_whatever_matters_makes_another_place(tmp_path, dataset):
    images = dataset.training.images.copy()
    images[3, 0, 0, 0] ^= 1
    changed = LabelledImages(images, dataset.training.labels)
    other = dataclasses.replace(dataset, training=changed)
    whitening = whitening_of(dataset.training.images)
    places = {
        buffer(tmp_path, dataset).path,
        buffer(tmp_path, dataset, epochs=5).path,
        buffer(tmp_path, dataset, batch=8).path,
        buffer(tmp_path, dataset, seed=1).path,
        buffer(tmp_path, other).path,
        buffer(tmp_path, dataclasses.replace(dataset, std=(0.3,))).path,
        buffer(tmp_path, dataclasses.replace(dataset, whitening=whitening)).path,
    }
    assert len(places) == 7
    assert buffer(tmp_path, dataset).path in places


@pytest.mark.parametrize(
    "stop_after",
    [
        pytest.param(1, marks=pytest.mark.stress),
        4,
        pytest.param(7, marks=pytest.mark.stress),
    ],
)
@pytest.mark.slow
def test_interrupted_training_goes_on_to_the_same_expert(
    tmp_path, trained, dataset, monkeypatch, stop_after
):
    whole = first_of(trained[1])
    # 5 updates an epoch; calls of 3, so that they end within epochs too.
    monkeypatch.setattr(network_trainer, "UPDATES_PER_CALL", 3)
    train, calls = NetworkTrainer.train, []

    def interrupted(self, key, on_epochs, resume, on_call):
        def count():
            calls.append(1)
            if len(calls) == stop_after:
                raise InterruptedRunError(signal.SIGTERM)
            on_call()

        return train(self, key, on_epochs, resume, count)

    monkeypatch.setattr(NetworkTrainer, "train", interrupted)
    with pytest.raises(InterruptedRunError):
        buffer(tmp_path / "parts", dataset).take(1)
    names = {path.name for path in buffer(tmp_path / "parts", dataset).path.iterdir()}
    assert names == {"kind.json", "expert_000_unfinished.npz"}
    epochs = []
    assert_equal(buffer(tmp_path / "parts", dataset).take(1, epochs.append), whole)
    assert sum(epochs) == 4
    names = {path.name for path in buffer(tmp_path / "parts", dataset).path.iterdir()}
    assert names == {"kind.json", "expert_000.npz"}


@pytest.mark.parametrize("damage", ["truncated", "flipped", "text", "another"])
def test_damaged_file_is_named(copied, trained, dataset, damage):
    weight = trained[1].trained[0][0].numpy()
    file = buffer(copied, dataset).path / "expert_000.npz"
    content = bytearray(file.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[content.find(weight.tobytes()) + 5] ^= 1
    elif damage == "text":
        content = b"not an archive"
    else:
        np.savez(file, np.array(3), np.zeros(3))
        content = file.read_bytes()
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"expert_000\.npz .* move it away"):
        buffer(copied, dataset).take(1)


@pytest.mark.stress
def test_signal_while_an_expert_starts_leaves_nothing_of_the_one_before(
    tmp_path, trained, dataset, monkeypatch
):
    draw, drawn = FunctionalNetwork.initial_variables, []

    def interrupted(self, key):
        drawn.append(key)
        if len(drawn) == 2:
            raise InterruptedRunError(signal.SIGTERM)
        return draw(self, key)

    monkeypatch.setattr(FunctionalNetwork, "initial_variables", interrupted)
    with pytest.raises(InterruptedRunError):
        buffer(tmp_path / "parts", dataset).take(2)
    names = {path.name for path in buffer(tmp_path / "parts", dataset).path.iterdir()}
    assert names == {"kind.json", "expert_000.npz"}
    assert_equal(buffer(tmp_path / "parts", dataset).take(2), trained[1])


@pytest.mark.stress
def test_two_runs_do_not_train_the_same_expert(tmp_path, dataset, monkeypatch, capsys):
    place = buffer(tmp_path, dataset)
    train, trained = NetworkTrainer.train, []

    def slow(self, *arguments):
        trained.append(1)
        time.sleep(0.3)  # The other one has come by then.
        return train(self, *arguments)

    monkeypatch.setattr(NetworkTrainer, "train", slow)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        # Each opens the lock's file for itself, as two processes do.
        first, second = pool.map(lambda _: buffer(tmp_path, dataset).take(1), range(2))
    assert_equal(first, second)
    assert len(trained) == 1
    assert f"waiting for process {os.getpid()} on " in capsys.readouterr().out
    assert {path.name for path in place.path.iterdir()} == {
        "kind.json",
        "expert_000.npz",
    }
    # Whole experts are there for everyone.
    with lock.locked(place.path):
        buffer(tmp_path, dataset).take(1)


def test_state_of_batch_norm_is_kept_and_initial_weights_may_be_left_out(
    tmp_path, dataset, monkeypatch
):
    network = build_network("convnet_batch", (8, 8, 1), 2, depth=1, width=4)

    def place():
        protocol = constant_protocol(2, 32)
        return ExpertBuffer(tmp_path, network, "convnet_batch", dataset, protocol, 0)

    taken = place().take(2, with_initial=False)
    assert taken.initial == [] and taken.number == 2
    assert [tuple(s.shape[1:]) for s in taken.state] == [
        tuple(spec.shape) for spec in network.state_specs
    ]
    fresh = place().untrained(2, with_initial=False)
    assert not np.array_equal(taken.state[0], fresh.state[0])
    monkeypatch.setattr(NetworkTrainer, "train", None)  # Training would fail now.
    assert_equal(place().take(2, with_initial=False), taken)
    # Matching sees the trained network as its training left it.
    images = (dataset.training.images / 255 - 0.5).astype(np.float32) / 0.25
    weights, state = ([w[1] for w in part] for part in (taken.trained, taken.state))
    outputs = network.outputs(weights, images, state)
    np.testing.assert_array_equal(
        outputs["logits"], network.logits(weights, images, state)
    )


def test_room_on_the_disk_is_looked_for_before_anything_trains(
    tmp_path, trained, dataset, monkeypatch
):
    place = buffer(tmp_path / "new", dataset)
    free = place.bytes_to_write(2)
    usage = types.SimpleNamespace
    monkeypatch.setattr(disk_room.shutil, "disk_usage", lambda path: usage(free=free))
    place.check_place(2)
    with pytest.raises(
        InputError, match=r"\(3 of 4 epochs\) take [0-9.]+ KiB .* name ano"
    ):
        place.check_place(3)
    with pytest.raises(InputError, match=f"^--expert_dir={tmp_path / 'new'}: "):
        place.take(3)
    assert not place.path.exists()
    # A file holds the values and the names of the arrays.
    size = (buffer(trained[0], dataset).path / "expert_000.npz").stat().st_size
    assert free < 2 * size < free + 20_000
    # What is there takes no more.
    assert buffer(trained[0], dataset).bytes_to_write(3) == free // 2


@pytest.mark.parametrize(
    ("number", "flag", "said"),
    [
        (3, "num_experts", "--num_experts=3 networks: holding them .*: give fewer"),
        (1, "", "the network convnet: holding its weights .*: name a smaller one"),
    ],
)
def test_networks_that_memory_does_not_hold_are_named(
    tmp_path, dataset, monkeypatch, number, flag, said
):
    shelf = Shelf("experts", buffer(tmp_path, dataset), number, "convnet", flag)
    shelf.check_memory()
    monkeypatch.setattr(memory, "available_memory", lambda: 99)
    with pytest.raises(InputError, match=said):
        shelf.check_memory()
