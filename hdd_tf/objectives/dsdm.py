"""DSDM: diversified semantic distribution matching, Li et al., ACM Multimedia 2024.

Networks are trained on the real images beforehand. In one of them, iteration by
iteration, the means and the covariances of the last features are matched. Because the
networks change so abruptly, a *prototype* of each class remembers the mean of its
synthetic images in earlier networks, and ties the present mean to it.

Source: the authors' program (Li-Hongcheng/DSDM at cb12851), doi
10.1145/3664647.3680900. The program walks through a permutation of each class, of which
this one draws its real images anew in every iteration.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.class_loop import ClassLoop
from hdd_tf.distillation.classwise import ClasswiseMatching
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Objective, Pass
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.distributed.replica_sums import sum_over_replicas
from hdd_tf.errors import InputError
from hdd_tf.geometry.registry import Geometry, build_geometry
from hdd_tf.geometry.remembered_centroids import RememberedCentroids
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.objectives.covariance import (
    Prototypes,
    SemanticComparison,
    SemanticDiscrepancy,
)
from hdd_tf.protocols.beforehand import constant_protocol
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.experts import ExpertBuffer, Experts
from hdd_tf.training.shelf import Shelf


@dataclasses.dataclass(frozen=True)
class PrototypeSchedule:
    """How prototypes move, and when they count.

    Attributes:
        memory: Share of the old prototype in the new one, in [0, 1).
        weight: Factor of the distance from them, >= 0.
        after: Last iteration in which they do not count; they move from iteration 0.
    """

    memory: float
    weight: float
    after: int


class SemanticMatching(Objective):
    """Matches in networks that are trained already, and remembers the prototypes.

    Args:
        take_networks: Function that returns the networks, after training those that
            are missing.
        network: The network, a function of its weights.
        geometry: Geometry of the prototypes.
        schedule: How prototypes move, and when they count.
        augmentations: Transformations that a class draws.
        loop: Loop over the blocks of a replica's classes.
        strategy: Strategy whose replicas look at different classes.
        seed: Seed of the run.

    Attributes:
        prototypes: Prototypes of all classes; available after `attach`.
    """

    def __init__(
        self,
        take_networks: Callable[[], Experts],
        network: FunctionalNetwork,
        geometry: Geometry,
        schedule: PrototypeSchedule,
        augmentations: dsa.Choice,
        loop: ClassLoop,
        strategy: tf.distribute.Strategy,
        seed: int,
    ) -> None:
        super().__init__(name="dsdm")
        self._take_networks = take_networks
        # tf.Module does not track this NamedTuple, as in DANCE.
        self._networks: Experts | None = None
        self._network = network
        self._geometry = geometry
        self._schedule = schedule
        self._augmentations = augmentations
        self._loop = loop
        self._strategy = strategy
        self._seed = seed

    @property
    def needs_whole_set(self) -> bool:
        """False: a prototype is of one class; see `Objective`."""
        return False

    def train_ahead(self) -> None:
        """Trains the networks that are missing, and loads all networks."""
        if self._networks is None:
            self._networks = self._take_networks()

    def attach(self, synthetic_set: SyntheticSet) -> None:
        """Makes the prototypes of the set's classes."""
        # A function, so that the set is not saved with the objective too.
        self._synthetic_set = lambda: synthetic_set
        self.prototypes = RememberedCentroids(
            self._geometry,
            synthetic_set.images.shape[0],
            self._network.model.output["features"].shape[-1],
        )

    def pass_of(self, iteration: tf.Tensor, pass_index: int) -> Pass:
        """Returns the only pass, with a network and the prototypes of all classes."""
        used = iteration > self._schedule.after
        weight = tf.where(used, self._schedule.weight, 0.0)
        return Pass(
            self._weights(iteration), more=Prototypes(self.prototypes.read(), weight)
        )

    def conclude(self, iteration: tf.Tensor) -> None:
        """Moves the prototypes towards the images as the iteration left them.

        The images are not clipped yet, and get an augmentation of their own.
        """
        found = self._strategy.run(self._centroids, (iteration,))
        # All replicas but one return zeros for a class.
        found = sum_over_replicas(self._strategy, found)
        share = tf.where(iteration > 0, 1.0 - self._schedule.memory, 1.0)
        self.prototypes.move(found, share)

    def _centroids(self, iteration: tf.Tensor) -> list[tf.Tensor]:
        """Returns the centroids of this replica's classes, the parts of a summary."""
        synthetic_set, weights = self._synthetic_set(), self._weights(iteration)
        read_images = synthetic_set.reader()
        augmentation = dsa.draw_choice(
            derive_key(self._seed, Purpose.PROTOTYPE_AUGMENTATION, iteration),
            self._augmentations,
            synthetic_set.images.shape,
        )

        def of_block(classes: tf.Tensor) -> list[tf.Tensor]:
            decoded = synthetic_set.decode(read_images(classes))
            parameters = dsa.gather(augmentation, classes)
            augmented = dsa.apply(decoded, parameters, differentiable=False)
            flat = tf.reshape(augmented, [-1, *augmented.shape[2:]])
            features = self._network.features(weights, flat)
            features = tf.reshape(features, [*augmented.shape[:2], -1])
            return tf.nest.flatten(self._geometry.summarize(features))

        return self._loop.scatter(of_block, [tf.float32] * self.prototypes.num_parts)

    def _weights(self, iteration: tf.Tensor) -> list[tf.Tensor]:
        """Returns the weights of the network of an iteration."""
        networks = self._networks
        if networks is None:
            raise ValueError("`train_ahead` comes before the first pass.")
        key = derive_key(self._seed, Purpose.TRAINED_NETWORK, iteration)
        chosen = tf.random.stateless_uniform([], key, 0, networks.number, tf.int32)
        return [tf.gather(weights, chosen) for weights in networks.trained]


