"""Revisited summaries against a run that computes them anew every time."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.distillation.bank import real_bank
from hdd_tf.distillation.bank.real_bank import RealBank
from hdd_tf.distributed.strategies import mirror_over
from hdd_tf.errors import InputError
from hdd_tf.geometry.euclidean import EuclideanGeometry
from hdd_tf.objectives.dance import DualViewAlignment
from hdd_tf.objectives.dm import DistributionMatching
from hdd_tf.random_keys import derive_key
from hdd_tf.training.experts import Experts

SIZE, ITERATIONS = 3, 8


def build(problem, strategy, name="dm", geometry="hyperbolic", **settings):
    if name == "dance":
        pairs = [
            [tf.stack(w) for w in zip(*(weights(problem, k) for k in ks), strict=True)]
            for ks in ((1, 2), (3, 4))
        ]
        objective = DualViewAlignment(lambda: Experts(*pairs), 3)
    else:
        objective = DistributionMatching(problem.network, 3)
    return problem.step(
        objective, strategy, geometry, name == "dance", rate=0.1, **settings
    )


def weights(problem, number):
    return problem.network.initial_weights(derive_key(number))


@pytest.fixture(scope="module")
def banked(problem, one_device):
    """A function to the metrics and images of one call on one device, with a bank."""

    @functools.cache
    def run(name, geometry):
        step, images = build(
            problem, one_device, name, geometry, names=names_of(name), bank_size=SIZE
        )
        return step.run(0, ITERATIONS), images.images.numpy()

    return run


def names_of(name):
    # DANCE's calibration sees no real image, and is augmented anew every time.
    return () if name == "dance" else ("color", "crop", "cutout")


@pytest.mark.parametrize(
    ("name", "geometry"),
    [
        ("dm", "hyperbolic"),
        pytest.param("dm", "euclidean", marks=pytest.mark.stress),
        pytest.param("dance", "hyperbolic", marks=pytest.mark.stress),
    ],
)
@pytest.mark.slow
def test_every_iteration_is_one_of_the_first(
    problem, one_device, banked, name, geometry
):
    metrics, images = banked(name, geometry)
    slow, expected = build(problem, one_device, name, geometry, names=names_of(name))
    losses = [slow.run(i % SIZE, 1)["loss_per_class"][0] for i in range(ITERATIONS)]
    np.testing.assert_allclose(metrics["loss_per_class"], losses, rtol=1e-6)
    error = np.abs(images - expected.images.numpy()).max()
    assert error <= 1e-6 * np.abs(expected.images.numpy()).max()
    assert metrics["gradient_norm"].shape == (ITERATIONS,)
    # Otherwise there would have been nothing to revisit.
    assert len({tuple(np.round(loss, 3)) for loss in np.array(losses)}) == ITERATIONS


@pytest.mark.stress
def test_calls_may_be_of_any_length(problem, one_device, banked):
    parts, images = build(problem, one_device, bank_size=SIZE)
    for start, count in ((0, 1), (1, 3), (4, 1), (5, 3)):
        metrics = parts.run(start, count)
        assert metrics["loss_per_class"].shape == (count, 5)
        assert metrics["finite_images"].numpy().all()
    assert parts.trace_count == 1
    np.testing.assert_array_equal(images.images.numpy(), banked("dm", "hyperbolic")[1])


@pytest.mark.stress
def test_a_bank_that_is_never_full_changes_nothing(problem, one_device):
    step, images = build(problem, one_device, bank_size=ITERATIONS)
    fresh, expected = build(problem, one_device)
    step.run(0, ITERATIONS)
    fresh.run(0, ITERATIONS)
    np.testing.assert_array_equal(images.images.numpy(), expected.images.numpy())


@pytest.mark.parametrize(("replicas", "max_images"), [
    pytest.param(2, 10_000, marks=pytest.mark.stress),
    pytest.param(2, 25, marks=pytest.mark.stress),
    pytest.param(3, 25, marks=pytest.mark.stress),
    pytest.param(4, 10, marks=pytest.mark.stress),
])  # fmt: skip
@pytest.mark.slow
def test_neither_devices_nor_blocks_change_the_images(
    problem, banked, replicas, max_images
):
    strategy = mirror_over([f"CPU:{i}" for i in range(replicas)])
    split, mine = build(problem, strategy, max_images=max_images, bank_size=SIZE)
    split.run(0, ITERATIONS)
    assert split.trace_count == 1
    _, expected = banked("dm", "hyperbolic")
    error = np.abs(mine.images.numpy() - expected).max()
    # Several updates, each of them to float32's last bits.
    assert error <= 3e-6 * np.abs(expected).max()


@pytest.mark.slow
def test_revisiting_reads_no_real_image(problem, one_device):
    step, _ = build(problem, one_device, bank_size=SIZE)

    def with_bytes(function):
        operations = function.get_concrete_function().graph.get_operations()
        kinds = {t.dtype for operation in operations for t in operation.inputs}
        return tf.uint8 in kinds

    assert with_bytes(step._graph(0))
    assert not with_bytes(step._graph(1))


def test_networks_that_change_are_not_revisited():
    config = Config(dataset="digits", real_bank_size=SIZE)
    with pytest.raises(InputError, match="--real_bank_size=3 revisits networks"):
        dataclasses.replace(config, objective="idm", formation_factor=None)


def test_a_bank_beyond_memory_is_refused(monkeypatch):
    monkeypatch.setattr(real_bank, "available_memory", lambda: 1000)
    example = EuclideanGeometry().summarize(tf.zeros([10, 1, 1]))
    # 25 x (10 classes x 1 number, and 10 masses): 2,000 bytes.
    with pytest.raises(InputError, match="--real_bank_size=25 needs"):
        RealBank(25, example)
    assert RealBank(12, example).num_bytes == 960
