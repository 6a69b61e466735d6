"""A run that stops and goes on gives the images of one that did not."""

import resource

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.artifacts.checkpoint_files import CheckpointFiles
from hdd_tf.config import Config
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.errors import InputError
from hdd_tf.exporting.saved_sets import load_images
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.building import build_step
from hdd_tf.reading.loading import dataset_from_arrays
from hdd_tf.running.checkpoints import DistillationCheckpoints

STRATEGY = tf.distribute.OneDeviceStrategy("CPU:0")


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 12)
    images = rng.integers(0, 150, (36, 8, 8, 1)) + 50 * labels[:, None, None, None]
    return dataset_from_arrays(images.astype(np.uint8), labels)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return {
        "dataset": "arrays", "ipc": 1, "depth": 1, "width": 4, "real_batch": 8,
        "dsa": "flip_crop", "image_lr": 0.3, "loss_weight": 20.0, "progress": False,
        "idm_pool_start": 1, "idm_pool_size": 3, "idm_join_every": 2,
        "idm_reset_every": 3, "idm_train_steps": 2, "idm_train_batch": 8,
        "num_experts": 2, "pretrain_epochs": 1,
        "dsdm_networks": 2, "dsdm_epochs": 1, "dsdm_prototype_after": 2,
        "iid_network": "convnet", "iid_networks": 2, "iid_epochs": 1,
        "expert_dir": str(tmp_path_factory.mktemp("experts")),
    }  # fmt: skip


def stress(*values):
    return pytest.param(*values, marks=pytest.mark.stress)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("objective", "bank"),
    [
        stress("dm", 0),
        ("dm", 2),
        stress("dm", 5),
        stress("idm", 0),
        stress("dance", 0),
        stress("dance", 2),
        stress("dsdm", 0),
        stress("iid", 0),
    ],
)
def test_resumed_run_gives_the_same_images(
    dataset, settings, objective, bank, tmp_path
):
    # The run stops after 3 iterations: a bank of 2 is full by then, one of 5 is not.
    config = Config(objective=objective, real_bank_size=bank, **settings)

    def build():
        network = matched_network(config, dataset.image_shape, dataset.num_classes)
        step = build_step(MethodContext(config, dataset, network, STRATEGY))
        directory = tmp_path / "checkpoints"
        return step, DistillationCheckpoints(directory, step.method.state())

    whole, checkpoints = build()
    assert checkpoints.restore() == (0, 0.0)
    whole.run(0, 3)
    checkpoints.save(3, 1.5)
    whole.run(3, 4)
    resumed, checkpoints = build()
    assert checkpoints.restore() == (3, 1.5)
    pixels, iteration = load_images(tmp_path)
    np.testing.assert_array_equal(pixels, resumed.method.synthetic_set.pixels())
    assert iteration == 3
    resumed.run(3, 4)
    np.testing.assert_array_equal(
        resumed.method.synthetic_set.images.numpy(),
        whole.method.synthetic_set.images.numpy(),
    )
    for mine, other in zip(
        resumed.method.state()["objective"].variables,
        whole.method.state()["objective"].variables,
        strict=True,
    ):
        np.testing.assert_array_equal(mine.numpy(), other.numpy())
    # Otherwise the second half would prove nothing.
    assert not np.array_equal(pixels, resumed.method.synthetic_set.pixels())


def test_checkpoint_of_another_version_is_not_called_damaged(
    dataset, settings, tmp_path
):
    state = tf.train.Checkpoint(iteration=tf.Variable(3, dtype=tf.int64))
    manager = tf.train.CheckpointManager(
        state, str(tmp_path), 2, checkpoint_name="iteration"
    )
    manager.save(checkpoint_number=3)
    config = Config(objective="dm", **settings)
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    step = build_step(MethodContext(config, dataset, network, STRATEGY))
    with pytest.raises(InputError, match="written by another version of hdd_tf"):
        DistillationCheckpoints(tmp_path, step.method.state()).restore()


@pytest.fixture(scope="module")
def parts(dataset, settings):
    config = Config(objective="dm", **settings)
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    return build_step(MethodContext(config, dataset, network, STRATEGY))


def checkpoints_of(parts, directory, keep=2):
    return DistillationCheckpoints(
        directory / "checkpoints", parts.method.state(), keep
    )


def save_two(parts, directory, keep=2):
    """Saves after 10 and 20 iterations; returns the images of the first."""
    checkpoints = checkpoints_of(parts, directory, keep)
    parts.run(0, 1)
    checkpoints.save(10, 1.5)
    images = parts.method.synthetic_set.pixels()
    parts.run(1, 1)
    checkpoints.save(20, 2.5)
    assert not np.array_equal(images, parts.method.synthetic_set.pixels())
    return images


