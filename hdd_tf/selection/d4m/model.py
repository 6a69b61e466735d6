"""What D4M asks of a latent diffusion model."""

import abc
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.distillation.method import Work


class LatentDiffusion(abc.ABC):
    """A latent diffusion model that knows the training split.

    Attributes:
        latent_shape: Height, width and channels of a latent.
    """

    latent_shape: tuple[int, int, int]

    def check_room(self, generates: bool) -> None:
        """Checks that the disk has room for what `prepare` trains; nothing by default.

        Args:
            generates: As in `prepare`.

        Raises:
            InputError: it has not, or nothing can be written there.
        """
        return None

    @abc.abstractmethod
    def prepare(self, generates: bool, dry_run: bool) -> None:
        """Trains or loads what the other calls need.

        Args:
            generates: True if `generate` will be called.
            dry_run: True if only `stages` will be called: nothing trains or is written.
        """

    @abc.abstractmethod
    def stages(self, count: int, generates: bool) -> list[Work]:
        """Returns the costs of the model, measured, after `prepare`.

        Args:
            count: Number of images of the set.
            generates: As in `prepare`.
        """

    @abc.abstractmethod
    def sample(self, rows: np.ndarray, key: tf.Tensor) -> np.ndarray:
        """Draws the latents of training images.

        Args:
            rows: `[n]` rows of the training split.
            key: `[2]` int32 key of the draw.

        Returns:
            `[n, h, w, z]` float32.
        """

    @abc.abstractmethod
    def generate(
        self,
        prototypes: np.ndarray,
        labels: np.ndarray,
        seed: int,
        on_step: Callable[[int], object],
    ) -> np.ndarray:
        """Noises prototypes, and denoises them under the names of their classes.

        Args:
            prototypes: `[n, h, w, z]` float32 latents.
            labels: `[n]` class numbers.
            seed: Seed of the noise.
            on_step: Function of the number of steps just taken by a block.

        Returns:
            `[n, h, w, z]` float32 latents.
        """

    @abc.abstractmethod
    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Returns images of latents.

        Args:
            latents: `[n, h, w, z]` float32.

        Returns:
            `[n, h, w, c]` uint8, of the data set's size.
        """

    @abc.abstractmethod
    def blocks(self, count: int) -> int:
        """Returns the number of blocks that `generate` makes of latents."""
