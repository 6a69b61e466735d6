"""What a set's files say of the run that made it."""

from collections.abc import Mapping
from typing import Any

from hdd_tf.artifacts.sets.distilled_set import metadata_of_run
from hdd_tf.config import Config
from hdd_tf.files import atomic
from hdd_tf.protocols.published import evaluation_protocol


def metadata_of_set(
    config: Config, record: Mapping[str, Any], iteration: int
) -> dict[str, Any]:
    """Returns what is known of a run's set: `metadata_of_run`, and its recipe.

    The recipe says how networks train on a set that holds more than images and classes.

    Args:
        config: The run's settings.
        record: Contents of its `config.json`.
        iteration: How many iterations the set has seen.

    Raises:
        InputError: `record` is not complete.
    """
    metadata = metadata_of_run(record, iteration)
    protocol = evaluation_protocol(config, metadata["dataset"])
    if protocol.labels != "hard" or protocol.learnt_rate:
        metadata["recipe"] = atomic.to_plain(protocol.describe())
    return metadata
