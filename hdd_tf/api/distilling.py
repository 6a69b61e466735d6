"""`hdd_tf.distill`: arrays or the name of a data set in, a distilled set out."""

import dataclasses
import os
import tempfile
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.analysis.pruning import pruned_dataset
from hdd_tf.api.arguments import check_names, checked_class_names, keeps_decoded
from hdd_tf.api.calls import python_call
from hdd_tf.api.results import DistillationResult
from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.config import Config, to_json
from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.method import Method
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.distributed.compilation import check_compilation
from hdd_tf.distributed.precision import computing_in
from hdd_tf.distributed.strategies import build_strategy
from hdd_tf.errors import InputError, warn
from hdd_tf.exporting.metadata import metadata_of_set
from hdd_tf.objectives.building import build_method, build_step
from hdd_tf.progress import progress_bar
from hdd_tf.reading.arrays import labelled_images
from hdd_tf.reading.labels import ClassLabels, class_labels
from hdd_tf.reading.loading import (
    ARRAYS,
    dataset_from_arrays,
    load_configured_dataset,
)
from hdd_tf.reading.whitening import whitened_for
from hdd_tf.running.loop import BlockReport, run_iterations
from hdd_tf.training.settled_precision import settled, told_slowness


@python_call
def distill(
    images: Any = None,
    labels: Any = None,
    ipc: int = 10,
    *,
    dataset: str = "",
    class_names: Any = None,
    **settings: Any,
) -> DistillationResult:
    """Distils labelled images into `ipc` synthetic images of each class.

    Nothing is written to files, unless a directory is given for it. In `data_cache=DIR`
    the decoded images of a named data set are kept. In `expert_dir=DIR`, networks that
    a method trains on the real images beforehand (DANCE, `keep_fraction`) are kept for
    the next call; without it they are trained in each call. `bank_dir=DIR` does the
    same for what `bank_over="all"` computes of the real images.

    Args:
        images: `[n, h, w, c]` or `[n, h, w]` uint8, or whole numbers on the 0-255
            scale. Other scales and PyTorch's order `[n, c, h, w]` are refused, with
            what converts them.
        labels: `[n]` classes: integers 0, ..., C - 1, or any integers, texts, truth
            values or other hashable objects. Those are numbered in ascending order (if
            they have none, as they first occur), and `result.classes` has them. One-hot
            rows are refused.
        ipc: Synthetic images of each class.
        dataset: Name of a data set instead of `images` and `labels`, as `--dataset` of
            the command: `"digits"`, `"cifar10"`, `"folder:DIR"`.
        class_names: A name of each class of `labels`, in the order of the numbers; by
            default the labels as text. Of labels that are texts: these texts, whose
            order then decides.
        **settings: Settings of the distillation by their flag's name, such as
            `objective="idm"`, `iterations=500`, `geometry="euclidean"`,
            `curvature=-1/3`, `seed=1`, `progress=False`. `python -m hdd_tf.main --help`
            explains them all; those of files, evaluation and reporting have no meaning
            here.

    Returns:
        The result. `images, labels = hdd_tf.distill(...)` gives synthetic images
        `[C * ipc, h, w, c]`, float32 on the 0-255 scale of the input (values may lie
        outside it), and their labels `[C * ipc]` int64, class by class: 0, ..., C - 1,
        which count through `result.classes`; with a
        formation factor f, as with `idm` and `dance`, the f^2 times as many that are
        decoded from them. Train on them normalised by the mean and standard deviation
        of the real images (`result.distilled_set.tf_dataset()` is).

    Raises:
        InputError: images, labels and settings do not fit together.

    Example:
        >>> import numpy as np, hdd_tf
        >>> rng = np.random.default_rng(0)
        >>> images = rng.integers(0, 256, (40, 8, 8, 1)).astype("uint8")
        >>> labels = np.arange(40) % 2
        >>> result = hdd_tf.distill(
        ...     images, labels, ipc=3, iterations=2, depth=1, width=4, real_batch=8,
        ...     class_names=["even", "odd"], progress=False)
        >>> result.images.shape, result.labels.tolist()
        ((6, 8, 8, 1), [0, 0, 0, 1, 1, 1])
    """
    given = images is not None or labels is not None
    check_names("distill", settings, of_arrays=given)
    if given == bool(dataset):
        raise InputError(
            "distill() takes images and labels, or dataset=NAME: give one of the two"
        )
    config = settled(Config(dataset=dataset or ARRAYS, ipc=ipc, **settings))
    found = None
    if given:
        real, found = _dataset_of_arrays(config, images, labels, class_names)
    elif class_names is not None:
        raise InputError(f"class_names are those of {dataset}: leave them out")
    else:
        real = load_configured_dataset(config, keeps_decoded(settings))
    passing = [name for name in ("expert_dir", "bank_dir") if name not in settings]
    if not passing:
        return _distil(config, config, real, found)
    with tempfile.TemporaryDirectory(prefix="hdd_tf_") as place:
        places: dict[str, Any] = {n: os.path.join(place, n) for n in passing}
        used = dataclasses.replace(config, **places)
        return _distil(config, used, real, found)


