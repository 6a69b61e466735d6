"""The examples train by a set's recipe as hdd_tf does: the same views and weights."""

import dataclasses
import importlib
import math
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.augment import cell_shuffle, dsa, warp
from hdd_tf.config import Config
from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.registry import build_with_options
from hdd_tf.networks.teacher import Teacher
from hdd_tf.protocols import published
from hdd_tf.protocols.schedules import optimiser_starts, rate_at
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.protocols.views import ReplayedViews
from hdd_tf.random_keys import derive_key
from hdd_tf.training.network_trainer import NetworkTrainer
from tests.artifacts.full_set import full_set

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"
SHAPE, CLASSES, COUNT = (8, 8, 3), 3, 10
OPTIONS = NetworkOptions(depth=2, width=4)


@pytest.fixture(autouse=True)
def examples(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)


@pytest.fixture(scope="module")
def carried():
    """Ten images with everything that a set can carry; labels of two epochs."""
    rng = np.random.default_rng(7)
    plain = DistilledSet(
        rng.uniform(-20, 280, [COUNT, *SHAPE]).astype(np.float32),
        rng.permutation(np.arange(COUNT, dtype=np.int64) % CLASSES),
        {
            "dataset": "noise", "label_names": ["a", "b", "c"], "source": {},
            "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3], "objective": "dm",
            "geometry": "none",
        },
    )  # fmt: skip
    return dataclasses.replace(full_set(plain), student_rate=0.03)


SOURCES = {
    "stored": ("label_logits", "student_rate"),
    "epochs": ("epoch_labels",),
    "teacher": ("teacher",),
}


def of_source(carried, source, protocol, whitening=False):
    """Returns the part of a set that goes with labels, and hdd_tf.json's entries."""
    kept = {*SOURCES[source], *(["whitening"] if whitening else [])}
    gone = {
        f.name: None
        for f in dataclasses.fields(carried)
        if f.name not in {*kept, "images", "labels", "metadata"}
    }
    part = dataclasses.replace(carried, **gone)
    recipe = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in dataclasses.asdict(protocol).items()
    }
    metadata = {**part.metadata, "recipe": recipe, "student_rate": part.student_rate}
    metadata |= {"soft_labels": 1} if source == "stored" else {}
    metadata |= {"teacher": 1} if source == "teacher" else {}
    if part.epoch_labels is not None:
        labels = part.epoch_labels
        metadata["epoch_labels"] = {**vars(labels), "epochs": labels.num_epochs}
    if part.whitening is not None:
        metadata["whitening"] = vars(part.whitening)
    return part, metadata


def views_of(part, metadata):
    recipe = importlib.import_module("recipe").Recipe.of_set(metadata)
    ask = None
    if part.teacher is not None:
        logits, tensors = part.teacher.logits_function(), part.normalisation.tensors()

        def ask(pixels):  # As the SavedModel does.
            return logits(tensors(tf.constant(pixels))).numpy()

    views = importlib.import_module("views")
    return recipe, views.Views(
        part.images, part.labels, part.label_logits, metadata, recipe, ask
    )


@pytest.mark.parametrize("whitening", [False, True])
def test_stored_views_are_replayed(carried, whitening):
    protocol = TrainingProtocol(2, batch_size=4, loss="kl", labels="epochs")
    part, metadata = of_source(carried, "epochs", protocol, whitening)
    _, views = views_of(part, metadata)
    ours = ReplayedViews(part.epoch_labels, SHAPE, part.normalisation.tensors())
    batches, images = list(views.batches(range(2))), tf.Variable(part.images)
    assert len(batches) == 6
    for number, batch in enumerate(batches):
        epoch, index = divmod(number, 3)
        order = ours.order(None, tf.constant(epoch))
        rows = order[index * 4 : index * 4 + 4]
        seen = ours.view(images, rows, None, tf.constant(epoch), index)
        np.testing.assert_allclose(batch.images, seen.images, rtol=1e-5, atol=2e-5)
        np.testing.assert_array_equal(batch.logits, seen.label_logits)
        np.testing.assert_array_equal(batch.labels, part.labels[rows.numpy()])
        np.testing.assert_array_equal(
            batch.partner_labels, part.labels[rows.numpy()[seen.mixing.partner]]
        )
        np.testing.assert_allclose(batch.share, float(seen.mixing.share), rtol=1e-6)


