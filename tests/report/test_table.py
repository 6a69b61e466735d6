"""Tests of pooling and of the table: every number, its budget and its standing."""

import dataclasses

import pytest
import tabulate

from hdd_tf.methods.registry import METHODS
from hdd_tf.methods.traits import PublishedAs
from hdd_tf.report import plot
from hdd_tf.report.collect import collect_runs
from hdd_tf.report.page import document
from hdd_tf.report.rows import group_runs, table_rows
from tests.report.run_directories import score, write_run
from tests.report.tables import table, text_of


def standing(row):
    return row["against the published protocol"]


def test_seeds_are_pooled_over_all_networks_of_all_sets(tmp_path):
    write_run(tmp_path / "a", values=(70.0, 72.0))
    write_run(tmp_path / "b", "--seed=1", values=(74.0, 76.0))
    write_run(tmp_path / "c", "--seed=2", values=(71.0, 75.0))
    (row,) = table(tmp_path)
    # Mean (70+72+74+76+71+75)/6 = 73; squares of the rest 9+1+1+9+4+4 = 28, over 6.
    assert row["test accuracy (%)"] == "73.00 ± 2.16"
    assert row["published (%)"] == "72.1 ± 0.2"
    assert row["sets x networks"] == "3 x 2 of 5 x 5"
    assert standing(row) == "differs: sets 3 of 5; networks 2 of 5"


@pytest.mark.parametrize(
    "recorded",
    [
        (),
        # What `auto` is to a run on a CPU, and on a card.
        ("--precision=float32", "--eval_precision=float32", "--jit_compile=off"),
        ("--precision=tf32", "--eval_precision=tf32", "--jit_compile=off"),
    ],
)
def test_only_the_published_protocol_is_called_the_same(recorded, tmp_path):
    for seed in range(5):
        flags = (*recorded, f"--seed={seed}")
        write_run(tmp_path / f"seed{seed}", *flags, values=(72.0,) * 5)
    (row,) = table(tmp_path)
    assert standing(row) == "same protocol"
    assert row["trained on"] == "DM+HDD"
    assert row["sets x networks"] == "5 x 5"
    assert row["iterations"] == "20,000"
    assert row["evaluation epochs"] == "1,001"


@pytest.mark.parametrize(
    ("flag", "column", "cell", "words"),
    [
        ("--iterations=500", "iterations", "500 of 20,000", "iterations 500 of 20,000"),
        (
            "--eval_epochs=300",
            "evaluation epochs",
            "300 of 1,001",
            "evaluation epochs 300 of 1,001",
        ),
        ("--real_batch=64", "iterations", "20,000", "real batch 64 of 256"),
        ("--image_lr=5", "iterations", "20,000", "--image_lr=5.0 (published 1.0)"),
        (
            "--max_tangent_norm=0",
            *("iterations", "20,000"),
            "--max_tangent_norm=0.0 (published 10.0)",
        ),
        (
            "--curvature=-1/2",
            *("published (%)", "72.1 ± 0.2"),
            "--curvature=-0.5 (published -1.0)",
        ),
        ("--width=32", "network", "convnet", "--width=32 (published 128)"),
        (
            "--precision=bfloat16",
            *("iterations", "20,000", "--precision=bfloat16 (published float32)"),
        ),
        (
            "--jit_compile=on",
            *("iterations", "20,000", "--jit_compile=on (published off)"),
        ),
    ],
)
def test_each_departure_is_stated(flag, column, cell, words, tmp_path):
    for seed in range(5):
        path = tmp_path / f"seed{seed}"
        write_run(path, flag, f"--seed={seed}", values=(72.0,) * 5)
    (row,) = table(tmp_path)
    assert row[column] == cell
    assert standing(row) == f"differs: {words}"


def test_plain_dm_is_compared_with_its_own_settings(tmp_path):
    for seed in range(5):
        write_run(
            tmp_path / f"seed{seed}",
            *("--geometry=euclidean", "--curvature=-7", f"--seed={seed}"),
            values=(70.0,) * 5,
        )
    (row,) = table(tmp_path)
    assert row["trained on"] == "DM"
    assert row["published (%)"] == "70.7 ± 0.6"
    # Curvature says nothing in Euclidean geometry.
    assert standing(row) == "same protocol"


