"""Tests of flag files: where they are found, their lines, and the published ones."""

import dataclasses
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from hdd_tf.arguments import flag_files
from hdd_tf.arguments.command_line import parse_command_line
from hdd_tf.config import Config, to_flag_file
from hdd_tf.errors import InputError
from hdd_tf.objectives.idm import PoolTraining
from hdd_tf.protocols.published import evaluation_protocol
from hdd_tf.report.published import (
    accuracy_text,
    published_accuracy,
    published_budget,
)
from tests import (
    published_cafe,
    published_crops,
    published_features,
    published_generation,
    published_semantics,
    published_statistics,
    published_trajectories,
)
from tests import published_settings as settings

# The settings of methods whose hyperbolic form was never published.
PLAIN = (
    published_cafe,
    published_features,
    published_generation,
    published_semantics,
    published_trajectories,
)


def write_name(dataset: str, ipc: int) -> str:
    """Returns a cell's name as its file has it."""
    return f"{dataset.removesuffix('_cropped')}_ipc{ipc}"


# (file, objective, cell, geometry) of everything published.
CELLS = [(write_name(*cell), "dm", cell, "hyperbolic") for cell in settings.DM_HDD] + [
    (f"{objective}/{write_name(*cell)}{suffix}", objective, cell, geometry)
    for objective in ("idm", "dance")
    for cell in settings.HYPERBOLIC[objective]
    for suffix, geometry in (("", "hyperbolic"), ("_euclidean", "euclidean"))
]


# (file, objective, cell, geometry) of gradient matching, and of our twins of it.
GRADIENT_CELLS = [
    (f"{objective}/{write_name(*cell)}{suffix}", objective, cell, geometry)
    for objective, cells in settings.GRADIENTS.items()
    for cell in cells
    for suffix, geometry in (("", "euclidean"), ("_hyperbolic", "hyperbolic"))
    if not suffix or cell[0] in settings.TWINS
]


# What the files of our own geometries change of a cell.
OUR_GEOMETRIES = {
    "all_blocks": ("matched_maps",),
    "product": ("geometry", "curvature", "spherical_curvature", "max_tangent_norm"),
    "root_weighted": ("geometry", "curvature", "max_tangent_norm"),
}


def texts(*arguments: str) -> list[str]:
    return [argument.text for argument in flag_files.expand_flag_files(arguments)[0]]


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def expected_config(stem, objective, cell, geometry) -> Config:
    """Returns a published cell's settings, from the table beside the tests."""
    dataset, ipc = cell
    hyperbolic = settings.HYPERBOLIC[objective][cell]
    own = {
        "dataset": dataset,
        "ipc": ipc,
        "objective": objective,
        "geometry": geometry,
        "lift": settings.LIFT[objective][cell],
        "max_tangent_norm": settings.MAX_TANGENT_NORM,
        "image_momentum": settings.IMAGE_MOMENTUM,
        "run_dir": f"runs/{Path(stem).name}_{objective}_{geometry}_seed0",
        # The same for all, or of evaluation.
        **{"dsa": "color_crop_cutout_flip_scale_rotate", "init": "real", "width": 128},
        **{"network": "convnet", "num_eval": 5, "select": "last"},
        "validation_fraction": 0,
    }
    if geometry == "hyperbolic":
        inverse = Fraction(str(hyperbolic.minus_inverse_curvature))
        own["curvature"] = float(-1 / inverse)
        own["loss_weight"] = hyperbolic.loss_weight
        own["image_lr"] = hyperbolic.image_lr
    else:
        own["image_lr"] = settings.PLAIN_IMAGE_LR[objective][cell]
        own["lift"] = "expmap0"  # Unused.
    if objective == "dm":
        constants = settings.DM[cell]
        own |= constants._asdict()
    elif objective == "idm":
        cell_constants = settings.IDM[cell]
        every = dict(settings.IDM_EVERYWHERE)
        assert (every.pop("train_momentum"), every.pop("train_weight_decay")) == (
            PoolTraining.momentum,
            PoolTraining.weight_decay,
        )
        pool = {k: v for k, v in every.items() if k.startswith(("pool", "train"))}
        own |= {f"idm_{name}": pool[name] for name in pool}
        own |= {name: every[name] for name in every if name not in pool}
        own |= {
            "eval_protocol": "dm",
            "iterations": cell_constants.iterations_hdd
            if geometry == "hyperbolic"
            else cell_constants.iterations_plain,
            "real_batch": cell_constants.real_batch,
            "idm_join_every": cell_constants.join_every,
            "idm_cross_entropy_weight": cell_constants.cross_entropy_weight,
            "idm_reset_every": cell_constants.reset_every,
            "idm_train_steps": cell_constants.train_steps,
        }
    else:
        cell_constants, every = settings.DANCE[cell], settings.DANCE_EVERYWHERE
        own |= {
            "eval_protocol": "dance",
            "dsa": every["matching_dsa"],
            "dance_max_decoded": every["max_decoded"],
            # The others of the 20 change nothing.
            "num_experts": cell_constants.experts_used,
            "pretrain_epochs": cell_constants.expert_epochs,
            "pretrain_batch": cell_constants.expert_batch,
            "depth": cell_constants.depth,
            "eval_epochs": cell_constants.eval_epochs,
            "eval_lr": 0.01,
            **{
                name: every[name]
                for name in (
                    "iterations",
                    "real_batch",
                    "formation_factor",
                    "init",
                    "eval_batch",
                )
            },
        }
    return Config(**own)


