"""The published protocols, as the settings ask for them."""

import pytest

from hdd_tf.config import Config
from hdd_tf.protocols.beforehand import expert_protocol
from hdd_tf.protocols.published import evaluation_protocol


def protocol(dataset="cifar10", **settings):
    return evaluation_protocol(Config(dataset=dataset, **settings), dataset)


@pytest.mark.parametrize("objective", ["dm", "idm"])
def test_dm_and_idm(objective):
    found = protocol(objective=objective)
    assert (found.epochs, found.batch_size, found.drop_epochs) == (1001, 256, (502,))
    assert (found.drop_factor, found.reset_velocity) == (0.1, True)
    assert len(found.augmentations) == 6 and not found.always and not found.cutmix


def test_dance():
    found = protocol(objective="dance", dsa="color_crop_cutout")
    assert (found.epochs, found.batch_size) == (1500, 64)
    assert (found.drop_epochs, found.drop_factor) == ((1000, 1250), 0.2)
    assert not found.reset_velocity and found.cutmix == 0.5
    assert set(found.always) == {"flip", "color"}
    assert set(found.augmentations) == {"crop", "scale", "rotate"}
    assert (found.learning_rate, found.momentum, found.weight_decay) == (
        0.01,
        0.9,
        5e-4,
    )


def test_mtt_and_datm():
    hard, soft = (protocol(objective=name) for name in ("mtt", "datm"))
    assert (hard.batch_size, hard.labels, hard.loss) == (256, "hard", "hard")
    assert (soft.batch_size, soft.labels, soft.loss) == (128, "stored", "soft")
    for found in (hard, soft):
        assert (found.epochs, found.drop_epochs) == (1001, (502,))
        assert found.learnt_rate and found.reset_velocity
        assert len(found.augmentations) == 6
    # The batch is that of the evaluation, whatever the student's was.
    assert protocol(objective="datm", student_batch=9, eval_batch=7).batch_size == 7
    # Real images beside a set have classes, and no rate of their own.
    assert soft.with_hard_labels().learning_rate == 0.01
    assert not soft.with_hard_labels().learnt_rate


@pytest.mark.parametrize("dataset", ["svhn_cropped", "digits"])
def test_digits_are_not_mirrored_by_dance(dataset):
    assert "flip" not in protocol(dataset, objective="dance").always


def test_any_objective_by_any_protocol():
    assert protocol(objective="dm", eval_protocol="dance").cutmix == 0.5
    found = protocol(objective="dance", eval_protocol="dm", eval_epochs=7, eval_batch=9)
    assert (found.epochs, found.batch_size, found.cutmix) == (7, 9, 0.0)
    assert protocol(eval_dsa="color_crop").augmentations == ("color", "crop")


def test_experts():
    found = expert_protocol(60, 64)
    assert found.drop_epochs == (40, 50) and found.drop_factor == 0.2
    assert set(found.always) == {"color"} and found.augmentations == ("crop",)
    assert found.cutmix == 0.5 and found.learning_rate == 0.01
