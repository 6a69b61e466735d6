"""G-VBSM as a method: groups, devices, resumption, the set it returns, refusals."""

import dataclasses
import json
import shutil
import signal

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config, differing_fields, identity
from hdd_tf.data import memory
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.distributed.strategies import mirror_over
from hdd_tf.errors import InputError, InterruptedRunError
from hdd_tf.objectives.gvbsm import real_statistics
from hdd_tf.objectives.gvbsm.groups import Groups
from hdd_tf.objectives.gvbsm.method import build
from hdd_tf.protocols.published import evaluation_protocol
from hdd_tf.protocols.views import ReplayedViews
from hdd_tf.random_keys import derive_key
from hdd_tf.training.network_trainer import NetworkTrainer

pytestmark = pytest.mark.slow

ITERATIONS = 4
METADATA = {
    "dataset": "small", "label_names": list("01234"), "mean": (0.4, 0.5),
    "std": (0.3, 0.2), "objective": "gvbsm", "geometry": "none", "source": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Two networks, 15 images in groups of 6: two full groups and one of 3."""
    return Config(
        dataset="digits", objective="gvbsm", ipc=3, iterations=ITERATIONS, depth=1,
        width=4, gvbsm_pool="convnet,convnet_batch", gvbsm_epochs=1, gvbsm_group=6,
        gvbsm_skip=0.2, eval_epochs=2, eval_batch=8, progress=False, seed=3,
        expert_dir=str(tmp_path_factory.mktemp("experts")),
    )  # fmt: skip


def method_of(problem, settings, strategy):
    context = MethodContext(settings, problem.dataset, problem.network, strategy)
    method = build(context)
    method.train_ahead()
    method.assemble()
    return method


class Finished:
    """A method after all iterations on one device; its graphs serve other starts."""

    def __init__(self, problem, settings, strategy):
        self.method = method_of(problem, settings, strategy)
        self._step = DistillationStep(self.method)
        self._start = self.values()
        self.metrics = self._step.run(0, ITERATIONS)
        self.end = self.values()

    def values(self):
        """All variables of the state, by name."""
        state = self.method.state()
        images = {"images": state["synthetic_set"].images}
        variables = {n: v for n, v in state.items() if n != "synthetic_set"} | images
        return {name: variable.numpy() for name, variable in variables.items()}

    def assign(self, values):
        state = self.method.state()
        state["images"] = state.pop("synthetic_set").images
        for name, value in values.items():
            state[name].assign(value)

    def run(self, first, last, **values):
        """Runs iterations from the state at the start, or from other values."""
        if not first:
            self.assign(self._start | values)
        self._step.run(first, last - first)
        assert self._step.trace_count == 1
        return self.values()


@pytest.fixture(scope="module")
def finished(problem, settings, one_device):
    return Finished(problem, settings, one_device)


def assert_near(found, expected, part=1e-6):
    error = np.abs(np.asarray(found) - np.asarray(expected)).max()
    assert error <= part * np.abs(expected).max()


def test_groups_are_class_by_class_and_the_last_may_be_smaller():
    groups = Groups(num_classes=5, ipc=3, size=6)
    assert (groups.full, groups.rest, groups.number) == (2, 3, 3)
    images = tf.reshape(tf.range(15.0), [5, 3, 1, 1, 1])
    second, last = groups.take(images, tf.constant(1)), groups.last(images)
    np.testing.assert_array_equal(tf.squeeze(second.images), np.arange(6, 12))
    np.testing.assert_array_equal(second.labels, [2, 2, 2, 3, 3, 3])
    np.testing.assert_array_equal(second.rows, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(last.labels, [4, 4, 4])
    np.testing.assert_array_equal(last.counts, [3, 0])
    assert (Groups(5, 1, 100).size, Groups(5, 1, 100).rest) == (5, 0)


def test_every_class_is_told_and_the_images_are_in_range(finished):
    metrics = finished.metrics
    assert np.isfinite(metrics["loss_per_class"]).all()
    assert (metrics["gradient_norm"].numpy() > 0).all()
    assert metrics["finite_images"].numpy().all()
    limits = finished.method.synthetic_set.limits()
    np.testing.assert_allclose(limits, [0, 255], atol=1e-4)


@pytest.mark.parametrize("changed", [[0, 1], [2, 3], [4]])
def test_groups_do_not_depend_on_each_other(finished, changed):
    """The classes 0 and 1 are a group, 2 and 3 another one, and 4 the smaller last."""
    images = finished._start["images"].copy()
    images[changed] = 0
    found = finished.run(0, ITERATIONS, images=images)["images"]
    same = [label for label in range(5) if label not in changed]
    np.testing.assert_array_equal(found[same], finished.end["images"][same])
    assert np.abs(found[changed] - finished.end["images"][changed]).max() > 0.01


def test_a_run_that_stopped_goes_on_to_the_bit(finished, tmp_path):
    finished.run(0, 3)
    state = finished.method.state()
    saved = tf.train.Checkpoint(**state).save(str(tmp_path / "state"))
    # Whatever else a process has, another one has not.
    finished.assign({name: 7 + value for name, value in finished.end.items()})
    tf.train.Checkpoint(**state).restore(saved).assert_consumed()
    found = finished.run(3, ITERATIONS)
    for name, value in finished.end.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "replicas",
    [pytest.param(n, marks=pytest.mark.stress) for n in (1, 2, 3, 4)],
)
def test_any_number_of_devices_gives_the_same_images(
    problem, settings, finished, replicas
):
    strategy = mirror_over([f"CPU:{i}" for i in range(replicas)])
    method = method_of(problem, settings, strategy)
    metrics = DistillationStep(method).run(0, ITERATIONS)
    assert_near(metrics["loss_per_class"], finished.metrics["loss_per_class"], 1e-5)
    assert_near(method.synthetic_set.images, finished.end["images"])


def test_the_set_has_8_bits_and_the_pools_labels_of_every_view(
    problem, settings, finished
):
    method, dataset = finished.method, problem.dataset
    made = method.result(METADATA)
    np.testing.assert_array_equal(made.images, np.trunc(made.images))
    pixels = method.synthetic_set.pixels().reshape(made.images.shape)
    assert (pixels - made.images).max() < 1 + 1e-4
    labels, protocol = made.epoch_labels, evaluation_protocol(settings, dataset.name)
    assert (labels.num_epochs, labels.batch_size) == (2, 8)
    assert (labels.boxes != (0, 0, 8, 8)).any() and labels.flips.any()
    # Student and teacher see the same views: the mean of both networks' logits.
    views = ReplayedViews(labels, (8, 8, 2), dataset.normalisation.tensors())
    images = tf.Variable(made.images)
    key, epoch = derive_key(0), tf.constant(1)
    rows = views.order(key, epoch)
    members = list(
        zip(made.teacher.build_networks(), made.teacher.networks, strict=True)
    )
    found = []
    for index, (first, last) in enumerate(((0, 8), (8, 15))):
        view = views.view(images, rows[first:last], key, epoch, index)
        found.append(
            np.mean(
                [
                    network.logits(
                        [tf.constant(w) for w in stored.weights], view.images,
                        [tf.constant(s) for s in stored.state],
                    )
                    for network, stored in members
                ],
                axis=0,
            )
        )  # fmt: skip
    np.testing.assert_allclose(
        labels.logits[1], np.concatenate(found), rtol=1e-3, atol=1e-4
    )
    assert [network.name for network in made.teacher.networks] == [
        "convnet",
        "convnet_batch",
    ]
    again = method.result(METADATA).epoch_labels
    for field in dataclasses.fields(labels):
        mine, other = (getattr(each, field.name) for each in (labels, again))
        np.testing.assert_array_equal(mine, other, err_msg=field.name)
    assert protocol.hard_weight == 0.15


def test_a_pool_that_stopped_before_the_iterations_goes_on_to_the_bit(
    problem, settings, one_device, finished, tmp_path, monkeypatch
):
    shutil.copytree(settings.expert_dir, tmp_path / "experts")
    again = dataclasses.replace(settings, expert_dir=str(tmp_path / "experts"))
    context = MethodContext(again, problem.dataset, problem.network, one_device)
    second = build(context)._pool[1].shelf.buffer.path
    (second / "expert_000.npz").unlink()
    (second / "statistics_000.npz").unlink()
    work = {
        "train": (NetworkTrainer, NetworkTrainer.train),
        "measure_batches": (real_statistics, real_statistics.measure_batches),
    }
    done = []
    for stage, (owner, original) in work.items():

        def noted(*arguments, stage=stage, original=original):
            done.append(stage)
            return original(*arguments)

        def stop(*arguments):
            raise InterruptedRunError(signal.SIGTERM)

        monkeypatch.setattr(owner, stage, noted)
        with monkeypatch.context() as patch, pytest.raises(InterruptedRunError):
            patch.setattr(owner, stage, stop)
            build(context).train_ahead()
    method = build(context)
    method.train_ahead()
    # What is done is not done again.
    assert done == ["train", "measure_batches"]
    for mine, other in zip(method._pool, finished.method._pool, strict=True):
        np.testing.assert_array_equal(mine.real, other.real)
        for name in ("trained", "state"):
            parts = (getattr(each.experts, name) for each in (mine, other))
            for found, expected in zip(*parts, strict=True):
                np.testing.assert_array_equal(found, expected)


def test_statistics_are_kept_and_a_damaged_file_is_named(
    problem, settings, one_device, finished, tmp_path, monkeypatch
):
    member = finished.method._pool[0]
    file = member.shelf.buffer.path / "statistics_000.npz"
    whole = file.read_bytes()
    monkeypatch.setattr("hdd_tf.objectives.gvbsm.real_statistics.measure_batches", None)
    context = MethodContext(settings, problem.dataset, problem.network, one_device)
    again = build(context)
    again.train_ahead()
    np.testing.assert_array_equal(again._pool[0].real, member.real)
    try:
        file.write_bytes(whole[:-40])
        with pytest.raises(InputError, match=r"statistics_000.npz cannot be read"):
            build(context).train_ahead()
    finally:
        file.write_bytes(whole)


def test_the_pool_knows_the_order_of_its_classes(problem, finished):
    for member in finished.method._pool:
        kind = json.loads((member.shelf.buffer.path / "kind.json").read_text())
        assert kind["label_names"] == list(problem.dataset.label_names)


def test_passes_smaller_than_a_group_are_refused(problem, settings, one_device):
    small = dataclasses.replace(settings, max_images_per_forward=4)
    with pytest.raises(InputError, match=r"a group, .* 6 images .*--gvbsm_group=4"):
        build(MethodContext(small, problem.dataset, problem.network, one_device))


def test_labels_that_memory_does_not_hold_are_refused_at_once(
    problem, settings, one_device, monkeypatch
):
    # 2 epochs of 15 images and 5 classes, 2 bytes each, held twice.
    monkeypatch.setattr(memory, "available_memory", lambda: 599)
    with pytest.raises(InputError, match=r"2 epochs, 150 logits: .*--eval_epochs"):
        build(MethodContext(settings, problem.dataset, problem.network, one_device))


def test_cells_are_refused_before_the_pool_trains(problem, settings, one_device):
    cells = dataclasses.replace(settings, formation_factor=2)
    with pytest.raises(InputError, match=r"--formation_factor=2 is not for .*gvbsm"):
        build(MethodContext(cells, problem.dataset, problem.network, one_device))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("convnet,convnet", "--gvbsm_pool=convnet,convnet: must be published, or a"),
        ("published,convnet", "--gvbsm_pool=published,convnet: must be"),
        ("resnet", "--gvbsm_pool=resnet: must be"),
    ],
)
def test_pools_that_cannot_be_are_refused(value, words):
    with pytest.raises(InputError, match=words):
        Config(dataset="digits", objective="gvbsm", gvbsm_pool=value)


def test_a_network_of_the_pool_that_does_not_fit_names_its_flag(
    problem, settings, one_device
):
    for name in ("resnet18_batch", "mlp"):
        wrong = dataclasses.replace(settings, gvbsm_pool=name)
        with pytest.raises(InputError, match=f"--gvbsm_pool={name}: "):
            build(MethodContext(wrong, problem.dataset, problem.network, one_device))


def test_a_run_whose_rate_has_fallen_cannot_grow_unless_its_period_was_given():
    def made(**more):
        return identity(Config(dataset="digits", objective="gvbsm", **more))

    short, long = made(iterations=10), made(iterations=20)
    assert differing_fields(short, long) == ["image_lr_period"]
    assert differing_fields(short, made(iterations=20, image_lr_period=10)) == []
    plain = [identity(Config(dataset="digits", iterations=n)) for n in (10, 20)]
    assert differing_fields(*plain) == []


def test_the_rate_falls_as_half_a_cosine(finished):
    rates = [float(finished.method._rate(tf.constant(i))) for i in (0, 1, 2, 4, 9)]
    expected = 0.05 * np.array([1, (1 + np.cos(np.pi / 4)) / 2, 0.5, 0, 0])
    np.testing.assert_allclose(rates, expected, atol=1e-9)
