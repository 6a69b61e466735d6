"""The analysis at the end of a run."""

from typing import Any

from hdd_tf.analysis.analyse import analyse, summary_line
from hdd_tf.analysis.encoder_of_run import EncoderOfRun
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.distilled_set import read_distilled_set
from hdd_tf.artifacts.summaries import SummaryWriter
from hdd_tf.config import Config, names_of
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.evaluation.saved_classifier import train_and_save_classifier
from hdd_tf.files.json_files import read_json
from hdd_tf.settings.scope import Scope


def analysis_is_due(config: Config, iterations: int) -> bool:
    """Returns True if a finished run asks for an analysis that does not exist yet.

    Args:
        config: Settings of the run.
        iterations: Iterations that the export has seen.
    """
    found = read_analysis(RunDirectory(config.run_dir))
    return config.analysis and not _wanted(config, iterations).items() <= found.items()


def analyse_finished_run(run: RunContext, iterations: int) -> None:
    """Analyses the exported set of a run and prints a line about it.

    Args:
        run: The experiment.
        iterations: Iterations that the export has seen.

    Raises:
        InputError: the export, or the pool of networks, cannot be read.
        InterruptedRunError: a signal stopped the training of the encoder.
    """
    config, directory = run.config, run.directory
    stored = read_distilled_set(directory.synthetic)
    classifier = directory.saved_models / "classifier"
    if config.num_eval and not classifier.exists():
        # A run that was scored without an analysis has saved no classifier.
        train_and_save_classifier(classifier, config, run.dataset, stored)
    encoder = EncoderOfRun(run)
    with SummaryWriter(directory.tensorboard) as summaries:
        numbers = analyse(
            run, encoder.weights(), stored, iterations, summaries, final=True
        )
    directory.write_analysis({**_wanted(config, iterations), **numbers})
    print(summary_line(numbers), flush=True)


def _wanted(config: Config, iterations: int) -> dict[str, Any]:
    """Returns the entries of `analysis.json` that identify the requested analysis."""
    return {"iterations": iterations, "settings": _settings(config)}


def _settings(config: Config) -> dict[str, Any]:
    """Returns the settings that an analysis depends on."""
    return {name: getattr(config, name) for name in names_of(Scope.ANALYSIS)}


def read_analysis(directory: RunDirectory) -> dict[str, Any]:
    """Returns the contents of `analysis.json`, empty if it is missing or incomplete."""
    try:
        numbers = read_json(directory.analysis_file)
    except (OSError, ValueError):
        return {}
    return numbers if isinstance(numbers, dict) else {}
