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
from hdd_tf.running.loop import StopRequest
from hdd_tf.running.monitor import RunMonitor, SilentMonitor


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


def test_what_an_analysis_leaves_in_circles_is_freed_at_once(tmp_path, uncollected):
    config = Config(dataset="digits", iterations=9, analysis_every=2, progress=False)
    grey = Normalisation((0.5,), (0.5,))
    synthetic_set = SyntheticSet(np.zeros((2, 1, 8, 8, 1), np.float32), grey)
    directory = RunDirectory(tmp_path)
    images = np.arange(128, dtype=np.uint8).reshape(2, 8, 8, 1)
    dataset = dataset_from_arrays(images, np.arange(2))
    experiment = RunContext.build(config, dataset, directory=directory)
    seen = []
    with RunMonitor(
        run=experiment,
        checkpoints=DistillationCheckpoints(
            directory.checkpoints, {"synthetic_set": synthetic_set}
        ),
        synthetic_set=synthetic_set,
        make_set=lambda: None,
        start=1,
        seconds=0.0,
        stop=StopRequest(),
        evaluate=lambda made: 0.0,
        analyse=lambda iteration, summaries: seen.append(weakref.ref(Graph())),
        trackers=(),
    ) as monitor:
        monitor.catch_up(1)
        assert not seen
        monitor.catch_up(2)
    assert len(seen) == 1 and seen[0]() is None


def test_a_process_that_is_not_the_chief_stops_only_with_all_others():
    stop = StopRequest()
    stop.note(signal.SIGTERM)
    with SilentMonitor(stop) as monitor:
        monitor.after_block(None)  # The others do not know of the signal yet.
        stop.share(True)
        with pytest.raises(InterruptedRunError):
            monitor.after_block(None)
