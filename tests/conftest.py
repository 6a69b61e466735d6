"""What all tests share: quiet TensorFlow, a CPU split for replicas, and a guard."""

import collections
import gc
import os
import pathlib
import signal
import sys

# Before TensorFlow is imported anywhere.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:
    # There is a process for each core, so threads of one operation only wait for each
    # other. `make stress` has one process, with threads.
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    # Until all tests are collected: what is imported lives as long as the process.
    gc.disable()

# `nohup` ignores it, and what is tested would not be stopped by it.
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

import pytest
import tensorflow as tf


def _no_fsync(descriptor):
    """Leaves it to the system when to write to the disk, which takes milliseconds.

    A test survives no loss of power. That files are synced, and when, is what
    tests/files/test_atomic.py asks, which puts its own functions in this one's place.
    """


os.fsync = _no_fsync

# Logical devices can only be made before TensorFlow first uses the CPU.
_CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    _CPU, [tf.config.LogicalDeviceConfiguration()] * 4
)

_STARTS = {"subprocess.Popen", "os.posix_spawn", "os.exec", "os.system"}
_FORKS = {"os.fork", "os.forkpty"}
_WATCHED = _STARTS | _FORKS
# They end at once: config.json names the commit, platform asks for the processor,
# matplotlib for fonts, the first k-means of scikit-learn for cores, and rm needs no
# recursion in Python.
_QUICK = {"git", "rm", "uname", "fc-list", "lscpu"}
_running: list[pytest.Item] = []


def pytest_collection_modifyitems(items):
    """Files with most slow tests come first: as the last, one would idle a core."""
    slow = collections.Counter(
        item.path for item in items if item.get_closest_marker("slow")
    )
    items.sort(key=lambda item: -slow[item.path])


def pytest_collection_finish():
    """Lets the garbage collector look only at what tests make."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Tells the guard which test runs, its fixtures included."""
    _running.append(item)
    try:
        return (yield)
    finally:
        _running.pop()


def _guard(event, arguments):
    """Keeps `make test-fast` fast: only slow tests may start a process.

    An audit hook sees every way to start one, in whatever module it is.
    """
    if event not in _WATCHED or not _running or os.getpid() != _PROCESS:
        return
    item = _running[-1]
    if item.get_closest_marker("slow") or item.get_closest_marker("stress"):
        return
    # The first argument of all but the forks is the program.
    name = os.fsdecode(arguments[0]) if event in _STARTS else "a fork"
    program = pathlib.Path(name).name
    if program not in _QUICK:
        pytest.fail(f"{item.nodeid} starts {program}: mark it with pytest.mark.slow")


_PROCESS = os.getpid()
# It cannot be taken away again, and ends with the process.
sys.addaudithook(_guard)
