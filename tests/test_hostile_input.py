"""Files made to do harm, through the commands: one line, exit code 2, nothing written.

tests/artifacts/test_untrusted_sets.py has the damage that distilled sets can have.
"""

import contextlib
import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from hdd_tf.artifacts.sets import decoding
from hdd_tf.artifacts.sets.distilled_set import read_distilled_set
from hdd_tf.errors import InputError
from hdd_tf.evaluate.__main__ import main as evaluate_main
from hdd_tf.files import checksums, links
from hdd_tf.files.npz_file import read_npz
from hdd_tf.main import main
from hdd_tf.reading.folders.folder import read_folder
from hdd_tf.report.__main__ import main as report_main

ROOT = pathlib.Path(__file__).parents[1]
TINY = [
    *("--dataset=digits", "--classes=0,1", "--ipc=1", "--iterations=2"),
    *("--real_batch=2", "--width=4", "--depth=1", "--num_eval=1", "--eval_epochs=1"),
    *("--checkpoint_every=1", "--noanalysis", "--noprogress", "--formation_factor=1"),
    *("--strategy=one_device", "--dsa=none", "--eval_dsa=none"),
]
# A hang would be for ever; the slowest of these takes two seconds.
LONGEST = 120


def contents(place):
    """What lies below; of a file too large to read its size."""
    found = {}
    for entry in links.entries_below(place):
        path = entry.path
        if entry.is_symlink():
            found[path] = os.readlink(path)
        elif entry.is_file():
            size = entry.stat().st_size
            found[path] = pathlib.Path(path).read_bytes() if size < 2**24 else size
        else:
            found[path] = None
    return found


@contextlib.contextmanager
def time_limit():
    def end(number, frame):  # Not an Exception, which readers of images swallow.
        raise KeyboardInterrupt(f"hangs: still there after {LONGEST} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def refused(tmp_path, monkeypatch, capfd):
    """Runs a command that must refuse what is in the working directory."""
    monkeypatch.chdir(tmp_path)

    def run(command, *arguments, said):
        before = contents(tmp_path)
        capfd.readouterr()
        with time_limit():
            code = command(["hdd_tf", *arguments])
        error = capfd.readouterr().err
        assert code == 2, error
        assert said in error
        assert error.count("\n") == 1 and error[:-1].isprintable() and len(error) < 2000
        assert contents(tmp_path) == before

    return run


# Folders of images.


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for index in range(6):
            pixels = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "own" / name / f"{index}.jpg")
    return tmp_path / "own"


def larger(folder):
    Image.new("RGB", (9, 8)).save(folder / "dog" / "x.png")


def floats(folder):
    Image.new("F", (8, 8)).save(folder / "dog" / "x.tif")


def truncated(folder):
    whole = (folder / "cat" / "3.jpg").read_bytes()
    (folder / "cat" / "3.jpg").write_bytes(whole[: len(whole) - 60])


def only_a_head(folder):
    whole = (folder / "cat" / "3.jpg").read_bytes()
    (folder / "cat" / "3.jpg").write_bytes(whole[:20])


def empty_file(folder):
    (folder / "cat" / "3.jpg").write_bytes(b"")


def empty_class(folder):
    (folder / "emu").mkdir()


def class_of_text(folder):
    (folder / "emu").mkdir()
    (folder / "emu" / "notes.txt").write_text("no image")


def pixel_bomb(folder):
    # What a gigabyte of black begins with.
    Image.new("L", (8, 8)).save(folder / "dog" / "x.png")
    small = (folder / "dog" / "x.png").read_bytes()
    head = b"IHDR" + struct.pack(">II", 32000, 32000) + small[24:29]
    head += struct.pack(">I", zlib.crc32(head))
    (folder / "dog" / "x.png").write_bytes(small[:12] + head + small[33:])


def link_to_a_secret(folder):
    shutil.move(folder / "cat" / "3.jpg", folder.parent / "secret.jpg")
    (folder / "cat" / "3.jpg").symlink_to(folder.parent / "secret.jpg")


def link_to_a_folder(folder):
    shutil.move(folder / "cat", folder.parent / "elsewhere")
    (folder / "cat").symlink_to(folder.parent / "elsewhere")


def links_to_each_other(folder):
    # Every way through them is another one: 2^40 before the system gives up.
    for number in range(2):
        (folder / "cat" / f"to{number}").symlink_to("../dog")
        (folder / "dog" / f"to{number}").symlink_to("../cat")


