"""The training protocol of a network, as data."""

import dataclasses
import math
from typing import Any

OPTIMISER_NAMES = ("sgd", "adamw")
SCHEDULES = ("drops", "cosine", "table")
LOSS_NAMES = ("hard", "soft", "kl", "mse")
LABEL_SOURCES = ("hard", "stored", "epochs", "teacher")
MIXINGS = ("cutmix", "mixup", "")


def _later(default: Any) -> Any:
    """Returns a field that `describe` omits at its default.

    The names of expert buffers, and results, are older than these fields. An omitted
    default leaves them unchanged.
    """
    return dataclasses.field(default=default, metadata={"later": True})


@dataclasses.dataclass(frozen=True)
class TrainingProtocol:
    """Hyper-parameters of training one network.

    Attributes:
        epochs: Passes over the set.
        batch_size: Images per update.
        learning_rate: Learning rate before any schedule.
        momentum: Momentum of SGD.
        weight_decay: Weight decay: L2 in the gradient of SGD (see `sgd.sgd_step`),
            decoupled in AdamW (see `optimisers.AdamW`).
        drop_epochs: Numbers of epochs after which the rate drops.
        drop_factor: Factor of the rate at a drop.
        reset_velocity: True if a drop also makes the optimiser start afresh.
        always: DSA transformations of every image, with parameters drawn per image.
        augmentations: DSA transformations of which each batch gets one, with parameters
            drawn per image.
        cutmix: Probability that a batch is mixed as `mixing` says, in [0, 1].
        optimiser: One of `OPTIMISER_NAMES`.
        betas: AdamW's decay rates of both moments, in (0, 1).
        decay_kernels_only: True if weights of rank 1 (biases, scales) do not decay.
        schedule: One of `SCHEDULES`: `drops` at `drop_epochs`, `cosine` of `period`, or
            `table` of `rate_factors`.
        period: Epochs in which the cosine schedule falls from 1 to 0; it may be longer
            than the training.
        rate_factors: Factor of the rate in each epoch.
        loss: One of `LOSS_NAMES`, see `losses.batch_loss`.
        labels: One of `LABEL_SOURCES`. `hard`: the classes. `stored`: one vector of
            logits an image. `epochs`: the set's `EpochLabels`, whose views are replayed
            (the fields of augmentation and mixing then record how the views were
            drawn). `teacher`: the logits of trained networks for each batch as the
            student sees it.
        temperature: Temperature T of the KL divergence, > 0.
        hard_weight: Factor of the cross-entropy with the classes that is added to a
            soft loss, >= 0.
        resized_crop: Smallest share of the area of random resized crops, in (0, 1]; 1
            for no crops.
        padded_crop: Pixels of black around an image, of which a window of its size is
            cut out, >= 0; 0 for no crop.
        flip: True if images are mirrored with probability 1/2, after the crop.
        shuffled_cells: Cells along each side of a stitched image, which are permuted
            before the crop; 1 for no permutation.
        mixing: One of `MIXINGS`.
        mixup_alpha: Alpha of the distribution Beta(alpha, alpha) of MixUp's share, > 0.
        extra_norm_pass: True if another pass over the batch in training mode precedes
            each update, so that batch norm's statistics move twice (RDED).
        learnt_rate: True if the rate that a set has learnt replaces `learning_rate`.
        sharpness: Radius > 0 and share >= 0 of updates by `sharpness.flat_gradient`,
            for networks without state; empty for updates by the gradient.

    Raises:
        ValueError: a name is unknown, a value is out of range, or the loss and the
            labels do not fit together (one is hard, the other soft).
    """

    epochs: int
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
    optimiser: str = _later("sgd")
    betas: tuple[float, float] = _later((0.9, 0.999))
    decay_kernels_only: bool = _later(False)
    schedule: str = _later("drops")
    period: float = _later(0.0)
    rate_factors: tuple[float, ...] = _later(())
    loss: str = _later("hard")
    labels: str = _later("hard")
    temperature: float = _later(1.0)
    hard_weight: float = _later(0.0)
    resized_crop: float = _later(1.0)
    padded_crop: int = _later(0)
    flip: bool = _later(False)
    shuffled_cells: int = _later(1)
    mixing: str = _later("cutmix")
    mixup_alpha: float = _later(0.8)
    extra_norm_pass: bool = _later(False)
    learnt_rate: bool = _later(False)
    sharpness: tuple[float, ...] = _later(())

    def __post_init__(self) -> None:
        for name, known in (
            ("optimiser", OPTIMISER_NAMES),
            ("schedule", SCHEDULES),
            ("loss", LOSS_NAMES),
            ("labels", LABEL_SOURCES),
            ("mixing", MIXINGS),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"`{name}` must be one of {known}. "
                    f"Received: {getattr(self, name)!r}."
                )
        if (self.loss == "hard") != (self.labels == "hard"):
            raise ValueError(
                "the hard loss goes with hard labels, every other loss with soft ones. "
                f"Received: loss {self.loss!r} and labels {self.labels!r}."
            )
        for name, right in (
            ("betas", all(0 < beta < 1 for beta in self.betas)),
            ("period", self.schedule != "cosine" or self.period > 0),
            (
                "rate_factors",
                self.schedule != "table" or len(self.rate_factors) >= self.epochs,
            ),
            ("temperature", 0 < self.temperature < math.inf),
            ("hard_weight", 0 <= self.hard_weight < math.inf),
            ("resized_crop", 0 < self.resized_crop <= 1),
            ("padded_crop", self.padded_crop >= 0),
            ("shuffled_cells", self.shuffled_cells >= 1),
            ("mixup_alpha", 0 < self.mixup_alpha < math.inf),
            (
                "sharpness",
                not self.sharpness
                or (len(self.sharpness) == 2 and 0 < self.sharpness[0] < math.inf),
            ),
        ):
            if not right:
                raise ValueError(
                    f"`{name}` is out of range. Received: {getattr(self, name)}."
                )

    @property
    def mixes(self) -> bool:
        """True if batches are mixed."""
        return bool(self.mixing) and self.cutmix > 0

    @property
    def asks_teacher(self) -> bool:
        """True if the labels are those of trained networks, not the set's own."""
        return self.labels in ("epochs", "teacher")

    def without_augmentation(self) -> "TrainingProtocol":
        """Returns the same schedule on images without augmentation and mixing."""
        return dataclasses.replace(
            self,
            augmentations=(),
            always=(),
            cutmix=0.0,
            resized_crop=1.0,
            padded_crop=0,
            flip=False,
            shuffled_cells=1,
        )

    def with_hard_labels(self) -> "TrainingProtocol":
        """Returns the same training with classes as labels, for sets without soft ones.

        Schedule, optimiser and augmentation stay the same. The learning rate is the
        protocol's own.
        """
        return dataclasses.replace(
            self,
            loss="hard",
            labels="hard",
            temperature=1.0,
            hard_weight=0.0,
            learnt_rate=False,
        )

    def with_stored_labels(self) -> "TrainingProtocol":
        """Returns the same training with a soft label for each image as its label."""
        return dataclasses.replace(self, loss="soft", labels="stored")

    def describe(self) -> dict[str, Any]:
        """Returns the fields for records: all except later fields at their defaults."""
        values = dataclasses.asdict(self)
        return {
            field.name: values[field.name]
            for field in dataclasses.fields(self)
            if not field.metadata.get("later")
            or getattr(self, field.name) != field.default
        }
