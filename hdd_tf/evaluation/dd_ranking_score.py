"""DD-Ranking's two scores of a set: its worth beside random images and all images.

An accuracy also depends on labels, augmentation and schedule. These scores compare the
accuracy of a set with the accuracies of random real images and of the whole training
set, all measured by one protocol.

Source: Li et al., "DD-Ranking: Rethinking the Evaluation of Dataset Distillation",
arXiv 2505.13300. The formulas are DD-Ranking's, whose tables give percent. The
accuracies are measured here, without DD-Ranking's networks, teachers and tuned learning
rates: scores from this module compare with each other, but not with DD-Ranking's.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hdd_tf.evaluation.scorers.class_scores import without_class_scores
from hdd_tf.methods.registry import HARD_LABELS, RANDOM, WHOLE

# DD-Ranking's w and gamma: both halves of a score have the same weight.
WEIGHT = 0.5
DISTILLED = "distilled"
_PLAIN = "_without_augmentation"
# `pool_fair_scores` adds a deviation to these, and not to `_PARTS`.
_SCORES = ("lrs", "ars")
_PARTS = ("hlr", "ior", "a", "b")

# (name of a set, with augmentation) -> the set's score, in the form of result.json.
ScoreOf = Callable[[str, bool], dict[str, Any]]


def unit_score(exponent: float) -> float:
    """Maps a weighted sum of differences between accuracies to a score.

    Args:
        exponent: DD-Ranking's alpha or beta, from -1 to 1.

    Returns:
        `(e^x - e^-1) / (e - e^-1)`, from 0 to 1; exponent 0 gives 0.2689.

    Raises:
        ValueError: the exponent is out of its range.
    """
    if not -1.0 <= exponent <= 1.0:
        raise ValueError(f"an exponent from -1 to 1 is needed. Received: {exponent}.")
    return (math.exp(exponent) - math.exp(-1)) / (math.exp(1) - math.exp(-1))


def hard_label_recovery(distilled: float, whole: float) -> float:
    """Returns HLR, the loss against the whole set, from -1 to 1: small is good.

    Args:
        distilled: Accuracy with the set's hard labels, a fraction from 0 to 1.
        whole: Accuracy with the whole training set, a fraction from 0 to 1.

    Raises:
        ValueError: an accuracy is out of its range.
    """
    return _fraction(whole) - _fraction(distilled)


def improvement_over_random(distilled: float, random: float) -> float:
    """Returns IOR, the gain over random images, from -1 to 1: large is good.

    Args:
        distilled: Accuracy with the set, a fraction from 0 to 1.
        random: Accuracy with as many random real images of each class, measured in the
            same way, a fraction from 0 to 1.

    Raises:
        ValueError: an accuracy is out of its range.
    """
    return _fraction(distilled) - _fraction(random)


def label_robust_exponent(
    distilled: float,
    random: float,
    whole: float,
    weight: float = WEIGHT,
    hard: float | None = None,
) -> float:
    """Returns `a = w IOR - (1 - w) HLR`, whose `unit_score` is LRS.

    Args:
        distilled: Accuracy with the set, a fraction from 0 to 1.
        random: Accuracy with random real images, a fraction from 0 to 1.
        whole: Accuracy with the whole training set, a fraction from 0 to 1.
        weight: w, the weight of IOR, from 0 to 1.
        hard: Accuracy with the set's hard labels, if `distilled` and `random` are of
            soft ones; None if they are of hard labels themselves.

    Raises:
        ValueError: an argument is out of its range.
    """
    gained = improvement_over_random(distilled, random)
    lost = hard_label_recovery(distilled if hard is None else hard, whole)
    return _fraction(weight) * gained - (1 - weight) * lost


def augmentation_robust_exponent(
    distilled: float,
    random: float,
    distilled_plain: float,
    random_plain: float,
    weight: float = WEIGHT,
) -> float:
    """Returns `b`, the weighted sum of two IORs, whose `unit_score` is ARS.

    Args:
        distilled: Accuracy with the set and augmentation, a fraction from 0 to 1.
        random: Accuracy with random real images and augmentation.
        distilled_plain: Accuracy with the set, without augmentation.
        random_plain: Accuracy with random real images, without augmentation.
        weight: w, the weight of the IOR with augmentation, from 0 to 1.

    Raises:
        ValueError: an argument is out of its range.
    """
    augmented = improvement_over_random(distilled, random)
    plain = improvement_over_random(distilled_plain, random_plain)
    return _fraction(weight) * augmented + (1 - weight) * plain


def measure_fair_score(
    score_of: ScoreOf, network: str, whole_epochs: int, soft: bool = False
) -> dict[str, Any]:
    """Computes the DD-Ranking scores of a set from five evaluations, each run once.

    Args:
        score_of: Function that evaluates a set, with accuracies in percent.
        network: Architecture of the networks that are evaluated.
        whole_epochs: Epochs of the networks trained on the whole set.
        soft: True if a teacher labels the set and the random images, so that the set is
            also scored with its hard labels.

    Returns:
        The entry `fair_score` of `result.json`: `lrs` and `ars` with all their parts.
        Both scores use mean accuracies. Accuracies are in percent, all other numbers
        are fractions.
    """
    accuracy = {
        name + ("" if augmented else _PLAIN): without_class_scores(
            score_of(name, augmented)
        )
        for name, augmented in (
            (DISTILLED, True),
            (RANDOM, True),
            (WHOLE, True),
            *([(HARD_LABELS, True)] if soft else []),
            (DISTILLED, False),
            (RANDOM, False),
        )
    }
    # Rounding may give 100.00001 %, which is out of range.
    mean = {name: min(score["mean"] / 100, 1.0) for name, score in accuracy.items()}
    distilled, random, whole = mean[DISTILLED], mean[RANDOM], mean[WHOLE]
    hard = mean.get(HARD_LABELS, distilled)
    a = label_robust_exponent(distilled, random, whole, hard=hard)
    b = augmentation_robust_exponent(
        distilled, random, mean[DISTILLED + _PLAIN], mean[RANDOM + _PLAIN]
    )
    return {
        "lrs": round(unit_score(a), 6),
        "ars": round(unit_score(b), 6),
        "a": round(a, 6),
        "b": round(b, 6),
        "hlr": round(hard_label_recovery(hard, whole), 6),
        "ior": round(improvement_over_random(distilled, random), 6),
        "w": WEIGHT,
        "network": network,
        "networks": len(accuracy[DISTILLED]["values"]),
        "whole_epochs": whole_epochs,
        "accuracy": accuracy,
    }


def pool_fair_scores(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Pools the entries of several experiments that differ in the seed.

    Args:
        entries: Entries from `measure_fair_score`, at least one.

    Returns:
        Means over the experiments. `lrs` and `ars` also have the population standard
        deviation (`lrs_std`) and the values (`lrs_values`). `accuracy` is left out: it
        stays with each experiment.
    """
    pooled = {k: v for k, v in entries[0].items() if k != "accuracy"}
    for name in (*_SCORES, *_PARTS):
        values = [entry[name] for entry in entries]
        pooled[name] = round(float(np.mean(values)), 6)
        if name in _SCORES:
            pooled[f"{name}_std"] = round(float(np.std(values)), 6)
            pooled[f"{name}_values"] = values
    return pooled


def fair_score_lines(entry: dict[str, Any]) -> list[str]:
    """Returns the lines that a table of results shows of the DD-Ranking scores.

    Args:
        entry: Entry from `measure_fair_score` or `pool_fair_scores`.
    """
    lrs, ars = (
        f"{entry[name]:.4f}"
        + (f" ± {entry[f'{name}_std']:.4f}" if f"{name}_std" in entry else "")
        for name in _SCORES
    )
    lines = [
        f"label-robust score {lrs}, augmentation-robust score {ars}, from 0 to 1",
        "(DD-Ranking's formulas on this program's protocol, whole set "
        f"{entry['whole_epochs']} epochs: not comparable with DD-Ranking's tables)",
    ]
    if accuracy := entry.get("accuracy"):
        parts = (
            f"{name.replace('_', ' ')} {score['mean']:.2f}"
            for name, score in accuracy.items()
        )
        lines.insert(1, f"of the accuracies (%): {', '.join(parts)}")
    return lines


def _fraction(value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"a fraction from 0 to 1 is needed. Received: {value}.")
    return value
