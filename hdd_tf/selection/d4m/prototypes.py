"""Prototypes of each class: centres of mini-batch k-means of latents.

Source: Su et al., "D4M: Dataset Distillation via Disentangled Diffusion Model", CVPR
2024, whose released program gives a class's latents to scikit-learn's `MiniBatchKMeans`
chunk by chunk, in the order in which they arrive. The program leaves out the remainders
of all classes but one; here every class's remainder counts.
"""

from typing import Any

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from threadpoolctl import ThreadpoolController


class PrototypeStream:
    """Mini-batch k-means of each class, over latents that arrive in any order.

    A latent is clustered as one vector, channels first.

    Args:
        num_classes: Number of classes C.
        ipc: Centres of each class.
        expand: Latents of a chunk, as a multiple of `ipc`.
    """

    def __init__(self, num_classes: int, ipc: int, expand: int) -> None:
        self._chunk = expand * ipc
        self._waiting: list[list[np.ndarray]] = [[] for _ in range(num_classes)]
        self._means = [
            MiniBatchKMeans(n_clusters=ipc, random_state=0, n_init="auto")
            for _ in range(num_classes)
        ]
        self._shape: tuple[int, ...] = ()
        # Threads that wait for each other take most of the time of small chunks.
        self._threads = ThreadpoolController()

    def add(self, latents: np.ndarray, labels: np.ndarray) -> None:
        """Takes latents in the order of their arrival.

        Args:
            latents: `[n, h, w, c]` float32.
            labels: `[n]` integer class numbers.
        """
        _, height, width, channels = latents.shape
        self._shape = channels, height, width
        rows = np.moveaxis(latents, -1, 1).reshape(len(latents), -1)
        with self._one_thread():
            for row, label in zip(rows, labels, strict=True):
                waiting = self._waiting[label]
                waiting.append(row)
                if len(waiting) == self._chunk:
                    self._learn(int(label))

    def centres(self) -> np.ndarray:
        """Returns the prototypes, after the remainders of all classes.

        Returns:
            `[C, ipc, h, w, c]` float32.

        Raises:
            ValueError: a class has fewer latents than centres.
        """
        with self._one_thread():
            for label, waiting in enumerate(self._waiting):
                if waiting:
                    self._learn(label)
        found = np.stack([means.cluster_centers_ for means in self._means])
        found = found.reshape(*found.shape[:2], *self._shape)
        return np.moveaxis(found, 2, -1).astype(np.float32)

    def _one_thread(self) -> Any:
        return self._threads.limit(limits=1, user_api="openmp")

    def _learn(self, label: int) -> None:
        self._means[label].partial_fit(np.stack(self._waiting[label]))
        self._waiting[label] = []
