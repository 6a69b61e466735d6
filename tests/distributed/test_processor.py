"""Tests of what is known of the processor, and of what TensorFlow leaves unused."""

import pathlib
import subprocess
import sys

import pytest

from hdd_tf.distributed import processor as module
from hdd_tf.distributed.processor import onednn_hint

ZEN3 = "fpu sse4_2 avx fma avx2 bmi2"


@pytest.fixture(autouse=True)
def no_switch(monkeypatch):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)


def processor(path, features, field="flags\t\t"):
    """Returns the name of a file that describes a processor as Linux does."""
    path.write_text(f"processor\t: 0\n{field}: {features}\nbogomips\t: 1\n", "utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("features", "is_told"),
    [
        (ZEN3, True),
        (ZEN3 + " avx512f avx512bw", True),  # Skylake's servers.
        (ZEN3 + " avx_vnni", False),
        (ZEN3 + " avx512f avx512_vnni", False),
        (ZEN3 + " avx512_bf16 amx_tile", False),
        ("fpu sse4_2 avx", False),
    ],
)
def test_it_is_told_where_tensorflow_leaves_them_off(tmp_path, features, is_told):
    line = onednn_hint(processor(tmp_path / "cpuinfo", features))
    assert ("TF_ENABLE_ONEDNN_OPTS=1" in line) == is_told
    assert "\n" not in line


@pytest.mark.parametrize("value", ["0", "1", "true"])
def test_who_has_set_the_switch_is_told_nothing(tmp_path, monkeypatch, value):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", value)
    assert onednn_hint(processor(tmp_path / "cpuinfo", ZEN3)) == ""


def test_what_is_not_known_is_not_told(tmp_path):
    assert onednn_hint(str(tmp_path / "none")) == ""
    arm = processor(tmp_path / "arm", "fp asimd bf16", field="Features\t")
    assert onednn_hint(arm) == ""
    assert module.processor_features(arm) == {"fp", "asimd", "bf16"}
    assert module.processor_features(str(tmp_path / "none")) == set()


def test_nothing_is_told_where_gpus_compute(tmp_path, monkeypatch):
    monkeypatch.setattr(
        module.tf.config, "list_physical_devices", lambda kind: ["a card"]
    )
    assert onednn_hint(processor(tmp_path / "cpuinfo", ZEN3)) == ""


@pytest.mark.stress
@pytest.mark.skipif(
    not pathlib.Path("/proc/cpuinfo").exists(), reason="the processor is not known"
)
def test_it_is_told_where_this_tensorflow_has_them_off():
    """TensorFlow's own word, in a process that has not set the switch."""
    code = (
        "import tensorflow as tf\n"
        "from tensorflow.python.framework.test_util import IsMklEnabled\n"
        "from hdd_tf.distributed.processor import onednn_hint\n"
        "print(IsMklEnabled(), bool(onednn_hint()))\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    has_avx2 = " avx2 " in pathlib.Path("/proc/cpuinfo").read_text("utf-8")
    assert done.stdout.split() in (
        ["True", "False"],
        ["False", str(has_avx2)],
    )
