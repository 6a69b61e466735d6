"""Scores of a run in TensorBoard and as a picture: its first, and each later one."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from hdd_tf.artifacts.drawing.confusion_picture import confusion_picture
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.summaries import SummaryWriter
from hdd_tf.errors import one_line, warn
from hdd_tf.evaluation.result_text import counted
from hdd_tf.files import atomic


def show_scores(
    directory: RunDirectory, result: Mapping[str, Any], title: str, evaluation: str = ""
) -> None:
    """Writes scores into TensorBoard, and the picture of the first network's.

    Args:
        directory: Directory of the run.
        result: The scores, in the form of result.json.
        title: Title of the run's pictures.
        evaluation: Name of a later evaluation, which TensorBoard shows as a run of that
            name, in the same charts; empty for the run's own result, whose picture is
            `pictures/confusion.png` too.

    Raises:
        OSError: a file cannot be written.
    """
    names, step = result["label_names"], result["iterations"]
    # A folder of its own, as TensorBoard follows one event file of a folder at a time.
    place = directory.tensorboard / evaluation
    what = f"the evaluation {evaluation}" if evaluation else "the end of the run"
    with SummaryWriter(place) as summaries:
        points, told = {}, {}
        for network, score in result["accuracy"].items():
            name = f"accuracy/test_{network}"
            points[name], networks = score["mean"], len(score["values"])
            told[name] = (
                f"One point, at {what}: the mean of {counted(networks, 'network')} "
                "trained on the exported set."
            )
        summaries.scalars(step, points, told)
        for network, score in list(result["accuracy"].items())[:1]:
            # Missing where a part of the networks was known.
            if score.get("per_class"):
                summaries.of_classes(
                    step,
                    "accuracy_per_class",
                    score["per_class"],
                    names,
                    f"One point, at {what}: {network} on the test images of this "
                    "class, in percent.",
                )
            heading = (
                f"{title}{f', {evaluation}' if evaluation else ''}; {network}: "
                f"{score['mean']:.2f} ± {score['std']:.2f} % "
                f"({counted(len(score['values']), 'network')})"
            )
            drawn = confusion_picture(score, names, heading)
            if drawn is None:
                continue
            if not evaluation:
                atomic.write_bytes(directory.pictures / "confusion.png", drawn)
            with Image.open(io.BytesIO(drawn)) as picture:
                pixels = np.asarray(picture.convert("RGB"))
            summaries.image_grid(step, pixels, "confusion")


def show_later_scores(
    directory: RunDirectory, result: Mapping[str, Any], title: str, evaluation: str
) -> None:
    """Does what `show_scores` does, and warns where that cannot be written.

    Args:
        directory: As in `show_scores`.
        result: As there; it is recorded already, and no chart is worth more.
        title: As there.
        evaluation: As there.
    """
    try:
        show_scores(directory, result, title, evaluation)
    except (OSError, tf.errors.OpError) as error:
        warn(f"{evaluation} is not in TensorBoard: {one_line(str(error))}")
