"""The accuracy that rounding a distilled set to eight bits costs."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from hdd_tf.artifacts.encodings.pixels import to_uint8
from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.errors import InputError
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.evaluation.rescore import evaluation_of_source
from hdd_tf.evaluation.scorers.class_scores import without_class_scores


def measure_rounding(
    distilled_set: DistilledSet, arguments: Sequence[str] = ()
) -> dict[str, Any]:
    """Trains networks on a set's floats and on the floats rounded to eight bits.

    Both trainings start from the same seeds, so they differ by the images alone.

    Args:
        distilled_set: The set, stored or decoded. A stored set is rounded before it is
            decoded.
        arguments: Flags that override the settings recorded in the set, such as
            `--num_eval=5`.

    Returns:
        The entry `accuracy` of hdd_tf.json: `float32` (left out where the images are
        integers already) and `uint8`, each with mean, std and values in percent; the
        network, the evaluation's seed and the protocol, which names the split.

    Raises:
        InputError: `--num_eval` is 0, the run's data cannot be loaded, or a flag is
            invalid.
    """
    rounded = to_uint8(distilled_set.images).astype(np.float32)
    evaluation, config = evaluation_of_source(
        distilled_set.metadata["source"], arguments
    )
    if not config.num_eval:
        raise InputError(
            "the run's settings train no networks to measure with: give --num_eval, "
            "such as 5"
        )
    scores = {}
    if not np.array_equal(rounded, distilled_set.images):
        scores["float32"] = _score(evaluation, distilled_set)
    of_pixels = dataclasses.replace(distilled_set, images=rounded)
    scores["uint8"] = _score(evaluation, of_pixels)
    protocol = evaluation.describe_protocol(distilled_set)
    # These entries describe baselines, which are not scored here.
    network = protocol.pop("baseline_network")
    del protocol["whole_epochs"]
    protocol.pop("baseline_labels", None)
    return {
        **scores,
        "network": network,
        "evaluation_seed": config.seed,
        "protocol": protocol,
    }


def _score(evaluation: Evaluation, distilled_set: DistilledSet) -> dict[str, Any]:
    return without_class_scores(evaluation.score_set(distilled_set).to_json())
