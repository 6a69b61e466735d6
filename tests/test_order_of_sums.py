"""Sums of large tensors, which TensorFlow may rewrite."""

import os
import subprocess
import sys

import pytest

# The terms, 64 MiB each, are more than TensorFlow thinks that a CPU has.
_ADD = """
import sys
import tensorflow as tf

@tf.function(autograph=False)
def add(x):
    with tf.device("CPU:0"):
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
_COMMAND = """
import sys
from hdd_tf.main import main

output = "--output_dir=" + sys.argv[1] + "_set"
assert main(["hdd-tf", "export", "tfrecord", "digits_ipc10_dm", output]) == 0
"""
_IMPORTED_BEFORE = """
import tensorflow as tf
tf.zeros([])
"""


def is_rewritten(folder, *code, **environment):
    """Runs code in a process and returns whether the sum became a variable."""
    done = subprocess.run(
        [sys.executable, "-c", "".join(code), str(folder)],
        env={**os.environ, **environment}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.endswith("True\n")
    (events,) = folder.iterdir()
    return b"TemporaryVariable" in events.read_bytes()


@pytest.mark.slow
def test_commands_add_in_the_order_that_is_written(tmp_path):
    # What is mended: when TensorFlow no longer does it, `add_in_one_order` can go.
    assert is_rewritten(tmp_path / "plain", _ADD)
    assert not is_rewritten(tmp_path / "command", _COMMAND, _ADD)


@pytest.mark.stress
def test_where_tensorflow_computes_already_it_goes_on_as_it_is(tmp_path):
    assert is_rewritten(tmp_path / "before", _IMPORTED_BEFORE, _COMMAND, _ADD)
    # With plugins of devices it computes while it is imported.
    plugins = {"TF_PLUGGABLE_DEVICE_LIBRARY_PATH": str(tmp_path)}
    assert is_rewritten(tmp_path / "plugins", _COMMAND, _ADD, **plugins)
