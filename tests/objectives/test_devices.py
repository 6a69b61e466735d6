"""Any number of devices gives the images of one, for every objective and geometry.

Not always bit for bit: a device that has fewer classes convolves fewer images at once,
and the library then sums in another order. 1e-6 of the largest value is what float32
leaves of that; what is not split (each network of IDM's pool trains whole on one
device) is the same to the last bit where the images it learns are.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.distillation.objective import Objective
from hdd_tf.distributed.replica_sums import counted_sums
from hdd_tf.distributed.strategies import mirror_over
from hdd_tf.networks.pool import PoolSchedule
from hdd_tf.objectives.dance import DualViewAlignment
from hdd_tf.objectives.dm import DistributionMatching
from hdd_tf.objectives.idm import ImprovedDistributionMatching, PoolTraining
from hdd_tf.random_keys import derive_key
from hdd_tf.running.checkpoints import DistillationCheckpoints
from hdd_tf.training.experts import Experts
from tests.objectives import semantic_steps

ITERATIONS = 3
pytestmark = pytest.mark.slow

# How classes are split has nothing to do with the geometry, and one device is the same
# for every objective: these will do for every day, and `make stress` has all.
EVERY_DAY = {
    ("dm", "hyperbolic"): (3,),
    ("idm", "hyperbolic"): (2,),
    ("dance", "hyperbolic"): (),
    ("dm", "euclidean"): (),
    ("idm", "euclidean"): (),
    ("dance", "euclidean"): (),
    ("dsdm", "hyperbolic"): (),
    ("dsdm", "euclidean"): (),
    ("iid", "hyperbolic"): (),
    ("iid", "euclidean"): (),
}
OTHERS = {"dsdm": semantic_steps.dsdm, "iid": semantic_steps.iid}
# Of the largest value. With AVX2 alone and 7 devices 18 of 1,280 pixels differ by 5e-7
# to 1.02e-6, and half of all by no more than 6e-8.
TOLERANCE = {("dsdm", "hyperbolic"): 2e-6}


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
        for replicas in (1, 2, 3, 4, 7)
    ],
)
def test_any_number_of_devices_gives_the_same_images(
    problem, on_one_device, name, geometry, replicas
):
    expected = on_one_device(name, geometry)
    # Five classes: neither 2 nor 3 nor 4 divides them, and 7 devices are too many.
    strategy = mirror_over([f"CPU:{i}" for i in range(replicas)])
    assert strategy.num_replicas_in_sync == replicas
    images, losses, state = run(problem, strategy, name, geometry)
    for mine, reference in (
        (images, expected[0]),
        (losses, expected[1]),
        *zip(state, expected[2], strict=True),
    ):
        error = np.abs(mine - reference).max()
        assert error <= TOLERANCE.get((name, geometry), 1e-6) * np.abs(reference).max()
    if replicas == 1:
        np.testing.assert_array_equal(images, expected[0])


def on_devices(problem, replicas, objective=None, **settings):
    """Returns a step of DM, or of another objective, on some devices."""
    strategy = mirror_over([f"CPU:{i}" for i in range(replicas)])
    objective = objective or build("dm", problem, strategy)
    return problem.step(objective, strategy, "euclidean", rate=0.1, **settings)[0]


def values_of(method):
    """Returns the images and the velocities of all classes."""
    state = method.state()
    return [v.numpy() for v in (state["synthetic_set"].images, state["velocity"])]


def test_a_run_goes_on_with_another_number_of_devices(problem, tmp_path):
    step = on_devices(problem, 2)
    step.run(0, 2)
    expected = values_of(step.method)
    DistillationCheckpoints(tmp_path, step.method.state()).save(2, 1.0)
    for replicas in (2, 3, 7, 1):
        method = on_devices(problem, replicas).method
        checkpoints = DistillationCheckpoints(tmp_path, method.state())
        assert checkpoints.restore()[0] == 2
        method.spread()
        if replicas > 1:  # What is gathered comes from the devices.
            assert not method.is_whole
            for variable in (method.synthetic_set.images, method.state()["velocity"]):
                variable.assign(tf.zeros_like(variable))
            method.gather()
        for mine, reference in zip(values_of(method), expected, strict=True):
            assert mine.any() and mine.tobytes() == reference.tobytes()


class WithTheSet(Objective):
    """Takes the synthetic set, as objectives do whose networks train on it."""

    def __init__(self, objective):
        super().__init__(name="with_the_set")
        self.pass_of = objective.pass_of

    def attach(self, synthetic_set):
        """Does not say that it needs its own classes only."""


def shapes_in(graph):
    """Returns the shapes of all tensors of a graph and of what it calls."""
    definition = graph.as_graph_def(add_shapes=True)
    nodes = [*definition.node]
    for function in definition.library.function:
        nodes += function.node_def
    return {
        tuple(dimension.size for dimension in shape.dim)
        for node in nodes
        for shape in node.attr["_output_shapes"].list.shape
    }


@pytest.mark.parametrize("needs_whole_set", [False, True])
def test_only_losses_travel_where_classes_meet_nowhere(problem, needs_whole_set):
    objective = build("dm", problem, None)
    if needs_whole_set:
        objective = WithTheSet(objective)
    step = on_devices(problem, 2, objective)
    with counted_sums() as sums:
        graph = step._graph(0).get_concrete_function().graph
    images = step.method.synthetic_set.images.shape
    losses = 4 * images[0]
    if needs_whole_set:
        assert sums == [losses, 4 * images.num_elements()]
    else:  # Losses and squares of gradients; and once a call, whether all is finite.
        assert sums == [2 * losses, 3 * losses]
    # Nor does any device make room for the images of all classes.
    assert (tuple(images) in shapes_in(graph)) == needs_whole_set


def test_images_that_were_not_gathered_are_not_read(problem):
    step = on_devices(problem, 2)
    found = step.method.synthetic_set
    expected = found.pixels()
    step.method.spread()
    for read in (found.pixels, found.limits, found.training_images):
        with pytest.raises(ValueError, match="gather the images before"):
            read()
    limits = step.method.facts()["limits"].numpy()
    step.method.gather()
    np.testing.assert_array_equal(found.pixels(), expected)
    np.testing.assert_array_equal(limits, np.float32(found.limits()))
