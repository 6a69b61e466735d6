"""Every setting of a run: one table that is the flags and the `Config` at once.

Each row of `Config` holds a setting's default, the parser that accepts or refuses a
value, its help with units, and its scope (settings/scope.py), which says whether it is
part of a run's identity. The absl flags are made from those rows, so nothing is written
twice and a value given in Python is checked exactly as one given on the command line.
Whoever needs some of the settings asks for their names by scope: there is no second
list of names.

The flags live in a `flags.FlagValues` made for each parse, not in absl's global one:
importing hdd_tf as a library claims no flag name (`--seed`, `--run_dir`) in the
importing program. Nothing here imports TensorFlow, so `--help` is instant.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from absl import flags

from hdd_tf.errors import InputError
from hdd_tf.methods.registry import METHODS
from hdd_tf.methods.traits import Traits
from hdd_tf.settings import parsers
from hdd_tf.settings.analysis import AnalysisSettings
from hdd_tf.settings.consistency import check_consistency
from hdd_tf.settings.data import DataSettings
from hdd_tf.settings.evaluation import PROTOCOL_RATES, EvaluationSettings
from hdd_tf.settings.geometries import GeometrySettings
from hdd_tf.settings.matching import MatchingSettings
from hdd_tf.settings.networks import NetworkSettings
from hdd_tf.settings.objectives.cafe import CafeSettings
from hdd_tf.settings.objectives.d4m import D4mSettings
from hdd_tf.settings.objectives.dc_dsa_dcc import GradientMatchingSettings
from hdd_tf.settings.objectives.dsdm_iid import DsdmSettings, IidSettings
from hdd_tf.settings.objectives.gvbsm import GvbsmSettings
from hdd_tf.settings.objectives.idm_dance import DanceSettings, IdmSettings
from hdd_tf.settings.objectives.m3d_datadam import DatadamSettings, M3dSettings
from hdd_tf.settings.objectives.mtt_datm import TrajectorySettings
from hdd_tf.settings.objectives.rded import RdedSettings
from hdd_tf.settings.optimisation import OptimisationSettings
from hdd_tf.settings.row import Row, row_of
from hdd_tf.settings.running import DeviceSettings, OutputSettings
from hdd_tf.settings.scope import Scope

# Stands before a line of a flag file whose value may look like a mistake.
EXACT = "# The next value is exact:"
# Spaces may be within a path or before a comment, and quotes around a value.
_ODD = re.compile(r"\s|^([\"']).*\1$", re.DOTALL)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(
    # Dataclasses collect fields from the last base to the first.
    OutputSettings,
    DeviceSettings,
    AnalysisSettings,
    EvaluationSettings,
    NetworkSettings,
    TrajectorySettings,
    GvbsmSettings,
    D4mSettings,
    RdedSettings,
    IidSettings,
    DsdmSettings,
    GradientMatchingSettings,
    CafeSettings,
    DatadamSettings,
    M3dSettings,
    DanceSettings,
    IdmSettings,
    OptimisationSettings,
    GeometrySettings,
    MatchingSettings,
    DataSettings,
):
    """All settings of one run; field names are flag names.

    Values are checked and brought to their type (`curvature="-1/3"` works).

    Raises:
        InputError: A value is refused, or two of them contradict each other.
    """

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
        traits = self.traits
        for name, value in traits.settings.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        for name, value in traits.network_life(self.ipc).items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if traits.rate_falls and not self.image_lr_period:
            object.__setattr__(self, "image_lr_period", self.iterations)
        # Real images are whole, whatever a distillation's flag file says.
        if traits.is_selection or self.formation_factor is None:
            object.__setattr__(self, "formation_factor", traits.formation_factor)
        if self.eval_lr is None:
            name = self.eval_protocol
            name = traits.evaluation if name == "auto" else name
            object.__setattr__(self, "eval_lr", PROTOCOL_RATES.get(name, 0.01))
        if self.validation_fraction is None:
            choosing = self.select == "best_validation"
            object.__setattr__(self, "validation_fraction", 0.1 if choosing else 0.0)
        if self.zca is None:
            object.__setattr__(self, "zca", traits.whitened)
        check_consistency(self)

    @property
    def traits(self) -> Traits:
        """What is known of the method that `objective` names."""
        return METHODS[self.objective]

    def network_title(self) -> str:
        """Returns what `--network` is, in words; widths and depths show in shapes."""
        return " ".join([self.network, self.norm, self.activation, self.pooling])


def _checked(field: dataclasses.Field, value: Any) -> Any:
    """Returns `value` as the field's type, through its flag's parser."""
    parser = row_of(field).parser
    try:
        # NumPy's scalars are no int or float to absl.
        return parser.parse(value.item() if hasattr(value, "item") else value)
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise InputError(parsers.refusal(field.name, value, parser)) from error


def _fields() -> tuple[dataclasses.Field, ...]:
    return dataclasses.fields(Config)


def rows() -> dict[str, Row]:
    """Returns the row of every setting by its name, in the order of the help."""
    return {field.name: row_of(field) for field in _fields()}


def names_of(*scopes: Scope) -> tuple[str, ...]:
    """Returns the names of the settings of some scopes, in the order of the help."""
    return tuple(name for name, row in rows().items() if row.scope in scopes)


def headings() -> dict[str, str]:
    """Returns the heading of each group in the help, by the group's first setting."""
    return {
        dataclasses.fields(group)[0].name: vars(group)["HEADING"]
        for group in reversed(Config.__mro__)
        if "HEADING" in vars(group)
    }


