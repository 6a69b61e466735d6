"""Centroids that are remembered over the iterations of a run, as variables."""

import functools
from typing import Any

import tensorflow as tf

from hdd_tf.geometry.registry import Geometry


class RememberedCentroids(tf.Module):
    """A centroid of each class, which moves towards what it is shown.

    The variables are plain, not mirrored: every process keeps one copy. Write to them
    outside `strategy.run` only.

    Args:
        geometry: Geometry of the centroids.
        num_classes: Number of classes C.
        length: Number of features d.

    Attributes:
        num_parts: Number of tensors of a summary.
        pack: Function from the parts of a summary to the summary.
    """

    def __init__(self, geometry: Geometry, num_classes: int, length: int) -> None:
        super().__init__(name="remembered_centroids")
        # In a tuple and a function, which tf.Module does not track.
        self._geometry = (geometry,)
        empty = geometry.summarize(tf.zeros([num_classes, 1, length]))
        structure = tf.nest.map_structure(lambda part: None, empty)
        self.pack = functools.partial(tf.nest.pack_sequence_as, structure)
        self._parts = [
            tf.Variable(part, trainable=False) for part in tf.nest.flatten(empty)
        ]
        self.num_parts = len(self._parts)

    def read(self) -> Any:
        """Returns the summary of all classes, tensors `[C, ...]`."""
        return self.pack([tf.convert_to_tensor(part) for part in self._parts])

    def move(self, towards: list[tf.Tensor], share: float | tf.Tensor) -> None:
        """Moves the centroids; see `Geometry.blend`.

        Args:
            towards: Parts of a summary of all classes, in the order of
                `tf.nest.flatten`.
            share: Share of the way, in [0, 1]; 1 forgets what was.
        """
        (geometry,) = self._geometry
        moved = geometry.blend(self.read(), self.pack(towards), share)
        for variable, part in zip(self._parts, tf.nest.flatten(moved), strict=True):
            variable.assign(part)
