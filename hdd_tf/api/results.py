"""What the functions of the Python interface return."""

import dataclasses
import os
import pathlib
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np

from hdd_tf.api.arguments import check_kind
from hdd_tf.api.calls import python_call
from hdd_tf.api.places import checked_target
from hdd_tf.artifacts.sets.set_content import DistilledSet
from hdd_tf.evaluation.result_text import score_lines
from hdd_tf.exporting.sets import export_set


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DistillationResult:
    """What `hdd_tf.distill` has made; `images, labels = result` takes it apart.

    Attributes:
        distilled_set: The set as networks train on it, with all that the method has
            learnt: images, labels, soft labels, a learning rate, a teacher.
        stored: The set as the method keeps it. With a formation factor f each of its
            images is a grid of f x f training images; otherwise it is `distilled_set`.
        settings: Every setting by its flag's name.
        history: Arrays with a row for each iteration: `iteration` `[n]` int64, counted
            from 1; `loss` `[n]` and `loss_per_class` `[n, C]`; `gradient_norm` `[n]`;
            `seconds` `[n]` of distillation up to its end. n is 0 for coresets.
        classes: The label of each class as it was given: `classes[labels[i]]` is that
            of image i. They are in ascending order or, where they have none or are
            texts with `class_names`, in the order of `class_names`. Of a named data
            set: its class names.
    """

    distilled_set: DistilledSet
    stored: DistilledSet
    settings: dict[str, Any]
    history: dict[str, np.ndarray]
    classes: tuple[Hashable, ...] = ()

    @property
    def images(self) -> np.ndarray:
        """`[m, h, w, c]` float32 on the 0-255 scale, not clipped."""
        return self.distilled_set.images

    @property
    def labels(self) -> np.ndarray:
        """`[m]` int64."""
        return self.distilled_set.labels

    @property
    def class_names(self) -> tuple[str, ...]:
        """A name of each class."""
        return self.distilled_set.class_names

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter((self.images, self.labels))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: Any) -> Any:
        return (self.images, self.labels)[index]

    def __repr__(self) -> str:
        settings = self.settings
        return (
            f"DistillationResult({self.distilled_set.summary()}, "
            f"objective={settings['objective']}, seed={settings['seed']})"
        )

    @python_call
    def save(
        self,
        directory: str | os.PathLike,
        encoding: str = "float32",
        overwrite: bool = False,
        images: str = "decoded",
    ) -> pathlib.Path:
        """Writes the set; `hdd_tf.load` and `python -m hdd_tf.evaluate` read it.

        Args:
            directory: Where to, new or empty.
            encoding: `float32`, `png`, `png_folder`, `npz` or `dd_ranking`; see
                `hdd-tf export --help`. TensorFlow Datasets reads the first two by
                `tfds.builder_from_directory`.
            overwrite: Whether a distilled set that is there is replaced.
            images: `decoded`: `distilled_set`, as `load` and `export` have by default;
                `stored`: `stored`, as the export of the command has.

        Returns:
            The directory.

        Raises:
            InputError: The directory is no path, holds other things or cannot be
                written, or there is no such encoding.
        """
        target = checked_target(directory, "directory", encoding, overwrite)
        export_set(self.of_kind(images), target, encoding=encoding)
        return target

    def of_kind(self, images: str) -> DistilledSet:
        """Returns `stored` or `distilled_set`.

        Args:
            images: `stored` or `decoded`.

        Raises:
            InputError: It is something else.
        """
        check_kind(images)
        return self.stored if images == "stored" else self.distilled_set


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EvaluationResult:
    """How well networks do that were trained on a set; `print(result)` says it.

    `mean`, `std` and `values` are of the first architecture evaluated.

    Attributes:
        accuracy: For each architecture its `mean`, `std` (of the population), `values`
            (one a network), all in percent of the test images, `images` (how many
            they trained on) and `seconds`.
        baselines: The same for each baseline asked for.
        protocol: How the networks were trained and tested.
        fair_score: DD-Ranking's scores where they were asked for, else None.
        objective: Method that made the set; empty where that is not recorded.
    """

    accuracy: dict[str, dict[str, Any]]
    baselines: dict[str, dict[str, Any]]
    protocol: dict[str, Any]
    fair_score: dict[str, Any] | None = None
    objective: str = ""

    @property
    def network(self) -> str:
        """The first architecture evaluated."""
        return next(iter(self.accuracy))

    @property
    def mean(self) -> float:
        """Mean accuracy in percent."""
        return float(self.accuracy[self.network]["mean"])

    @property
    def std(self) -> float:
        """Population standard deviation of the networks' accuracies."""
        return float(self.accuracy[self.network]["std"])

    @property
    def values(self) -> tuple[float, ...]:
        """The accuracy of each network in percent."""
        return tuple(self.accuracy[self.network]["values"])

    def __str__(self) -> str:
        return "\n".join(
            score_lines(self.accuracy, self.baselines, self.objective, self.fair_score)
        )

    def __repr__(self) -> str:
        return (
            f"EvaluationResult(mean={self.mean:.2f}, std={self.std:.2f}, "
            f"networks={len(self.values)}, network={self.network!r})"
        )
