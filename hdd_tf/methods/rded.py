"""The traits of RDED, which stitches crops of real images.

Source: Sun et al., "On the Diversity and Realism of Distilled Dataset: An Efficient
Dataset Distillation Paradigm", CVPR 2024, arXiv 2312.03526, the columns of the ConvNet.
Its numbers are of soft labels, and the best of six looks at the test split; neither
standard deviations nor repetitions are known of them.
"""

from hdd_tf.methods.dm_idm_dance import DM_SETTINGS
from hdd_tf.methods.traits import Budget, Encoder, Kind, PublishedAs, Traits

# Its program normalises everything by ImageNet's constants, which ImageWoof has.
_AS_IMAGENET = {name: "imagewoof" for name in ("cifar10", "cifar100", "svhn_cropped")}


def _budget(dataset: str, ipc: int, geometry: str) -> Budget:
    return Budget(None, None, 300, None, None)


RDED = Traits(
    title="RDED",
    summary="stitched crops of real images that a trained network is surest of, and "
    "its labels",
    kind=Kind.SELECTION,
    build="hdd_tf.selection.rded.method:build",
    own_settings=("rded_",),
    has_geometry=False,
    formation_factor=1,
    unit_range=False,
    update_per_class=False,
    settings=DM_SETTINGS,
    may_revisit=False,
    evaluation="rded",
    encoder=Encoder.TRAINED,
    ahead_source="hdd_tf.selection.rded.observer:observer_shelf",
    normalised_as=_AS_IMAGENET,
    whitened=False,
    carries=frozenset({"teacher"}),
    published={
        "none": {
            "cifar10": ((23.5, None), (50.2, None), (68.4, None)),
            "cifar100": ((19.6, None), (48.1, None), (57.0, None)),
            "imagewoof": ((18.5, None), (40.6, None)),
        },
    },
    published_as=PublishedAs.SOFT_LABELS | PublishedAs.BEST_ON_TEST,
    published_network="convnet_batch",
    budget=_budget,
)
