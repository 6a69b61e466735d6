"""Signals in a wait that Python cannot leave, each in a process of its own."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]
# Like TensorFlow's waits, a lock of C's goes on waiting after a signal's handler.
PROGRAM = """
import ctypes, signal, sys, time
from hdd_tf.distributed.signal_watch import SignalWatch, ends_in_time
from hdd_tf.errors import InputError

libc = ctypes.CDLL(None)
lock = ctypes.create_string_buffer(128)
libc.pthread_mutex_lock(lock)
heard = []
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, frame: heard.append(number))

def deaf(seconds=1000):
    print("deaf", flush=True)
    now = time.clock_gettime(time.CLOCK_REALTIME) + seconds
    until = (ctypes.c_long * 2)(int(now), 0)
    libc.pthread_mutex_timedlock(lock, until)

with SignalWatch(patience=PATIENCE) as watch:
    BODY
print("went on", heard)
"""
ALWAYS = "with watch.long_wait(): deaf()"
SOON_OVER = "with watch.long_wait(): deaf(3)"
NO_LONG_WAIT = "deaf(3)"
HEARD_BEFORE = """
    print("deaf", flush=True)
    while not heard: time.sleep(0.01)
    with watch.long_wait(): deaf()
"""


# Before each signal, in seconds.
PAUSE = 0.3


def run(body, patience, *numbers):
    """Runs a body, sends it signals, and returns exit code, seconds and its lines."""
    program = PROGRAM.replace("BODY", body).replace("PATIENCE", str(patience))
    process = subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "deaf\n"
    began = time.monotonic()
    for number in numbers:
        time.sleep(PAUSE)
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, time.monotonic() - began, out, err


@pytest.mark.parametrize("body", [ALWAYS, HEARD_BEFORE])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_wait_after_a_while(body, number):
    code, seconds, out, err = run(body, 0.4, number)
    assert code == 128 + number and seconds > 0.4 + PAUSE
    assert "went on" not in out
    assert err.startswith(f"hdd_tf: stopped by {number.name}") and err.count("\n") == 1


def test_a_second_signal_ends_it_at_once():
    code, _, _, err = run(ALWAYS, 1000, signal.SIGTERM, signal.SIGINT)
    assert code == 143 and "SIGTERM" in err


@pytest.mark.parametrize(("body", "patience"), [(SOON_OVER, 100), (NO_LONG_WAIT, 0.5)])
def test_a_wait_that_ends_or_has_something_to_save_is_left_alone(body, patience):
    code, _, out, err = run(body, patience, signal.SIGTERM)
    assert (code, out, err) == (0, "went on [15]\n", "")


def test_what_takes_too_long_ends_with_the_error_that_came_before():
    body = "with ends_in_time(InputError('wrong'), 0.3): deaf()"
    code, _, _, err = run(body, 1000)
    assert (code, err) == (2, "hdd_tf: wrong\n")


def test_nobody_need_be_there_to_be_told():
    body = """
    print("deaf", flush=True)
    sys.stdout = sys.stderr = open("/dev/full", "w")
    sys.stdout.write("not flushed yet")
    with watch.long_wait(): libc.pthread_mutex_lock(lock)
"""
    assert run(body, 0.5, signal.SIGTERM)[0] == 143
