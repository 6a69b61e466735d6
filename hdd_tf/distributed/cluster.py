"""The workers of `TF_CONFIG`: their addresses, and the wait until all listen."""

import dataclasses
import json
import os
import re
import socket
import time
from typing import Any

from hdd_tf.errors import InputError, one_line

_ADDRESS = re.compile(r"\[?([^\s\[\]/]+?)\]?:([1-9]\d{0,4})")
_SECONDS_BETWEEN_TRIES = 0.2
_SECONDS_BEFORE_A_WORD = 5.0
_SECONDS_BETWEEN_WORDS = 30.0


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of a run on several machines.

    Attributes:
        workers: Host and port of each worker.
        index: Index of this process among the workers.
    """

    workers: tuple[tuple[str, int], ...]
    index: int


def read_cluster() -> Cluster | None:
    """Returns the workers of `TF_CONFIG`; None if it names fewer than two.

    Raises:
        InputError: `TF_CONFIG` cannot be read, or contains an unsupported task.
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return None
    advice = 'give {"cluster": {"worker": ["host:port", ...]}, "task": {"type": '
    advice += '"worker", "index": N}}, or unset it.'
    try:
        content = json.loads(text)
        cluster = content.get("cluster") or {}
        workers = cluster.get("worker") or []
        task = content.get("task") or {}
        alone = len(workers) < 2 and set(cluster) <= {"worker"}
        matches = [_ADDRESS.fullmatch(address) for address in workers]
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"TF_CONFIG cannot be read: {advice}") from error
    index: Any = task.get("index")
    in_range = type(index) is int and 0 <= index < len(workers)
    # A task that is not of the cluster waits for others that were left out of it.
    is_worker = task.get("type") == "worker" and in_range
    if alone and (not task or not workers or is_worker):
        return None
    if set(cluster) != {"worker"} or not is_worker:
        raise InputError(f"TF_CONFIG must name workers, and this task as one: {advice}")
    addresses = tuple((match[1], int(match[2])) for match in matches if match)
    if len(set(addresses)) < len(workers) or any(p > 65535 for _, p in addresses):
        raise InputError(
            f"TF_CONFIG must give each worker an address of its own: {advice}"
        )
    return Cluster(addresses, index)


def wait_until_all_listen(cluster: Cluster) -> None:
    """Waits until every worker listens at its address; prints the missing ones.

    TensorFlow would wait too, but its wait keeps Python from handling signals.

    Args:
        cluster: The workers.

    Raises:
        InputError: this process cannot listen at its own address.
    """
    port = cluster.workers[cluster.index][1]
    dual = socket.has_dualstack_ipv6()
    try:
        # The system completes connections by itself, so nothing needs to be accepted.
        listener = socket.create_server(
            ("", port),
            family=socket.AF_INET6 if dual else socket.AF_INET,
            backlog=max(128, len(cluster.workers)),
            dualstack_ipv6=dual,
        )
    except OSError as error:
        raise InputError(
            f"worker {cluster.index} of TF_CONFIG cannot listen on port {port} "
            f"({one_line(error)}): end what uses it, or give it another one."
        ) from error
    missing = [i for i in range(len(cluster.workers)) if i != cluster.index]
    next_word = time.monotonic() + _SECONDS_BEFORE_A_WORD
    with listener:
        while True:
            missing = [i for i in missing if not _listens(cluster.workers[i])]
            if not missing:
                return
            if time.monotonic() > next_word:
                next_word += _SECONDS_BETWEEN_WORDS
                host, first = cluster.workers[missing[0]]
                more = f" and {len(missing) - 1} more" * (len(missing) > 1)
                print(
                    f"waiting for worker {missing[0]} of TF_CONFIG at {host}:{first}"
                    f"{more}",
                    flush=True,
                )
            time.sleep(_SECONDS_BETWEEN_TRIES)


def _listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=2).close()
    except OSError:  # A host name that does not resolve yet raises it too.
        return False
    return True
