"""Pooling several seeds into one result."""

from hdd_tf.distillation.experiments import pool_results


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


def test_what_one_seed_chose_is_not_said_of_all():
    pooled = pool_results(
        [
            result(0, {"iteration": 5}, best_on_test={"iteration": 5}),
            result(1, {"iteration": 9}, best_on_test={"iteration": 9}),
        ]
    )
    assert pooled["selected"] == "by each seed, see its result.json"
    assert "best_on_test" not in pooled
