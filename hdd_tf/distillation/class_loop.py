"""The loop over the blocks of a replica's classes, with the results joined."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from hdd_tf.distributed.class_blocks import ClassBlocks
from hdd_tf.distributed.class_shares import ClassShares


class ClassLoop:
    """Applies functions of a block of classes to the classes of the calling replica.

    Call its methods within `strategy.run`. The blocks of a replica are processed one
    after the other, so that memory holds one block at a time.

    Args:
        blocks: Split of the classes over replicas and blocks.
        num_classes: Number of classes C.
    """

    def __init__(self, blocks: ClassBlocks, num_classes: int) -> None:
        self._blocks = blocks
        self._num_classes = num_classes

    def scatter(self, of_block: Callable[[tf.Tensor], Any], signature: Any) -> Any:
        """Scatters a function's values of a replica's classes to all classes.

        Args:
            of_block: Function from class numbers `[b]` to tensors `[b, ...]`.
            signature: Output signature of the function for `tf.map_fn`.

        Returns:
            Tensors `[C, ...]`, zero for the classes of other replicas. Their sum over
            the replicas has the values of all classes.
        """
        return self.scatter_and_add(
            lambda classes, valid: (of_block(classes), ()), (signature, ())
        )[0]

    def add(
        self, of_block: Callable[[tf.Tensor, tf.Tensor], Any], signature: Any
    ) -> Any:
        """Sums the values of a function of blocks.

        Args:
            of_block: Function from class numbers `[b]` int32 and their weights `[b]`
                float32 to weighted sums over the classes; weight 0 is padding.
            signature: Output signature of the function for `tf.map_fn`.

        Returns:
            The sum over the replica's blocks. The sum over the replicas is the sum over
            all classes.
        """
        return self.scatter_and_add(
            lambda classes, valid: ((), of_block(classes, valid)), ((), signature)
        )[1]

    def scatter_and_add(
        self,
        of_block: Callable[[tf.Tensor, tf.Tensor], tuple[Any, Any]],
        signature: tuple[Any, Any],
    ) -> tuple[Any, Any]:
        """Scatters the first and sums the second result of a function of blocks.

        Args:
            of_block: Function from class numbers `[b]` int32 and their weights `[b]`
                float32 to tensors `[b, ...]`, as in `scatter`, and to weighted sums
                over the classes, as in `add`.
            signature: Output signature of the function for `tf.map_fn`.

        Returns:
            Tensors `[C, ...]`, and the sums over the replica's blocks.
        """
        found, total, classes = self._computed(of_block, signature)
        index = tf.reshape(classes, [-1, 1])

        def in_place(part: tf.Tensor) -> tf.Tensor:
            return tf.scatter_nd(index, part, [self._num_classes, *part.shape[1:]])

        return tf.nest.map_structure(in_place, found), total

    def own_rows(self, of_block: Callable[[tf.Tensor], Any], signature: Any) -> Any:
        """Returns a function's values of the replica's classes, without the others.

        Args:
            of_block: Function from class numbers `[b]` to tensors `[b, ...]`.
            signature: Output signature of the function for `tf.map_fn`.

        Returns:
            Tensors `[S, ...]`, the rows of `ClassShares`.
        """
        found, _, _ = self._computed(
            lambda classes, valid: (of_block(classes), ()), (signature, ())
        )
        shares = ClassShares(self._num_classes, len(self._blocks.classes))
        return tf.nest.map_structure(lambda part: part[: shares.rows], found)

    def _computed(
        self,
        of_block: Callable[[tf.Tensor, tf.Tensor], tuple[Any, Any]],
        signature: tuple[Any, Any],
    ) -> tuple[Any, Any, tf.Tensor]:
        """Computes the blocks of the replica; see `scatter_and_add`.

        Returns:
            Tensors `[blocks * b, ...]`, zero for padding; the sums over the blocks; and
            the class numbers `[blocks, b]`.
        """
        classes, valid = self._share()
        if classes.shape[0] == 1:
            found, total = of_block(classes[0], valid)
        else:
            found, parts = tf.map_fn(
                lambda part: of_block(*part),
                (classes, tf.reshape(valid, classes.shape)),
                fn_output_signature=signature,
                parallel_iterations=1,
            )
            # Merges the block dimension and the class dimension.
            found = tf.nest.map_structure(
                lambda part: tf.reshape(part, [-1, *part.shape[2:]]), found
            )
            total = tf.nest.map_structure(
                lambda part: tf.reduce_sum(part, axis=0), parts
            )

        def counted(part: tf.Tensor) -> tf.Tensor:
            return part * tf.reshape(valid, [-1] + [1] * (part.shape.rank - 1))

        return tf.nest.map_structure(counted, found), total, classes

    def _share(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the replica's class numbers and their weights.

        Returns:
            `[blocks, b]` int32 class numbers, and `[blocks * b]` float32 weights.
        """
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        classes = tf.gather(self._blocks.classes, replica)
        valid = tf.reshape(tf.gather(self._blocks.valid, replica), [-1])
        return classes, valid
