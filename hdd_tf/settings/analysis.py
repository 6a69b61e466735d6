"""Settings of the analysis: pictures, embeddings and the exported encoder."""

import dataclasses

from hdd_tf.settings import parsers
from hdd_tf.settings.row import setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnalysisSettings:
    """How real and synthetic images are looked at; nothing of it changes the images."""

    analysis: bool = setting(
        True,
        parsers.SWITCH,
        "Embed real and synthetic images in hyperbolic space with a trained encoder, "
        "and write it (saved_model/), pictures, projector and analysis.json.",
        identity=False,
    )
    encoder_epochs: int = setting(
        5,
        parsers.COUNT,
        "Epochs that the encoder trains on the real training split, with dm and "
        "coresets; kept in --expert_dir. idm takes its queue's oldest network, dance "
        "an expert.",
        identity=False,
    )
    analysis_curvature: float = setting(
        0.0,
        parsers.CURVATURE_OR_ZERO,
        "Curvature of the analysis, apart from the one that is matched in. 0: such "
        "that the real images' median radius is 2.",
        identity=False,
    )
    analysis_max_tangent_norm: float = setting(
        0.0,
        parsers.NOT_NEGATIVE,
        "Clamp on the radius in the analysis; 0 means none. The published clamp of 10 "
        "is below every radius there, so nothing would be left to see.",
        identity=False,
    )
    analysis_images: int = setting(
        1000,
        parsers.COUNT,
        "Most real images that are embedded, the same number of each class, and most "
        "synthetic ones.",
        identity=False,
    )
    analysis_every: int = setting(
        0,
        parsers.COUNT_OR_ZERO,
        "Iterations between analyses during the run; 0: only the final one.",
        identity=False,
    )