def doubling_links(folder):
    for level in range(30):
        place = folder / "emu" / f"{level:02d}"
        place.mkdir(parents=True)
        for number in range(2):
            (place / f"to{number}").symlink_to(f"../{level + 1:02d}")
    shutil.copytree(folder / "cat", folder / "emu" / "30")


def deep_folders(folder):
    place = folder / "emu"
    place.mkdir()
    here = os.open(place, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)


def pipe(folder):
    os.mkfifo(folder / "cat" / "x.jpg")


def ambiguous_name(folder):
    (folder / "cat").rename(folder / "cat\n\x1b[31m")


def ambiguous_file(folder):
    (folder / "cat" / "3.jpg").rename(folder / "cat" / "3\n\x1b[31m.jpg")
    (folder / "cat" / "3\n\x1b[31m.jpg").write_bytes(b"no image")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (larger, "different sizes"), (floats, "8 bits a channel"),
        (truncated, "truncated"), (only_a_head, "cannot be read"),
        (empty_file, "no image in any format"), (empty_class, "has no images"),
        (class_of_text, "has no images"), (pixel_bomb, "cannot be read as an image"),
        (link_to_a_secret, "leads out of"), (link_to_a_folder, "leads out of"),
        (links_to_each_other, "symbolic link that leads"),
        (doubling_links, "symbolic link that leads"), (deep_folders, "emu"),
        (pipe, "x.jpg"), (ambiguous_name, "rename it"), (ambiguous_file, "no image"),
    ],
)  # fmt: skip
def test_folder_of_images(refused, folder, damage, said):
    damage(folder)
    try:
        refused(main, *TINY, "--dataset=folder:own", "--classes=", said=said)
    finally:
        if damage is deep_folders:  # Python's own tools recurse, too.
            subprocess.run(["rm", "-rf", folder / "emu"], check=True)


def test_images_of_mixed_modes_become_rgb(folder):
    for index, mode in enumerate(("L", "RGBA", "P", "CMYK", "1", "LA", "I;16")):
        suffix = "tif" if mode == "CMYK" else "png"
        Image.new(mode, (8, 8)).save(folder / "dog" / f"m{index}.{suffix}")
    source = read_folder(str(folder))
    assert source.training.images.shape[1:] == (8, 8, 3)


# Data sets of TFDS.


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    import tensorflow_datasets as tfds

    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(8, 8, 3)),
            "label": tfds.features.ClassLabel(num_classes=2),
        }
    )
    rng = np.random.default_rng(0)
    splits = {
        split: [
            (i, {"image": rng.integers(0, 256, (8, 8, 3), np.uint8), "label": i % 2})
            for i in range(count)
        ]
        for split, count in (("train", 8), ("test", 4))
    }
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name="pictures",
        version="1.0.0",
        features=features,
        split_datasets=splits,
        data_dir=tmp_path_factory.mktemp("tfds"),
    )
    return pathlib.Path(builder.data_path)


def edit_json(path, change):
    value = json.loads(path.read_text("utf-8"))
    change(value)
    path.write_text(json.dumps(value), "utf-8")


def records(place, split="train"):
    return next(place.glob(f"*{split}.*record*"))


def flipped_bit(place):
    damaged = bytearray(records(place).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    records(place).write_bytes(damaged)


def half_a_record(place):
    whole = records(place).read_bytes()
    records(place).write_bytes(whole[: len(whole) - 9])


def masked_sum(data):
    """The sum that TFRecords have: CRC-32C, rotated and shifted."""
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF).to_bytes(4, "little")


def endless_record(place):
    # A record of 2^60 bytes, with a right sum of that length.
    length = (2**60).to_bytes(8, "little")
    records(place).write_bytes(length + masked_sum(length) + b"\0" * 64)


def label_out_of_range(place):
    import tensorflow as tf

    path = records(place)
    examples = [
        tf.train.Example.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(path))
    ]
    examples[3].features.feature["label"].int64_list.value[:] = [7]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in examples:
            writer.write(example.SerializeToString())


