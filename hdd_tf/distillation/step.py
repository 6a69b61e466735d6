"""One iteration of distillation, over all classes, in one graph."""

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.data.class_store import ClassStore
from hdd_tf.distillation.class_blocks import ClassBlocks
from hdd_tf.distillation.image_sgd import ImageSGD
from hdd_tf.distillation.real_features import real_features
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.geometry.registry import Geometry
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.objectives.base import Objective, Pass
from hdd_tf.random_keys import Purpose, derive_key


class DistillationStep:
    """Matches real and synthetic images of every class and updates the images.

    Runs under any `tf.distribute` strategy: each replica matches its own classes, and
    the sum of the replicas' gradients updates every copy of the images.

    Args:
        strategy: Strategy under which `synthetic_set` and `image_sgd` were made.
        synthetic_set: The images.
        image_sgd: Their optimiser.
        store: The real training images.
        network: What features are of.
        objective: Which weights it has in an iteration, and what is minimised.
        geometry: Centroids and their distance.
        blocks: Split of the classes over replicas and forward passes.
        real_batch: Real images of each class in an iteration, at most.
        augmentations: Which transformations a class draws.
        max_decoded: Most synthetic images of each class in a pass; beyond, a random
            part of them. 0: all.
        seed: Seed of the run.
    """

    def __init__(
        self,
        *,
        strategy: tf.distribute.Strategy,
        synthetic_set: SyntheticSet,
        image_sgd: ImageSGD,
        store: ClassStore,
        network: FunctionalNetwork,
        objective: Objective,
        geometry: Geometry,
        blocks: ClassBlocks,
        real_batch: int,
        augmentations: dsa.Choice,
        max_decoded: int = 0,
        seed: int,
    ) -> None:
        self._strategy = strategy
        self._synthetic_set = synthetic_set
        self._image_sgd = image_sgd
        self._store = store
        self._network = network
        self._objective = objective
        self._geometry = geometry
        self._blocks = blocks
        self._real_batch = real_batch
        self._augmentations = augmentations
        self._max_decoded = max_decoded
        self._seed = seed
        # Traced once: the arguments are scalar tensors of one dtype.
        self._run = tf.function(
            self._iterate, input_signature=[tf.TensorSpec([], tf.int32)] * 2
        )

    def run(self, start: int, count: int) -> dict[str, tf.Tensor]:
        """Runs the iterations `start`, ..., `start + count - 1`.

        Args:
            start: Number of iterations done before; selects the random numbers.
            count: Number of iterations, >= 1.

        Returns:
            `loss_per_class` `[count, C]` and `gradient_norm` `[count]`, float32, sums
            over the passes of an iteration; `finite_images` `[C]` bool, whether a
            class's images and their velocity are finite after the last iteration.
        """
        return self._run(tf.constant(start), tf.constant(count))

    @property
    def trace_count(self) -> int:
        """How often the graph was traced; more than once would be a bug."""
        return self._run.experimental_get_tracing_count()

    def _iterate(self, start: tf.Tensor, count: tf.Tensor) -> dict[str, tf.Tensor]:
        num_classes = self._synthetic_set.images.shape[0]
        losses = tf.TensorArray(tf.float32, size=count, element_shape=[num_classes])
        norms = tf.TensorArray(tf.float32, size=count, element_shape=[])
        # Replicas only compute; what is written, is written outside `strategy.run`,
        # to all copies at once.
        for index in tf.range(count):
            iteration = start + index
            self._objective.prepare(iteration)
            loss, squared_norm = tf.zeros([num_classes]), tf.constant(0.0)
            for which in range(self._objective.num_passes):
                pass_loss, gradient = self._update_images(iteration, which)
                loss += pass_loss
                squared_norm += tf.reduce_sum(gradient * gradient)
            self._synthetic_set.clip()
            self._objective.conclude(iteration)
            losses = losses.write(index, loss)
            norms = norms.write(index, tf.sqrt(squared_norm))
        return {
            "loss_per_class": losses.stack(),
            "gradient_norm": norms.stack(),
            "finite_images": self._finite_images(),
        }

    def _finite_images(self) -> tf.Tensor:
        """Says of which classes the images can go on: `[C]` bool."""
        state = (self._synthetic_set.images, self._image_sgd.velocity)
        # Images that are clipped stay finite; their velocity does not.
        images, velocity = (tf.math.is_finite(tf.convert_to_tensor(x)) for x in state)
        return tf.reduce_all(images & velocity, axis=[1, 2, 3, 4])

    def _update_images(
        self, iteration: tf.Tensor, which: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes one pass over all classes; returns their losses and gradients."""
        self._image_sgd.before_gradient()
        parts = self._strategy.run(self.loss_and_gradient, (iteration, which))
        # A class lives on one replica and is zero on the others: the sums gather.
        loss, gradient = (
            self._strategy.reduce("SUM", part, axis=None) for part in parts
        )
        self._image_sgd.apply(gradient)
        return loss, gradient

    def loss_and_gradient(
        self, iteration: tf.Tensor, which: int = 0
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes a pass for this replica's classes, without updating anything.

        Args:
            iteration: Scalar int32 tensor.
            which: Number of the pass.

        Returns:
            `[C]` loss of each class and `[C, ipc, h, w, c]` gradient of their sum;
            zero for the classes of other replicas.
        """
        images = tf.convert_to_tensor(self._synthetic_set.images)
        num_classes = images.shape[0]
        work = self._objective.pass_of(iteration, which)
        rows, row_weights = self._store.draw_indices(
            derive_key(self._seed, Purpose.REAL_BATCH, iteration), self._real_batch
        )
        # For all classes at once, so that a class's draw does not depend on the blocks.
        augmentation = dsa.draw(
            self._key(Purpose.AUGMENTATION, iteration, which),
            num_classes,
            images.shape[2],
            images.shape[3],
            always=self._augmentations.always,
            one_of=self._augmentations.one_of,
        )
        subset = self._decoded_subset(iteration, which)

        def match_block(classes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            parameters = dsa.gather(augmentation, classes)
            real = None
            if work.match_features:
                features = real_features(
                    self._store,
                    self._network,
                    work.weights,
                    tf.gather(rows, classes),
                    parameters,
                    self._blocks.real_chunk,
                )
                real = self._geometry.summarize(
                    features, tf.gather(row_weights, classes)
                )
            return self._synthetic_side(
                work, classes, tf.gather(images, classes), subset, parameters, real
            )

        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        classes = tf.gather(self._blocks.classes, replica)
        if classes.shape[0] == 1:
            loss, gradient = match_block(classes[0])
        else:
            loss, gradient = tf.map_fn(
                match_block,
                classes,
                fn_output_signature=(tf.float32, tf.float32),
                parallel_iterations=1,  # one block's memory at a time
            )
        valid = tf.reshape(tf.gather(self._blocks.valid, replica), [-1])
        index = tf.reshape(classes, [-1, 1])
        loss = tf.reshape(loss, [-1]) * valid
        gradient = tf.reshape(gradient, [-1, *images.shape[1:]])
        gradient *= tf.reshape(valid, [-1, 1, 1, 1, 1])
        return (
            tf.scatter_nd(index, loss, [num_classes]),
            tf.scatter_nd(index, gradient, images.shape),
        )

    def _key(self, purpose: Purpose, iteration: tf.Tensor, which: int) -> tf.Tensor:
        """Returns a pass's own key."""
        key = derive_key(self._seed, purpose, iteration)
        return derive_key(key, which) if which else key

    def _decoded_subset(self, iteration: tf.Tensor, which: int) -> tf.Tensor | None:
        """Draws which decoded images of every class take part, `[max_decoded]`."""
        count = self._synthetic_set.decoded_ipc
        if not 0 < self._max_decoded < count:
            return None
        key = self._key(Purpose.DECODED_SUBSET, iteration, which)
        order = tf.random.experimental.stateless_shuffle(tf.range(count), key)
        return order[: self._max_decoded]

    def _synthetic_side(
        self,
        work: Pass,
        classes: tf.Tensor,
        images: tf.Tensor,
        subset: tf.Tensor | None,
        parameters: dsa.DSAParameters,
        real: object,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the loss `[b]` and the gradient of `images` `[b, ipc, h, w, c]`."""
        with tf.GradientTape() as tape:
            tape.watch(images)
            decoded = self._synthetic_set.decode(images)
            if subset is not None:
                decoded = tf.gather(decoded, subset, axis=1)
            augmented = dsa.apply(decoded, parameters, differentiable=True)
            leading = augmented.shape[:2]
            outputs = self._network.outputs(
                work.weights, tf.reshape(augmented, [-1, *augmented.shape[2:]])
            )
            loss = tf.zeros([leading[0]])
            if work.match_features:
                features = tf.reshape(outputs["features"], [*leading, -1])
                loss += self._geometry.loss(real, features)
            if work.cross_entropy_weight is not None:
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                    tf.repeat(classes, leading[1]), outputs["logits"]
                )
                losses = tf.reshape(losses, leading)
                loss += work.cross_entropy_weight * tf.reduce_mean(losses, axis=1)
            total = tf.reduce_sum(loss)
        return loss, tape.gradient(total, images)
