"""What the program has to know of a method without running it.

Settings, dry run, evaluation, analysis and report ask a method's traits, never its
name: a new method is one file that computes and one entry of the registry. Nothing that
changes results has a default here, so that no method gets another one's in silence.
"""

import dataclasses
import enum
import importlib
from collections.abc import Callable, Mapping
from typing import Any

Accuracy = tuple[float, float]
# Mean and standard deviation in percent at the IPC of `PUBLISHED_IPC`, or fewer.
AccuracyRow = tuple[Accuracy, ...]
PUBLISHED_IPC = (1, 10, 50)
# Flags whose value, where none is given, is the method's.
DEFAULTED = ("image_lr", "iterations", "real_batch", "init")


class Kind(enum.Enum):
    """How a method makes a set."""

    CLASS_WISE = "each class is matched by itself"
    WHOLE_SET = "gradients of the whole set, classes coupled"
    SELECTION = "chosen or generated, without iterations"


class Encoder(enum.Enum):
    """With which trained network a run is analysed."""

    TRAINED = "one that trains on the real images for it"
    POOL = "the oldest of the run's pool of networks"
    EXPERT = "the first of the experts"


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a published number cost; None where our sources do not say.

    Attributes:
        iterations: Of distillation.
        real_batch: Real images per class and iteration, at most the class's size.
        eval_epochs: Of each network of the evaluation.
        sets: Distilled sets, of different seeds.
        networks: Networks trained on each of them.
    """

    iterations: int
    real_batch: int
    eval_epochs: int
    sets: int | None
    networks: int | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Traits:
    """What is to be known of a method.

    Attributes:
        title: As papers call it, such as `DM`.
        summary: What it matches or chooses, to complete "name = ..." in the help.
        kind: How it makes a set.
        build: `module:function` from a `MethodContext` to the method, imported when it
            is needed; or the function itself.
        has_geometry: Whether it compares in the geometry of `--geometry`; that of the
            others is `none`.
        formation_factor: `--formation_factor` where none is given. Selections choose
            whole images: theirs is always this one.
        unit_range: Whether the images live in [0, 1], where they are clipped, rather
            than in normalised space.
        update_per_class: Whether they move as by one optimiser call a class.
        settings: Values of the flags of `DEFAULTED` where they are not given; all of
            them, so that none is another method's unseen.
        may_revisit: Whether an iteration's network and real images can be looked at
            again later, as `--real_bank_size` does: not where networks change.
        evaluation: Key of `training.protocols.PROTOCOLS`: how networks train on its
            sets with `--eval_protocol=auto`.
        encoder: With which network its runs are analysed.
        encoder_source: `module:function` to where that network is, from the run's
            settings: with `POOL` (config) -> `PoolSchedule`, with `EXPERT` (config,
            dataset, network) -> `ExpertBuffer`; empty with `TRAINED`.
        normalised_as: Data sets to which its program applies the constants of another.
        whitened: Whether images are whitened (ZCA) rather than normalised by channel.
        baseline_title: What a row of its images is called beside a distilled set, where
            `--baselines` offers it.
        trains_network: Whether a selection trains a network to choose by.
        least_epochs: Fewest epochs of that network that tell anything.
        training_ahead: From the run's `Config` to (what, how long) of each kind of
            network that trains on the real images before the first iteration.
        plain_image_lr: From data set (TFDS name) and IPC to the published image
            learning rate of its Euclidean form.
        published: Published accuracies by geometry (`none` without one) and data set.
        settings_of: Data sets whose settings are published, but no accuracies.
        budget: From data set, IPC and geometry to what a published cell cost; None
            where our sources do not say.

    Raises:
        ValueError: `settings` lacks a flag or has others, or the encoder has no source.
    """

    title: str
    summary: str
    kind: Kind
    build: str | Callable[[Any], Any]
    has_geometry: bool
    formation_factor: int
    unit_range: bool
    update_per_class: bool
    settings: Mapping[str, Any]
    may_revisit: bool
    evaluation: str
    encoder: Encoder
    normalised_as: Mapping[str, str]
    whitened: bool
    encoder_source: str = ""
    baseline_title: str = ""
    trains_network: bool = False
    least_epochs: int = 1
    training_ahead: Callable[[Any], tuple[tuple[str, str], ...]] = lambda config: ()
    plain_image_lr: Callable[[str, int], float] | None = None
    published: Mapping[str, Mapping[str, AccuracyRow]] = dataclasses.field(
        default_factory=dict
    )
    settings_of: frozenset[str] = frozenset()
    budget: Callable[[str, int, str], Budget] | None = None

    def __post_init__(self) -> None:
        if set(self.settings) != set(DEFAULTED):
            raise ValueError(
                f"`settings` must say {', '.join(DEFAULTED)}. "
                f"Received: {', '.join(self.settings)}."
            )
        if (self.encoder is Encoder.TRAINED) == bool(self.encoder_source):
            raise ValueError(
                "`encoder_source` goes with the encoders `POOL` and `EXPERT`. "
                f"Received: {self.encoder.name} and {self.encoder_source!r}."
            )

    @property
    def is_selection(self) -> bool:
        """Whether there are no iterations."""
        return self.kind is Kind.SELECTION

    def geometry(self, asked: str) -> str:
        """Returns the geometry that is matched in: `asked`, or `none`."""
        return asked if self.has_geometry else "none"

    def builder(self) -> Callable[[Any], Any]:
        """Returns the function that builds the method; imports its module."""
        return imported(self.build) if isinstance(self.build, str) else self.build


def imported(name: str) -> Callable[..., Any]:
    """Returns the function `module:function`; imports its module.

    Args:
        name: As an entry of the registry has it, never a user's.
    """
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)
