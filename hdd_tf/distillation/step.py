"""One iteration of distillation, over all classes, in one graph."""

import functools
from typing import Any

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.data.class_store import ClassStore
from hdd_tf.distillation.class_blocks import ClassBlocks
from hdd_tf.distillation.class_matching import ClassMatching
from hdd_tf.distillation.image_sgd import ImageSGD
from hdd_tf.distillation.real_bank import RealBank
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.geometry.registry import Geometry
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.objectives.base import Objective


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
        bank: Of real summaries to revisit; None: every iteration draws its own.
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
        geometry: Geometry[Any],
        blocks: ClassBlocks,
        real_batch: int,
        augmentations: dsa.Choice,
        max_decoded: int = 0,
        seed: int,
        bank: RealBank | None = None,
    ) -> None:
        self._strategy = strategy
        self._synthetic_set = synthetic_set
        self._image_sgd = image_sgd
        self._objective = objective
        self._bank = bank
        self._matching = ClassMatching(
            synthetic_set=synthetic_set,
            store=store,
            network=network,
            objective=objective,
            geometry=geometry,
            blocks=blocks,
            real_batch=real_batch,
            augmentations=augmentations,
            max_decoded=max_decoded,
            seed=seed,
            bank=bank,
        )
        # Each traced once, when it is first needed: the arguments are scalar tensors of
        # one dtype. That of revisited iterations has no real side at all.
        self._run, self._run_revisiting = (
            tf.function(
                functools.partial(self._iterate, revisit=revisit),
                input_signature=[tf.TensorSpec([], tf.int32)] * 2,
            )
            for revisit in (False, True)
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
        drawn = count
        if self._bank:
            drawn = min(max(self._bank.size - start, 0), count)
        if drawn == count:
            return self._run(tf.constant(start), tf.constant(count))
        if drawn:
            first = self.run(start, drawn)
            last = self.run(start + drawn, count - drawn)
            both = ("loss_per_class", "gradient_norm")
            return last | {n: tf.concat([first[n], last[n]], 0) for n in both}
        return self._run_revisiting(tf.constant(start), tf.constant(count))

    @property
    def trace_count(self) -> int:
        """How often a graph was traced, at most; more than once would be a bug."""
        return max(
            run.experimental_get_tracing_count()
            for run in (self._run, self._run_revisiting)
        )

    def _iterate(
        self, start: tf.Tensor, count: tf.Tensor, revisit: bool
    ) -> dict[str, tf.Tensor]:
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
                pass_loss, gradient = self._update_images(iteration, which, revisit)
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
        self, iteration: tf.Tensor, which: int, revisit: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes one pass over all classes; returns their losses and gradients."""
        self._image_sgd.before_gradient()
        parts = self._strategy.run(self._matching.match, (iteration, which, revisit))
        # A class lives on one replica and is zero on the others: the sums gather.
        matched = tf.nest.map_structure(
            lambda part: self._strategy.reduce("SUM", part, axis=None), parts
        )
        if self._bank and matched.real:
            self._bank.write(self._bank.entry(iteration), matched.real)
        self._image_sgd.apply(matched.gradient)
        return matched.loss, matched.gradient

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
        matched = self._matching.match(iteration, which)
        return matched.loss, matched.gradient
