"""One to four devices give the images of one, for every objective and geometry.

Not always bit for bit: a device that has fewer classes convolves fewer images at once,
and the library then sums in another order. 1e-6 of the largest value is what float32
leaves of that; what is not split (each network of IDM's pool trains whole on one
device) is the same to the last bit where the images it learns are.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.distributed.strategies import mirror_over
from hdd_tf.networks.pool import PoolSchedule
from hdd_tf.objectives.dance import DualViewAlignment
from hdd_tf.objectives.dm import DistributionMatching
from hdd_tf.objectives.idm import ImprovedDistributionMatching, PoolTraining
from hdd_tf.random_keys import derive_key
from hdd_tf.training.experts import Experts
from tests.objectives import semantic_steps

ITERATIONS = 3
pytestmark = pytest.mark.slow

# How classes are split has nothing to do with the geometry, and one device is the same
# for every objective: these will do for every day, and `make stress` has all.
EVERY_DAY = {
    ("dm", "hyperbolic"): (3,),
    ("idm", "hyperbolic"): (2,),
    ("dance", "hyperbolic"): (2,),
    ("dm", "euclidean"): (),
    ("idm", "euclidean"): (),
    ("dance", "euclidean"): (),
    ("dsdm", "hyperbolic"): (),
    ("dsdm", "euclidean"): (),
    ("iid", "hyperbolic"): (),
    ("iid", "euclidean"): (),
}
OTHERS = {"dsdm": semantic_steps.dsdm, "iid": semantic_steps.iid}


def build(name, problem, strategy):
    if name == "dm":
        return DistributionMatching(problem.network, 3)
    if name == "idm":
        return ImprovedDistributionMatching(
            problem.network, problem.store, strategy, 3,
            PoolSchedule(start=2, join_every=2, capacity=4, reset_every=5),
            PoolTraining(networks=2, steps=2, batch_size=32), 0.5,
        )  # fmt: skip
    pairs = [
        [
            tf.stack([weight])
            for weight in problem.network.initial_weights(derive_key(k))
        ]
        for k in (1, 2)
    ]
    return DualViewAlignment(lambda: Experts(*pairs), 3)


def run(problem, strategy, name, geometry):
    comparison = None
    if name in OTHERS:
        objective, comparison = OTHERS[name](problem, strategy, geometry)
    else:
        objective = build(name, problem, strategy)
    step, images = problem.step(
        objective,
        strategy,
        geometry,
        name in ("dance", "dsdm"),
        rate=0.1,
        comparison=comparison,
    )
    metrics = [step.run(0, 1), step.run(1, ITERATIONS - 1)]
    # Other numbers of iterations do not trace again.
    assert step.trace_count == 1
    losses = np.concatenate([m["loss_per_class"].numpy() for m in metrics])
    state = [variable.numpy() for variable in objective.variables]
    return images.images.numpy(), losses, state


@pytest.fixture(scope="module")
def on_one_device(problem, one_device):
    """A function from objective and geometry to what one device computes."""
    return functools.cache(functools.partial(run, problem, one_device))


@pytest.mark.parametrize(
    ("name", "geometry", "replicas"),
    [
        pytest.param(
            *case, replicas, marks=[] if replicas in every_day else pytest.mark.stress
        )
        for case, every_day in EVERY_DAY.items()
        for replicas in (1, 2, 3, 4)
    ],
)
def test_any_number_of_devices_gives_the_same_images(
    problem, on_one_device, name, geometry, replicas
):
    expected = on_one_device(name, geometry)
    # Five classes: neither 2 nor 3 nor 4 divides them.
    strategy = mirror_over([f"CPU:{i}" for i in range(replicas)])
    assert strategy.num_replicas_in_sync == replicas
    images, losses, state = run(problem, strategy, name, geometry)
    for mine, reference in (
        (images, expected[0]),
        (losses, expected[1]),
        *zip(state, expected[2], strict=True),
    ):
        error = np.abs(mine - reference).max()
        assert error <= 1e-6 * np.abs(reference).max()
    if replicas == 1:
        np.testing.assert_array_equal(images, expected[0])
