"""Which trained network a run is looked at with, and the words that say so."""

import pathlib
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts.checkpoint_files import CheckpointFiles
from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.pool import read_network
from hdd_tf.objectives.registry import expert_shelf, pool_schedule
from hdd_tf.training.experts import ExpertShelf
from hdd_tf.training.progress import epoch_bar
from hdd_tf.training.protocols import dm_protocol

_ITERATION = "iteration/.ATTRIBUTES/VARIABLE_VALUE"


class EncoderWeights(NamedTuple):
    """A trained network, and where it is from.

    Attributes:
        weights: Arrays of the network's `weight_shapes`.
        origin: For records: `network`, `source` in words, and numbers beside them.
    """

    weights: list[np.ndarray]
    origin: dict[str, Any]


def encoder_weights(
    config: Config,
    dataset: Dataset,
    network: FunctionalNetwork,
    checkpoints: str | pathlib.Path,
) -> EncoderWeights:
    """Returns the encoder that goes with the objective.

    IDM has its queue's oldest network, DANCE an expert. DM matches in random networks,
    and coresets in none: theirs trains on the real training split beforehand.

    Args:
        config: The run's settings.
        dataset: Its training split is what an encoder learns.
        network: The network `--network`.
        checkpoints: The run's, of which IDM's newest is read.

    Raises:
        InputError: IDM's run has no checkpoint that holds its queue.
        InterruptedRunError: a signal stopped the training, which is saved.
    """
    if config.objective == "idm":
        return _oldest_of_queue(config, checkpoints)
    if config.objective == "dance":
        shelf = expert_shelf(config, dataset, network)
        return _first_of(shelf, config, config.pretrain_epochs, "DANCE's expert 0")
    return trained_weights(config, dataset, network, config.encoder_epochs)


def _oldest_of_queue(config: Config, checkpoints: str | pathlib.Path) -> EncoderWeights:
    files = CheckpointFiles(checkpoints)
    newest = files.newest_whole()
    try:
        if newest is None:
            raise KeyError(checkpoints)
        reader = tf.train.load_checkpoint(str(files.prefix(newest)))
        iterations = int(reader.get_tensor(_ITERATION))
        row = pool_schedule(config).oldest(iterations)
        weights = read_network(reader, "objective/pool", row)
    except (tf.errors.OpError, ValueError, KeyError) as error:
        raise InputError(
            f"{checkpoints} holds no readable checkpoint with IDM's queue of networks, "
            "one of which is the encoder: let the run save one first."
        ) from error
    return EncoderWeights(
        weights,
        {
            "network": config.network_title(),
            "source": "the oldest network of IDM's queue",
            "iterations": iterations,
            "row": row,
        },
    )


def trained_weights(
    config: Config, dataset: Dataset, network: FunctionalNetwork, epochs: int
) -> EncoderWeights:
    """Returns a network that learns the real training split, where it is not kept yet.

    Args:
        config: expert_dir, expert_seed and progress count.
        dataset: What it learns.
        network: The network `--network`.
        epochs: For how long.

    Raises:
        InterruptedRunError: a signal stopped the training, which is saved.
    """
    shelf = ExpertShelf(
        config.expert_dir, network, config.network_title(), dataset,
        dm_protocol(epochs, 256, 0.01, "none"), config.expert_seed,
    )  # fmt: skip
    source = "a network trained on the real training split"
    return _first_of(shelf, config, epochs, source)


def _first_of(
    shelf: ExpertShelf, config: Config, epochs: int, source: str
) -> EncoderWeights:
    with epoch_bar("encoder", epochs, config.progress) as bar:
        experts = shelf.take(1, bar.update)
    return EncoderWeights(
        [weight[0].numpy() for weight in experts.trained],
        {
            "network": config.network_title(),
            "source": source,
            "epochs": epochs,
            "seed": config.expert_seed,
            "kept_in": str(shelf.path),
        },
    )
