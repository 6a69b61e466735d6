"""Says whether seeded runs still give the images and scores that they once gave.

    python benchmarks/seeded_runs.py --place /tmp/now
    python benchmarks/seeded_runs.py --place /tmp/then --record [--runs ...]

Small runs of the command on the embedded digits: every method, and DM in every form,
with banks, two devices, blocks, two experiments, and stopped and going on.
What they wrote is compared with `seeded_runs.json`: the images and velocities of the
last checkpoint, the bytes of the exported files in all encodings, accuracies and
analysis. On the processor and with the TensorFlow of a run's record all is equal to the
bit; elsewhere libraries sum in another order, and the images of these few iterations
are compared with `seeded_runs.npz` up to `TOLERANCE`, but for the share of pixels in
`FURTHER`.
"""

import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
RECORD, IMAGES = HERE / "seeded_runs.json", HERE / "seeded_runs.npz"
# Of the largest value: other processors, a few iterations later.
TOLERANCE = 1e-3
# Share of pixels that may be further from the record of another processor, since
# rounding moves them: on an AMD EPYC with AVX2 alone .6, .0003, .086 and .039 of all,
# by up to .16. The programs that made the record (95d81038a1, c81dfb1d88) give there
# what 159fde1 gives, to 3.2e-6.
FURTHER = {
    "dm_plain_network": 0.65, "dance_euclidean": 0.001, "dsdm": 0.1, "gvbsm": 0.05
}  # fmt: skip
SMALL = [
    "--dataset=digits", "--width=8", "--depth=2", "--real_batch=12", "--iterations=6",
    "--image_lr=0.3", "--loss_weight=20", "--curvature=-0.5", "--steps_per_call=2",
    "--checkpoint_every=3", "--num_eval=1", "--eval_epochs=6", "--whole_epochs=1",
    "--coreset_epochs=2", "--encoder_epochs=1", "--analysis_images=30", "--ipc=2",
    "--expert_dir=experts", "--noprogress", "--classes=0,1,2,3", "--noanalysis",
]  # fmt: skip
_IDM = [
    "--objective=idm", "--ipc=1", "--idm_pool_start=1", "--idm_pool_size=3",
    "--idm_join_every=2", "--idm_reset_every=4", "--idm_train_steps=2",
    "--idm_train_batch=16",
]  # fmt: skip
_DANCE = ["--objective=dance", "--ipc=1", "--num_experts=2", "--pretrain_epochs=2"]
_LIFE = ["--dc_updates=2", "--dc_epochs=1", "--dc_batch=8"]
_TRAJECTORIES = [
    "--trajectory_experts=2", "--trajectory_epochs=3", "--trajectory_batch=16",
    "--trajectory_bound=2", "--trajectory_span=1", "--student_steps=3",
]  # fmt: skip
_D4M = [
    "--objective=d4m", "--d4m_width=8", "--d4m_updates=4", "--d4m_batch=16",
    "--d4m_steps=4", "--d4m_strength=0.5", "--d4m_teacher_epochs=1",
    "--d4m_autoencoder_width=8", "--d4m_autoencoder_epochs=1",
]  # fmt: skip
_CHOOSING = ["--select=best_validation", "--eval_every=3"]
# The starts of each run; of several, the later ones go on.
# fmt: off
RUNS = {
    "dm_hyperbolic": [["--analysis"]],
    "dm_euclidean": [["--geometry=euclidean", "--baselines=random,whole"]],
    "dm_project": [["--lift=project", "--max_tangent_norm=0", "--init=noise"]],
    "dm_bank": [["--real_bank_size=4"]],
    "dm_bank_all": [["--real_bank_size=3", "--bank_over=all", "--bank_dir=banks"]],
    "dm_two_devices": [["--num_virtual_devices=2"]],
    "dm_blocks": [["--max_images_per_forward=7"]],
    "dm_resumed": [["--iterations=4"], []],
    "dm_two_experiments": [["--num_experiments=2"]],
    "dm_plain_network": [["--norm=group", "--pooling=max", "--keep_fraction=0.5"]],
    "idm": [[*_IDM, *_CHOOSING]],
    "idm_euclidean": [[*_IDM, "--geometry=euclidean", "--num_virtual_devices=2"]],
    "dance": [[*_DANCE, "--analysis"]],
    "dance_euclidean": [[*_DANCE, "--geometry=euclidean", "--formation_factor=3"]],
    "dc": [["--objective=dc", *_LIFE, "--geometry=euclidean"]],
    "dsa_hyperbolic": [["--objective=dsa", *_LIFE]],
    "dcc": [
        [
            "--objective=dcc", *_LIFE, "--dcc_outer_warmup=1", "--dcc_inner_warmup=1",
            "--geometry=euclidean",
        ]
    ],
    "m3d": [["--objective=m3d", "--geometry=euclidean"]],
    "datadam_hyperbolic": [["--objective=datadam"]],
    "dsdm": [
        [
            "--objective=dsdm", "--dsdm_networks=2", "--dsdm_epochs=1",
            "--dsdm_prototype_after=2", "--geometry=euclidean",
        ]
    ],
    "iid_hyperbolic": [
        [
            *_IDM, "--objective=iid", "--iid_network=convnet", "--iid_networks=1",
            "--iid_epochs=1",
        ]
    ],
    "cafe": [
        [
            "--objective=cafe", "--cafe_max_updates=2", "--cafe_max_epochs=2",
            "--cafe_test_images=8", "--geometry=euclidean",
        ]
    ],
    "mtt_hyperbolic": [["--objective=mtt", *_TRAJECTORIES]],
    "datm": [["--objective=datm", *_TRAJECTORIES, "--geometry=euclidean"]],
    "gvbsm": [
        [
            "--objective=gvbsm", "--gvbsm_pool=convnet,convnet_batch",
            "--gvbsm_epochs=1", "--gvbsm_roll=0", "--gvbsm_group=4",
        ]
    ],
    "rded": [["--objective=rded", "--rded_epochs=2", "--rded_images=20"]],
    "d4m": [[*_D4M, "--geometry=euclidean"]],
    "herding": [["--objective=herding", "--baselines=k_center,forgetting"]],
    "random": [["--objective=random", "--analysis"]],
}
# fmt: on
ENCODINGS = ("float32", "png", "png_folder", "npz", "dd_ranking")
# What differs between two runs of one program, or names its settings.
_UNLIKE = {
    "seconds", "source", "files", "versions", "sha256_of_this_object", "environment",
    "set_sha256",  # Of a description that has all of these.
}  # fmt: skip