def define_flags() -> flags.FlagValues:
    """Returns a fresh set of absl flags, one per field of `Config`."""
    values = flags.FlagValues()
    for field in _fields():
        row = row_of(field)
        flags.DEFINE(
            row.parser,
            field.name,
            field.default,
            row.help,
            flag_values=values,
            module_name=__name__,
            # These may stand without a value, and with `no` before their name.
            boolean=row.parser in (parsers.SWITCH, parsers.BASELINE_NAMES),
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
    if "dataset" not in values:
        raise InputError(
            "the settings name no data set: they are damaged, or not of hdd_tf"
        )
    unknown = sorted(set(values) - {field.name for field in _fields()})
    if unknown:
        raise InputError(
            f"unknown settings {', '.join(unknown)[:200]}: written by another version "
            "of hdd_tf; use that version"
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
    for name, row in rows().items():
        # A repeated run goes to a directory of its own.
        if row.scope is not Scope.START:
            text = flag_text(getattr(config, name))
            lines += [EXACT] * bool(_ODD.search(text)) + [f"--{name}={text}"]
    return "\n".join(lines) + "\n"


def identity(config: Config) -> dict[str, Any]:
    """Returns the settings that say which run this is, as `to_json` gives them.

    Left out is where and how a run computes, writes and reports: directories,
    devices, memory, progress and cadences.
    """
    values = to_json(config)
    return {name: values[name] for name, row in rows().items() if row.scope.is_identity}


def cadences(config: Config) -> tuple[int, ...]:
    """Returns every how many iterations something needs the images; 0: never."""
    return tuple(
        getattr(config, name) for name, row in rows().items() if row.is_cadence
    )


def differing_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Names the settings that make `new` another run than `old`.

    Args:
        old: `identity` of the run on disk. A setting its version did not know counts
            as the value that all its runs had.
        new: `identity` of the run asked for. More iterations do not make it another.

    Returns:
        Names in the order of `Config`; empty if `new` continues `old`.
    """
    defaults = to_json(Config(dataset="any"))
    defaults |= {n: row.before for n, row in rows().items() if row.before is not None}
    names = [*new, *(name for name in old if name not in new)]
    may_grow = names_of(Scope.MAY_GROW)

    def differs(name: str) -> bool:
        before, after = old.get(name, defaults.get(name)), new.get(name)
        return after < before if name in may_grow else after != before

    return [name for name in names if differs(name)]
