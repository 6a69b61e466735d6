"""One iteration of distillation, over all classes, in one graph."""

import keras
import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.data.class_store import ClassStore
from hdd_tf.distillation.class_blocks import ClassBlocks
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.geometry.registry import Geometry
from hdd_tf.objectives.base import Objective
from hdd_tf.random_keys import Purpose, derive_key


class DistillationStep:
    """Matches real and synthetic images of every class and updates the images.

    Runs under any `tf.distribute` strategy: each replica matches its own classes, and
    the optimiser sums the replicas' gradients into the one image variable.

    Args:
        strategy: Strategy under which `synthetic_set` and `optimizer` were made.
        synthetic_set: The images.
        optimizer: Keras optimiser, built on the images.
        store: The real training images.
        objective: Network and features of an iteration.
        geometry: Centroids and their distance.
        blocks: Split of the classes over replicas and forward passes.
        real_batch: Real images of each class in an iteration, at most.
        augmentations: DSA transformations, from `dsa.parse_strategy`.
        seed: Seed of the run.
    """

    def __init__(
        self,
        *,
        strategy: tf.distribute.Strategy,
        synthetic_set: SyntheticSet,
        optimizer: keras.optimizers.Optimizer,
        store: ClassStore,
        objective: Objective,
        geometry: Geometry,
        blocks: ClassBlocks,
        real_batch: int,
        augmentations: tuple[str, ...],
        seed: int,
    ) -> None:
        self._strategy = strategy
        self._synthetic_set = synthetic_set
        self._optimizer = optimizer
        self._store = store
        self._objective = objective
        self._geometry = geometry
        self._blocks = blocks
        self._real_batch = real_batch
        self._augmentations = augmentations
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
            `loss_per_class` `[count, C]` and `gradient_norm` `[count]`, float32.
        """
        return self._run(tf.constant(start), tf.constant(count))

    @property
    def trace_count(self) -> int:
        """How often the graph was traced; more than once would be a bug."""
        return self._run.experimental_get_tracing_count()

    def _iterate(self, start: tf.Tensor, count: tf.Tensor) -> dict[str, tf.Tensor]:
        losses = tf.TensorArray(tf.float32, size=count, element_shape=None)
        norms = tf.TensorArray(tf.float32, size=count, element_shape=[])
        # The loop stands outside `strategy.run`: the optimiser's merge over replicas
        # cannot be traced inside one (tensorflow#59487).
        for index in tf.range(count):
            iteration = start + index
            loss, squared_norm = self._strategy.run(self._replica_step, (iteration,))
            # A class lives on one replica and is zero on the others, so these sums
            # gather the classes, and the squares of disjoint gradients add up.
            loss = self._strategy.reduce("SUM", loss, axis=None)
            squared_norm = self._strategy.reduce("SUM", squared_norm, axis=None)
            losses = losses.write(index, loss)
            norms = norms.write(index, tf.sqrt(squared_norm))
        return {"loss_per_class": losses.stack(), "gradient_norm": norms.stack()}

    def _replica_step(self, iteration: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        loss, gradient = self.loss_and_gradient(iteration)
        images = self._synthetic_set.images
        self._optimizer.apply([gradient], [images])
        return loss, tf.reduce_sum(gradient * gradient)

    def loss_and_gradient(self, iteration: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Matches this replica's classes, without updating anything.

        Args:
            iteration: Scalar int32 tensor.

        Returns:
            `[C]` loss of each class and `[C, ipc, h, w, c]` gradient of their sum;
            zero for the classes of other replicas.
        """
        images = tf.convert_to_tensor(self._synthetic_set.images)
        num_classes = images.shape[0]
        rows, row_weights = self._store.draw_indices(
            derive_key(self._seed, Purpose.REAL_BATCH, iteration), self._real_batch
        )
        augmentation = dsa.draw_siamese(
            derive_key(self._seed, Purpose.AUGMENTATION, iteration),
            num_classes,
            images.shape[2],
            images.shape[3],
            self._augmentations,
        )
        network = self._objective.network_weights(iteration)

        def match_block(classes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            parameters = dsa.gather(augmentation, classes)
            real = self._geometry.summarize(
                self._real_features(network, tf.gather(rows, classes), parameters),
                tf.gather(row_weights, classes),
            )
            return self._synthetic_side(
                network, tf.gather(images, classes), parameters, real
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

    def _real_features(
        self,
        network: list[tf.Tensor],
        rows: tf.Tensor,
        parameters: dsa.DSAParameters,
    ) -> tf.Tensor:
        """Returns the features `[b, n, d]` of the real images at `rows` `[b, n]`."""
        num_classes, per_class = rows.shape

        def forward(rows: tf.Tensor, parameters: dsa.DSAParameters) -> tf.Tensor:
            images = self._store.gather(rows)
            images = dsa.apply(images, parameters, differentiable=False)
            return self._objective.features(
                network, tf.reshape(images, [-1, *images.shape[2:]])
            )

        chunk = self._blocks.real_chunk
        total = num_classes * per_class
        if total <= chunk:
            features = forward(rows, parameters)
        else:
            # One class alone is too many (see ClassBlocks), or padding made it so:
            # chunks of images, each with its class's augmentation.
            num_chunks = -(-total // chunk)
            chunk = -(-total // num_chunks)
            padding = [[0, num_chunks * chunk - total]]
            flat = tf.pad(tf.reshape(rows, [-1]), padding)
            owner = tf.pad(tf.repeat(tf.range(num_classes), per_class), padding)
            features = tf.map_fn(
                lambda part: forward(part[0][:, None], dsa.gather(parameters, part[1])),
                (
                    tf.reshape(flat, [num_chunks, chunk]),
                    tf.reshape(owner, [num_chunks, chunk]),
                ),
                fn_output_signature=tf.float32,
                parallel_iterations=1,
            )
            features = tf.reshape(features, [-1, features.shape[-1]])[:total]
        return tf.reshape(features, [num_classes, per_class, features.shape[-1]])

    def _synthetic_side(
        self,
        network: list[tf.Tensor],
        images: tf.Tensor,
        parameters: dsa.DSAParameters,
        real: object,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the loss `[b]` and the gradient of `images` `[b, ipc, h, w, c]`."""
        with tf.GradientTape() as tape:
            tape.watch(images)
            augmented = dsa.apply(images, parameters, differentiable=True)
            features = self._objective.features(
                network, tf.reshape(augmented, [-1, *images.shape[2:]])
            )
            features = tf.reshape(features, [*images.shape[:2], features.shape[-1]])
            loss = self._geometry.loss(real, features)
            total = tf.reduce_sum(loss)
        return loss, tape.gradient(total, images)