# Without augmentation and with one batch an epoch, nothing is left to chance but the
# order in which a batch is summed up.
PROTOCOLS = {
    "stored": TrainingProtocol(
        5, batch_size=16, drop_epochs=(3,), loss="soft", labels="stored",
        weight_decay=0.02, learnt_rate=True,
    ),
    "epochs": TrainingProtocol(
        2, batch_size=4, learning_rate=0.05, loss="mse", labels="epochs",
        hard_weight=0.3, decay_kernels_only=True, schedule="cosine", period=4.0,
    ),
    "teacher": TrainingProtocol(
        3, batch_size=16, learning_rate=0.003, loss="kl", labels="teacher",
        temperature=3.0, optimiser="adamw", weight_decay=0.1, extra_norm_pass=True,
        schedule="table", rate_factors=(1.0, 0.5, 0.25),
    ),
}  # fmt: skip


def trained_by_hdd_tf(part, protocol):
    """Returns the weights before and after a training of hdd_tf itself."""
    name = "convnet_batch" if protocol.labels == "teacher" else "convnet"
    network = build_with_options(name, SHAPE, CLASSES, OPTIONS)
    trainer = NetworkTrainer(
        network, part.images, part.labels, part.normalisation, protocol,
        label_logits=part.label_logits, epoch_labels=part.epoch_labels,
        teacher=part.teacher,
    )  # fmt: skip
    if part.student_rate is not None:
        trainer.set_learning_rate(part.student_rate)
    key = derive_key(3)
    start = [weight.numpy() for weight in trainer.initial_weights(network, key)]
    trainer.train(key)
    values = [weight.numpy() for weight in trainer.weights]
    return start, values, [value.numpy() for value in trainer.state]


def trained_in_keras(start, part, metadata):
    published = importlib.import_module("published_network")
    norm = metadata["recipe"]["labels"] == "teacher"
    architecture = published.Architecture(4, 2, batch_norm=norm)
    network = published.build_network(SHAPE, CLASSES, architecture)
    for variable, value in zip(network.trainable_variables, start, strict=True):
        variable.assign(value)
    recipe, views = views_of(part, metadata)
    importlib.import_module("soft_labels").train_by_recipe(network, recipe, views)
    return [variable.numpy() for variable in network.trainable_variables], [
        variable.numpy() for variable in network.non_trainable_variables
    ]


def trained_in_pytorch(start, part, metadata):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    program = importlib.import_module("train_in_pytorch")
    norm = metadata["recipe"]["labels"] == "teacher"
    network = program.build_network(SHAPE, CLASSES, 4, 2, norm)
    with torch.no_grad():
        for weight, value in zip(network.parameters(), start, strict=True):
            weight.copy_(torch.tensor(_in_pytorch(value)))
    recipe, views = views_of(part, metadata)
    program.train_by_recipe(network, recipe, views)
    weights = [weight.detach().numpy() for weight in network.parameters()]
    return [_in_keras(w, v) for w, v in zip(weights, start, strict=True)], [
        value.numpy()
        for name, value in network.named_buffers()
        if "num_batches" not in name
    ]


# The map before the dense layer is 2x2x4; Keras flattens its channels last.
def _in_pytorch(value):
    if value.ndim == 4:
        return value.transpose(3, 2, 0, 1)
    if value.ndim == 2:
        return value.reshape(2, 2, 4, -1).transpose(3, 2, 0, 1).reshape(-1, 16)
    return value


def _in_keras(value, like):
    if value.ndim == 4:
        return value.transpose(2, 3, 1, 0)
    if value.ndim == 2:
        return value.reshape(-1, 4, 2, 2).transpose(2, 3, 1, 0).reshape(like.shape)
    return value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "train"),
    [
        ("epochs", trained_in_pytorch),
        ("teacher", trained_in_keras),
        pytest.param("epochs", trained_in_keras, marks=pytest.mark.stress),
        pytest.param("teacher", trained_in_pytorch, marks=pytest.mark.stress),
        pytest.param("stored", trained_in_keras, marks=pytest.mark.stress),
        pytest.param("stored", trained_in_pytorch, marks=pytest.mark.stress),
    ],
)
def test_networks_train_as_ours_do(carried, source, train):
    if source == "teacher":  # One of its networks is enough.
        teacher = Teacher(carried.teacher.networks[1:], SHAPE, CLASSES)
        carried = dataclasses.replace(carried, teacher=teacher)
    protocol = PROTOCOLS[source]
    part, metadata = of_source(carried, source, protocol, source == "stored")
    start, expected, state = trained_by_hdd_tf(part, protocol)
    found, found_state = train(start, part, metadata)
    moved = [np.abs(a - b).max() for a, b in zip(start, expected, strict=True)]
    assert min(moved) > 1e-3
    # Adam's first updates go by the sign of a gradient, however small it is.
    close = 1e-3 if protocol.optimiser == "adamw" else 5e-5
    for mine, ours in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, ours, atol=close)
    for mine, ours in zip(found_state, state, strict=True):
        np.testing.assert_allclose(mine, ours, rtol=1e-3, atol=5e-4)


