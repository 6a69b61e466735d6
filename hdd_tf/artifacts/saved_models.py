"""SavedModels: a trained network with its preprocessing, to load without hdd_tf.

A SavedModel takes `[n, h, w, c]` images on the 0-255 scale and normalises them. The
signature `serving_default` takes uint8, `serving_float` takes float32, and the loaded
object takes both. A SavedModel is a program: load it only if you trust its source.
"""

import os
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts import provenance
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.distributed.compilation import without_pieces
from hdd_tf.errors import InputError
from hdd_tf.files import atomic, checksums
from hdd_tf.files.json_text import to_plain
from hdd_tf.files.plain_names import plainly_named
from hdd_tf.files.unfinished import entries_of
from hdd_tf.networks.functional import FunctionalNetwork

METADATA_FILE = "hdd_tf.json"
# What `classification` returns, in words for `hdd_tf.json`.
OUTPUTS = {
    "logits": "[n, classes]",
    "probabilities": "[n, classes], their softmax",
    "label": "[n], the index of the most probable class",
}
_FORMAT = {"format": "hdd_tf SavedModel", "format_version": 1}


class Classifier(tf.Module):
    """A network as a function `images -> {logits, probabilities, label}`.

    Args:
        network: Network as a function of its weights.
        weights: Weights of the network, arrays of `network.weight_shapes`.
        state: State of the network, arrays of `network.state_specs`.
        normalisation: Normalisation of the network's images.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        weights: Sequence[np.ndarray],
        state: Sequence[np.ndarray],
        normalisation: Normalisation,
    ) -> None:
        super().__init__(name="classifier")
        self.weights = [tf.Variable(weight, trainable=False) for weight in weights]
        self.state = [tf.Variable(value, trainable=False) for value in state]
        self.image_shape = tuple(network.model.input_shape[1:])
        self._network = network
        self._normalise = normalisation.tensors()

    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Classifies images.

        Args:
            images: `[n, h, w, c]` uint8 or float32 on the 0-255 scale.

        Returns:
            `logits [n, C]` and `probabilities [n, C]` float32, `label [n]` int64.
        """
        normalised = self._normalise(images)
        weights = [tf.convert_to_tensor(weight) for weight in self.weights]
        state = [tf.convert_to_tensor(value) for value in self.state]
        logits = self._network.logits(weights, normalised, state)
        return classification(logits)


def classification(logits: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns what the SavedModel of a classifier gives of its logits `[n, C]`."""
    return {
        "logits": logits,
        "probabilities": tf.nn.softmax(logits),
        "label": tf.argmax(logits, axis=-1),
    }


class _Served(tf.Module):
    """The module to save: another module's call as a graph, with its variables."""

    def __init__(self, module: tf.Module, call: Callable[[tf.Tensor], Any]) -> None:
        super().__init__(name=module.name)
        # TensorFlow saves only variables that it finds from here. The attribute's name
        # is part of their names in the checkpoint, which teacher_checkpoint.py reads.
        self.read = list(module.variables)
        self._call = call

    @tf.function(autograph=False)
    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._call(images)


def save_model(
    directory: str | os.PathLike, module: Any, metadata: Mapping[str, Any]
) -> None:
    """Writes a SavedModel, which replaces a SavedModel of hdd_tf as a whole.

    Args:
        directory: Directory of the SavedModel.
        module: A `tf.Module` with `image_shape` that is called with images.
        metadata: Entries of `hdd_tf.json` that describe the module.

    Raises:
        InputError: `directory` holds foreign files, or cannot be written.
    """
    target = pathlib.Path(directory)
    if not is_replaceable(target):
        raise InputError(
            f"{target} holds other things than a SavedModel of hdd_tf: name another "
            "directory"
        )
    served = _Served(module, module.__call__)
    types = {"serving_default": tf.uint8, "serving_float": tf.float32}
    with without_pieces():
        signatures = {
            name: served.__call__.get_concrete_function(
                tf.TensorSpec([None, *module.image_shape], dtype, name="images")
            )
            for name, dtype in types.items()
        }
    try:
        with atomic.new_directory(target) as partial:
            # TensorFlow traces functions anew while it saves them.
            with plainly_named(partial) as directory, without_pieces():
                tf.saved_model.save(served, str(directory), signatures)
            # Some tools do not copy empty folders, so a copy would differ.
            shutil.rmtree(partial / "assets", ignore_errors=True)
            atomic.write_json(
                partial / METADATA_FILE, _describe(partial, module, metadata)
            )
    except (OSError, tf.errors.OpError) as error:
        reason = str(getattr(error, "strerror", None) or error).splitlines()[0]
        raise InputError(f"cannot write {target}: {reason}") from error


def is_replaceable(target: pathlib.Path) -> bool:
    """Returns True if `target` is missing, empty or a SavedModel of hdd_tf."""
    if not target.is_dir():
        return not target.exists()
    names = {entry.name for entry in entries_of(target)}
    ours = {METADATA_FILE, "saved_model.pb", "variables", "fingerprint.pb", "assets"}
    return not names or ({METADATA_FILE, "saved_model.pb"} <= names <= ours)


def _describe(
    directory: pathlib.Path, module: Any, metadata: Mapping[str, Any]
) -> dict[str, Any]:
    files = sorted(
        file.relative_to(directory).as_posix()
        for file in directory.rglob("*")
        if file.is_file()
    )
    content = {
        **_FORMAT,
        "model": module.name,
        "image_shape": module.image_shape,
        "input": "[n, h, w, c] uint8 or float32 on the 0-255 scale; normalised inside",
        "versions": provenance.library_versions(),
        **metadata,
        "files": checksums.describe_files(directory, files),
    }
    return checksums.seal(to_plain(content))
