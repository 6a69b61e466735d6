"""The network trained on a distilled set, as a SavedModel."""

import dataclasses
import os

from hdd_tf.artifacts.saved_models import OUTPUTS, Classifier, save_model
from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.networks.registry import matched_network


def train_and_save_classifier(
    directory: str | os.PathLike,
    config: Config,
    dataset: Dataset,
    distilled_set: DistilledSet,
) -> float:
    """Trains the first network that a run would score a set with, and writes it.

    Args:
        directory: Directory of the SavedModel.
        config: Settings of the run.
        dataset: Data set with the real images.
        distilled_set: The set, stored or decoded.

    Returns:
        The network's accuracy on the test split in percent.

    Raises:
        InputError: `directory` holds foreign files, or the set does not match the data
            set.
    """
    first = (config.eval_networks or (config.network,))[0]
    alone = dataclasses.replace(
        config, num_eval=1, eval_networks=(first,), baselines=(), fair_score=False
    )
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    evaluation = Evaluation(alone, dataset, network)
    score = evaluation.train_classifier(distilled_set)
    save_classifier(directory, evaluation, dataset, distilled_set)
    return score.mean


def save_classifier(
    directory: str | os.PathLike,
    evaluation: Evaluation,
    dataset: Dataset,
    distilled_set: DistilledSet,
) -> None:
    """Writes the first network that an evaluation has trained on a distilled set.

    Args:
        directory: Directory of the SavedModel.
        evaluation: Evaluation whose `result` has run, with `num_eval` above 0.
        dataset: Data set whose classes the network predicts.
        distilled_set: The set that the network has learnt.

    Raises:
        InputError: `directory` holds foreign files, or cannot be written.
        ValueError: `evaluation` has not trained a network on a distilled set.
    """
    trained = evaluation.classifier
    if trained is None:
        raise ValueError("`evaluation` has no classifier: call its `result` first.")
    classifier = Classifier(
        evaluation.scorer.build_network(trained.network_name),
        trained.weights,
        trained.state,
        evaluation.scorer.normalisation(distilled_set),
    )
    metadata = {
        "outputs": OUTPUTS,
        "dataset": dataset.name,
        "learnt": {
            key: distilled_set.metadata.get(key)
            for key in ("objective", "geometry", "ipc", "iteration", "files")
        },
        "label_names": dataset.label_names,
        "network": trained.network_name,
        "test_accuracy": trained.accuracy,
        "protocol": evaluation.describe_protocol(distilled_set),
    }
    save_model(directory, classifier, metadata)
