"""What a protocol records, what it refuses, and its variants."""

import dataclasses

import pytest

from hdd_tf.protocols.published import PROTOCOLS, dance_protocol, dm_protocol
from hdd_tf.protocols.training_protocol import TrainingProtocol

# What directories of experts are named after, and results have: no more, no less.
RECORDED = [
    "epochs", "batch_size", "learning_rate", "momentum", "weight_decay", "drop_epochs",
    "drop_factor", "reset_velocity", "augmentations", "always", "cutmix",
]  # fmt: skip
SOFT = TrainingProtocol(
    5,
    loss="kl",
    labels="teacher",
    temperature=20.0,
    hard_weight=0.5,
    optimiser="adamw",
    schedule="cosine",
    period=10,
    resized_crop=0.5,
    flip=True,
    cutmix=1.0,
    shuffled_cells=2,
    extra_norm_pass=True,
    learnt_rate=True,
)


def test_records_of_plain_protocols_are_what_they_were():
    for protocol in (
        dm_protocol(7, 64, 0.01, "color_crop"),
        dance_protocol(7, 64, 0.01, "color_crop_flip"),
    ):
        values = dataclasses.asdict(protocol)
        assert protocol.describe() == {name: values[name] for name in RECORDED}
        assert list(protocol.describe()) == RECORDED


def test_records_tell_what_is_not_plain():
    found = SOFT.describe()
    assert found["temperature"] == 20.0 and found["labels"] == "teacher"
    assert "betas" not in found and "mixing" not in found
    assert TrainingProtocol(5, mixing="mixup").describe()["mixing"] == "mixup"


def test_hard_labels_keep_schedule_optimiser_and_augmentation():
    found = SOFT.with_hard_labels()
    assert (found.loss, found.labels, found.hard_weight) == ("hard", "hard", 0.0)
    assert not found.learnt_rate
    for name in ("optimiser", "schedule", "period", "resized_crop", "flip", "cutmix"):
        assert getattr(found, name) == getattr(SOFT, name)
    plain = dm_protocol(7, 64, 0.01, "color_crop")
    assert plain.with_hard_labels() == plain


def test_without_augmentation_nothing_is_cut_or_mixed():
    found = SOFT.without_augmentation()
    assert not found.mixes and not found.flip
    assert (found.resized_crop, found.shuffled_cells) == (1.0, 1)
    assert (found.loss, found.optimiser) == ("kl", "adamw")


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"optimiser": "adam"}, "`optimiser` must be one of"),
        ({"schedule": "step"}, "`schedule` must be one of"),
        ({"mixing": "cut"}, "`mixing` must be one of"),
        ({"loss": "kl"}, "loss 'kl' and labels 'hard'"),
        ({"labels": "stored"}, "loss 'hard' and labels 'stored'"),
        ({"schedule": "cosine"}, "`period` is out of range"),
        ({"schedule": "table", "rate_factors": (1.0,)}, "`rate_factors` is out of"),
        ({"temperature": 0.0}, "`temperature` is out of range"),
        ({"hard_weight": -1.0}, "`hard_weight` is out of range"),
        ({"padded_crop": -1}, "`padded_crop` is out of range"),
        ({"resized_crop": 0.0}, "`resized_crop` is out of range"),
        ({"betas": (0.9, 1.0)}, "`betas` is out of range"),
        ({"shuffled_cells": 0}, "`shuffled_cells` is out of range"),
        ({"mixup_alpha": 0.0}, "`mixup_alpha` is out of range"),
    ],
)
def test_what_cannot_be_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        TrainingProtocol(3, **changes)


def test_registry_holds_the_published_protocols():
    assert {"dm", "dance"} <= set(PROTOCOLS)
