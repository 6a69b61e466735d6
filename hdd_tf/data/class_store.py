"""Random draws of real images of each class, inside the graph."""

import numpy as np
import tensorflow as tf

from hdd_tf.data.image_rows import ask_ahead, gather_rows, hold, lies_on_disk
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.data.stored_images import ImageRows
from hdd_tf.random_keys import derive_key


class ClassStore:
    """Real images of one training split, as uint8 in the host's memory or on disk.

    Only drawn batches are converted to float and sent to a device.

    Args:
        images: `[n, h, w, c]` uint8, in memory or on disk.
        labels: `[n]` integers in [0, num_classes); every class must occur.
        num_classes: Number of classes C.
        normalisation: Normalisation of the networks' images.
        rows: `[n]` rows of `images` for all labels; None if `images` has them in the
            order of `labels`. A store that lacks the images of some classes has any row
            for them. Its draws of the other classes are those of a store of all.

    Attributes:
        sizes: `[C]` int32 number of images of each class.

    Raises:
        ValueError: `images` is not uint8 of rank 4, or a class has no images.
    """

    def __init__(
        self,
        images: ImageRows,
        labels: np.ndarray,
        num_classes: int,
        normalisation: Normalisation,
        rows: np.ndarray | None = None,
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
        self._images = hold(images)
        with tf.device("CPU:0"):
            # Sorting row numbers by class avoids a sorted copy of the images.
            order = np.argsort(labels, kind="stable")
            self._order = tf.constant(order if rows is None else rows[order], tf.int64)
            self._starts = tf.constant(np.cumsum(sizes) - sizes, tf.int64)
            self._labels = tf.constant(labels, tf.int32)
            self.sizes = tf.constant(sizes, tf.int32)
        self._num_classes = num_classes
        self._has_all = rows is None
        self._largest = int(sizes.max())
        self._normalise = normalisation.row_tensors(images.shape[2])

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        height, width, channels = self._images.shape[1:]
        return height, width, channels

    @property
    def lies_on_disk(self) -> bool:
        """Whether images are read when they are used."""
        return lies_on_disk(self._images)

    def draw_indices(
        self, key: tf.Tensor, count: int, next_key: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws images of every class at random, without replacement.

        The draw ranks random 32-bit keys. `tf.random.experimental.index_shuffle` would
        need no keys for the images that are not drawn. Yet it is slower, and its
        permutations of small classes are measurably not uniform.

        Args:
            key: `[2]` int32 key of the draw. A class's draw depends only on the key,
                the class and the size of the class.
            count: Number of images of each class; it is limited to the size of the
                largest class.
            next_key: `[2]` int32 key of the draw after this one, or None. The system is
                asked to read its images from the disk meanwhile, if they are there.

        Returns:
            `[C, count]` int64 rows of the split, and their `[C, count]` float32
            weights. A weight is 0 if the class has no further image, else 1. A row of
            weight 0 repeats an image of the class.
        """
        count = min(count, self._largest)
        rows = self._draw_rows(key, count)
        ask_ahead(self._images, rows)
        if next_key is not None and self.lies_on_disk:
            ask_ahead(self._images, self._draw_rows(next_key, count))
        with tf.device("CPU:0"):
            weights = tf.cast(tf.range(count) < self.sizes[:, None], tf.float32)
        return rows, weights

    def _draw_rows(self, key: tf.Tensor, count: int) -> tf.Tensor:
        """Returns the rows of a draw, see `draw_indices`."""

        # Converting functions without loops takes time at every start.
        @tf.autograph.experimental.do_not_convert
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
            return tf.gather(
                self._order, self._starts[:, None] + tf.cast(within_class, tf.int64)
            )

    def draw_batches(
        self,
        key: tf.Tensor,
        count: int,
        batch_size: int,
        next_key: tf.Tensor | None = None,
        stream: str = "",
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws batches of all classes, as in shuffled passes over the split.

        If all batches together have more images than the split, the split is shuffled
        again as often as needed.

        Args:
            key: `[2]` int32 key of the draw.
            count: Number of batches.
            batch_size: Number of images of each batch.
            next_key: `[2]` int32 key of the draw after this one in its stream, or None.
                The system is asked to read its images from the disk meanwhile, if they
                are there.
            stream: Name of this draw and those before and after it.

        Returns:
            `[count, batch_size]` int32 rows of the split, and their
            `[count, batch_size]` int32 labels.

        Raises:
            ValueError: the store lacks the images of some classes.
        """
        if not self._has_all:
            raise ValueError("batches of all classes need a store of all images.")
        rows = self._batch_rows(key, count, batch_size)
        ask_ahead(self._images, rows, stream)
        if next_key is not None and self.lies_on_disk:
            following = self._batch_rows(next_key, count, batch_size)
            ask_ahead(self._images, following, stream)
        with tf.device("CPU:0"):
            return rows, tf.gather(self._labels, rows)

    def _batch_rows(self, key: tf.Tensor, count: int, batch_size: int) -> tf.Tensor:
        """Returns the rows of batches, see `draw_batches`."""
        size, wanted = self._labels.shape[0], count * batch_size
        with tf.device("CPU:0"):
            # This ranks random keys like `draw_indices`, because a shuffle of the whole
            # split would cost more than the images.
            keys = tf.random.stateless_uniform(
                [-(-wanted // size), size], key, None, None, tf.int32
            )
            rows = tf.math.top_k(keys, min(wanted, size)).indices
            rows = tf.reshape(rows, [-1])[:wanted]
            return tf.reshape(rows, [count, batch_size])

    def gather(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns the normalised images at `rows`.

        Args:
            rows: `[...]` integer tensor of rows of the split.

        Returns:
            `[..., h, w, c]` float32, normalised, on the device of the caller.
        """
        return self.normalise(gather_rows(self._images, rows))

    def normalise(self, images: tf.Tensor) -> tf.Tensor:
        """Returns normalised images `[..., h, w, c]`, float32.

        Args:
            images: `[..., h, w, c]` uint8 or float on the 0-255 scale, of the store's
                height and width.
        """
        return self._normalise(images)
