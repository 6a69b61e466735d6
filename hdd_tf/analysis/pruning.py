"""Keeps a part of the images of each class, by their hyperbolic radius.

The order of the hyperbolic radii r = sqrt(-K) |v| within a class is also the order of
the Lorentz weights cosh(r), and is the same at every curvature. The norms of the
tangent vectors therefore give the order. Images near the root should be typical of
their class.
"""

import dataclasses

import numpy as np

from hdd_tf.analysis.embeddings import feature_function
from hdd_tf.analysis.encoder import HyperbolicEncoder
from hdd_tf.analysis.measures import agree
from hdd_tf.analysis.trained_weights import EncoderWeights, trained_weights
from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset
from hdd_tf.data.stored_images import ImageRows
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.errors import InputError
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.random_keys import Purpose


def pruned_dataset(run: RunContext) -> Dataset:
    """Returns the data set with the part of its training split that is matched.

    Args:
        run: The experiment, of whose settings `keep_fraction`, `keep` and `keep_epochs`
            are used. A fraction of 1 keeps all images. For an order by radius, the
            run's network trains on all images.

    Raises:
        InputError: the radii are all the same, or too few images would be left.
        InterruptedRunError: a signal stopped the training, which is saved.
    """
    config, dataset, network = run.config, run.dataset, run.network
    training, fraction = dataset.training, config.keep_fraction
    if fraction == 1.0:
        return dataset
    _check_enough(config, *dataset.smallest_class)
    norms = None
    if config.keep != "random":
        weights = trained_weights(run, config.keep_epochs)
        norms = tangent_norms(dataset, network, weights, training.images)
    rows = kept_rows(norms, training.labels, fraction, config.keep, config.seed)
    return dataclasses.replace(dataset, training=training.select(rows))


def _check_enough(config: Config, name: str, smallest: int) -> None:
    """Checks, before anything trains, that the initial images can be drawn."""
    kept = _count(config.keep_fraction, smallest)
    needed = config.ipc * config.formation_factor**2
    if config.init in ("real", "mix") and needed > kept:
        raise InputError(
            f"--keep_fraction={config.keep_fraction} leaves {kept} images of the "
            f"smallest class ({name}), and --init={config.init} needs {needed}: "
            "raise it, or use --init=noise."
        )


def pruned_set(
    decoded: DistilledSet,
    norms: np.ndarray | None,
    fraction: float,
    keep: str,
    seed: int,
) -> DistilledSet:
    """Returns a part of a distilled set, with an entry `pruned` in its metadata.

    Args:
        decoded: The set as networks train on it; its epoch labels are dropped.
        norms: `[n]` |v|; None for a random choice, which does not read them.
        fraction: Part of each class to keep, in (0, 1], but at least one image.
        keep: Order of the images, one of `parsers.KEEP`; `random` without norms.
        seed: Seed of a random choice.

    Raises:
        InputError: the radii are all the same.
    """
    rows = kept_rows(norms, decoded.labels, fraction, keep, seed)
    ipc = int(np.bincount(decoded.labels[rows]).max())
    kept = {"fraction": fraction, "keep": keep, "of": len(decoded.labels)}
    metadata = {**decoded.metadata, "ipc": ipc, "pruned": kept}
    return dataclasses.replace(decoded.take(rows), metadata=metadata)


def tangent_norms(
    dataset: Dataset,
    network: FunctionalNetwork,
    weights: EncoderWeights,
    images: ImageRows,
) -> np.ndarray:
    """Returns |v| `[n]` of images, pass by pass.

    Args:
        dataset: Data set with the normalisation of the images.
        network: The network of `--network`.
        weights: Weights of the encoder.
        images: `[n, h, w, c]` uint8 or float32 on the 0-255 scale.
    """
    features_of = feature_function(
        HyperbolicEncoder(network, weights.weights, dataset.normalisation, -1.0)
    )
    # The features of a whole training split would not fit in memory.
    chunks = np.array_split(np.arange(len(images)), max(1, len(images) // 1000))
    return np.concatenate(
        [np.linalg.norm(features_of(images[chunk]), axis=-1) for chunk in chunks]
    )


def kept_rows(
    norms: np.ndarray | None,
    labels: np.ndarray,
    fraction: float,
    keep: str,
    seed: int,
) -> np.ndarray:
    """Chooses a part of each class.

    Args:
        norms: `[n]` |v|; None for a random choice, which does not read them.
        labels: `[n]` integers.
        fraction: Part of each class to keep, in (0, 1], but at least one image.
        keep: Order of the images, one of `parsers.KEEP`; `random` without norms.
        seed: Seed of a random choice.

    Returns:
        `[m]` int64 rows in ascending order.

    Raises:
        InputError: the radii are all the same, so there is no order.
    """
    if keep == "random":
        norms = None
    if norms is not None and agree(norms):
        raise InputError(
            "the hyperbolic radii of the images are all the same, so there is no "
            "order to keep them by: give --keep=random."
        )
    kept = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        if norms is None:
            # A random stream for each class: its choice depends on that class alone.
            generator = np.random.default_rng([seed, Purpose.PRUNING, label])
            ordered = generator.permutation(rows)
        else:
            signed = norms[rows] if keep == "near_root" else -norms[rows]
            ordered = rows[np.argsort(signed, kind="stable")]
        kept.append(ordered[: _count(fraction, len(rows))])
    return np.sort(np.concatenate(kept))


def _count(fraction: float, size: int) -> int:
    """Returns the number of images kept of a class of `size` images, at least 1."""
    return max(1, round(fraction * size))
