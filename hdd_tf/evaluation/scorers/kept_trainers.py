"""Trainers that stay in memory, so that sets of one shape share a trace."""

import gc
from collections.abc import Callable

import numpy as np

from hdd_tf.data.normalisation import Normalisation
from hdd_tf.data.stored_images import ImageRows, StoredImages
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.label_sources import LabelSources
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.training.network_trainer import NetworkTrainer


class KeptTrainers:
    """Trainers of one architecture at a time, one for each shape of a set.

    Args:
        build: Function that builds the network of an architecture's name.
    """

    def __init__(self, build: Callable[[str], FunctionalNetwork]) -> None:
        self._build = build
        self._architecture = ""
        self._network: FunctionalNetwork | None = None
        self._trainers: dict[tuple, NetworkTrainer] = {}

    def __len__(self) -> int:
        """Returns the number of trainers in memory."""
        return len(self._trainers)

    def trainer(
        self,
        name: str,
        images: ImageRows,
        labels: np.ndarray,
        normalisation: Normalisation,
        protocol: TrainingProtocol,
        sources: LabelSources,
    ) -> NetworkTrainer:
        """Returns a trainer on the images, with one trace for all sets of one shape.

        Args:
            name: Name of the architecture; another than before drops all trainers.
            images: `[n, h, w, c]` uint8, or float32 on the 0-255 scale.
            labels: `[n]` integers.
            normalisation: Normalisation of the images.
            protocol: Training protocol.
            sources: Soft labels of the images, as the protocol needs them.

        Raises:
            InputError: the set lacks the labels that the protocol asks for.
        """
        network = self._network_of(name)
        # Identities distinguish the objects that graphs hold: a trainer keeps them
        # alive, so no other object can have the same identity.
        held = (normalisation.whitening, sources.epoch_labels, sources.teacher)
        kind = (images.shape, images.dtype, protocol, *map(id, held))
        as_floats = (images.shape, np.dtype(np.float32), *kind[2:])
        if isinstance(images, StoredImages):
            # Graphs have them in them, so that no other images can take their place.
            kind = (images.shape, id(images), *kind[2:])
        elif as_floats in self._trainers:
            # Bytes and floats of the same pixels train the same networks: real images
            # need no graph of their own beside a set of as many floats.
            images, kind = images.astype(np.float32), as_floats
        if kind in self._trainers:
            self._trainers[kind].replace_images(images, labels, sources.label_logits)
        else:
            self._drop(kind[: -len(held)])
            self._trainers[kind] = NetworkTrainer(
                network,
                images,
                labels,
                normalisation,
                protocol,
                label_logits=sources.label_logits,
                epoch_labels=sources.epoch_labels,
                teacher=sources.teacher,
            )
        return self._trainers[kind]

    def _network_of(self, name: str) -> FunctionalNetwork:
        if self._network is None or name != self._architecture:
            self._trainers.clear()
            self._network = None
            # Graphs and the functions that trace them hold each other.
            gc.collect()
            self._architecture = name
            self._network = self._build(name)
        return self._network

    def _drop(self, shape: tuple) -> None:
        """Drops the trainers of a shape, dtype and protocol.

        Each set read from files brings new objects, so the trainers that hold the
        objects of the former set would only take memory.
        """
        former = [k for k in self._trainers if k[: len(shape)] == shape]
        for key in former:
            del self._trainers[key]
        if former:
            gc.collect()
