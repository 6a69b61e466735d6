"""`--profile` records one call, and changes nothing."""

import tensorflow as tf

from hdd_tf.running.profiling import ProfiledStep


class CountingStep:
    def run(self, start, count):
        return {"gradient_norm": tf.range(start, start + count)}


def test_the_third_call_alone_is_recorded(tmp_path):
    step = ProfiledStep(CountingStep(), tmp_path)
    for call in range(4):
        assert step.run(call, 2)["gradient_norm"].numpy().tolist() == [call, call + 1]
        recorded = list(tmp_path.glob("plugins/profile/*/*.xplane.pb"))
        assert len(recorded) == (call >= 2)
