"""Scores in TensorBoard and as pictures, without a run."""

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.evaluation.shown_scores import show_later_scores, show_scores

SCORE = {"mean": 60.0, "std": 1.0, "values": [59.0, 61.0], "images": 2}
OF_CLASSES = {"per_class": [40.0, 80.0], "confusion": [[40.0, 60.0], [20.0, 80.0]]}
RESULT = {
    "iterations": 7,
    "label_names": ["a", "b/c"],
    "accuracy": {"convnet": SCORE | OF_CLASSES, "mlp": SCORE | {"mean": 50.0}},
}


def events_of(place):
    events = EventAccumulator(str(place)).Reload()
    tags = events.Tags()["tensors"]
    points = {
        tag: [(each.step, float(tf.make_ndarray(each.tensor_proto)))]
        for tag in tags
        for each in events.Tensors(tag)
        if tag.startswith("accuracy")
    }
    return points, tags


@pytest.mark.parametrize("evaluation", ["", "evaluation_002"])
def test_scores_are_in_tensorboard_under_their_name(tmp_path, evaluation):
    run = RunDirectory(tmp_path)
    show_scores(run, RESULT, "digits", evaluation)
    points, tags = events_of(tmp_path / "tensorboard" / evaluation)
    assert points == {
        "accuracy/test_convnet": [(7, 60.0)],
        "accuracy/test_mlp": [(7, 50.0)],
        "accuracy_per_class/a": [(7, 40.0)],
        "accuracy_per_class/b_c": [(7, 80.0)],
    }
    assert "confusion" in tags
    # The picture of the run's own result stays.
    assert (tmp_path / "pictures/confusion.png").exists() == (not evaluation)


def test_a_score_whose_classes_are_not_known(tmp_path):
    bare = RESULT | {"accuracy": {"convnet": SCORE}}
    show_scores(RunDirectory(tmp_path), bare, "digits", "evaluation_001")
    points, tags = events_of(tmp_path / "tensorboard/evaluation_001")
    assert list(points) == ["accuracy/test_convnet"] and "confusion" not in tags


def test_what_cannot_be_written_is_a_warning(tmp_path, caplog):
    (tmp_path / "tensorboard").write_text("in the way")
    show_later_scores(RunDirectory(tmp_path), RESULT, "digits", "evaluation_001")
    (line,) = caplog.messages
    assert line.startswith("evaluation_001 is not in TensorBoard: ")
