"""What a score says of each class, in files."""

import json

import numpy as np
import pytest

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.evaluation.scorers import class_scores
from hdd_tf.evaluation.scorers.class_scores import ClassCounts, without_class_scores
from tests.whole_result import SCORE, whole_result


def counted(classes):
    labels = np.array([0, 0, 0, 2])
    first = ClassCounts.of(labels, np.array([0, 0, 1, 2]), classes)
    return first + ClassCounts.of(labels, np.array([0, 2, 1, 0]), classes)


def test_values_by_hand():
    assert counted(3).to_json() == {
        "per_class": [50.0, None, 50.0],
        "confusion": [[50.0, 33.33, 16.67], None, [50.0, 0.0, 50.0]],
    }


def test_a_matrix_of_too_many_classes_is_left_out(monkeypatch):
    monkeypatch.setattr(class_scores, "MOST_CONFUSED", 2)
    assert counted(3).to_json() == {"per_class": [50.0, None, 50.0]}


def test_a_result_is_read_back_with_a_line_for_each_row(tmp_path):
    directory = RunDirectory(tmp_path)
    score = SCORE | counted(3).to_json()
    directory.write_result(whole_result(accuracy={"convnet": score}))
    assert directory.read_result()["accuracy"]["convnet"] == score
    text = directory.result_file.read_text()
    assert "[ 50.0, 33.33, 16.67 ]" in text and "[ 50.0, null, 50.0 ]" in text
    assert json.loads(text)["accuracy"]["convnet"] == score
    assert without_class_scores(score) == SCORE


@pytest.mark.parametrize("damage", [
    {"per_class": 3}, {"per_class": ["a"]}, {"per_class": [200.0]},
    {"confusion": [[1.0]]}, {"per_class": [1.0], "confusion": [[1.0, 2.0]]},
    {"per_class": [1.0], "confusion": [["x"]]}, {"per_class": [1.0], "confusion": [1]},
])  # fmt: skip
def test_foreign_class_scores_are_damage(damage, tmp_path):
    directory = RunDirectory(tmp_path)
    directory.write_result(whole_result(accuracy={"convnet": SCORE | damage}))
    assert directory.read_result() is None
