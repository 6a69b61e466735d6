"""The files that a run writes at its start and at its end."""

import pathlib
import re
import time
from typing import Any

from hdd_tf.artifacts.evaluations import set_checksum
from hdd_tf.artifacts.pictures import MOST_PAGES, save_grid
from hdd_tf.artifacts.provenance import describe_environment
from hdd_tf.artifacts.run_directory import is_own_trace
from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.artifacts.sets.distilled_set import DistilledSet, write_distilled_set
from hdd_tf.artifacts.sets.run_whitening import keep_whitening
from hdd_tf.artifacts.titles import set_title
from hdd_tf.config import identity, to_flag_file, to_json
from hdd_tf.data.dataset import data_record
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.errors import InputError
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.evaluation.saved_classifier import save_classifier
from hdd_tf.evaluation.shown_scores import show_scores
from hdd_tf.files import links
from hdd_tf.running.finished import keep_fair_score, read_export


def open_run(run: RunContext) -> None:
    """Makes `run_dir` the directory of the run, or continues the run in it.

    Raises:
        InputError: the directory belongs to another run, or holds foreign files.
    """
    config, dataset, directory = run.config, run.dataset, run.directory
    directory.open_or_create(
        to_json(config),
        identity(config),
        to_flag_file(config),
        describe_environment(),
        data_record(dataset),
    )
    keep_whitening(directory.path, dataset.whitening)


def write_export(run: RunContext, stored: DistilledSet) -> None:
    """Writes a run's images: a picture, the stored set, and the decoded set if needed.

    Args:
        run: The experiment.
        stored: The images as stored, the same number of each class in class order.
    """
    directory = run.directory
    directory.forget_analysis()
    shape = stored.images.shape[1:]
    images = stored.images.reshape(run.dataset.num_classes, -1, *shape)
    if images.shape[-1] in (1, 3):
        names = [str(name) for name in stored.metadata["label_names"]]
        title = _title(run, stored)
        save_grid(directory.pictures / "final.png", images, names, title, MOST_PAGES)
    write_distilled_set(directory.synthetic, stored)
    decoded = decode_set(stored)
    if decoded is not stored:
        write_distilled_set(directory.synthetic_decoded, decoded)


def score_export(
    run: RunContext,
    evaluation: Evaluation,
    iterations: int,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Scores the exported files, and writes the result.

    A run with an analysis also writes the first network trained on the set, as
    `saved_model/classifier`.

    Args:
        run: The experiment, whose directory holds the export.
        evaluation: Evaluation with the settings of the run.
        iterations: Iterations that the run was to do.
        seconds: Seconds of the work before scoring, by name.

    Returns:
        The contents of `result.json`.
    """
    directory = run.directory
    started = time.perf_counter()
    # Users get the files, so the files are scored and not the variables in memory.
    export = read_export(directory)
    result = evaluation.result(export)
    if evaluation.classifier and run.config.analysis:
        place = directory.saved_models / "classifier"
        save_classifier(place, evaluation, run.dataset, export)
    result["set_sha256"] = set_checksum(directory)
    # The requested iterations, which a later start compares with its own; `selected`
    # has the iteration of the images.
    result["iterations"] = iterations
    result["seconds"] = {
        **seconds,
        "evaluate": round(time.perf_counter() - started, 3),
    }
    result = keep_fair_score(directory, result)
    directory.write_result(result)
    # Last, as no picture is worth a result.
    show_scores(directory, result, _title(run, export))
    return result


def _title(run: RunContext, stored: DistilledSet) -> str:
    iteration = stored.metadata.get("iteration") or 0
    return set_title(run.config, run.dataset.name, iteration)


def check_parent(parent: pathlib.Path) -> None:
    """Checks that a directory is new, empty, or holds several experiments.

    Raises:
        InputError: the directory is a file, holds foreign files, or holds a link that
            leads out of it.
    """
    if not parent.exists():
        return
    if not parent.is_dir():
        raise InputError(f"run_dir {parent} is a file: give a directory.")
    names = {path.name for path in parent.iterdir() if not is_own_trace(path.name)}
    seeds = {name for name in names if re.fullmatch(r"seed\d+", name)}
    if any((parent / name / "config.json").is_file() for name in seeds):
        # Reports and notes may lie beside the runs, but it is no run itself.
        foreign = names & {"config.json"}
    else:
        foreign = names - seeds - ({"result.json"} if seeds else set())
    if foreign:
        raise InputError(
            f"run_dir {parent} holds other things ({min(foreign)}) than the runs of "
            "--num_experiments: give a new or empty directory with --run_dir."
        )
    # Not of a home or a disk, which would be looked through for long.
    links.refuse_links_out(parent)
