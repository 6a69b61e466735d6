"""The network trained on a distilled set, as a SavedModel."""

import os

from hdd_tf.artifacts.saved_models import Classifier, save_model
from hdd_tf.data.dataset import Dataset
from hdd_tf.evaluate.evaluation import Evaluation


def save_classifier(
    directory: str | os.PathLike, evaluation: Evaluation, dataset: Dataset
) -> None:
    """Writes the first network that an evaluation has trained on a distilled set.

    Args:
        directory: Where to.
        evaluation: After its `result`, with `num_eval` above 0.
        dataset: Whose classes it tells apart.

    Raises:
        InputError: `directory` holds anything else, or cannot be written.
        ValueError: `evaluation` has not trained a network on a distilled set.
    """
    trained = evaluation.classifier
    if trained is None:
        raise ValueError("`evaluation` has no classifier: call its `result` first.")
    classifier = Classifier(
        evaluation.build_network(trained.network_name),
        trained.weights,
        trained.state,
        dataset.mean,
        dataset.std,
    )
    metadata = {
        "outputs": {
            "logits": "[n, classes]",
            "probabilities": "[n, classes], their softmax",
            "label": "[n], the index of the most probable class",
        },
        "dataset": dataset.name,
        "label_names": dataset.label_names,
        "network": trained.network_name,
        "test_accuracy": trained.accuracy,
        "protocol": evaluation.describe_protocol(),
    }
    save_model(directory, classifier, metadata)
