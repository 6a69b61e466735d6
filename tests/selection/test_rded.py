"""RDED's crops, scores, order and stitching against its released program."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.errors import InputError
from hdd_tf.evaluation.scorers.network_scorer import NetworkScorer
from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.registry import network_of_settings
from hdd_tf.networks.teacher import Teacher, TeacherNetwork
from hdd_tf.random_keys import derive_key
from hdd_tf.reading.loading import dataset_from_arrays
from hdd_tf.selection.rded.crops import CropScorer, best_crops, draw_crops
from hdd_tf.selection.rded.method import SelectionOfCrops
from hdd_tf.selection.rded.stitching import stitch, through_jpeg

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "rded.npz"
SHAPE, CLASSES = (32, 32, 3), 3
IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def observer(golden):
    weights, state = [], []
    for block in range(3):
        weights.append(golden[f"teacher_conv{block}_kernel"])
        for name in ("gamma", "beta"):
            weights.append(golden[f"teacher_norm{block}_{name}"])
        # The norm here sees maps without the bias.
        mean = golden[f"teacher_norm{block}_mean"]
        state.append(mean - golden[f"teacher_conv{block}_bias"])
        state.append(golden[f"teacher_norm{block}_variance"])
    weights.append(golden["teacher_classifier_kernel_hwc"].reshape(-1, CLASSES))
    weights.append(golden["teacher_classifier_bias"])
    network = TeacherNetwork(
        "convnet_batch", NetworkOptions(depth=3, width=8), weights, state
    )
    return Teacher((network,), SHAPE, CLASSES)


def scorer_of(observer, crops, most=7):
    return CropScorer(observer, IMAGENET, crops.shape[-3:-1], most)


@pytest.mark.parametrize("case", range(3))
def test_scores_order_and_images_are_those_of_the_program(case, golden, observer):
    crops, scores, best, order, label, factor, ipc, stored, jpeg = (
        golden[f"select{case}_{name}"]
        for name in (
            "crops_uint8", "scores", "best_crop", "order", "label", "factor", "ipc",
            "stored_uint8", "jpeg_uint8",
        )
    )  # fmt: skip
    images, number = crops.shape[:2]
    scorer = scorer_of(observer, crops)
    flat = tf.constant(crops.reshape(-1, *crops.shape[2:]).astype(np.float32))
    found = scorer.score(flat, tf.constant(int(label))).numpy().reshape(scores.shape)
    np.testing.assert_allclose(found, scores, atol=1e-5)
    # Blocks of another number of images, from whole images that are the crops.
    if crops.shape[2:] == SHAPE:
        boxes = np.array([[[0, 0, 32, 32]]] * images, np.int32)
        for crop in range(number):
            blocks = scorer.scores(crops[:, crop], boxes, int(label))
            np.testing.assert_allclose(blocks[:, 0], scores[:, crop], atol=1e-5)
    chosen = best_crops(found, int(ipc * factor**2))
    np.testing.assert_array_equal(chosen.images, order)
    np.testing.assert_array_equal(chosen.numbers, best[order])
    made = stitch(crops[chosen.images, chosen.numbers], int(factor), 32, 32)
    np.testing.assert_allclose(made.astype(int), stored, atol=1)
    decoded = through_jpeg(stored)
    assert decoded.dtype == np.uint8
    # Exactly these with the program's library; another one rounds otherwise.
    assert np.abs(decoded.astype(int) - jpeg).mean() < 1


def test_small_crops_lie_in_the_middle_of_grey(golden, observer):
    crops = golden["select0_crops_uint8"][0, :1]
    found = scorer_of(observer, crops).on_canvas(tf.constant(crops, tf.float32))
    np.testing.assert_allclose(found, golden["select0_padded_first"], atol=1e-6)


def test_cells_of_unequal_size_are_those_of_the_program(golden):
    factor = int(golden["assemble_factor"])
    found = stitch(golden["assemble_parts_uint8"], factor, 32, 32)
    np.testing.assert_array_equal(found, golden["assemble_images_uint8"])


def test_equal_scores_keep_the_order_of_the_images():
    scores = np.array([[0.5, 0.0], [0.0, 0.0], [0.1, 0.0], [0.2, 0.3]], np.float32)
    chosen = best_crops(scores, 4)
    np.testing.assert_array_equal(chosen.images, [0, 1, 2, 3])
    np.testing.assert_array_equal(chosen.numbers, [1, 0, 1, 0])


def test_crops_are_squares_of_the_shares_asked_for():
    boxes = draw_crops(derive_key(0), 4000, 5, 32, 32)
    top, left, height, width = np.moveaxis(boxes, -1, 0)
    np.testing.assert_array_equal(height, width)
    assert boxes.min() >= 0 and (top + height).max() <= 32
    assert (left + width).max() <= 32
    share = (height * width / 1024).ravel()
    assert height.min() == round((0.08 * 1024) ** 0.5) and height.max() == 32
    assert share.mean() == pytest.approx(0.54, abs=0.005)
    # Images of other sides have crops of their own ratio.
    boxes = draw_crops(derive_key(0), 50, 5, 20, 40)
    np.testing.assert_allclose(boxes[..., 3] / boxes[..., 2], 2, atol=0.25)


def test_crops_are_cut_as_they_were_scored_and_truncated(observer):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, *SHAPE)).astype(np.uint8)
    images[0] = 100
    scorer = CropScorer(observer, IMAGENET, (16, 16), 4)
    boxes = draw_crops(derive_key(1), 6, 2, 32, 32)
    scores = scorer.scores(images, boxes, 1)
    cut = scorer.cut(images, boxes[:, 1])
    assert cut.dtype == np.uint8 and (cut[0] == 100).all()
    again = scorer.score(tf.constant(cut, tf.float32), tf.constant(1))
    # Eight bits change a score a little.
    np.testing.assert_allclose(again, scores[:, 1], rtol=0.05)
    whole = np.array([[0, 0, 32, 32]] * 6, np.int32)
    full = CropScorer(observer, IMAGENET, (32, 32), 4)
    np.testing.assert_array_equal(full.cut(images, whole), images)
    assert through_jpeg(images[..., :1]).shape == (6, 32, 32, 1)


@pytest.fixture(scope="module")
def dataset():
    """Three classes of 9 to 11 images of 8x8 pixels, each of its own brightness."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), [9, 10, 11])
    images = rng.integers(0, 120, (30, 8, 8, 1)) + 45 * labels[:, None, None, None]
    return dataset_from_arrays(images.astype(np.uint8), labels)


