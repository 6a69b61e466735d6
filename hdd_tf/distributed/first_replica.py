"""Work that one replica does for all, such as the training of a shared network."""

from collections.abc import Callable

import tensorflow as tf

from hdd_tf.distributed.replica_sums import sum_over_replicas


def by_first_replica(
    strategy: tf.distribute.Strategy,
    work: Callable[[list[tf.Tensor]], list[tf.Tensor]],
    state: list[tf.Tensor],
) -> list[tf.Tensor]:
    """Returns what the first replica makes of a state; call it outside `strategy.run`.

    If every machine did the work, rounding could let their states drift apart.

    Args:
        strategy: The strategy.
        work: Function from the state to tensors of the same shapes and dtypes.
        state: Tensors that all replicas have alike.

    Returns:
        The function's tensors, the same on all replicas and in all processes.
    """

    def work_or_wait() -> list[tf.Tensor]:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return tf.cond(
            tf.equal(replica, 0),
            lambda: work(state),
            lambda: [tf.zeros_like(part) for part in state],
        )

    if strategy.num_replicas_in_sync == 1:
        return strategy.run(lambda: work(state))
    # All replicas but the first return zeros, so the sum is what it returns.
    return sum_over_replicas(strategy, strategy.run(work_or_wait))
