"""IID: inter-sample and inter-feature relations, Deng et al., CVPR 2024.

IDM (idm.py), with two terms more. The covariance between the channels of the last maps
is matched. And the synthetic images of a class are drawn to their centre in networks
that are trained on the real images beforehand.

Sources: arXiv 2404.00563, and the authors' program on IDM (VincenDen/IID at f0d4b30),
which has neither the exponential nor the threshold that a comment of theirs mentions.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.classwise import ClasswiseMatching, one_of_named
from hdd_tf.distillation.comparison import SyntheticBatch
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Pass
from hdd_tf.distributed.class_blocks import FIRST_MAP_BYTES
from hdd_tf.errors import InputError
from hdd_tf.geometry.registry import Geometry, build_geometry
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.options import options_of
from hdd_tf.networks.registry import build_with_options
from hdd_tf.objectives.covariance import ChannelDiscrepancy
from hdd_tf.objectives.features import Discrepancy, FeatureComparison
from hdd_tf.objectives.idm import ImprovedDistributionMatching, pool_objective
from hdd_tf.protocols.beforehand import constant_protocol
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.experts import ExpertBuffer, Experts
from hdd_tf.training.shelf import Shelf

# A step's memory, of which the maps of the trained network take the most.
_STEP_BYTES = 3 * FIRST_MAP_BYTES


class SecondNetwork(NamedTuple):
    """The trained network of an iteration.

    Attributes:
        weights: Its weights.
        state: Its state, such as batch norm's statistics.
    """

    weights: list[tf.Tensor]
    state: list[tf.Tensor]


class InterRelations(ImprovedDistributionMatching):
    """IDM, with a trained network beside the pool's.

    Args:
        *args: Arguments of IDM.
        take_networks: Function that returns the trained networks, after training those
            that are missing; None if the settings need none.
        **kwargs: Keyword arguments of IDM.
    """

    def __init__(
        self, *args: Any, take_networks: Callable[[], Experts] | None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._take_networks = take_networks
        # tf.Module does not track this NamedTuple, as in DANCE.
        self._trained: Experts | None = None

    def train_ahead(self) -> None:
        """Trains the networks that are missing, and loads all networks."""
        if self._trained is None and self._take_networks is not None:
            self._trained = self._take_networks()

    def pass_of(self, iteration: tf.Tensor, pass_index: int) -> Pass:
        """Returns IDM's pass, with a trained network in `more` if there are any."""
        work = super().pass_of(iteration, pass_index)
        return work._replace(more=self._second_network(iteration))

    def _second_network(self, iteration: tf.Tensor) -> SecondNetwork | None:
        trained = self._trained
        if trained is None:
            return None
        key = derive_key(self._seed, Purpose.TRAINED_NETWORK, iteration)
        chosen = tf.random.stateless_uniform([], key, 0, trained.number, tf.int32)
        return SecondNetwork(
            [tf.gather(weights, chosen) for weights in trained.trained],
            [tf.gather(values, chosen) for values in trained.state],
        )


class RelationsComparison(FeatureComparison):
    """Adds the synthetic images' distances from the centre of their class.

    Args:
        network: The network of the pool, a function of its weights.
        discrepancy: Discrepancy of its features.
        second: The trained network, a function of its weights.
        geometry: Geometry of its features.
        weight: Factor of the squared distances, >= 0.
        real_network: As in `FeatureComparison`.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        discrepancy: Discrepancy,
        second: FunctionalNetwork,
        geometry: Geometry,
        weight: float,
        real_network: FunctionalNetwork | None = None,
    ) -> None:
        super().__init__(network, discrepancy, real_network=real_network)
        self._second = second
        self._geometry = geometry
        self._weight = weight

    def loss(self, work: Pass, real: Any, synthetic: SyntheticBatch) -> tf.Tensor:
        """Returns the loss of the features, plus the weighted distances."""
        images = synthetic.images
        flat = tf.reshape(images, [-1, *images.shape[2:]])
        second: SecondNetwork = work.more
        embedded = self._second.outputs(second.weights, flat, second.state)["features"]
        embedded = tf.reshape(embedded, [*images.shape[:2], -1])
        scatter = self._geometry.scatter(embedded)
        return super().loss(work, real, synthetic) + self._weight * scatter


def network_shelf(
    config: Any, dataset: Dataset, network: FunctionalNetwork
) -> Shelf | None:
    """Returns the trained networks of a run's settings; None if they need none.

    Args:
        config: The run's `Config`.
        dataset: Data set whose training split the networks learn.
        network: The network `--network`, which is another one.
    """
    del network
    if not config.iid_centre_weight:
        return None
    return _shelf_of(config, dataset, _second_network(config, dataset))


def build(context: MethodContext) -> ClasswiseMatching:
    """Builds IID, with means and centres in the geometry of the settings.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """
    config = context.config
    discrepancy: Discrepancy = build_geometry(config)
    if config.iid_covariance_weight:
        discrepancy = ChannelDiscrepancy(
            build_geometry(config),
            context.network.feature_channels,
            config.iid_covariance_weight,
        )
    if not config.iid_centre_weight:
        comparison = FeatureComparison(
            context.network, discrepancy, real_network=context.fast_network
        )
        objective = pool_objective(context, InterRelations, take_networks=None)
        return ClasswiseMatching(context, objective, comparison, one_of_named(context))
    second = _second_network(config, context.dataset)
    shelf = _shelf_of(config, context.dataset, second)
    return ClasswiseMatching(
        context,
        pool_objective(context, InterRelations, take_networks=context.taker(shelf)),
        RelationsComparison(
            context.network,
            discrepancy,
            second,
            build_geometry(dataclasses.replace(config, curvature=config.iid_curvature)),
            config.iid_centre_weight,
            context.fast_network,
        ),
        one_of_named(context),
        plan_blocks=functools.partial(
            context.class_blocks,
            max_classes=classes_of_a_pass(
                second, config.ipc * config.formation_factor**2
            ),
        ),
    )


def _second_network(config: Any, dataset: Dataset) -> FunctionalNetwork:
    options = dataclasses.replace(options_of(config), norm="instance")
    try:
        return build_with_options(
            config.iid_network, dataset.image_shape, dataset.num_classes, options
        )
    except InputError as error:
        raise InputError(f"--iid_network={config.iid_network}: {error}") from error


def _shelf_of(config: Any, dataset: Dataset, second: FunctionalNetwork) -> Shelf:
    title = " ".join(
        [config.iid_network, "instance", config.activation, config.pooling]
    )
    buffer = ExpertBuffer(
        config.expert_dir,
        second.in_precision(config.precision),
        title,
        dataset,
        constant_protocol(config.iid_epochs, config.iid_batch),
        config.expert_seed,
        config.precision,
    )
    return Shelf(
        "networks", buffer, config.iid_networks, config.iid_network, "iid_networks"
    )


def classes_of_a_pass(second: FunctionalNetwork, images: int) -> int:
    """Returns how many classes memory holds, for the gradient of their images.

    Args:
        second: The trained network.
        images: Decoded synthetic images of a class.
    """
    sizes = [
        math.prod(layer.output.shape[1:])
        for layer in second.model.layers
        if isinstance(layer.output, keras.KerasTensor)
    ]
    return max(1, _STEP_BYTES // (4 * sum(sizes) * images))
