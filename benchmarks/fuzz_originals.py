"""What benchmarks/fuzz_readers.py makes edited copies of: whole records and sets."""

import dataclasses
import functools
import json
import pathlib
import tempfile

import numpy as np
from hypothesis import strategies as st

from hdd_tf.artifacts.encodings.registry import ENCODINGS
from hdd_tf.artifacts.sets.distilled_set import DistilledSet, write_distilled_set
from hdd_tf.config import Config, identity, to_json
from hdd_tf.data.epoch_labels import EpochLabels
from hdd_tf.data.normalisation import whitening_of
from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.registry import build_with_options
from hdd_tf.networks.teacher import Teacher, TeacherNetwork
from hdd_tf.random_keys import derive_key

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


@functools.cache
def original_sets() -> dict[str, pathlib.Path]:
    """Writes small sets in every encoding; they stay until the process ends.

    Not on import: their teachers take seconds, and who only lists tests needs none.

    Returns:
        Their directories: of plain sets by the encoding's name, and of sets that carry
        all that the encoding can hold under `NAME full`.
    """
    place = tempfile.TemporaryDirectory()
    _KEPT.append(place)
    metadata = {
        **{"dataset": "digits", "label_names": ["a", "b"], "mean": [0.5]},
        **{"std": [0.2], "objective": "dm", "geometry": "hyperbolic"},
        "source": SOURCE,
    }
    images = np.arange(2 * 2 * 4 * 4, dtype=np.float32).reshape(2, 2, 4, 4, 1)
    paths = {name: pathlib.Path(place.name, name) for name in ENCODINGS}
    plain = DistilledSet.from_class_images(images, metadata)
    for name, path in paths.items():
        write_distilled_set(path, plain, name)
    full = _with_everything(plain)
    for name in ENCODINGS:
        paths[f"{name} full"] = path = pathlib.Path(place.name, f"{name}_full")
        # DD-Ranking does not whiten.
        kept = None if name == "dd_ranking" else full.whitening
        write_distilled_set(path, dataclasses.replace(full, whitening=kept), name)
    return paths


def _with_everything(plain: DistilledSet) -> DistilledSet:
    """Returns a set of four images with all that a set can carry."""
    options = NetworkOptions(depth=1, width=2)
    network = build_with_options("convnet_batch", (4, 4, 1), 2, options)
    weights, state = network.initial_variables(derive_key(0))
    values = [[tensor.numpy() for tensor in tensors] for tensors in (weights, state)]
    places = np.arange(4, dtype=np.int32)[None]
    return dataclasses.replace(
        plain,
        metadata={**plain.metadata, "recipe": {"epochs": 3, "drop_epochs": [1, 2]}},
        label_logits=np.eye(4, 2, dtype=np.float32),
        student_rate=0.02,
        teacher=Teacher(
            (TeacherNetwork("convnet_batch", options, *values),), (4, 4, 1), 2
        ),
        epoch_labels=EpochLabels(
            rows=places,
            boxes=np.array([[[0, 0, 4, 4]] * 4], np.int16),
            flips=np.zeros([1, 4], bool),
            partners=places % 2,
            cuts=np.array([[[0, 1, 2, 3]] * 2], np.int16),
            logits=np.ones([1, 4, 2], np.float16),
            batch_size=2,
        ),
        whitening=whitening_of(plain.images.astype(np.uint8)),
    )


@functools.cache
def original_metadata(name: str) -> dict:
    """Returns what `hdd_tf.json` of a set of `original_sets` says."""
    return json.loads((original_sets()[name] / "hdd_tf.json").read_text("utf-8"))


_KEPT: list[tempfile.TemporaryDirectory] = []
SET = st.sampled_from(sorted([*ENCODINGS, *(f"{name} full" for name in ENCODINGS)]))
