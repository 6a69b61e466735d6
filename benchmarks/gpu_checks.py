"""The first stage of `gpu.py`: what the card is, and whether it computes right.

python benchmarks/gpu_checks.py OBJECTIVE DEVICE     (a run with op determinism)
"""

import hashlib
import json
import pathlib
import platform
import subprocess
import sys
from typing import Any

import numpy as np
import tensorflow as tf
from gpu_plan import Plan, Stage, plan_of
from workloads import random_dataset

from hdd_tf.config import Config
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.distributed.precision import computing_in
from hdd_tf.methods.registry import METHODS
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.building import build_step

# Largest relative error (2-norm) of losses and of the images' gradient against float32
# on the CPU. TensorFloat-32 has 10 bits of mantissa, and rounds the synthetic side too,
# where units beside the kink of ReLU fall on its other side. bfloat16 has 8 bits, in
# the features of real images alone.
TOLERANCES = {
    "float32": (1e-4, 1e-4), "tf32": (1e-2, 0.15), "bfloat16": (3e-2, 0.05),
}  # fmt: skip


def check(plan: Plan, stage: Stage) -> None:
    """Notes the card and its versions, values and gradients, and what repeats."""
    stage.note("machine", machine(plan.device))
    for objective in plan.objectives:
        has_several = METHODS[objective].has_geometry
        for geometry in plan.geometries if has_several else plan.geometries[:1]:
            name = f"{objective} {geometry}"
            if stage.is_over(name):
                return
            stage.note(name, against_cpu(plan, objective, geometry))
    for objective in plan.objectives:
        if stage.is_over(f"{objective} twice"):
            return
        run = repeated(plan, objective)
        again = repeated(plan, objective)
        stage.note(f"{objective} twice", differences(run, again))
        if not plan.dry:  # It cannot be switched off again in a process.
            found = deterministic(plan, objective, max(1.0, stage.left))
            stage.note(f"{objective} twice, op determinism", found)


def machine(device: str) -> dict[str, Any]:
    """Returns the card, its driver, and the versions of TensorFlow and CUDA."""
    build = tf.sysconfig.get_build_info()
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "built for cuda": build.get("cuda_version", "none"),
        "built for cudnn": build.get("cudnn_version", "none"),
        "devices": [d.name for d in tf.config.list_logical_devices()],
    }
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus or not device.startswith("GPU"):
        return found
    details = tf.config.experimental.get_device_details(gpus[0])
    found["card"] = details.get("device_name")
    found["compute capability"] = details.get("compute_capability")
    query = "--query-gpu=name,driver_version,memory.total"
    command = ["nvidia-smi", query, "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        found["nvidia-smi"] = done.stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        found["nvidia-smi"] = str(error)
    return found


def small_step(
    plan: Plan, objective: str, device: str, geometry: str, precision: str
) -> DistillationStep:
    """Returns a step of small shapes on a device, with untrained experts."""
    shape, classes = (16, 16, 3), 3
    config = Config(
        dataset="arrays", objective=objective, geometry=geometry, ipc=2, real_batch=32,
        width=plan.checked_width, depth=plan.checked_depth, dsa=plan.checked_dsa,
        num_experts=2, idm_train_batch=32, idm_train_steps=3, precision=precision,
    )  # fmt: skip
    dataset = random_dataset(classes, 64, shape)
    network = matched_network(config, shape, classes)
    strategy = tf.distribute.OneDeviceStrategy(device)
    return build_step(MethodContext(config, dataset, network, strategy, dry_run=True))


def against_cpu(plan: Plan, objective: str, geometry: str) -> dict[str, Any]:
    """Returns the relative errors of an iteration in each precision.

    Args:
        plan: The plan, with the device and the precisions.
        objective: Name of the method.
        geometry: Name of the geometry.
    """

    def values(device: str, precision: str) -> tuple[np.ndarray, np.ndarray]:
        # Without a device of its own, what is not the replica's would go to a GPU.
        with computing_in(precision), tf.device(device):
            step = small_step(plan, objective, device, geometry, precision)
            losses = step.run(0, 1)["loss_per_class"].numpy()
        # After the first iteration, the velocity is the sum of its gradients.
        state = step.method.state()
        moved = state.get("velocity", step.method.synthetic_set.images)
        return losses, tf.convert_to_tensor(moved).numpy()

    exact = values("CPU:0", "float32")
    found = {}
    for precision in plan.precisions:
        pairs = zip(values(plan.device, precision), exact, strict=True)
        loss, gradient = (
            float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in pairs
        )
        limits = TOLERANCES[precision]
        found[precision] = {
            "loss": loss,
            "gradient": gradient,
            "limits": limits,
            "ok": loss <= limits[0] and gradient <= limits[1],
        }
    return found


def repeated(plan: Plan, objective: str) -> dict[str, Any]:
    """Returns the losses and a checksum of the images of a seeded run in float32."""
    with computing_in("float32"):
        step = small_step(plan, objective, plan.device, plan.geometries[0], "float32")
        losses = step.run(0, plan.repeats)["loss_per_class"].numpy()
    images = step.method.synthetic_set.images.numpy()
    return {
        "losses": losses.tolist(),
        "images": hashlib.sha256(images.tobytes()).hexdigest(),
    }


def differences(run: dict[str, Any], again: dict[str, Any]) -> dict[str, Any]:
    """Says whether two runs have the same bits, and what differs."""
    first, second = (np.array(each["losses"]) for each in (run, again))
    unlike = np.flatnonzero((first != second).any(axis=1))
    error = np.abs(first - second).max() / np.abs(first).max()
    return {
        "same images": run["images"] == again["images"],
        "same losses": not len(unlike),
        "first iteration of another loss": int(unlike[0]) if len(unlike) else None,
        "largest relative difference of losses": float(error),
    }


def deterministic(plan: Plan, objective: str, limit: float) -> dict[str, Any]:
    """Returns `differences` of two processes with TensorFlow's op determinism.

    Args:
        plan: The plan.
        objective: Name of the method.
        limit: Seconds that each process has.
    """
    command = [sys.executable, str(pathlib.Path(__file__).resolve())]
    command += [objective, plan.device]
    runs = []
    for _ in range(2):
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=limit
            )
        except subprocess.TimeoutExpired:
            return {"failed": "no time left"}
        if done.returncode:
            # An operation without a deterministic kernel is named in the last line.
            return {"failed": done.stderr.strip().splitlines()[-1:]}
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return differences(*runs)


if __name__ == "__main__":
    tf.random.set_seed(0)
    tf.config.experimental.enable_op_determinism()
    own = plan_of(False, sys.argv[2], (), (), "")
    print(json.dumps(repeated(own, sys.argv[1])))