def test_recipes_say_all_that_a_protocol_does():
    recipe = importlib.import_module("recipe").Recipe
    ours = {f.name: f.default for f in dataclasses.fields(TrainingProtocol)}
    theirs = {f.name: f.default for f in dataclasses.fields(recipe)}
    # Of networks that train on real images beforehand, and never of students.
    ahead = {"padded_crop", "sharpness"}
    config = Config(dataset="cifar10")
    for name, protocol in published.PROTOCOLS.items():
        built = protocol(config, "cifar10", None)
        assert all(getattr(built, field) == ours[field] for field in ahead), name
    assert ours.keys() - ahead == theirs.keys()
    # Those that a recipe need not say mean the same in both.
    differ = {name for name in theirs if ours[name] != theirs[name]}
    assert differ == {"epochs", "loss", "labels"}


@pytest.mark.parametrize(
    "more",
    [
        {}, {"drop_epochs": (2, 5), "drop_factor": 0.2},
        {"drop_epochs": (3, 9), "reset_velocity": False},
        {"schedule": "cosine", "period": 14.0, "drop_epochs": (2,)},
        {"schedule": "table", "rate_factors": (1.0, 0.5, 3.0, 1.0, 0.0, 1.0, 2.0)},
    ],
)  # fmt: skip
def test_rates_and_restarts_are_those_of_the_protocol(more):
    recipe = importlib.import_module("recipe").Recipe(epochs=7, **more)
    protocol = TrainingProtocol(7, **more)
    expected = [rate_at(protocol, epoch) for epoch in range(7)]
    np.testing.assert_allclose(recipe.rates(), expected, rtol=1e-12)
    parts = recipe.parts()
    assert [epoch for part in parts for epoch in part] == list(range(7))
    starts = [start for start in optimiser_starts(protocol) if start < 7]
    assert [part.start for part in parts[1:]] == starts


@pytest.mark.parametrize("name", ["color", "crop", "flip", "scale", "rotate"])
def test_transformations_are_those_of_dsa(name):
    images = np.random.default_rng(1).normal(size=[6, 8, 12, 3]).astype(np.float32)
    augment = importlib.import_module("dsa").augment
    found = augment(images, np.random.default_rng(5), [], [name])
    # The values that it has drawn, after the choice among one.
    rng = np.random.default_rng(5)
    rng.integers(1)
    zeros, ones, never = np.zeros(6), np.ones(6), np.zeros(6, bool)
    drawn = dict(
        shift_rows=zeros, shift_columns=zeros, mirror=never, scale_x=ones,
        scale_y=ones, angle=zeros,
    )  # fmt: skip
    brightness, saturation, contrast = zeros, ones, ones
    if name == "color":
        brightness, saturation, contrast = (
            rng.uniform(*ends, 6) for ends in ((-0.5, 0.5), (0, 2), (0.5, 1.5))
        )
    elif name == "flip":
        drawn["mirror"] = rng.random(6) < 0.5
    elif name == "scale":
        drawn["scale_x"] = rng.uniform(1 / 1.2, 1.2, 6)
        drawn["scale_y"] = rng.uniform(1 / 1.2, 1.2, 6)
    elif name == "rotate":
        drawn["angle"] = rng.uniform(-math.radians(15), math.radians(15), 6)
    else:
        drawn["shift_rows"] = rng.integers(-1, 2, 6)
        drawn["shift_columns"] = rng.integers(-2, 3, 6)
    parameters = dsa.DSAParameters(
        *(tf.constant(v, tf.float32) for v in (brightness, saturation, contrast)),
        affine=warp.affine_maps(8, 12, **drawn),
        cutout=tf.zeros([6, 4], tf.int32),
    )
    expected = dsa.apply(tf.constant(images)[:, None], parameters, False)[:, 0]
    assert np.abs(found - images).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_cutout_is_a_square_of_half_of_the_side():
    augment = importlib.import_module("dsa").augment
    ones, rng = np.ones([500, 8, 12, 1], np.float32), np.random.default_rng(0)
    areas = (augment(ones, rng, ["cutout"], []) == 0).sum(axis=(1, 2, 3))
    assert areas.max() == 4 * 6 and areas.min() == 2 * 3
    # Over all places of a square's centre, from border to border.
    rows = [2, 3, *[4] * 5, 3, 2]
    columns = [3, 4, 5, *[6] * 7, 5, 4, 3]
    assert areas.mean() == pytest.approx(np.mean(rows) * np.mean(columns), rel=0.03)


