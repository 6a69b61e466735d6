"""The script for GPU machines, as far as a CPU goes: dry run and arithmetic."""

import importlib
import json
import pathlib

import pytest

FOLDER = pathlib.Path(__file__).parents[1] / "benchmarks"
CLOSE = {"loss": 1e-6, "gradient": 1e-6, "limits": [1e-4, 1e-4], "ok": True}


@pytest.fixture
def benchmark(monkeypatch):
    """Returns a function that imports a module from beside the script."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def dry_run(gpu, folder, *stages):
    """Returns the results of stages on the CPU."""
    words = [f"--output={folder}", "--dry", "--objectives=dm"]
    assert gpu.main([*words, f"--stages={','.join(stages)}"]) == 0
    found = json.loads((folder / "gpu.json").read_text())
    assert list(found) == [*stages, "summary"]
    return found


# Four steps are traced, of several seconds each.
@pytest.mark.stress
def test_a_dry_run_checks_the_cpu_against_itself(benchmark, tmp_path):
    found = dry_run(benchmark("gpu"), tmp_path, "check")["check"]
    # Another result would be a fault of the comparison.
    errors = found["dm hyperbolic"]["float32"]
    assert errors["ok"]
    assert errors["loss"] == errors["gradient"] == 0.0
    assert found["dm twice"]["same images"]


@pytest.mark.slow
def test_a_dry_run_goes_through_the_other_stages(benchmark, tmp_path, capsys):
    gpu = benchmark("gpu")
    others = [name for name in gpu.SHARES if name != "check"]
    found = dry_run(gpu, tmp_path, *others)
    step = found["time"]["dm ipc 1 float32 jit_compile=off"]
    assert step["seconds of an iteration"] > 0
    assert step["traces"] == 1
    assert found["roofline"]["floors ipc 1 float32, s"]["product"] > 0
    command = found["cells"]["cifar10_ipc10 euclidean"]["command"]
    assert command[:2] == ["-m", "hdd_tf.main"]
    assert "--geometry=euclidean" in command
    assert "dm ipc 1 float32 jit_compile=off over its floor" in str(found["summary"])
    assert "time: dm ipc 1 float32" in capsys.readouterr().out


def test_a_stage_out_of_time_says_what_it_leaves_out(benchmark, tmp_path):
    plan = benchmark("gpu_plan")
    stage = plan.Stage("time", tmp_path / "gpu.json", 0.0)
    later = plan.Stage("torch", tmp_path / "gpu.json", 60.0)
    assert stage.is_over("dm ipc 50")
    assert not later.is_over("ipc 1")
    left_out = "left out for want of time, from here on"
    assert plan.read_results(tmp_path / "gpu.json") == {
        "time": {left_out: "dm ipc 50"},
        "torch": {},
    }


def test_work_of_a_published_step(benchmark):
    plan = benchmark("gpu_plan").plan_of(False, "GPU:0", (), (), "")
    flops, moved = benchmark("gpu_timing").step_work(plan, 2560, 100)
    # 3 x 3 kernels on 32, 16 and 8 pixels a side, two FLOPs for a product and its sum.
    products = 9 * 128 * (3 * 1024 + 128 * 256 + 128 * 64)
    assert flops == 2 * products * (2560 + 2 * 100)
    values = 1024 * (3 + 288) + 256 * (128 + 288) + 64 * (128 + 288)
    assert moved == 4 * values * (2560 + 3 * 100)


def test_ratios_pair_the_same_case(benchmark):
    summary = benchmark("gpu_summary")
    results = {
        "time": {
            "draw": {"seconds of a batch": 1.0},
            "dm ipc 10 tf32 jit_compile=on": {"seconds of an iteration": 0.01},
            "dm ipc 1 tf32 jit_compile=on": {"failed": "no memory"},
            "idm ipc 10 tf32 jit_compile=on": {"seconds of an iteration": 9.0},
        },
        "torch": {
            "version": "2",
            "ipc 10 tf32": {"seconds": 0.05},
            "ipc 10 tf32 channels-last": {"seconds": 0.04},
            "ipc 10 float32": {"seconds": 9.0},
        },
        "roofline": {"floors ipc 10 tf32, s": {"product": 0.002, "memory": 0.004}},
    }
    ours = "dm ipc 10 tf32 jit_compile=on"
    assert summary.ratios(results) == {
        f"PyTorch ipc 10 tf32 over {ours}": 5.0,
        f"PyTorch ipc 10 tf32 channels-last over {ours}": 4.0,
        f"{ours} over its floor": 2.5,
    }


def test_checks_out_of_their_limits_are_named(benchmark):
    found = {"tf32": CLOSE, "bfloat16": CLOSE | {"ok": False}}
    results = {"check": {"machine": {"card": "A"}, "dm hyperbolic": found}}
    assert benchmark("gpu_summary").out_of_limits(results) == ["dm hyperbolic bfloat16"]


def test_what_differs_between_two_runs_is_said(benchmark):
    differences = benchmark("gpu_checks").differences
    run = {"losses": [[1.0, 2.0], [3.0, 4.0]], "images": "a"}
    again = {"losses": [[1.0, 2.0], [3.0, 4.5]], "images": "b"}
    assert differences(run, run)["same losses"]
    found = differences(run, again)
    assert not found["same images"]
    assert found["first iteration of another loss"] == 1
    assert found["largest relative difference of losses"] == 0.125


@pytest.mark.parametrize(
    ("word", "said"),
    [("--stages=chek", "chek is none of check"), ("--cells=c_ipc2", "no flag file")],
)
def test_unknown_names_end_before_work(benchmark, tmp_path, capsys, word, said):
    with pytest.raises(SystemExit) as end:
        benchmark("gpu").main([f"--output={tmp_path / 'new'}", word])
    assert end.value.code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
