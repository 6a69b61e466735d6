"""Every setting of a run: one table that is the flags and the `Config` at once.

Each row of `Config` holds a setting's default, the parser that accepts or refuses a
value, its help with units, and whether it is part of a run's identity. The absl flags
are made from those rows, so nothing is written twice and a value given in Python is
checked exactly as one given on the command line.

The flags live in a `flags.FlagValues` made for each parse, not in absl's global one:
importing hdd_tf as a library claims no flag name (`--seed`, `--run_dir`) in the
importing program. Nothing here imports TensorFlow, so `--help` is instant.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from absl import flags

from hdd_tf import setting_parsers as parsers
from hdd_tf.errors import InputError

OBJECTIVES = ("dm",)
GEOMETRIES = ("hyperbolic", "euclidean")
LIFTS = ("expmap0", "project")
NETWORKS = ("convnet",)
# A larger target extends a finished run, so growing it keeps the run's identity.
_MAY_GROW = "iterations"


def _setting(
    default: Any, parser: flags.ArgumentParser, help_text: str, *, identity: bool = True
) -> Any:
    """Returns one row of the table, a dataclass field with its flag as metadata."""
    metadata = {"parser": parser, "help": help_text, "identity": identity}
    return dataclasses.field(default=default, metadata=metadata)


def _choice(
    default: str, choices: tuple[str, ...], help_text: str, **kwargs: Any
) -> Any:
    return _setting(default, flags.EnumParser(choices), help_text, **kwargs)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of one run; field names are flag names.

    Values are checked and brought to their type (`curvature="-1/3"` works).

    Raises:
        InputError: A value is refused, or two of them contradict each other.
    """

    dataset: str = _setting(
        "",
        parsers.TEXT,
        "Data set to distil: digits (embedded), fashion_mnist, svhn_cropped, cifar10, "
        "cifar100 or any TFDS image classification set. Required.",
    )
    data_dir: str = _setting(
        "",
        parsers.PATH,
        "Directory of prepared TFDS data sets; empty: TFDS's own default.",
        identity=False,
    )
    ipc: int = _setting(10, parsers.COUNT, "Synthetic images per class.")
    validation_fraction: float = _setting(
        None,
        parsers.PART,
        "Part of the training split held out, stratified by class, for choosing "
        "between results; unset: 0 with --select=last, 0.1 with best_validation.",
    )

    objective: str = _choice(
        "dm",
        (*OBJECTIVES, *parsers.CORESETS),
        "What is matched: dm = DM. Or a coreset, real images chosen without any "
        "distillation: random; herding = features whose mean follows the class's; "
        "k_center = features that leave none far from a chosen one; forgetting = those "
        "most often forgotten in training. Settings of matching and optimisation are "
        "unused then.",
    )
    geometry: str = _choice(
        "hyperbolic",
        GEOMETRIES,
        "Where it is matched: hyperbolic = geodesic distance of Lorentz centroids "
        "(HDD), euclidean = squared distance of means (the plain objective).",
    )
    curvature: float = _setting(
        -1.0,
        parsers.CURVATURE,
        "Sectional curvature K of the hyperboloid; the paper's tables give -1/K, so "
        "their 3 is -1/3 here. Unused in euclidean geometry.",
    )
    loss_weight: float = _setting(
        1.0,
        parsers.POSITIVE,
        "Factor lambda of the geodesic distance. Unused in euclidean geometry.",
    )
    lift: str = _choice(
        "expmap0",
        LIFTS,
        "From features to the hyperboloid: exponential map at the origin, or "
        "projection along the time axis.",
    )
    max_tangent_norm: float = _setting(
        10.0,
        parsers.NOT_NEGATIVE,
        "Clamp on the exponential map's hyperbolic radius r = sqrt(-K)|v|; 10 is what "
        "the published numbers used, 0 means no clamp.",
    )
    dsa: str = _setting(
        "color_crop_cutout_flip_scale_rotate",
        parsers.NAME,
        "Siamese augmentations joined by _, one of which is drawn per class and "
        "iteration, and per batch in the evaluation; none = no augmentation.",
    )

    image_lr: float = _setting(
        1.0,
        parsers.POSITIVE,
        "Learning rate r of SGD on the images, in normalised pixel units.",
    )
    image_momentum: float = _setting(
        0.5, parsers.PART, "Momentum of SGD on the images."
    )
    iterations: int = _setting(
        20_000,
        parsers.COUNT,
        "Distillation steps; a larger value extends a finished run.",
    )
    real_batch: int = _setting(
        256,
        parsers.COUNT,
        "Real images per class and iteration, at most the class's size.",
    )
    init: str = _setting(
        "real",
        parsers.INIT,
        "Where the synthetic images start: real images, Gaussian noise, or from:DIR, "
        "an earlier set (a run directory or its synthetic/).",
    )
    seed: int = _setting(
        0, parsers.SEED, "Every random number of the run follows from it."
    )
    num_experiments: int = _setting(
        1, parsers.COUNT, "Distillations, with seeds seed, seed + 1, ...; published: 5."
    )

    network: str = _choice("convnet", NETWORKS, "Architecture matched and evaluated.")
    depth: int = _setting(
        3, parsers.COUNT, "Blocks of the ConvNet; each halves the maps."
    )
    width: int = _setting(128, parsers.COUNT, "Channels of every block of the ConvNet.")

    num_eval: int = _setting(
        5,
        parsers.COUNT_OR_ZERO,
        "Fresh networks trained on each exported set; 0: no evaluation.",
    )
    eval_epochs: int = _setting(
        1001, parsers.COUNT, "Epochs each of them trains; 1001 is the DM protocol."
    )
    eval_batch: int = _setting(
        256, parsers.COUNT, "Images per training batch of evaluation."
    )
    eval_lr: float = _setting(
        0.01, parsers.POSITIVE, "Learning rate of evaluation; divided by 10 half-way."
    )
    baselines: tuple[str, ...] = _setting(
        (),
        parsers.BASELINE_NAMES,
        "Also train on coresets of the same number of real images (see --objective) "
        "and on the whole training split (whole).",
    )
    whole_epochs: int = _setting(
        30, parsers.COUNT, "Epochs of the networks trained on the whole training split."
    )
    coreset_epochs: int = _setting(
        30,
        parsers.COUNT,
        "Epochs of the one network, trained on the whole training split, whose "
        "features herding and k_center see and whose training forgetting watches.",
    )
    select: str = _choice(
        "last",
        ("last", "best_validation"),
        "Which images are the result: the last, or those with the best accuracy on "
        "the validation split. The test split never chooses.",
    )

    strategy: str = _choice(
        "auto",
        ("auto", "one_device", "mirrored"),
        "Devices: auto = mirrored over all GPUs or virtual devices where there are "
        "several, else one device.",
        identity=False,
    )
    num_virtual_devices: int = _setting(
        0,
        parsers.COUNT_OR_ZERO,
        "Logical CPU devices to split the CPU into; 0: leave it whole.",
        identity=False,
    )
    max_images_per_forward: int = _setting(
        0,
        parsers.COUNT_OR_ZERO,
        "Images in one forward pass; bounds memory, same result. 0: as many as keep "
        "the first layer's map within 1.25 GiB.",
        identity=False,
    )
    steps_per_call: int = _setting(
        10, parsers.COUNT, "Iterations in one call into TensorFlow.", identity=False
    )

    run_dir: str = _setting(
        "",
        parsers.PATH,
        "Directory of everything the run writes; resumed where it exists. Empty: "
        "runs/<flag file stem>_<objective>_<geometry>_seed<seed>.",
        identity=False,
    )
    checkpoint_every: int = _setting(
        500, parsers.COUNT, "Iterations between checkpoints.", identity=False
    )
    picture_every: int = _setting(
        1000,
        parsers.COUNT_OR_ZERO,
        "Iterations between pictures of the images; 0: only the first and last.",
        identity=False,
    )
    eval_every: int = _setting(
        0,
        parsers.COUNT_OR_ZERO,
        "Iterations between scores on the validation split; 0: only the final score.",
        identity=False,
    )
    log_every: int = _setting(
        10, parsers.COUNT, "Iterations between TensorBoard scalars.", identity=False
    )
    progress: bool = _setting(
        True, parsers.SWITCH, "Show a progress bar.", identity=False
    )
    dry_run: bool = _setting(
        False,
        parsers.SWITCH,
        "Only print time per iteration, memory and bytes to be written.",
        identity=False,
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None or field.default is not None:
                object.__setattr__(self, field.name, _checked(field, value))
        if not self.dataset:
            raise InputError(
                "--dataset is not set: name a data set (digits, fashion_mnist, ...) "
                "or give a flag file, such as --flagfile=flags/quickstart.cfg"
            )
        self._check_coresets()
        choosing = self.select == "best_validation"
        if self.validation_fraction is None:
            object.__setattr__(self, "validation_fraction", 0.1 if choosing else 0.0)
        elif choosing and not self.validation_fraction:
            raise InputError(
                "--select=best_validation has nothing to choose by with "
                "--validation_fraction=0: give a fraction such as 0.1"
            )
        if choosing and not self.eval_every:
            raise InputError(
                "--select=best_validation has only the last images to choose from: "
                "give --eval_every, such as 500"
            )
        if self.eval_every and not self.num_eval:
            raise InputError(
                "--eval_every scores with --num_eval networks: give 1 or more of them"
            )
        if self.eval_every and not self.validation_fraction:
            raise InputError(
                f"--eval_every={self.eval_every} scores on a validation split, never "
                "on the test split: give --validation_fraction, such as 0.1"
            )

    def _check_coresets(self) -> None:
        if self.objective in parsers.CORESETS and self.select != "last":
            raise InputError(
                f"--select={self.select} has one set only to choose from with "
                f"--objective={self.objective}: leave it at last"
            )
        if "forgetting" in (self.objective, *self.baselines) and (
            self.coreset_epochs == 1
        ):
            raise InputError(
                "--coreset_epochs=1 shows each image once, so forgetting has nothing "
                "to count: give 2 or more"
            )


def _checked(field: dataclasses.Field, value: Any) -> Any:
    """Returns `value` as the field's type, through its flag's parser."""
    parser = field.metadata["parser"]
    try:
        # NumPy's scalars are no int or float to absl.
        return parser.parse(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(parsers.refusal(field.name, value, parser)) from error


def _fields() -> tuple[dataclasses.Field, ...]:
    return dataclasses.fields(Config)


def define_flags() -> flags.FlagValues:
    """Returns a fresh set of absl flags, one per field of `Config`."""
    values = flags.FlagValues()
    for field in _fields():
        parser = field.metadata["parser"]
        flags.DEFINE(
            parser,
            field.name,
            field.default,
            field.metadata["help"],
            flag_values=values,
            module_name=__name__,
            # These may stand without a value, and with `no` before their name.
            boolean=parser in (parsers.SWITCH, parsers.BASELINE_NAMES),
        )
    return values


def config_from_flags(values: flags.FlagValues) -> Config:
    """Returns the checked `Config` of parsed flags (see `command_line`)."""
    settings: dict[str, Any] = {f.name: values[f.name].value for f in _fields()}
    return Config(**settings)


def to_json(config: Config) -> dict[str, Any]:
    """Returns every setting as values JSON can carry; `from_json` inverts it."""
    values = dataclasses.asdict(config)
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def from_json(values: Mapping[str, Any]) -> Config:
    """Returns the `Config` of `to_json`'s values; settings left out get defaults.

    Raises:
        InputError: A setting is unknown to this version, or its value is refused.
    """
    unknown = sorted(set(values) - {field.name for field in _fields()})
    if unknown:
        raise InputError(
            f"unknown settings {', '.join(unknown)}: written by another version of "
            "hdd_tf; use that version"
        )
    return Config(**values)


def flag_text(value: Any) -> str:
    """Returns a setting's value as its flag would be given, exact for numbers."""
    if isinstance(value, tuple):
        return ",".join(value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def to_flag_file(config: Config) -> str:
    """Returns the text of a flag file that repeats the run, every value stated."""
    lines = ["# Every setting of one run: python -m hdd_tf.main --flagfile=THIS_FILE"]
    lines += [
        f"--{f.name}={flag_text(getattr(config, f.name))}"
        for f in _fields()
        # A repeated run goes to a directory of its own.
        if f.name not in ("run_dir", "dry_run")
    ]
    return "\n".join(lines) + "\n"


def identity(config: Config) -> dict[str, Any]:
    """Returns the settings that say which run this is, as `to_json` gives them.

    Left out is where and how a run computes, writes and reports: directories,
    devices, memory, progress and cadences.
    """
    values = to_json(config)
    return {f.name: values[f.name] for f in _fields() if f.metadata["identity"]}


def differing_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Names the settings that make `new` another run than `old`.

    Args:
        old: `identity` of the run on disk. A setting its version did not know counts
            as that setting's default.
        new: `identity` of the run asked for. More iterations do not make it another.

    Returns:
        Names in the order of `Config`; empty if `new` continues `old`.
    """
    defaults = to_json(Config(dataset="any"))
    names = [*new, *(name for name in old if name not in new)]

    def differs(name: str) -> bool:
        before, after = old.get(name, defaults.get(name)), new.get(name)
        return after < before if name == _MAY_GROW else after != before

    return [name for name in names if differs(name)]
