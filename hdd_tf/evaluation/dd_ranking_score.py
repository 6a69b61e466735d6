"""DD-Ranking's two scores of a set: what it is worth beside random and all images.

An accuracy also tells of labels, augmentation and schedule. These scores set it against
the accuracies of random real images and of the whole training set, all by one protocol.

Source: Li et al., "DD-Ranking: Rethinking the Evaluation of Dataset Distillation",
arXiv 2505.13300. The formulas are theirs, which their tables give in percent. The
accuracies are ours: their networks, teachers and tuned learning rates are not here.
Numbers made here compare with each other, and not with theirs.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hdd_tf.methods.registry import RANDOM, WHOLE

# DD-Ranking's w and gamma: both halves of a score count alike.
WEIGHT = 0.5
DISTILLED = "distilled"
_PLAIN = "_without_augmentation"
# What `pool_fair_scores` gives a deviation of.
_SCORES = ("lrs", "ars")
_PARTS = ("hlr", "ior", "a", "b")

# (name of a set, with augmentation) -> its score, as result.json has scores.
ScoreOf = Callable[[str, bool], dict[str, Any]]


def unit_score(exponent: float) -> float:
    """Maps a weighted sum of differences between accuracies to a score.

    Args:
        exponent: From -1 to 1: DD-Ranking's alpha or beta.

    Returns:
        `(e^x - e^-1) / (e - e^-1)`, from 0 to 1; of 0 it is 0.2689.

    Raises:
        ValueError: the exponent is out of its range.
    """
    if not -1.0 <= exponent <= 1.0:
        raise ValueError(f"an exponent from -1 to 1 is needed. Received: {exponent}.")
    return (math.exp(exponent) - math.exp(-1)) / (math.exp(1) - math.exp(-1))


def hard_label_recovery(distilled: float, whole: float) -> float:
    """Returns HLR, what is lost beside the whole set: small is good, from -1 to 1.

    Args:
        distilled: Accuracy with the set's hard labels, a fraction.
        whole: Likewise of the whole training set.
    """
    return _fraction(whole) - _fraction(distilled)


def improvement_over_random(distilled: float, random: float) -> float:
    """Returns IOR, what is won beside random images: large is good, from -1 to 1.

    Args:
        distilled: Accuracy, a fraction.
        random: That of as many random real images of each class, likewise measured.
    """
    return _fraction(distilled) - _fraction(random)


def label_robust_exponent(
    distilled: float, random: float, whole: float, weight: float = WEIGHT
) -> float:
    """Returns `a = w IOR - (1 - w) HLR`, whose `unit_score` is LRS.

    Labels are hard ones here, so HLR and IOR are of the same distilled accuracy.

    Args:
        distilled: Accuracy, a fraction.
        random: That of random real images.
        whole: That of the whole training set.
        weight: w, from 0 to 1.
    """
    gained = improvement_over_random(distilled, random)
    lost = hard_label_recovery(distilled, whole)
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
        distilled: Accuracy with augmentation, a fraction.
        random: Likewise of random real images.
        distilled_plain: Accuracy without augmentation.
        random_plain: Likewise of random real images.
        weight: w, of what is measured with augmentation, from 0 to 1.
    """
    augmented = improvement_over_random(distilled, random)
    plain = improvement_over_random(distilled_plain, random_plain)
    return _fraction(weight) * augmented + (1 - weight) * plain


def measure_fair_score(
    score_of: ScoreOf, network: str, whole_epochs: int
) -> dict[str, Any]:
    """Puts the scores of a set together from five evaluations, each asked for once.

    Args:
        score_of: Gives the evaluations, in percent.
        network: The architecture that they are of.
        whole_epochs: Epochs of the networks trained on the whole set.

    Returns:
        The entry `fair_score` of `result.json`: `lrs` and `ars` with all their parts.
        Both are of mean accuracies; those are in percent, all else in fractions.
    """
    accuracy = {
        name + ("" if augmented else _PLAIN): score_of(name, augmented)
        for name, augmented in (
            (DISTILLED, True),
            (RANDOM, True),
            (WHOLE, True),
            (DISTILLED, False),
            (RANDOM, False),
        )
    }
    # 100.00001 % would be out of range.
    mean = {name: min(score["mean"] / 100, 1.0) for name, score in accuracy.items()}
    distilled, random, whole = mean[DISTILLED], mean[RANDOM], mean[WHOLE]
    a = label_robust_exponent(distilled, random, whole)
    b = augmentation_robust_exponent(
        distilled, random, mean[DISTILLED + _PLAIN], mean[RANDOM + _PLAIN]
    )
    return {
        "lrs": round(unit_score(a), 6),
        "ars": round(unit_score(b), 6),
        "a": round(a, 6),
        "b": round(b, 6),
        "hlr": round(hard_label_recovery(distilled, whole), 6),
        "ior": round(improvement_over_random(distilled, random), 6),
        "w": WEIGHT,
        "network": network,
        "networks": len(accuracy[DISTILLED]["values"]),
        "whole_epochs": whole_epochs,
        "accuracy": accuracy,
    }


def pool_fair_scores(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Pools the entries of several experiments, which differ in the seed.

    Args:
        entries: As `measure_fair_score` returns them, one or more.

    Returns:
        Means over the experiments, of `lrs` and `ars` also the population standard
        deviation (`lrs_std`) and the `lrs_values`; the accuracies stay with each.
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
    """Returns the lines of a result's table.

    Args:
        entry: Of one experiment or of several.
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
