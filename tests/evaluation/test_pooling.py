"""Pooling several seeds into one result."""

from hdd_tf.evaluation.pooling import pool_results


def result(seed, selected, **more):
    score = {"mean": seed, "std": 0.0, "values": [seed], "images": 1, "seconds": 1.0}
    return {
        "seed": seed, "selected": selected, "seconds": {"distil": 2.0},
        "accuracy": {"convnet": score}, "baselines": {}, **more,
    }  # fmt: skip


def test_networks_of_all_seeds_count_alike():
    pooled = pool_results([result(1, "last iteration"), result(3, "last iteration")])
    score = pooled["accuracy"]["convnet"]
    assert (score["mean"], score["std"], score["values"]) == (2.0, 1.0, [1, 3])
    assert pooled["seconds"] == {"distil": 4.0} and pooled["seeds"] == [1, 3]
    assert pooled["selected"] == "last iteration"


def test_classes_are_pooled_by_their_networks():
    def of_classes(values, per_class, confusion):
        score = {"mean": 0.0, "std": 0.0, "values": values, "images": 1, "seconds": 1.0}
        score |= {"per_class": per_class, "confusion": confusion}
        return result(0, "last", accuracy={"convnet": score})

    one = of_classes([50.0], [100.0, None], [[100.0, 0.0], None])
    two = of_classes([20.0, 20.0], [40.0, None], [[40.0, 60.0], None])
    score = pool_results([one, two])["accuracy"]["convnet"]
    assert score["per_class"] == [60.0, None]
    assert score["confusion"] == [[60.0, 40.0], None]
    # Results of earlier versions have none, and another set other classes.
    other = of_classes([50.0], [100.0, 0.0], [[100.0, 0.0], [100.0, 0.0]])
    for results in ([one, result(1, "last")], [result(1, "last"), one], [one, other]):
        pooled = pool_results(results)["accuracy"]["convnet"]
        assert not {"per_class", "confusion"} & set(pooled)


def test_what_one_seed_chose_is_not_said_of_all():
    pooled = pool_results(
        [
            result(0, {"iteration": 5}, best_on_test={"iteration": 5}),
            result(1, {"iteration": 9}, best_on_test={"iteration": 9}),
        ]
    )
    assert pooled["selected"] == "by each seed, see its result.json"
    assert "best_on_test" not in pooled


def test_fair_scores_are_pooled_where_every_seed_has_one():
    def fair(lrs):
        parts = {"a": 0.0, "b": 0.0, "hlr": 0.0, "ior": 0.0, "ars": 0.5}
        return {"lrs": lrs, "whole_epochs": 30, "accuracy": {}, **parts}

    scored = [result(k, "last", fair_score=fair(0.2 + 0.2 * k)) for k in (0, 1)]
    pooled = pool_results(scored)["fair_score"]
    assert (pooled["lrs"], pooled["lrs_std"], pooled["ars"]) == (0.3, 0.1, 0.5)
    assert "fair_score" not in pool_results([*scored, result(2, "last")])
