"""The gradient of all classes together, matched once, in blocks and on all devices.

The distance needs sums over all classes before its own gradient. So there are two
passes: the sums, whose parts are added over blocks and replicas; then, with the
distance's gradient v with respect to the synthetic sum g, the images' gradient of
<v, g>, again block by block. That is the gradient of the whole, and no gradient is
taken through a reduction over devices.
"""

from typing import NamedTuple

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.distillation.class_loop import ClassLoop
from hdd_tf.distillation.class_matching import ClassMatching
from hdd_tf.distributed.class_blocks import ClassBlocks
from hdd_tf.objectives.gradient_matching.gradients import WeightGradients


class Sums(NamedTuple):
    """Gradients of the mean cross-entropy of all images, one tensor a weight.

    Attributes:
        real: Mean over the classes of the gradients of their real images' mean.
        synthetic: That of the synthetic images.
    """

    real: list[tf.Tensor]
    synthetic: list[tf.Tensor]


class ContrastMatching:
    """The passes of the calling replica, for its own classes.

    Args:
        matching: Matching of single classes, for draws of real images and augmentation.
        gradients: Gradients of the network's weights.
        blocks: Split of the classes over replicas and passes of synthetic images.
        real_chunk: Largest number of real images of a pass, >= 1.
    """

    def __init__(
        self,
        matching: ClassMatching,
        gradients: WeightGradients,
        blocks: ClassBlocks,
        real_chunk: int,
    ) -> None:
        self._matching = matching
        self._gradients = gradients
        self._images = matching.synthetic_set.images
        self._num_classes = self._images.shape[0]
        self._loop = ClassLoop(blocks, self._num_classes)
        self._real_chunk = real_chunk

    def sums(self, iteration: tf.Tensor) -> Sums:
        """Returns the replica's part of the sums; call it within `strategy.run`.

        Args:
            iteration: Number of the iteration, scalar int32 tensor.
        """
        matching, signature = self._matching, self._gradients.signature
        weights = matching.objective.pass_of(iteration, 0).weights
        rows, row_weights = matching.draw_real(iteration, iteration + 1)
        # Every class counts the same, also one that has fewer images.
        shares = row_weights / tf.reduce_sum(row_weights, axis=1, keepdims=True)
        augmentation = matching.draw_augmentation(iteration)
        images = tf.convert_to_tensor(self._images)

        def of_block(classes: tf.Tensor, valid: tf.Tensor) -> Sums:
            parameters = dsa.gather(augmentation, classes)
            of_class = valid / self._num_classes
            real = matching.real_images(
                classes,
                tf.gather(rows, classes),
                tf.gather(shares, classes) * of_class[:, None],
                parameters,
                self._real_chunk,
            )
            return Sums(
                real.add(
                    lambda batch, batch_weights, labels: self._gradients.of(
                        weights, batch, batch_weights, labels
                    ),
                    signature,
                ),
                matching.piece(
                    lambda: self._of_synthetic(
                        weights,
                        tf.gather(images, classes),
                        parameters,
                        classes,
                        of_class,
                    )
                ),
            )

        return self._loop.add(of_block, Sums(signature, signature))

    def pull_back(self, iteration: tf.Tensor, cotangent: list[tf.Tensor]) -> tf.Tensor:
        """Returns the images' gradient of <cotangent, synthetic sum>.

        Call it within `strategy.run`, with the iteration of `sums`.

        Args:
            iteration: Number of the iteration, scalar int32 tensor.
            cotangent: Tensors of the gradients' shapes.

        Returns:
            `[C, ipc, h, w, c]`, zero for the classes of other replicas.
        """
        matching = self._matching
        weights = matching.objective.pass_of(iteration, 0).weights
        augmentation = matching.draw_augmentation(iteration)
        images = tf.convert_to_tensor(self._images)

        def of_block(classes: tf.Tensor) -> tf.Tensor:
            parameters = dsa.gather(augmentation, classes)
            own = tf.gather(images, classes)
            of_class = tf.fill(classes.shape, 1.0 / self._num_classes)

            def work() -> tf.Tensor:
                with tf.GradientTape() as tape:
                    tape.watch(own)
                    made = self._of_synthetic(
                        weights, own, parameters, classes, of_class
                    )
                    products = zip(cotangent, made, strict=True)
                    inner = tf.add_n([tf.reduce_sum(v * g) for v, g in products])
                return tape.gradient(inner, own)

            return matching.piece(work)

        return self._loop.scatter(of_block, tf.float32)

    def _of_synthetic(
        self,
        weights: list[tf.Tensor],
        images: tf.Tensor,
        parameters: dsa.DSAParameters | None,
        classes: tf.Tensor,
        of_class: tf.Tensor,
    ) -> list[tf.Tensor]:
        """Returns the gradients of the weighted sum of the classes' mean cross-entropy.

        Args:
            weights: Weights of the network.
            images: `[b, ipc, h, w, c]` stored images.
            parameters: Augmentation of each class.
            classes: `[b]` int32 class numbers.
            of_class: `[b]` float32 weights of the classes.
        """
        decoded = self._matching.synthetic_set.decode(images)
        count = decoded.shape[1]
        augmented = dsa.apply(decoded, parameters, differentiable=True)
        return self._gradients.of(
            weights,
            tf.reshape(augmented, [-1, *augmented.shape[2:]]),
            tf.repeat(of_class / count, count),
            tf.repeat(classes, count),
        )
