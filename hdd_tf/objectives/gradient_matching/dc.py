"""Gradient matching class by class: DC, and DSA, which is DC with augmentation.

DC: Zhao et al., "Dataset Condensation with Gradient Matching", ICLR 2021. DSA: Zhao and
Bilen, "Dataset Condensation with Differentiable Siamese Augmentation", ICML 2021. Both
as their released program computes them (VICO-UoE/DatasetCondensation, commit 53f63a6).
"""

import functools

from hdd_tf.distillation.classwise import ClasswiseMatching, one_of_named
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.objectives.gradient_matching.gradients import (
    GradientComparison,
    WeightGradients,
    blocks_of_gradients,
)
from hdd_tf.objectives.gradient_matching.living_network import living_network
from hdd_tf.objectives.gradient_matching.row_distance import distance_of


def build(context: MethodContext) -> ClasswiseMatching:
    """Builds DC or DSA, in the geometry of the settings.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """
    gradients = WeightGradients(context.network)
    return ClasswiseMatching(
        context,
        living_network(context),
        GradientComparison(gradients, distance_of(context.config)),
        one_of_named(context),
        plan_blocks=functools.partial(blocks_of_gradients, context),
    )
