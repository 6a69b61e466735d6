"""Batches of a set as its recipe has them, in NumPy: what networks see in training.

Keras and PyTorch both take these arrays. Views are drawn anew (crops, flips, DSA,
CutMix, MixUp), or they are those of epoch_labels.npz, one after the other, with the
labels that a teacher gave exactly these.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from dsa import augment
from recipe import Recipe
from transforms import draw_boxes, draw_cut, paste, resize_boxes, shuffle_cells

AskTeacher = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Batch:
    """A batch.

    Attributes:
        images: `[n, h, w, c]` float32, normalised, as networks take them.
        labels: `[n]` int32 classes.
        partner_labels: `[n]` int32 classes of the images that are mixed in.
        share: `[n]` float32, how much of an image is its own.
        logits: `[n, C]` float32 of the soft labels; zeros where there are none.
        partner_logits: The same of the images that are mixed in.
    """

    images: np.ndarray
    labels: np.ndarray
    partner_labels: np.ndarray
    share: np.ndarray
    logits: np.ndarray
    partner_logits: np.ndarray

    def labels_by_name(self) -> dict[str, np.ndarray]:
        """Returns all but the images."""
        found = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        del found["images"]
        return found


class Normaliser:
    """From pixels on the 0-255 scale to what networks take, and back.

    Args:
        metadata: Contents of hdd_tf.json, with the arrays of a whitening.
    """

    def __init__(self, metadata: dict) -> None:
        self.mean = np.array(metadata["mean"], np.float32)
        self.std = np.array(metadata["std"], np.float32)
        self._whitening = metadata.get("whitening")
        if self._whitening:
            self._matrix = self._power(-0.5)

    def _power(self, exponent: float) -> np.ndarray:
        """Returns the whitening's covariance to some power."""
        stored = self._whitening
        assert stored is not None
        vectors = stored["vectors"].astype(np.float64)
        scales = (stored["values"].astype(np.float64) + stored["epsilon"]) ** exponent
        return ((vectors * scales) @ vectors.T).astype(np.float32)

    def normalise(self, pixels: np.ndarray) -> np.ndarray:
        """Returns `[n, h, w, c]` float32 as networks take them."""
        scaled = pixels.astype(np.float32) / np.float32(255)
        if not self._whitening:
            return (scaled - self.mean) / self.std
        flat = scaled.reshape(len(scaled), -1) - self._whitening["mean"]
        return (flat @ self._matrix).reshape(scaled.shape)

    def pixels(self, images: np.ndarray) -> np.ndarray:
        """Returns the pixels of normalised images, which a teacher takes."""
        if not self._whitening:
            return (images * self.std + self.mean) * np.float32(255)
        flat = images.reshape(len(images), -1) @ self._power(0.5)
        flat = (flat + self._whitening["mean"]) * np.float32(255)
        return flat.reshape(images.shape)


class Views:
    """Draws or replays the batches of a set.

    Args:
        images: `[n, h, w, c]` on the 0-255 scale.
        labels: `[n]` classes.
        label_logits: `[n, C]` of soft labels, one an image; None without.
        metadata: Contents of hdd_tf.json, with the arrays of `set_files.read_extras`.
        recipe: How networks train.
        ask_teacher: Function from pixels to logits, for labels of a teacher.
        seed: Of what is drawn.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        label_logits: np.ndarray | None,
        metadata: dict,
        recipe: Recipe,
        ask_teacher: AskTeacher | None = None,
        seed: int = 0,
    ) -> None:
        self._images = images.astype(np.float32)
        self._labels = labels.astype(np.int32)
        shape = len(labels), len(metadata["label_names"])
        self._logits = np.zeros(shape, np.float32)
        if recipe.labels == "stored" and label_logits is not None:
            self._logits = label_logits.astype(np.float32)
        self._stored = metadata["epoch_labels"] if recipe.labels == "epochs" else None
        self._normaliser = Normaliser(metadata)
        self._recipe = recipe
        self._ask_teacher = ask_teacher
        self._rng = np.random.default_rng(seed)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        height, width, channels = self._images.shape[1:]
        return height, width, channels

    @property
    def num_classes(self) -> int:
        """Length of a soft label."""
        return self._logits.shape[1]

    @property
    def batches_of_epoch(self) -> int:
        """Updates of an epoch."""
        return -(-len(self._labels) // self._recipe.batch_size)

    def batches(self, epochs: Iterable[int]) -> Iterator[Batch]:
        """Yields the batches of some epochs."""
        for epoch in epochs:
            if self._stored:
                order = self._stored["rows"][epoch]
            else:
                order = self._rng.permutation(len(self._labels))
            size = self._recipe.batch_size
            for index, start in enumerate(range(0, len(order), size)):
                rows = order[start : start + size]
                if self._stored:
                    yield self._replayed(rows, epoch, index, start)
                else:
                    yield self._drawn(rows)

    def _replayed(self, rows: np.ndarray, epoch: int, index: int, start: int) -> Batch:
        """Returns a batch exactly as the teacher saw it, with its labels."""
        assert self._stored is not None
        here = slice(start, start + len(rows))
        boxes, flips, partners, logits = (
            self._stored[name][epoch, here]
            for name in ("boxes", "flips", "partners", "logits")
        )
        images = resize_boxes(self._images[rows], boxes, flips)
        images = self._normaliser.normalise(images)
        images, share = paste(images, partners, self._stored["cuts"][epoch, index])
        logits = logits.astype(np.float32)
        return self._batch(images, rows, rows[partners], share, logits, logits)

    def _drawn(self, rows: np.ndarray) -> Batch:
        """Returns a batch with fresh views."""
        recipe, rng = self._recipe, self._rng
        images = self._images[rows]
        count, height, width, _ = images.shape
        if recipe.shuffled_cells > 1:
            images = shuffle_cells(images, rng, recipe.shuffled_cells)
        flips = (rng.random(count) < 0.5) & recipe.flip
        boxes = np.tile([0, 0, height, width], (count, 1))
        if recipe.resized_crop < 1:
            boxes = draw_boxes(rng, count, height, width, recipe.resized_crop)
        if recipe.resized_crop < 1 or recipe.flip:
            images = resize_boxes(images, boxes, flips)
        images = self._normaliser.normalise(images)
        images = augment(images, rng, recipe.always, recipe.augmentations)
        partners, share = np.arange(count), np.float32(1)
        if recipe.mixing and rng.random() < recipe.cutmix:
            partners = rng.permutation(count)
            if recipe.mixing == "mixup":
                share = np.float32(rng.beta(recipe.mixup_alpha, recipe.mixup_alpha))
                images = share * images + (1 - share) * images[partners]
            else:
                images, share = paste(images, partners, draw_cut(rng, height, width))
        if recipe.labels == "teacher":
            assert self._ask_teacher is not None
            logits = self._ask_teacher(self._normaliser.pixels(images))
            return self._batch(images, rows, rows[partners], share, logits, logits)
        mixed_in = rows[partners]
        logits, others = self._logits[rows], self._logits[mixed_in]
        return self._batch(images, rows, mixed_in, share, logits, others)

    def _batch(
        self,
        images: np.ndarray,
        rows: np.ndarray,
        mixed_in: np.ndarray,
        share: np.float32,
        logits: np.ndarray,
        partner_logits: np.ndarray,
    ) -> Batch:
        return Batch(
            images.astype(np.float32),
            self._labels[rows],
            self._labels[mixed_in],
            np.full(len(rows), share, np.float32),
            logits,
            partner_logits,
        )