# Read otherwise; has the version of TFDS; name their functions anew in every process.
_NO_FILES = {
    "hdd_tf.json", "dataset_info.json", "saved_model.pb", "fingerprint.pb",
}  # fmt: skip


def environment() -> dict[str, str]:
    """Returns what bits depend on, besides the program."""
    import keras
    import tensorflow as tf

    processor = ""
    if pathlib.Path("/proc/cpuinfo").exists():
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        kept = ("cpu family", "model\t", "flags")
        known = sorted({line for line in lines if line.startswith(kept)})
        processor = hashlib.sha256("\n".join(known).encode()).hexdigest()[:16]
    return {
        "processor": processor,
        "cores": str(os.cpu_count()),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }


def commit() -> str:
    """Returns the commit of this clone."""
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True
    )
    return found.stdout.strip()


def make(place: pathlib.Path, name: str) -> pathlib.Path:
    """Makes a run, unless it is there, and returns its directory."""
    for arguments in RUNS[name]:
        _call("-m", "hdd_tf.main", *SMALL, *arguments, f"--run_dir={name}", at=place)
    return place / name


def _call(*arguments: str, at: pathlib.Path) -> None:
    at.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, *arguments], cwd=at, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}:\n{done.stdout}{done.stderr}")


def describe(place: pathlib.Path, name: str) -> tuple[dict[str, Any], np.ndarray]:
    """Returns what a run has written, in checksums, and its synthetic images."""
    from hdd_tf.artifacts.sets.distilled_set import read_distilled_set
    from hdd_tf.exporting.saved_sets import load_images

    directory = place / name
    found: dict[str, Any] = {}
    runs = sorted(directory.glob("seed*")) or [directory]
    for run in runs:
        prefix = f"{run.name}/" if run != directory else ""
        if (run / "checkpoints").exists():
            pixels, iteration = load_images(run)
            found[f"{prefix}checkpoint"] = [iteration, _sum(pixels.tobytes())]
        for folder in ("synthetic", "synthetic_decoded"):
            if (run / folder).exists():
                found[f"{prefix}{folder}"] = _describe_set(run / folder)
        for file in ("result.json", "analysis.json"):
            if (run / file).exists():
                found[f"{prefix}{file}"] = _plain(json.loads((run / file).read_text()))
    if len(runs) > 1:
        found["result.json"] = _plain(
            json.loads((directory / "result.json").read_text())
        )
    if name in ("dm_hyperbolic", "dance"):
        decoded = runs[0] / "synthetic_decoded"
        stored = decoded if decoded.exists() else runs[0] / "synthetic"
        for encoding in ENCODINGS:
            copy = place / "exported" / name / encoding
            _call(
                str(HERE.parent / "export/export_tfrecord.py"), f"--set={stored}",
                f"--output_dir={copy}", f"--encoding={encoding}", "--overwrite",
                at=place,
            )  # fmt: skip
            found[f"exported {encoding}"] = _describe_set(copy)
    return found, read_distilled_set(runs[0]).images


