"""Run directories as the command leaves them, without the hours of distilling."""

import json
from pathlib import Path
from typing import Any

from hdd_tf.arguments.command_line import parse_command_line, recorded_config
from hdd_tf.artifacts.evaluations import record_evaluation
from hdd_tf.artifacts.history import ValidationScore, record_validation
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.config import identity, to_flag_file, to_json
from hdd_tf.data.catalogue import PUBLISHED


def score(values: tuple[float, ...]) -> dict[str, Any]:
    """An entry of result.json; its mean and deviation are wrong, as none reads them."""
    return {"mean": -1.0, "std": -1.0, "values": list(values), "images": 10}


def write_run(
    path: Path,
    *flags: str,
    values: tuple[float, ...] = (70.0, 71.0),
    result: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    history: tuple[tuple[int, float, float], ...] = (),
) -> Path:
    """Writes a finished run of the flags, FashionMNIST's published IPC 1 by default.

    Args:
        path: Its directory.
        *flags: Override those of the flag file.
        values: Accuracies of the networks trained on the distilled set.
        result: Replaces entries of result.json.
        data: Replaces entries of what config.json records of the data set.
        history: (iteration, seconds, accuracy) of scores on the way.
    """
    words = ["main", "--flagfile=fashion_mnist_ipc1", f"--run_dir={path}", *flags]
    config = parse_command_line(words)
    sizes = PUBLISHED.get(config.dataset)
    run = RunDirectory(path)
    run.open_or_create(
        to_json(config),
        identity(config),
        to_flag_file(config),
        {"libraries": {}},
        {
            "name": config.dataset,
            "label_names": [str(label) for label in range(10)],
            "mean": (0.2861,),
            "std": (0.353,),
            "training_images": sizes.num_training if sizes else 1297,
            "test_images": sizes.num_test if sizes else 500,
            **(data or {}),
        },
    )
    run.write_result(
        {
            "dataset": config.dataset,
            "ipc": config.ipc,
            "objective": config.objective,
            "geometry": config.geometry,
            "seed": config.seed,
            "iterations": config.iterations,
            "evaluation_seed": config.seed,
            "accuracy": {"convnet": score(values)},
            "baselines": {},
            "selected": "last iteration",
            "protocol": {
                "name": "dm",
                "networks": config.num_eval,
                "whole_epochs": config.whole_epochs,
                "split": "test",
                "epochs": config.eval_epochs,
                "drop_epochs": [502],
                "augmentations": ["color", "crop"],
            },
            "seconds": {"distil": 100.0 + config.seed, "evaluate": 50.0},
            **(result or {}),
        }
    )
    run.synthetic.mkdir(exist_ok=True)
    (run.synthetic / "hdd_tf.json").write_text("{}")
    for iteration, seconds, accuracy in history:
        record_validation(path, ValidationScore(iteration, seconds, accuracy))
    return path


def write_later(path: Path, *flags: str, **result: Any) -> Path:
    """Writes an evaluation of a run that `write_run` wrote.

    Args:
        path: Directory of the run.
        *flags: Override those of the run.
        **result: Replaces entries of the run's result.json.
    """
    run = RunDirectory(path)
    config = recorded_config(run.read_config()["config"], list(flags))
    before = json.loads(run.result_file.read_text())
    protocol = before["protocol"] | {
        "networks": config.num_eval,
        "epochs": config.eval_epochs,
        "whole_epochs": config.whole_epochs,
        "baseline_network": (config.eval_networks or (config.network,))[0],
    }
    entries = before | {"protocol": protocol, "evaluation_seed": config.seed} | result
    for group in ("accuracy", "baselines"):  # These are checked.
        entries[group] = {
            name: {**entry, "mean": 50.0, "std": 0.0}
            for name, entry in entries[group].items()
        }
    return record_evaluation(run, config, entries)
