"""Agreements of the processes of a run, on what stands for several processes."""

import contextlib
import json
import signal

import pytest
import tensorflow as tf

from hdd_tf.distributed.workers import Workers
from hdd_tf.errors import InputError, InterruptedRunError


class Together(Workers):
    """Worker `index` of some that are played: what they would send is given.

    Args:
        index: Of this process.
        others: Values and names that the other processes send in the next agreements.
    """

    def __init__(self, index, others):
        super().__init__(tf.distribute.get_strategy())
        self.count, self.index = 2, index
        self.others, self.sent = list(others), []

    def _sum_of_processes(self, values):
        self.sent.append(values)
        return [a + b for a, b in zip(values, self.others.pop(0), strict=True)]


def sent_by(index, method, *arguments):
    """What a process sends in an agreement, before it looks at the answer."""
    worker = Together(index, [(0, 0, 1)] * 2)
    with pytest.raises(InputError, match="chief"):
        getattr(worker, method)(*arguments)
    return worker.sent[0]


def test_alone_everything_is_free():
    alone = Workers(tf.distribute.get_strategy())
    assert alone.is_chief and alone.count == 1
    assert alone.broadcast("steps", 7) == 7
    assert alone.any_process("stop", True) and not alone.any_process("stop", False)
    alone.assert_same("settings", [1, 2])
    assert alone.tell("sizes", (1, "é")) == [1, "é"]
    alone.wait("end")
    with alone.chief_first("work"):
        pass


def test_all_get_what_the_chief_says():
    by_chief = sent_by(0, "broadcast", "steps", 7)
    by_other = sent_by(1, "broadcast", "steps", 3)
    assert Together(0, [by_other]).broadcast("steps", 7) == 7
    assert Together(1, [by_chief]).broadcast("steps", 3) == 7


@pytest.mark.parametrize("value", ["", [0.1, "é"], {"a": list(range(40))}])
def test_all_get_whatever_the_chief_tells(value):
    nothing = sent_by(1, "broadcast", "sizes", 0)
    words = -(-len(json.dumps(value)) // 4)
    chief = Together(0, [nothing, [0] * words])
    assert chief.tell("sizes", value) == value
    other = Together(1, chief.sent)
    assert other.tell("sizes", "not this") == value
    assert all(word == 0 for word in other.sent[1])


def test_a_flag_of_any_process_is_seen_by_all():
    raised = sent_by(1, "any_process", "stop", True)
    assert Together(0, [raised]).any_process("stop", False)
    lowered = sent_by(1, "any_process", "stop", False)
    assert not Together(0, [lowered]).any_process("stop", False)


@pytest.mark.parametrize("index", [0, 1])
def test_processes_at_different_places_end_instead_of_mixing_values(index):
    elsewhere = sent_by(1 - index, "broadcast", "iterations of a call", 10)
    with pytest.raises(RuntimeError, match="come to 'whether to stop'"):
        Together(index, [elsewhere]).any_process("whether to stop", False)


def test_another_value_is_told_by_name():
    chief = sent_by(0, "assert_same", "training images", [1.0])
    nothing = sent_by(0, "any_process", "other training images", False)
    worker = Together(1, [chief, nothing])
    with pytest.raises(InputError, match=r"worker 1 .* other training images"):
        worker.assert_same("training images", [2.0])
    Together(1, [chief, nothing]).assert_same("training images", [1.0])


@pytest.mark.parametrize("method", ["broadcast", "any_process"])
def test_a_chief_that_ends_dismisses_the_others_wherever_they_are(method):
    # Also where their own values and names say something else.
    with pytest.raises(InputError, match=r"the chief .* has ended"):
        getattr(Together(1, [(0, 0, 1)]), method)("anything", 1)
    stopped = Together(1, [(0, 0, 1 + signal.SIGTERM)])
    with pytest.raises(InterruptedRunError) as error:
        getattr(stopped, method)("anything", 1)
    assert error.value.stopped_by == signal.SIGTERM


def test_a_chief_dismisses_only_who_waits_for_it():
    for error in (InputError("no"), InterruptedRunError(signal.SIGINT)):
        chief = Together(0, [(0, 0, 0)])
        with pytest.raises(type(error)), chief.chief_dismisses():
            raise error
        (said,) = chief.sent
        assert said[2] == 1 + getattr(error, "stopped_by", 0)
    chief = Together(0, [])
    with pytest.raises(InputError), chief.chief_dismisses(), chief.all_take_part():
        raise InputError("all of them see this")
    assert chief.sent == []
    chief = Together(0, [(0, 0, 0)])
    alone = chief.chief_dismisses(), chief.all_take_part(), chief.chief_alone()
    with pytest.raises(InputError), alone[0], alone[1], alone[2]:
        raise InputError("only the chief sees this")
    assert len(chief.sent) == 1


def test_the_chief_goes_first():
    order = []
    for index in (0, 1):
        worker = Together(index, [sent_by(1 - index, "broadcast", "work", 0)])
        with worker.chief_first("work"):
            order.append((index, len(worker.sent)))
    # Who is not the chief has agreed before it begins.
    assert order == [(0, 0), (1, 1)]


def test_work_that_all_do_goes_on_after_the_chief_was_alone():
    chief = Together(0, [])
    with pytest.raises(InputError), chief.chief_dismisses(), chief.all_take_part():
        with chief.chief_alone():
            pass
        raise InputError("all of them see this")
    assert chief.sent == []


class Lost(Together):
    """A worker whose partner is gone."""

    def _sum_of_processes(self, values):
        raise tf.errors.UnavailableError(None, None, "gone")


def test_at_the_end_the_chief_does_not_wait_for_who_is_gone():
    Lost(0, []).wait("the end")
    with pytest.raises(tf.errors.UnavailableError):
        Lost(1, []).wait("the end")


@pytest.mark.parametrize(("index", "all_take_part", "watched"), [
    (0, False, True), (0, True, False), (1, False, True), (1, True, True),
])  # fmt: skip
def test_signals_end_a_wait_unless_the_chief_has_something_to_save(
    index, all_take_part, watched
):
    waits = []

    class Watch:
        @contextlib.contextmanager
        def long_wait(self):
            waits.append(True)
            yield

    worker = Together(index, [sent_by(1 - index, "broadcast", "steps", 1)])
    worker._watch = Watch()
    with worker.all_take_part() if all_take_part else contextlib.nullcontext():
        worker.broadcast("steps", 1)
    assert bool(waits) == watched
