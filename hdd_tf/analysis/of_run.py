"""The analysis that ends a run, and those on the way."""

import dataclasses
from typing import Any

from hdd_tf.analysis.write import analyse, summary_line
from hdd_tf.artifacts.distilled_set import read_distilled_set
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.summaries import SummaryWriter
from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset
from hdd_tf.evaluate.saved_classifier import train_and_save_classifier
from hdd_tf.json_files import read_json
from hdd_tf.networks.registry import matched_network
from hdd_tf.settings.analysis import AnalysisSettings


def analyse_finished_run(config: Config, dataset: Dataset, iterations: int) -> None:
    """Analyses what a run has exported, unless that is there already.

    Args:
        config: The run's settings.
        dataset: The real images.
        iterations: The export's.

    Raises:
        InputError: the export, or IDM's queue, cannot be read.
        InterruptedRunError: a signal stopped the training of the encoder.
    """
    directory = RunDirectory(config.run_dir)
    wanted = {"iterations": iterations, "settings": _settings(config)}
    if not config.analysis or wanted.items() <= read_analysis(directory).items():
        return
    classifier = directory.saved_models / "classifier"
    if config.num_eval and not classifier.exists():
        # The run was scored without an analysis.
        images = read_distilled_set(directory.synthetic)
        train_and_save_classifier(classifier, config, dataset, images)
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    with SummaryWriter(directory.tensorboard) as summaries:
        numbers = analyse(
            config,
            dataset,
            network,
            directory,
            read_distilled_set(directory.synthetic),
            iterations,
            summaries,
            final=True,
        )
    directory.write_analysis({**wanted, **numbers})
    print(summary_line(numbers), flush=True)


def _settings(config: Config) -> dict[str, Any]:
    """Returns the settings that another analysis would differ by."""
    names = [field.name for field in dataclasses.fields(AnalysisSettings)]
    return {
        name: getattr(config, name)
        for name in names
        if name not in ("analysis", "analysis_every")
    }


def read_analysis(directory: RunDirectory) -> dict[str, Any]:
    """Returns the contents of `analysis.json`; nothing where there is no whole one."""
    try:
        numbers = read_json(directory.analysis_file)
    except (OSError, ValueError):
        return {}
    return numbers if isinstance(numbers, dict) else {}
