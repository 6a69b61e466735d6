"""The traits of G-VBSM, which matches statistics of a pool of trained networks.

Source of the published values: Shao et al., "Generalized Large-Scale Data Condensation
via Various Backbone and Statistical Matching", CVPR 2024, arXiv 2311.17950, table 5,
row GV-BSM, scored on the ConvNet of width 128. Settings are those of its program
(shaoshitong/G_VBSM_Dataset_Condensation at 1ed80b0).
"""

from hdd_tf.methods.traits import Budget, Encoder, Kind, PublishedAs, Traits

GVBSM = Traits(
    title="G-VBSM",
    summary="statistics of several trained networks, from noise, with soft labels",
    kind=Kind.WHOLE_SET,
    build="hdd_tf.objectives.gvbsm.method:build",
    own_settings=("gvbsm_", "image_lr_period"),
    has_geometry=False,
    formation_factor=1,
    unit_range=False,
    clips_normalised=True,
    update_per_class=False,
    # No iteration looks at real images, and the augmentation is the method's own.
    settings={
        "image_lr": 0.05,
        "iterations": 4000,
        "real_batch": 64,
        "init": "noise",
        "dsa": "none",
    },
    may_revisit=False,
    evaluation="gvbsm",
    encoder=Encoder.TRAINED,
    ahead_source="hdd_tf.objectives.gvbsm.pool:pool_shelves",
    carries=frozenset({"epochs", "teacher"}),
    rate_falls=True,
    normalised_as={"cifar10": "cifar100"},
    whitened=False,
    plain_image_lr=lambda dataset, ipc: 0.05,
    published_as=PublishedAs.SOFT_LABELS,
    published={
        "none": {
            "cifar10": (None, (46.5, 0.7), (54.3, 0.3)),
            "cifar100": ((16.4, 0.7), (38.7, 0.2), (45.7, 0.4)),
        }
    },
    budget=lambda dataset, ipc, geometry: Budget(4000, 64, 1000, None, None),
)
