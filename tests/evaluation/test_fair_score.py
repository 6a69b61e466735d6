"""DD-Ranking's scores: the formulas by hand, and what is evaluated for them."""

import itertools
import math

import numpy as np
import pytest

from hdd_tf.config import Config
from hdd_tf.evaluation import dd_ranking_score as fair_score
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.evaluation.result_text import result_table
from hdd_tf.evaluation.scorers import network_scorer
from hdd_tf.evaluation.scorers.class_scores import without_class_scores
from hdd_tf.networks.registry import network_of_settings
from hdd_tf.reading.loading import load_dataset
from tests.evaluation.digits_set import digits_set

FRACTIONS = np.linspace(0, 1, 5).tolist()


def lrs(*accuracies, **weight):
    return fair_score.unit_score(
        fair_score.label_robust_exponent(*accuracies, **weight)
    )


def ars(*accuracies, **weight):
    return fair_score.unit_score(
        fair_score.augmentation_robust_exponent(*accuracies, **weight)
    )


def test_values_by_hand():
    # (e^0 - e^-1) / (e - e^-1) = 0.632121 / 2.350402.
    assert lrs(0.4, 0.4, 0.4) == pytest.approx(0.268941, abs=1e-6)
    assert ars(0.4, 0.4, 0.3, 0.3) == pytest.approx(0.268941, abs=1e-6)
    # IOR 0.2, HLR 0.4, a = 0.1 - 0.2; e^-0.1 = 0.904837.
    assert lrs(0.5, 0.3, 0.9) == pytest.approx((0.904837 - 0.367879) / 2.350402)
    # b = 0.5 * 0.2 + 0.5 * 0.1; e^0.15 = 1.161834.
    assert ars(0.5, 0.3, 0.35, 0.25) == pytest.approx((1.161834 - 0.367879) / 2.350402)


def test_extremes():
    # Nothing is learnt from the set, all from the others; and the other way round.
    assert lrs(0.0, 1.0, 1.0) == pytest.approx(0, abs=1e-12)
    assert lrs(1.0, 0.0, 0.0) == pytest.approx(1)
    assert ars(0.0, 1.0, 0.0, 1.0) == pytest.approx(0, abs=1e-12)
    assert ars(1.0, 0.0, 1.0, 0.0) == pytest.approx(1)


def test_weight_goes_from_one_half_to_the_other():
    assert lrs(0.5, 0.3, 0.9, weight=1.0) == fair_score.unit_score(0.5 - 0.3)
    assert lrs(0.5, 0.3, 0.9, weight=0.0) == fair_score.unit_score(0.5 - 0.9)
    assert ars(0.5, 0.3, 0.4, 0.1, weight=1.0) == fair_score.unit_score(0.5 - 0.3)
    assert ars(0.5, 0.3, 0.4, 0.1, weight=0.0) == fair_score.unit_score(0.4 - 0.1)


def test_scores_are_from_0_to_1_and_go_the_right_way():
    """Better with the set's accuracy, worse with that of what it is set against."""
    for score, signs in ((lrs, (1, -1, -1)), (ars, (1, -1, 1, -1))):
        for accuracies in itertools.product(FRACTIONS, repeat=len(signs)):
            value = score(*accuracies)
            assert -1e-12 <= value <= 1 + 1e-12
            for place, sign in enumerate(signs):
                if accuracies[place] < 1:
                    higher = list(accuracies)
                    higher[place] += 0.01 if accuracies[place] < 0.99 else 0
                    assert sign * (score(*higher) - value) > 0


def test_what_is_no_fraction_is_refused():
    for accuracies in ((40.0, 0.1, 0.2), (0.4, -0.1, 0.2), (0.4, 0.1, math.nan)):
        with pytest.raises(ValueError, match="fraction from 0 to 1"):
            lrs(*accuracies)
    with pytest.raises(ValueError, match="from -1 to 1"):
        fair_score.unit_score(1.5)


