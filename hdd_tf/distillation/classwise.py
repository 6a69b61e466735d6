"""Class-wise matching: DM, IDM, DANCE, and every method that matches class by class.

Two parts of its own make such a method: an objective says through which weights an
iteration looks, and a comparison what it compares there. The rest is here and the same
for all: real batches, augmentation, blocks of classes, devices, the bank of real
summaries, and the optimiser of the images.
"""

import functools
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.distillation.class_matching import ClassMatching
from hdd_tf.distillation.comparison import Comparison
from hdd_tf.distillation.image_sgd import ImageSGD
from hdd_tf.distillation.method import IterativeMethod, Metrics, Phase
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Objective
from hdd_tf.distillation.real_bank import RealBank

# The phases of a run with a bank: real images are drawn, then revisited.
_DRAWING, _REVISITING = 0, 1


class ClasswiseMatching(IterativeMethod):
    """Matches real and synthetic images of every class and updates the images.

    Runs under any `tf.distribute` strategy: each replica matches its own classes, and
    the sum of the replicas' gradients updates every copy of the images.

    Args:
        context: What the run has.
        objective: Which weights an iteration looks through.
        comparison: What it compares.
        augmentations: Which transformations a class draws.
        max_decoded: Most synthetic images of each class in a pass; 0: all.

    Attributes:
        matching: What each replica computes of an iteration; there after `assemble`.

    Raises:
        InputError: settings and data do not fit.
    """

    def __init__(
        self,
        context: MethodContext,
        objective: Objective,
        comparison: Comparison,
        augmentations: dsa.Choice,
        max_decoded: int = 0,
    ) -> None:
        self._context = context
        self._objective = objective
        self._comparison = comparison
        self._augmentations = augmentations
        self._max_decoded = max_decoded
        self._bank: RealBank | None = None
        size = context.config.real_bank_size
        if size:
            example = comparison.empty_summary(context.dataset.num_classes)
            self._bank = RealBank(size, example)
        self._start: tf.Tensor | None = context.initial_images()

    def train_ahead(self) -> None:
        """Trains what the objective needs."""
        self._objective.train_ahead()

    def assemble(self) -> None:
        """Makes the images and their optimiser."""
        config = self._context.config
        if self._start is None:
            raise ValueError("a method is assembled once.")
        self.synthetic_set = self._context.synthetic_set(self._start)
        # The variables hold the images from here on; at the start they can be large.
        self._start = None
        with self._context.strategy.scope():
            self._image_sgd = ImageSGD(
                self.synthetic_set.images,
                config.image_lr,
                config.image_momentum,
                config.traits.update_per_class,
            )
        self._objective.attach(self.synthetic_set)
        decoded = self.synthetic_set.decoded_ipc
        self.matching = ClassMatching(
            synthetic_set=self.synthetic_set,
            store=self._context.store,
            objective=self._objective,
            comparison=self._comparison,
            blocks=self._context.class_blocks(
                min(decoded, self._max_decoded or decoded)
            ),
            real_batch=config.real_batch,
            augmentations=self._augmentations,
            max_decoded=self._max_decoded,
            seed=config.seed,
            bank=self._bank,
        )

    def phase_of(self, iteration: int) -> Phase:
        """Returns whether an iteration draws real images, or revisits a full bank."""
        if self._bank is None:
            return Phase(_DRAWING)
        if iteration >= self._bank.size:
            return Phase(_REVISITING)
        return Phase(_DRAWING, self._bank.size)

    def state(self) -> Mapping[str, Any]:
        """Returns the images, their velocity, and what objective and bank keep."""
        bank = {"real_bank": self._bank} if self._bank else {}
        return {
            "synthetic_set": self.synthetic_set,
            "velocity": self._image_sgd.velocity,
            "objective": self._objective,
            **bank,
        }

    def iterate(self, iteration: tf.Tensor, phase: int) -> Metrics:
        """Makes the passes of an iteration, each with an update of the images."""
        self._objective.prepare(iteration)
        num_classes = self.synthetic_set.images.shape[0]
        loss, squared_norm = tf.zeros([num_classes]), tf.constant(0.0)
        for which in range(self._objective.num_passes):
            pass_loss, gradient = self._update_images(iteration, which, phase)
            loss += pass_loss
            squared_norm += tf.reduce_sum(gradient * gradient)
        # Before the images are clipped: what an objective remembers of them is of the
        # images that the update has made.
        self._objective.conclude(iteration)
        self.synthetic_set.clip()
        return {"loss_per_class": loss, "gradient_norm": tf.sqrt(squared_norm)}

    def finite_classes(self) -> tf.Tensor:
        """Says of which classes the images can go on: `[C]` bool."""
        state = (self.synthetic_set.images, self._image_sgd.velocity)
        # Images that are clipped stay finite; their velocity does not.
        images, velocity = (tf.math.is_finite(tf.convert_to_tensor(x)) for x in state)
        return tf.reduce_all(images & velocity, axis=[1, 2, 3, 4])

    def _update_images(
        self, iteration: tf.Tensor, which: int, phase: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes one pass over all classes; returns their losses and gradients."""
        strategy = self._context.strategy
        self._image_sgd.before_gradient()
        match = functools.partial(
            self.matching.match, which=which, revisit=phase == _REVISITING
        )
        parts = strategy.run(match, (iteration,))
        # A class lives on one replica and is zero on the others: the sums gather.
        matched = tf.nest.map_structure(
            lambda part: strategy.reduce("SUM", part, axis=None), parts
        )
        if self._bank and matched.real:
            self._bank.write(self._bank.entry(iteration), matched.real)
        self._image_sgd.apply(matched.gradient)
        return matched.loss, matched.gradient


def one_of_named(context: MethodContext) -> dsa.Choice:
    """Returns DSA's choice: one of the transformations that `--dsa` names.

    Raises:
        InputError: a name is unknown.
    """
    return dsa.Choice(one_of=tuple(dsa.parse_strategy(context.config.dsa)))
