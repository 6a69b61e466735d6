"""DANCE: dual-view distribution alignment, Zhang et al., IJCAI 2024.

Each iteration has two updates. The inner view matches features in a middle encoder,
whose weights lie between an expert's initial and trained weights (Eq. 4-5). The outer
view calibrates: the trained expert should recognise the synthetic images (Eq. 7).
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.classwise import ClasswiseMatching
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Objective, Pass
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.objectives.features import maps_comparison
from hdd_tf.protocols.beforehand import expert_protocol
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.experts import ExpertBuffer, Experts
from hdd_tf.training.shelf import Shelf

# The streams of random numbers under an iteration's key.
_EXPERT, _SHARE = 0, 1


class DualViewAlignment(Objective):
    """Matches features of middle encoders, then calibrates with whole experts.

    Args:
        take_experts: Function that returns the experts, after training those that are
            missing.
        seed: Seed of the run.
    """

    num_passes = 2

    def __init__(self, take_experts: Callable[[], Experts], seed: int) -> None:
        super().__init__(name="dance")
        self._take_experts = take_experts
        # tf.Module does not track this NamedTuple: experts are not part of a run's
        # state, so checkpoints must not contain them.
        self._experts: Experts | None = None
        self._seed = seed

    def train_ahead(self) -> None:
        """Trains the experts that are missing, and loads all experts."""
        if self._experts is None:
            self._experts = self._take_experts()

    def pass_of(self, iteration: tf.Tensor, pass_index: int) -> Pass:
        """Returns the matching pass (0) or the calibration (1), with one expert."""
        experts = self._experts
        if experts is None:
            raise ValueError("`train_ahead` comes before the first pass.")
        key = derive_key(self._seed, Purpose.MIDDLE_ENCODER, iteration)
        expert = tf.random.stateless_uniform(
            [], derive_key(key, _EXPERT), 0, experts.number, tf.int32
        )
        trained = [tf.gather(weights, expert) for weights in experts.trained]
        if pass_index == 1:
            return Pass(trained, compare=False, cross_entropy_weight=1.0)
        start = [tf.gather(weights, expert) for weights in experts.initial]
        share = tf.random.stateless_uniform([], derive_key(key, _SHARE))
        return Pass(
            [
                share * w0 + (1.0 - share) * w
                for w0, w in zip(start, trained, strict=True)
            ]
        )


def expert_shelf(config: Any, dataset: Dataset, network: FunctionalNetwork) -> Shelf:
    """Returns the experts of a run's settings.

    Args:
        config: The run's `Config`.
        dataset: Data set whose training split the experts learn.
        network: The network `--network`, a function of its weights.
    """
    precision = config.precision
    buffer = ExpertBuffer(
        config.expert_dir,
        network.in_precision(precision),
        config.network_title(),
        dataset,
        expert_protocol(config.pretrain_epochs, config.pretrain_batch),
        config.expert_seed,
        precision,
    )
    return Shelf(
        "experts",
        buffer,
        config.num_experts,
        config.network,
        flag="num_experts",
        with_initial=True,
    )


def build(context: MethodContext) -> ClasswiseMatching:
    """Builds DANCE, in the geometry of the settings.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """
    config = context.config
    shelf = expert_shelf(config, context.dataset, context.network)
    return ClasswiseMatching(
        context,
        DualViewAlignment(context.taker(shelf), config.seed),
        maps_comparison(context),
        dsa.dance_choice(dsa.parse_strategy(config.dsa)),
        config.dance_max_decoded,
    )
