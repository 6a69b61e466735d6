"""Kills small real runs at random moments, again and again, and compares the results.

    python benchmarks/random_kills.py --kills 8 --seed 0 --place /tmp/kills

For each objective, for one with a bank of drawn images' summaries and one with a bank
over all images, and for two experiments of one command, a run is left alone. Then the
same command is started, killed after a random time by SIGKILL, SIGTERM or SIGINT, and
started again, until so many kills are done and it ends. After every kill all that lies
under its final name, checkpoints above all, must be what the undisturbed run has; in
the end everything must be there too, bit for bit. A tenth of the kills fall into the
start of the process; half anywhere after this start has saved a checkpoint, where all
that is written is written; and the rest anywhere after TensorFlow is up.
"""

import argparse
import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import NamedTuple

from hdd_tf.cli.tensorflow_import import import_quietly

import_quietly()

from same_run import differences, newest_checkpoints  # noqa: E402

RUN = [
    "--dataset=digits", "--width=4", "--depth=2", "--real_batch=8", "--iterations=30",
    "--image_lr=0.3", "--loss_weight=20", "--steps_per_call=3", "--checkpoint_every=2",
    "--eval_every=10", "--num_eval=2", "--eval_epochs=20", "--picture_every=10",
    "--validation_fraction=0.2", "--select=best_validation", "--analysis_every=20",
    "--analysis_images=50", "--encoder_epochs=5", "--expert_dir=experts",
    "--log_every=1", "--noprogress", "--run_dir=run",
]  # fmt: skip
COMMANDS = {
    "dm": ["--objective=dm", "--ipc=2"],
    "bank": ["--objective=dm", "--ipc=2", "--real_bank_size=13"],
    "bank_all": [
        "--objective=dm", "--ipc=2", "--real_bank_size=5", "--bank_over=all",
        "--bank_dir=banks",
    ],
    "idm": [
        "--objective=idm", "--ipc=1", "--formation_factor=2", "--idm_pool_start=1",
        "--idm_pool_size=3", "--idm_join_every=4", "--idm_reset_every=6",
        "--idm_train_steps=2", "--idm_train_batch=16",
    ],
    "dance": [
        "--objective=dance", "--ipc=1", "--num_experts=3", "--pretrain_epochs=15",
    ],
    "experiments": ["--objective=dm", "--ipc=1", "--num_experiments=2"],
}  # fmt: skip
KEEP_ALL = ["--checkpoint_every=1", "--keep_checkpoints=0"]
READY = "computing on"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
CODES = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}
STARTUP, SAVING = "starting", "saving"
PHASES = {STARTUP: 0.1, "running": 0.4, SAVING: 0.5}


class Undisturbed(NamedTuple):
    """A run that was left alone.

    Attributes:
        place: Where.
        ready: Seconds until TensorFlow was up.
        saving: Until the first checkpoint.
        seconds: In all.
    """

    place: pathlib.Path
    ready: float
    saving: float
    seconds: float


class Attempt:
    """One start of a command in a directory of its own."""

    def __init__(self, place: pathlib.Path, arguments: list[str]) -> None:
        place.mkdir(parents=True, exist_ok=True)
        self._place, self._output = place, place.with_suffix(".log")
        self._began, self._clock = time.monotonic(), time.time()
        with self._output.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hdd_tf.main", *arguments],
                cwd=place,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def text(self) -> str:
        """What it has printed."""
        return self._output.read_text()

    @property
    def seconds(self) -> float:
        """Since its start."""
        return time.monotonic() - self._began

    def wait_until_ready(self) -> None:
        """Waits until TensorFlow is up, or the process has ended."""
        while self._process.poll() is None and READY not in self.text:
            time.sleep(0.02)

    def wait_until_saving(self) -> None:
        """Waits until it has saved a checkpoint, or the process has ended."""
        while self._process.poll() is None and not self._has_saved():
            time.sleep(0.02)

    def _has_saved(self) -> bool:
        for path in self._place.rglob("iteration-*.sha256.json"):
            with contextlib.suppress(FileNotFoundError):  # It makes room for newer.
                if path.stat().st_mtime > self._clock:
                    return True
        return False

    def end(self, after: float, by: signal.Signals) -> int:
        """Sends a signal after some seconds; returns the exit code."""
        try:
            return self._process.wait(after)
        except subprocess.TimeoutExpired:
            self._process.send_signal(by)
            return self.wait()

    def wait(self) -> int:
        """Waits for the end; returns the exit code."""
        return self._process.wait(600)


