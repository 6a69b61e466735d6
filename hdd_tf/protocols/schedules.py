"""The learning rate of each epoch."""

import math

from hdd_tf.protocols.training_protocol import TrainingProtocol


def rate_at(protocol: TrainingProtocol, epoch: int) -> float:
    """Returns the learning rate of an epoch, which is constant within the epoch.

    `drops` multiplies the rate by `drop_factor` at each of `drop_epochs`. `cosine` is
    lr (1 + cos(pi epoch / period)) / 2. With a period of twice the epochs it ends half
    way down, as in RDED's program (Sun et al., CVPR 2024). `table` multiplies the rate
    by `rate_factors[epoch]`.

    Args:
        protocol: The training protocol.
        epoch: Number of the epoch, from 0; for a table below `protocol.epochs`.
    """
    rate = protocol.learning_rate
    if protocol.schedule == "cosine":
        return rate * (1 + math.cos(math.pi * epoch / protocol.period)) / 2
    if protocol.schedule == "table":
        return rate * protocol.rate_factors[epoch]
    drops = sum(drop <= epoch for drop in protocol.drop_epochs)
    return rate * protocol.drop_factor**drops


def optimiser_starts(protocol: TrainingProtocol) -> tuple[int, ...]:
    """Returns the epochs before which the optimiser starts afresh."""
    if protocol.schedule == "drops" and protocol.reset_velocity:
        return protocol.drop_epochs
    return ()
