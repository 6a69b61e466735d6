"""Numbers, pictures, projector: what they hold, and when they say there is nothing."""

import dataclasses
import json
import math

import numpy as np
import pytest
from PIL import Image
from tensorboard.plugins import projector

from hdd_tf.analysis.disk_layout import lay_out
from hdd_tf.analysis.embeddings import embed
from hdd_tf.analysis.hierarchy_picture import save_hierarchy_picture
from hdd_tf.analysis.measures import measure, nothing_to_see
from hdd_tf.analysis.poincare_picture import save_poincare_picture
from hdd_tf.analysis.projector import CONFIG_FILE, write_projector
from hdd_tf.errors import InputError
from hdd_tf.files.json_text import to_plain


@pytest.fixture(scope="module")
def layout(embeddings):
    return lay_out(embeddings)


def test_numbers(embeddings):
    numbers = measure(embeddings)
    radius = embeddings.radius[embeddings.synthetic]
    found = numbers["radius"]["synthetic"]
    assert found["q50"] == pytest.approx(np.median(radius))
    assert (found["min"], found["max"]) == (radius.min(), radius.max())
    assert numbers["images"] == {"real": 60, "synthetic": 6}
    assert numbers["nothing_to_see"] == ""
    # acosh of the inner product of the centroids, by hand.
    points = []
    for kind in (False, True):
        r = embeddings.radius[embeddings.synthetic == kind].astype(np.float64)
        v = embeddings.features[embeddings.synthetic == kind].astype(np.float64)
        u = v / np.linalg.norm(v, axis=-1, keepdims=True)
        mean = [np.cosh(r).mean(), *(np.sinh(r)[:, None] * u).mean(axis=0)]
        mean = np.array(mean)
        points.append(mean / math.sqrt(mean[0] ** 2 - (mean[1:] ** 2).sum()))
    inner = points[0][0] * points[1][0] - points[0][1:] @ points[1][1:]
    centroid = numbers["centroid"]
    assert centroid["distance"] == pytest.approx(math.acosh(inner), rel=1e-3)
    assert centroid["radius_real"] == pytest.approx(math.acosh(points[0][0]), rel=1e-3)
    assert list(numbers["centroid_per_class"]) == list(embeddings.label_names)
    json.dumps(to_plain(numbers))


def test_equal_radii_are_told_rather_than_drawn(
    experiment, weights, distilled, embeddings
):
    clamped = dataclasses.replace(
        experiment.config, analysis_curvature=-1e6, analysis_max_tangent_norm=10.0
    )
    run = dataclasses.replace(experiment, config=clamped)
    _, flat = embed(run, weights, distilled)
    assert "radii agree within 0.001" in nothing_to_see(flat)
    assert "--analysis_max_tangent_norm=0" in measure(flat)["nothing_to_see"]
    # Radii so small that cosh does not tell them apart.
    near = dataclasses.replace(embeddings, weight=np.ones_like(embeddings.weight))
    assert "Lorentz weights agree" in nothing_to_see(near)


@pytest.mark.stress
def test_pictures_are_images_and_name_no_class_as_mathematics(
    embeddings, layout, tmp_path
):
    odd = dataclasses.replace(embeddings, label_names=("$a$", "b_{", "c\\d"))
    save_poincare_picture(tmp_path / "poincare.png", odd, layout, 0.5)
    shown = save_hierarchy_picture(tmp_path / "hierarchy.png", odd)
    for name in ("poincare.png", "hierarchy.png"):
        with Image.open(tmp_path / name) as picture:
            assert min(picture.size) > 400
            assert len(np.unique(np.asarray(picture).reshape(-1, 4), axis=0)) > 50
    assert set(shown["radii"]) == {"real", "synthetic"}
    assert shown["radii"]["real"] == sorted(shown["radii"]["real"])
    label = odd.label_names.index(shown["class"])
    rows = (embeddings.labels == label) & ~embeddings.synthetic
    assert shown["radii"]["real"][-1] == embeddings.radius[rows].max()


def test_grey_and_many_channels_are_drawn(embeddings, tmp_path):
    for channels in (1, 5):
        images = np.repeat(embeddings.images[..., :1], channels, axis=-1)
        grey = dataclasses.replace(embeddings, images=images)
        save_hierarchy_picture(tmp_path / f"{channels}.png", grey)
        write_projector(tmp_path, grey, None)
        with Image.open(tmp_path / "projector/features.png") as sheet:
            first = np.asarray(sheet)[:8, :10]
        # The first channel, in all three colours.
        np.testing.assert_array_equal(first, np.repeat(images[0, ..., :1], 3, -1))
    pictures = [np.asarray(Image.open(tmp_path / f"{c}.png")) for c in (1, 5)]
    np.testing.assert_array_equal(*pictures)


def test_a_foreign_projector_is_not_replaced(embeddings, tmp_path):
    mine = 'embeddings { tensor_name: "mine" tensor_path: "mine.tsv" }'
    (tmp_path / CONFIG_FILE).write_text(mine)
    with pytest.raises(InputError, match="of another projector"):
        write_projector(tmp_path, embeddings, None)
    assert [path.name for path in tmp_path.iterdir()] == [CONFIG_FILE]


def test_projector_files_are_what_tensorboard_reads(embeddings, layout, tmp_path):
    names = ("a\tb", "c\nd", "ě")
    write_projector(
        tmp_path, dataclasses.replace(embeddings, label_names=names), layout
    )
    config = projector.ProjectorConfig()
    # The plugin parses the text with this.
    from google.protobuf import text_format

    text_format.Parse((tmp_path / CONFIG_FILE).read_text(), config)
    found = {entry.tensor_name: entry for entry in config.embeddings}
    assert set(found) == {"features", "poincare_ball", "poincare_disk"}
    for name, expected in (
        ("features", embeddings.features),
        ("poincare_disk", np.pad(layout.coordinates, [(0, 0), (0, 1)])),
    ):
        entry = found[name]
        tensor = np.fromfile(tmp_path / entry.tensor_path, np.float32)
        tensor = tensor.reshape(entry.tensor_shape)
        np.testing.assert_allclose(tensor, expected, rtol=1e-6)
        lines = (tmp_path / entry.metadata_path).read_text("utf-8").splitlines()
        assert lines[0] == "label\tkind\tradius\tlorentz_weight"
        assert len(lines) == len(tensor) + 1
        assert all(line.count("\t") == 3 for line in lines)
    ball = np.fromfile(tmp_path / found["poincare_ball"].tensor_path, np.float32)
    length = np.linalg.norm(ball.reshape(found["poincare_ball"].tensor_shape), axis=-1)
    np.testing.assert_allclose(length, np.tanh(embeddings.radius / 2), rtol=1e-4)
    sprite = found["features"].sprite
    with Image.open(tmp_path / sprite.image_path) as sheet:
        width, height = sprite.single_image_dim
        assert (width, height) == (10, 8)
        # The second image is the second thumbnail.
        second = np.asarray(sheet)[:height, width : 2 * width]
    np.testing.assert_array_equal(second, embeddings.images[1])
