"""Class-wise matching: DM, IDM, DANCE, and every method that matches class by class.

Such a method has two parts of its own. An objective chooses the network's weights of an
iteration, and a comparison compares real and synthetic images in that network. This
module has the parts that all these methods share: real batches, augmentation, blocks of
classes, devices, the bank of real summaries, and the optimiser of the images.
"""

import functools
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.distillation.bank.real_bank import RealBank
from hdd_tf.distillation.class_matching import ClassMatching, Matched
from hdd_tf.distillation.comparison import Comparison, learner_of
from hdd_tf.distillation.image_sgd import ImageSGD
from hdd_tf.distillation.method import IterativeMethod, Metrics, Phase, Work
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Objective
from hdd_tf.distillation.spread_images import SpreadImages
from hdd_tf.distillation.whole_classes import BankOverAll, check_merges
from hdd_tf.distributed.class_blocks import ClassBlocks
from hdd_tf.distributed.class_shares import has_other_processes
from hdd_tf.distributed.replica_sums import sum_over_replicas
from hdd_tf.distributed.spread_variable import SpreadVariable
from hdd_tf.errors import InputError

# The phases of a run with a bank: real images are drawn, then their summaries reused.
_DRAWING, _REVISITING = 0, 1


class ClasswiseMatching(IterativeMethod):
    """Matches real and synthetic images of every class and updates the images.

    The method runs under any `tf.distribute` strategy: each replica matches its own
    classes. If an iteration needs the images of a class nowhere else, each replica
    also holds and updates its own images, and only losses travel. Otherwise the sum of
    the replicas' gradients updates every copy of all images.

    Args:
        context: The run's settings, data, network and devices.
        objective: Objective, which gives the weights of each pass.
        comparison: Comparison of real and synthetic images.
        augmentations: Transformations that a class draws.
        max_decoded: Largest number of synthetic images of each class in a pass; 0 for
            all.
        plan_blocks: Function from the number of synthetic images of each class to the
            split of the classes; None for `MethodContext.class_blocks`.

    Attributes:
        matching: Computation of a replica; available after `assemble`.

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
        plan_blocks: Callable[[int], ClassBlocks] | None = None,
    ) -> None:
        self._context = context
        self._objective = objective
        self._comparison = comparison
        self._augmentations = augmentations
        self._max_decoded = max_decoded
        self._plan_blocks = plan_blocks or context.class_blocks
        self._bank: RealBank | None = None
        self._learner = learner_of(comparison)
        size = context.config.real_bank_size
        if size and self._learner and self._learner.bank_remedy:
            raise InputError(
                f"--real_bank_size={size} keeps summaries of real images, which change "
                f"with what --geometry={context.config.geometry} learns: leave it at "
                f"0, or give {self._learner.bank_remedy}"
            )
        self._over_all: BankOverAll | None = None
        is_over_all = size > 0 and context.config.bank_over == "all"
        if is_over_all:
            check_merges(comparison, context.config.objective)
        if size:
            example = comparison.empty_summary(context.dataset.num_classes)
            self._bank = RealBank(size, example)
            if is_over_all:
                self._over_all = BankOverAll(
                    self._bank, context, objective, comparison, augmentations
                )
        self._shares = context.shares(objective.needs_whole_set)
        self._store = context.store_of(self._shares)
        self._start: tf.Tensor | None = context.initial_images(self._store)

    def train_ahead(self) -> None:
        """Trains the networks that the objective needs, and fills a bank over all."""
        if self._over_all is None:
            self._objective.train_ahead()
            return
        self._over_all.check()  # Networks may train for hours.
        self._objective.train_ahead()
        if not self._context.dry_run:
            self._over_all.fill()

    def stages(self) -> list[Work]:
        """Returns the cost of a bank over all real images, if there is one."""
        return [self._over_all.work()] if self._over_all else []

    def assemble(self) -> None:
        """Makes the images and their optimiser."""
        config = self._context.config
        if self._start is None:
            raise ValueError("a method is assembled once.")
        context, shares = self._context, self._shares
        self.synthetic_set = context.synthetic_set(self._start, shares=shares)
        # The variables hold the images now, and the initial images can be large.
        self._start = None
        with context.variables_in(shares):
            self._image_sgd = ImageSGD(
                self.synthetic_set.images,
                config.image_lr,
                config.image_momentum,
                config.traits.update_per_class,
                self.synthetic_set.spread,
            )
        spread = self.synthetic_set.spread
        if spread is not None and has_other_processes(context.strategy):
            # Each process has drawn the images of its own classes only.
            spread.spread()
            spread.gather()
        self._objective.attach(self.synthetic_set)
        decoded = self.synthetic_set.decoded_ipc
        self.matching = ClassMatching(
            synthetic_set=self.synthetic_set,
            store=self._store,
            objective=self._objective,
            comparison=self._comparison,
            blocks=self._plan_blocks(min(decoded, self._max_decoded or decoded)),
            real_batch=config.real_batch,
            augmentations=self._augmentations,
            max_decoded=self._max_decoded,
            seed=config.seed,
            bank=self._bank,
            piece=context.piece,
        )
        self._spread: SpreadImages | None = None
        if spread is not None:
            self._spread = SpreadImages(
                self.matching, self._image_sgd, context.strategy
            )

    def phase_of(self, iteration: int) -> Phase:
        """Returns the phase: real images are drawn, or a full bank is reused."""
        if self._bank is None:
            return Phase(_DRAWING)
        if self._over_all or iteration >= self._bank.size:
            return Phase(_REVISITING)
        return Phase(_DRAWING, self._bank.size)

    def kind_of(self, iteration: int) -> Hashable:
        """Returns the phase and what the objective's cost depends on."""
        return self.phase_of(iteration).number, self._objective.kind_of(iteration)

    def state(self) -> Mapping[str, Any]:
        """Returns the set, the velocity of its images, the objective and the bank.

        A bank over all real images has files of its own.
        """
        own = {"real_bank": self._bank} if self._bank else {}
        bank = {} if self._over_all else own
        return {
            "synthetic_set": self.synthetic_set,
            "velocity": self._image_sgd.velocity,
            "objective": self._objective,
            **bank,
            **({"learner": self._learner} if self._learner else {}),
        }

    def iterate(self, iteration: tf.Tensor, phase: int) -> Metrics:
        """Computes the passes of an iteration, each with an update of the images."""
        self._objective.prepare(iteration)
        num_classes = self.synthetic_set.images.shape[0]
        loss, squared_norm = tf.zeros([num_classes]), tf.constant(0.0)
        for pass_index in range(self._objective.num_passes):
            if self._spread is None:
                matched = self._update_images(iteration, pass_index, phase)
                pass_loss, facts = matched.loss, matched.facts
                squares = matched.gradient * matched.gradient
            else:
                pass_loss, squares, real, facts = self._spread.update(
                    iteration, pass_index, phase == _REVISITING
                )
                self._keep(iteration, real)
            if self._learner and facts:
                self._learner.learn(*facts)
            loss += pass_loss
            squared_norm += tf.reduce_sum(squares)
        # Before `clip`, because an objective may record the images of the update.
        self._objective.conclude(iteration)
        self.synthetic_set.clip()
        return {"loss_per_class": loss, "gradient_norm": tf.sqrt(squared_norm)}

    def finite_classes(self) -> tf.Tensor:
        """Returns `[C]` bool, True for classes of finite images and velocities."""
        if self._spread is None:
            return self._image_sgd.finite_classes()
        return self._spread.facts()["finite_images"]

    def facts(self) -> dict[str, tf.Tensor]:
        """Returns what is to be known of the state; see `IterativeMethod`."""
        return super().facts() if self._spread is None else self._spread.facts()

    def spread_variables(self) -> Sequence[SpreadVariable]:
        """Returns images and velocities, if replicas have their own classes' only."""
        return () if self._spread is None else self._spread.variables

    def _update_images(
        self, iteration: tf.Tensor, pass_index: int, phase: int
    ) -> Matched:
        """Computes one pass over all classes, and updates the images.

        Returns:
            The results of all replicas together.
        """
        strategy = self._context.strategy
        self._image_sgd.before_gradient()
        match = functools.partial(
            self.matching.match, pass_index=pass_index, revisit=phase == _REVISITING
        )
        parts = strategy.run(match, (iteration,))
        # One replica computes a class, and the others return zeros for it, so the sum
        # gathers all classes.
        matched: Matched = sum_over_replicas(strategy, parts)
        self._keep(iteration, matched.real)
        self._image_sgd.apply(matched.gradient)
        return matched

    def _keep(self, iteration: tf.Tensor, real: list[tf.Tensor]) -> None:
        """Writes the real summaries of an iteration to the bank, if there are any."""
        if self._bank and real:
            self._bank.write(self._bank.entry(iteration), real)


def one_of_named(context: MethodContext) -> dsa.Choice:
    """Returns DSA's choice: one of the transformations that `--dsa` names.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: a name is unknown.
    """
    return dsa.Choice(one_of=tuple(dsa.parse_strategy(context.config.dsa)))
