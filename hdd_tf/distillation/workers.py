"""The processes of a run on several machines: who is chief, and what they agree on.

Every process computes its share of the classes and has a copy of the whole state. Only
the chief (worker 0) writes and scores. What may differ among processes, such as whether
a signal came or how long a call should be, they agree on before they act on it: else
one of them would wait for a sum that the others never take part in.
"""

import contextlib
import json
import os
from collections.abc import Iterator

import tensorflow as tf

from hdd_tf.errors import InputError

# What collective operations end with when a process is gone.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


def several_workers() -> bool:
    """Says whether `TF_CONFIG` names more than one worker.

    Raises:
        InputError: it cannot be read, or names what this program has no use for.
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return False
    advice = 'give {"cluster": {"worker": ["host:port", ...]}, "task": {"type": '
    advice += '"worker", "index": N}}, or unset it.'
    try:
        content = json.loads(text)
        cluster = content.get("cluster") or {}
        workers = cluster.get("worker") or []
        task = content.get("task") or {}
    except (ValueError, AttributeError) as error:
        raise InputError(f"TF_CONFIG is no JSON object: {advice}") from error
    if len(workers) < 2 and set(cluster) <= {"worker"}:
        return False
    in_range = task.get("type") == "worker" and task.get("index") in range(len(workers))
    if set(cluster) != {"worker"} or not in_range:
        raise InputError(f"TF_CONFIG must name workers, and this task as one: {advice}")
    return True


class Workers:
    """The processes that share a strategy; of one process, all this is free.

    Args:
        strategy: Of the run.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        resolver = strategy.cluster_resolver
        spec = resolver.cluster_spec() if resolver else None
        self.count = spec.num_tasks("worker") if spec else 1
        self.index = resolver.task_id if self.count > 1 else 0
        self._strategy = strategy
        self._total = tf.function(
            self._sum, input_signature=[tf.TensorSpec([], tf.int64)]
        )

    @property
    def is_chief(self) -> bool:
        """Whether this process writes and scores."""
        return self.index == 0

    def any(self, flag: bool) -> bool:
        """Says whether a flag is set in any process; all have to ask."""
        return bool(self._over_processes(int(flag))) if self.count > 1 else flag

    def of_chief(self, value: int) -> int:
        """Returns the chief's value in every process; all have to ask."""
        if self.count == 1:
            return value
        return self._over_processes(value if self.is_chief else 0)

    def wait(self) -> None:
        """Waits until every process is here."""
        self.any(False)

    @contextlib.contextmanager
    def lost_ones_told(self) -> Iterator[None]:
        """Turns what TensorFlow says when a process is gone into one line.

        Raises:
            InputError: another process has ended.
        """
        try:
            yield
        except _LOST as error:
            if self.count == 1:
                raise
            raise InputError(
                "another worker of TF_CONFIG has ended or cannot be reached: see what "
                "it said, and start all of them again with the same command, which "
                "goes on from the last checkpoint."
            ) from error

    def _over_processes(self, value: int) -> int:
        total = int(self._total(tf.constant(value, tf.int64)))
        # Each of a process's replicas has given its value.
        replicas = self._strategy.num_replicas_in_sync // self.count
        return total // replicas

    def _sum(self, value: tf.Tensor) -> tf.Tensor:
        values = self._strategy.run(lambda: tf.identity(value))
        return self._strategy.reduce("SUM", values, axis=None)
