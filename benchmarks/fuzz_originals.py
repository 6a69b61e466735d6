"""What benchmarks/fuzz_readers.py makes edited copies of: whole records and sets."""

import json
import pathlib
import tempfile

import numpy as np
from hypothesis import strategies as st

from hdd_tf.artifacts.distilled_set import DistilledSet, write_distilled_set
from hdd_tf.artifacts.encodings.registry import ENCODINGS
from hdd_tf.config import Config, identity, to_json

CONFIG = Config(dataset="digits", ipc=2, iterations=3)
SOURCE = to_json(CONFIG)
RECORD = {
    "config": SOURCE,
    "identity": identity(CONFIG),
    "data": {
        "name": "digits",
        "label_names": ["a", "b"],
        "mean": [0.5],
        "std": [0.2],
        "training_images": 4,
        "test_images": 2,
    },
    "environment": {"libraries": {}},
    "later_environments": [],
}
_SCORE = {"mean": 50.0, "std": 1.0, "values": [50.0, 51.0], "images": 4, "seconds": 1.0}
_FAIR = {
    **{key: 0.5 for key in ("lrs", "ars", "a", "b", "hlr", "ior", "w")},
    **{"network": "convnet", "networks": 2, "whole_epochs": 3},
    "accuracy": {"distilled": _SCORE, "whole": _SCORE},
}
RESULT = {
    **{"dataset": "digits", "ipc": 2, "objective": "dm", "geometry": "hyperbolic"},
    **{"seed": 0, "iterations": 3, "evaluation_seed": 0},
    **{"accuracy": {"convnet": _SCORE}, "baselines": {"random": _SCORE}},
    "selected": {"iteration": 2, "validation_accuracy": 40.0},
    "protocol": {"name": "dm", "epochs": 3, "whole_epochs": 4, "networks": 2},
    **{"seconds": {"distil": 1.0, "evaluate": 2.0}, "fair_score": _FAIR},
    "best_on_test": {**_SCORE, "iteration": 2, "candidates": 3},
}
HISTORY = [{"iteration": 1, "seconds": 0.5, "accuracy": 30.0}]
ANALYSIS = {"iterations": 3, "settings": {"encoder_epochs": 2}}
FEATURES = {
    "pythonClassName": "tensorflow_datasets.core.features.features_dict.FeaturesDict",
    "featuresDict": {"features": {"label": {"classLabel": {"numClasses": "2"}}}},
}


def _original_sets() -> dict[str, pathlib.Path]:
    """Writes a small set in every encoding; it stays until the process ends."""
    place = tempfile.TemporaryDirectory()
    _KEPT.append(place)
    metadata = {
        **{"dataset": "digits", "label_names": ["a", "b"], "mean": [0.5]},
        **{"std": [0.2], "objective": "dm", "geometry": "hyperbolic"},
        "source": SOURCE,
    }
    images = np.arange(2 * 2 * 4 * 4, dtype=np.float32).reshape(2, 2, 4, 4, 1)
    paths = {name: pathlib.Path(place.name, name) for name in ENCODINGS}
    for name, path in paths.items():
        write_distilled_set(
            path, DistilledSet.from_class_images(images, metadata), name
        )
    return paths


_KEPT: list[tempfile.TemporaryDirectory] = []
SETS = _original_sets()
METADATA = {
    name: json.loads((path / "hdd_tf.json").read_text("utf-8"))
    for name, path in SETS.items()
}
ENCODING = st.sampled_from(sorted(SETS))
