"""A toy: images, soft labels and the student's rate learnt together, classes coupled.

One step of a fresh network on the whole set is unrolled; then real images of all
classes say how good that step was. The loss couples classes, so the method makes its
own gradients, in two stages: what the real images want of the trained weights, block by
block on every replica, and then the gradient of that through the step.
"""

import dataclasses

import tensorflow as tf

from hdd_tf.distillation.class_loop import ClassLoop
from hdd_tf.distillation.image_sgd import ImageSGD
from hdd_tf.distillation.method import IterativeMethod
from hdd_tf.methods.traits import Kind
from hdd_tf.random_keys import Purpose, derive_key
from tests.toys import attention

START_RATE = 0.05


class LearntLabels(IterativeMethod):
    """Learns images, their labels' logits and a rate."""

    def __init__(self, context):
        self._context = context
        self._start = context.initial_images()

    def assemble(self):
        context, config = self._context, self._context.config
        classes, ipc = self._start.shape[:2]
        hard = 2.0 * tf.eye(classes)[:, None] * tf.ones([classes, ipc, 1])
        self.synthetic_set = context.synthetic_set(self._start, hard, START_RATE)
        learnt = self.synthetic_set
        with context.strategy.scope():
            self._optimisers = [
                ImageSGD(learnt.images, config.image_lr, config.image_momentum),
                ImageSGD(learnt.label_logits, 1.0, config.image_momentum),
                ImageSGD(learnt.student_rate, 1e-4, config.image_momentum),
            ]
        self._loop = ClassLoop(context.class_blocks(ipc), classes)

    def state(self):
        names = ("velocity", "label_velocity", "rate_velocity")
        velocities = [optimiser.velocity for optimiser in self._optimisers]
        pairs = zip(names, velocities, strict=True)
        return {"synthetic_set": self.synthetic_set, **dict(pairs)}

    def iterate(self, iteration, phase):
        strategy = self._context.strategy
        parts = strategy.run(self._wanted, (iteration,))
        loss, wanted = tf.nest.map_structure(
            lambda part: strategy.reduce("SUM", part, axis=None), parts
        )
        with tf.GradientTape() as tape:
            learnt = self._learnt()
            tape.watch(learnt)
            trained = self._trained(iteration, *learnt)
            pulled = tf.add_n(
                [
                    tf.reduce_sum(tf.stop_gradient(v) * w)
                    for v, w in zip(wanted, trained, strict=True)
                ]
            )
        gradients = tape.gradient(pulled, learnt)
        # An update that went wrong is skipped, and told as zeros: the run goes on.
        finite = tf.math.is_finite(pulled + tf.reduce_sum(loss))
        for optimiser, gradient in zip(self._optimisers, gradients, strict=True):
            optimiser.apply(gradient, where=finite)
        norm = tf.sqrt(tf.reduce_sum(gradients[0] ** 2))
        told = {"loss_per_class": loss, "gradient_norm": norm}
        return {k: tf.where(finite, v, tf.zeros_like(v)) for k, v in told.items()}

    def finite_classes(self):
        learnt = self.synthetic_set
        axes = {"images": [1, 2, 3, 4], "label_logits": [1, 2]}
        return tf.reduce_all(
            [
                tf.reduce_all(tf.math.is_finite(getattr(learnt, name)), axis)
                for name, axis in axes.items()
            ],
            axis=0,
        )

    def _learnt(self):
        learnt = self.synthetic_set
        variables = (learnt.images, learnt.label_logits, learnt.student_rate)
        return [tf.convert_to_tensor(variable) for variable in variables]

    def _trained(self, iteration, images, label_logits, rate):
        """Returns a fresh network's weights after one step on the set."""
        network = self._context.network
        key = derive_key(self._context.config.seed, Purpose.NETWORK, iteration)
        weights = network.initial_weights(key)
        images = tf.reshape(images, [-1, *images.shape[2:]])
        targets = tf.nn.softmax(tf.reshape(label_logits, [images.shape[0], -1]))
        with tf.GradientTape() as tape:
            tape.watch(weights)
            logits = network.logits(weights, images)
            # TensorFlow's own has no second derivative in the labels.
            losses = tf.reduce_sum(targets * tf.nn.log_softmax(logits), axis=-1)
            loss = -tf.reduce_mean(losses)
        gradients = tape.gradient(loss, weights)
        return [w - rate * g for w, g in zip(weights, gradients, strict=True)]

    def _wanted(self, iteration):
        """Returns each class's loss, and the gradient of their sum by the weights."""
        context = self._context
        network, store = context.network, context.store
        weights = self._trained(iteration, *self._learnt())
        rows, counts = store.draw_indices(
            derive_key(context.config.seed, Purpose.REAL_BATCH, iteration),
            context.config.real_batch,
        )

        def of_block(classes, valid):
            images = store.gather(tf.gather(rows, classes))
            shares = tf.gather(counts, classes)
            shares /= tf.reduce_sum(shares, axis=-1, keepdims=True)
            with tf.GradientTape() as tape:
                tape.watch(weights)
                logits = network.logits(
                    weights, tf.reshape(images, [-1, *images.shape[2:]])
                )
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                    tf.repeat(classes, rows.shape[1]), logits
                )
                losses = tf.reshape(losses, shares.shape)
                of_class = tf.reduce_sum(shares * losses, axis=-1) * valid
                total = tf.reduce_sum(of_class)
            num_classes = self._start.shape[0]
            in_place = tf.scatter_nd(classes[:, None], of_class, [num_classes])
            return in_place, tape.gradient(total, weights)

        signature = tf.float32, [tf.float32] * len(weights)
        return self._loop.add(of_block, signature)


TRAITS = dataclasses.replace(
    attention.TRAITS,
    title="Toy labels",
    summary="one step of training on the set",
    kind=Kind.WHOLE_SET,
    build=LearntLabels,
    has_geometry=False,
    may_revisit=False,
    evaluation="toy_soft",
    carries=frozenset({"stored"}),
    whitened=True,
)