def names(directory):
    return sorted(path.name for path in (directory / "checkpoints").iterdir())


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DATA, INDEX, SUMS = ".data-00000-of-00001", ".index", ".sha256.json"
DAMAGES = {
    "flipped data": (DATA, flip, "is not as it was written"),
    "flipped index": (INDEX, flip, "is not as it was written"),
    "flipped sums": (SUMS, flip, "is damaged"),
    "emptied data": (DATA, lambda file: file.write_bytes(b""), "as it was written"),
    "emptied sums": (SUMS, lambda file: file.write_bytes(b""), "is damaged"),
    "no data": (DATA, lambda file: file.unlink(), "is missing"),
    "no index": (INDEX, lambda file: file.unlink(), "is missing"),
    "no sums": (SUMS, lambda file: file.unlink(), "was not written to the end"),
}


@pytest.mark.parametrize("suffix, damage, said", DAMAGES.values(), ids=DAMAGES)
def test_damaged_checkpoint_is_not_taken_for_whole(
    parts, tmp_path, capsys, suffix, damage, said
):
    images = save_two(parts, tmp_path)
    damage(tmp_path / f"checkpoints/iteration-20{suffix}")
    pixels, iteration = load_images(tmp_path)
    line = capsys.readouterr().out
    assert said in line and "iteration 10 is the newest whole" in line
    assert line.count("\n") == 1
    checkpoints = checkpoints_of(parts, tmp_path)
    assert checkpoints.restore() == (10, 1.5) and iteration == 10
    assert capsys.readouterr().out == line
    np.testing.assert_array_equal(pixels, images)
    np.testing.assert_array_equal(parts.method.synthetic_set.pixels(), images)
    # Going on, the damaged one does not push out the whole one.
    checkpoints.save(12, 1.7)
    (_, twelve), (_, ten) = (
        (stem, [name for name in names(tmp_path) if name.startswith(stem)])
        for stem in ("iteration-12", "iteration-10")
    )
    assert len(twelve) == len(ten) == 3
    assert not [name for name in names(tmp_path) if "20" in name]
    listed = tf.train.latest_checkpoint(str(tmp_path / "checkpoints"))
    assert listed.endswith("iteration-12")


def test_no_whole_checkpoint_is_one_line_that_says_what_to_do(parts, tmp_path):
    save_two(parts, tmp_path)
    for iteration in (10, 20):
        flip(tmp_path / f"checkpoints/iteration-{iteration}{DATA}")
    for read in (
        checkpoints_of(parts, tmp_path).restore,
        lambda: load_images(tmp_path),
    ):
        with pytest.raises(
            InputError, match=r"no whole checkpoint.*mend that"
        ) as caught:
            read()
        assert "\n" not in str(caught.value)


def test_one_that_is_as_it_was_written_is_not_passed_over(tmp_path):
    checkpoints = DistillationCheckpoints(tmp_path, {"x": tf.Variable([1.0])})
    for iteration in (1, 2):
        checkpoints.save(iteration, 0.1)
    (tmp_path / "iteration-2.index").write_bytes(b"of a later TensorFlow")
    CheckpointFiles(tmp_path).seal(2)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"iteration-2 is as it was written, but"):
        checkpoints.restore()
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("damage", [None, flip])
def test_checkpoints_of_earlier_versions_have_no_sums(parts, tmp_path, damage):
    save_two(parts, tmp_path)
    for path in (tmp_path / "checkpoints").glob(f"*{SUMS}"):
        path.unlink()
    if damage:
        damage(tmp_path / f"checkpoints/iteration-20{DATA}")
    expected = 10 if damage else 20
    assert checkpoints_of(parts, tmp_path).restore()[0] == expected
    # Now that it is known to be whole, it says so.
    assert f"iteration-{expected}{SUMS}" in names(tmp_path)


def test_lost_list_of_checkpoints_does_no_harm(parts, tmp_path):
    save_two(parts, tmp_path)
    (tmp_path / "checkpoints/checkpoint").unlink()
    assert checkpoints_of(parts, tmp_path).restore() == (20, 2.5)


@pytest.mark.parametrize("keep, kept", [(1, [20]), (2, [10, 20]), (0, [10, 20])])
def test_as_many_are_kept_as_asked_for(parts, tmp_path, keep, kept):
    (tmp_path / "checkpoints/iteration-7_temp").mkdir(parents=True)
    save_two(parts, tmp_path, keep)
    assert names(tmp_path) == ["checkpoint"] + [
        f"iteration-{number}{suffix}"
        for number in kept
        for suffix in (DATA, INDEX, SUMS)
    ]


def test_disk_that_is_full_stops_the_run_and_spares_what_is_saved(parts, tmp_path):
    checkpoints = checkpoints_of(parts, tmp_path)
    checkpoints.save(10, 1.5)
    images, before = parts.method.synthetic_set.pixels(), names(tmp_path)
    parts.run(0, 1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The system refuses to let any file grow beyond this, as a full disk would.
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        with pytest.raises(InputError) as caught:
            checkpoints.save(20, 2.5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "cannot be written (File too large)" in str(caught.value)
    assert "goes on from iteration 10" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == before
    assert checkpoints_of(parts, tmp_path).restore() == (10, 1.5)
    np.testing.assert_array_equal(parts.method.synthetic_set.pixels(), images)