def test_a_partial_set_is_not_comparable(tmp_path):
    data = {"training_images": 6000, "test_images": 1000}
    baselines = {"whole": score((80.0,))}
    write_run(tmp_path, data=data, result={"baselines": baselines})
    distilled, whole = table(tmp_path)
    words = (
        "**not comparable**: partial data set: 6,000 of 60,000 training images, "
        "1,000 of 10,000 test images"
    )
    assert standing(distilled).startswith(words + "; sets 1 of 5")
    assert standing(whole) == words


def test_numbers_of_another_model_are_not_compared(tmp_path):
    beside = {"prototypes": score((50.0,)), "random": score((30.0,))}
    write_run(
        tmp_path, "--flagfile=flags/d4m/cifar10_ipc10.cfg",
        values=(56.0,),
        data={"training_images": 50_000, "test_images": 10_000},
        result={
            "baselines": beside,
            "protocol": {"labels": "teacher", "baseline_labels": "teacher"},
        },
    )  # fmt: skip
    rows = {row["trained on"]: row for row in table(tmp_path)}
    assert rows["D4M"]["published (%)"].startswith("56.2")
    words = "**not comparable**: published with a diffusion model that learnt outside"
    assert standing(rows["D4M"]).startswith(words)
    assert rows["D4M, decoded prototypes"]["published (%)"] == "-"


def test_a_size_that_was_not_recorded_is_not_vouched_for(tmp_path):
    write_run(tmp_path, data={"training_images": None})
    (row,) = table(tmp_path)
    assert "**not comparable**: size of the data set not recorded" in standing(row)


def test_a_validation_split_is_no_partial_set(tmp_path):
    flags = ("--validation_fraction=0.1",)
    write_run(tmp_path / "a", *flags, data={"training_images": 54_000})
    write_run(tmp_path / "b", *flags, data={"training_images": 53_000})
    # Which runs are pooled depends on the data too.
    partial, whole = sorted(map(standing, table(tmp_path)))
    assert whole.endswith("--validation_fraction=0.1 (published 0.0)")
    assert whole.startswith("differs: ")
    assert "53,000 of 54,000 training images after the validation split" in partial


def test_a_set_without_published_numbers(tmp_path):
    write_run(tmp_path, "--dataset=digits")
    (row,) = table(tmp_path)
    assert row["published (%)"] == "-"
    assert standing(row) == "no published number"
    assert (row["iterations"], row["sets x networks"]) == ("20,000", "1 x 2")


