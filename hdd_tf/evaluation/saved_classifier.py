"""The network trained on a distilled set, as a SavedModel."""

import dataclasses
import os

from hdd_tf.artifacts.saved_models import Classifier, save_model
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
        directory: Where to.
        config: The run's settings.
        dataset: The real images.
        distilled_set: The set, stored or decoded.

    Returns:
        Its accuracy on the test split in percent.

    Raises:
        InputError: `directory` holds anything else, or the set is not of the data.
    """
    first = (config.eval_networks or (config.network,))[0]
    alone = dataclasses.replace(
        config, num_eval=1, eval_networks=(first,), baselines=(), fair_score=False
    )
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    evaluation = Evaluation(alone, dataset, network)
    score = evaluation.result(distilled_set)["accuracy"][first]
    save_classifier(directory, evaluation, dataset, distilled_set)
    return float(score["mean"])


def save_classifier(
    directory: str | os.PathLike,
    evaluation: Evaluation,
    dataset: Dataset,
    distilled_set: DistilledSet,
) -> None:
    """Writes the first network that an evaluation has trained on a distilled set.

    Args:
        directory: Where to.
        evaluation: After its `result`, with `num_eval` above 0.
        dataset: Whose classes it tells apart.
        distilled_set: What it has learnt.

    Raises:
        InputError: `directory` holds anything else, or cannot be written.
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
        "outputs": {
            "logits": "[n, classes]",
            "probabilities": "[n, classes], their softmax",
            "label": "[n], the index of the most probable class",
        },
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
