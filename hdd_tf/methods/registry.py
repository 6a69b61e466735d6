"""The methods by name, in the order of tables and of the help.

A new method is a module in objectives/ or selection/, its traits in a file of this
folder, a line here, and a folder of flag files.
"""

from hdd_tf.methods import (
    cafe,
    coresets,
    d4m,
    dc_dsa_dcc,
    dm_idm_dance,
    dsdm_iid,
    gvbsm,
    m3d_datadam,
    mtt_datm,
    rded,
)
from hdd_tf.methods.traits import AccuracyRow, Traits

# The baselines of DD-Ranking scores: random real images, and the whole training split.
RANDOM, WHOLE = "random", "whole"
# A set scored with its classes as labels, where its evaluation asks a teacher.
HARD_LABELS = "hard_labels"
# Titles of sets that are scored beside a set and are no method's.
BESIDE_TITLES = {"prototypes": "decoded prototypes"}

METHODS: dict[str, Traits] = {
    "dm": dm_idm_dance.DM,
    "idm": dm_idm_dance.IDM,
    "dance": dm_idm_dance.DANCE,
    "m3d": m3d_datadam.M3D,
    "datadam": m3d_datadam.DATADAM,
    "cafe": cafe.CAFE,
    "cafe_dsa": cafe.CAFE_DSA,
    "dc": dc_dsa_dcc.DC,
    "dsa": dc_dsa_dcc.DSA,
    "dcc": dc_dsa_dcc.DCC,
    "dsdm": dsdm_iid.DSDM,
    "iid": dsdm_iid.IID,
    "mtt": mtt_datm.MTT,
    "datm": mtt_datm.DATM,
    "rded": rded.RDED,
    "d4m": d4m.D4M,
    "gvbsm": gvbsm.GVBSM,
    RANDOM: coresets.RANDOM,
    "herding": coresets.HERDING,
    "k_center": coresets.K_CENTER,
    "forgetting": coresets.FORGETTING,
}


def traits_of(name: str) -> Traits | None:
    """Returns the traits of a method; None for a name unknown to this version."""
    return METHODS.get(name)


def baseline_names() -> tuple[str, ...]:
    """Returns the values of `--baselines`: selections and the whole training split."""
    names = (name for name, traits in METHODS.items() if traits.baseline_title)
    return (*names, WHOLE)


def is_distilled(name: str) -> bool:
    """Returns whether a method makes images, where coresets choose real ones.

    Args:
        name: Key of `METHODS`, `WHOLE`, or a method that this version does not know,
            which counts as one that makes images.
    """
    traits = traits_of(name)
    return name not in (WHOLE, HARD_LABELS, *BESIDE_TITLES) and not (
        traits and traits.is_coreset
    )


def geometry_of(name: str, asked: str) -> str:
    """Returns the geometry of a method if the settings name the geometry `asked`."""
    traits = traits_of(name)
    return traits.geometry(asked) if traits else asked


def published_row(name: str, dataset: str, geometry: str) -> AccuracyRow:
    """Returns the published accuracies of a method at `traits.PUBLISHED_IPC`, or fewer.

    Args:
        name: Key of `METHODS`, or any other name.
        dataset: TFDS name of the data set.
        geometry: Geometry of the settings; a method without geometry ignores it.

    Returns:
        Mean and standard deviation in percent for each IPC; empty if none is published.
    """
    traits = traits_of(name)
    if traits is None:
        return ()
    return traits.published.get(traits.geometry(geometry), {}).get(dataset, ())
