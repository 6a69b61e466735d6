"""Small steps of DSDM and IID, with networks that were never trained."""

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.distillation.class_loop import ClassLoop
from hdd_tf.networks.pool import PoolSchedule
from hdd_tf.objectives.covariance import (
    ChannelDiscrepancy,
    SemanticComparison,
    SemanticDiscrepancy,
)
from hdd_tf.objectives.dsdm import PrototypeSchedule, SemanticMatching
from hdd_tf.objectives.idm import PoolTraining
from hdd_tf.objectives.iid import InterRelations, RelationsComparison
from hdd_tf.random_keys import derive_key
from hdd_tf.training.experts import Experts
from tests.objectives.conftest import CLASSES, GEOMETRIES


def networks(problem, count=2):
    """Returns trained networks, as a shelf gives them."""
    drawn = [problem.network.initial_weights(derive_key(n)) for n in range(count)]
    return Experts([], [tf.stack(weights) for weights in zip(*drawn, strict=True)])


def dsdm(problem, strategy, geometry="hyperbolic", max_images=10_000):
    """Returns objective and comparison of DSDM, whose prototypes count from 1 on."""
    made = GEOMETRIES[geometry]()
    context = problem.context(strategy, max_images_per_forward=max_images)
    objective = SemanticMatching(
        lambda: networks(problem),
        problem.network,
        made,
        PrototypeSchedule(memory=0.5, weight=40.0, after=0),
        dsa.Choice(always=("color", "crop", "cutout")),
        ClassLoop(context.class_blocks(8), CLASSES),
        strategy,
        seed=3,
    )
    return objective, SemanticComparison(
        problem.network, SemanticDiscrepancy(made, 50.0)
    )


def iid(problem, strategy, geometry="hyperbolic"):
    """Returns objective and comparison of IID."""
    made = GEOMETRIES[geometry]()
    objective = InterRelations(
        problem.network, problem.store, strategy, 3,
        PoolSchedule(start=2, join_every=2, capacity=4, reset_every=5),
        PoolTraining(networks=2, steps=2, batch_size=32), 0.5,
        take_networks=lambda: networks(problem),
    )  # fmt: skip
    discrepancy = ChannelDiscrepancy(made, problem.network.feature_channels, 0.03)
    comparison = RelationsComparison(
        problem.network, discrepancy, problem.network, made, 0.01
    )
    return objective, comparison
