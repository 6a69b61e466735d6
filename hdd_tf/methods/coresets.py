"""The traits of the coresets, which choose real images.

Source of the published values: Li et al., "Hyperbolic Dataset Distillation", NeurIPS
2025, arXiv 2505.24623, whose tables compare with the coresets.
"""

from hdd_tf.methods.dm_idm_dance import DM_SETTINGS
from hdd_tf.methods.traits import AccuracyRow, Encoder, Kind, Traits


def _coreset(
    title: str,
    baseline_title: str,
    summary: str,
    function: str,
    published: dict[str, AccuracyRow],
    *,
    trains_network: bool,
    least_epochs: int = 1,
) -> Traits:
    """Returns the traits of a coreset: those that all coresets share, and its own."""
    return Traits(
        title=title,
        summary=summary,
        kind=Kind.SELECTION,
        build=f"hdd_tf.selection.coresets:{function}",
        has_geometry=False,
        formation_factor=1,
        unit_range=False,
        update_per_class=False,
        settings=DM_SETTINGS,
        may_revisit=False,
        evaluation="dm",
        encoder=Encoder.TRAINED,
        normalised_as={},
        whitened=False,
        baseline_title=baseline_title,
        trains_network=trains_network,
        least_epochs=least_epochs,
        published={"none": published},
    )


RANDOM = _coreset(
    "random real images",
    "random real images",
    "any",
    "build_random",
    {
        "fashion_mnist": ((51.4, 3.8), (73.8, 0.7), (82.5, 0.7)),
        "svhn_cropped": ((14.6, 1.6), (35.1, 4.1), (70.9, 0.9)),
        "cifar10": ((14.4, 2.0), (26.0, 1.2), (43.4, 1.0)),
        "cifar100": ((4.2, 0.3), (14.6, 0.5), (30.0, 0.4)),
    },
    trains_network=False,
)

HERDING = _coreset(
    "herding",
    "herding coreset",
    "features whose mean follows the class's",
    "build_herding",
    {
        "fashion_mnist": ((67.0, 1.9), (71.1, 0.7), (71.9, 0.8)),
        "svhn_cropped": ((20.9, 1.3), (50.5, 3.3), (72.6, 0.8)),
        "cifar10": ((21.5, 1.2), (31.6, 0.7), (40.4, 0.6)),
        "cifar100": ((8.4, 0.3), (17.3, 0.3), (33.7, 0.5)),
    },
    trains_network=True,
)

K_CENTER = _coreset(
    "K-Center",
    "k-center coreset",
    "features that leave none far from a chosen one",
    "build_k_center",
    {
        "fashion_mnist": ((66.9, 1.8), (54.7, 1.5), (68.3, 0.8)),
        "svhn_cropped": ((21.0, 1.5), (14.0, 1.3), (20.1, 1.4)),
        "cifar10": ((21.5, 1.3), (14.7, 0.7), (27.0, 1.4)),
        "cifar100": ((8.3, 0.3), (7.1, 0.2), (30.5, 0.3)),
    },
    trains_network=True,
)

FORGETTING = _coreset(
    "forgetting",
    "forgetting coreset",
    "those most often forgotten in training",
    "build_forgetting",
    {
        # The source does not report FashionMNIST.
        "svhn_cropped": ((12.1, 5.6), (16.8, 1.2), (27.2, 1.5)),
        "cifar10": ((13.5, 1.5), (23.3, 1.0), (23.3, 1.1)),
        "cifar100": ((4.5, 0.3), (15.1, 0.2), (30.5, 0.3)),
    },
    trains_network=True,
    # A forgetting event needs two visits of an image.
    least_epochs=2,
)
