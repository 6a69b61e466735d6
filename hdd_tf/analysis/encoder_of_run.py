"""The trained network that analyses a run, and its description."""

import tensorflow as tf

from hdd_tf.analysis.pruning import pruned_dataset
from hdd_tf.analysis.trained_weights import (
    EncoderWeights,
    first_expert,
    trained_weights,
)
from hdd_tf.artifacts.checkpoint_files import CheckpointFiles
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.errors import InputError
from hdd_tf.files.plain_names import plainly_named
from hdd_tf.methods.traits import Encoder, imported
from hdd_tf.networks.pool import read_network

_ITERATION = "iteration/.ATTRIBUTES/VARIABLE_VALUE"


class EncoderOfRun:
    """The encoder of a run, chosen by the traits of the run's method.

    A method that trains a pool of networks uses the oldest network of the pool. A
    method with experts uses an expert. All other methods match in random networks or in
    none: their encoder trains on the real training split for the analysis.

    Args:
        run: The experiment, with the training split that an encoder learns, or the
            newest checkpoint that holds the pool.
    """

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._trained: EncoderWeights | None = None

    def weights(self) -> EncoderWeights:
        """Returns the weights of the encoder.

        The oldest network of a pool comes from the newest checkpoint at every call. The
        other encoders are read or trained once.

        Raises:
            InputError: the run has no readable checkpoint that holds its pool.
            InterruptedRunError: a signal stopped the training, which is saved.
        """
        if self._run.config.traits.encoder is Encoder.POOL:
            return _oldest_of_pool(self._run)
        if self._trained is None:
            self._trained = self._train()
        return self._trained

    def _train(self) -> EncoderWeights:
        config = self._run.config
        if config.traits.encoder is Encoder.TRAINED:
            return trained_weights(self._run, config.encoder_epochs)
        # The run's experts learn the matched images; the whole split would need other
        # experts, trained for the analysis alone.
        matched = pruned_dataset(self._run)
        shelf_of = imported(config.traits.encoder_source)
        buffer = shelf_of(config, matched, self._run.network).buffer
        epochs = buffer.protocol.epochs
        return first_expert(buffer, config, epochs, f"{config.traits.title}'s expert 0")


def _oldest_of_pool(run: RunContext) -> EncoderWeights:
    config, checkpoints = run.config, run.directory.checkpoints
    files = CheckpointFiles(checkpoints)
    newest = files.newest_whole()
    try:
        if newest is None:
            raise KeyError(checkpoints)
        with plainly_named(checkpoints) as directory:
            prefix = directory / files.prefix(newest).name
            reader = tf.train.load_checkpoint(str(prefix))
            iterations = int(reader.get_tensor(_ITERATION))
            schedule = imported(config.traits.encoder_source)(config)
            row = schedule.oldest(iterations)
            weights = read_network(reader, "objective/pool", row)
    except (tf.errors.OpError, ValueError, KeyError) as error:
        raise InputError(
            f"{checkpoints} holds no readable checkpoint with {config.traits.title}'s "
            "pool of networks, one of which is the encoder: let the run save one "
            "first."
        ) from error
    return EncoderWeights(
        weights,
        {
            "network": config.network_title(),
            "source": f"the oldest network of {config.traits.title}'s pool",
            "iterations": iterations,
            "row": row,
        },
    )
