"""DSA: one transformation a class on both sides, and augmented training."""

import numpy as np
import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.training.inner_training import (
    InnerSchedule,
    InnerTraining,
)
from tests.objectives.gradient_golden import (
    GivenMatching,
    GivenTraining,
    Golden,
    PlainNetwork,
    error,
)


def test_a_step_equals_golden():
    golden = Golden("dsa_step", "case0_")
    matching = GivenMatching(golden, 100)
    parameters = golden.augmentation()
    images = tf.constant(golden["synthetic"])
    augmented = dsa.apply(images, parameters, differentiable=True)
    assert error(augmented, golden["augmented_synthetic"]) <= 1e-6
    matched = matching.match(tf.constant(0))
    assert error(matched.loss, golden["loss_per_class"]) <= 1e-5
    assert error(matched.gradient, golden["grad_synthetic"]) <= 1e-4


def test_augmented_training_equals_golden():
    golden = Golden("dsa_step", "training_")
    weights = golden.weights("initial_")
    network = PlainNetwork([tuple(weight.shape) for weight in weights])

    def augmented(images, epoch, batch):
        parts = [
            dsa.apply(images[:, None], golden.augmentation(f"batch{b}_"), False)[:, 0]
            if images.shape[0] == len(golden[f"batch{b}_param_flip"])
            else images
            for b in range(4)
        ]
        return tf.gather(tf.stack(parts), 2 * epoch + batch)

    schedule = InnerSchedule(
        len(golden["order"]), int(golden["batch"]), float(golden["learning_rate"])
    )
    training = GivenTraining(network, schedule, golden["order"], augmented)
    images = tf.constant(golden["images"], tf.float64)
    labels = tf.constant(golden["labels"], tf.int32)
    found = training.train(weights, images, labels, tf.constant([0, 0]))
    for weight, expected in zip(found, golden.weights("final_"), strict=True):
        assert error(weight, expected) <= 1e-7


def test_a_batch_shares_a_transformation_with_values_of_each_image():
    schedule = InnerSchedule(1, augmentations=("cutout", "flip"))
    training, key = InnerTraining(None, schedule), tf.constant([1, 2])
    rng = np.random.default_rng(0)
    images = tf.constant(rng.uniform(1, 2, (6, 8, 8, 1)), tf.float32)
    kinds = set()
    for batch in range(12):
        seen = training.augmented(images, key, tf.constant(0), batch).numpy()
        cut = [(image == 0).any() for image in seen]
        mirrored = [
            np.array_equal(image, source[:, ::-1])
            for image, source in zip(seen, images.numpy(), strict=True)
        ]
        assert all(cut) or not any(cut)
        if all(cut):
            assert len({(image == 0).tobytes() for image in seen}) > 1
        else:
            assert len(set(mirrored)) == 2 or batch > 0
        kinds.add(all(cut))
        again = training.augmented(images, key, tf.constant(0), batch).numpy()
        np.testing.assert_array_equal(seen, again)
    assert kinds == {True, False}
