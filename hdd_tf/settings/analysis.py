"""Settings of the analysis: pictures, embeddings and the exported encoder."""

import dataclasses
from typing import ClassVar

from hdd_tf.settings import parsers
from hdd_tf.settings.row import setting
from hdd_tf.settings.scope import Scope


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnalysisSettings:
    """How real and synthetic images are looked at; nothing of it changes the images."""

    HEADING: ClassVar = "Pictures and embeddings"

    analysis: bool = setting(
        True,
        parsers.SWITCH,
        "Embed real and synthetic images in hyperbolic space with a trained encoder, "
        "and write it (saved_model/), pictures, projector and analysis.json.",
        Scope.LOGGING,
    )
    encoder_epochs: int = setting(
        5,
        parsers.FEW,
        "Epochs that the encoder trains on the real training split, with dm and "
        "coresets; kept in --expert_dir. idm takes its pool's oldest network, dance "
        "an expert.",
        Scope.ANALYSIS,
    )
    analysis_curvature: float = setting(
        0.0,
        parsers.CURVATURE_OR_ZERO,
        "Curvature of the analysis, apart from the one that is matched in. 0: such "
        "that the real images' median radius is 2.",
        Scope.ANALYSIS,
    )
    analysis_max_tangent_norm: float = setting(
        0.0,
        parsers.NOT_NEGATIVE,
        "Clamp on the radius in the analysis; 0 means none. The published clamp of 10 "
        "is below every radius there, so nothing would be left to see.",
        Scope.ANALYSIS,
    )
    analysis_images: int = setting(
        1000,
        parsers.COUNT,
        "Most real images that are embedded, the same number of each class, and most "
        "synthetic ones.",
        Scope.ANALYSIS,
    )
    analysis_every: int = setting(
        0,
        parsers.COUNT_OR_ZERO,
        "Iterations between analyses during the run; 0: only the final one.",
        Scope.LOGGING,
        is_cadence=True,
    )
