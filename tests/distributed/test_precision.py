"""Precisions: what a setting means here, and the switch of TensorFloat-32."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.config import Config, differing_fields, identity
from hdd_tf.distributed import precision
from hdd_tf.distributed.precision import computing_in, resolve, slowness
from hdd_tf.errors import InputError
from hdd_tf.exact_product import exact_matmul, product_of_parts
from hdd_tf.training.settled_precision import settled, told_slowness

TF32_IS_ON = tf.config.experimental.tensor_float_32_execution_enabled


def with_gpus(monkeypatch, *capabilities):
    monkeypatch.setattr(
        precision.tf.config, "list_physical_devices", lambda kind: capabilities
    )
    monkeypatch.setattr(
        precision.tf.config.experimental,
        "get_device_details",
        lambda gpu: {"compute_capability": gpu} if gpu else {},
    )


@pytest.mark.parametrize(
    ("gpus", "found"),
    [
        ([], "float32"),
        ([(9, 0)], "tf32"),
        ([(8, 0), (8, 6)], "tf32"),
        ([(9, 0), (7, 5)], "float32"),
        ([None], "float32"),  # A GPU that is not NVIDIA's.
    ],
)
def test_auto_is_what_every_gpu_has(monkeypatch, gpus, found):
    with_gpus(monkeypatch, *gpus)
    assert resolve("precision", "auto") == found
    assert resolve("precision", "bfloat16") == "bfloat16"
    if found == "tf32":
        assert resolve("precision", "tf32") == "tf32"
    else:
        with pytest.raises(InputError, match=r"--eval_precision=tf32 needs NVIDIA"):
            resolve("eval_precision", "tf32")


def test_tf32_is_on_within_its_context_alone():
    before = TF32_IS_ON()
    with computing_in("tf32"):
        assert TF32_IS_ON()
        with computing_in("float32"):
            assert not TF32_IS_ON()
        assert TF32_IS_ON()
    assert TF32_IS_ON() == before


@pytest.mark.parametrize(
    ("text", "is_slow"),
    [
        ("processor: 0\nflags\t\t: fpu avx512f avx512_bf16 amx_tile\n", False),
        ("processor: 0\nflags\t\t: fpu avx2\n", True),
        ("processor: 0\nFeatures\t: fp asimd bf16\n", False),
        ("no such line", False),
    ],
)
def test_a_processor_without_bfloat16_units_is_told(tmp_path, text, is_slow):
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    assert bool(slowness("bfloat16", str(file))) == is_slow
    assert slowness("float32", str(file)) == ""
    assert slowness("bfloat16", str(tmp_path / "none")) == ""


def test_an_older_gpu_is_told(monkeypatch):
    with_gpus(monkeypatch, (7, 0))
    told = told_slowness(Config(dataset="digits", precision="bfloat16"))
    assert told.startswith("--precision=bfloat16: a GPU here has no units")


def test_a_run_keeps_its_precision_on_other_devices(tmp_path, monkeypatch):
    asked = Config(dataset="digits", run_dir=str(tmp_path / "run"))
    recorded = settled(asked)
    assert (recorded.precision, recorded.eval_precision) == ("float32", "float32")
    RunDirectory(asked.run_dir).open_or_create({}, identity(recorded), "", {})
    with_gpus(monkeypatch, (9, 0))
    assert settled(asked) == recorded
    fresh = Config(dataset="digits", run_dir=str(tmp_path / "other"))
    assert settled(fresh).precision == "tf32"


def test_a_run_in_tf32_does_not_go_on_without_it(tmp_path, monkeypatch):
    asked = Config(dataset="digits", run_dir=str(tmp_path / "run"))
    with monkeypatch.context() as patch:
        with_gpus(patch, (9, 0))
        recorded = settled(asked)
    RunDirectory(asked.run_dir).open_or_create({}, identity(recorded), "", {})
    with pytest.raises(InputError, match=r"run has --precision=tf32, .* go on with it"):
        settled(asked)


def test_runs_of_earlier_versions_were_float32():
    new = identity(settled(Config(dataset="digits")))
    old = {k: v for k, v in new.items() if not k.endswith("precision")}
    assert differing_fields(old, new) == []
    assert differing_fields(old, new | {"precision": "bfloat16"}) == ["precision"]


def rounded(values):
    """Returns float32 values with the mantissa that tensor cores read."""
    bits = np.ascontiguousarray(values, np.float32).view(np.int32)
    return ((bits + 0x1000) & ~0x1FFF).view(np.float32)


def test_products_are_exact_where_factors_are_rounded(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=s).astype(np.float32) for s in ((3, 5, 40), (3, 40, 4)))
    exact = a.astype(np.float64) @ b
    plain = tf.matmul

    def product_of_a_card(x, y):
        return plain(rounded(x.numpy()), rounded(y.numpy()))

    monkeypatch.setattr(tf, "matmul", product_of_a_card)
    assert np.abs(rounded(a) @ rounded(b) - exact).max() > 1e-4
    np.testing.assert_allclose(product_of_parts(a, b), exact, atol=5e-6)


def test_gradients_of_exact_products_are_those_of_matmul():
    rng = np.random.default_rng(1)
    a, b = (tf.constant(rng.normal(size=s), tf.float32) for s in ((2, 3, 4), (2, 4, 5)))
    weights = tf.constant(rng.normal(size=(2, 3, 5)), tf.float32)

    def gradients(product):
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            total = tf.reduce_sum(weights * product(a, b))
        return tape.gradient(total, [a, b])

    for found, expected in zip(
        gradients(product_of_parts), gradients(tf.matmul), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_products_are_plain_while_tf32_is_off():
    a = tf.random.stateless_normal([4, 7], [0, 1])
    with computing_in("float32"):
        plain = exact_matmul(a, tf.transpose(a))
    np.testing.assert_array_equal(plain, tf.matmul(a, tf.transpose(a)))
    with computing_in("tf32"):
        parts = exact_matmul(a, tf.transpose(a))
    np.testing.assert_array_equal(parts, product_of_parts(a, tf.transpose(a)))
    wide = tf.cast(a, tf.float64)
    with computing_in("tf32"):
        assert exact_matmul(wide, tf.transpose(wide)).dtype == tf.float64
