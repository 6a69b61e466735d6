"""What becomes of the error that a signal raises, wherever Python is by then."""

import contextlib
import os
import signal

import pytest

from hdd_tf.errors import InputError, InterruptedRunError
from hdd_tf.running.loop import stop_on_signals
from hdd_tf.signals import interruptions_named, signals_end_the_run


def interrupted_in_a_library():
    """Does what C++ code does that knows no errors but its own."""
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except InterruptedRunError:
        raise SystemError("a function returned a result with an error set") from None


def test_an_interruption_keeps_its_name_through_libraries():
    with pytest.raises(InterruptedRunError) as caught, signals_end_the_run():
        interrupted_in_a_library()
    assert caught.value.exit_code == 143
    # Also for those within, who have something to save.
    raised = pytest.raises(InterruptedRunError)
    with signals_end_the_run(), raised, interruptions_named():
        interrupted_in_a_library()


def test_a_terminal_that_closes_stops_a_run_however_often_it_says_so():
    for context in (signals_end_the_run, stop_on_signals):
        reached = []
        with contextlib.suppress(InterruptedRunError), context() as request:
            try:
                os.kill(os.getpid(), signal.SIGHUP)
            finally:
                os.kill(os.getpid(), signal.SIGHUP)
                reached.append("the work of saving")
        assert reached
    assert request.signal == signal.SIGHUP
    assert InterruptedRunError(signal.SIGHUP).exit_code == 129


def test_nohup_keeps_its_meaning():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_end_the_run(), stop_on_signals() as request:
            os.kill(os.getpid(), signal.SIGHUP)
            assert request.signal is None
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGHUP)
        assert request.signal == signal.SIGTERM
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_errors_keep_theirs():
    with pytest.raises(ZeroDivisionError), signals_end_the_run():
        _ = 1 / 0
    with pytest.raises(InputError, match="of the user"), signals_end_the_run():
        try:
            interrupted_in_a_library()
        except SystemError:
            raise InputError("of the user") from None
    # A signal of a command that has ended is not one of the next command.
    with pytest.raises(ZeroDivisionError), signals_end_the_run():
        _ = 1 / 0
