"""The pool: different networks, each trained on the real images beforehand."""

from typing import Any, NamedTuple

from hdd_tf.data.catalogue import HANDEDNESS_MATTERS
from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError
from hdd_tf.methods.registry import WHOLE
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.initialisation import FanOutInitialisation
from hdd_tf.networks.options import options_of
from hdd_tf.networks.registry import build_with_options
from hdd_tf.protocols.beforehand import squeeze_protocol
from hdd_tf.protocols.published import PROTOCOLS
from hdd_tf.training.experts import ExpertBuffer
from hdd_tf.training.shelf import Shelf

# In the order in which iterations take them.
PUBLISHED = (
    "resnet18_batch",
    "convnet",
    "mobilenet_v2",
    "wide_resnet",
    "shufflenet_v2",
)
# Networks that start in the pool with other weights than elsewhere.
_FAN_OUT = ("resnet18_batch", "resnet10_batch")


def pool_names(config: Any) -> tuple[str, ...]:
    """Returns the names of the pool's networks, in the order of iterations.

    Args:
        config: The run's `Config`.
    """
    names = config.gvbsm_pool
    return PUBLISHED if names == "published" else tuple(names.split(","))


def flips(dataset: Dataset) -> bool:
    """Returns whether mirrored images of a data set are images of it."""
    return dataset.name not in HANDEDNESS_MATTERS


class PoolNetwork(NamedTuple):
    """A network of the pool.

    Attributes:
        network: The network in float32, in which images are matched.
        shelf: Where it is kept, trained.
    """

    network: FunctionalNetwork
    shelf: Shelf


def pool_networks(config: Any, dataset: Dataset) -> list[PoolNetwork]:
    """Returns the networks of a run's settings, one a shelf.

    Args:
        config: The run's `Config`.
        dataset: Data set whose training split the networks learn.

    Raises:
        InputError: a network does not support the images or the options.
    """
    protocol = squeeze_protocol(config.gvbsm_epochs, config.gvbsm_batch, flips(dataset))
    epochs = PROTOCOLS[config.traits.evaluation](config, dataset.name, None).epochs
    # The real images once, for their statistics; in every epoch the set, and each of
    # the coresets that are scored beside it.
    beside = set(config.baselines) - {WHOLE} if config.num_eval else ()
    labelled = config.ipc * dataset.num_classes * epochs * (1 + len(beside))
    looks = len(dataset.training.labels) + labelled
    options, found = options_of(config), []
    for name in pool_names(config):
        network = _build(name, config, dataset)
        starts = " fan-out" if name in _FAN_OUT else ""
        buffer = ExpertBuffer(
            config.expert_dir,
            network.in_precision(config.precision),
            f"{name} {options.norm} {options.activation} {options.pooling}{starts}",
            dataset,
            protocol,
            config.expert_seed,
            config.precision,
            label_names=dataset.label_names,
        )
        shelf = Shelf(name, buffer, 1, name, looks=looks)
        found.append(PoolNetwork(network, shelf))
    return found


def pool_shelves(
    config: Any, dataset: Dataset, network: FunctionalNetwork
) -> tuple[Shelf, ...]:
    """Returns the shelves of `pool_networks`.

    Args:
        config: The run's `Config`.
        dataset: Data set whose training split the networks learn.
        network: The network `--network`, which the pool does not depend on.

    Raises:
        InputError: see `pool_networks`.
    """
    del network
    return tuple(member.shelf for member in pool_networks(config, dataset))


def _build(name: str, config: Any, dataset: Dataset) -> FunctionalNetwork:
    try:
        network = build_with_options(
            name, dataset.image_shape, dataset.num_classes, options_of(config)
        )
    except InputError as error:
        raise InputError(f"--gvbsm_pool={name}: {error}") from error
    return network.with_draw(FanOutInitialisation) if name in _FAN_OUT else network