def test_experiments_are_pooled_by_mean_and_deviation():
    entry = {
        "lrs": 0.2, "ars": 0.3, "a": 0.0, "b": 0.1, "hlr": 0.5, "ior": 0.5, "w": 0.5,
        "network": "convnet", "networks": 2, "whole_epochs": 30, "accuracy": {},
    }  # fmt: skip
    pooled = fair_score.pool_fair_scores([entry, entry | {"lrs": 0.4, "a": 0.2}])
    assert (pooled["lrs"], pooled["lrs_std"]) == (0.3, 0.1)
    assert pooled["lrs_values"] == [0.2, 0.4]
    assert (pooled["ars"], pooled["ars_std"]) == (0.3, 0.0)
    assert (pooled["a"], pooled["w"], pooled["whole_epochs"]) == (0.1, 0.5, 30)
    assert "accuracy" not in pooled
    first = fair_score.fair_score_lines(pooled)[0]
    assert "label-robust score 0.3000 ± 0.1000" in first
    assert "augmentation-robust score 0.3000 ± 0.0000" in first


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("digits", None, 0.0, 0)


@pytest.fixture(scope="module")
def distilled_set(dataset):
    return digits_set(dataset, 2)


@pytest.fixture
def evaluations(monkeypatch):
    """Grows with each set that networks are trained on: (images, protocol)."""
    done = []
    score_networks = network_scorer.score_networks

    def counted(trainer, *arguments):
        done.append((trainer.num_images, trainer._protocol))
        return score_networks(trainer, *arguments)

    monkeypatch.setattr(network_scorer, "score_networks", counted)
    return done


def evaluation_of(dataset, protocol="dance", dsa="flip", **settings):
    config = Config(
        dataset="digits", depth=1, width=4, num_eval=2, eval_epochs=2, whole_epochs=1,
        eval_protocol=protocol, eval_dsa=dsa, progress=False, fair_score=True,
        **settings,
    )  # fmt: skip
    network = network_of_settings("convnet", config, dataset.image_shape, 10)
    return Evaluation(config, dataset, network)


@pytest.mark.slow
def test_five_evaluations_are_all_there_is(dataset, distilled_set, evaluations):
    evaluation = evaluation_of(dataset, baselines=("random", "whole"))
    beside = evaluation.result(distilled_set)
    assert sorted(images for images, _ in evaluations) == [20, 20, 20, 20, 1297]
    plain = [p for _, p in evaluations if (p.always, p.augmentations) == ((), ())]
    assert len(plain) == 2 and {p.cutmix for p in plain} == {0.0}
    assert {p.epochs for p in plain} == {2}
    # The network that is kept for exports is the first one of the set itself.
    values = beside["accuracy"]["convnet"]["values"]
    assert round(evaluation.classifier.accuracy, 4) == values[0] != values[1]
    entry = beside["fair_score"]
    accuracy = entry["accuracy"]
    scores = {**beside["baselines"], "distilled": beside["accuracy"]["convnet"]}
    for name in ("random", "whole", "distilled"):
        assert accuracy[name] == without_class_scores(scores[name])

    fractions = {name: score["mean"] / 100 for name, score in accuracy.items()}
    names = "distilled", "random", "whole"
    assert entry["lrs"] == pytest.approx(lrs(*map(fractions.get, names)), abs=1e-6)
    names = *names[:2], "distilled_without_augmentation", "random_without_augmentation"
    assert entry["ars"] == pytest.approx(ars(*map(fractions.get, names)), abs=1e-6)
    facts = entry["w"], entry["network"], entry["networks"], entry["whole_epochs"]
    assert facts == (0.5, "convnet", 2, 1)
    table = result_table(beside | {"seconds": {}}, "run")
    assert f"label-robust score {entry['lrs']:.4f}, augmentation-robust" in table
    assert f"whole {accuracy['whole']['mean']:.2f}" in table
    assert "not comparable with DD-Ranking's tables" in table


@pytest.mark.stress
def test_baselines_beside_it_do_not_change_it(dataset, distilled_set, evaluations):
    alone = evaluation_of(dataset).result(distilled_set)
    assert len(evaluations) == 5 and alone["baselines"] == {}
    beside = evaluation_of(dataset, baselines=("random", "whole")).result(distilled_set)
    assert len(evaluations) == 10
    for name, score in beside["fair_score"]["accuracy"].items():
        assert score["values"] == alone["fair_score"]["accuracy"][name]["values"]
    assert beside["fair_score"]["lrs"] == alone["fair_score"]["lrs"]


@pytest.mark.stress
def test_without_augmentation_anyway_nothing_is_scored_twice(
    dataset, distilled_set, evaluations
):
    evaluation = evaluation_of(dataset, protocol="dm", dsa="none")
    accuracy = evaluation.result(distilled_set)["fair_score"]["accuracy"]
    assert len(evaluations) == 3
    assert accuracy["distilled_without_augmentation"] == accuracy["distilled"]
    assert accuracy["random_without_augmentation"] == accuracy["random"]
