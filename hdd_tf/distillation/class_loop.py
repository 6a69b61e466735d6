"""A replica's share of the classes, block by block, and what comes out put together."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from hdd_tf.distillation.class_blocks import ClassBlocks


class ClassLoop:
    """Runs functions of a block of classes over the classes of the replica that asks.

    To be used within `strategy.run`. Where a replica has several blocks they go one
    after the other, so that one block's memory is all that is taken.

    Args:
        blocks: Split of the classes over replicas and blocks.
        num_classes: C.
    """

    def __init__(self, blocks: ClassBlocks, num_classes: int) -> None:
        self._blocks = blocks
        self._num_classes = num_classes

    def scatter(self, of_block: Callable[[tf.Tensor], Any], signature: Any) -> Any:
        """Puts what a function says of each class in the class's place.

        Args:
            of_block: From class numbers `[b]` to tensors `[b, ...]`.
            signature: Of its result, for `tf.map_fn`.

        Returns:
            Tensors `[C, ...]`, zero for the classes of other replicas: the replicas'
            sum has them all.
        """
        classes, valid = self._share()
        if classes.shape[0] == 1:
            found = of_block(classes[0])
        else:
            found = tf.map_fn(
                of_block,
                classes,
                fn_output_signature=signature,
                parallel_iterations=1,
            )
            # The blocks' classes in one row.
            found = tf.nest.map_structure(
                lambda part: tf.reshape(part, [-1, *part.shape[2:]]), found
            )
        index = tf.reshape(classes, [-1, 1])

        def in_place(part: tf.Tensor) -> tf.Tensor:
            rest = part.shape[1:]
            part *= tf.reshape(valid, [-1] + [1] * len(rest))
            return tf.scatter_nd(index, part, [self._num_classes, *rest])

        return tf.nest.map_structure(in_place, found)

    def add(
        self, of_block: Callable[[tf.Tensor, tf.Tensor], Any], signature: Any
    ) -> Any:
        """Adds up what a function says of blocks.

        Args:
            of_block: From class numbers `[b]` and their weights `[b]` float32 to sums
                over the classes, each counted by its weight: 0 is padding.
            signature: Of its result, for `tf.map_fn`.

        Returns:
            Its sum over the replica's blocks; the replicas' sum is over all classes.
        """
        classes, valid = self._share()
        if classes.shape[0] == 1:
            return of_block(classes[0], valid)
        parts = tf.map_fn(
            lambda part: of_block(*part),
            (classes, tf.reshape(valid, classes.shape)),
            fn_output_signature=signature,
            parallel_iterations=1,
        )
        return tf.nest.map_structure(lambda part: tf.reduce_sum(part, axis=0), parts)

    def _share(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the replica's `[blocks, b]` class numbers, and weights in a row."""
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        classes = tf.gather(self._blocks.classes, replica)
        valid = tf.reshape(tf.gather(self._blocks.valid, replica), [-1])
        return classes, valid