def new_directory(text: str) -> pathlib.Path:
    """Returns the absolute path of a directory that is empty, or not there.

    A run that an earlier version left would be gone on with, and differ.

    Raises:
        argparse.ArgumentTypeError: something is there.
    """
    place = pathlib.Path(text).resolve()
    if place.exists() and not (place.is_dir() and not any(place.iterdir())):
        raise argparse.ArgumentTypeError(f"{text} is not empty: name a new directory")
    return place


def run_undisturbed(place: pathlib.Path, arguments: list[str]) -> Undisturbed:
    """Runs a command to its end, and keeps the checkpoint of every iteration."""
    attempt = Attempt(place, [*arguments, *KEEP_ALL])
    attempt.wait_until_ready()
    ready = attempt.seconds
    attempt.wait_until_saving()
    saving = attempt.seconds
    assert attempt.wait() == 0, attempt.text
    return Undisturbed(place, ready, saving, attempt.seconds)


def check_restart(text: str, before: dict[str, int], after: dict[str, int]) -> None:
    """Asserts that a start went on from the newest whole checkpoint, and not back."""
    gone_on = dict(re.findall(r"^(\S+) goes on from iteration (\d+)\.$", text, re.M))
    for run, iteration in before.items():
        assert after[run] >= iteration, f"{run} went back to {after[run]}"
        if run in gone_on:
            assert int(gone_on[run]) == iteration, (text, before)
        elif iteration:
            assert after[run] == iteration, f"{run} did not say that it goes on"


def window(whole: Undisturbed, phase: str) -> float:
    """Returns how long after the beginning of a phase a kill may come, at most."""
    if phase == STARTUP:
        return whole.ready
    began = whole.saving if phase == SAVING else whole.ready
    return 0.7 * (whole.seconds - began)


def kill_again_and_again(
    name: str,
    whole: Undisturbed,
    arguments: list[str],
    kills: int,
    chance: random.Random,
) -> int:
    """Kills a command so often, and compares after each kill; returns all starts."""
    done, starts, before = 0, 0, {}
    place = whole.place.with_name(f"{name}_killed")
    while True:
        attempt, starts = Attempt(place, arguments), starts + 1
        by = chance.choice(SIGNALS)
        (phase,) = chance.choices([*PHASES], [*PHASES.values()])
        share = chance.random()
        delay = share * window(whole, phase)
        if done == kills:
            code = attempt.wait()
        else:
            if phase != STARTUP:
                attempt.wait_until_ready()
            if phase == SAVING:
                attempt.wait_until_saving()
            code = attempt.end(delay, by)
        text, seconds = attempt.text, attempt.seconds
        # Python itself is not up in the first moments: the system's own way to end.
        unready = phase == STARTUP and code == -by and seconds < 0.5 * whole.ready
        assert code in (0, CODES[by]) or unready, f"exit code {code}: {text}"
        after = newest_checkpoints(place)
        check_restart(text, before, after)
        found = differences(whole.place, place, finished=code == 0)
        assert not found, "\n".join([f"after {by.name}, seed's kill {done}:", *found])
        said = ", ".join(f"{run} at {n}" for run, n in after.items()) or "nothing yet"
        how = f"{by.name} {delay:.1f} s after {phase}" if code else "ended"
        print(f"{name}: {how}: {code}; {said}")
        before = after
        done += code != 0
        if code == 0 and done == kills:
            return starts
        if code == 0:  # It was quicker than the kill: once more from the start.
            before = {}
            shutil.rmtree(place)


def main() -> None:
    """Runs, kills, compares, and counts; fails at the first difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=8, help="of each command")
    parser.add_argument("--seed", type=int, default=0, help="of moments and signals")
    parser.add_argument("--place", type=new_directory, required=True)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=[*COMMANDS])
    options = parser.parse_args()
    kills = starts = 0
    for name in options.commands:
        arguments = [*RUN, *COMMANDS[name]]
        chance = random.Random(f"{options.seed} {name}")
        whole = run_undisturbed(options.place / name, arguments)
        print(
            f"{name}: undisturbed {whole.seconds:.1f} s, {whole.ready:.1f} s to start"
        )
        starts += kill_again_and_again(name, whole, arguments, options.kills, chance)
        kills += options.kills
    print(f"{kills} kills, {starts} starts: all the same, bit for bit")


if __name__ == "__main__":
    main()
