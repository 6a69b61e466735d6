"""benchmarks/geometry_pairs.py: its table, and that its arms are commands."""

import argparse
import importlib
import json
import pathlib

import pytest

from hdd_tf.arguments.command_line import parse_command_line
from hdd_tf.settings.matching import GEOMETRIES

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def pairs():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module("geometry_pairs")


def test_every_arm_is_a_command_and_its_twin_an_arm(pairs):
    def config_of(arm, bank):
        arguments = argparse.Namespace(
            dataset="cifar10", ipc=10, data_dir="/data", iterations=5, real_batch=4,
            bank=bank, networks=1, epochs=3, flags=["jit_compile=off"],
        )  # fmt: skip
        words = [*pairs.settings(arguments), *arm.flags, "--image_lr=1"]
        return parse_command_line(["hdd-tf", *words])

    configs = {n: config_of(arm, 2 * arm.may_revisit) for n, arm in pairs.ARMS.items()}
    for name, config in configs.items():
        learns = config.geometry == "product" and config.product_curvature_lr > 0
        assert pairs.ARMS[name].may_revisit == (not learns)
    assert {config.geometry for config in configs.values()} == set(GEOMETRIES)
    assert len(set(configs.values())) == len(configs)
    for name, arm in pairs.ARMS.items():
        assert arm.twin in ({"", *pairs.ARMS} - {name})
    assert {config.select for config in configs.values()} == {"best_validation"}


def test_table_has_standard_errors_of_paired_differences(pairs):
    accuracies = {"dm": [70.0, 71.0, 72.0], "unsquared": [70.5, 71.7, 72.3]}
    lines = pairs.table(accuracies, {"dm": 1.0, "unsquared": 0.3}, 3)
    assert lines[2] == "| dm | 1 | 71.00 ± 0.58 |  |  |"
    # Differences .5, .7, .3: their deviation is .2, and the error .2 / sqrt(3).
    assert lines[3] == "| unsquared | 0.3 | 71.50 ± 0.53 | dm | 0.50 ± 0.12 |"


def test_a_single_value_has_no_error(pairs):
    assert pairs.with_error([-1.0]) == "-1.00"


def test_the_best_rate_on_validation_is_taken_from_more_of_them(
    pairs, tmp_path, monkeypatch, capsys
):
    validation = {"1": 60.0, "0.3": 61.0, "20": 62.0}
    for rate, accuracy in validation.items():
        for seed in range(2):
            place = tmp_path / "cifar10_ipc1" / "unsquared" / f"rate{rate}_seed{seed}"
            place.mkdir(parents=True)
            result = {
                "selected": {"validation_accuracy": accuracy},
                "accuracy": {"convnet": {"mean": float(rate) + seed}},
            }
            (place / "result.json").write_text(json.dumps(result))
    words = ["--place", str(tmp_path), "--data_dir=x", "--dataset=cifar10"]
    words += ["--arms", "unsquared", "--seeds=2", "--rates", "20"]
    monkeypatch.setattr("sys.argv", ["geometry_pairs", *words])
    pairs.main()  # Every run is finished, so none begins.
    assert "| unsquared | 20 | 20.50 ± 0.50 | dm |  |" in capsys.readouterr().out
