"""The gradient of a whole set through a student's training, on all replicas.

The loops over the steps are outside `strategy.run`. In each step the replicas share the
images of the batch, and each computes its share in parts; the sums are those of the
batch.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.objectives.trajectories.end_loss import EndLoss
from hdd_tf.objectives.trajectories.reversal import Matched, Pulled, match
from hdd_tf.objectives.trajectories.student import Part, Student, learnt_of

# Step's number -> parameters of its augmentation, a group an image of the batch.
Augment = Callable[[tf.Tensor], dsa.DSAParameters | None]


class SetGradient:
    """Matches a student that trains on a set with an expert.

    Args:
        strategy: The devices that compute.
        student: The loss of a step.
        end_loss: The loss at the end of the steps.
        batch_size: Images of a step B.
        max_images: Most images that a replica computes at once.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        student: Student,
        end_loss: EndLoss,
        batch_size: int,
        max_images: int,
    ) -> None:
        self._strategy = strategy
        self._student = student
        self._end_loss = end_loss
        self._batch_size = batch_size
        self._replicas = strategy.num_replicas_in_sync
        share = -(-batch_size // self._replicas)
        self._parts = -(-share // max_images)
        self._part_size = -(-share // self._parts)

    def compute(
        self,
        path: tuple[tf.Tensor, tf.Tensor],
        rate: tf.Tensor,
        images: tf.Tensor,
        labels: tf.Tensor,
        rows: tf.Tensor,
        augment: Augment,
    ) -> Matched:
        """Returns loss and gradient; call it outside `strategy.run`.

        Args:
            path: `[P]` weights that student and expert start from, and `[P]` weights
                where the expert ends.
            rate: Scalar learning rate of the student.
            images: `[n, h, w, c]` stored images.
            labels: `[n]` int32 class numbers, or `[n, C]` logits.
            rows: `[N, B]` int32 images of each step, -1 for none.
            augment: The augmentation of a step.

        Returns:
            The loss, its derivatives by the images `[n, h, w, c]` and, if the labels
            are logits, by these `[n, C]`, and by the rate.
        """
        batch = _Batch(images, labels, rows, augment)

        def gradient(step: tf.Tensor, theta: tf.Tensor) -> tf.Tensor:
            at = batch.at(step)
            return self._summed(lambda: self._gradient(theta, batch, at))

        def pull(
            step: tf.Tensor,
            theta: tf.Tensor,
            adjoint: tf.Tensor,
            learnt: list[tf.Tensor],
        ) -> Pulled:
            at = batch.at(step)
            phi, by_theta, *parts = self._summed(
                lambda: self._pull(theta, adjoint, batch, at)
            )
            index = tf.maximum(at[0], 0)[:, None]
            added = [
                tf.tensor_scatter_nd_add(total, index, part[: self._batch_size])
                for total, part in zip(learnt, parts, strict=True)
            ]
            return Pulled(phi, by_theta, added)

        zeros = [tf.zeros_like(learnt) for learnt in learnt_of(images, labels)]
        steps = rows.shape[0]
        return match(*path, rate, steps, gradient, pull, self._end_loss, zeros)

    def _summed(self, of_replica: Callable[[], Any]) -> Any:
        """Returns the sums of the replicas' tensors."""
        return tf.nest.map_structure(
            lambda part: self._strategy.reduce("SUM", part, axis=None),
            self._strategy.run(of_replica),
        )

    def _gradient(self, theta: tf.Tensor, batch: "_Batch", at: tuple) -> tf.Tensor:
        """Returns the sum over the images of the calling replica."""

        def add(index: int | tf.Tensor, total: tf.Tensor) -> tf.Tensor:
            part = batch.take(at, self._positions(index))
            return total + self._student.gradient(theta, part)

        return _repeated(self._parts, add, tf.zeros_like(theta))

    def _pull(
        self, theta: tf.Tensor, adjoint: tf.Tensor, batch: "_Batch", at: tuple
    ) -> list[tf.Tensor]:
        """Returns the replica's sums of phi and its derivative by the weights.

        The derivatives by images and labels follow, at the positions of the batch; they
        are zero at those of other replicas.
        """

        def add(index: int | tf.Tensor, found: list) -> list:
            part = batch.take(at, self._positions(index))
            phi, by_theta, *learnt = self._student.pull(theta, adjoint, part)
            sums = [found[0] + phi, found[1] + by_theta]
            pairs = zip(found[2:], learnt, strict=True)
            return [*sums, *(array.write(index, value) for array, value in pairs)]

        learnt = learnt_of(batch.images, batch.labels)
        arrays = [tf.TensorArray(theta.dtype, self._parts) for _ in learnt]
        start = [tf.zeros([], theta.dtype), tf.zeros_like(theta), *arrays]
        phi, by_theta, *arrays = _repeated(self._parts, add, start)
        return [phi, by_theta, *(self._in_place(array.concat()) for array in arrays)]

    def _positions(self, part: int | tf.Tensor) -> tf.Tensor:
        """Returns the `[b]` positions in the batch of a part; they may be beyond it."""
        first = (self._replica() * self._parts + part) * self._part_size
        return first + tf.range(self._part_size)

    def _in_place(self, values: tf.Tensor) -> tf.Tensor:
        """Returns a replica's values `[share, ...]` among zeros for the others'."""
        share = self._parts * self._part_size
        values = tf.ensure_shape(values, [share, *values.shape[1:]])
        if self._replicas == 1:
            return values
        shape = [self._replicas, share, *values.shape[1:]]
        whole = tf.scatter_nd([[self._replica()]], values[None], shape)
        return tf.reshape(whole, [-1, *values.shape[1:]])

    @staticmethod
    def _replica() -> int | tf.Tensor:
        return tf.distribute.get_replica_context().replica_id_in_sync_group


class _Batch:
    """The images and the labels of all steps.

    Args:
        images: `[n, h, w, c]` stored images.
        labels: `[n]` or `[n, C]`.
        rows: `[N, B]` images of each step.
        augment: The augmentation of a step.

    Attributes:
        images: See above.
        labels: See above.
    """

    def __init__(
        self, images: tf.Tensor, labels: tf.Tensor, rows: tf.Tensor, augment: Augment
    ) -> None:
        self.images, self.labels = images, labels
        self._rows, self._augment = rows, augment

    def at(self, step: tf.Tensor) -> tuple[tf.Tensor, dsa.DSAParameters | None]:
        """Returns the rows `[B]` of a step, and its augmentation."""
        return tf.gather(self._rows, step), self._augment(step)

    def take(
        self,
        at: tuple[tf.Tensor, dsa.DSAParameters | None],
        positions: tf.Tensor,
    ) -> Part:
        """Returns the images at positions of a step; beyond its end none count."""
        rows, parameters = at
        last = rows.shape[0] - 1
        within = tf.minimum(positions, last)
        chosen = tf.gather(rows, within)
        counts = (positions <= last) & (chosen >= 0)
        dtype = self.images.dtype
        number = tf.reduce_sum(tf.cast(rows >= 0, dtype))
        chosen = tf.maximum(chosen, 0)
        return Part(
            tf.gather(self.images, chosen),
            tf.gather(self.labels, chosen),
            tf.cast(counts, dtype) / number,
            dsa.gather(parameters, within),
        )


def _repeated(count: int, add: Callable[[Any, Any], Any], start: Any) -> Any:
    """Returns what `add` of 0, ..., count - 1 makes of a start, in a loop."""
    if count == 1:
        return add(0, start)
    return tf.while_loop(
        lambda index, _: index < count,
        lambda index, found: (index + 1, add(index, found)),
        (tf.constant(0), start),
        parallel_iterations=1,
    )[1]