def rewrite_images(place, shape):
    import tensorflow as tf

    png = tf.io.encode_png(np.zeros(shape, np.uint8)).numpy()
    for split in ("train", "test"):
        path = records(place, split)
        examples = [
            tf.train.Example.FromString(record.numpy())
            for record in tf.data.TFRecordDataset(str(path))
        ]
        with tf.io.TFRecordWriter(str(path)) as writer:
            for example in examples:
                example.features.feature["image"].bytes_list.value[:] = [png]
                writer.write(example.SerializeToString())


def images_of_another_size(place):
    rewrite_images(place, (8, 9, 3))


def images_that_would_broadcast(place):
    rewrite_images(place, (1, 1, 3))


def of_splits(**values):
    def damage(place):
        def change(info):
            for split in info["splits"]:
                split.update(values)

        edit_json(place / "dataset_info.json", change)

    damage.__name__ = f"splits {values}"
    return damage


def of_another_format(place):
    edit_json(
        place / "dataset_info.json", lambda info: info.update(fileFormat="array_record")
    )


def of_feature(key, kind, **values):
    def damage(place):
        def change(features):
            features["featuresDict"]["features"][key][kind].update(values)

        edit_json(place / "features.json", change)

    damage.__name__ = f"{key} {values}"
    return damage


def program_as_feature(place):
    (place.parents[2] / "planted.py").write_text(
        "import pathlib; pathlib.Path('planted').write_text('x')"
    )

    def change(features):
        label = features["featuresDict"]["features"]["label"]
        label["pythonClassName"] = "planted.Feature"

    edit_json(place / "features.json", change)


def not_json(place):
    (place / "features.json").write_text("[" * 100_000)


def not_info(place):
    (place / "dataset_info.json").write_text("{]")


@pytest.mark.parametrize("classes", ["", "0,1"])
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (flipped_bit, "is damaged"), (half_a_record, "is damaged"),
        (label_out_of_range, "label 7"),
        (images_of_another_size, "is damaged"),
        (images_that_would_broadcast, "is damaged"),
        (of_splits(shardLengths=["1000000000000000"]), ""),
        (of_splits(shardLengths=["-5"]), ""), (of_splits(shardLengths=["0"]), ""),
        (of_feature("label", "classLabel", numClasses=10**12), ""),
        (of_feature("label", "classLabel", numClasses=-3), ""),
        (of_feature("image", "image", shape={"dimensions": ["2000000000"] * 3}), ""),
        (of_feature("image", "image", shape={"dimensions": ["0", "0", "3"]}), ""),
        (of_feature("image", "image", shape={"dimensions": ["-7", "8", "3"]}), ""),
        (program_as_feature, "planted"), (not_json, "cannot be read"),
        (not_info, "cannot be read"),
        (of_another_format, "--file_format=tfrecord"),
    ],
)  # fmt: skip
def test_data_set_of_tfds(
    refused, prepared, tmp_path, monkeypatch, damage, said, classes
):
    place = tmp_path / "data" / "pictures" / "1.0.0"
    shutil.copytree(prepared, place)
    damage(place)
    monkeypatch.syspath_prepend(str(tmp_path))  # As `python -m` does.
    flags = ["--dataset=pictures", "--data_dir=data", f"--classes={classes}"]
    refused(main, *TINY, *flags, said=said)


@pytest.mark.stress
def test_a_record_without_end(prepared, tmp_path):
    """In a process of its own, for TensorFlow would end it."""
    place = tmp_path / "data" / "pictures" / "1.0.0"
    shutil.copytree(prepared, place)
    endless_record(place)
    flags = ["--dataset=pictures", "--data_dir=data", "--classes="]
    done = subprocess.run(
        [sys.executable, "-m", "hdd_tf.main", *TINY, *flags],
        capture_output=True,
        text=True,
        timeout=LONGEST,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 2, done.stderr
    assert "is damaged" in done.stderr and done.stderr.count("\n") == 1


# Flag files.


def flag_file_cycle(place):
    (place / "a.cfg").write_text("--flagfile=b.cfg\n")
    (place / "b.cfg").write_text("# on\n--flagfile=a.cfg\n")


def flag_file_huge_fraction(place):
    (place / "a.cfg").write_text(f"--loss_weight={10**400}/1\n")


def flag_file_colours(place):
    (place / "a.cfg").write_text("--dataset=x\x1b[2J\x00\n")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (flag_file_cycle, "comes back to a file"),
        (flag_file_huge_fraction, "--loss_weight"), (flag_file_colours, "--dataset"),
    ],
)  # fmt: skip
def test_flag_file(refused, tmp_path, damage, said):
    damage(tmp_path)
    refused(main, *TINY, "--flagfile=a.cfg", said=said)


