"""The groups of images whose common statistics are matched.

Groups are class by class: the images in the order of their classes, so many at a time.
The last group may be smaller.
"""

import numpy as np
import tensorflow as tf

from hdd_tf.objectives.gvbsm.densification import rows_of_classes
from hdd_tf.objectives.gvbsm.group_loss import GroupImages


class Groups:
    """The split of a set's images into groups.

    Args:
        num_classes: Number of classes C.
        ipc: Images of each class.
        size: Images of a group, >= 1.

    Attributes:
        size: Images of a full group.
        full: Number of full groups.
        rest: Images of the last group, if it is smaller; 0 if there is none.
    """

    def __init__(self, num_classes: int, ipc: int, size: int) -> None:
        labels = np.repeat(np.arange(num_classes, dtype=np.int32), ipc)
        self.size = size = min(size, len(labels))
        self.full, self.rest = divmod(len(labels), size)
        parts = [labels[first : first + size] for first in range(0, len(labels), size)]
        own = [rows_of_classes(part) for part in parts]
        # All groups have tables of one shape; what is beyond a group's own is empty.
        shape = [max(group.rows.shape[axis] for group in own) for axis in (0, 1)]
        rows = np.zeros((len(own), *shape), np.int32)
        counts = np.zeros((len(own), shape[0]), np.int32)
        for number, group in enumerate(own):
            rows[number, : group.rows.shape[0], : group.rows.shape[1]] = group.rows
            counts[number, : len(group.counts)] = group.counts
        self._labels, self._rows, self._counts = (
            tf.constant(table) for table in (labels, rows, counts)
        )

    @property
    def number(self) -> int:
        """Number of groups."""
        return self.full + (self.rest > 0)

    def take(self, images: tf.Tensor, group: tf.Tensor) -> GroupImages:
        """Returns the images of a full group.

        Args:
            images: `[C, ipc, h, w, c]` all images.
            group: Number of the group, scalar int32.
        """
        return self._part(images, group, self.size)

    def last(self, images: tf.Tensor) -> GroupImages:
        """Returns the images of the last group, where it is smaller.

        Args:
            images: `[C, ipc, h, w, c]` all images.
        """
        return self._part(images, tf.constant(self.full), self.rest)

    def _part(self, images: tf.Tensor, group: tf.Tensor, count: int) -> GroupImages:
        flat = tf.reshape(images, [-1, *images.shape[2:]])
        first = group * self.size
        own = tf.ensure_shape(flat[first : first + count], [count, *flat.shape[1:]])
        labels = tf.ensure_shape(self._labels[first : first + count], [count])
        return GroupImages(own, labels, self._rows[group], self._counts[group])