def _describe_set(directory: pathlib.Path) -> dict[str, Any]:
    files = {
        path.relative_to(directory).as_posix(): _sum(path.read_bytes())
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name not in _NO_FILES
    }
    return {
        "files": files,
        "hdd_tf.json": _plain(json.loads((directory / "hdd_tf.json").read_text())),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k not in _UNLIKE}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def differences(name: str, found: Any, recorded: Any) -> list[str]:
    """Names every value that is not as it was recorded."""
    if isinstance(found, dict) and isinstance(recorded, dict):
        return [
            line
            for key in sorted(found.keys() | recorded.keys())
            for line in differences(f"{name} {key}", found.get(key), recorded.get(key))
        ]
    return [] if found == recorded else [f"{name}: {found!r}, recorded {recorded!r}"]


def check(place: pathlib.Path, names: list[str]) -> list[str]:
    """Makes runs, and says what of them is not as recorded."""
    recorded = json.loads(RECORD.read_text())
    here, lines = environment(), []
    to_the_bit = [name for name in names if recorded["environments"][name] == here]
    with np.load(IMAGES) as images:
        for name in names:
            make(place, name)
            found, synthetic = describe(place, name)
            errors = np.abs(synthetic - images[name]) / np.abs(images[name]).max()
            further = (errors > TOLERANCE).mean()
            said = f"{name}: images differ by {errors.max():.1e} of the largest"
            if further:
                said += f", {further:.2g} of their pixels by more than {TOLERANCE}"
            print(said, flush=True)
            # NaN is no number within it.
            if not errors.max() < np.inf or further > FURTHER.get(name, 0):
                lines.append(said)
            if name in to_the_bit:
                lines += differences(name, found, recorded["runs"][name])
    others = [name for name in names if name not in to_the_bit]
    for compared, how in (
        (to_the_bit, "to the bit"),
        (others, f"to {TOLERANCE}, on another machine"),
    ):
        commits = sorted({recorded["commits"][name][:10] for name in compared})
        if commits:
            print(f"{len(compared)} compared {how} with what {', '.join(commits)} gave")
    return lines


def record(place: pathlib.Path, names: list[str]) -> None:
    """Makes runs and writes down what they gave; other runs keep their record."""
    runs, images, commits, environments = {}, {}, {}, {}
    if len(names) < len(RUNS):
        recorded = json.loads(RECORD.read_text())
        runs, commits = recorded["runs"], recorded["commits"]
        environments = recorded["environments"]
        with np.load(IMAGES) as stored:
            images = dict(stored)
    for name in names:
        make(place, name)
        runs[name], images[name] = describe(place, name)
        commits[name], environments[name] = commit(), environment()
        print(name, flush=True)
    content = {"commits": commits, "environments": environments, "runs": runs}
    RECORD.write_text(json.dumps(content, indent=1) + "\n")
    np.savez_compressed(IMAGES, **images)


def main() -> int:
    """Runs the program and returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--place", type=pathlib.Path, required=True)
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    if arguments.record:
        record(arguments.place, arguments.runs)
        return 0
    lines = check(arguments.place, arguments.runs)
    print("\n".join(lines) or "no difference")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