def _dataset_of_arrays(
    config: Config, images: Any, labels: Any, class_names: Any
) -> tuple[Dataset, ClassLabels]:
    """Returns arrays as a data set, and what its labels stand for."""
    if images is None or labels is None:
        raise InputError("images and labels: give both")
    found = class_labels(labels, checked_class_names(class_names))
    checked = labelled_images(images, found.numbers)
    if found.renumbered:
        first, last = found.renumbered[0], found.renumbered[-1]
        warn(
            f"labels {first}, ..., {last} are numbered 0, ..., "
            f"{len(found.renumbered) - 1} in the result, whose `classes` has them."
        )
    whole = dataset_from_arrays(checked.images, checked.labels, label_names=found.names)
    return whitened_for(config, whole), found


def _distil(
    stated: Config, config: Config, dataset: Dataset, found: ClassLabels | None
) -> DistillationResult:
    """Distils a data set.

    Args:
        stated: The settings to record.
        config: The same with the places where experts and banks are kept.
        dataset: The real images.
        found: What its labels stand for, if it was given as arrays.
    """
    if slow := told_slowness(config):
        warn(slow)
    strategy = build_strategy(config.strategy, config.num_virtual_devices)
    check_compilation(config.jit_compile, strategy)
    with computing_in(config.precision):
        return _distil_on(strategy, stated, config, dataset, found)


def _distil_on(
    strategy: tf.distribute.Strategy,
    stated: Config,
    config: Config,
    dataset: Dataset,
    found: ClassLabels | None,
) -> DistillationResult:
    """Distils a data set on given devices; see `_distil`."""
    run = RunContext.build(config, dataset, strategy)
    context = run.method_context(pruned_dataset(run))
    metadata = _metadata(stated, dataset)
    if found and found.renumbered:
        metadata["classes"] = found.renumbered
    if config.traits.is_selection:
        method: Method = build_method(context)
        method.train_ahead()
        reports: list[BlockReport] = []
    else:
        method, reports = _iterate(context)
    stored = method.result(metadata)
    return DistillationResult(
        decode_set(stored),
        stored,
        to_json(stated),
        _history(reports, dataset),
        found.classes if found else tuple(dataset.label_names),
    )


def _iterate(context: MethodContext) -> tuple[Method, list[BlockReport]]:
    """Runs a method's iterations and returns what each block of them told."""
    config, reports = context.config, []
    step = build_step(context, gathers=False)
    with progress_bar("distil", config.iterations, "it", config.progress) as bar:

        def after_block(report: BlockReport) -> None:
            reports.append(report)
            bar.update(len(report.gradient_norm))

        run_iterations(
            step,
            0,
            config.iterations,
            config.steps_per_call,
            after_block,
            label_names=context.dataset.label_names,
        )
    step.method.gather()
    return step.method, reports


def _metadata(config: Config, dataset: Dataset) -> dict[str, Any]:
    """Returns what the set's files say of it, as those of a run do."""
    record = {
        "config": to_json(config),
        "data": {
            "name": dataset.name,
            "label_names": list(dataset.label_names),
            "mean": list(dataset.mean),
            "std": list(dataset.std),
        },
    }
    iterations = 0 if config.traits.is_selection else config.iterations
    return {**metadata_of_set(config, record, iterations), "ipc": config.ipc}


def _history(reports: list[BlockReport], dataset: Dataset) -> dict[str, np.ndarray]:
    """Returns the arrays of `DistillationResult.history`."""
    losses = [report.loss_per_class for report in reports]
    norms = [report.gradient_norm for report in reports]
    # A block is one call into the graph: its iterations take the same time.
    seconds = [np.full(len(r.gradient_norm), r.seconds) / len(r.gradient_norm)
               for r in reports]  # fmt: skip
    empty = np.zeros((0, dataset.num_classes), np.float32)
    per_class = np.concatenate([empty, *losses])
    return {
        "iteration": np.arange(1, len(per_class) + 1, dtype=np.int64),
        "loss": per_class.sum(axis=1),
        "loss_per_class": per_class,
        "gradient_norm": np.concatenate([np.zeros(0, np.float32), *norms]),
        "seconds": np.cumsum(np.concatenate([np.zeros(0), *seconds])),
    }
