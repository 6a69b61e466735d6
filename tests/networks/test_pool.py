"""IDM's pool: who is in it, what its meters say, what is put back."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.networks.pool import NetworkPool, PoolSchedule, read_network
from hdd_tf.networks.registry import build_network
from hdd_tf.random_keys import Purpose, derive_key

SCHEDULE = PoolSchedule(start=2, join_every=3, capacity=4, reset_every=5)


@pytest.fixture(scope="module")
def network():
    return build_network("convnet", (8, 8, 1), 2, depth=1, width=4)


@pytest.fixture
def pool(network):
    return NetworkPool(network, SCHEDULE, seed=5)


def newcomer(network, joining):
    key = derive_key(5, Purpose.POOL_NETWORK, joining)
    return network.initial_weights(key)[0].numpy()


def test_queue_against_a_list(network, pool):
    # What the published program does: a list that grows and loses its head.
    expected, joined = [0, 1], 2
    update = tf.function(pool.admit_newcomer)
    for iteration in range(14):
        if iteration % 3 == 0:
            expected.append(joined)
            joined += 1
            expected = expected[-4:]
        update(tf.constant(iteration))
        live = int(SCHEDULE.live(tf.constant(iteration)))
        assert live == len(expected)
        found = {
            pool.weights(tf.constant(row))[0].numpy().tobytes() for row in range(live)
        }
        assert found == {newcomer(network, k).tobytes() for k in expected}
    assert update.experimental_get_tracing_count() == 1


def test_pick_is_different_live_networks_and_all_of_them_in_time(pool):
    iteration, seen = tf.constant(4), set()  # 2 + 2 have joined.
    for seed in range(40):
        rows = pool.pick(iteration, 2, derive_key(seed)).numpy()
        assert len(set(rows)) == 2
        seen |= set(rows)
    assert seen == {0, 1, 2, 3}


def test_meters(pool):
    row = tf.constant(1)
    assert float(pool.running_accuracy(row)) == 0.0
    weights = [w + 1.0 for w in pool.weights(row)]
    velocities = [v + 2.0 for v in pool.velocities(row)]
    pool.put(row, weights, velocities, correct=3.0, seen=10.0)
    pool.put(row, weights, velocities, correct=9.0, seen=10.0)
    np.testing.assert_allclose(pool.running_accuracy(row), 60.0)
    np.testing.assert_array_equal(pool.weights(row)[0], weights[0])
    np.testing.assert_array_equal(pool.velocities(row)[2], velocities[2])
    assert float(pool.running_accuracy(tf.constant(0))) == 0.0
    pool.admit_newcomer(tf.constant(4))  # No multiple of 5, so the meters stay.
    np.testing.assert_allclose(pool.running_accuracy(row), 60.0)
    pool.admit_newcomer(tf.constant(5))
    assert float(pool.running_accuracy(row)) == 0.0
    np.testing.assert_array_equal(pool.weights(row)[0], weights[0])


def test_newcomer_in_an_old_place_starts_afresh(network, pool):
    row = tf.constant(0)
    pool.put(row, pool.weights(row), [v + 1.0 for v in pool.velocities(row)], 1.0, 1.0)
    # 2 + 1 + 6 // 3 = 5 have joined at iteration 6: the fifth has row 0.
    pool.admit_newcomer(tf.constant(6))
    np.testing.assert_array_equal(pool.weights(row)[0], newcomer(network, 4))
    assert not any(velocity.numpy().any() for velocity in pool.velocities(row))
    assert float(pool.running_accuracy(row)) == 0.0


def test_oldest_against_a_list():
    pool, joined = [(0, 0), (1, 1)], 2  # Number of joining, and row.
    for iteration in range(30):
        if iteration % SCHEDULE.join_every == 0:
            pool = [*pool, (joined, joined % 4)][-4:]
            joined += 1
        assert SCHEDULE.oldest(iteration + 1) == min(pool)[1]
    assert SCHEDULE.oldest(0) == 0


def test_a_network_is_read_from_a_checkpoint(network, pool, tmp_path):
    path = tf.train.Checkpoint(objective=tf.train.Checkpoint(pool=pool)).save(
        str(tmp_path / "iteration")
    )
    reader = tf.train.load_checkpoint(path)
    found = read_network(reader, "objective/pool", 1)
    assert [w.shape for w in found] == network.weight_shapes
    for weight, expected in zip(found, pool.weights(tf.constant(1)), strict=True):
        np.testing.assert_array_equal(weight, expected)
    with pytest.raises(KeyError, match="objective/other"):
        read_network(reader, "objective/other", 1)
