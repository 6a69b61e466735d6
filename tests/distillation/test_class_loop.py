"""Sums and places over classes, however these lie in blocks and on replicas."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.distillation.class_loop import ClassLoop
from hdd_tf.distributed.class_blocks import plan_class_blocks
from hdd_tf.distributed.class_shares import ClassShares
from hdd_tf.distributed.strategies import mirror_over

VALUES = np.array([1.0, 10.0, 100.0, 1000.0, 10000.0], np.float32)


# Five classes: with two or three replicas, and with blocks of two, some are padding;
# of seven replicas two have no class.
@pytest.mark.parametrize("replicas", [1, 2, 3, 7])
@pytest.mark.parametrize("per_block", [1, 2, 5])
def test_each_class_counts_once_and_has_its_place(replicas, per_block):
    strategy = mirror_over([f"CPU:{i}" for i in range(replicas)])
    blocks = plan_class_blocks(5, replicas, 1, 1, per_block)
    loop, values = ClassLoop(blocks, 5), tf.constant(VALUES)

    def of_weighted(classes, weights):
        return tf.reduce_sum(weights * tf.gather(values, classes))

    def of_replica():
        placed = loop.scatter(lambda classes: tf.gather(values, classes), tf.float32)
        both = loop.scatter_and_add(
            lambda classes, weights: (
                tf.gather(values, classes),
                of_weighted(classes, weights),
            ),
            (tf.float32, tf.float32),
        )
        own = loop.own_rows(lambda classes: tf.gather(values, classes), tf.float32)
        own = ClassShares(5, replicas).place(own)
        return placed, loop.add(of_weighted, tf.float32), *both, own

    @tf.function
    def run():
        parts = strategy.run(of_replica)
        return [strategy.reduce("SUM", part, axis=None) for part in parts]

    placed, total, placed_too, total_too, own = run()
    for found in (placed, placed_too, own):
        np.testing.assert_array_equal(found, VALUES)
    assert float(total) == float(total_too) == VALUES.sum()


@pytest.mark.parametrize("replicas", [2, 3, 7])
def test_padding_is_a_class_of_the_replica_itself(replicas):
    # A replica may have no image of any other class.
    for per_block in (1, 2, 5):
        blocks = plan_class_blocks(5, replicas, 1, 1, per_block)
        for replica, classes in enumerate(blocks.classes):
            own = set(range(replica, 5, replicas)) or {replica % 5}
            assert set(classes.ravel().tolist()) == own