def network_shelf(config: Any, dataset: Dataset, network: FunctionalNetwork) -> Shelf:
    """Returns the trained networks of a run's settings.

    Args:
        config: The run's `Config`.
        dataset: Data set whose training split the networks learn.
        network: The network `--network`, a function of its weights.
    """
    protocol = constant_protocol(config.dsdm_epochs, config.dsdm_batch)
    buffer = ExpertBuffer(
        config.expert_dir,
        network.in_precision(config.precision),
        config.network_title(),
        dataset,
        # As DANCE's experts: colour and crop, and CutMix in half of the batches.
        dataclasses.replace(
            protocol, always=("color",), augmentations=("crop",), cutmix=0.5
        ),
        config.expert_seed,
        config.precision,
    )
    return Shelf(
        "networks", buffer, config.dsdm_networks, config.network, "dsdm_networks"
    )


def build(context: MethodContext) -> ClasswiseMatching:
    """Builds DSDM, with means and prototypes in the geometry of the settings.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """
    config = context.config
    decoded = config.ipc * config.formation_factor**2
    matched = min(decoded, config.dsdm_max_decoded or decoded)
    _check_counts(context, matched)
    geometry = build_geometry(config)
    # All of them for every class, unlike other methods.
    augmentations = dsa.Choice(always=dsa.parse_strategy(config.dsa))
    objective = SemanticMatching(
        context.taker(network_shelf(config, context.dataset, context.network)),
        context.network,
        geometry,
        PrototypeSchedule(
            config.dsdm_prototype_memory,
            config.dsdm_prototype_weight,
            config.dsdm_prototype_after,
        ),
        augmentations,
        ClassLoop(context.class_blocks(decoded), context.dataset.num_classes),
        context.strategy,
        config.seed,
    )
    comparison = SemanticComparison(
        context.network,
        SemanticDiscrepancy(geometry, config.dsdm_covariance_weight),
        real_network=context.fast_network,
    )
    return ClasswiseMatching(
        context, objective, comparison, augmentations, config.dsdm_max_decoded
    )


def _check_counts(context: MethodContext, matched: int) -> None:
    """Raises InputError where a class has one image, which has no covariance."""
    config = context.config
    if matched < 2:
        raise InputError(
            f"--ipc={config.ipc} with --formation_factor={config.formation_factor} and "
            f"--dsdm_max_decoded={config.dsdm_max_decoded} matches one image of each "
            "class, which has no covariance: give 2 or more"
        )
    smallest = int(context.class_sizes.min())
    if min(smallest, config.real_batch) < 2:
        raise InputError(
            f"--real_batch={config.real_batch} of classes with {smallest} images or "
            "more looks at one real image, which has no covariance: give 2 or more"
        )
