"""IDM: the batched iteration against the program's loop, and the pool's training."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.data.class_store import ClassStore
from hdd_tf.data.stored_images import StoredImages
from hdd_tf.networks.pool import PoolSchedule
from hdd_tf.objectives.idm import ImprovedDistributionMatching, PoolTraining
from hdd_tf.random_keys import Purpose, derive_key
from tests.objectives.per_class_loop import per_class_pass

SCHEDULE = PoolSchedule(start=2, join_every=2, capacity=4, reset_every=5)
TRAINING = PoolTraining(networks=2, steps=3, batch_size=32)
ITERATIONS = 6


def build(problem, strategy, weight=0.5):
    return ImprovedDistributionMatching(
        problem.network, problem.store, strategy, 3, SCHEDULE, TRAINING, weight
    )


def run(problem, strategy, calls=(ITERATIONS,), **kwargs):
    objective = build(problem, strategy)
    step, images = problem.step(objective, strategy, **kwargs)
    losses, done = [], 0
    for count in calls:
        losses.append(step.run(done, count)["loss_per_class"].numpy())
        done += count
    assert step.trace_count == 1
    pool = [variable.numpy() for variable in objective.variables]
    return images.images.numpy(), np.concatenate(losses), pool


@pytest.fixture(scope="module")
def reference(problem, one_device):
    return run(problem, one_device)


@pytest.mark.parametrize(
    "geometry", ["hyperbolic", pytest.param("euclidean", marks=pytest.mark.stress)]
)
@pytest.mark.slow
def test_iteration_equals_one_optimiser_call_a_class(
    problem, one_device, reference, geometry
):
    found, losses, pool = reference
    if geometry != "hyperbolic":
        found, losses, pool = run(problem, one_device, geometry=geometry)
    objective = build(problem, one_device)
    step, images = problem.step(objective, one_device, geometry)
    match = tf.function(step.method.matching.match, autograph=False)
    velocity = tf.zeros_like(images.images)
    for iteration in range(ITERATIONS):
        objective.prepare(tf.constant(iteration))
        expected, velocity = per_class_pass(
            match, images.images, velocity, iteration, 0, 0.5, 0.5
        )
        objective.conclude(tf.constant(iteration))
        np.testing.assert_allclose(losses[iteration], expected, rtol=2e-4)
    moved = np.abs(found - problem.step(objective, one_device)[1].images).max()
    assert moved > 0.05
    np.testing.assert_allclose(found, images.images, atol=2e-4 * moved)
    for mine, other in zip(pool, objective.variables, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)


def test_loss_is_matching_plus_accuracy_times_cross_entropy(problem, one_device):
    objective, plain = build(problem, one_device, 0.7), build(problem, one_device, 0.0)
    iteration = tf.constant(1)
    for each in (objective, plain):
        each.prepare(tf.constant(0))
    row = int(
        objective.pool.pick(
            iteration, 1, derive_key(3, Purpose.POOL_MATCHED, iteration)
        )[0]
    )
    with_meter, _ = problem.step(objective, one_device)
    without, images = problem.step(plain, one_device)
    loss = without.method.matching.match(iteration).loss
    # An empty meter counts as 0.
    np.testing.assert_allclose(with_meter.method.matching.match(iteration).loss, loss)
    pool = objective.pool
    row = tf.constant(row)
    pool.put(row, pool.weights(row), pool.velocities(row), correct=3.0, seen=4.0)
    loss_with = with_meter.method.matching.match(iteration).loss
    decoded = images.decode(tf.convert_to_tensor(images.images))
    assert decoded.shape == (5, 8, 8, 8, 2)
    # Without augmentation the cross-entropy differs a little: compare its size only.
    logits = problem.network.logits(
        pool.weights(row), tf.reshape(decoded, [-1, 8, 8, 2])
    )
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(
        np.repeat(np.arange(5), 8), logits
    )
    entropy = tf.reduce_mean(tf.reshape(entropy, [5, 8]), axis=1)
    np.testing.assert_allclose(loss_with - loss, 0.7 * 75 * entropy, rtol=0.3)


def test_training_of_the_queue_equals_a_plain_loop(problem, one_device):
    objective = build(problem, one_device)
    iteration = tf.constant(0)
    objective.prepare(iteration)
    rows = objective.pool.pick(
        iteration, 2, derive_key(3, Purpose.POOL_TRAINED, iteration)
    )
    before = [
        [w.numpy() for w in objective.pool.weights(tf.constant(row))]
        for row in range(3)
    ]
    images = (problem.images / 255.0 - (0.4, 0.5)) / (0.3, 0.2)
    expected = {}
    for row in rows.numpy():
        weights = [tf.constant(w) for w in before[row]]
        velocities = [tf.zeros_like(w) for w in weights]
        key = derive_key(3, Purpose.POOL_BATCH, iteration, tf.constant(row))
        batches, _ = problem.store.draw_batches(key, 3, 32)
        hits = 0
        for batch in batches.numpy():
            with tf.GradientTape() as tape:
                tape.watch(weights)
                logits = problem.network.logits(
                    weights, tf.constant(images[batch], tf.float32)
                )
                loss = tf.reduce_mean(
                    tf.nn.sparse_softmax_cross_entropy_with_logits(
                        problem.labels[batch], logits
                    )
                )
            hits += int((logits.numpy().argmax(1) == problem.labels[batch]).sum())
            for k, gradient in enumerate(tape.gradient(loss, weights)):
                velocities[k] = 0.9 * velocities[k] + gradient + 5e-4 * weights[k]
                weights[k] = weights[k] - 0.01 * velocities[k]
        expected[row] = weights, 100.0 * hits / 96
    objective.conclude(iteration)
    for row in range(3):
        now = objective.pool.weights(tf.constant(row))
        weights, accuracy = expected.get(row, (before[row], 0.0))
        for mine, other in zip(now, weights, strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-6)
        found = objective.pool.running_accuracy(tf.constant(row))
        np.testing.assert_allclose(found, accuracy, rtol=1e-6)


@pytest.mark.stress
def test_calls_do_not_matter(problem, one_device, reference):
    found = run(problem, one_device, calls=(1, 3, 2))
    np.testing.assert_array_equal(found[0], reference[0])
    for mine, other in zip(found[2], reference[2], strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.stress
def test_any_block_size_gives_the_same_images(problem, one_device, reference):
    images, _, _ = run(problem, one_device, max_images=15)
    difference = np.abs(images - reference[0]).max()
    assert difference <= 1e-6 * np.abs(reference[0]).max()


def test_draw_of_batches_is_a_shuffled_pass(problem):
    rows, labels = problem.store.draw_batches(derive_key(1), 3, 36)
    assert rows.shape == (3, 36)
    # 108 of 110 images: none twice.
    assert len(np.unique(rows)) == 108
    np.testing.assert_array_equal(labels, problem.labels[rows.numpy()])
    rows, _ = problem.store.draw_batches(derive_key(1), 5, 44)
    np.testing.assert_array_equal(np.bincount(rows.numpy().ravel()), 2)


def test_batches_of_the_next_iteration_are_asked_for_from_the_disk(
    problem, one_device, tmp_path, monkeypatch
):
    path = tmp_path / "images"
    path.write_bytes(problem.images.tobytes())  # The classes are in order.
    stored = StoredImages(path, problem.images.shape, np.arange(len(problem.labels)))
    requests: list[tuple[str, np.ndarray]] = []
    monkeypatch.setattr(
        stored,
        "ask_ahead",
        lambda rows, stream: requests.append((stream, rows.copy())),
    )
    store = ClassStore(stored, problem.labels, 5, problem.dataset.normalisation)
    few = PoolTraining(networks=2, steps=2, batch_size=4)
    objectives = [
        ImprovedDistributionMatching(
            problem.network, each, one_device, 3, SCHEDULE, few, 0.5
        )
        for each in (store, problem.store)
    ]
    of_iteration = []
    for iteration in range(3):  # A network joins in between.
        requests.clear()
        for objective in objectives:
            objective.prepare(tf.constant(iteration))
            objective.conclude(tf.constant(iteration))
        of_iteration.append(list(requests))
    for own, following in itertools.pairwise(of_iteration):
        for index in range(2):
            drawn, ahead = (r for name, r in own if name == f"batches {index}")
            used = next(r for name, r in following if name == f"batches {index}")
            np.testing.assert_array_equal(ahead, used)
            assert not np.array_equal(ahead, drawn)
    for mine, other in zip(*(each.variables for each in objectives), strict=True):
        np.testing.assert_array_equal(mine, other)
