"""The published protocols of evaluation by name."""

import dataclasses
from collections.abc import Callable
from typing import Any

from hdd_tf.augment import dsa
from hdd_tf.data.catalogue import HANDEDNESS_MATTERS
from hdd_tf.errors import InputError
from hdd_tf.methods.registry import HARD_LABELS
from hdd_tf.protocols import rded, soft_labels
from hdd_tf.protocols.label_sources import LABEL_NAMES
from hdd_tf.protocols.training_protocol import TrainingProtocol

# (config, name of the data set without aliases, epochs or None) -> protocol. If the
# epochs are None, `--eval_epochs` or the published number apply.
Builder = Callable[[Any, str, int | None], TrainingProtocol]


def protocol_name(config: Any) -> str:
    """Returns a key of `PROTOCOLS`: `--eval_protocol`, or for `auto` the method's."""
    if config.eval_protocol != "auto":
        return config.eval_protocol
    return config.traits.evaluation


def evaluation_protocol(
    config: Any, dataset: str, epochs: int | None = None
) -> TrainingProtocol:
    """Returns the protocol of the networks that evaluate a set.

    Args:
        config: The run's `Config`, of which `eval_*`, `dsa` and `traits` are used.
        dataset: Name of the data set, without aliases.
        epochs: Number of epochs that replaces `--eval_epochs`; None for the flag's.
    """
    return PROTOCOLS[protocol_name(config)](config, dataset, epochs)


def sets_beside(config: Any) -> tuple[str, ...]:
    """Returns the names of the sets that are scored beside a set.

    They are `--baselines`, what the method always has beside it, and the set itself
    with its classes as labels if students learn a teacher's labels otherwise: what the
    images are worth, and not the teacher.

    Args:
        config: The run's `Config`.
    """
    always = config.traits.beside(config) if config.traits.beside else ()
    names = tuple(dict.fromkeys((*config.baselines, *always)))
    if evaluation_protocol(config, config.dataset).asks_teacher:
        return (*names, HARD_LABELS)
    return names


def check_labels(config: Any) -> None:
    """Checks that a method's sets will have the labels that their evaluation needs.

    Args:
        config: The run's `Config`.

    Raises:
        InputError: they will lack the labels of `--eval_protocol`.
    """
    if not config.num_eval:
        return
    labels = evaluation_protocol(config, config.dataset).labels
    if labels != "hard" and labels not in config.traits.carries:
        raise InputError(
            f"--eval_protocol={config.eval_protocol} trains networks on soft labels "
            f"({LABEL_NAMES[labels]}), and sets of --objective={config.objective} have "
            "none: leave it at auto"
        )


def dm_protocol(
    epochs: int, batch_size: int, learning_rate: float, dsa_strategy: str
) -> TrainingProtocol:
    """Returns the protocol of DM and IDM (Zhao & Bilen's released program).

    Just past the middle of the training (after epoch 502 of 1,001), the rate drops to a
    tenth and the optimiser starts afresh.

    Args:
        epochs: Number of epochs; published 1,001.
        batch_size: Images per update; published 256.
        learning_rate: Initial learning rate; published 0.01.
        dsa_strategy: Transformations joined by underscores, or `none`.

    Returns:
        The protocol.

    Raises:
        InputError: a transformation is unknown or named twice.
    """
    return TrainingProtocol(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        drop_epochs=((epochs - 1) // 2 + 2,),
        augmentations=dsa.parse_strategy(dsa_strategy),
    )


def dance_protocol(
    epochs: int, batch_size: int, learning_rate: float, dsa_strategy: str
) -> TrainingProtocol:
    """Returns the evaluation protocol of DANCE, which is that of IDC.

    Args:
        epochs: Number of epochs; published 1,500 for CIFAR.
        batch_size: Images per update; published 64.
        learning_rate: Initial learning rate; published 0.01.
        dsa_strategy: Transformations joined by underscores, or `none`. If named, flip,
            color and cutout are always applied; each batch gets one of the others.

    Returns:
        The protocol.

    Raises:
        InputError: a transformation is unknown or named twice.
    """
    choice = dsa.dance_choice(dsa.parse_strategy(dsa_strategy))
    return TrainingProtocol(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        drop_epochs=_two_thirds_and_five_sixths(epochs),
        drop_factor=0.2,
        reset_velocity=False,
        always=choice.always,
        augmentations=choice.one_of,
        cutmix=0.5,
    )


def _two_thirds_and_five_sixths(epochs: int) -> tuple[int, ...]:
    return (2 * epochs // 3, 5 * epochs // 6)


def _dm_of_settings(config: Any, dataset: str, epochs: int | None) -> TrainingProtocol:
    del dataset
    strategy = config.dsa if config.eval_dsa == "auto" else config.eval_dsa
    return dm_protocol(
        epochs or config.eval_epochs or 1001,
        config.eval_batch or 256,
        config.eval_lr,
        strategy,
    )


def _dc_of_settings(config: Any, dataset: str, epochs: int | None) -> TrainingProtocol:
    # DC's and DCC's programs train for 300 epochs and DSA's for 1,000, each plus one.
    strategy = config.dsa if config.eval_dsa == "auto" else config.eval_dsa
    published = 301 if strategy == "none" else 1001
    return _dm_of_settings(config, dataset, epochs or config.eval_epochs or published)


def _dance_of_settings(
    config: Any, dataset: str, epochs: int | None
) -> TrainingProtocol:
    strategy = config.eval_dsa
    if strategy == "auto":
        names = ["color", "crop", "flip", "scale", "rotate"]
        if dataset in HANDEDNESS_MATTERS:
            names.remove("flip")
        strategy = "_".join(names)
    return dance_protocol(
        epochs or config.eval_epochs or 1500,
        config.eval_batch or 64,
        config.eval_lr,
        strategy,
    )


def _cafe_of_settings(
    config: Any, dataset: str, epochs: int | None
) -> TrainingProtocol:
    """Returns the protocol of CAFE: DM's without augmentation, for 601 epochs."""
    del dataset
    return dm_protocol(
        epochs or config.eval_epochs or 601,
        config.eval_batch or 256,
        config.eval_lr,
        "none" if config.eval_dsa == "auto" else config.eval_dsa,
    )


def _mtt_of_settings(config: Any, dataset: str, epochs: int | None) -> TrainingProtocol:
    """Returns the protocol of MTT: DM's, at the rate that the set has learnt."""
    protocol = _dm_of_settings(config, dataset, epochs)
    return dataclasses.replace(protocol, learnt_rate=True)


def _datm_of_settings(
    config: Any, dataset: str, epochs: int | None
) -> TrainingProtocol:
    """Returns the protocol of DATM: MTT's with soft labels, in batches of 128.

    The batch is the same whatever the distillation's was.
    """
    protocol = _mtt_of_settings(config, dataset, epochs).with_stored_labels()
    return dataclasses.replace(protocol, batch_size=config.eval_batch or 128)


PROTOCOLS: dict[str, Builder] = {
    "dm": _dm_of_settings,
    "dance": _dance_of_settings,
    "cafe": _cafe_of_settings,
    "dc": _dc_of_settings,
    "mtt": _mtt_of_settings,
    "datm": _datm_of_settings,
    "rded": rded.student_protocol,
    "d4m": soft_labels.d4m_protocol,
    "gvbsm": soft_labels.gvbsm_protocol,
}
