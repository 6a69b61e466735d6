"""The Python interface: arrays in, arrays out.

Nothing is written to files but DANCE's experts, to `expert_dir`.
"""

from typing import Any

import numpy as np
from tqdm import tqdm

from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.config import Config
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distributed.strategies import build_strategy
from hdd_tf.errors import InputError
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.registry import build_step
from hdd_tf.reading.loading import dataset_from_arrays, whitened_for
from hdd_tf.running.loop import BlockReport, run_iterations

# Settings of files, evaluation and reporting have no meaning here.
_SETTINGS = (
    "objective",
    "geometry",
    "curvature",
    "loss_weight",
    "lift",
    "max_tangent_norm",
    "dsa",
    "image_lr",
    "image_momentum",
    "iterations",
    "real_batch",
    "init",
    "formation_factor",
    "idm_pool_start",
    "idm_pool_size",
    "idm_join_every",
    "idm_reset_every",
    "idm_train_networks",
    "idm_train_steps",
    "idm_train_batch",
    "idm_train_lr",
    "idm_cross_entropy_weight",
    "num_experts",
    "pretrain_epochs",
    "pretrain_batch",
    "expert_seed",
    "expert_dir",
    "dance_max_decoded",
    "seed",
    "network",
    "depth",
    "width",
    "norm",
    "activation",
    "pooling",
    "strategy",
    "num_virtual_devices",
    "max_images_per_forward",
    "steps_per_call",
    "progress",
)


def distill(
    images: np.ndarray, labels: np.ndarray, ipc: int = 10, **settings: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Distils labelled images into `ipc` synthetic images of each class.

    Args:
        images: `[n, h, w, c]` or `[n, h, w]` uint8.
        labels: `[n]` integers 0, ..., C - 1, each of which occurs.
        ipc: Synthetic images of each class.
        **settings: Settings of the distillation by their flag's name, such as
            `iterations=500`, `geometry="euclidean"`, `curvature=-1/3`, `seed=1`,
            `progress=False`.

    Returns:
        Synthetic images `[C * ipc, h, w, c]`, float32 on the 0-255 scale of the input
        (values may lie outside it), and their labels `[C * ipc]` int64, class by class;
        with a formation factor f, as with `idm` and `dance`, the f^2 times as many
        that are decoded from them. Train on them normalised by the mean and standard
        deviation of `images`. Soft labels and rates that a method learns are not among
        them: the command's sets have those.

    Raises:
        InputError: images, labels and settings do not fit together.
    """
    unused = sorted(set(settings).difference(_SETTINGS))
    if unused:
        raise InputError(
            f"distill() has no setting {', '.join(unused)}; it takes "
            f"{', '.join(_SETTINGS)}."
        )
    config = Config(dataset="arrays", ipc=ipc, **settings)
    if config.traits.is_selection:
        raise InputError(
            f"distill() makes no coreset: --objective={config.objective} is for the "
            "command, python -m hdd_tf.main."
        )
    dataset = whitened_for(config, dataset_from_arrays(images, labels))
    strategy = build_strategy(config.strategy, config.num_virtual_devices)
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    step = build_step(MethodContext(config, dataset, network, strategy))
    with tqdm(
        desc="distil", total=config.iterations, unit="it", disable=not config.progress
    ) as bar:

        def after_block(report: BlockReport) -> None:
            bar.update(len(report.gradient_norm))

        run_iterations(step, 0, config.iterations, config.steps_per_call, after_block)
    metadata = {
        "dataset": dataset.name,
        "label_names": dataset.label_names,
        "mean": dataset.mean,
        "std": dataset.std,
        "objective": config.objective,
        "geometry": config.traits.geometry(config.geometry),
        "formation_factor": config.formation_factor,
        "source": {},
    }
    distilled = decode_set(step.method.result(metadata))
    return distilled.images, distilled.labels
