"""Soft labels of every view of a set: a teacher's logits in each epoch, stored.

Students that learn from these labels need no teacher: their epochs, batches, crops and
mixing are those that the teacher saw. Source: the relabelling of Shen & Xing (FKD, ECCV
2022), as in RDED (Sun et al., CVPR 2024) and G-VBSM (Shao et al., CVPR 2024).
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class EpochLabels:
    """Labels of all images of a set in a number of epochs, aligned with `rows`.

    Attributes:
        rows: `[epochs, n]` int32, image numbers in the order of use; each epoch is a
            permutation of 0, ..., n - 1.
        boxes: `[epochs, n, 4]` int16: top, left, height and width of the crop, in
            pixels of the stored image; the crop is resized to the size of the image.
        flips: `[epochs, n]` bool, True if the crop is mirrored.
        partners: `[epochs, n]` int32, batch position of the image that is mixed in; an
            image's own position stands for no mixing.
        cuts: `[epochs, batches, 4]` int16: first row, first column, row after the last
            and column after the last of CutMix's box; an empty box is no mixing.
        logits: `[epochs, n, C]` float16, logits of the view that the other attributes
            describe.
        batch_size: Number of images of a batch; the last batch of an epoch may be
            smaller.

    Raises:
        ValueError: the parts do not fit together, or a value is out of range.
    """

    rows: np.ndarray
    boxes: np.ndarray
    flips: np.ndarray
    partners: np.ndarray
    cuts: np.ndarray
    logits: np.ndarray
    batch_size: int

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or not self.rows.size or self.batch_size < 1:
            raise ValueError(
                "`rows` must be [epochs, n] and not empty, and `batch_size` >= 1. "
                f"Received: {self.rows.shape} and {self.batch_size}."
            )
        epochs, count = self.rows.shape
        classes = self.logits.shape[-1] if self.logits.ndim == 3 else 0
        for name, dtype, shape in (
            ("rows", np.int32, (epochs, count)),
            ("boxes", np.int16, (epochs, count, 4)),
            ("flips", np.bool_, (epochs, count)),
            ("partners", np.int32, (epochs, count)),
            ("cuts", np.int16, (epochs, self.num_batches, 4)),
            ("logits", np.float16, (epochs, count, max(classes, 1))),
        ):
            array = getattr(self, name)
            if array.dtype != dtype or array.shape != shape:
                raise ValueError(
                    f"`{name}` must be {np.dtype(dtype)} of shape {shape}. "
                    f"Received: {array.dtype} {array.shape}."
                )
        if not (np.sort(self.rows, axis=1) == np.arange(count)).all():
            raise ValueError(
                f"each epoch of `rows` must hold 0, ..., {count - 1} once."
            )
        if (self.boxes[..., :2] < 0).any() or (self.boxes[..., 2:] < 1).any():
            raise ValueError("`boxes` must begin at >= 0 and be >= 1 high and wide.")
        if (self.cuts < 0).any():
            raise ValueError("`cuts` must not be negative.")
        first = np.arange(count) // self.batch_size * self.batch_size
        sizes = np.minimum(self.batch_size, count - first)
        if (self.partners < 0).any() or (self.partners >= sizes).any():
            raise ValueError("`partners` must be places within their own batch.")
        if not np.isfinite(self.logits).all():
            raise ValueError("`logits` must be finite.")

    @property
    def num_epochs(self) -> int:
        """Number of stored epochs."""
        return self.rows.shape[0]

    @property
    def num_images(self) -> int:
        """Number of images of the set."""
        return self.rows.shape[1]

    @property
    def num_batches(self) -> int:
        """Number of batches of an epoch."""
        return -(-self.rows.shape[1] // self.batch_size)

    @property
    def num_classes(self) -> int:
        """Number of classes, the length of a label."""
        return self.logits.shape[2]

    def check_images(
        self, num_images: int, height: int, width: int, num_classes: int
    ) -> None:
        """Checks that the labels fit a set.

        Args:
            num_images: Number of images of the set.
            height: Rows of each image.
            width: Columns of each image.
            num_classes: Number of classes of the set.

        Raises:
            ValueError: the labels do not fit; the message says what differs.
        """
        if (self.num_images, self.num_classes) != (num_images, num_classes):
            raise ValueError(
                f"the labels are of {self.num_images} images of {self.num_classes} "
                f"classes, the set has {num_images} of {num_classes}."
            )
        boxes, size = self.boxes.astype(np.int32), np.array([height, width])
        inside = (boxes[..., :2] + boxes[..., 2:] <= size).all()
        if not inside or (self.cuts > np.tile(size, 2)).any():
            raise ValueError(f"a box of the labels leaves the {height}x{width} images.")
