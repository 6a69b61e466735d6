"""DANCE: two passes an iteration against the program's loops over classes."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.objectives.dance import DualViewAlignment
from hdd_tf.random_keys import derive_key
from hdd_tf.training.experts import Experts
from tests.objectives.per_class_loop import per_class_pass

ITERATIONS = 4


@pytest.fixture(scope="module")
def experts(problem):
    def stack(seeds):
        networks = [problem.network.initial_weights(derive_key(s)) for s in seeds]
        return [tf.stack(weights) for weights in zip(*networks, strict=True)]

    return Experts(stack([1, 2, 3]), stack([4, 5, 6]))


def run(problem, experts, strategy, rate=0.1, **kwargs):
    objective = DualViewAlignment(lambda: experts, 3)
    step, images = problem.step(
        objective, strategy, unit_range=True, rate=rate, **kwargs
    )
    metrics = step.run(0, ITERATIONS)
    assert step.trace_count == 1
    return images.images.numpy(), metrics["loss_per_class"].numpy()


@pytest.fixture(scope="module")
def reference(problem, experts, one_device):
    return run(problem, experts, one_device)


@pytest.mark.parametrize(
    ("geometry", "rate"),
    [
        ("hyperbolic", 0.1),
        pytest.param("euclidean", 5.0, marks=pytest.mark.stress),
    ],
)
@pytest.mark.slow
def test_iteration_equals_one_optimiser_call_a_class(
    problem, experts, one_device, geometry, rate
):
    found, losses = run(problem, experts, one_device, geometry=geometry, rate=rate)
    objective = DualViewAlignment(lambda: experts, 3)
    step, images = problem.step(
        objective, one_device, geometry, unit_range=True, rate=rate
    )
    match = tf.function(step.method.matching.match, autograph=False)
    variable = images.images
    start, velocity, clipped = variable.numpy(), tf.zeros_like(variable), 0
    for iteration in range(ITERATIONS):
        clipped += np.sum((variable.numpy() < 0) | (variable.numpy() > 1))
        variable.assign(np.clip(variable.numpy(), 0, 1))  # At the start, as there.
        total = np.zeros(5)
        for which in range(2):
            loss, velocity = per_class_pass(
                match, variable, velocity, iteration, which, rate, 0.5
            )
            total += loss
        np.testing.assert_allclose(losses[iteration], total, rtol=1e-4)
    assert clipped > 20  # Otherwise this would not test the clipping.
    moved = np.abs(found - start).max()
    assert moved > 0.05
    np.testing.assert_allclose(
        found, np.clip(variable.numpy(), 0, 1), atol=1e-3 * moved
    )


def test_middle_encoder_lies_between_one_experts_start_and_end(experts):
    objective = DualViewAlignment(lambda: experts, 3)
    objective.train_ahead()
    shares, whom = [], set()
    for iteration in range(30):
        middle = objective.pass_of(tf.constant(iteration), 0)
        final = objective.pass_of(tf.constant(iteration), 1)
        assert middle.compare and middle.cross_entropy_weight is None
        assert not final.compare and final.cross_entropy_weight == 1.0
        (expert,) = (
            k
            for k in range(3)
            if np.array_equal(final.weights[0], experts.trained[0][k])
        )
        whom.add(expert)
        span = experts.initial[0][expert] - experts.trained[0][expert]
        share = (middle.weights[0] - experts.trained[0][expert]) / span
        assert np.ptp(share) < 1e-3
        shares.append(float(tf.reduce_mean(share)))
    assert whom == {0, 1, 2}
    assert min(shares) < 0.2 and max(shares) > 0.8
    assert min(shares) > -1e-3 and max(shares) < 1.001


@pytest.mark.slow
def test_images_stay_in_the_unit_range(reference):
    images, _ = reference
    assert images.min() == 0.0 and images.max() == 1.0


def test_experts_are_no_state_of_a_run(experts):
    objective = DualViewAlignment(lambda: experts, 3)
    objective.train_ahead()
    assert objective.variables == ()


@pytest.mark.slow
def test_at_most_so_many_decoded_images(problem, experts, one_device, reference):
    images, losses = run(problem, experts, one_device, max_decoded=5)
    assert np.isfinite(losses).all()
    assert not np.array_equal(images, reference[0])
    step, synthetic = problem.step(
        DualViewAlignment(lambda: experts, 3),
        one_device,
        unit_range=True,
        max_decoded=5,
    )
    # Cells that are not drawn get no gradient in a pass: 3 of 8 of each class, less the
    # half pixel that neighbouring cells do not share.
    gradient = step.method.matching.match(tf.constant(0), 1).gradient
    cells = tf.reshape(gradient, [5, 2, 2, 4, 2, 4, 2])
    used = tf.reduce_max(tf.abs(cells), axis=[3, 5, 6]).numpy() > 0
    assert (used.sum(axis=(1, 2, 3)) <= 5).all() and used.any()
    del synthetic
