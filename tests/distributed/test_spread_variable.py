"""Rows of all classes, spread over replicas and gathered again."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.distributed import class_shares, spread_variable
from hdd_tf.distributed.class_blocks import plan_class_blocks
from hdd_tf.distributed.class_shares import ClassShares
from hdd_tf.distributed.replica_sums import counted_sums, sum_over_replicas
from hdd_tf.distributed.spread_variable import SpreadVariable
from hdd_tf.distributed.strategies import mirror_over

# A zero with a sign and a value that is not a number come back as they are.
VALUES = np.arange(30, dtype=np.float32).reshape(5, 3, 2)
VALUES[1, 0], VALUES[3, 2] = -0.0, np.nan


def spread_over(replicas):
    strategy = mirror_over([f"CPU:{i}" for i in range(replicas)])
    whole = tf.Variable(VALUES)
    return SpreadVariable(whole, ClassShares(5, replicas), strategy), strategy


# Two does not divide five classes; of seven replicas two have no class.
@pytest.mark.parametrize(("replicas", "at_once"), [(2, 64), (2, 1), (3, 2), (7, 64)])
def test_what_replicas_change_is_gathered_to_the_bit(replicas, at_once, monkeypatch):
    monkeypatch.setattr(spread_variable, "_GATHERED_BYTES", at_once * 24 * replicas)
    spread, strategy = spread_over(replicas)
    spread.spread()
    rows = strategy.experimental_local_results(spread.own)
    # Each has its classes alone, and only so many rows.
    assert {row.shape[0] for row in rows} == {-(-5 // replicas)}
    np.testing.assert_array_equal(rows[1][0].numpy(), VALUES[1])
    spread.whole.assign(np.zeros_like(VALUES))
    assert not spread.is_whole
    spread.gather()
    assert spread.is_whole
    assert spread.whole.numpy().tobytes() == VALUES.tobytes()
    # From here the whole counts: it can be another checkpoint's.
    spread.whole.assign(VALUES + 1.0)
    spread.spread()
    spread.map(lambda own: 2.0 * own)
    spread.gather()
    np.testing.assert_array_equal(spread.whole.numpy(), 2.0 * (VALUES + 1.0))


def test_a_replica_reads_its_classes_and_places_them():
    spread, strategy = spread_over(2)
    spread.spread()

    def of_replica():
        classes, valid = spread.shares.own()
        read = spread.reader()(classes)
        return spread.shares.place(read), tf.cast(valid, tf.int32)

    with counted_sums() as sums:
        parts = strategy.run(of_replica)
        placed, valid = sum_over_replicas(strategy, parts)
    np.testing.assert_array_equal(placed.numpy(), VALUES)
    assert valid.numpy().tolist() == [2, 2, 1]
    # Floats of all classes, and three numbers.
    assert sums == [4 * VALUES.size, 12]
    sum_over_replicas(strategy, parts)
    assert len(sums) == 2


@pytest.mark.parametrize(
    ("here", "replicas", "classes"),
    [
        ([0], 2, [0, 2, 4]),
        ([1], 2, [1, 3]),
        ([2, 3], 4, [2, 3]),
        # Nothing to match, and a class that pads.
        ([6], 7, [1]),
    ],
)
def test_a_process_needs_the_classes_of_its_replicas(
    here, replicas, classes, monkeypatch
):
    monkeypatch.setattr(class_shares, "_replicas_of_process", lambda strategy: here)
    shares = ClassShares(5, replicas)
    assert shares.of_process(None).tolist() == classes
    blocks = plan_class_blocks(5, replicas, 1, 1, 2).classes[here]
    assert set(blocks.ravel().tolist()) <= set(classes)


def test_all_replicas_of_one_process_are_found():
    strategy = mirror_over(["CPU:0", "CPU:1", "CPU:2"])
    assert ClassShares(5, 3).of_process(strategy).tolist() == [0, 1, 2, 3, 4]
    assert not class_shares.has_other_processes(strategy)
