"""Tests of flag files: where they are found, their lines, and the published ones."""

import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from hdd_tf import flag_files
from hdd_tf.command_line import parse_command_line
from hdd_tf.config import Config
from hdd_tf.errors import InputError

# The paper's hyper-parameters for DM+HDD (-1/K, lambda, image learning rate), typed
# from its table: IPC 1, 10, 50.
PUBLISHED = {
    "fashion_mnist": ("fashion_mnist", [(1, 20, 1), (1, 40, 1), (1, 60, 1)]),
    "svhn": ("svhn_cropped", [(1, 10, 1), (1, 50, 1), (1, 100, 1)]),
    "cifar10": ("cifar10", [(1, 1, 1), (1, 20, 1), (1, 80, 1)]),
    "cifar100": ("cifar100", [(1, 10, 1), (2, 100, 1), (2, 120, 1)]),
}
CELLS = [
    (f"{name}_ipc{ipc}", dataset, ipc, row)
    for name, (dataset, rows) in PUBLISHED.items()
    for ipc, row in zip((1, 10, 50), rows, strict=True)
]
# Published accuracy of DM+HDD and of plain DM, mean and deviation: the heads' numbers.
ACCURACY = {
    "fashion_mnist": "72.1 0.2 70.7 0.6 84.0 0.1 83.4 0.1 88.8 0.4 88.1 0.6",
    "svhn": "25.0 0.2 21.9 0.4 75.1 0.2 72.8 0.3 83.0 0.3 82.6 0.3",
    "cifar10": "28.7 0.2 26.4 0.3 50.3 0.3 48.5 0.6 63.2 0.4 62.2 0.5",
    "cifar100": "13.3 0.2 11.4 0.3 30.1 0.1 29.7 0.3 43.8 0.2 43.0 0.4",
}


def texts(*arguments: str) -> list[str]:
    return [argument.text for argument in flag_files.expand_flag_files(arguments)[0]]


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(("stem", "dataset", "ipc", "row"), CELLS)
def test_published_cell_field_by_field(stem, dataset, ipc, row, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = parse_command_line(["main", f"--flagfile=flags/{stem}.cfg"])
    minus_inverse_curvature, loss_weight, image_lr = row
    assert config == Config(
        dataset=dataset,
        ipc=ipc,
        objective="dm",
        geometry="hyperbolic",
        curvature=float(-1 / Fraction(minus_inverse_curvature)),
        loss_weight=loss_weight,
        image_lr=image_lr,
        image_momentum=0.5,
        lift="expmap0",
        max_tangent_norm=10,
        dsa="color_crop_cutout_flip_scale_rotate",
        iterations=20_000,
        real_batch=256,
        init="real",
        network="convnet",
        depth=3,
        width=128,
        num_eval=5,
        eval_epochs=1001,
        eval_batch=256,
        eval_lr=0.01,
        select="last",
        validation_fraction=0,
        run_dir=f"runs/{stem}_dm_hyperbolic_seed0",
    )


@pytest.mark.parametrize(("stem", "dataset", "ipc", "row"), CELLS)
def test_head_of_published_cell(stem, dataset, ipc, row):
    text = (flag_files.published_directory() / f"{stem}.cfg").read_text("utf-8")
    numbers = ACCURACY[stem.split("_ipc")[0]].split()
    at = (1, 10, 50).index(ipc) * 4
    hdd, hdd_deviation, plain, plain_deviation = numbers[at : at + 4]
    assert (
        f"DM+HDD {hdd} ± {hdd_deviation}    plain DM {plain} ± {plain_deviation}"
        in (text)
    )
    assert f"python -m hdd_tf.main --flagfile=flags/{stem}.cfg" in text
    assert f"IPC {ipc}." in text


def test_every_published_file_parses_and_no_cell_is_missing():
    names = flag_files.published_names()
    assert {stem for stem, *_ in CELLS} | {"base", "quickstart"} == set(names)
    for name in names:
        parse_command_line(["main", f"--flagfile={name}", "--dataset=digits"])


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


def test_published_files_are_found_beside_an_installed_package(tmp_path):
    """The layout of a wheel: flags/ is the package hdd_tf.published_flags."""
    package = Path(flag_files.__file__).parent
    for path in package.glob("*.py"):
        (tmp_path / "site/hdd_tf").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "site/hdd_tf")
    published = tmp_path / "site/hdd_tf/published_flags"
    shutil.copytree(flag_files.published_directory(), published)
    # Some other package's folder of that name must not be taken.
    write(tmp_path / "site/flags/svhn_ipc10.cfg", "--ipc=99")
    program = (
        "import sys\n"
        "from hdd_tf.command_line import parse_command_line\n"
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
        (["--ipc=10 # ten"], "bad.cfg:1: --ipc=10 # ten: must be a positive"),
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
