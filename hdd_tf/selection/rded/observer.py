"""The observer of RDED: a network that is trained on the real images beforehand."""

from typing import Any

from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.options import options_of
from hdd_tf.networks.registry import build_with_options
from hdd_tf.protocols.rded import observer_protocol
from hdd_tf.training.experts import ExpertBuffer
from hdd_tf.training.shelf import Shelf


def observer_shelf(config: Any, dataset: Dataset, network: FunctionalNetwork) -> Shelf:
    """Returns the observer of a run's settings.

    Args:
        config: The run's `Config`.
        dataset: Data set whose training split the observer learns.
        network: The network `--network`, which is another one.

    Raises:
        InputError: the network does not support the image size or the options.
    """
    del network
    options, name = options_of(config), config.rded_network
    try:
        observer = build_with_options(
            name, dataset.image_shape, dataset.num_classes, options
        )
    except InputError as error:
        raise InputError(f"--rded_network={name}: {error}") from error
    buffer = ExpertBuffer(
        config.expert_dir,
        observer.in_precision(config.precision),
        " ".join([name, config.norm, config.activation, config.pooling]),
        dataset,
        observer_protocol(
            config.rded_epochs, config.rded_batch, dataset.name, dataset.image_shape
        ),
        config.expert_seed,
        config.precision,
        # Its labels go with the set, where their order must be known.
        label_names=dataset.label_names,
    )
    return Shelf("observer", buffer, 1, name)
