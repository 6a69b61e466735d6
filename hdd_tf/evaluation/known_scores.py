"""Scores that a run's directory has already, so that no network trains twice.

Network k of an evaluation is a function of the settings, the seed and k alone. So an
evaluation that asks for more networks goes on after those that are known.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hdd_tf.artifacts.evaluations import (
    is_of_present_set,
    read_evaluations,
    same_scoring,
    scoring_settings,
)
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset
from hdd_tf.evaluation.pooling import pool_scores
from hdd_tf.evaluation.scorers.class_scores import without_class_scores
from hdd_tf.methods.registry import WHOLE
from hdd_tf.protocols.published import sets_beside


@dataclasses.dataclass
class KnownScores:
    """Scores by one protocol and seed, in the form of result.json.

    Attributes:
        accuracy: Scores of the set by architecture.
        baselines: Scores of the baselines by name.
        fair_score: DD-Ranking's scores, or None.
        trained: Whether a network was trained since, which `complete` notes.
    """

    accuracy: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    baselines: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    fair_score: dict[str, Any] | None = None
    trained: bool = False

    def missing(self, config: Config) -> list[str]:
        """Says which networks an evaluation would train, a few words for each set.

        Args:
            config: Settings of the evaluation.
        """
        networks = config.eval_networks or (config.network,)
        wanted = [(name, self.accuracy.get(name)) for name in networks]
        wanted += [(name, self.baselines.get(name)) for name in sets_beside(config)]
        lacking = {
            name: config.num_eval - len(score["values"] if score else ())
            for name, score in wanted
        }
        return [f"{name} {count}" for name, count in lacking.items() if count > 0]

    def complete(
        self,
        known: dict[str, Any] | None,
        networks: int,
        train: Callable[[int], dict[str, Any]],
    ) -> dict[str, Any]:
        """Returns a score of a number of networks, of which it trains the missing ones.

        Args:
            known: Score of the first networks; None if there is none.
            networks: Number of networks in all.
            train: Function that trains the networks from a number on, and returns
                their score.
        """
        values = known["values"] if known else []
        if known and len(values) == networks:
            return known
        if known and len(values) > networks:
            return _first(known, networks)
        self.trained = True
        more = train(len(values))
        return pool_scores([known, more]) if known else more


def known_scores(
    directory: RunDirectory, config: Config, dataset: Dataset
) -> KnownScores:
    """Returns what a run's directory says of its present set by a protocol.

    Args:
        directory: Directory of the run.
        config: Settings of the evaluation.
        dataset: The data set of the evaluation.
    """
    found = KnownScores()
    settings = scoring_settings(config)
    first = (config.eval_networks or (config.network,))[0]
    for record in records_of(directory):
        if not same_scoring(record["settings"], settings) or not _same_data(
            record.get("data") or {}, dataset
        ):
            continue
        for network, score in record["accuracy"].items():
            _keep_longest(found.accuracy, network, score)
        protocol = record["protocol"]
        if protocol.get("baseline_network") != first:
            continue
        for name, score in record["baselines"].items():
            of_whole = protocol.get("whole_epochs"), config.whole_epochs
            if name != WHOLE or of_whole[0] == of_whole[1]:
                _keep_longest(found.baselines, name, score)
        fair = record.get("fair_score")
        if fair and (fair["network"], fair["whole_epochs"], fair.get("networks")) == (
            *(first, config.whole_epochs),
            config.num_eval,
        ):
            found.fair_score = fair
    return found


def records_of(
    directory: RunDirectory, warn: Callable[[str], None] = lambda line: None
) -> list[dict[str, Any]]:
    """Returns a run's own result and its later evaluations, of its present set.

    Args:
        directory: Directory of the run.
        warn: As in `read_evaluations`.
    """
    later, record = read_evaluations(directory, warn), directory.read_config()
    for entry in later:
        entry["data"] = record["data"]
    result = directory.read_result()
    if result is None or not is_of_present_set(directory, result):
        return later
    own = {"protocol": {}, **result, "settings": record["identity"]}
    return [{**own, "data": record["data"]}, *later]


def _same_data(recorded: Mapping[str, Any], dataset: Dataset) -> bool:
    """Whether a run saw the images of a data set, as far as it recorded them."""
    splits = {"training": dataset.training, "test": dataset.test}
    return all(
        recorded.get(f"{name}_sha256") in (None, split.checksum)
        for name, split in splits.items()
    )


def _keep_longest(
    scores: dict[str, dict[str, Any]], name: str, score: dict[str, Any]
) -> None:
    if len(score["values"]) > len(scores.get(name, {}).get("values", ())):
        scores[name] = score


def _first(score: dict[str, Any], networks: int) -> dict[str, Any]:
    """Returns the score of the first networks; those of classes are of all alone."""
    values = score["values"][:networks]
    return {
        **without_class_scores(score),
        "mean": round(float(np.mean(values)), 4),
        "std": round(float(np.std(values)), 4),
        "values": values,
    }
