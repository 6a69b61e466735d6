"""Real images of a block of classes, augmented and processed in parts."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.data.class_store import ClassStore
from hdd_tf.distillation.comparison import add_parts
from hdd_tf.distributed.compilation import Piece, as_it_is, differentiated


class RealImages:
    """n real images of each of b classes; see `comparison.RealBatch`.

    Args:
        store: The real training images.
        labels: `[b]` int32 class numbers.
        rows: `[b, n]` integer rows of the store.
        weights: `[b, n]` float32 weights of the images.
        parameters: Augmentation of each class, with leading dimension b; None for none.
        max_images: Largest number of images of one forward pass, >= 1. More images are
            processed in chunks, since a single class can exceed the number.
        piece: Function that runs a piece of the graph, compiled or not.

    Attributes:
        labels: `[b]` int32 class numbers.
        weights: `[b, n]` float32 weights of the images.
    """

    def __init__(
        self,
        store: ClassStore,
        labels: tf.Tensor,
        rows: tf.Tensor,
        weights: tf.Tensor,
        parameters: dsa.DSAParameters | None,
        max_images: int,
        piece: Piece = as_it_is,
    ) -> None:
        self.labels = labels
        self.weights = weights
        self._store = store
        self._rows = rows
        self._parameters = parameters
        self._max_images = max_images
        self._piece = piece

    def map(self, per_image: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Applies a function of single images, in chunks; see `RealBatch`."""
        num_classes, per_class = self._rows.shape
        total = num_classes * per_class

        def forward(rows: tf.Tensor, parameters: dsa.DSAParameters | None) -> tf.Tensor:
            drawn = self._store.gather(rows)

            def work() -> tf.Tensor:
                images = dsa.apply(drawn, parameters, differentiable=False)
                with differentiated(0):
                    return per_image(tf.reshape(images, [-1, *images.shape[2:]]))

            return self._piece(work)

        if total <= self._max_images:
            values = forward(self._rows, self._parameters)
        else:
            num_chunks = -(-total // self._max_images)
            chunk = -(-total // num_chunks)
            padding = [[0, num_chunks * chunk - total]]
            flat = tf.pad(tf.reshape(self._rows, [-1]), padding)
            # A chunk can begin within a class, so each image looks up its class's
            # augmentation.
            owner = tf.pad(tf.repeat(tf.range(num_classes), per_class), padding)
            values = tf.map_fn(
                lambda part: forward(
                    part[0][:, None], dsa.gather(self._parameters, part[1])
                ),
                (
                    tf.reshape(flat, [num_chunks, chunk]),
                    tf.reshape(owner, [num_chunks, chunk]),
                ),
                fn_output_signature=tf.float32,
                parallel_iterations=1,
            )
            values = tf.reshape(values, [-1, *values.shape[2:]])[:total]
        return tf.reshape(values, [num_classes, per_class, *values.shape[1:]])

    def map_classes(
        self,
        per_class: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Any],
        signature: Any,
        join: Callable[[Any], Any] = add_parts,
    ) -> Any:
        """Applies a function of whole classes, in parts; see `RealBatch`."""
        num_classes, count = self._rows.shape
        num_parts = -(-count // self._max_images)
        part = -(-count // num_parts)
        # Images that pad the last part have weight 0.
        padding = [[0, 0], [0, num_parts * part - count]]
        rows, weights = (
            tf.reshape(tf.pad(x, padding), [num_classes * num_parts, part])
            for x in (self._rows, self.weights)
        )

        def of_part(index: tf.Tensor | int) -> Any:
            owner = index // num_parts
            parameters = dsa.gather(self._parameters, tf.reshape(owner, [1]))
            drawn = self._store.gather(rows[index][None])
            weight, label = weights[index], self.labels[owner]

            def work() -> Any:
                images = dsa.apply(drawn, parameters, differentiable=False)[0]
                with differentiated(1):
                    return per_class(images, weight, label)

            return self._piece(work)

        found = tf.map_fn(
            of_part,
            tf.range(num_classes * num_parts),
            fn_output_signature=signature,
            parallel_iterations=1,
        )
        return join(
            tf.nest.map_structure(
                lambda x: tf.reshape(x, [num_classes, num_parts, *x.shape[1:]]), found
            )
        )

    def add(
        self,
        of_batch: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Any],
        signature: Any,
    ) -> Any:
        """Sums a function of batches of any classes over all images, in chunks.

        Args:
            of_batch: Function from images `[k, h, w, c]`, their weights `[k]` and their
                labels `[k]` to float32 tensors, which are weighted sums over the
                images.
            signature: The `tf.TensorSpec` of each tensor of the result.

        Returns:
            The sums, structured like `signature`.
        """
        num_classes, per_class = self._rows.shape
        total = num_classes * per_class
        num_chunks = -(-total // self._max_images)
        chunk = -(-total // num_chunks)
        # Images that pad the last chunk have weight 0.
        padding = [[0, num_chunks * chunk - total]]
        owner = tf.repeat(tf.range(num_classes), per_class)
        rows, weights, owner = (
            tf.reshape(tf.pad(tf.reshape(x, [-1]), padding), [num_chunks, chunk])
            for x in (self._rows, self.weights, owner)
        )

        def of_chunk(part: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> Any:
            rows, weights, owner = part
            parameters = dsa.gather(self._parameters, owner)
            drawn = self._store.gather(rows[:, None])
            labels = tf.gather(self.labels, owner)

            def work() -> Any:
                images = dsa.apply(drawn, parameters, differentiable=False)[:, 0]
                with differentiated(1):
                    return of_batch(images, weights, labels)

            return self._piece(work)

        if num_chunks == 1:
            return of_chunk((rows[0], weights[0], owner[0]))
        sums = tf.map_fn(
            of_chunk,
            (rows, weights, owner),
            fn_output_signature=signature,
            parallel_iterations=1,
        )
        return tf.nest.map_structure(lambda x: tf.reduce_sum(x, axis=0), sums)


class PartOfClass:
    """A part of the images of one class, see `RealBatch`.

    Args:
        label: `[]` int32 class number.
        images: `[n, h, w, c]` normalised images, of any number n.
        parameters: Augmentation of the class, of one group; None for none.
        piece: Function that runs a piece of the graph, compiled or not.
    """

    def __init__(
        self,
        label: tf.Tensor,
        images: tf.Tensor,
        parameters: dsa.DSAParameters | None,
        piece: Piece,
    ) -> None:
        self.labels = label[None]
        self.weights = tf.ones([1, tf.shape(images)[0]])
        self._images = images
        self._parameters = parameters
        self._piece = piece

    def map(self, per_image: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Applies a function of single images; see `RealBatch`."""

        def work() -> tf.Tensor:
            with differentiated(0):
                return per_image(self._augmented())

        return self._piece(work)[None]

    def map_classes(
        self,
        per_class: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Any],
        signature: Any,
        join: Callable[[Any], Any] = add_parts,
    ) -> Any:
        """Applies a function of a whole class to this part; see `RealBatch`."""
        del signature

        def work() -> Any:
            with differentiated(1):
                return per_class(self._augmented(), self.weights[0], self.labels[0])

        found = self._piece(work)
        return join(tf.nest.map_structure(lambda x: x[None, None], found))

    def _augmented(self) -> tf.Tensor:
        return dsa.apply(self._images[None], self._parameters, differentiable=False)[0]
