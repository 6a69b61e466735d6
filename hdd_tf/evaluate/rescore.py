"""Scores an exported set again, without distilling."""

from collections.abc import Sequence

from hdd_tf.artifacts.distilled_set import find_distilled_set, read_distilled_set
from hdd_tf.command_line import override_config
from hdd_tf.config import from_json
from hdd_tf.data.loading import load_configured_dataset
from hdd_tf.evaluate.evaluation import Evaluation
from hdd_tf.evaluate.report import result_table
from hdd_tf.networks.registry import network_of_settings


def rescore(place: str, arguments: Sequence[str]) -> str:
    """Trains fresh networks on an export and returns the table of results.

    Args:
        place: Directory of a set or of a run.
        arguments: Flags that override the settings recorded in the set.

    Raises:
        InputError: there is no whole set, its data cannot be loaded, or a flag is bad.
    """
    directory = find_distilled_set(place)
    distilled_set = read_distilled_set(directory)
    config = override_config(from_json(distilled_set.metadata["source"]), arguments)
    dataset = load_configured_dataset(config)
    network = network_of_settings(
        config.network, config, dataset.image_shape, dataset.num_classes
    )
    result = Evaluation(config, dataset, network).result(distilled_set)
    return result_table({**result, "seconds": {}}, str(directory))
