"""The traits of D4M, which generates images.

Source of the published values: Su et al., "D4M: Dataset Distillation via Disentangled
Diffusion Model", CVPR 2024, arXiv 2407.15138. They rest on a network that learnt texts
and images from outside, and the program is of ImageNet alone: how CIFAR's students
trained is not published.
"""

from typing import Any

from hdd_tf.methods.dm_idm_dance import DM_SETTINGS
from hdd_tf.methods.traits import (
    PLAIN_AND_HYPERBOLIC,
    Encoder,
    Kind,
    PublishedAs,
    Traits,
)


def _beside(config: Any) -> tuple[str, ...]:
    """Returns random images, and prototypes unless these are the set itself."""
    if int(config.d4m_steps * config.d4m_strength):
        return ("random", "prototypes")
    return ("random",)


D4M = Traits(
    title="D4M",
    summary="prototypes of latents, noised and denoised by a diffusion model",
    kind=Kind.SELECTION,
    build="hdd_tf.selection.d4m.generation:build",
    own_settings=("d4m_",),
    has_geometry=True,
    geometries=PLAIN_AND_HYPERBOLIC,
    formation_factor=1,
    unit_range=False,
    update_per_class=False,
    settings=DM_SETTINGS,
    may_revisit=False,
    evaluation="d4m",
    encoder=Encoder.TRAINED,
    ahead_source="hdd_tf.selection.d4m.generation:teacher_shelf",
    carries=frozenset({"teacher"}),
    beside=_beside,
    normalised_as={},
    whitened=False,
    published={
        "euclidean": {
            "cifar10": (None, (56.2, None), (72.8, None)),
            "cifar100": (None, (45.0, None), (48.8, None)),
        },
    },
    published_as=PublishedAs.SOFT_LABELS,
    not_comparable="published with a diffusion model that learnt outside data",
)
