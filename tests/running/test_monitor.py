"""What a run does between blocks of iterations."""

import gc
import signal
import weakref

import numpy as np
import pytest

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.config import Config
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.errors import InterruptedRunError
from hdd_tf.reading.loading import dataset_from_arrays
from hdd_tf.running.checkpoints import DistillationCheckpoints
from hdd_tf.running.loop import BlockReport, StopRequest
from hdd_tf.running.monitor import RunMonitor, SilentMonitor
from tests.artifacts.event_files import read_values


class Graph:
    """As TensorFlow's graphs do, it holds itself."""

    def __init__(self):
        self.itself = self


@pytest.fixture
def uncollected():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def monitor_of(
    place,
    analyse=lambda iteration, summaries: None,
    start=0,
    is_whole=lambda: True,
    **settings,
):
    """Returns the monitor of a run of two classes of one image."""
    config = Config(
        **{"dataset": "digits", "iterations": 9, **settings}, progress=False
    )
    grey = Normalisation((0.5,), (0.5,))
    synthetic_set = SyntheticSet(np.zeros((2, 1, 8, 8, 1), np.float32), grey)
    directory = RunDirectory(place)
    images = np.arange(128, dtype=np.uint8).reshape(2, 8, 8, 1)
    dataset = dataset_from_arrays(images, np.arange(2))
    return RunMonitor(
        run=RunContext.build(config, dataset, directory=directory),
        checkpoints=DistillationCheckpoints(
            directory.checkpoints, {"synthetic_set": synthetic_set}
        ),
        synthetic_set=synthetic_set,
        make_set=lambda: None,
        start=start,
        seconds=0.0,
        stop=StopRequest(),
        evaluate=lambda made: 0.0,
        analyse=analyse,
        trackers=(),
        notice=lambda: "a limit was met",
        is_whole=is_whole,
    )


def test_what_an_analysis_leaves_in_circles_is_freed_at_once(tmp_path, uncollected):
    seen = []

    def analyse(iteration, summaries):
        seen.append(weakref.ref(Graph()))

    with monitor_of(tmp_path, analyse, start=1, analysis_every=2) as monitor:
        monitor.catch_up(1)
        assert not seen
        monitor.catch_up(2)
    assert len(seen) == 1 and seen[0]() is None


@pytest.mark.parametrize(("picture_every", "files"), [
    (0, ["init.png"]), (100, ["init.png"]), (3, ["init.png", "iter_000003.png"]),
])  # fmt: skip
def test_the_last_images_are_shown_however_short_the_run(
    tmp_path, picture_every, files, capsys
):
    report = BlockReport(3, np.ones([1, 2]), np.ones(1), 0.5)
    with monitor_of(tmp_path, iterations=3, picture_every=picture_every) as monitor:
        monitor.after_block(report)
    assert capsys.readouterr().out == "a limit was met\n"
    values = read_values(tmp_path / "tensorboard")
    assert set(values["synthetic"]) == {0, 3}
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == files


@pytest.mark.parametrize("objective", ["dm", "dance"])
def test_a_chart_that_may_be_constant_says_why(tmp_path, objective):
    told = {}
    with monitor_of(tmp_path, iterations=3, objective=objective) as monitor:
        monitor.summaries.scalars = lambda step, values, text=None: told.update(
            text or {}
        )
        monitor.after_block(BlockReport(2, np.ones([1, 2]), np.ones(1), 0.5))
    assert "0-255 scale" in told["image/min"]
    assert ("clips its images" in told["image/max"]) == (objective == "dance")


def test_a_process_that_is_not_the_chief_stops_only_with_all_others():
    stop = StopRequest()
    stop.note(signal.SIGTERM)
    with SilentMonitor(stop) as monitor:
        monitor.after_block(None)  # The others do not know of the signal yet.
        stop.share(True)
        with pytest.raises(InterruptedRunError):
            monitor.after_block(None)


NEVER = {"picture_every": 0, "checkpoint_every": 8, "eval_every": 0}


@pytest.mark.parametrize(
    ("settings", "iterations"),
    [
        (NEVER, [8, 9]),
        (NEVER | {"picture_every": 3}, [3, 6, 8, 9]),
        (NEVER | {"checkpoint_every": 4}, [4, 8, 9]),
        (NEVER | {"eval_every": 5, "validation_fraction": 0.2}, [5, 8, 9]),
        (NEVER | {"analysis_every": 7, "analysis": True}, [7, 8, 9]),
    ],
)
def test_images_are_gathered_only_where_somebody_reads_them(
    tmp_path, settings, iterations
):
    monitor = monitor_of(tmp_path, **settings)
    assert [i for i in range(1, 10) if monitor.reads_images(i)] == iterations
    monitor._stop.note(signal.SIGTERM)
    assert monitor.reads_images(1)
    monitor._stop.signal = None
    monitor._saved_at -= 601  # Seconds.
    assert monitor.reads_images(1)


def test_a_signal_after_the_images_were_not_gathered_waits_for_the_next_block(tmp_path):
    whole, saved = [False], []
    report = BlockReport(1, np.ones([1, 2]), np.ones(1), 0.5, np.array([1.0, 2.0]))
    with monitor_of(tmp_path, is_whole=lambda: whole[0], **NEVER) as monitor:
        monitor._checkpoints.save = lambda iteration, seconds: saved.append(iteration)
        monitor._stop.note(signal.SIGTERM)
        monitor.after_block(report)
        assert not saved
        whole[0] = True
        with pytest.raises(InterruptedRunError):
            monitor.after_block(report)
    assert saved == [1]
    # What devices told of their images, which nobody gathered.
    assert read_values(tmp_path / "tensorboard")["image/max"] == {1: 2.0}
