"""DCC: one gradient of all classes, after iterations that match class by class.

Lee et al., "Dataset Condensation with Contrastive Signals", ICML 2022, as its released
program computes it (Saehyung-Lee/DCC, commit 5073a44). With augmentation the paper
calls it DSAC.
"""

import functools

import tensorflow as tf

from hdd_tf.distillation.class_matching import Matched
from hdd_tf.distillation.classwise import ClasswiseMatching, one_of_named
from hdd_tf.distillation.method import Phase
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distributed.class_blocks import plan_class_blocks
from hdd_tf.distributed.replica_sums import sum_over_replicas
from hdd_tf.objectives.gradient_matching.contrast import ContrastMatching
from hdd_tf.objectives.gradient_matching.gradients import (
    KEPT_ONCE,
    KEPT_TWICE,
    GradientComparison,
    WeightGradients,
    blocks_of_gradients,
)
from hdd_tf.objectives.gradient_matching.living_network import living_network
from hdd_tf.objectives.gradient_matching.row_distance import (
    RowDistance,
    distance_of,
    total_distance,
)

_CLASSWISE, _CONTRAST = 0, 1


class ContrastSchedule:
    """When all classes are matched together.

    Args:
        updates: Updates of the images in a network's life, >= 1.
        outer_warmup: Number of networks that first match class by class, >= 0.
        inner_warmup: Number of their updates that do so; later ones do not.
    """

    def __init__(self, updates: int, outer_warmup: int, inner_warmup: int) -> None:
        self._updates = updates
        self._outer = outer_warmup
        self._inner = inner_warmup

    def phase_of(self, iteration: int) -> Phase:
        """Returns the phase of an iteration."""
        network, update = divmod(iteration, self._updates)
        start, next_start = iteration - update, iteration - update + self._updates
        if network >= self._outer or self._inner == 0:
            return Phase(_CONTRAST)
        if update >= self._inner:
            is_last = network + 1 == self._outer
            return Phase(_CONTRAST, None if is_last else next_start)
        if self._inner < self._updates:
            return Phase(_CLASSWISE, start + self._inner)
        return Phase(_CLASSWISE, self._outer * self._updates)


class ContrastiveMatching(ClasswiseMatching):
    """Matches class by class, or all classes by one gradient, as a schedule says.

    Args:
        context: The run's settings, data, network and devices.
        gradients: Gradients of the network's weights.
        distance: Distance of rows of gradients.
        schedule: When all classes are matched together.

    Raises:
        InputError: settings and data do not fit.
    """

    def __init__(
        self,
        context: MethodContext,
        gradients: WeightGradients,
        distance: RowDistance,
        schedule: ContrastSchedule,
    ) -> None:
        super().__init__(
            context,
            living_network(context),
            GradientComparison(gradients, distance),
            one_of_named(context),
            plan_blocks=functools.partial(blocks_of_gradients, context),
        )
        self._gradients = gradients
        self._distance = distance
        self._schedule = schedule

    def assemble(self) -> None:
        """Makes the images and their optimiser."""
        super().assemble()
        context, ipc = self._context, self.synthetic_set.decoded_ipc
        # Here images of several classes share a pass.
        blocks = plan_class_blocks(
            context.dataset.num_classes,
            context.strategy.num_replicas_in_sync,
            real_per_class=ipc,
            synthetic_per_class=ipc,
            max_images=context.images_of_pass(KEPT_TWICE),
        )
        self._contrast = ContrastMatching(
            self.matching, self._gradients, blocks, context.images_of_pass(KEPT_ONCE)
        )

    def phase_of(self, iteration: int) -> Phase:
        """Returns the phase: class by class, or all classes together."""
        return self._schedule.phase_of(iteration)

    def _update_images(
        self, iteration: tf.Tensor, pass_index: int, phase: int
    ) -> Matched:
        """Computes one update of the images.

        Returns:
            Losses and gradients of all classes. A loss of all classes has no parts;
            each class is told its C-th.
        """
        if phase == _CLASSWISE:
            return super()._update_images(iteration, pass_index, phase)
        strategy = self._context.strategy
        sums = sum_over_replicas(
            strategy, strategy.run(self._contrast.sums, (iteration,))
        )
        with tf.GradientTape() as tape:
            tape.watch(sums.synthetic)
            loss = total_distance(self._distance, sums.real, sums.synthetic)
        cotangent = tape.gradient(loss, sums.synthetic)
        parts = strategy.run(self._contrast.pull_back, (iteration, cotangent))
        gradient = sum_over_replicas(strategy, parts)
        self._image_sgd.apply(gradient)
        num_classes = gradient.shape[0]
        return Matched(tf.fill([num_classes], loss / num_classes), gradient, [], [])


def build(context: MethodContext) -> ContrastiveMatching:
    """Builds DCC, in the geometry of the settings.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """
    config = context.config
    return ContrastiveMatching(
        context,
        WeightGradients(context.network),
        distance_of(config),
        ContrastSchedule(
            config.dc_updates, config.dcc_outer_warmup, config.dcc_inner_warmup
        ),
    )
