"""A network that has learnt the real training split, to look through."""

from typing import Any, NamedTuple

import numpy as np

from hdd_tf.config import Config
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.protocols.published import dm_protocol
from hdd_tf.training.experts import ExpertBuffer
from hdd_tf.training.progress import epoch_bar


class EncoderWeights(NamedTuple):
    """A trained network, and where it is from.

    Attributes:
        weights: Arrays of the network's `weight_shapes`.
        origin: For records: `network`, `source` in words, and numbers beside them.
    """

    weights: list[np.ndarray]
    origin: dict[str, Any]


def trained_weights(run: RunContext, epochs: int) -> EncoderWeights:
    """Returns a network that learns the real training split, where it is not kept yet.

    Args:
        run: The experiment, whose network learns its training split; of the settings
            `expert_dir`, `expert_seed` and `progress` count.
        epochs: Epochs of the training.

    Raises:
        InterruptedRunError: a signal stopped the training, which is saved.
    """
    config = run.config
    buffer = ExpertBuffer(
        config.expert_dir, run.network, config.network_title(), run.dataset,
        dm_protocol(epochs, 256, 0.01, "none"), config.expert_seed,
    )  # fmt: skip
    source = "a network trained on the real training split"
    return first_expert(buffer, config, epochs, source)


def first_expert(
    buffer: ExpertBuffer, config: Config, epochs: int, source: str
) -> EncoderWeights:
    """Returns expert 0 of a buffer, trained where it is missing.

    Args:
        buffer: Where it is kept.
        config: progress, and what is recorded of it.
        epochs: That it trains.
        source: What it is, in words.
    """
    with epoch_bar("encoder", epochs, config.progress) as bar:
        experts = buffer.take(1, bar.update)
    return EncoderWeights(
        [weight[0].numpy() for weight in experts.trained],
        {
            "network": config.network_title(),
            "source": source,
            "epochs": epochs,
            "seed": config.expert_seed,
            "kept_in": str(buffer.path),
        },
    )
