"""Scores an exported set again, without distilling."""

from collections.abc import Mapping, Sequence
from typing import Any

from hdd_tf.arguments.command_line import recorded_config
from hdd_tf.artifacts.sets.distilled_set import find_distilled_set, read_distilled_set
from hdd_tf.config import Config
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.evaluation.result_text import result_table
from hdd_tf.networks.registry import network_of_settings
from hdd_tf.reading.loading import load_configured_dataset


def rescore(place: str, arguments: Sequence[str]) -> str:
    """Trains fresh networks on an export and returns the table of results.

    Args:
        place: Directory of a set or of a run.
        arguments: Flags that override the settings recorded in the set.

    Returns:
        The table, several lines.

    Raises:
        InputError: there is no complete set, its data cannot be loaded, or a flag is
            invalid.
    """
    directory = find_distilled_set(place)
    distilled_set = read_distilled_set(directory)
    evaluation, _ = evaluation_of_source(distilled_set.metadata["source"], arguments)
    result = evaluation.result(distilled_set)
    return result_table({**result, "seconds": {}}, str(directory))


def evaluation_of_source(
    source: Mapping[str, Any], arguments: Sequence[str]
) -> tuple[Evaluation, Config]:
    """Returns the evaluation that a set's run would use.

    Args:
        source: Settings of the run, from a set's metadata.
        arguments: Flags that override the settings.

    Returns:
        The evaluation and its settings.

    Raises:
        InputError: the run's data cannot be loaded, or a flag is invalid.
    """
    config = recorded_config(source, arguments)
    dataset = load_configured_dataset(config)
    network = network_of_settings(
        config.network, config, dataset.image_shape, dataset.num_classes
    )
    return Evaluation(config, dataset, network), config
