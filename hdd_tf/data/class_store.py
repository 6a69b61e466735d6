"""Random draws of real images, class by class, inside the graph."""

import numpy as np
import tensorflow as tf

from hdd_tf.data.normalisation import Normalisation
from hdd_tf.random_keys import derive_key


class ClassStore:
    """Real images of one training split, kept as uint8 in the host's memory.

    Only the drawn batch is ever converted to float or sent to a device.

    Args:
        images: `[n, h, w, c]` uint8.
        labels: `[n]` integers in [0, num_classes), each of which occurs.
        num_classes: C.
        normalisation: How networks take the images.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        num_classes: int,
        normalisation: Normalisation,
    ) -> None:
        if images.dtype != np.uint8 or images.ndim != 4:
            raise ValueError(
                f"`images` must be [n, h, w, c] uint8. Received: {images.dtype} of "
                f"shape {images.shape}."
            )
        sizes = np.bincount(labels, minlength=num_classes)
        if len(sizes) != num_classes or not sizes.all():
            raise ValueError(
                f"`labels` must hold every class of 0, ..., {num_classes - 1}. "
                f"Received classes of sizes {sizes.tolist()}."
            )
        with tf.device("CPU:0"):
            self._images = tf.constant(images)
            # Rows in the order of their class; the images themselves stay in place.
            self._order = tf.constant(np.argsort(labels, kind="stable"), tf.int64)
            self._starts = tf.constant(np.cumsum(sizes) - sizes, tf.int64)
            self._labels = tf.constant(labels, tf.int32)
            self.sizes = tf.constant(sizes, tf.int32)
        self._num_classes = num_classes
        self._largest = int(sizes.max())
        self._normalise = normalisation.row_tensors(images.shape[2])

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return tuple(self._images.shape[1:])

    def draw_indices(self, key: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws images of every class at random, without replacement.

        Ranks random 32-bit keys. `tf.random.experimental.index_shuffle` would need no
        keys for the images that are not drawn, but is slower all the same, and its
        permutations of small classes are measurably not uniform.

        Args:
            key: Key of the draw. A class's draw is a function of (key, class, size of
                the class) and of nothing else.
            count: Images of each class; at most the largest class is drawn.

        Returns:
            `[C, count]` int64 rows of the split, and `[C, count]` float32 weights: 1,
            or 0 from where a class has no image left. Rows of weight 0 are images of
            the class too, but repeated.
        """
        count = min(count, self._largest)

        def draw_class(label: tf.Tensor) -> tf.Tensor:
            size = tf.gather(self.sizes, label)
            keys = tf.random.stateless_uniform(
                [size], derive_key(key, label), minval=None, maxval=None, dtype=tf.int32
            )
            drawn = tf.math.top_k(keys, tf.minimum(count, size)).indices
            return tf.pad(drawn, [[0, count - tf.size(drawn)]])

        with tf.device("CPU:0"):
            within_class = tf.map_fn(
                draw_class,
                tf.range(self._num_classes),
                fn_output_signature=tf.TensorSpec([count], tf.int32),
            )
            rows = tf.gather(
                self._order, self._starts[:, None] + tf.cast(within_class, tf.int64)
            )
            weights = tf.cast(tf.range(count) < self.sizes[:, None], tf.float32)
        return rows, weights

    def draw_batches(
        self, key: tf.Tensor, count: int, batch_size: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws batches of all classes, as a shuffled pass over the split gives them.

        Args:
            key: Key of the draw.
            count: Number of batches.
            batch_size: Images of each. Where the split has fewer than all batches
                together, it is shuffled again as often as needed.

        Returns:
            `[count, batch_size]` rows of the split, and their labels, int32.
        """
        size, wanted = self._labels.shape[0], count * batch_size
        with tf.device("CPU:0"):
            # Random keys ranked, as in `draw_indices`: a shuffle of the whole split
            # would cost more than the images do.
            keys = tf.random.stateless_uniform(
                [-(-wanted // size), size], key, None, None, tf.int32
            )
            rows = tf.math.top_k(keys, min(wanted, size)).indices
            rows = tf.reshape(rows, [-1])[:wanted]
            rows = tf.reshape(rows, [count, batch_size])
            return rows, tf.gather(self._labels, rows)

    def gather(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns the images at `rows`.

        Args:
            rows: `[...]` integer tensor of rows of the split.

        Returns:
            `[..., h, w, c]` float32, normalised, on the device of the caller.
        """
        with tf.device("CPU:0"):
            images = tf.gather(self._images, rows)
        return self.normalise(images)

    def normalise(self, images: tf.Tensor) -> tf.Tensor:
        """Returns images as networks take them, float32.

        Args:
            images: `[..., h, w, c]` uint8 or float on the 0-255 scale, of the store's
                height and width.
        """
        return self._normalise(images)
