"""A toy: gradients of weights, in a network that trains on the synthetic set meanwhile.

A comparison of its own, for gradients are of a class and not of an image, and an
objective with a network in its state.
"""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from hdd_tf.distillation.classwise import ClasswiseMatching, one_of_named
from hdd_tf.distillation.objective import Objective, Pass
from hdd_tf.random_keys import Purpose, derive_key
from tests.toys import attention

# Updates of the images in one network's life, and of the network between them.
OUTER, INNER, RATE = 2, 2, 0.01


class Gradients(NamedTuple):
    """The summed gradient of each class, one tensor a weight, and the sum's weight."""

    of_weights: list[tf.Tensor]
    mass: tf.Tensor


class GradientComparison:
    """One minus the cosine of the gradients, for each output unit of each kernel."""

    merges = True

    def __init__(self, network):
        self._network = network

    def summarize(self, work, real):
        signature = [
            tf.TensorSpec(shape, tf.float32) for shape in self._network.weight_shapes
        ]
        return real.map_classes(
            lambda *of_class: Gradients(*self._gradient(work.weights, *of_class)),
            Gradients(signature, tf.TensorSpec([], tf.float32)),
        )

    def loss(self, work, real, synthetic):
        def of_class(part):
            summed, mass, images, label = part
            expected = [tf.stop_gradient(g) / mass for g in summed]
            ones = tf.ones(images.shape[:1])
            made, count = self._gradient(work.weights, images, ones, label)
            pairs = zip(expected, made, strict=True)
            return tf.add_n(
                [distance(r, s / count) for r, s in pairs if len(r.shape) > 1]
            )

        return tf.map_fn(
            of_class,
            (real.of_weights, real.mass, synthetic.images, synthetic.labels),
            fn_output_signature=tf.float32,
            parallel_iterations=1,
        )

    def empty_summary(self, num_classes):
        shapes = self._network.weight_shapes
        zeros = [tf.zeros([num_classes, *shape]) for shape in shapes]
        return Gradients(zeros, tf.zeros([num_classes]))

    def _gradient(self, weights, images, counts, label):
        """Returns the summed gradient of a class, and how many images it is of."""
        with tf.GradientTape() as tape:
            tape.watch(weights)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                tf.fill(images.shape[:1], label), self._network.logits(weights, images)
            )
            loss = tf.reduce_sum(counts * losses)
        return tape.gradient(loss, weights), tf.reduce_sum(counts)


def distance(real, synthetic):
    """Returns the distance of two kernels' gradients; finite at units of zeros."""
    real, synthetic = (tf.reshape(g, [-1, g.shape[-1]]) for g in (real, synthetic))
    product = tf.reduce_sum(real * synthetic, axis=0)
    norms = safe_norm(real) * safe_norm(synthetic)
    return tf.reduce_sum(1.0 - product / (norms + 1e-6))


def safe_norm(columns):
    squares = tf.reduce_sum(columns * columns, axis=0)
    zero = tf.equal(squares, 0.0)
    return tf.where(zero, 0.0, tf.sqrt(tf.where(zero, 1.0, squares)))


class TrainingNetwork(Objective):
    """A network that lives for `OUTER` updates of the images, and trains on them."""

    def __init__(self, network, seed):
        super().__init__(name="training_network")
        self._network = network
        self._seed = seed
        shapes = network.weight_shapes
        self._weights = [tf.Variable(tf.zeros(s), trainable=False) for s in shapes]
        self._synthetic_set = lambda: None

    def attach(self, synthetic_set):
        # In a function, or the images would be saved twice.
        self._synthetic_set = lambda: synthetic_set

    def prepare(self, iteration):
        key = derive_key(self._seed, Purpose.NETWORK, iteration)

        def begin():
            self._assign(self._network.initial_weights(key))
            return True

        tf.cond(iteration % OUTER == 0, begin, lambda: False)

    def pass_of(self, iteration, pass_index):
        return Pass([tf.convert_to_tensor(w) for w in self._weights])

    def conclude(self, iteration):
        def train():
            for _ in range(INNER):
                self._assign(self._trained())
            return True

        tf.cond(iteration % OUTER == OUTER - 1, lambda: False, train)

    def _trained(self):
        synthetic_set = self._synthetic_set()
        images = synthetic_set.decode(tf.convert_to_tensor(synthetic_set.images))
        labels = tf.repeat(tf.range(images.shape[0]), images.shape[1])
        weights = [tf.convert_to_tensor(w) for w in self._weights]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            logits = self._network.logits(
                weights, tf.reshape(images, [-1, *images.shape[2:]])
            )
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            )
        gradients = tape.gradient(loss, weights)
        return [w - RATE * g for w, g in zip(weights, gradients, strict=True)]

    def _assign(self, weights):
        for variable, value in zip(self._weights, weights, strict=True):
            variable.assign(value)


def build(context):
    return ClasswiseMatching(
        context,
        TrainingNetwork(context.network, context.config.seed),
        GradientComparison(context.network),
        one_of_named(context),
    )


TRAITS = dataclasses.replace(
    attention.TRAITS,
    title="Toy gradients",
    summary="gradients of weights",
    build=build,
    has_geometry=False,
    may_revisit=False,
)
