"""benchmarks/bench.py measures, keeps a history, and writes it into the documents."""

import argparse
import importlib
import json
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def modules():
    """The programs, which import each other as scripts of one folder do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        names = ("bench", "bench_groups", "bench_history", "cost_curves", "timing")
        names += ("disk_curves",)
        yield {name: importlib.import_module(name) for name in names}


@pytest.fixture
def bench(modules, monkeypatch):
    # It would change how this whole process takes memory.
    monkeypatch.setattr(modules["bench"], "keep_freed_memory", lambda: None)
    return modules["bench"]


def made_up_record(**changes):
    about = {
        "cpu": "A processor", "cores": 2, "bfloat16_units": [], "tensorflow": "2.21.0",
        "torch": None, "load_at_start": 0.3, "load_at_end": 1.9,
    }  # fmt: skip
    ratios = [["step / bare", "step", "bare"], ["PyTorch / step", "torch", "step"]]
    seconds = {"step": [3.0, 4.0, 8.0], "bare": [2.0, 2.0, 2.0]}
    curve = {"x": [1, 10], "seconds": [1.0, 2.0], "sentence": "linear within 1%."}
    record = {
        "date": "2026-01-02T03:04:05+00:00", "commit": 40 * "a" + "-dirty", "rounds": 3,
        "quick": False, "quiet": True, "machine": about, "minutes": 1.25,
        "groups": [{"name": "step", "seconds": seconds, "ratios": ratios}],
        "peak_gib": {"10": 1.5}, "curves": {"classes": curve},
    }  # fmt: skip
    return record | changes


def write_history(folder, *records):
    history = folder / "history.jsonl"
    history.write_text("".join(json.dumps(record) + "\n" for record in records))
    return history


def quick_record(bench, folder, parts):
    """Returns what a quick run appends to a history that has a record."""
    history = write_history(folder, made_up_record())
    words = ["--quick", "--record", f"--parts={parts}", f"--history={history}"]
    assert bench.main(words) == 0
    first, record = map(json.loads, history.read_text().splitlines())
    assert first == json.loads(json.dumps(made_up_record()))
    assert record["quick"] and record["parts"] == parts.split(",")
    assert record["machine"]["cores"] >= 1 and record["commit"]
    times = [s for group in record["groups"] for s in group["seconds"].values()]
    assert all(len(taken) == record["rounds"] and min(taken) > 0 for taken in times)
    return record


@pytest.mark.stress
def test_a_quick_run_measures_and_is_recorded(bench, modules, tmp_path, capsys):
    record = quick_record(bench, tmp_path, "evaluation,experts")
    measured = {row[0] for row in modules["bench_history"].ratio_rows(record)}
    declared = {title for group in record["groups"] for title, *_ in group["ratios"]}
    assert {title for title in declared - measured if "PyTorch" not in title} == set()
    assert len(measured) >= 4
    assert "DANCE's expert, epoch of 4 images a class / bare" in capsys.readouterr().out


@pytest.mark.stress
def test_a_quick_run_measures_every_part(bench, modules, tmp_path):
    record = quick_record(bench, tmp_path, ",".join(bench.PARTS))
    assert len(modules["bench_history"].ratio_rows(record)) >= 10
    assert len(record["peak_gib"]) == 2 and min(record["peak_gib"].values()) > 0.1
    assert len(record["curves"]) == 3
    curves = modules["cost_curves"]
    assert curves.replicas_seconds(curves.QUICK, 2) > 0


def test_every_curve_is_measured_along_what_grows(modules, monkeypatch):
    curves, asked = modules["cost_curves"], []

    def seconds(sizes, **grown):
        asked.append(grown)
        ((name, value),) = grown.items()
        return {"side": 1e-3 * value**2, "bank": 1.0}.get(name, 1.0 * value)

    monkeypatch.setattr(curves, "step_seconds", seconds)
    monkeypatch.setattr(curves, "replicas_seconds", lambda sizes, count: 1.0 * count)
    found = curves.measure(curves.FULL)
    assert {name for grown in asked for name in grown} == {
        "ipc", "classes", "side", "bank",
    }  # fmt: skip
    said = {name: curve["sentence"].split(" ")[0] for name, curve in found.items()}
    assert said == {
        "images per class": "proportional",
        "classes": "proportional",
        "pixels of an image": "proportional",
        "replicas on the same cores": "not",
        "entries of a full bank": "constant",
    }
    assert found["pixels of an image"]["x"][0] == curves.FULL.sides[0] ** 2


def test_rounds_go_forward_and_backward_and_ratios_stay_within_them(modules):
    timing, calls = modules["timing"], []
    runs = {name: lambda name=name: calls.append(name) for name in "ab"}
    taken = timing.time_in_turn(runs, rounds=2, warm_up=1)
    assert calls == ["a", "b", "a", "b", "b", "a"]
    assert [len(seconds) for seconds in taken.values()] == [2, 2]
    assert timing.ratio([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == (2.0, 1.0, 3.0)


def test_what_is_known_last_of_each_part_is_shown_between_the_marks(bench, tmp_path):
    # The first one has a part that is measured again, and one that is not.
    seconds = {"kernel": [1.0], "all": [4.0]}
    ratios = [["k / all", "kernel", "all"]]
    other = {"name": "M3D", "seconds": seconds, "ratios": ratios}
    step = made_up_record()["groups"][0]
    records = (
        made_up_record(groups=[step, other], commit=40 * "b"),
        made_up_record(quiet=False),
        made_up_record(quick=True),
    )
    history = write_history(tmp_path, *records)
    page = tmp_path / "performance.md"
    page.write_text(
        "Before.\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nAfter.\n"
    )
    words = ["--document", f"--history={history}", f"--docs={tmp_path}"]
    for _ in range(2):  # The marks stay.
        assert bench.main(words) == 0
    text = page.read_text()
    assert text.startswith("Before.\n<!--") and text.endswith("-->\nAfter.\n")
    assert "old" not in text and "not quiet" in text and "commit aaaaaaa-dirty" in text
    row = [cell.strip() for cell in text[text.index("| step / bare") :].split("|")]
    assert row[1:6] == ["step / bare", "2.00", "1.50", "4.00", "4.000 / 2.000"]
    assert "PyTorch /" not in text and "PyTorch is not installed" in text
    assert text.count("Cost against classes: linear within 1%.") == 1
    assert text.count("costs.png") == 1 and text.count("step / bare") == 1
    assert "| k / all" in text[text.index("commit bbbbbbb") :]
    assert (tmp_path / "costs.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cpu": "Another"}, "Another, 2 cores (no bfloat16 units)"),
        ({"TF_ENABLE_ONEDNN_OPTS": "1"}, "units, TF_ENABLE_ONEDNN_OPTS=1)"),
    ],
)
def test_machines_that_differ_are_shown_beside_each_other(
    bench, modules, tmp_path, changes, said
):
    about = made_up_record()["machine"] | changes
    records = (made_up_record(), made_up_record(machine=about), made_up_record())
    shown = modules["bench_history"].shown_records(write_history(tmp_path, *records))
    assert [record["machine"] for record in shown] == [records[2]["machine"], about]
    # Memory and curves are of one machine.
    assert [bool(record["curves"]) for record in shown] == [True, False]
    assert said in modules["bench_history"].described(shown[1])[0]


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("", ["--document"], "holds no full run"),
        ("[1]\n", ["--document"], "has a line that is no record"),
        ("{\n", ["--document"], "has a line that is no record"),
        (json.dumps(made_up_record()), ["--document"], "has no lines <!-- bench"),
        ("", ["--record", "--history=/nowhere/h.jsonl"], "/nowhere cannot be written"),
    ],
)
def test_what_cannot_be_used_is_said(bench, tmp_path, capsys, text, words, said):
    (tmp_path / "history.jsonl").write_text(text)
    (tmp_path / "performance.md").write_text("No marks.")
    history = f"--history={tmp_path / 'history.jsonl'}"
    assert bench.main([history, f"--docs={tmp_path}", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert (tmp_path / "performance.md").read_text() == "No marks."


@pytest.mark.parametrize("words", [["--parts=steps"], ["--rounds=0"]])
def test_words_that_mean_nothing_are_refused(bench, capsys, words):
    with pytest.raises(SystemExit) as error:
        bench.main(words)
    assert error.value.code == 2 and words[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "constant", "said"),
    [
        ([2.0, 4.0, 8.0], False, "proportional within 0%: 2e+03 ms a class."),
        ([3.0, 4.0, 6.0], False, "linear within 0%: 2 s + 1e+03 ms a class, of which"),
        ([1.0, 2.0, 9.0], False, "not linear"),
        ([1.0, 1.1, 1.05], True, "constant within 10%"),
        ([1.0, 2.0, 4.0], True, "not constant, 1 s at 1 and 4 s at 4"),
    ],
)
def test_a_curve_is_called_what_it_is(modules, seconds, constant, said):
    sentence = modules["cost_curves"].sentence([1, 2, 4], seconds, "class", constant)
    assert sentence.startswith(said)


def test_a_bent_curve_says_where_a_unit_costs_more(modules):
    sentence = modules["cost_curves"].sentence([1, 2, 4], [1.0, 2.0, 9.0], "image")
    assert "one image more costs 1e+03 ms at the small end and 3.5e+03 ms" in sentence


@pytest.mark.stress
def test_an_iteration_on_disk_is_measured_and_drawn(modules, tmp_path):
    curves = modules["disk_curves"]
    given = argparse.Namespace(
        **{"objective": "dm", "ipc": 1, "width": 4, "real": 2, "max_images": 3},
        **{"repeats": 1, "place": tmp_path},
    )
    row = curves.measure_row(given, classes=3, side=16)
    assert row["seconds"] > 0 and row["peak"] >= row["start"] > 2**20
    assert not any(tmp_path.iterdir())
    picture = tmp_path / "curves.png"
    curves.draw(picture, {"classes": ([1, 3], [row, row])})
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_random_images_on_disk_are_of_every_class(modules, tmp_path):
    dataset = modules["disk_curves"].stored_dataset(tmp_path / "images", 3, 4, 16)
    assert (tmp_path / "images").stat().st_size == 12 * 16 * 16 * 3
    assert dataset.training.images[[0, 11]].std() > 60
    assert dataset.training.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
