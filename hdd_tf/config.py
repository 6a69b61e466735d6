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

OBJECTIVES = ("dm", "idm", "dance")
GEOMETRIES = ("hyperbolic", "euclidean")
LIFTS = ("expmap0", "project")
NETWORKS = (
    "convnet",
    "convnet_batch",
    "mlp",
    "lenet",
    "alexnet",
    "vgg11",
    "vgg11_batch",
    "resnet10",
    "resnet10_batch",
    "resnet18",
    "resnet18_batch",
)
NORMS = ("instance", "batch", "layer", "group", "none")
ACTIVATIONS = ("relu", "leaky_relu", "sigmoid")
POOLINGS = ("average", "max", "none")
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
        parsers.DATA_SET,
        "Data set to distil: digits (embedded), fashion_mnist, svhn_cropped, cifar10, "
        "cifar100, tiny_imagenet, imagewoof, any TFDS image classification set, or "
        "folder:DIR with a folder of images for each class (and, above them, train/, "
        "validation/ and test/ where the images are split already). Required.",
    )
    data_dir: str = _setting(
        "",
        parsers.PATH,
        "Directory of prepared TFDS data sets, or where tiny_imagenet or imagewoof is "
        "unpacked; empty: TFDS's own default.",
        identity=False,
    )
    image_size: str = _setting(
        "",
        parsers.IMAGE_SIZE,
        "Size in pixels that images are brought to: scaled until they just cover it, "
        "then the centre is cut out. Empty: their own, which must be one for all.",
    )
    classes: tuple[str, ...] = _setting(
        (),
        parsers.CLASSES,
        "Classes to keep, by index in the data set or by name; they are numbered anew "
        "in the order of the data set. Empty: all.",
    )
    ipc: int = _setting(10, parsers.COUNT, "Synthetic images per class.")
    validation_fraction: float = _setting(
        None,
        parsers.PART,
        "Part of the training split held out, stratified by class, for choosing "
        "between results; unset: 0 with --select=last, 0.1 with best_validation. A "
        "folder with validation/ and test/ uses those and holds out nothing.",
    )

    objective: str = _choice(
        "dm",
        (*OBJECTIVES, *parsers.CORESETS),
        "What is matched: dm = DM, features of random networks; idm = IDM, of a queue "
        "of semi-trained ones, with cross-entropy; dance = DANCE, of encoders between "
        "an expert's start and end, with calibration by the expert. Or a coreset, real "
        "images chosen without any distillation: random; herding = features whose mean "
        "follows the class's; k_center = features that leave none far from a chosen "
        "one; forgetting = those most often forgotten in training. Settings of "
        "matching and optimisation are unused then.",
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

    formation_factor: int = _setting(
        None,
        parsers.COUNT,
        "A stored image is a grid of factor x factor training images (IDM's partition, "
        "DANCE's multi-formation). Unset: 1 with dm, 2 with idm and dance.",
    )

    image_lr: float = _setting(
        1.0,
        parsers.POSITIVE,
        "Learning rate r of SGD on the images, in normalised pixel units (in units of "
        "the 0-1 scale with dance).",
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
        "Where the synthetic images start: real images (with --formation_factor one "
        "in each cell, shrunk bilinearly), mix (shrunk to the nearest pixel), Gaussian "
        "noise, or from:DIR, an earlier set (a run directory or its synthetic/).",
    )
    seed: int = _setting(
        0, parsers.SEED, "Every random number of the run follows from it."
    )
    num_experiments: int = _setting(
        1, parsers.COUNT, "Distillations, with seeds seed, seed + 1, ...; published: 5."
    )

    idm_pool_start: int = _setting(
        3, parsers.COUNT, "Networks in IDM's queue before the first iteration."
    )
    idm_pool_size: int = _setting(
        100, parsers.COUNT, "Most networks in the queue; beyond, the oldest leaves."
    )
    idm_join_every: int = _setting(
        30, parsers.COUNT, "Iterations until a fresh network joins the queue."
    )
    idm_reset_every: int = _setting(
        100,
        parsers.COUNT,
        "Iterations until the networks' running training accuracies start anew.",
    )
    idm_train_networks: int = _setting(
        2, parsers.COUNT_OR_ZERO, "Networks of the queue that train each iteration."
    )
    idm_train_steps: int = _setting(
        10, parsers.COUNT, "Updates of each of them, on batches of real images."
    )
    idm_train_batch: int = _setting(
        256, parsers.COUNT, "Real images of such a batch, of all classes."
    )
    idm_train_lr: float = _setting(
        0.01, parsers.POSITIVE, "Learning rate of the networks in the queue."
    )
    idm_cross_entropy_weight: float = _setting(
        0.5,
        parsers.NOT_NEGATIVE,
        "Factor w of the synthetic images' cross-entropy, which counts w x the "
        "matching network's running accuracy in percent.",
    )

    num_experts: int = _setting(
        5, parsers.COUNT, "Networks that DANCE trains on the real images beforehand."
    )
    pretrain_epochs: int = _setting(60, parsers.COUNT, "Epochs each of them trains.")
    pretrain_batch: int = _setting(
        64, parsers.COUNT, "Images per training batch of the experts."
    )
    expert_seed: int = _setting(
        0,
        parsers.SEED,
        "Experts are functions of it and not of --seed, so that several seeds share "
        "them.",
    )
    expert_dir: str = _setting(
        "runs/experts",
        parsers.PATH,
        "Where experts are kept; runs that would train the same ones share them.",
        identity=False,
    )
    dance_max_decoded: int = _setting(
        200,
        parsers.COUNT_OR_ZERO,
        "Most synthetic images of a class, after --formation_factor, in one DANCE "
        "iteration; beyond, a random part of them. 0: all.",
    )

    network: str = _choice(
        "convnet",
        NETWORKS,
        "Architecture matched and evaluated. Those with batch norm can only be "
        "evaluated.",
    )
    depth: int = _setting(
        3, parsers.COUNT, "Blocks of the ConvNet; each halves the maps."
    )
    width: int = _setting(128, parsers.COUNT, "Channels of every block of the ConvNet.")
    norm: str = _choice(
        "instance",
        NORMS,
        "Norm of ConvNet, VGG and ResNet (a name ending in _batch has batch norm "
        "whatever is said here); group = 4 groups.",
    )
    activation: str = _choice(
        "relu", ACTIVATIONS, "Activation of the ConvNet; leaky_relu has slope 0.01."
    )
    pooling: str = _choice(
        "average", POOLINGS, "Pooling that ends every block of the ConvNet, 2x2."
    )

    num_eval: int = _setting(
        5,
        parsers.COUNT_OR_ZERO,
        "Fresh networks trained on each exported set; 0: no evaluation.",
    )
    eval_networks: tuple[str, ...] = _setting(
        (),
        parsers.network_names(NETWORKS),
        "Architectures evaluated, a row each; none: the one of --network. A "
        "module:function is an own one, (image_shape, num_classes) -> keras.Model "
        "with logits. The first is also that of baselines and validation scores.",
    )
    eval_protocol: str = _choice(
        "auto",
        ("auto", "dm", "dance"),
        "How they train: dm = DM's and IDM's protocol, dance = DANCE's with CutMix; "
        "auto = that of the objective.",
    )
    eval_epochs: int = _setting(
        0,
        parsers.COUNT_OR_ZERO,
        "Epochs each of them trains. 0: as published for CIFAR, 1001 in the dm "
        "protocol and 1500 in dance's.",
    )
    eval_batch: int = _setting(
        0,
        parsers.COUNT_OR_ZERO,
        "Images per training batch of evaluation. 0: as published, 256 in the dm "
        "protocol and 64 in dance's.",
    )
    eval_dsa: str = _setting(
        "auto",
        parsers.NAME,
        "Augmentations of evaluation. auto: as --dsa in the dm protocol, "
        "color_crop_flip_scale_rotate in dance's, without flip for digits.",
    )
    eval_lr: float = _setting(
        0.01, parsers.POSITIVE, "Learning rate of evaluation, before it drops."
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
    best_on_test: bool = _setting(
        False,
        parsers.SWITCH,
        "Also tell, in an extra line, which of the sets that --eval_every scored is "
        "best on the test split. Other programs report that; it is no honest result.",
        identity=False,
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
        if self.formation_factor is None:
            factor = 2 if self.objective in ("idm", "dance") else 1
            object.__setattr__(self, "formation_factor", factor)
        self._check_pool()
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
        if self.best_on_test and not self.eval_every:
            raise InputError(
                "--best_on_test has nothing to compare without --eval_every: give it, "
                "such as 500"
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

    def _check_pool(self) -> None:
        if self.idm_pool_size <= self.idm_pool_start:
            raise InputError(
                f"--idm_pool_size={self.idm_pool_size} has no place for a network to "
                f"join the --idm_pool_start={self.idm_pool_start}: give a larger one"
            )
        if self.idm_train_networks > self.idm_pool_start + 1:
            raise InputError(
                f"--idm_train_networks={self.idm_train_networks} is more than the "
                "queue holds at first: at most --idm_pool_start + 1"
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
