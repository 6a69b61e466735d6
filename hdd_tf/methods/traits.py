"""The traits of a method: all that the program needs to know without running it.

Settings, dry run, evaluation, analysis and report use a method's traits, never its
name. So a new method is one module that computes and one entry of the registry. No
trait that changes results has a default, so that no method silently gets the value of
another method.
"""

import dataclasses
import enum
import importlib
from collections.abc import Callable, Mapping
from typing import Any

Accuracy = tuple[float, float | None]
# Mean and standard deviation (None if not known) in percent at the IPC of
# `PUBLISHED_IPC`, or fewer; None where none is published.
AccuracyRow = tuple[Accuracy | None, ...]
PUBLISHED_IPC = (1, 10, 50)
# Flags whose default is the method's own value.
DEFAULTED = ("image_lr", "iterations", "real_batch", "init", "dsa")
FULL_DSA = "color_crop_cutout_flip_scale_rotate"
# The geometries of methods with formulas, or weights of several terms, for each.
PLAIN_AND_HYPERBOLIC = ("euclidean", "hyperbolic")


class Kind(enum.Enum):
    """The way in which a method makes a set."""

    CLASS_WISE = "each class is matched by itself"
    WHOLE_SET = "gradients of the whole set, classes coupled"
    SELECTION = "chosen or generated, without iterations"


class Encoder(enum.Enum):
    """The trained network that the analysis of a run uses."""

    TRAINED = "one that trains on the real images for it"
    POOL = "the oldest of the run's pool of networks"
    EXPERT = "the first of the experts"


class PublishedAs(enum.Flag):
    """What sets published accuracies apart from those of the usual protocol.

    The usual protocol trains on the images with their classes as labels, and takes the
    accuracy of the last epoch.
    """

    USUAL = 0
    SOFT_LABELS = enum.auto()
    BEST_ON_TEST = enum.auto()


