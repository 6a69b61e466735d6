"""A Stable Diffusion 3 of keras-hub as D4M's diffusion model.

keras-hub is an extra of this package, imported here alone. Its models learnt outside
data and are programs from elsewhere (docs/security.md). The published numbers rest on
an older model with another kind of noise, so none of them is reproduced.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.method import Work
from hdd_tf.distributed.precision import policy_of
from hdd_tf.errors import InputError, one_line
from hdd_tf.selection.d4m.latents import to_pixels, to_unit
from hdd_tf.selection.d4m.model import LatentDiffusion
from hdd_tf.selection.d4m.noise import ddim_times, draw_noise

# What the prompts are steered away from, in the released program.
_NEGATIVE = "cartoon, anime, painting"
# Images of a forward pass, unless the settings say another number.
_AT_ONCE = 4


class StableDiffusion(LatentDiffusion):
    """The model `--d4m_model`, under the bare names of the classes.

    Args:
        config: The run's `Config`.
        dataset: Data set whose training split it sees.

    Raises:
        InputError: keras-hub is not installed, or images are neither grey nor of three
            channels.
    """

    def __init__(self, config: Any, dataset: Dataset) -> None:
        self._hub = _keras_hub(config.d4m_model)
        if dataset.image_shape[-1] not in (1, 3):
            raise InputError(
                f"--d4m_model={config.d4m_model} makes images of three channels, and "
                f"these have {dataset.image_shape[-1]}: leave it empty"
            )
        self._config = config
        self._dataset = dataset
        self._side = config.d4m_model_size
        self._block = config.max_images_per_forward or _AT_ONCE
        self._task: Any = None

    def prepare(self, generates: bool, dry_run: bool) -> None:
        """Loads the model, which may download it first.

        Raises:
            InputError: it cannot be loaded.
        """
        del generates
        if dry_run:
            return
        config = self._config
        bfloat16 = policy_of(config.precision) != "float32"
        try:
            self._task = self._hub.models.StableDiffusion3ImageToImage.from_preset(
                config.d4m_model,
                image_shape=(self._side, self._side, 3),
                dtype="bfloat16" if bfloat16 else "float32",
            )
        except Exception as error:  # keras-hub documents none.
            raise InputError(
                f"--d4m_model={config.d4m_model} is no Stable Diffusion 3 that "
                f"keras-hub can load ({one_line(error)[:300]}): name a preset or its "
                "directory, or leave it empty"
            ) from error
        backbone = self._task.backbone
        backbone.configure_scheduler(config.d4m_steps)
        shape = backbone.encode_image_step(tf.zeros([1, self._side, self._side, 3]))
        self.latent_shape = tuple(shape.shape[1:])

    def stages(self, count: int, generates: bool) -> list[Work]:
        """Says that nothing is measured; loading alone may take a download."""
        del generates
        said = f"{count:,} images by {self._config.d4m_model}, not measured"
        return [Work("diffusion", said, 0.0)]

    def sample(self, rows: np.ndarray, key: tf.Tensor) -> np.ndarray:
        """Encodes training images; the model decides whether anything is drawn."""
        del key
        images, found = self._dataset.training.images, []
        for start in range(0, len(rows), self._block):
            block = to_unit(images[rows[start : start + self._block]])
            seen = tf.image.resize(block, [self._side] * 2, "bilinear", antialias=True)
            seen = tf.repeat(seen, 3 // seen.shape[-1], axis=-1)
            found.append(_floats(self._task.backbone.encode_image_step(seen)))
        return np.concatenate(found)

    def generate(
        self,
        prototypes: np.ndarray,
        labels: np.ndarray,
        seed: int,
        on_step: Callable[[int], object],
    ) -> np.ndarray:
        """Noises and denoises prototypes; see the base class."""
        backbone, steps = self._task.backbone, tf.constant(self._config.d4m_steps)
        guidance = tf.constant(self._config.d4m_guidance)
        taken = len(ddim_times(self._config.d4m_steps, self._config.d4m_strength))
        first, found = self._config.d4m_steps - taken, []
        noise = draw_noise(labels, prototypes.shape[1:], seed)
        for start in range(0, len(labels), self._block):
            part = slice(start, start + self._block)
            told = self._embeddings(labels[part])
            latents = backbone.add_noise_step(
                tf.constant(prototypes[part]),
                tf.constant(noise[part]),
                tf.constant(first),
                steps,
            )
            for step in range(first, self._config.d4m_steps):
                latents = backbone.denoise_step(
                    latents, told, tf.constant(step), steps, guidance
                )
                on_step(1)
            found.append(_floats(latents))
        return np.concatenate(found)

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Returns the images of latents; see the base class."""
        height, width, channels = self._dataset.image_shape
        found = []
        for start in range(0, len(latents), self._block):
            block = tf.constant(latents[start : start + self._block])
            images = tf.cast(self._task.backbone.decode_step(block), tf.float32)
            if channels == 1:
                images = tf.reduce_mean(images, axis=-1, keepdims=True)
            images = tf.image.resize(images, [height, width], "bicubic", antialias=True)
            found.append(images.numpy())
        return to_pixels(np.concatenate(found))

    def blocks(self, count: int) -> int:
        """Returns the number of blocks that `generate` makes of latents."""
        return math.ceil(count / self._block)

    def _embeddings(self, labels: np.ndarray) -> Any:
        tokens = self._task.preprocessor.generate_preprocess
        names = [str(self._dataset.label_names[label]) for label in labels]
        return self._task.backbone.encode_text_step(
            tokens(names), tokens([_NEGATIVE] * len(names))
        )


def _floats(latents: Any) -> np.ndarray:
    return tf.cast(latents, tf.float32).numpy()


def _keras_hub(model: str) -> Any:
    """Returns the package keras_hub.

    Raises:
        InputError: it is not installed, or does not fit the installed Keras.
    """
    try:
        import keras_hub
    except ImportError as error:
        raise InputError(
            f"--d4m_model={model} needs keras-hub ({one_line(error)[:200]}): "
            "pip install 'hdd-tf[hub]', or leave it empty"
        ) from error
    return keras_hub
