"""--jit_compile: XLA's iterations are those without it, and where it is refused."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distributed import compilation
from hdd_tf.distributed.compilation import check_compilation
from hdd_tf.errors import InputError
from hdd_tf.methods.registry import METHODS
from hdd_tf.methods.traits import Kind
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.building import build_step
from hdd_tf.reading.loading import dataset_from_arrays
from hdd_tf.settings.matching import GEOMETRIES
from hdd_tf.training.settled_precision import settled

ONE_DEVICE = tf.distribute.OneDeviceStrategy("CPU:0")
CLASS_WISE = [n for n, traits in METHODS.items() if traits.kind is Kind.CLASS_WISE]


def step_of(objective, geometry, jit_compile):
    """Returns a small step, with chunks of real images."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 12)
    images = rng.integers(0, 256, [36, 8, 8, 1], np.uint8)
    dataset = dataset_from_arrays(images, labels)
    config = Config(
        dataset="arrays", objective=objective, geometry=geometry, ipc=1, width=4,
        depth=1, real_batch=5, num_experts=1, idm_train_batch=4, idm_train_steps=2,
        idm_train_networks=1, max_images_per_forward=9, jit_compile=jit_compile,
        dsdm_networks=1, iid_networks=1, iid_network="convnet",
    )  # fmt: skip
    network = matched_network(config, dataset.image_shape, 3)
    return build_step(MethodContext(config, dataset, network, ONE_DEVICE, dry_run=True))


def two_iterations(step):
    """Returns losses, gradient norms, finite classes and images."""
    metrics = step.run(0, 1), step.run(1, 1)
    values = [value.numpy() for each in metrics for value in each.values()]
    return [*values, step.method.synthetic_set.images.numpy()]


# XLA takes 5 to 20 seconds for steps even as small as these.
@pytest.mark.stress
@pytest.mark.parametrize(
    ("objective", "geometry"),
    [
        (objective, geometry)
        for objective in CLASS_WISE
        for geometry in METHODS[objective].geometries or GEOMETRIES
    ],
)
def test_compiled_iterations_are_those_without_xla(objective, geometry):
    plain = two_iterations(step_of(objective, geometry, "off"))
    step = step_of(objective, geometry, "on")
    fast = two_iterations(step)
    assert step.trace_count == 1
    for exact, found in zip(plain, fast, strict=True):
        np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("jit_compile", "count"), [("on", 2), ("off", 0)])
def test_real_and_synthetic_passes_are_pieces_of_xla(jit_compile, count):
    match = step_of("dm", "euclidean", jit_compile).method.matching.match
    graph = tf.function(match, autograph=False).get_concrete_function(
        tf.TensorSpec([], tf.int32)
    )
    library = graph.graph.as_graph_def().library.function
    marked = [f for f in library if f.attr["_XlaMustCompile"].b]
    assert len(marked) == count


def test_a_piece_may_use_the_graph_around_it():
    @tf.function
    def graph(number):
        doubled = 2.0 * number
        return compilation.compiled(lambda: doubled + 1.0)

    assert graph(tf.constant(1.5)).numpy() == 4.0


def test_several_replicas_are_refused():
    class Replicas:
        num_replicas_in_sync = 2

    with pytest.raises(InputError, match=r"--jit_compile=on is for one device, and 2"):
        check_compilation("on", Replicas())
    check_compilation("off", Replicas())


def test_a_machine_without_a_compiler_is_told_before_work(monkeypatch):
    check_compilation("on", ONE_DEVICE)

    def broken(work):
        raise tf.errors.InternalError(None, None, "libdevice not\nfound at ./x")

    monkeypatch.setattr(compilation, "compiled", broken)
    with pytest.raises(InputError, match=r"XLA does not work here .*not found at \./x"):
        check_compilation("on", ONE_DEVICE)


def test_methods_without_compiled_pieces_are_refused():
    with pytest.raises(InputError, match="--objective=herding does not: leave it"):
        Config(dataset="digits", objective="herding", jit_compile="on")


def test_auto_is_off_and_recorded():
    assert settled(Config(dataset="digits")).jit_compile == "off"
    assert settled(Config(dataset="digits", jit_compile="on")).jit_compile == "on"