@dataclasses.dataclass(frozen=True)
class Budget:
    """The computation behind a published accuracy.

    Attributes:
        iterations: Iterations of the distillation; None if it has none.
        real_batch: Real images per class and iteration, at most the class's size; None
            if the distillation has none.
        eval_epochs: Epochs of each network of the evaluation.
        sets: Number of distilled sets, of different seeds; None if not published.
        networks: Number of networks trained on each set; None if not published.
    """

    iterations: int | None
    real_batch: int | None
    eval_epochs: int
    sets: int | None
    networks: int | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Traits:
    """The traits of a method.

    Attributes:
        title: Name of the method in papers, such as `DM`.
        summary: Description of what the method matches or chooses, which completes
            "name = ..." in the help.
        kind: Way in which the method makes a set.
        build: Function from a `MethodContext` to the method, or its name
            `module:function`, which is imported when it is needed.
        has_geometry: True if the method compares in the geometry of `--geometry`; the
            geometry of other methods is `none`.
        geometries: Names of the geometries that the method has a form in; empty for
            all.
        formation_factor: Default of `--formation_factor`. Selections choose whole
            images, so this is their only value.
        unit_range: True if the images are learnt in [0, 1], where they are clipped;
            False if they are learnt in normalised space.
        clips_normalised: True if they are clipped there, to what an image can be.
        update_per_class: True if the images move as with one optimiser call a class.
        settings: Defaults of all flags of `DEFAULTED`.
        may_revisit: True if the summaries of an iteration's real images can be used
            again later, as `--real_bank_size` does. This is not possible if the
            networks change.
        evaluation: Key of `protocols.published.PROTOCOLS`, the protocol of
            `--eval_protocol=auto`.
        encoder: Network that the analysis of a run uses.
        encoder_source: Name `module:function` of the function that locates that
            network: (config) -> `PoolSchedule` for `POOL`, (config, dataset, network)
            -> `Shelf` for `EXPERT`; empty for `TRAINED`.
        ahead_source: Name `module:function` of the function that returns the networks
            which train on the real images before the first iteration: (config,
            dataset, network) -> `Shelf`, several of them, or None if the settings need
            none. Empty if the method never trains any.
        normalised_as: Names of data sets to which the method's program applies the
            constants of another data set, mapped to the name of that other data set.
        carries: Labels that the method's sets have beside the classes, of
            `training_protocol.LABEL_SOURCES`.
        beside: Function from the settings to the names of sets that are always scored
            beside the method's own: baselines, and what `DistilledSet.beside` holds; or
            None.
        own_settings: Beginnings of the names of settings that this method reads and
            that no other method does, unless it has the same beginning here.
        rate_falls: True if the rate of the images falls to 0 over the iterations, so
            that a run cannot be made longer later.
        whitened: Default of `--zca`: True if images are whitened, False if they are
            normalised by channel.
        baseline_title: Title of the method's row in comparisons with a distilled set;
            empty if `--baselines` does not offer the method.
        draws_own_classes: True if an iteration draws real images of the classes alone
            that a device matches, so that of several machines each needs those of its
            own. False is always right: then each reads all.
        loops: Published loops of a network that trains on the synthetic images, by
            images per class: updates of the images in its life, and its epochs between
            two of them. Other numbers of images take those of the next larger one.
            Empty if the networks do not train so.
        trains_network: True if a selection trains a network to choose by.
        least_epochs: Smallest number of epochs of that network that gives a result.
        plain_image_lr: Function from data set (TFDS name) and IPC to the published
            image learning rate of the method's Euclidean form; or None.
        published: Published accuracies by geometry (`none` for methods without one) and
            data set.
        published_as: What sets the published accuracies apart, such as
            `PublishedAs.SOFT_LABELS | PublishedAs.BEST_ON_TEST`: networks trained on
            soft labels, or the best epoch or checkpoint was chosen by the test split.
            The report marks such numbers.
        not_comparable: Why the published accuracies are not comparable with those of
            the method here; empty if they are.
        published_network: Network that the published accuracies are of.
        settings_of: Data sets whose settings are published, but no accuracies.
        budget: Function from data set (TFDS name), IPC and geometry to the budget of a
            published accuracy; None if no budget is published.

    Raises:
        ValueError: `settings` lacks a flag or has others, or the encoder and its source
            do not fit together.
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
    ahead_source: str = ""
    geometries: tuple[str, ...] = ()
    carries: frozenset[str] = frozenset()
    beside: Callable[[Any], tuple[str, ...]] | None = None
    own_settings: tuple[str, ...] = ()
    rate_falls: bool = False
    clips_normalised: bool = False
    draws_own_classes: bool = False
    loops: Mapping[int, tuple[int, int]] = dataclasses.field(default_factory=dict)
    baseline_title: str = ""
    trains_network: bool = False
    least_epochs: int = 1
    plain_image_lr: Callable[[str, int], float] | None = None
    published: Mapping[str, Mapping[str, AccuracyRow]] = dataclasses.field(
        default_factory=dict
    )
    published_as: PublishedAs = PublishedAs.USUAL
    not_comparable: str = ""
    published_network: str = "convnet"
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
        """True if the method has no iterations."""
        return self.kind is Kind.SELECTION

    @property
    def is_coreset(self) -> bool:
        """True if the method chooses whole real images, as baselines do."""
        return bool(self.baseline_title)

    def geometry(self, asked: str) -> str:
        """Returns the geometry that is matched in: `asked`, or `none` without one."""
        return asked if self.has_geometry else "none"

    def network_life(self, ipc: int) -> dict[str, int]:
        """Returns the defaults of `--dc_updates` and `--dc_epochs`.

        Args:
            ipc: Images per class.
        """
        updates, epochs = loops_for(ipc, self.loops) if self.loops else (1, 0)
        return {"dc_updates": updates, "dc_epochs": epochs}

    def builder(self) -> Callable[[Any], Any]:
        """Returns the function that builds the method; imports its module."""
        return imported(self.build) if isinstance(self.build, str) else self.build


def loops_for(ipc: int, loops: Mapping[int, tuple[int, int]]) -> tuple[int, int]:
    """Returns the published loops of a number of images per class, or the next larger.

    Args:
        ipc: Images per class.
        loops: Loops by images per class; see `Traits.loops`.
    """
    larger = [known for known in loops if known >= ipc]
    return loops[min(larger, default=max(loops))]


def imported(name: str) -> Callable[..., Any]:
    """Returns the function `module:function`; imports its module.

    Args:
        name: Name in an entry of the registry; never one from a user.
    """
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)
