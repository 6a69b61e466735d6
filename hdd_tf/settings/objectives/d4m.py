"""Settings of D4M: its diffusion model, its prototypes and its teacher."""

import dataclasses
from typing import ClassVar

from hdd_tf.settings import parsers
from hdd_tf.settings.row import setting
from hdd_tf.settings.scope import Scope


@dataclasses.dataclass(frozen=True, kw_only=True)
class D4mSettings:
    """Constants of D4M."""

    HEADING: ClassVar = "D4M's diffusion model, prototypes and teacher"

    d4m_model: str = setting(
        "",
        parsers.MODEL,
        "Name or directory of a Stable Diffusion 3 of keras-hub, which the extra "
        "hdd-tf[hub] installs. Empty: a small diffusion model that learns the "
        "training split alone and is kept in --expert_dir.",
        Scope.MATCHING,
    )
    d4m_model_size: int = setting(
        512,
        parsers.MODEL_SIDE,
        "Height and width of the images that --d4m_model sees and makes, in pixels.",
        Scope.MATCHING,
    )
    d4m_strength: float = setting(
        0.7,
        parsers.SHARE,
        "How far a prototype is noised before it is denoised, from 0 (the decoded "
        "prototypes) to 1.",
        Scope.MATCHING,
    )
    d4m_guidance: float = setting(
        2.0,
        parsers.NOT_NEGATIVE,
        "Guidance: how far each step of denoising follows the class. 0: not at all; "
        "1: as far as the model does by itself. Published with a model of texts: 8.",
        Scope.MATCHING,
    )
    d4m_steps: int = setting(
        50,
        parsers.DIFFUSION_STEPS,
        "Steps of a whole sampling, of which --d4m_strength takes the last part.",
        Scope.MATCHING,
    )
    d4m_chunk: int = setting(
        1,
        parsers.FEW,
        "Latents of a class, as a multiple of --ipc, that k-means learns at once. "
        "Unused in hyperbolic geometry.",
        Scope.MATCHING,
        geometries=("euclidean",),
    )
    d4m_width: int = setting(
        64,
        parsers.GROUPED_CHANNELS,
        "Channels of the first maps of the diffusion model's U-Net.",
        Scope.MATCHING,
    )
    d4m_updates: int = setting(
        20_000,
        parsers.FEW,
        "Updates of the U-Net's training.",
        Scope.MATCHING,
    )
    d4m_autoencoder_width: int = setting(
        64,
        parsers.GROUPED_CHANNELS,
        "Channels of the first maps of the diffusion model's autoencoder, which images "
        "of at most 16x16 do without.",
        Scope.MATCHING,
    )
    d4m_autoencoder_epochs: int = setting(
        30,
        parsers.FEW,
        "Epochs that the autoencoder trains.",
        Scope.MATCHING,
    )
    d4m_batch: int = setting(
        128,
        parsers.COUNT,
        "Images per training batch of autoencoder and U-Net.",
        Scope.MATCHING,
    )
    d4m_teacher_epochs: int = setting(
        200,
        parsers.FEW,
        "Epochs that the network of --network trains on the real images, to label "
        "each batch of the evaluation; kept in --expert_dir.",
        Scope.MATCHING,
    )
    d4m_teacher_batch: int = setting(
        512,
        parsers.COUNT,
        "Images per training batch of the teacher.",
        Scope.MATCHING,
    )
