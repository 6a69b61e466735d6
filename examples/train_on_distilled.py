"""Trains a network on a distilled set, without hdd_tf: what a user of a set writes.

    python examples/train_on_distilled.py RUN_DIR/synthetic --test digits

A distilled set is a folder that TensorFlow Datasets loads by its path; its records are
ordinary TFRecords, so plain tf.data reads them as well (--reader=tfrecord). Beside
them, hdd_tf.json says how the images are to be used: they are floats on the 0-255 scale
(some lie outside it), and networks train on (image / 255 - mean) / std. What
hdd-tf export --encoding=png writes is read in the same two ways. Given a
run's directory, the example takes what its networks train on.

Some sets carry more: soft labels beside the classes or for each view in a number of
epochs, a teacher that labels what the network sees, a learning rate, a whitening
instead of mean and std; and a recipe, which says how networks train on all that. The
example then trains exactly so: recipe.py reads the recipe, views.py makes the batches,
soft_labels.py trains. It needs no hdd_tf. train_in_pytorch.py does the same.
"""

import argparse
import dataclasses
import json
import pathlib

import default_keras  # noqa: F401
import keras
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from distilled_data import DAMAGE, fail, fail_damaged, find_set
from preprocessing import preprocessing_layer
from published_network import Architecture, build_network
from recipe import Recipe, label_source
from set_files import check_teacher, count, read_extras
from soft_labels import load_teacher, train_by_recipe
from views import Views


def find_training_set(path: pathlib.Path) -> tuple[pathlib.Path, dict]:
    """Returns the directory of a set that networks train on, and its hdd_tf.json.

    Args:
        path: The set's directory, or that of the run it belongs to.

    Raises:
        SystemExit: there is none; or the set is damaged, holds no TFRecords, or stores
            several training images in one.
    """
    directory, metadata = find_set(path, ("synthetic_decoded", "synthetic"))
    try:
        encoding = metadata["encoding"]
        is_grid = metadata["formation_factor"] > 1 and not metadata["decoded"]
    except DAMAGE:
        fail_damaged(directory)
    if encoding not in ("float32", "png"):
        fail(f"the set in {directory} holds no TFRecords, but {encoding}")
    if is_grid:
        fail(
            f"each image in {directory} is a grid of training images: take the run's "
            "synthetic_decoded/, or export with --images=decoded"
        )
    return directory, metadata


def read_with_tfds(directory: pathlib.Path) -> tf.data.Dataset:
    """Returns (image, label) pairs, read by TensorFlow Datasets.

    Of sets with soft labels, it returns (image, label, label_logits).
    """
    builder = tfds.builder_from_directory(directory)
    if "label_logits" not in builder.info.features:
        return builder.as_dataset(split="train", as_supervised=True)
    names = ("image", "label", "label_logits")
    examples = builder.as_dataset(split="train")
    return examples.map(lambda example: tuple(example[name] for name in names))


def read_with_tfrecord(directory: pathlib.Path) -> tf.data.Dataset:
    """Returns the same, read by tf.data alone."""
    metadata = json.loads((directory / "hdd_tf.json").read_text("utf-8"))
    shape, is_png = metadata["image_shape"], metadata["encoding"] == "png"
    features = {
        "image": tf.io.FixedLenFeature(
            [] if is_png else shape, tf.string if is_png else tf.float32
        ),
        "label": tf.io.FixedLenFeature([], tf.int64),
    }
    soft = "soft_labels" in metadata
    if soft:
        num_classes = len(metadata["label_names"])
        features["label_logits"] = tf.io.FixedLenFeature([num_classes], tf.float32)

    def parse(record: tf.Tensor) -> tuple[tf.Tensor, ...]:
        example = tf.io.parse_single_example(record, features)
        image = example["image"]
        if is_png:
            image = tf.ensure_shape(tf.io.decode_png(image, shape[-1]), shape)
        if soft:
            return image, example["label"], example["label_logits"]
        return image, example["label"]

    files = sorted(str(path) for path in directory.glob("*.tfrecord-*"))
    return tf.data.TFRecordDataset(files).map(parse)


def read_pairs(directory: pathlib.Path, metadata: dict, reader: str) -> tf.data.Dataset:
    """Returns what the readers do, all of which has been read into memory.

    Args:
        directory: The set's directory.
        metadata: Contents of its hdd_tf.json.
        reader: "tfds" or "tfrecord".

    Raises:
        SystemExit: the set is damaged.
    """
    readers = {"tfds": read_with_tfds, "tfrecord": read_with_tfrecord}
    try:
        pairs = readers[reader](directory)
        # TFRecords do not know how many they are; Keras asks.
        count = tf.data.experimental.assert_cardinality(metadata["num_images"])
        pairs = pairs.apply(count).cache()
        for _ in pairs:  # Fills the cache, and finds what is damaged.
            pass
    except DAMAGE:
        fail_damaged(directory)
    return pairs


