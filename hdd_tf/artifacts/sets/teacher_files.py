"""A set's teacher in its folder `teacher/`: a SavedModel, read back as data.

Other programs load the SavedModel. A SavedModel is a program, so hdd_tf never loads it:
hdd_tf reads values from the SavedModel's checkpoint, by names and shapes that it knows
beforehand, into its own networks. `hdd_tf.json` names these networks.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from hdd_tf.artifacts.saved_models import METADATA_FILE, OUTPUTS, save_model
from hdd_tf.artifacts.sets.teacher_checkpoint import (
    DATA,
    PREFIX,
    Spec,
    read_values,
    value_specs,
)
from hdd_tf.artifacts.sets.teacher_model import TeacherModel
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.errors import InputError
from hdd_tf.files.json_files import read_json
from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.plain_layers import ACTIVATIONS, NORMS, POOLINGS
from hdd_tf.networks.registry import NETWORKS
from hdd_tf.networks.teacher import Teacher, TeacherNetwork

FOLDER = "teacher"
FILES = frozenset(
    {
        f"{FOLDER}/{name}"
        for name in (
            METADATA_FILE,
            "saved_model.pb",
            "fingerprint.pb",
            f"{PREFIX}.index",
            DATA,
        )
    }
)
FOLDERS = frozenset({FOLDER, f"{FOLDER}/variables"})
# Bounds far above any teacher, because building takes time for each block.
_MOST_NETWORKS, _MOST_BLOCKS, _MOST_CHANNELS = 64, 64, 2**16


def describe_teacher(teacher: Teacher) -> dict[str, Any]:
    """Returns the entry of hdd_tf.json that describes a teacher.

    Raises:
        InputError: a network is not one of hdd_tf's networks.
    """
    for network in teacher.networks:
        if network.name not in NETWORKS:
            raise InputError(
                f"the teacher's network {network.name!r} is not one of "
                f"{', '.join(NETWORKS)}: a set cannot hold it"
            )
    return {
        "networks": [
            {"name": network.name, "options": dataclasses.asdict(network.options)}
            for network in teacher.networks
        ]
    }


def is_teacher(value: Any) -> bool:
    """Returns True if a value can be an entry from `describe_teacher`."""
    if not isinstance(value, dict) or value.keys() != {"networks"}:
        return False
    networks = value["networks"]
    return (
        isinstance(networks, list)
        and 1 <= len(networks) <= _MOST_NETWORKS
        and all(map(_is_network, networks))
    )


def _is_network(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() != {"name", "options"}:
        return False
    name, options = value["name"], value["options"]
    fields = {field.name for field in dataclasses.fields(NetworkOptions)}
    if not isinstance(name, str) or name not in NETWORKS:
        return False
    if not isinstance(options, dict) or options.keys() != fields:
        return False
    numbers = {"depth": _MOST_BLOCKS, "width": _MOST_CHANNELS}
    choices: dict[str, Mapping] = {
        **{"norm": NORMS, "activation": ACTIVATIONS, "pooling": POOLINGS}
    }
    return all(
        type(options[key]) is int and 1 <= options[key] <= most
        for key, most in numbers.items()
    ) and all(
        isinstance(options[key], str) and options[key] in known
        for key, known in choices.items()
    )


def write_teacher(
    directory: pathlib.Path,
    teacher: Teacher,
    normalisation: Normalisation,
    label_names: list[str],
) -> None:
    """Writes the SavedModel of a teacher.

    Args:
        directory: Directory of the set.
        teacher: Networks of the teacher.
        normalisation: Normalisation of the networks' images.
        label_names: Names of the classes.

    Raises:
        InputError: the SavedModel cannot be written.
    """
    metadata = {
        "label_names": label_names,
        "outputs": OUTPUTS | {"logits": "[n, classes], the mean of the networks'"},
        **describe_teacher(teacher),
    }
    save_model(directory / FOLDER, TeacherModel(teacher, normalisation), metadata)


def read_teacher(
    directory: pathlib.Path,
    description: Mapping[str, Any],
    image_shape: tuple[int, int, int],
    label_names: Sequence[str],
) -> Teacher:
    """Reads the values of a teacher, without running anything of the SavedModel.

    Args:
        directory: Directory of the set.
        description: Entry from `describe_teacher` that has passed `is_teacher`.
        image_shape: `(height, width, channels)`.
        label_names: Names of the set's classes, in the order of their labels.

    Raises:
        InputError: the teacher does not record the order of its classes, or it is
            another than the set's.
        ValueError, tf.errors.OpError: the checkpoint does not hold the values of these
            networks, or the networks do not support such images.
    """
    _check_order(directory / FOLDER, label_names)
    num_classes = len(label_names)
    specs: list[Spec] = []
    layout = []
    for described in description["networks"]:
        options = NetworkOptions(**described["options"])
        weights, state = value_specs(
            described["name"], image_shape, num_classes, options
        )
        specs += weights + state
        layout.append((described["name"], options, len(weights), len(state)))
    values = iter(read_values(directory / FOLDER, specs))
    networks = [
        TeacherNetwork(
            name,
            options,
            weights=[next(values) for _ in range(num_weights)],
            state=[next(values) for _ in range(num_state)],
        )
        for name, options, num_weights, num_state in layout
    ]
    return Teacher(tuple(networks), image_shape, num_classes)


def _check_order(folder: pathlib.Path, label_names: Sequence[str]) -> None:
    """Checks that a teacher's logits are in the order of the set's classes."""
    described = read_json(folder / METADATA_FILE)
    order = described.get("label_names") if isinstance(described, dict) else None
    if not isinstance(order, list) or not order:
        raise InputError(
            f"{folder} does not record which class each of its logits is of: take a "
            f"teacher whose {METADATA_FILE} has label_names, and export the set anew"
        )
    if order != list(label_names):
        raise InputError(
            f"{folder} has its classes in another order than the set, or others: its "
            "labels would be of wrong classes; export the set anew with its own teacher"
        )
