"""The last stage of `gpu.py`: published cells at full budget, while time remains."""

import json
import pathlib
import signal
import subprocess
import sys
from typing import Any

from gpu_plan import Plan, Stage

from hdd_tf.settings.matching import GEOMETRIES

FLAGS = pathlib.Path(__file__).resolve().parents[1] / "flags"
# A stopped run saves its state.
_SECONDS_TO_STOP = 40


def run_cells(plan: Plan, stage: Stage, place: pathlib.Path) -> None:
    """Runs every cell in each geometry, and notes its `result.json`.

    Args:
        plan: The plan, with the names of the cells.
        stage: The stage.
        place: Directory of the run directories; the same command goes on there.
    """
    for cell in plan.cells:
        for geometry in GEOMETRIES:
            name = f"{cell} {geometry}"
            if stage.is_over(name):
                return
            run_dir = place / name.replace("/", "_").replace(" ", "_")
            command = command_of(plan, cell, geometry, run_dir)
            if plan.dry:
                stage.note(name, {"command": command[1:]})
            else:
                stage.note(
                    name, run_cell(command, run_dir, stage.left - _SECONDS_TO_STOP)
                )


def command_of(
    plan: Plan, cell: str, geometry: str, run_dir: pathlib.Path
) -> list[str]:
    """Returns the command of a cell in a geometry.

    Plain methods have a flag file of their own where their settings differ.
    """
    own = FLAGS / f"{cell}_{geometry}.cfg"
    chosen = [f"--flagfile={own}"]
    if not own.is_file():
        chosen = [f"--flagfile={FLAGS / cell}.cfg", f"--geometry={geometry}"]
    if plan.data_dir:
        chosen.append(f"--data_dir={plan.data_dir}")
    more = ["--noanalysis", "--noprogress", "--checkpoint_every=1000"]
    program = [sys.executable, "-m", "hdd_tf.main"]
    return [*program, *chosen, *more, f"--run_dir={run_dir}"]


def run_cell(command: list[str], run_dir: pathlib.Path, limit: float) -> dict[str, Any]:
    """Runs a command, stops it at its limit, and returns what it found.

    Args:
        command: Command of the run.
        run_dir: Its run directory.
        limit: Seconds that it has.
    """
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    log = run_dir.with_suffix(".log")
    with log.open("a") as file:
        process = subprocess.Popen(
            command, cwd=FLAGS.parent, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            process.wait(max(1.0, limit))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    result = run_dir / "result.json"
    if result.is_file():
        return {"result": json.loads(result.read_text("utf-8"))}
    last = log.read_text("utf-8", "replace").strip().splitlines()[-1:]
    return {"not finished, exit code": process.returncode, "last line": last}
