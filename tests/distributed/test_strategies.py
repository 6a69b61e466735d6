"""Which devices a run takes; the CPU of the tests is split in four (conftest)."""

import subprocess
import sys

import pytest
import tensorflow as tf

from hdd_tf.distributed.strategies import build_strategy
from hdd_tf.errors import InputError


@pytest.mark.parametrize(
    "name, kind, replicas",
    [
        ("auto", tf.distribute.MirroredStrategy, 4),
        ("mirrored", tf.distribute.MirroredStrategy, 4),
        ("one_device", tf.distribute.OneDeviceStrategy, 1),
    ],
)
def test_strategy_over_the_devices_there_are(name, kind, replicas):
    strategy = build_strategy(name, 0)
    assert isinstance(strategy, kind)
    assert strategy.num_replicas_in_sync == replicas


def test_splitting_the_cpu_too_late_is_an_input_error():
    tf.zeros([]).numpy()  # TensorFlow uses the CPU from here on.
    with pytest.raises(InputError, match="num_virtual_devices=3"):
        build_strategy("auto", 3)


@pytest.mark.stress
def test_virtual_devices_in_a_fresh_process():
    code = (
        "from hdd_tf.distributed.strategies import build_strategy;"
        "print(build_strategy('auto', 3).num_replicas_in_sync)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "3"
