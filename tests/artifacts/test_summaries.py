import numpy as np
import pytest
import tensorflow as tf
from tensorboard.plugins.hparams import plugin_data_pb2

from hdd_tf.artifacts.summaries import SummaryWriter
from tests.artifacts.event_files import read_values


def test_everything_is_found_in_the_event_file(tmp_path):
    grid = np.random.default_rng(0).integers(0, 256, [20, 30, 3]).astype(np.uint8)
    with SummaryWriter(tmp_path) as writer:
        writer.scalars(3, {"loss": 2.5, "gradient_norm": tf.constant(0.5)})
        writer.loss_per_class(3, np.array([1.0, 4.0]), ["cat", "n01/dog"])
        writer.image_grid(3, grid)
        writer.text(0, "settings", "`--ipc=10`")
    values = read_values(tmp_path)
    assert values["loss"] == {3: 2.5}
    assert values["gradient_norm"] == {3: 0.5}
    assert values["loss_per_class/cat"] == {3: 1.0}
    assert values["loss_per_class/n01_dog"] == {3: 4.0}
    assert values["settings"][0] == b"`--ipc=10`"
    width, height, png = values["synthetic"][3]
    assert (width, height) == (b"30", b"20")
    np.testing.assert_array_equal(tf.io.decode_png(png), grid)


def test_flush_makes_values_visible_to_readers(tmp_path):
    writer = SummaryWriter(tmp_path)
    writer.scalars(1, {"loss": 1.0})
    writer.flush()
    assert read_values(tmp_path)["loss"] == {1: 1.0}
    writer.close()


def test_a_resumed_run_continues_the_curves(tmp_path):
    for steps in ([1, 2], [3, 4]):
        with SummaryWriter(tmp_path) as writer:
            for step in steps:
                writer.scalars(step, {"loss": 10.0 * step})
    assert read_values(tmp_path)["loss"] == {1: 10, 2: 20, 3: 30, 4: 40}


def test_every_class_needs_its_loss(tmp_path):
    with SummaryWriter(tmp_path) as writer, pytest.raises(ValueError, match="zip"):
        writer.loss_per_class(0, [1.0], ["cat", "dog"])


def test_histograms_and_hyper_parameters_are_found(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.histogram(4, "radius/real", np.array([1.0, 1.0, 3.0], np.float32))
        writer.hyper_parameters(
            {"ipc": 10, "classes": [], "baselines": ["a", "b"], "curvature": -0.5}, "x"
        )
    values = read_values(tmp_path)
    assert values["radius/real"][4][:, 2].sum() == 3
    (path,) = tmp_path.iterdir()
    events = [
        tf.compat.v1.Event.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(path))
    ]
    (start,) = [
        plugin_data_pb2.HParamsPluginData.FromString(
            value.metadata.plugin_data.content
        ).session_start_info
        for event in events
        for value in event.summary.value
        if value.tag == "_hparams_/session_start_info"
    ]
    assert start.hparams["ipc"].number_value == 10
    assert start.hparams["curvature"].number_value == -0.5
    assert start.hparams["baselines"].string_value == "a, b"
