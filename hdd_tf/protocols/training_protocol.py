"""How one network is trained, as data."""

import dataclasses
import math
from typing import Any

OPTIMISER_NAMES = ("sgd", "adamw")
SCHEDULES = ("drops", "cosine", "table")
LOSS_NAMES = ("hard", "soft", "kl", "mse")
LABEL_SOURCES = ("hard", "stored", "epochs", "teacher")
MIXINGS = ("cutmix", "mixup", "")


def _later(default: Any) -> Any:
    """A field that records only mention where it is not at its default.

    Names of directories of experts, and results, are older than these fields.
    """
    return dataclasses.field(default=default, metadata={"later": True})


@dataclasses.dataclass(frozen=True)
class TrainingProtocol:
    """Hyper-parameters of training one network.

    Attributes:
        epochs: Passes over the set.
        batch_size: Images per update.
        learning_rate: Before any schedule.
        momentum: Momentum of SGD.
        weight_decay: L2 in the gradient of SGD (see `sgd.sgd_step`), decoupled in AdamW
            (see `optimisers.AdamW`).
        drop_epochs: Numbers of epochs after which the rate drops.
        drop_factor: What the rate is multiplied by at a drop.
        reset_velocity: Whether a drop also makes the optimiser start afresh.
        always: DSA transformations of every image, parameters per image.
        augmentations: Further ones: one of them for a batch, parameters per image.
        cutmix: How often a batch is mixed in the way of `mixing`, from 0 to 1.
        optimiser: One of `OPTIMISER_NAMES`.
        betas: AdamW's decay rates of both moments, in (0, 1).
        decay_kernels_only: Whether weights of rank 1 (biases, scales) do not decay.
        schedule: One of `SCHEDULES`: `drops` as above; `cosine` of `period`; `table`
            of `rate_factors`.
        period: Epochs in which the cosine falls from 1 to 0; it may be longer than
            the training.
        rate_factors: A factor of the rate for each epoch.
        loss: One of `LOSS_NAMES`, see `losses.batch_loss`.
        labels: One of `LABEL_SOURCES`: the classes; `stored`, one vector of logits an
            image; `epochs`, the set's `EpochLabels`, whose views are replayed (the
            fields of augmentation and mixing then say how they were drawn); `teacher`,
            networks that are asked about each batch as the student sees it.
        temperature: T of the KL divergence.
        hard_weight: Factor of the cross-entropy with the classes, beside a soft loss.
        resized_crop: Smallest share of the area of random resized crops, in (0, 1]; 1:
            no crops.
        flip: Whether images are mirrored with probability 1/2, after the crop.
        shuffled_cells: Cells along each side of a stitched image, which are permuted
            before the crop; 1: none.
        mixing: One of `MIXINGS`.
        mixup_alpha: MixUp's share is drawn from Beta(alpha, alpha).
        extra_norm_pass: Whether each update is preceded by another pass over its batch
            in training mode, so that batch norm's statistics move twice (RDED).
        learnt_rate: Whether the rate that a set has learnt replaces `learning_rate`.

    Raises:
        ValueError: a name is unknown, a value is out of range, or a soft loss lacks
            soft labels.
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
    flip: bool = _later(False)
    shuffled_cells: int = _later(1)
    mixing: str = _later("cutmix")
    mixup_alpha: float = _later(0.8)
    extra_norm_pass: bool = _later(False)
    learnt_rate: bool = _later(False)

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
            ("shuffled_cells", self.shuffled_cells >= 1),
            ("mixup_alpha", 0 < self.mixup_alpha < math.inf),
        ):
            if not right:
                raise ValueError(
                    f"`{name}` is out of range. Received: {getattr(self, name)}."
                )

    @property
    def mixes(self) -> bool:
        """Whether batches are mixed at all."""
        return bool(self.mixing) and self.cutmix > 0

    def without_augmentation(self) -> "TrainingProtocol":
        """Returns the same schedule on images as they are."""
        return dataclasses.replace(
            self,
            augmentations=(),
            always=(),
            cutmix=0.0,
            resized_crop=1.0,
            flip=False,
            shuffled_cells=1,
        )

    def with_hard_labels(self) -> "TrainingProtocol":
        """Returns the same training with classes as labels, of images without others.

        Schedule, optimiser and augmentation stay; the rate is the protocol's own.
        """
        return dataclasses.replace(
            self,
            loss="hard",
            labels="hard",
            temperature=1.0,
            hard_weight=0.0,
            learnt_rate=False,
        )

    def describe(self) -> dict[str, Any]:
        """Returns the fields that records mention: all but later ones at defaults."""
        values = dataclasses.asdict(self)
        return {
            field.name: values[field.name]
            for field in dataclasses.fields(self)
            if not field.metadata.get("later")
            or getattr(self, field.name) != field.default
        }
