"""Tests of the picture."""

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from hdd_tf.report.collect import collect_runs
from hdd_tf.report.plot import group_labels, history_curve, save_plot
from hdd_tf.report.records import read_run
from hdd_tf.report.rows import group_runs
from tests.report.run_directories import score, write_run


def draw(place, *runs):
    def warn(line):
        raise AssertionError(line)

    save_plot(
        place / "plot.png", group_runs(collect_runs([str(r) for r in runs], warn), warn)
    )
    with Image.open(place / "plot.png") as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).astype(int)


def coloured(pixels):
    """Number of pixels that are neither black, white nor grey."""
    return int((np.ptp(pixels, axis=-1) > 30).sum())


def test_a_dot_for_each_group_and_a_line_for_scores_on_the_way(tmp_path):
    first = write_run(tmp_path / "a")
    dots = coloured(draw(tmp_path, first))
    assert dots > 0
    history = ((10, 1.0, 60.0), (100, 10.0, 68.0), (1000, 100.0, 70.0))
    second = write_run(tmp_path / "b", "--loss_weight=2", history=history)
    both = draw(tmp_path, first, second)
    assert coloured(both) > 2 * dots


def test_each_data_set_and_ipc_has_a_panel(tmp_path):
    first = write_run(tmp_path / "a")
    one = draw(tmp_path, first)
    two = draw(tmp_path, first, write_run(tmp_path / "b", "--ipc=10"))
    assert two.shape == (2 * one.shape[0], one.shape[1], 3)


def test_a_baseline_is_a_line_from_side_to_side(tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(
        Axes, "axhline", lambda self, y, **how: lines.append((y, how["label"]))
    )
    scores = {"random": score((50.0, 52.0)), "whole": score((90.0,))}
    draw(
        tmp_path,
        write_run(tmp_path / "a", result={"baselines": scores}),
        write_run(tmp_path / "b", "--ipc=10", result={"baselines": scores}),
    )
    one = [
        (51.0, "random real images, convnet: 51.0"),
        (90.0, "whole training set, convnet: 90.0"),
    ]
    assert lines == one + one


def test_names_of_own_images_are_drawn_in_their_script(tmp_path, recwarn):
    for number, name in enumerate(("猫", "кошки", "$a$")):
        write_run(tmp_path / f"{number}", f"--dataset=folder:/x/{name}")
    draw(tmp_path, tmp_path)
    assert not [w for w in recwarn if "missing from font" in str(w.message)]


def test_runs_without_seconds_leave_an_empty_panel(tmp_path):
    run = write_run(tmp_path / "a", result={"seconds": {}})
    assert coloured(draw(tmp_path, run)) == 0


def test_a_curve_is_the_mean_over_the_iterations_all_seeds_have(tmp_path):
    paths = [
        write_run(tmp_path / "a", history=((10, 1.0, 60.0), (20, 2.0, 64.0))),
        write_run(tmp_path / "b", history=((20, 4.0, 66.0), (30, 6.0, 70.0))),
        write_run(tmp_path / "c"),
    ]
    assert history_curve([read_run(path) for path in paths]) == [(3.0, 65.0)]
    assert history_curve([read_run(paths[2])]) == []


def labels(*runs):
    def warn(line):
        raise AssertionError(line)

    return group_labels(group_runs(collect_runs([str(r) for r in runs], warn), warn))


def test_a_legend_names_the_settings_that_differ(tmp_path):
    plain = write_run(tmp_path / "a", "--iterations=40", "--precision=float32")
    assert labels(plain) == ["DM+HDD, 40 iterations, 1 set"]
    fast = write_run(tmp_path / "b", "--precision=bfloat16", "--iterations=90")
    settings = ("--real_bank_size=20", "--precision=float32")
    bank = write_run(tmp_path / "c", "--iterations=40", *settings)
    other = write_run(tmp_path / "d", "--geometry=euclidean", "--width=32")
    assert set(labels(plain, fast, bank, other)) == {
        "DM+HDD, 40 iterations, 1 set, --real_bank_size=0, --precision=float32",
        "DM+HDD, 90 iterations, 1 set, --real_bank_size=0, --precision=bfloat16",
        "DM+HDD, 40 iterations, 1 set, --real_bank_size=20, --precision=float32",
        "DM, 20,000 iterations, 1 set",
    }


def test_a_legend_names_few_settings(tmp_path):
    first = write_run(tmp_path / "a")
    more = (
        "--width=32",
        "--precision=bfloat16",
        "--real_bank_size=2",
        "--image_momentum=.1",
    )
    second = write_run(tmp_path / "b", *more)
    for label in labels(first, second):
        assert label.count("--") == 3
        assert label.endswith(", ...")
