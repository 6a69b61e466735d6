"""The encoder of an analysis, trained on the real training split."""

from typing import Any, NamedTuple

import numpy as np

from hdd_tf.config import Config
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.methods.traits import Encoder
from hdd_tf.progress import epoch_bar
from hdd_tf.protocols.published import dm_protocol
from hdd_tf.training.experts import ExpertBuffer


class EncoderWeights(NamedTuple):
    """A trained network and its origin.

    Attributes:
        weights: Weights of the network, arrays of its `weight_shapes`.
        origin: Description for records: `network`, `source` in words, and numbers such
            as epochs.
    """

    weights: list[np.ndarray]
    origin: dict[str, Any]


def trained_weights(run: RunContext, epochs: int) -> EncoderWeights:
    """Returns a network trained on the real training split, from its expert buffer.

    A network that is not in the buffer yet is trained first.

    Args:
        run: The experiment, whose network learns its training split. Of its settings,
            `expert_dir`, `expert_seed` and `progress` are used.
        epochs: Epochs of the training.

    Raises:
        InterruptedRunError: a signal stopped the training, which is saved.
    """
    buffer = buffer_of_training(run, epochs)
    source = "a network trained on the real training split"
    return first_expert(buffer, run.config, epochs, source)


def check_place_of_encoder(run: RunContext) -> None:
    """Checks that the encoder that an analysis trains can be kept, before the run.

    Args:
        run: The experiment.

    Raises:
        InputError: it is missing, and nothing can be written to `--expert_dir`.
    """
    config = run.config
    if config.analysis and config.traits.encoder is Encoder.TRAINED:
        buffer_of_training(run, config.encoder_epochs).check_place(1)


def buffer_of_training(run: RunContext, epochs: int) -> ExpertBuffer:
    """Returns the buffer that keeps a network trained on the real training split.

    Args:
        run: As in `trained_weights`.
        epochs: Epochs of the training.
    """
    config = run.config
    return ExpertBuffer(
        config.expert_dir, run.network, config.network_title(), run.dataset,
        dm_protocol(epochs, 256, 0.01, "none"), config.expert_seed,
    )  # fmt: skip


def first_expert(
    buffer: ExpertBuffer, config: Config, epochs: int, source: str
) -> EncoderWeights:
    """Returns expert 0 of a buffer; an expert that is missing is trained first.

    Args:
        buffer: Buffer of the expert.
        config: Settings: `progress`, and the network and `expert_seed` to record.
        epochs: Epochs of the expert's training, to record and for the progress bar.
        source: Description of the expert, in words.

    Raises:
        InterruptedRunError: a signal stopped the training, which is saved.
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
