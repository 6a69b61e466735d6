"""Fills the disk under a small real run, again and again, and compares the result.

    sudo python benchmarks/full_disk.py --fills 8 --seed 0 --place /tmp/full

The run's directory is a file system in memory of its own (Linux, root). Each start
finds a random number of bytes free. It must end with exit code 2 and one line, or be
done; what it has written under a final name must be as in a run that was left alone;
and with room again the same command must come to the same end, bit for bit.
"""

import argparse
import os
import pathlib
import random
import shutil
import subprocess

from random_kills import (
    COMMANDS,
    RUN,
    Attempt,
    check_restart,
    new_directory,
    run_undisturbed,
)
from same_run import differences, newest_checkpoints

BALLAST = "ballast"


def fill(place: pathlib.Path, free: int) -> None:
    """Leaves so many bytes free on the file system of a directory."""
    state = os.statvfs(place)
    size = max(state.f_bavail * state.f_frsize - free, 1)
    with (place / BALLAST).open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def said_in_one_line(text: str) -> bool:
    """Says whether an output ends with one line for the user, and is no traceback."""
    last = text.splitlines()[-1]
    return "Traceback" not in text and last.startswith("hdd_tf: ")


def main() -> None:
    """Runs, fills, compares, and counts; fails at the first difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fills", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0, help="of the bytes left free")
    parser.add_argument("--place", type=new_directory, required=True)
    parser.add_argument("--command", choices=COMMANDS, default="idm")
    options = parser.parse_args()
    arguments = [*RUN, *COMMANDS[options.command]]
    place, chance = options.place, random.Random(options.seed)
    whole = run_undisturbed(place / "whole", arguments)
    disk = place / "disk"
    disk.mkdir()
    files = [path for path in whole.place.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) + 2**24
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], check=True
    )
    try:
        before: dict[str, int] = {}
        for _ in range(options.fills):
            # Small more often than large: what is written first is small.
            free = int(2 ** chance.uniform(12, 21))
            fill(disk, free)
            attempt = Attempt(disk, arguments)
            code, text = attempt.wait(), attempt.text
            (disk / BALLAST).unlink()
            assert code == 0 or (code == 2 and said_in_one_line(text)), (code, text)
            after = newest_checkpoints(disk)
            check_restart(text, before, after)
            found = differences(whole.place, disk, finished=code == 0)
            assert not found, "\n".join([f"with {free} bytes free:", *found])
            last = text.splitlines()[-1]
            print(f"{free:8d} bytes free: {code}, {after}, {last}", flush=True)
            before = after
            if code == 0:  # There was room enough: once more from the start.
                before = {}
                for path in disk.iterdir():
                    shutil.rmtree(path)
        attempt = Attempt(disk, arguments)
        assert attempt.wait() == 0, attempt.text
        found = differences(whole.place, disk, finished=True)
        assert not found, "\n".join(found)
    finally:
        subprocess.run(["umount", disk], check=True)
    print(f"{options.fills} full disks: all the same, bit for bit")


if __name__ == "__main__":
    main()