# Run directories.


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    place = tmp_path_factory.mktemp("finished") / "run"
    assert main(["hdd_tf", *TINY, f"--run_dir={place}"]) == 0
    return place


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


DEEP = "[" * 100_000
EDITS = {
    "not json": "{]",
    "deep": DEEP,
    "list": "[]",
    "number": "7",
    "huge number": "1" * 5000,
    "not utf-8": b"\xff\xfe{}",
    "surrogates": '{"\\ud800": "\\udfff"}',
    "null": "null",
    "empty": "",
}


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))


@pytest.mark.parametrize("text", EDITS.values(), ids=EDITS)
def test_config_json_that_is_none(refused, run, text):
    write(run / "config.json", text)
    refused(main, *TINY, "--run_dir=run", "--iterations=3", said="config.json")


@pytest.mark.parametrize(
    "edit",
    [
        {"identity": []}, {"identity": {"iterations": "many"}}, {"config": 7},
        {"data": {"mean": 3}}, {"later_environments": 5},
    ],
    ids=str,
)  # fmt: skip
def test_config_json_of_another_kind(refused, run, edit):
    edit_json(run / "config.json", lambda config: config.update(edit))
    refused(main, *TINY, "--run_dir=run", "--iterations=3", said="run")


def program(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "export" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.mark.parametrize(
    "name", ["export_tfrecord", "export_projector", "export_saved_model"]
)
@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"config": 7}, "config.json"), ({"config": {}}, ""), ({"data": {}}, ""),
        ({"config": {"dataset": "digits", "baselines": [5]}}, ""),
        ({"config": {"dataset": {}, "eval_networks": [[]]}}, ""),
        ({"config": {"dataset": "digits", "curvature": -(10**400)}}, ""),
        ({"config": {"dataset": "digits", "\n\x1b[2J": 1}}, ""),
    ],
    ids=str,
)  # fmt: skip
def test_export_of_a_run_that_is_none(refused, run, name, edit, said):
    edit_json(run / "config.json", lambda config: config.update(edit))
    refused(program(name), "--run_dir=run", "--output_dir=out", said=said)


def test_a_run_names_no_program_to_run(refused, run):
    (run.parent / "planted.py").write_text("open('planted', 'w')")
    named = {"eval_networks": ["planted:build"]}
    edit_json(run / "config.json", lambda record: record["config"].update(named))
    words = ["--run_dir=run", "--output_dir=out"]
    refused(program("export_saved_model"), *words, said="planted:build")
    refused(program("export_tfrecord"), *words, "--measure", said="planted:build")


@pytest.mark.parametrize("name", ["config.json", "result.json", "validation.json"])
def test_a_pipe_in_a_run(run, monkeypatch, capfd, name):
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    monkeypatch.chdir(run.parent)
    with time_limit():
        code = report_main(["report", "run"])
    # A run without scores on the way is one still.
    assert code == (0 if name == "validation.json" else 2)
    assert "Traceback" not in capfd.readouterr().err


def test_a_result_of_another_kind_is_made_again(run, monkeypatch, capfd):
    edit_json(run / "result.json", lambda result: result.update(accuracy=5))
    monkeypatch.chdir(run.parent)
    assert report_main(["report", "run"]) == 2
    assert "skipped" in capfd.readouterr().err
    assert main(["hdd_tf", *TINY, "--run_dir=run"]) == 0
    assert report_main(["report", "run"]) == 0


LINKS = [
    *("config.json", "result.json", "flags.cfg", ".lock", "synthetic", "pictures"),
    *("checkpoints", "checkpoints/checkpoint", "tensorboard", "pictures/final.png"),
]


@pytest.mark.parametrize("name", LINKS)
def test_links_out_of_a_run(refused, run, tmp_path, name):
    """What a run writes would go through them."""
    outside = tmp_path / "outside"
    outside.mkdir()
    target = outside / "thing"
    path = run / name
    if path.exists():
        path.rename(target)
    else:
        target.write_text("precious")
    path.symlink_to(target)
    refused(main, *TINY, "--run_dir=run", "--iterations=3", said=name)