def test_cells_and_crops_are_drawn_as_ours(monkeypatch):
    transforms = importlib.import_module("transforms")
    images = np.random.default_rng(1).normal(size=[5, 6, 9, 2]).astype(np.float32)
    found = transforms.shuffle_cells(images, np.random.default_rng(2), 3)
    rng = np.random.default_rng(2)
    columns, rows = (np.argsort(rng.random([5, 3])) for _ in range(2))
    expected = cell_shuffle.permute_cells(tf.constant(images), columns, rows)
    np.testing.assert_array_equal(found, expected)

    boxes = transforms.draw_boxes(np.random.default_rng(3), 2000, 24, 32, 0.25)
    top, left, height, width = boxes.T
    assert (top >= 0).all() and (left >= 0).all()
    assert (top + height <= 24).all() and (left + width <= 32).all()
    shares = height * width / (24 * 32)
    # Rounded sides; a share of the area near 1 rarely fits.
    assert 0.22 < shares.min() < 0.28 and 0.9 < shares.max() <= 1
    ratios = np.log(width / height)
    assert np.abs(ratios).max() < math.log(4 / 3) + 0.1 and abs(ratios.mean()) < 0.1


def test_cutmix_and_mixup_mix_labels_as_images(carried):
    for mixing in ("cutmix", "mixup"):
        protocol = TrainingProtocol(
            1, batch_size=COUNT, loss="soft", labels="stored", mixing=mixing, cutmix=1.0
        )
        part, metadata = of_source(carried, "stored", protocol)
        constant = part.label_logits[:, :1, None, None] * np.ones([1, *SHAPE])
        part = dataclasses.replace(part, images=constant.astype(np.float32))
        metadata |= {"mean": [0.0] * 3, "std": [1 / 255] * 3}
        (batch,) = views_of(part, metadata)[1].batches([0])
        # Images that show a logit of their label: their mean is the mixed logit.
        own, foreign = batch.logits[:, 0], batch.partner_logits[:, 0]
        expected = batch.share * own + (1 - batch.share) * foreign
        np.testing.assert_allclose(
            batch.images.mean(axis=(1, 2, 3)), expected, atol=1e-4
        )
        assert 0 < batch.share[0] < 1


@pytest.mark.parametrize(
    ("asked", "change", "said"),
    [
        ({"epochs": 3}, {}, "labels of 2 epochs, not of 3: give --epochs=2 or fewer"),
        ({"batch_size": 5}, {}, "of batches of 4 images: give --batch=4"),
        ({}, {"student_rate": -0.1}, "the set's learning rate is -0.1"),
        ({}, {"recipe": {"labels": "teacher"}}, "asks for labels (teacher) that the"),
    ],
)
def test_what_a_set_cannot_give_is_one_line(carried, asked, change, said, capsys):
    protocol = TrainingProtocol(2, batch_size=4, loss="kl", labels="epochs")
    _, metadata = of_source(carried, "epochs", protocol)
    if "student_rate" in change:
        metadata["recipe"] = {**metadata["recipe"], "learnt_rate": True}
    of_set = importlib.import_module("recipe").Recipe.of_set
    with pytest.raises(SystemExit) as ended:
        of_set({**metadata, **change}, **asked)
    told = capsys.readouterr().err
    assert ended.value.code == 2 and said in told and told.count("\n") == 1


@pytest.mark.parametrize("order", [["b", "a"], None])
def test_a_teacher_of_another_order_is_one_line(tmp_path, order, capsys):
    (tmp_path / "teacher").mkdir()
    text = "{}" if order is None else '{"label_names": ["b", "a"]}'
    (tmp_path / "teacher/hdd_tf.json").write_text(text)
    check = importlib.import_module("set_files").check_teacher
    with pytest.raises(SystemExit):
        check(tmp_path, {"label_names": ["a", "b"]})
    assert "has no order of classes, or not the set's" in capsys.readouterr().err
