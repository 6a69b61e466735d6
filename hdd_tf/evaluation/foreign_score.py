"""Scores a set of another program by the protocol of hdd_tf."""

import hashlib
import os
import pathlib
import time
from collections.abc import Mapping
from typing import Any

from hdd_tf.artifacts.evaluations import scoring_settings
from hdd_tf.config import Config
from hdd_tf.data.dataset import data_record
from hdd_tf.errors import InputError
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.evaluation.result_text import result_table
from hdd_tf.evaluation.score_file import write_score
from hdd_tf.foreign_sets.reading import (
    ForeignSet,
    Told,
    check_readable,
    read_foreign_set,
)
from hdd_tf.networks.registry import network_of_settings
from hdd_tf.reading.loading import load_configured_dataset
from hdd_tf.reading.whitening import whitened


class ForeignScore:
    """A set of another program that was read and checked, and is yet to be scored.

    Args:
        place: File or folder of the set.
        given: Settings by their flags' names, `dataset` among them.
        told: What the user says of the set.

    Attributes:
        described: What was found in the set and what was assumed of it, in one line.

    Raises:
        InputError: the set or its data set cannot be read, they do not go together, or
            a setting is invalid.
    """

    def __init__(self, place: str, given: Mapping[str, Any], told: Told) -> None:
        self._place = pathlib.Path(place)
        check_readable(self._place)
        if not given.get("dataset"):
            raise InputError(
                f"{place} is a set of another program: say of which data set, such as "
                "--dataset=cifar10"
            )
        config = Config(**given)
        if not config.num_eval:
            raise InputError("--num_eval=0 trains no networks: give 1 or more")
        dataset = load_configured_dataset(config)
        if told.scale == "zca":
            dataset = whitened(dataset, "--set_scale=zca")
        self._set: ForeignSet = read_foreign_set(self._place, dataset, told)
        ipc = self._set.content.metadata["ipc"]
        if given.get("ipc", ipc) != ipc:
            raise InputError(
                f"--ipc={given['ipc']}, and {place} has {ipc} images of a class: leave "
                "--ipc out"
            )
        self._config = config
        network = network_of_settings(
            config.network, config, dataset.image_shape, dataset.num_classes
        )
        self._evaluation = Evaluation(
            config, dataset, network, stored_labels=self._set.has_soft_labels
        )
        self.described = self._set.described

    def result(self) -> dict[str, Any]:
        """Trains fresh networks on the set.

        Returns:
            The contents of `result.json`; nobody knows of how many iterations.
        """
        started = time.perf_counter()
        result = self._evaluation.result(self._set.content)
        seconds = {"evaluate": round(time.perf_counter() - started, 3)}
        return {**result, "iterations": 0, "seconds": seconds}

    def table(self, result: Mapping[str, Any]) -> str:
        """Returns the table of what `result` returned."""
        return result_table({**result, "seconds": {}}, str(self._place))

    def write(self, path: str, result: Mapping[str, Any]) -> None:
        """Writes what `result` returned, with what it is of, as a new file.

        Raises:
            InputError: the file cannot be written.
        """
        content = self._set.content
        arrays = [content.images, content.labels]
        if content.label_logits is not None:
            arrays.append(content.label_logits)
        # Of what networks trained on, in whatever kind of file it was.
        digest = hashlib.sha256()
        for array in arrays:
            digest.update(array.tobytes())
        settings = scoring_settings(self._config) | {"ipc": result["ipc"]}
        record = {
            **result,
            "set": {
                "name": os.path.basename(os.path.abspath(self._place)),
                "sha256": digest.hexdigest(),
                "described": self.described,
            },
            "settings": settings,
            "data": data_record(self._evaluation.dataset),
        }
        write_score(path, record)