SUMS = {
    **EDITS,
    "no files": {},
    "files of text": {"files": "x"},
    "a device": {"files": {"/dev/zero": {"bytes": 0, "sha256": ""}}},
    "outside": {"files": {"../../secret": {"bytes": 0, "sha256": ""}}},
    "null byte": {"files": {"a\0b": {}}},
}


@pytest.mark.parametrize("kind", SUMS)
def test_sums_of_checkpoints(refused, run, kind):
    for path in (run / "checkpoints").glob("*.sha256.json"):
        value = SUMS[kind]
        if isinstance(value, dict):
            value = json.dumps(checksums.seal({"iteration": 2, **value}))
        write(path, value)
    refused(main, *TINY, "--run_dir=run", "--iterations=3", said="no whole checkpoint")


# Distilled sets, beside what test_untrusted_sets.py has.


def reseal(place, **changes):
    path = place / "hdd_tf.json"
    metadata = {**json.loads(path.read_text("utf-8")), **changes}
    path.write_text(json.dumps(checksums.seal(metadata)), "utf-8")


@pytest.mark.parametrize(
    "changes",
    [
        {"source": {}}, {"source": {"dataset": 5}}, {"source": {"a\n": 5}},
        {"source": {"dataset": "digits", "seed": {}}}, {"dataset": {}}, {"ipc": "x"},
        {"source": {"dataset": "digits", "baselines": [5]}}, {"ipc": 10**400},
        {"source": {"dataset": "digits", "num_eval": 10**400}}, {"ipc": -1},
        {"label_names": ["\ud800", "1"]}, {"objective": []}, {"geometry": {}},
        {"iteration": "x"}, {"selected": {}}, {"selected": 5},
        {"source": {"dataset": "digits", "classes": [[0]]}},
        {"source": {"dataset": "digits"}},
    ],
    ids=str,
)  # fmt: skip
def test_metadata_of_a_set(refused, run, changes):
    reseal(run / "synthetic", **changes)
    refused(evaluate_main, "run/synthetic", said="")


def test_a_set_names_no_program_to_run(refused, run, tmp_path, monkeypatch):
    (tmp_path / "planted.py").write_text(
        "import pathlib; pathlib.Path('planted').write_text('x')"
    )
    source = json.loads((run / "config.json").read_text("utf-8"))["config"]
    source["eval_networks"] = ["planted:build"]
    reseal(run / "synthetic", source=source)
    refused(evaluate_main, "run/synthetic", said="planted:build")


def test_a_set_of_more_bytes_than_memory(refused, run):
    place = run / "synthetic"
    name = next(place.glob("*tfrecord*")).name
    os.truncate(place / name, 2**42)
    files = json.loads((place / "hdd_tf.json").read_text("utf-8"))["files"]
    files[name]["bytes"] = 2**42
    reseal(place, files=files)
    refused(evaluate_main, "run/synthetic", said="does not fit into memory")


def test_parts_of_images_that_fill_the_memory_when_enlarged(run, monkeypatch):
    reseal(run / "synthetic", formation_factor=8)
    found = read_distilled_set(run / "synthetic")
    assert len(decoding.decode_set(found).images) == 64 * len(found.images)
    needed = 64 * found.images.nbytes
    monkeypatch.setattr(decoding, "available_memory", lambda: needed - 1)
    with pytest.raises(InputError, match="formation_factor 8 need"):
        decoding.decode_set(found)


def test_nothing_unpickles():
    """Pickles are programs; so are what YAML and dill read without care."""
    words = re.compile(
        r"^\s*(import|from) (pickle|dill|joblib|shelve|marshal|yaml|cloudpickle)\b"
        r"|torch\.load\((?!.*weights_only=True)|\bnp\.load\(|allow_pickle=True|load_model\("
        r"|unsafe_deserialization|\beval\(|\bexec\(",
        re.MULTILINE,
    )
    programs = [*ROOT.glob("hdd_tf/**/*.py"), *ROOT.glob("export/*.py")]
    assert len(programs) > 100
    found = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in programs
        for match in words.finditer(path.read_text("utf-8"))
    }
    assert found == set()


def test_an_expert_that_is_a_pickle(tmp_path):
    """As numpy.load would read one that is allowed to run."""
    path = tmp_path / "x.npz"
    np.savez(path, arr_0=np.array([{"a": print}], object))
    with pytest.raises(ValueError, match="arr_0 is object"):
        read_npz(path, {"arr_0": (np.int64, ())})
