"""Whole trainings of two epochs against the released programs of RDED and G-VBSM."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment import cutmix
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.registry import build_with_options
from hdd_tf.networks.teacher import Teacher, TeacherNetwork
from hdd_tf.protocols.losses import Mixing
from hdd_tf.protocols.schedules import rate_at
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.protocols.views import View
from hdd_tf.training.network_trainer import NetworkTrainer
from hdd_tf.training.training_variables import TrainingState

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
SHAPE, CLASSES = (32, 32, 3), 3
OPTIONS = NetworkOptions(depth=3, width=8)
IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CIFAR100 = Normalisation((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761))


def weights_of(golden, prefix):
    """The ConvNet's weights in its own order; biases before a norm are left out."""
    found = []
    for block in range(3):
        found.append(golden[f"{prefix}conv{block}_kernel"])
        found += [golden[f"{prefix}norm{block}_{name}"] for name in ("gamma", "beta")]
    found.append(golden[f"{prefix}classifier_kernel_hwc"].reshape(-1, CLASSES))
    found.append(golden[f"{prefix}classifier_bias"])
    return [array.astype(np.float32) for array in found]


def state_of(golden, prefix):
    """Moving statistics; the norm here sees maps without the bias."""
    found = []
    for block in range(3):
        mean = golden[f"{prefix}norm{block}_mean"]
        found.append(mean - golden[f"{prefix}conv{block}_bias"])
        found.append(golden[f"{prefix}norm{block}_variance"])
    return [array.astype(np.float32) for array in found]


def trainer_at(golden, name, normalisation, protocol, images, **labels):
    """A trainer that starts from the golden's weights."""
    network = build_with_options(name, SHAPE, CLASSES, OPTIONS)
    classes = np.arange(len(images)) % CLASSES
    trainer = NetworkTrainer(
        network, images, classes, normalisation, protocol, **labels
    )
    state = state_of(golden, "student_before_") if trainer.state else []
    slots = [slot.numpy() for slot in trainer._variables.slots]
    weights = weights_of(golden, "student_before_")
    trainer._variables.resume(TrainingState(0, weights, slots, state))
    return trainer


@pytest.fixture(scope="module")
def rded():
    golden = np.load(GOLDEN / "rded.npz", allow_pickle=False)
    return {name: golden[name] for name in golden.files}


def test_student_of_rded(rded):
    """AdamW, KL at T = 20, a teacher asked about mixed batches, two norm passes."""
    network = TeacherNetwork(
        "convnet_batch",
        OPTIONS,
        weights_of(rded, "teacher_"),
        state_of(rded, "teacher_"),
    )
    protocol = TrainingProtocol(
        epochs=int(rded["cfg_epochs"]),
        batch_size=int(rded["train_batch"]),
        learning_rate=float(rded["cfg_lr"]),
        weight_decay=float(rded["cfg_wd"]),
        optimiser="adamw",
        decay_kernels_only=True,
        schedule="cosine",
        period=2 * float(rded["cfg_epochs"]),
        loss="kl",
        labels="teacher",
        temperature=float(rded["cfg_T"]),
        cutmix=1.0,
        extra_norm_pass=True,
    )
    images = rded["train_images_uint8"]
    trainer = trainer_at(
        rded,
        "convnet_batch",
        IMAGENET,
        protocol,
        images,
        teacher=Teacher((network,), SHAPE, CLASSES),
    )
    learn = tf.function(trainer._learn)
    normalised = IMAGENET.normalise(images)
    losses = []
    for update, (partner, box) in enumerate(
        zip(rded["train_partner"], rded["train_box"], strict=True)
    ):
        epoch, batch = divmod(update, 3)
        rows = np.arange(batch * 6, batch * 6 + 6)
        mixed = cutmix.paste(
            tf.constant(normalised[rows]),
            tf.constant(partner, tf.int32),
            tf.constant(box, tf.int32),
        )
        if not update:
            soft = tf.nn.softmax(trainer._learn._teacher_logits(mixed.images) / 20.0)
            np.testing.assert_allclose(soft, rded["train_soft_labels0"], atol=1e-5)
        view = View(mixed.images, Mixing(mixed.partner, mixed.share))
        classes = tf.zeros(6, tf.int32)  # They are not used.
        rate = tf.constant(rate_at(protocol, epoch), tf.float32)
        losses.append(float(learn(tf.constant(rows, tf.int32), classes, view, rate)))
    np.testing.assert_allclose(losses, rded["train_losses"], atol=1e-6)
    expected = weights_of(rded, "student_after_")
    for mine, theirs in zip(trainer.weights, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)
    expected = state_of(rded, "student_after_")
    for index, (mine, theirs) in enumerate(zip(trainer.state, expected, strict=True)):
        # Keras' moving variance is fed by the biased one.
        np.testing.assert_allclose(mine, theirs, atol=5e-3 if index % 2 else 1e-4)


def test_student_of_gvbsm():
    """SGD, squared error of stored logits and the base image's class, batches given."""
    golden = np.load(GOLDEN / "gvbsm.npz", allow_pickle=False)
    golden = {name: golden[name] for name in golden.files}
    protocol = TrainingProtocol(
        epochs=2,
        batch_size=4,
        learning_rate=float(golden["cfg_student_lr"]),
        weight_decay=float(golden["cfg_student_wd"]),
        decay_kernels_only=True,
        schedule="cosine",
        period=float(golden["cfg_student_epochs"]),
        loss="mse",
        labels="stored",
        hard_weight=float(golden["cfg_ce_weight"]),
    )
    images = golden["fkd_crop_uint8"]
    logits = golden["soft_logits"].astype(np.float32)
    trainer = trainer_at(
        golden, "convnet", CIFAR100, protocol, images, label_logits=logits
    )
    learn = tf.function(trainer._learn)
    classes = golden["real_labels"][:8].astype(np.int32)
    normalised = CIFAR100.normalise(images)
    losses = []
    for epoch in range(2):
        for batch in range(2):
            rows = np.arange(batch * 4, batch * 4 + 4)
            mixed = cutmix.paste(
                tf.constant(normalised[rows]),
                tf.constant(golden[f"student_partner{batch}"], tf.int32),
                tf.constant(golden[f"student_box{batch}"], tf.int32),
            )
            # The labels are of the mixed images, so they do not mix.
            loss = learn(
                tf.constant(rows, tf.int32),
                tf.constant(classes[rows]),
                View(mixed.images, label_logits=tf.constant(logits[rows])),
                tf.constant(rate_at(protocol, epoch), tf.float32),
            )
            losses.append(float(loss))
    np.testing.assert_allclose(losses[0], golden["student_loss0"], rtol=1e-5)
    np.testing.assert_allclose(
        np.mean(losses[2:]), golden["student_mean_loss"], rtol=1e-5
    )
    expected = weights_of(golden, "student_after_")
    for mine, theirs in zip(trainer.weights, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
