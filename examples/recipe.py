"""How networks train on a set: what hdd_tf.json says under `recipe`.

The loss, the labels, the optimiser, its schedule, and the views of the images. A set
of images and classes has no recipe: then any training will do.
"""

import dataclasses
import itertools
import math
from typing import Any, Self

from set_files import fail

# What the networks of a set learn -> the entry of hdd_tf.json that such a set has.
SOFT_LABELS = {
    "stored": "soft_labels",
    "epochs": "epoch_labels",
    "teacher": "teacher",
}
# Of sets that have labels and no recipe; what epoch_labels.npz says of itself is first.
_WITHOUT_RECIPE = {
    "batch_size": 64,
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "optimiser": "adamw",
    "augmentations": ("crop", "scale", "rotate"),
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The fields of a recipe, with the values that an absent entry stands for.

    Attributes:
        epochs: Passes over the set.
        batch_size: Images of an update; the last batch of an epoch may be smaller.
        learning_rate: Rate before the schedule.
        momentum: Momentum of SGD, v <- momentum v + gradient; w <- w - rate v.
        weight_decay: In SGD added to the gradient, in AdamW decoupled from it.
        drop_epochs: Epochs before which the rate drops, for the schedule `drops`.
        drop_factor: Factor of the rate at a drop.
        reset_velocity: Whether the optimiser starts afresh at a drop.
        augmentations: Transformations of which each batch gets one.
        always: Transformations of every image.
        cutmix: Probability that a batch is mixed.
        optimiser: `sgd` or `adamw`.
        betas: AdamW's decay rates.
        decay_kernels_only: Whether biases and scales do not decay.
        schedule: `drops`, `cosine` or `table`.
        period: Epochs in which the cosine falls from 1 to 0.
        rate_factors: Factor of the rate in each epoch, for the schedule `table`.
        loss: `hard`, `soft`, `kl` or `mse`.
        labels: `hard`, or a key of `SOFT_LABELS`.
        temperature: Of the loss `kl`.
        hard_weight: Factor of the cross-entropy with the classes in a soft loss.
        resized_crop: Smallest share of the area of random crops; 1 for none.
        flip: Whether images are mirrored at random.
        shuffled_cells: Cells along a side of stitched images that change places.
        mixing: `cutmix`, `mixup` or nothing.
        mixup_alpha: Of the distribution of MixUp's share.
        extra_norm_pass: Whether a pass for batch norm's statistics precedes an update.
        learnt_rate: Whether the set's `student_rate` is the rate.
    """

    epochs: int = 100
    batch_size: int = 256
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    drop_epochs: tuple[int, ...] = ()
    drop_factor: float = 0.1
    reset_velocity: bool = True
    augmentations: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    cutmix: float = 0.0
    optimiser: str = "sgd"
    betas: tuple[float, float] = (0.9, 0.999)
    decay_kernels_only: bool = False
    schedule: str = "drops"
    period: float = 0.0
    rate_factors: tuple[float, ...] = ()
    loss: str = "soft"
    labels: str = "stored"
    temperature: float = 1.0
    hard_weight: float = 0.0
    resized_crop: float = 1.0
    flip: bool = False
    shuffled_cells: int = 1
    mixing: str = "cutmix"
    mixup_alpha: float = 0.8
    extra_norm_pass: bool = False
    learnt_rate: bool = False

    @classmethod
    def of_set(cls, metadata: dict, **asked: Any) -> Self:
        """Returns the recipe of a set.

        Args:
            metadata: Contents of hdd_tf.json.
            **asked: Fields that replace the set's, where they are not None.

        Raises:
            SystemExit: the set lacks what the recipe needs.
        """
        stored = metadata.get("recipe", {})
        known = {field.name for field in dataclasses.fields(cls)}
        given = {key: stored[key] for key in known & stored.keys()}
        given |= {key: value for key, value in asked.items() if value is not None}
        given["labels"] = label_source(metadata)
        if given["labels"] == "hard":
            given["loss"] = "hard"
        if not stored:
            labels = metadata.get("epoch_labels", {})
            views = {k: v for k, v in labels.items() if k in ("epochs", "batch_size")}
            given = _WITHOUT_RECIPE | views | given
        if given.get("learnt_rate", "student_rate" in metadata):
            given["learning_rate"] = metadata.get("student_rate")
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in given.items()
        }
        recipe = cls(**fields)
        recipe._check(metadata)
        return recipe

    def _check(self, metadata: dict) -> None:
        if self.learning_rate is None or not self.learning_rate > 0:
            fail(
                f"the set's learning rate is {self.learning_rate}: networks cannot "
                "train with it"
            )
        if self.labels != "epochs":
            return
        stored = metadata["epoch_labels"]
        if self.batch_size != stored["batch_size"]:
            fail(
                f"the set's labels are of batches of {stored['batch_size']} images: "
                f"give --batch={stored['batch_size']}"
            )
        if self.epochs > stored["epochs"]:
            fail(
                f"the set has labels of {stored['epochs']} epochs, not of "
                f"{self.epochs}: give --epochs={stored['epochs']} or fewer"
            )

    def rates(self) -> list[float]:
        """Returns the learning rate of each epoch."""
        return [self._rate(epoch) for epoch in range(self.epochs)]

    def _rate(self, epoch: int) -> float:
        if self.schedule == "cosine":
            factor = (1 + math.cos(math.pi * epoch / self.period)) / 2
        elif self.schedule == "table":
            factor = self.rate_factors[epoch]
        else:
            drops = sum(drop <= epoch for drop in self.drop_epochs)
            factor = self.drop_factor**drops
        return self.learning_rate * factor

    def parts(self) -> list[range]:
        """Returns the epochs of each life of the optimiser."""
        starts = self.drop_epochs if self.reset_velocity else ()
        if self.schedule != "drops":
            starts = ()
        bounds = [0, *(s for s in starts if 0 < s < self.epochs), self.epochs]
        return [range(*pair) for pair in itertools.pairwise(bounds)]


def label_source(metadata: dict) -> str:
    """Returns what labels networks learn: a key of `SOFT_LABELS`, or `hard`.

    Args:
        metadata: Contents of the set's hdd_tf.json.

    Raises:
        SystemExit: the recipe asks for labels that the set lacks.
    """
    found = [source for source, key in SOFT_LABELS.items() if key in metadata]
    wanted = metadata.get("recipe", {}).get("labels")
    if wanted in (None, "hard", *found):
        return wanted or [*found, "hard"][0]
    return fail(f"the set's recipe asks for labels ({wanted}) that the set lacks")