def test_settings_other_than_the_seed_keep_runs_apart(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", "--seed=1", "--loss_weight=21")
    write_run(tmp_path / "c", "--seed=2", "--iterations=30000")
    write_run(tmp_path / "d", "--seed=3", data={"training_images": 59_000})
    assert len(table(tmp_path)) == 4


def test_a_folder_is_one_data_set_however_it_is_spelt(tmp_path):
    for seed, (spelt, split) in enumerate(
        [("pets", "a"), ("./pets/", "a"), (str(tmp_path / "link"), "a"), ("pets", "b")]
    ):
        write_run(
            tmp_path / f"run{seed}", f"--dataset=folder:{spelt}", f"--seed={seed}",
            data={"name": "folder:pets", "test_sha256": split},
        )  # fmt: skip
    assert [row["sets x networks"] for row in table(tmp_path)] == ["3 x 2", "1 x 2"]


def test_the_same_seed_does_not_count_twice(tmp_path):
    write_run(tmp_path / "a", values=(70.0,))
    write_run(tmp_path / "b", values=(90.0,))
    warnings = []
    (row,) = table(tmp_path, warnings)
    assert row["test accuracy (%)"] == "70.00 ± 0.00"
    expected = f"{tmp_path / 'b'}: same run and seed as {tmp_path / 'a'}; skipped"
    assert warnings == [expected]


def test_a_run_being_extended_counts_as_what_its_result_holds_for(tmp_path):
    write_run(tmp_path, "--iterations=30000", result={"iterations": 20_000})
    (row,) = table(tmp_path)
    assert row["iterations"] == "20,000"


def test_every_architecture_has_its_row(tmp_path):
    accuracy = {"convnet": score((72.0,)), "resnet18": score((60.0, 62.0))}
    write_run(tmp_path / "a", result={"accuracy": accuracy})
    write_run(tmp_path / "b", "--seed=1", values=(74.0,))
    convnet, resnet = table(tmp_path)
    assert convnet["test accuracy (%)"] == "73.00 ± 1.00"
    assert (resnet["network"], resnet["test accuracy (%)"]) == (
        "resnet18",
        "61.00 ± 1.00",
    )
    # Published accuracies are the ConvNet's.
    assert (resnet["published (%)"], standing(resnet)) == ("-", "no published number")


def test_published_accuracies_may_be_of_another_network(tmp_path):
    accuracy = {"convnet_batch": score((32.0,)), "convnet": score((31.0,))}
    write_run(
        tmp_path / "a", "--flagfile=datadam/cifar10_ipc1", result={"accuracy": accuracy}
    )
    published = {row["network"]: row["published (%)"] for row in table(tmp_path)}
    assert published == {"convnet_batch": "32.0 ± 1.2", "convnet": "-"}


def test_baselines_beside_several_groups_are_one_row_each_seed_once(tmp_path):
    names = ("random", "herding", "whole")
    for number, flags in enumerate(
        [(), ("--geometry=euclidean",), ("--seed=1",), ("--ipc=10", "--seed=2")]
    ):
        values = {name: score((50.0 + 2 * number,)) for name in names}
        write_run(tmp_path / str(number), *flags, result={"baselines": values})
    rows = table(tmp_path)
    titles = [(row["IPC"], row["trained on"]) for row in rows]
    assert titles == [
        ("1", "random real images"),
        ("1", "herding"),
        ("1", "DM"),
        ("1", "DM+HDD"),
        ("10", "random real images"),
        ("10", "herding"),
        ("10", "DM+HDD"),
        ("-", "whole training set"),
    ]
    random, whole = rows[0], rows[-1]
    # Seed 0 once: from DM, whose group comes first (52), and seed 1 (54).
    assert random["test accuracy (%)"] == "53.00 ± 1.00"
    assert random["sets x networks"] == "2 x 1"
    assert whole["sets x networks"] == "3 x 1"
    assert (random["published (%)"], whole["published (%)"]) == (
        "51.4 ± 3.8",
        "93.5 ± 0.1",
    )
    assert (random["iterations"], random["evaluation epochs"]) == ("-", "1,001")
    assert whole["evaluation epochs"] == "30"
    assert standing(random) == "our source does not state the protocol of this number"


def test_baselines_of_a_teacher_stay_with_its_set(tmp_path):
    names = ("random", "whole", "hard_labels")
    values = {name: score((50.0,)) for name in names}
    for number, flags in enumerate([(), ("--geometry=euclidean",), ("--seed=1",)]):
        result = {"baselines": values, "protocol": {"baseline_labels": "teacher"}}
        write_run(tmp_path / str(number), *flags, result=result)
    rows = table(tmp_path)
    assert sorted(row["trained on"] for row in rows) == [
        "DM",
        "DM+HDD",
        "DM+HDD, hard labels",
        "DM, hard labels",
        "random real images, labels of DM's teacher",
        "random real images, labels of DM+HDD's teacher",
        "whole training set",
    ]
    for row in rows:
        if "labels" in row["trained on"]:
            of_both = "DM+HDD" in row["trained on"]
            assert row["sets x networks"] == ("2 x 1" if of_both else "1 x 1")


def test_names_cannot_break_the_table(tmp_path):
    names = ("my|set\nof digits", "Zahlen ü 数", tabulate.SEPARATING_LINE)
    for number, name in enumerate(names):
        path = tmp_path / str(number)
        write_run(path, "--dataset=digits", result={"dataset": name})
    cells = {row["data set"] for row in table(tmp_path)}
    assert cells == {"my\\|set of digits", "Zahlen ü 数", ""}


def test_baselines_alone_are_reported(tmp_path):
    write_run(tmp_path, result={"accuracy": {}, "baselines": {"new": score((1.0,))}})
    (row,) = table(tmp_path)
    assert (row["trained on"], standing(row)) == ("new", "no published number")


def fair_score(lrs, ars, whole_epochs=30, network="convnet"):
    return {
        "fair_score": {
            "lrs": lrs, "ars": ars, "whole_epochs": whole_epochs, "network": network
        }
    }  # fmt: skip


def test_fair_scores_have_columns_only_where_they_were_asked_for(tmp_path):
    write_run(tmp_path / "a")
    (row,) = table(tmp_path)
    assert "LRS" not in row and "ARS" not in row
    write_run(tmp_path / "b", "--seed=1", result=fair_score(0.25, 0.3))
    (row,) = table(tmp_path)
    assert row["LRS"] == "0.2500 ± 0.0000 (1 of 2 sets) (whole set 30 epochs)"
    assert row["ARS"] == "0.3000 ± 0.0000 (1 of 2 sets)"


def test_fair_scores_are_pooled_over_sets_for_one_network(tmp_path):
    more = {
        "accuracy": {"convnet": score((70.0,)), "resnet18": score((60.0,))},
        "baselines": {"random": score((50.0,))},
    }
    for seed, (lrs, ars) in enumerate([(0.2, 0.3), (0.3, 0.5)]):
        write_run(
            tmp_path / str(seed), f"--seed={seed}", result=more | fair_score(lrs, ars)
        )
    random, convnet, resnet = table(tmp_path)
    assert convnet["LRS"] == "0.2500 ± 0.0500 (whole set 30 epochs)"
    assert convnet["ARS"] == "0.4000 ± 0.1000"
    assert (random["LRS"], resnet["LRS"], resnet["ARS"]) == ("-", "-", "-")


def test_label_robust_scores_of_other_schedules_stay_apart(tmp_path):
    write_run(tmp_path / "a", result=fair_score(0.2, 0.3))
    write_run(tmp_path / "b", "--seed=1", result=fair_score(0.1, 0.3, whole_epochs=1))
    (row,) = table(tmp_path)
    assert row["LRS"] == (
        "0.1000 ± 0.0000 (1 of 2 sets) (whole set 1 epochs); "
        "0.2000 ± 0.0000 (1 of 2 sets) (whole set 30 epochs)"
    )
    assert row["ARS"] == "0.3000 ± 0.0000"


def test_soft_labels_and_numbers_chosen_by_the_test_split_are_marked(
    tmp_path, monkeypatch
):
    soft = {"protocol": {"labels": "teacher", "baseline_labels": "teacher"}}
    names = ("random", "whole")
    soft["baselines"] = {name: score((50.0,)) for name in names}
    write_run(tmp_path / "soft", "--geometry=euclidean", result=soft)
    write_run(tmp_path / "hard")
    published = PublishedAs.SOFT_LABELS | PublishedAs.BEST_ON_TEST
    monkeypatch.setitem(
        METHODS, "dm", dataclasses.replace(METHODS["dm"], published_as=published)
    )
    rows = {row["trained on"]: row for row in table(tmp_path)}
    measured = {name: row["test accuracy (%)"] for name, row in rows.items()}
    assert [name for name, cell in measured.items() if cell.endswith(" †")] == [
        "random real images, labels of DM's teacher", "DM",
    ]  # fmt: skip
    assert rows["DM"]["published (%)"].endswith(" †‡")
    assert rows["DM+HDD"]["published (%)"].endswith(" †‡")
    assert "†" not in rows["whole training set"]["published (%)"]
    # Neither is put beside the other without a word.
    assert standing(rows["DM+HDD"]).startswith(
        "**not comparable**: hard labels here, soft ones in the published number"
    )
    assert "not comparable" not in standing(rows["DM"])
    assert standing(rows["random real images, labels of DM's teacher"]).startswith(
        "**not comparable**: soft labels here, hard ones in the published number"
    )
    text = text_of(tmp_path)
    assert text.count("Compare † with † alone") == 1
    assert text.count("‡ Best on test: published") == 1


def test_soft_labels_are_said_in_the_chart_and_in_headings(tmp_path):
    write_run(tmp_path / "soft", result={"protocol": {"labels": "stored"}})
    write_run(tmp_path / "hard", "--geometry=euclidean")
    groups = group_runs(collect_runs([str(tmp_path)], print), print)
    rows = table_rows(groups)
    for group in groups:
        expected = group.first.geometry == "hyperbolic"
        assert ("soft labels" in plot._label(group)) == expected
        assert document._title(group, rows)[1].endswith(", soft labels") == expected


def test_marks_without_need_are_not_explained(tmp_path):
    write_run(tmp_path / "hard")
    text = text_of(tmp_path)
    assert "†" not in text and "‡" not in text