def train_with_classes(
    metadata: dict,
    examples: tf.data.Dataset,
    network: keras.Model,
    epochs: int,
    batch_size: int,
) -> None:
    """Trains a network on images and classes, by no recipe but Keras' own.

    Args:
        metadata: Contents of hdd_tf.json, with the arrays of a whitening.
        examples: (image, class) pairs.
        network: From normalised images to logits.
        epochs: Passes over the set.
        batch_size: Images of an update.
    """
    # The augmentation comes after the normalisation, so that what it moves in from
    # outside, zeros, is the mean colour.
    model = keras.Sequential(
        [
            keras.layers.Input(metadata["image_shape"]),
            preprocessing_layer(metadata),
            keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant"),
            keras.layers.RandomRotation(0.04, fill_mode="constant"),
            keras.layers.RandomZoom(0.15, fill_mode="constant"),
            network,
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    batches = examples.shuffle(metadata["num_images"]).batch(batch_size)
    # Keras cannot shuffle a tf.data pipeline, and would say so.
    model.fit(batches, epochs=epochs, shuffle=False, verbose=0)


def train(
    directory: pathlib.Path,
    metadata: dict,
    examples: tf.data.Dataset,
    architecture: Architecture,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> keras.Model:
    """Returns a network that has learnt a set, and takes images on the 0-255 scale.

    Normalisation is part of it, so that training, testing and serving cannot differ.

    Args:
        directory: The set's directory.
        metadata: Contents of its hdd_tf.json, with the arrays of `read_extras`.
        examples: As `read_pairs` returns them.
        architecture: What to train.
        epochs: Passes over the set; None for the recipe's, or 100.
        batch_size: Images of an update; None for the recipe's, or 64.
        seed: Of the order and the views.
    """
    shape, num_classes = metadata["image_shape"], len(metadata["label_names"])
    network = build_network(shape, num_classes, architecture)
    source = label_source(metadata)
    if source == "hard" and "recipe" not in metadata:
        pairs = examples
        if "soft_labels" in metadata:
            pairs = without_soft_labels(examples)
        train_with_classes(metadata, pairs, network, epochs or 100, batch_size or 64)
    else:
        recipe = Recipe.of_set(metadata, epochs=epochs, batch_size=batch_size)
        if source == "teacher":
            check_teacher(directory, metadata)
        images, labels, *logits = map(
            np.stack, zip(*examples.as_numpy_iterator(), strict=True)
        )
        views = Views(
            images,
            labels,
            logits[0] if logits else None,
            metadata,
            recipe,
            load_teacher(directory) if source == "teacher" else None,
            seed,
        )
        train_by_recipe(network, recipe, views)
    model = keras.Sequential(
        [keras.layers.Input(shape), preprocessing_layer(metadata), network]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss, metrics=["accuracy"])
    return model


def without_soft_labels(examples: tf.data.Dataset) -> tf.data.Dataset:
    """Returns (image, label) pairs."""
    return examples.map(lambda image, label, logits: (image, label))


def read_digits_test_split() -> tf.data.Dataset:
    """Returns the (image, label) pairs of scikit-learn's digits that hdd_tf holds back.

    Scans of 8x8 with values 0-16 become 32x32 with 0-255. Of each digit the test images
    are spaced evenly over the file, 500 in all; the set was made from the others.
    """
    from sklearn.datasets import load_digits

    scans, labels = load_digits(return_X_y=True)
    images = tf.image.resize(scans.reshape(-1, 8, 8, 1), (32, 32), "bilinear")
    images = np.rint(images.numpy() * np.float32(255 / 16)).astype(np.uint8)
    test: list[int] = []
    for digit in range(10):
        rows = np.flatnonzero(labels == digit)
        count = round(len(rows) * 500 / len(labels))
        test.extend(rows[(2 * np.arange(count) + 1) * len(rows) // (2 * count)])
    return tf.data.Dataset.from_tensor_slices((images[test], labels[test]))


def main() -> None:
    """Reads the set, trains on it, prints accuracies."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("directory", type=pathlib.Path, help="a run or a set")
    parser.add_argument("--reader", choices=["tfds", "tfrecord"], default="tfds")
    parser.add_argument("--epochs", type=count, help="the recipe's, or 100")
    parser.add_argument("--batch", type=count, help="the recipe's, or 64")
    parser.add_argument("--width", type=count, help="channels of a layer")
    parser.add_argument("--depth", type=count, help="blocks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--test", help="digits, or a TFDS name: also test on it")
    parser.add_argument("--data_dir", help="where TFDS keeps its data sets")
    arguments = parser.parse_args()

    keras.utils.set_random_seed(arguments.seed)
    directory, metadata = find_training_set(arguments.directory)
    examples = read_pairs(directory, metadata, arguments.reader)
    try:
        metadata = read_extras(directory, metadata)
    except DAMAGE:
        fail_damaged(directory)
    print(
        f"{metadata['num_images']} images of {metadata['dataset']}, "
        f"{len(metadata['label_names'])} classes, read with {arguments.reader}"
    )

    asked = {"width": arguments.width, "depth": arguments.depth}
    network = train(
        directory,
        metadata,
        examples,
        dataclasses.replace(
            Architecture.of_set(metadata), **{k: v for k, v in asked.items() if v}
        ),
        arguments.epochs,
        arguments.batch,
        arguments.seed,
    )
    soft = "soft_labels" in metadata
    pairs = without_soft_labels(examples) if soft else examples
    _, accuracy = network.evaluate(pairs.batch(256), verbose=0)
    print(f"training accuracy: {100 * accuracy:.1f} %")
    if arguments.test:
        if arguments.test == "digits":
            test = read_digits_test_split()
        else:
            test = tfds.load(
                arguments.test,
                split="test",
                as_supervised=True,
                data_dir=arguments.data_dir,
            )
        _, accuracy = network.evaluate(test.batch(256), verbose=0)
        print(f"test accuracy on {arguments.test}: {100 * accuracy:.1f} %")


if __name__ == "__main__":
    main()
