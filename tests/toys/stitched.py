"""A toy: a selection that stitches real images into new ones, with a teacher.

There are no iterations: a network with batch norm learns the real images, the images
it is surest of are shrunk and laid out four to one, and the network goes along as the
teacher of whoever trains on them.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.augment import formation
from hdd_tf.distillation.method import Method
from hdd_tf.errors import InputError
from hdd_tf.methods.traits import Kind
from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.registry import build_with_options
from hdd_tf.protocols.published import dm_protocol
from hdd_tf.random_keys import derive_key
from hdd_tf.training.network_trainer import NetworkTrainer
from tests.toys import attention
from tests.trained_teacher import teacher_of_trainer

CELLS = 2


class StitchedSelection(Method):
    def __init__(self, context):
        self._context = context
        dataset, ipc = context.dataset, context.config.ipc
        smallest = np.bincount(dataset.training.labels).min()
        if ipc * CELLS**2 > smallest:
            raise InputError(f"--ipc={ipc} needs {ipc * CELLS**2} images of each class")
        self._teacher = None

    def train_ahead(self):
        dataset, config = self._context.dataset, self._context.config
        options = NetworkOptions(depth=config.depth, width=config.width)
        name, classes = "convnet_batch", dataset.num_classes
        trainer = NetworkTrainer(
            build_with_options(name, dataset.image_shape, classes, options),
            dataset.training.images,
            dataset.training.labels,
            dataset.normalisation,
            dm_protocol(2, 32, 0.05, "none"),
        )
        trainer.train(derive_key(config.seed))
        self._teacher = teacher_of_trainer(trainer, name, options, classes)

    def result(self, metadata):
        dataset, ipc = self._context.dataset, self._context.config.ipc
        training = dataset.training
        logits_of = self._teacher.logits_function()
        logits = logits_of(tf.constant(dataset.normalise(training.images))).numpy()
        stitched = []
        for label in range(dataset.num_classes):
            rows = np.flatnonzero(training.labels == label)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                training.labels[rows], logits[rows]
            ).numpy()
            best = rows[np.argsort(losses, kind="stable")[: ipc * CELLS**2]]
            cells = tf.constant(training.images[best], tf.float32)
            # The best are the first cells of all images.
            cells = tf.reshape(cells, [CELLS**2, ipc, *dataset.image_shape])
            cells = tf.transpose(cells, [1, 0, 2, 3, 4])
            stitched.append(formation.compose(cells, CELLS, "bilinear").numpy())
        return DistilledSet.from_class_images(
            np.stack(stitched),
            {**metadata, "selected": "stitched real images"},
            teacher=self._teacher,
        )


TRAITS = dataclasses.replace(
    attention.TRAITS,
    title="Toy stitched",
    summary="stitched images with a teacher",
    kind=Kind.SELECTION,
    build=StitchedSelection,
    has_geometry=False,
    may_revisit=False,
    evaluation="toy_teacher",
    carries=frozenset({"teacher"}),
)
