"""The metadata of a run's set."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from hdd_tf.artifacts.sets.distilled_set import metadata_of_run
from hdd_tf.config import Config
from hdd_tf.files.json_text import to_plain
from hdd_tf.protocols.published import evaluation_protocol


def metadata_of_set(
    config: Config, record: Mapping[str, Any], iteration: int
) -> dict[str, Any]:
    """Returns the metadata of a run's set: `metadata_of_run`, and a recipe if needed.

    The recipe describes the training of networks on a set that holds more than images
    and classes.

    Args:
        config: Settings of the run.
        record: Contents of the run's `config.json`.
        iteration: Iterations that the set has seen.

    Raises:
        InputError: `record` is not complete.
    """
    metadata = metadata_of_run(record, iteration)
    protocol = evaluation_protocol(config, metadata["dataset"])
    if protocol.labels != "hard" or protocol.learnt_rate:
        # All fields: whoever reads the set elsewhere does not know their defaults.
        metadata["recipe"] = to_plain(dataclasses.asdict(protocol))
    return metadata
