"""One process at a time, and nothing left behind, seen with real processes."""

import errno
import fcntl
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.errors import InputError, InterruptedRunError
from hdd_tf.files import lock

ROOT = pathlib.Path(__file__).parents[2]
HOLD = """
import sys, time
from hdd_tf.files.lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(directory, seconds=60.0):
    """Starts a process that holds a directory, and waits until it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory), str(seconds)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    return process


def end(process):
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_second_process_is_refused_in_one_line_and_a_killed_one_bars_nothing(tmp_path):
    process = holder(tmp_path / "run")
    try:
        with pytest.raises(InputError) as caught, lock.locked(tmp_path / "run"):
            pass
        assert f"in use by process {process.pid} on " in str(caught.value)
        assert "\n" not in str(caught.value)
        # The refused one has not taken the first one's file with it.
        assert (tmp_path / "run" / lock.NAME).exists()
    finally:
        end(process)  # kill -9
    # Its file is still there, and is nobody's.
    assert (tmp_path / "run" / lock.NAME).exists()
    RunDirectory(tmp_path / "run").check({}, None)
    with lock.locked(tmp_path / "run"):
        pass
    assert list((tmp_path / "run").iterdir()) == []


def test_one_process_does_not_hold_twice(tmp_path):
    with (
        lock.locked(tmp_path),
        pytest.raises(InputError, match=f"process {os.getpid()} on"),
        lock.locked(tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "named"), [(b"7 vm\n", "process 7 on vm"), (b"", "another process")]
)
def test_who_holds_it_may_say_so_late_or_never(tmp_path, monkeypatch, text, named):
    """Between taking the lock and naming itself a holder can be interrupted."""
    with (tmp_path / lock.NAME).open("wb", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # The holder writes while the other one waits to read again.
        monkeypatch.setattr(lock.time, "sleep", lambda seconds: file.write(text))
        with (
            pytest.raises(InputError, match=f"in use by {named}:"),
            lock.locked(tmp_path),
        ):
            pass


@pytest.mark.slow
def test_waiting_ends_with_the_holder(tmp_path):
    process, told = holder(tmp_path, 0.5), []
    began = time.monotonic()
    with lock.locked(tmp_path, told.append):
        assert time.monotonic() - began > 0.2
    assert told and str(process.pid) in told[0]
    process.communicate()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_waiting_hears_signals(tmp_path):
    def stop(number, frame):
        raise InterruptedRunError(signal.SIGALRM)

    process, before = holder(tmp_path), signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with (
            pytest.raises(InterruptedRunError),
            lock.locked(tmp_path, lambda holder: None),
        ):
            pass
    finally:
        signal.signal(signal.SIGALRM, before)
        end(process)


def test_what_was_made_for_the_lock_goes_with_it_and_what_was_written_stays(tmp_path):
    with pytest.raises(ValueError), lock.locked(tmp_path / "runs" / "a"):
        assert (tmp_path / "runs" / "a" / lock.NAME).exists()
        raise ValueError
    assert list(tmp_path.iterdir()) == []
    with lock.locked(tmp_path / "runs" / "a"):
        (tmp_path / "runs" / "a" / "config.json").write_text("{}")
    assert [path.name for path in (tmp_path / "runs" / "a").iterdir()] == [
        "config.json"
    ]


@pytest.mark.slow
def test_directory_replaced_meanwhile_keeps_its_new_lock(tmp_path):
    run = tmp_path / "run"
    with lock.locked(run):
        run.rename(tmp_path / "moved")
        process = holder(run)
    try:
        with pytest.raises(InputError, match="in use"), lock.locked(run):
            pass
    finally:
        end(process)


@pytest.mark.parametrize("place", ["/proc/run", "file", "file/run"])
def test_where_no_lock_can_be_made_the_block_runs(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    ran = False
    with lock.locked(tmp_path / place):
        ran = True
    assert ran and (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_file_system_without_locks_is_told(tmp_path, monkeypatch, capsys, number):
    def refuse(descriptor, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    for _ in range(2):
        # No other kind of lock takes its place: a killed holder's would bar the way.
        with lock.locked(tmp_path), lock.locked(tmp_path):
            pass
    assert (
        capsys.readouterr().err.count(f"cannot be locked ({os.strerror(number)})") == 4
    )


@pytest.mark.parametrize("target", ["thing", "nowhere"])
def test_lock_that_is_a_link_is_refused(tmp_path, target):
    (tmp_path / "thing").write_text("precious")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / lock.NAME).symlink_to(tmp_path / target)
    with (
        pytest.raises(InputError, match="is a symbolic link"),
        lock.locked(tmp_path / "run"),
    ):
        pass
    assert (tmp_path / "thing").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.slow
def test_waiting_outlives_the_directory(tmp_path):
    """The holder removes what it made; whoever waits makes it again."""
    process = holder(tmp_path / "runs/a", 0.5)
    with lock.locked(tmp_path / "runs/a", lambda holder: None):
        assert (tmp_path / "runs/a" / lock.NAME).exists()
    process.communicate()
