"""D4M: prototypes of each class's latents, noised and denoised into images.

No image is optimised. A class's latents are clustered, each centre is noised up to a
time and denoised under the class's name, and a trained network labels the batches of
whoever trains on the images.

Source: Su et al., "D4M: Dataset Distillation via Disentangled Diffusion Model", CVPR
2024, arXiv 2407.15138, and its released program, which samples by another scheduler
(noise.py) from a network of texts.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.method import Method, Work
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.errors import InputError
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.options import options_of
from hdd_tf.networks.teacher import Teacher
from hdd_tf.progress import progress_bar
from hdd_tf.protocols.published import dm_protocol
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.selection.d4m.embedded import EmbeddedDiffusion
from hdd_tf.selection.d4m.lorentz_means import lorentz_prototypes
from hdd_tf.selection.d4m.model import LatentDiffusion
from hdd_tf.selection.d4m.noise import ddim_times
from hdd_tf.selection.d4m.prototypes import PrototypeStream
from hdd_tf.training.experts import ExpertBuffer
from hdd_tf.training.shelf import Shelf
from hdd_tf.training.teachers import teacher_of_experts

# Latents that are drawn with one key, whatever the memory.
_DRAWN_AT_ONCE = 128
_TEACHER_RATE = 0.01


def teacher_shelf(config: Any, dataset: Dataset, network: FunctionalNetwork) -> Shelf:
    """Returns the teacher of a run's settings.

    Args:
        config: The run's `Config`.
        dataset: Data set whose training split the teacher learns.
        network: The network `--network`, a function of its weights.
    """
    buffer = ExpertBuffer(
        config.expert_dir,
        network.in_precision(config.precision),
        config.network_title(),
        dataset,
        # The authors' teachers are the networks of the whole set in others' tables,
        # which train by DM's protocol.
        dm_protocol(
            config.d4m_teacher_epochs,
            config.d4m_teacher_batch,
            _TEACHER_RATE,
            config.dsa,
        ),
        config.expert_seed,
        config.precision,
        # Its labels go with the set, where their order must be known.
        label_names=dataset.label_names,
    )
    return Shelf("teacher", buffer, 1, config.network)


def model_of(config: Any, dataset: Dataset, max_images: int) -> LatentDiffusion:
    """Returns the diffusion model of a run's settings.

    Args:
        config: The run's `Config`.
        dataset: Data set whose training split it sees.
        max_images: Largest number of images of a forward pass.

    Raises:
        InputError: `--d4m_model` cannot be loaded.
    """
    if config.d4m_model:
        # keras-hub is no dependency.
        from hdd_tf.selection.d4m.stable_diffusion import StableDiffusion

        return StableDiffusion(config, dataset)
    return EmbeddedDiffusion(config, dataset, max_images)


class PrototypeGeneration(Method):
    """Generates the images of a set from prototypes.

    Args:
        context: The run's settings, data, network and devices.
        model: The diffusion model.

    Raises:
        InputError: a class has fewer images than `--ipc`.
    """

    def __init__(self, context: MethodContext, model: LatentDiffusion) -> None:
        config, dataset = context.config, context.dataset
        name, smallest = dataset.smallest_class
        if config.ipc > smallest:
            raise InputError(
                f"--ipc={config.ipc} is more than the smallest class has ({name}: "
                f"{smallest} training images): lower --ipc"
            )
        self._context = context
        self._model = model
        self._take = context.taker(teacher_shelf(config, dataset, context.network))
        self._teacher: Teacher | None = None
        model.check_room(self._generates)

    def train_ahead(self) -> None:
        """Trains the teacher and the diffusion model if they are missing."""
        config, dataset = self._context.config, self._context.dataset
        self._model.prepare(self._generates, self._context.dry_run)
        self._teacher = teacher_of_experts(
            self._take(),
            config.network,
            options_of(config),
            dataset.image_shape,
            dataset.num_classes,
        )

    def stages(self) -> list[Work]:
        """Returns the cost of the diffusion model; see the base class."""
        count = self._context.config.ipc * self._context.dataset.num_classes
        return self._model.stages(count, self._generates)

    def result(self, metadata: Mapping[str, Any]) -> DistilledSet:
        """Returns the images, with the teacher and the decoded prototypes."""
        context, beside = self._context, None
        config, classes = context.config, context.dataset.num_classes
        prototypes = self.prototypes()
        flat = prototypes.reshape(-1, *prototypes.shape[2:])
        labels = np.repeat(np.arange(classes), config.ipc)
        images = decoded = self._model.decode(flat)
        if self._generates:
            steps = len(ddim_times(config.d4m_steps, config.d4m_strength))
            total = steps * self._model.blocks(len(labels))
            with progress_bar("generate", total, "step", config.progress) as bar:
                latents = self._model.generate(flat, labels, config.seed, bar.update)
            images = self._model.decode(latents)
            beside = {"prototypes": decoded.astype(np.float32)}
        return DistilledSet.from_class_images(
            images.reshape(classes, config.ipc, *images.shape[1:]),
            {**metadata, "selected": "images generated from prototypes of latents"},
            teacher=self._teacher,
            beside=beside,
        )

    def prototypes(self) -> np.ndarray:
        """Returns the prototypes `[C, ipc, h, w, z]` float32, after `train_ahead`."""
        if self._context.config.geometry == "hyperbolic":
            return self._lorentz_prototypes()
        config, training = self._context.config, self._context.dataset.training
        classes, count = self._context.dataset.num_classes, len(training.labels)
        generator = np.random.default_rng([config.seed, Purpose.LATENT_ORDER])
        order = generator.permutation(count)
        stream = PrototypeStream(classes, config.ipc, config.d4m_chunk)
        with progress_bar("prototypes", count, "image", config.progress) as bar:
            for start in range(0, count, _DRAWN_AT_ONCE):
                rows = order[start : start + _DRAWN_AT_ONCE]
                key = derive_key(config.seed, Purpose.LATENTS, start)
                stream.add(self._model.sample(rows, key), training.labels[rows])
                bar.update(len(rows))
            return stream.centres()

    @property
    def _generates(self) -> bool:
        """Whether prototypes are noised and denoised at all."""
        config = self._context.config
        return bool(ddim_times(config.d4m_steps, config.d4m_strength))

    def _lorentz_prototypes(self) -> np.ndarray:
        config, dataset = self._context.config, self._context.dataset
        found = []
        with progress_bar(
            "prototypes", dataset.num_classes, "class", config.progress
        ) as bar:
            for label in range(dataset.num_classes):
                rows = np.flatnonzero(dataset.training.labels == label)
                key = derive_key(config.seed, Purpose.LATENTS, label)
                latents = self._model.sample(rows, key)
                generator = np.random.default_rng(
                    [config.seed, Purpose.LATENT_CENTRES, label]
                )
                centres = lorentz_prototypes(
                    latents.reshape(len(rows), -1),
                    config.ipc,
                    config.curvature,
                    generator,
                )
                found.append(centres.reshape(config.ipc, *latents.shape[1:]))
                bar.update(1)
        return np.stack(found).astype(np.float32)


def build(context: MethodContext) -> PrototypeGeneration:
    """Builds D4M.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: see `PrototypeGeneration`, and `model_of`.
    """
    model = model_of(context.config, context.dataset, context.max_images)
    return PrototypeGeneration(context, model)
