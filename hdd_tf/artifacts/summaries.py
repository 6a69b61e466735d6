"""TensorBoard summaries of a run."""

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from hdd_tf.files.plain_names import plainly_named


class SummaryWriter:
    """Writes scalars, pictures and text into a directory of event files.

    A resumed run opens the same directory. Its steps continue in a new event file, and
    TensorBoard drops the interrupted run's points beyond the step of the resumption.
    """

    def __init__(self, directory: str | os.PathLike) -> None:
        # TensorFlow opens and closes event files when it likes.
        self._open = contextlib.ExitStack()
        name = self._open.enter_context(plainly_named(directory))
        self._writer = tf.summary.create_file_writer(os.fspath(name))

    def scalars(
        self,
        step: int,
        values: Mapping[str, float],
        descriptions: Mapping[str, str] | None = None,
    ) -> None:
        """Writes one point of each named curve.

        Args:
            step: Place of the points.
            values: Points by the name of their curve.
            descriptions: What TensorBoard says of a curve, Markdown, by the name of the
                curve. The one written with its first point stays.
        """
        with self._writer.as_default(step=step):
            for name, value in values.items():
                told = (descriptions or {}).get(name)
                tf.summary.scalar(name, value, description=told)

    def loss_per_class(
        self, step: int, losses: Iterable[float], label_names: Sequence[str]
    ) -> None:
        """Writes `[classes]` losses as curves `loss_per_class/<label name>`."""
        self.of_classes(step, "loss_per_class", losses, label_names)

    def of_classes(
        self,
        step: int,
        group: str,
        values: Iterable[float | None],
        label_names: Sequence[str],
        description: str | None = None,
    ) -> None:
        """Writes `[classes]` values as curves `group/<label name>`.

        Args:
            step: Place of the points.
            group: Name of the curves' group.
            values: Points; None for a class that has none.
            label_names: Name of each class.
            description: As in `scalars`, of each of the curves.
        """
        # A slash would open another group of curves.
        points = {
            f"{group}/{name.replace('/', '_')}": value
            for name, value in zip(label_names, values, strict=True)
            if value is not None
        }
        self.scalars(step, points, dict.fromkeys(points, description or ""))

    def image_grid(
        self,
        step: int,
        grid: np.ndarray,
        name: str = "synthetic",
        description: str | None = None,
    ) -> None:
        """Writes one `[height, width, 3]` uint8 picture (`pictures.grid_array`)."""
        with self._writer.as_default(step=step):
            tf.summary.image(name, grid[None], description=description)

    def histogram(
        self, step: int, name: str, values: np.ndarray, description: str | None = None
    ) -> None:
        """Writes a histogram of `[n]` values."""
        with self._writer.as_default(step=step):
            tf.summary.histogram(name, values, description=description)

    def hyper_parameters(self, values: Mapping[str, Any], run: str) -> None:
        """Writes a row of the HParams tab, which compares the runs of a directory.

        Args:
            values: Values of the settings by name; lists are shown as text.
            run: Name of the run.
        """
        shown = {
            name: ", ".join(map(str, value)) if isinstance(value, list) else value
            for name, value in values.items()
        }
        with self._writer.as_default(step=0):
            hparams.hparams(shown, trial_id=run)

    def text(self, step: int, name: str, text: str) -> None:
        """Writes a text; TensorBoard reads it as Markdown."""
        with self._writer.as_default(step=step):
            tf.summary.text(name, text)

    def flush(self) -> None:
        """Makes everything written so far visible to readers."""
        self._writer.flush()

    def close(self) -> None:
        """Flushes and closes the event file."""
        self._writer.close()
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