@pytest.fixture(scope="module")
def method_of(dataset, tmp_path_factory):
    """Builds methods on one observer, of the data set or of a part of it."""
    experts = tmp_path_factory.mktemp("experts")

    def make(classes=(0, 1, 2), dry_run=False, **settings):
        config = Config(**{
            "dataset": "arrays", "objective": "rded", "ipc": 1, "depth": 1, "width": 4,
            "rded_epochs": 2, "rded_batch": 8, "rded_factor": 2, "rded_images": 8,
            "expert_dir": str(experts), "progress": False, **settings,
        })  # fmt: skip
        # A part keeps all names, so that the same observer knows it.
        rows = np.flatnonzero(np.isin(dataset.training.labels, classes))
        part = dataclasses.replace(dataset, training=dataset.training.take(rows))
        network = network_of_settings("convnet", config, dataset.image_shape, 3)
        strategy = tf.distribute.OneDeviceStrategy("CPU:0")
        return SelectionOfCrops(MethodContext(config, part, network, strategy, dry_run))

    return make


METADATA = {
    "dataset": "arrays", "label_names": ["0", "1", "2"], "mean": [0.5], "std": [0.25],
    "objective": "rded", "geometry": "none", "source": {},
}  # fmt: skip


@pytest.mark.slow
def test_the_choice_depends_on_the_class_alone(method_of, dataset, capsys):
    method = method_of()
    method.train_ahead()
    made = method.result(METADATA)
    assert made.images.shape == (3, 8, 8, 1) and made.teacher is not None
    assert (made.images == np.floor(made.images)).all()
    told = made.metadata["observer"]
    assert (told["split"], told["images"]) == ("training", 30)
    assert f"knows {told['accuracy']:.2f} % of 30 training images" in (
        capsys.readouterr().out
    )
    # The same observer among fewer images, in other blocks.
    other = method_of(max_images_per_forward=3)
    other.train_ahead()
    scorer = other._scorer()
    np.testing.assert_array_equal(other._of_class(scorer, 1)[0], made.images[1])
    kind = json.loads(
        next(pathlib.Path(other._config.expert_dir).glob("*/kind.json")).read_text()
    )
    assert kind["label_names"] == ["0", "1", "2"]
    part = dataclasses.replace(
        other._dataset,
        training=dataset.training.take(np.flatnonzero(dataset.training.labels == 1)),
    )
    other._dataset = part
    np.testing.assert_array_equal(other._of_class(scorer, 1)[0], made.images[1])
    # Another seed, another choice; through JPEG, nearly the same.
    other._config = dataclasses.replace(other._config, seed=1)
    assert (other._of_class(scorer, 1)[0] != made.images[1]).any()
    other._config = dataclasses.replace(other._config, seed=0, rded_jpeg=True)
    lossy = other._of_class(scorer, 1)[0]
    assert 0 < np.abs(lossy - made.images[1]).mean() < 20


def test_a_dry_run_trains_nothing_and_tells_the_crops(method_of, tmp_path):
    method = method_of(dry_run=True, expert_dir=str(tmp_path / "none"))
    method.train_ahead()
    (work,) = method.stages()
    assert work.count == "120 crops" and work.seconds > 0
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ipc": 3}, "crops of 12 images of each class, and --rded_images=8 draws"),
        ({"ipc": 3, "rded_images": 300}, r"the smallest one has fewer \(0: 9 training"),
        ({"rded_factor": 9}, "--rded_factor=9 is more than 8x8 images have pixels"),
        ({"rded_network": "vgg11"}, "--rded_network=vgg11: "),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, words, method_of):
    with pytest.raises(InputError, match=words):
        method_of(**settings)


def test_cells_that_students_cannot_permute_are_refused(method_of):
    method = method_of(rded_factor=3, ipc=1, rded_images=9)
    context = method._context
    with pytest.raises(InputError, match="3x3 cells, which do not divide 8x8 images"):
        NetworkScorer(context.config, context.dataset, context.network)
