"""The seams by methods that are not ours: each is one file and one registry entry.

Methods of ours that couple iterations or classes are held to the same.

Each runs on one and on three devices and in blocks with equal images, and resumes to
the bit. What they compute is checked only as far as the seams decide it.
"""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distributed.strategies import mirror_over
from hdd_tf.exporting.saved_sets import load_newest_set
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.building import build_method, build_step
from hdd_tf.running.checkpoints import DistillationCheckpoints
from tests.toys.conftest import ITERATIVE

# Among the first to start, see conftest.py.
pytestmark = pytest.mark.slow

# Of the methods whose networks train, more than one life.
ITERATIONS = 3
# The others are in `make stress`.
EVERY_DAY = {"toy_labels"}
# Methods of our own whose networks train on the set, with what keeps them short. The
# hyperbolic form takes twice as long to trace.
SHORT = {"cafe_max_updates": 2, "cafe_max_epochs": 2, "cafe_test_images": 9}
# The bound of the loss is above all of these, so that every iteration moves the set.
EXPERTS = {
    "trajectory_experts": 2, "trajectory_epochs": 4, "trajectory_bound": 3,
    "trajectory_batch": 16, "student_steps": 3, "student_batch": 4, "label_lr": 1.0,
    "student_rate_lr": 0.01, "trajectory_threshold": 9.0, "zca": True,
}  # fmt: skip
OWN = {
    "mtt": EXPERTS | {"zca": False},
    "datm": EXPERTS | {"geometry": "euclidean", "trajectory_init": "any"},
    "cafe": SHORT,
    "cafe_dsa": SHORT | {"geometry": "euclidean"},
    "dc": {"dc_updates": 2, "dc_epochs": 2, "dc_batch": 4},
    # Class by class at first, then all classes together.
    "dcc": {
        "dc_updates": 2,
        "dc_epochs": 1,
        "dcc_outer_warmup": 1,
        "dcc_inner_warmup": 1,
    },
}


@pytest.fixture(scope="module", autouse=True)
def expert_dir(tmp_path_factory):
    """Experts are trained once, for all devices."""
    place = {"expert_dir": str(tmp_path_factory.mktemp("experts"))}
    for name in ("mtt", "datm"):
        OWN[name] |= place


def step_of(name, dataset, strategy, **settings):
    settings |= OWN.get(name, {})
    config = Config(
        dataset="arrays", objective=name, ipc=2, depth=2, width=8, image_lr=0.1,
        dsa="flip_crop", real_batch=13, seed=3, progress=False, **settings,
    )  # fmt: skip
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    return build_step(MethodContext(config, dataset, network, strategy))


def learnt(step):
    learnt_set = step.method.synthetic_set
    return {
        name: getattr(learnt_set, name).numpy()
        for name in ("images", "label_logits", "student_rate")
        if getattr(learnt_set, name) is not None
    }


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in EVERY_DAY else pytest.mark.stress)
        for name in (*ITERATIVE, *OWN)
    ],
)
def test_devices_and_blocks_give_the_same_and_stops_do_not_matter(
    name, dataset, one_device, tmp_path
):
    step = step_of(name, dataset, one_device)
    start = learnt(step)
    first = step.run(0, ITERATIONS - 1)
    checkpoints = DistillationCheckpoints(tmp_path / "checkpoints", step.method.state())
    checkpoints.save(ITERATIONS - 1, 1.0)
    saved = learnt(step)
    metrics = step.run(ITERATIONS - 1, 1)
    assert metrics["finite_images"].numpy().all() and step.trace_count == 1
    expected = learnt(step)
    for key, value in expected.items():
        # Otherwise there is nothing to compare.
        assert np.abs(value - start[key]).max() > 0, key

    # All that an iteration changes comes back, or the last one would end elsewhere.
    assert checkpoints.restore()[0] == ITERATIONS - 1
    np.testing.assert_equal(learnt(step), saved)
    on_disk = load_newest_set(tmp_path)
    np.testing.assert_equal({key: getattr(on_disk, key) for key in expected}, saved)
    step.run(ITERATIONS - 1, 1)
    np.testing.assert_equal(learnt(step), expected)

    two = mirror_over([f"CPU:{i}" for i in range(2)])
    for split in (
        step_of(name, dataset, two),
        # Real images of a class in several parts, and blocks of one class.
        step_of(name, dataset, one_device, max_images_per_forward=5),
    ):
        losses = split.run(0, ITERATIONS)["loss_per_class"]
        np.testing.assert_allclose(losses[:-1], first["loss_per_class"], rtol=1e-4)
        for key, value in learnt(split).items():
            moved = np.abs(expected[key] - start[key]).max()
            error = np.abs(value - expected[key]).max()
            assert error <= 1e-6 * np.abs(expected[key]).max() + 1e-4 * moved, key


@pytest.mark.stress
@pytest.mark.parametrize("name", ["toy_attention"])
def test_a_bank_keeps_any_summary(name, dataset, one_device):
    step = step_of(name, dataset, one_device, real_bank_size=2)
    fresh = step_of(name, dataset, one_device)
    step.run(0, 3)
    for iteration in (0, 1, 0):
        fresh.run(iteration, 1)
    found, expected = (learnt(s)["images"] for s in (step, fresh))
    assert np.abs(found - expected).max() <= 1e-6 * np.abs(expected).max()


def test_a_selection_is_the_same_again_and_on_other_devices(dataset, one_device):
    def made(strategy):
        config = Config(
            dataset="arrays", objective="toy_stitched", ipc=2, depth=2, width=8,
            progress=False,
        )  # fmt: skip
        network = matched_network(config, dataset.image_shape, dataset.num_classes)
        method = build_method(MethodContext(config, dataset, network, strategy))
        method.train_ahead()
        names = {"dataset": "arrays", "label_names": dataset.label_names}
        about = {"objective": "toy_stitched", "geometry": "none", "source": {}}
        scale = {"mean": dataset.mean, "std": dataset.std}
        return method.result(names | about | scale)

    first = made(one_device)
    other = made(mirror_over([f"CPU:{i}" for i in range(3)]))
    assert first.images.shape == (10, 8, 8, 1)
    np.testing.assert_array_equal(first.images, other.images)
    for mine, its in zip(first.teacher.networks, other.teacher.networks, strict=True):
        for weight, same in zip(mine.weights, its.weights, strict=True):
            np.testing.assert_array_equal(weight, same)


def test_an_update_that_goes_wrong_is_skipped(dataset, one_device, monkeypatch):
    step = step_of("toy_labels", dataset, one_device)
    start, wanted = learnt(step), step.method._wanted
    monkeypatch.setattr(
        step.method,
        "_wanted",
        lambda i: tf.nest.map_structure(lambda part: part * np.nan, wanted(i)),
    )
    metrics = step.run(0, 1)
    np.testing.assert_equal(learnt(step), start)
    assert all(np.isfinite(values).all() for values in metrics.values())
