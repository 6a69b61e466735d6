r"""Runs a command within a bound of memory, which the kernel keeps; says what it takes.

    python benchmarks/bounded_memory.py --bound 750 -- COMMAND
    python benchmarks/bounded_memory.py --bound 750 --kill_line decoding \
        --kill_after 60 -- COMMAND
    python benchmarks/bounded_memory.py --bound 750 \
        --kill_file 'run/checkpoints/iteration-3.sha256*' -- COMMAND

The command gets a control group of its own (version 1 or 2, for which one must be
root), whose bound counts pages of files too, as that of a container does. Beside each
line that the command prints stand the largest numbers since the line before, in MiB:
`own`, memory of the process itself; `files`, pages of files that the kernel keeps and
gives up where memory is wanted; `kernel`. With `--kill_line` or `--kill_file` the
command gets SIGKILL so many seconds after it has printed a text, or as soon as there is
a file.
"""

import argparse
import glob
import itertools
import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

_ROOT = pathlib.Path("/sys/fs/cgroup")
_SECONDS_BETWEEN_LOOKS = 0.1
_NUMBERS = itertools.count()


class Group:
    """A control group with a bound of memory; a context, which makes and removes it.

    Args:
        bound: Bytes; None for no bound.

    Raises:
        OSError: on entering, where no group can be made.
    """

    def __init__(self, bound: int | None) -> None:
        self._bound = bound
        self._is_first_version = (_ROOT / "memory" / "cgroup.procs").exists()
        parent = _ROOT / "memory" if self._is_first_version else _ROOT
        self._place = parent / f"hdd_tf_{os.getpid()}_{next(_NUMBERS)}"

    def __enter__(self) -> Self:
        if not self._is_first_version:
            # Otherwise the group has no bound of memory.
            (_ROOT / "cgroup.subtree_control").write_text("+memory")
        self._place.mkdir()
        if self._bound is not None:
            names = ("memory.max", "memory.limit_in_bytes")
            (self._place / names[self._is_first_version]).write_text(str(self._bound))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for _ in range(100):  # The kernel may still count who has just ended.
            try:
                self._place.rmdir()
                return
            except OSError:
                time.sleep(0.1)

    def command(self, command: Sequence[str]) -> list[str]:
        """Returns a command that runs another one within the group."""
        join = 'echo $$ > "$0" && exec "$@"'
        return ["sh", "-c", join, str(self._place / "cgroup.procs"), *command]

    def taken(self) -> dict[str, int]:
        """Returns the bytes that the group has: `own`, `files` and `kernel`."""
        lines = (self._place / "memory.stat").read_text(encoding="ascii").splitlines()
        stat = {name: int(value) for name, value in map(str.split, lines)}
        if not self._is_first_version:
            return {
                "own": stat["anon"],
                "files": stat["file"],
                "kernel": stat["kernel"],
            }
        kernel = (self._place / "memory.kmem.usage_in_bytes").read_text()
        return {"own": stat["rss"], "files": stat["cache"], "kernel": int(kernel)}


class Watched:
    """A command in a group, with what it took since somebody last asked.

    Args:
        group: The group.
        command: The command.
        kill_file: Pattern of a file whose appearance kills the command; or empty.
    """

    def __init__(
        self, group: Group, command: Sequence[str], kill_file: str = ""
    ) -> None:
        self._group, self._kill_file = group, kill_file
        self._kill_at = float("inf")
        self._peaks: dict[str, int] = {}
        self.child = subprocess.Popen(
            group.command(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def kill_after(self, seconds: float) -> None:
        """Kills the command so many seconds from now."""
        self._kill_at = time.monotonic() + seconds

    def peaks(self) -> dict[str, int]:
        """Returns the largest numbers of `Group.taken` since the last call."""
        found, self._peaks = self._peaks, {}
        return found

    def join(self) -> int:
        """Waits for the command's end, and returns its exit code."""
        code = self.child.wait()
        self._thread.join()
        return code

    def _watch(self) -> None:
        while self.child.poll() is None:
            for name, value in self._group.taken().items():
                self._peaks[name] = max(self._peaks.get(name, 0), value)
            appeared = self._kill_file and glob.glob(self._kill_file)
            if appeared or time.monotonic() > self._kill_at:
                self.child.kill()
            time.sleep(_SECONDS_BETWEEN_LOOKS)


def main() -> None:
    """Runs the command of the command line, and exits as it does."""
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--bound", type=int, help="MiB; without it there is none")
    parser.add_argument("--kill_line", help="text of a line of the command")
    parser.add_argument("--kill_after", type=float, default=0.0, help="seconds later")
    parser.add_argument("--kill_file", default="", help="pattern of a file")
    given, command = parser.parse_args(words[:cut]), words[cut + 1 :]
    if not command:
        parser.error("give a command behind --")
    began, largest = time.monotonic(), 0
    bound = None if given.bound is None else given.bound * 2**20
    with Group(bound) as group:
        watched = Watched(group, command, given.kill_file)
        assert watched.child.stdout is not None
        for line in itertools.chain(watched.child.stdout, [""]):
            if not line:
                code = watched.join()
                line = f"exit code {code}"
            peaks = watched.peaks()
            largest = max(largest, peaks.get("own", 0))
            told = " ".join(f"{name} {v / 2**20:.0f}" for name, v in peaks.items())
            seconds = time.monotonic() - began
            print(f"{seconds:7.1f} s  [{told}]  {line.rstrip()}", flush=True)
            if given.kill_line and given.kill_line in line:
                watched.kill_after(given.kill_after)
    print(f"own memory at most {largest / 2**20:.0f} MiB", flush=True)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
