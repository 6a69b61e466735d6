"""A run of a method without iterations, the counterpart of `runner`."""

import time
from typing import Any

from hdd_tf.analysis.trained_weights import check_place_of_encoder
from hdd_tf.artifacts.pictures import grid_array
from hdd_tf.artifacts.sets.distilled_set import read_distilled_set
from hdd_tf.artifacts.summaries import SummaryWriter
from hdd_tf.artifacts.titles import set_title
from hdd_tf.config import identity
from hdd_tf.distillation.method import Method
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.exporting.installation import check_installation
from hdd_tf.exporting.metadata import metadata_of_set
from hdd_tf.objectives.building import build_method
from hdd_tf.running.costs.further_memory import check_further_memory
from hdd_tf.running.finished import complete_result, is_finished
from hdd_tf.running.outputs import open_run, score_export, write_export


def run_selection(run: RunContext) -> dict[str, Any]:
    """Makes a set at once, exports it as a distilled set, and scores the export.

    There are no iterations and no checkpoints. A run that was stopped before the export
    makes the same set again; after the export, it only scores the set.

    Args:
        run: The experiment, whose method has no iterations. One process makes the set.

    Returns:
        The contents of `result.json`.

    Raises:
        InputError: settings, data and run directory do not match.
    """
    if is_finished(run):
        return complete_result(run)
    method = build_method(run.method_context(run.dataset))
    evaluation = Evaluation(run.config, run.dataset, run.network, method.coresets)
    directory = run.directory
    open_run(run)
    if not directory.synthetic.exists():
        check_installation(run.config)
        check_further_memory(run)
        check_place_of_encoder(run)
        _export(run, method)
    metadata = read_distilled_set(directory.synthetic).metadata
    seconds = {"select": metadata.get("seconds", 0.0)}
    return score_export(run, evaluation, 0, seconds)


def _export(run: RunContext, method: Method) -> None:
    """Makes the set, and writes the set and its picture."""
    config, directory = run.config, run.directory
    started = time.perf_counter()
    method.train_ahead()
    metadata = metadata_of_set(config, directory.read_config(), 0)
    chosen = method.result(metadata)
    chosen.metadata["seconds"] = round(time.perf_counter() - started, 3)
    with SummaryWriter(directory.tensorboard) as summaries:
        summaries.hyper_parameters(identity(config), directory.path.name)
        rows = chosen.images.reshape(
            run.dataset.num_classes, -1, *chosen.images.shape[1:]
        )
        if rows.shape[-1] in (1, 3):
            title = set_title(config, run.dataset.name, 0)
            summaries.image_grid(0, grid_array(rows, title=title))
    write_export(run, chosen)
