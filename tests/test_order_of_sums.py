"""Sums of large tensors, which TensorFlow may rewrite."""

import subprocess
import sys

import pytest

# The terms, 64 MiB each, are more than TensorFlow thinks that a CPU has.
_ADD = """
import sys
import tensorflow as tf

@tf.function(autograph=False)
def add(x):
    return tf.add_n([tf.sin(x), tf.exp(x), tf.tanh(x)])

with tf.device("CPU:0"):
    x = tf.random.stateless_normal([1 << 24], [1, 2])
writer = tf.summary.create_file_writer(sys.argv[1])
tf.summary.trace_on(graph=True, profiler=False)
add(x)
with writer.as_default():
    tf.summary.trace_export("sum", step=0)
writer.close()
print(tf.executing_eagerly())
"""
_AS_COMMANDS_DO = """
from hdd_tf.cli.tensorflow_import import import_quietly
import_quietly()
import_quietly()
"""
_USED_BEFORE = """
import tensorflow as tf
tf.zeros([])
"""


def is_rewritten(folder, *code):
    """Runs code in a process and returns whether the sum became a variable."""
    done = subprocess.run(
        [sys.executable, "-c", "".join(code), str(folder)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "True\n"
    (events,) = folder.iterdir()
    return b"TemporaryVariable" in events.read_bytes()


@pytest.mark.slow
def test_commands_add_in_the_order_that_is_written(tmp_path):
    # What is mended: when TensorFlow no longer does it, `_add_in_one_order` can go.
    assert is_rewritten(tmp_path / "plain", _ADD)
    assert not is_rewritten(tmp_path / "commands", _AS_COMMANDS_DO, _ADD)
    # Where TensorFlow has computed before, it goes on as it was.
    assert is_rewritten(tmp_path / "used", _USED_BEFORE, _AS_COMMANDS_DO, _ADD)
