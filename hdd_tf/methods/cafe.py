"""The traits of CAFE and CAFE+DSA, which align features and discriminate real images.

Sources of the published values: Wang et al., "CAFE: Learning to Condense Dataset by
Aligning Features", CVPR 2022, arXiv 2203.01531, whose tables give means alone. The
standard deviations of CAFE+DSA on CIFAR are of the poster of Sajedi et al., "DataDAM",
ICCV 2023, which lists CAFE+DSA as CAFE. Settings and evaluation are those of the
authors' program; it releases the command of CIFAR-10 with 10 images per class alone.
"""

from hdd_tf.methods.dm_idm_dance import CIFAR10_FOR_BOTH
from hdd_tf.methods.traits import (
    FULL_DSA,
    PLAIN_AND_HYPERBOLIC,
    AccuracyRow,
    Budget,
    Encoder,
    Kind,
    Traits,
)


def _cafe(
    title: str,
    summary: str,
    dsa: str,
    evaluation: str,
    epochs: int,
    published: dict[str, AccuracyRow],
) -> Traits:
    """Returns the traits that both forms share, and the own ones of a form."""
    return Traits(
        title=title,
        summary=summary,
        kind=Kind.WHOLE_SET,
        build="hdd_tf.objectives.cafe.method:build",
        own_settings=("cafe_",),
        has_geometry=True,
        geometries=PLAIN_AND_HYPERBOLIC,
        formation_factor=1,
        unit_range=False,
        update_per_class=False,
        # An iteration is a network.
        settings={
            "image_lr": 0.1,
            "iterations": 2001,
            "real_batch": 256,
            "init": "noise",
            "dsa": dsa,
        },
        may_revisit=False,
        evaluation=evaluation,
        encoder=Encoder.TRAINED,
        normalised_as=CIFAR10_FOR_BOTH,
        whitened=False,
        plain_image_lr=lambda dataset, ipc: 0.1,
        published={"euclidean": published},
        budget=lambda dataset, ipc, geometry: Budget(2001, 256, epochs, 1, 20),
    )


CAFE = _cafe(
    "CAFE",
    "layers of networks that train on the set, with discrimination of real images",
    "none",
    "cafe",
    601,
    {
        "fashion_mnist": ((77.1, None), (83.0, None), (84.8, None)),
        "svhn_cropped": ((42.6, None), (75.9, None), (81.3, None)),
        "cifar10": ((30.3, None), (46.3, None), (55.5, None)),
        "cifar100": ((12.9, None), (27.8, None), (37.9, None)),
    },
)

CAFE_DSA = _cafe(
    "CAFE+DSA",
    "the same, augmented",
    FULL_DSA,
    "dm",
    1001,
    {
        "fashion_mnist": ((73.7, None), (83.0, None), (88.2, None)),
        "svhn_cropped": ((42.9, None), (77.9, None), (82.3, None)),
        "cifar10": ((31.6, 0.8), (50.9, 0.5), (62.3, 0.4)),
        "cifar100": ((14.0, 0.3), (31.5, 0.2), (42.9, 0.2)),
    },
)