@pytest.mark.parametrize(("stem", "objective", "cell", "geometry"), CELLS)
def test_published_cell_field_by_field(
    stem, objective, cell, geometry, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    config = parse_command_line(["main", f"--flagfile=flags/{stem}.cfg"])
    assert config == expected_config(stem, objective, cell, geometry)


@pytest.mark.parametrize(("stem", "objective", "cell", "geometry"), GRADIENT_CELLS)
def test_cell_of_gradient_matching(
    stem, objective, cell, geometry, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    dataset, ipc = cell
    own = settings.GRADIENTS[objective][cell]
    expected = Config(
        dataset=dataset, ipc=ipc, objective=objective, geometry=geometry, dsa=own.dsa,
        iterations=1000 * own.updates, dc_updates=own.updates, dc_epochs=own.epochs,
        dc_lr=0.01, dc_batch=256, dcc_outer_warmup=250, dcc_inner_warmup=10,
        init=settings.GRADIENTS_INIT[objective], real_batch=256, image_lr=0.1,
        image_momentum=settings.IMAGE_MOMENTUM, network="convnet", depth=3, width=128,
        precision="float32", num_eval=20, eval_lr=0.01, eval_batch=256, select="last",
        eval_protocol=settings.GRADIENTS_PROTOCOL[objective],
        eval_epochs=own.eval_epochs, validation_fraction=0,
        run_dir=f"runs/{Path(stem).name}_{objective}_{geometry}_seed0",
    )  # fmt: skip
    assert parse_command_line(["main", f"--flagfile=flags/{stem}.cfg"]) == expected
    text = (flag_files.published_directory() / f"{stem}.cfg").read_text("utf-8")
    assert f"python -m hdd_tf.main --flagfile=flags/{stem}.cfg" in text
    assert f"{own.accuracy:.1f}" in text
    is_twin = geometry == "hyperbolic"
    assert ("no number is published for this form" in text) == is_twin


@pytest.mark.parametrize(("stem", "objective", "cell", "geometry"), CELLS)
def test_head_of_published_cell(stem, objective, cell, geometry):
    text = (flag_files.published_directory() / f"{stem}.cfg").read_text("utf-8")
    hdd, plain = (
        published_accuracy(*cell, objective, name)
        for name in ("hyperbolic", "euclidean")
    )
    name = objective.upper()
    if hdd is None:
        assert "Expected test accuracy: not known here" in text
    else:
        assert (
            f"{name}+HDD {hdd[0]:.1f} ± {hdd[1]:.1f}    "
            f"plain {name} {plain[0]:.1f} ± {plain[1]:.1f}"
        ) in text
    assert f"python -m hdd_tf.main --flagfile=flags/{stem}.cfg" in text
    assert f"IPC {cell[1]}." in text
    if objective != "dm":
        # The other geometry has a file, and a rate, of its own.
        twin = f"{write_name(*cell)}{'_euclidean' * (geometry == 'hyperbolic')}.cfg"
        assert twin in text


@pytest.mark.parametrize(
    ("module", "stem", "objective", "cell", "geometry"),
    [(module, *file) for module in PLAIN for file in module.files()],
)
def test_a_cell_that_was_published_plain_alone(
    module, stem, objective, cell, geometry, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    config = parse_command_line(["main", f"--flagfile=flags/{stem}.cfg"])
    run_dir = f"runs/{Path(stem).name}_{objective}_{geometry}_seed0"
    expected = module.settings(objective, cell, geometry)
    assert config == Config(**expected, run_dir=run_dir)
    text = (flag_files.published_directory() / f"{stem}.cfg").read_text("utf-8")
    number = accuracy_text(published_accuracy(*cell, objective, "euclidean"))
    assert f"{module.TITLES[objective]} {number}" in text and f"IPC {cell[1]}." in text
    assert f"python -m hdd_tf.main --flagfile=flags/{stem}.cfg" in text
    # A twin says that nothing is reproduced.
    assert ("was ever published" in text) == (geometry == "hyperbolic")
    assert published_accuracy(*cell, objective, "hyperbolic") is None


@pytest.mark.parametrize("cell", published_crops.CELLS)
def test_a_cell_of_crops(cell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stem, (accuracy, *_) = published_crops.stem(cell), published_crops.CELLS[cell]
    config = parse_command_line(["main", f"--flagfile=flags/{stem}.cfg"])
    run_dir = f"runs/{Path(stem).name}_rded_seed0"
    assert config == Config(**published_crops.settings(cell), run_dir=run_dir)
    # What the file says is what the program does where nothing is said.
    published = dataclasses.replace(config, eval_batch=0, eval_epochs=0)
    found = evaluation_protocol(published, cell[0])
    assert found == evaluation_protocol(config, cell[0])
    assert (found.temperature, found.period, found.cutmix) == (20, 600, 1)
    assert found.resized_crop == 1 / found.shuffled_cells == 1 / config.rded_factor
    assert published_accuracy(*cell, "rded", "hyperbolic") == (accuracy, None)
    assert published_budget(*cell, "rded", "hyperbolic").eval_epochs == 300
    text = (flag_files.published_directory() / f"{stem}.cfg").read_text("utf-8")
    assert f"RDED {accuracy:.1f} " in text and f"IPC {cell[1]}." in text
    assert f"python -m hdd_tf.main --flagfile=flags/{stem}.cfg" in text
    assert "Soft labels, and the best of six looks at the test split" in text


@pytest.mark.parametrize("cell", sorted(published_statistics.CELLS))
def test_a_cell_of_statistics(cell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stem = f"gvbsm/{write_name(*cell)}"
    config = parse_command_line(["main", f"--flagfile=flags/{stem}.cfg"])
    run_dir = f"runs/{write_name(*cell)}_gvbsm_seed0"
    assert config == Config(**published_statistics.settings(cell), run_dir=run_dir)
    text = (flag_files.published_directory() / f"{stem}.cfg").read_text("utf-8")
    number = accuracy_text(published_accuracy(*cell, "gvbsm"))
    assert f"G-VBSM {number}" in text and f"IPC {cell[1]}." in text
    assert f"python -m hdd_tf.main --flagfile=flags/{stem}.cfg" in text


def test_every_published_file_parses_and_no_cell_is_missing():
    names = flag_files.published_names()
    shared = {"base", "quickstart", "idm/base", "dance/base"}
    shared |= {f"{name}/base" for module in PLAIN for name in module.EVERYWHERE}
    shared |= {f"{published_crops.OBJECTIVE}/base"}
    plain = [file for module in PLAIN for file in module.files()]
    shared |= {f"{objective}/base" for objective in settings.GRADIENTS}
    shared |= {"gvbsm/base"} | {f"geometries/{name}" for name in OUR_GEOMETRIES}
    shared |= {f"gvbsm/{write_name(*cell)}" for cell in published_statistics.CELLS}
    cells = {stem for stem, *_ in (*CELLS, *GRADIENT_CELLS, *plain)}
    cells |= set(map(published_crops.stem, published_crops.CELLS))
    assert cells | shared == set(names)
    for name in names:
        parse_command_line(["main", f"--flagfile={name}", "--dataset=digits"])


@pytest.mark.parametrize("name", OUR_GEOMETRIES)
def test_a_geometry_of_our_own_goes_behind_the_file_of_a_cell(name):
    file = f"flags/geometries/{name}.cfg"
    words = ["main", "--flagfile=flags/cifar10_ipc10.cfg"]
    alone = parse_command_line(words)
    both = parse_command_line([*words, f"--flagfile={file}"])
    changed = {
        field.name
        for field in dataclasses.fields(Config)
        if getattr(alone, field.name) != getattr(both, field.name)
    }
    assert changed == {"run_dir", *OUR_GEOMETRIES[name]}
    text = (flag_files.published_directory() / f"geometries/{name}.cfg").read_text()
    assert "no number of this form was ever published" in text
    assert f"--flagfile={file}" in text


def test_quickstart_is_hyperbolic_dm_on_digits_with_baselines():
    config = parse_command_line(["main", "--flagfile=quickstart"])
    assert (config.dataset, config.ipc, config.geometry) == ("digits", 10, "hyperbolic")
    assert config.baselines == ("random", "whole")


def test_a_published_file_leaves_room_for_choosing_by_validation():
    words = ["main", "--flagfile=svhn_ipc1", "--select=best_validation"]
    words.append("--eval_every=500")
    assert parse_command_line(words).validation_fraction == 0.1


@pytest.mark.parametrize(
    "name", ["flags/svhn_ipc10.cfg", "svhn_ipc10.cfg", "svhn_ipc10", "flags/svhn_ipc10"]
)
def test_published_files_are_found_from_anywhere(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Directories of the same name are no flag files.
    (tmp_path / "flags").mkdir()
    (tmp_path / "svhn_ipc10").mkdir()
    arguments, stem = flag_files.expand_flag_files([f"--flagfile={name}"])
    assert stem == "svhn_ipc10"
    assert "--dataset=svhn_cropped" in [argument.text for argument in arguments]


@pytest.mark.slow
def test_published_files_are_found_beside_an_installed_package(tmp_path):
    """The layout of a wheel: flags/ is the package hdd_tf.published_flags."""
    package = Path(flag_files.__file__).parents[1]
    for path in package.rglob("*.py"):
        target = tmp_path / "site/hdd_tf" / path.relative_to(package)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    published = tmp_path / "site/hdd_tf/published_flags"
    shutil.copytree(flag_files.published_directory(), published)
    # Some other package's folder of that name must not be taken.
    write(tmp_path / "site/flags/svhn_ipc10.cfg", "--ipc=99")
    program = (
        "import sys\n"
        "from hdd_tf.arguments.command_line import parse_command_line\n"
        "print(parse_command_line(['main', '--flagfile=flags/svhn_ipc10.cfg']).ipc)\n"
        "assert 'tensorflow' not in sys.modules, 'slow --help'\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout, result.stderr) == ("10\n", "")


def test_nested_file_is_found_beside_the_including_one_first(tmp_path, monkeypatch):
    outer = write(tmp_path / "a/outer.cfg", "--flagfile=inner.cfg", "--width=1")
    write(tmp_path / "a/inner.cfg", "--flagfile=sub/deep.cfg")
    write(tmp_path / "a/sub/deep.cfg", "--ipc=1")
    write(tmp_path / "b/inner.cfg", "--ipc=2")
    monkeypatch.chdir(tmp_path / "b")
    assert texts(f"--flagfile={outer}") == ["--ipc=1", "--width=1"]
    (tmp_path / "a/inner.cfg").unlink()
    assert texts(f"--flagfile={outer}") == ["--ipc=2", "--width=1"]
    monkeypatch.chdir(tmp_path)
    assert texts("--flagfile", "a/sub/deep.cfg") == ["--ipc=1"]


def test_order_is_kept_and_the_last_value_wins(tmp_path):
    a = write(tmp_path / "a.cfg", "# note", "", "  // note", "--ipc=2", "--ipc=3")
    b = write(tmp_path / "b.cfg", "\t--width=5\t", "--dataset=digits")
    words = ["--ipc=1", f"--flagfile={a}", "--width=9", "-flagfile", str(b), "--seed=4"]
    assert texts(*words) == [
        *("--ipc=1", "--ipc=2", "--ipc=3", "--width=9"),
        *("--width=5", "--dataset=digits", "--seed=4"),
    ]
    config = parse_command_line(["main", *words])
    assert (config.ipc, config.width, config.seed) == (3, 5, 4)
    assert parse_command_line(["main", *words, "--ipc", "7"]).ipc == 7
    assert config.run_dir == "runs/b_dm_hyperbolic_seed4"


def test_windows_line_ends_byte_order_mark_and_repeats_are_harmless(tmp_path):
    path = tmp_path / "w.cfg"
    path.write_bytes(b"\xef\xbb\xbf--ipc=2\r\n\r\n# x\r\n--width=3")
    assert texts(f"--flagfile={path}") == ["--ipc=2", "--width=3"]
    twice = write(tmp_path / "twice.cfg", "--flagfile=w.cfg", "--flagfile=w.cfg")
    assert len(texts(f"--flagfile={twice}")) == 4


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["--width=1", "ipc=10"], "bad.cfg:2: 'ipc=10' is not a flag"),
        (["ipc"], "bad.cfg:1: 'ipc' is not a flag"),
        (["-ipc=10"], "bad.cfg:1: '-ipc=10' is not a flag"),
        (["--ipc 10"], "bad.cfg:1: '--ipc 10' is not a flag"),
        (["--"], "bad.cfg:1: '--' is not a flag"),
        (["", "--ipcs=10"], "bad.cfg:2: unknown flag --ipcs; did you mean --ipc?"),
        (["--xyzzy=1"], "bad.cfg:1: unknown flag --xyzzy; --help lists"),
        (["--ipc=0"], "bad.cfg:1: --ipc=0: must be a positive integer"),
        (["--ipc=10 # ten"], "bad.cfg:1: --ipc=10 # ten: all behind --ipc="),
        (["--ipc"], "bad.cfg:1: Missing value for flag --ipc"),
        (["--flagfile=none.cfg"], "bad.cfg:1: --flagfile=none.cfg does not exist"),
        (["--flagfile=svhn_ip10"], "did you mean svhn_ipc10"),
        (["--flagfile="], "bad.cfg:1: --flagfile needs a file"),
        (["--flagfile"], "bad.cfg:1: --flagfile needs a file"),
        (["--flagfile=.."], "bad.cfg:1: --flagfile=.. is a directory"),
        (["--flagfile=bad.cfg"], "bad.cfg:1: --flagfile="),
        (["--ipc=1", "--flagfile=loop.cfg"], "loop.cfg:1: --flagfile="),
        (["--flagfile=latin1.cfg"], "bad.cfg:1: flag file"),
    ],
)
def test_bad_line_is_named_with_file_and_number(lines, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(Path("bad.cfg"), *lines)
    write(Path("loop.cfg"), "--flagfile=bad.cfg")
    Path("latin1.cfg").write_bytes("--run_dir=läufe".encode("latin-1"))
    with pytest.raises(InputError) as caught:
        parse_command_line(["main", "--dataset=x", "--flagfile=bad.cfg"])
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "name", ["none.cfg", "x" * 5000, "/dev", "flags", "", "~nobody-here/x", "a\0b"]
)
def test_unusable_flag_file_of_the_command_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^--flagfile"):
        flag_files.expand_flag_files([f"--flagfile={name}"])


def test_flag_file_without_a_name():
    with pytest.raises(InputError, match="write --flagfile=FILE"):
        flag_files.expand_flag_files(["--ipc=1", "--flagfile"])


def test_a_repeat_has_every_value_as_it_is(tmp_path):
    # In a file that somebody writes these may be a comment and quotes.
    config = Config(dataset="x", classes=("A", "F #"), data_dir="'q'")
    path = tmp_path / "flags.cfg"
    path.write_text(to_flag_file(config), encoding="utf-8")
    again = parse_command_line(["main", f"--flagfile={path}"])
    assert (again.classes, again.data_dir) == (("A", "F #"), "'q'")
    path.write_text(path.read_text("utf-8") + "--classes=A,F #\n")
    with pytest.raises(InputError, match="all behind --classes= is its value"):
        parse_command_line(["main", f"--flagfile={path}"])
