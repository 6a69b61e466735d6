"""Settings of evaluation."""

import dataclasses
from typing import ClassVar

from hdd_tf.settings import parsers
from hdd_tf.settings.networks import NETWORKS, PRECISIONS
from hdd_tf.settings.row import choice, setting
from hdd_tf.settings.scope import Scope

# Default of --eval_lr in protocols in which it is not 0.01.
PROTOCOL_RATES = {"rded": 0.001, "gvbsm": 0.1}


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """How the result is scored."""

    HEADING: ClassVar = "Evaluation"

    num_eval: int = setting(
        5,
        parsers.FEW_OR_ZERO,
        "Fresh networks trained on each exported set; 0: no evaluation.",
        Scope.EVALUATION,
        is_budget=True,
        is_asked_later=True,
    )
    eval_networks: tuple[str, ...] = setting(
        (),
        parsers.network_names(NETWORKS),
        "Architectures evaluated, a row each; none: the one of --network. A "
        "module:function is an own one, (image_shape, num_classes) -> keras.Model "
        "with logits. The first is also that of baselines and validation scores.",
        Scope.EVALUATION,
        is_asked_later=True,
    )
    eval_protocol: str = choice(
        "auto",
        ("auto", "dm", "dance", "cafe", "dc", "mtt", "datm", "rded", "d4m", "gvbsm"),
        "How they train: dm = DM's and IDM's protocol, dance = DANCE's with CutMix, "
        "cafe = DM's without augmentation, for 601 epochs, dc = DM's with 301 epochs "
        "where nothing is augmented, mtt = DM's at the learning rate that the set has "
        "learnt, datm = so with its soft labels, rded and d4m = AdamW with CutMix on "
        "the labels of the set's teacher, gvbsm = on the views and soft labels that "
        "the set holds for every epoch; auto = that of the objective.",
        Scope.EVALUATION,
    )
    eval_epochs: int = setting(
        0,
        parsers.FEW_OR_ZERO,
        "Epochs each of them trains. 0: as published for CIFAR, 1001 in the dm "
        "protocol, mtt's and datm's, 1500 in dance's, 601 in cafe's, 1001 with "
        "augmentation in dc's and 301 without, 300 in rded's, 500 in d4m's, 1000 in "
        "gvbsm's.",
        Scope.EVALUATION,
        is_budget=True,
    )
    eval_batch: int = setting(
        0,
        parsers.COUNT_OR_ZERO,
        "Images per training batch of evaluation. 0: as published, 256 in the dm, dc "
        "and mtt protocols, 128 in datm's, 64 in dance's, and in rded's 10, 50 or 100 "
        "for 1, 10 or 50 images per class, 25 for CIFAR-100; 100 in d4m's; in gvbsm's "
        "64, 100 for CIFAR-10.",
        Scope.EVALUATION,
    )
    eval_dsa: str = setting(
        "auto",
        parsers.DSA_OR_AUTO,
        "Augmentations of evaluation. auto: as --dsa in dm's and dc's protocol, "
        "color_crop_flip_scale_rotate in dance's, without flip for digits.",
        Scope.EVALUATION,
    )
    eval_lr: float = setting(
        None,
        parsers.POSITIVE,
        "Learning rate of evaluation, before it drops. Unset: 0.01, in rded's protocol "
        "0.001, in gvbsm's 0.1. In the mtt and datm protocols it is that of sets that "
        "have learnt none.",
        Scope.EVALUATION,
    )
    eval_precision: str = choice(
        "auto",
        PRECISIONS,
        "Numbers of the convolutions of evaluation; see --precision. bfloat16: all "
        "training and testing.",
        Scope.EVALUATION,
        before="float32",
    )
    baselines: tuple[str, ...] = setting(
        (),
        parsers.BASELINE_NAMES,
        "Also train on coresets of the same number of real images (see --objective) "
        "and on the whole training split (whole).",
        Scope.BASELINES,
        is_asked_later=True,
    )
    whole_epochs: int = setting(
        30,
        parsers.FEW,
        "Epochs of the networks trained on the whole training split.",
        Scope.BASELINES,
        is_asked_later=True,
    )
    coreset_epochs: int = setting(
        30,
        parsers.FEW,
        "Epochs of the one network, trained on the whole training split, whose "
        "features herding and k_center see and whose training forgetting watches.",
        Scope.SHARED,
        is_unbanked=True,
    )
    select: str = choice(
        "last",
        ("last", "best_validation"),
        "Which images are the result: the last, or those with the best accuracy on "
        "the validation split. The test split never chooses.",
        Scope.MATCHING,
        is_command_only=True,
        is_unbanked=True,
    )
    best_on_test: bool = setting(
        False,
        parsers.SWITCH,
        "Also tell, in an extra line, which of the sets that --eval_every scored is "
        "best on the test split. Other programs report that; it is no honest result.",
        Scope.MEASURES,
        is_command_only=True,
    )
    fair_score: bool = setting(
        False,
        parsers.SWITCH,
        "Also tell DD-Ranking's label-robust and augmentation-robust scores, from 0 to "
        "1, measured by this run's protocol. Scores random real images and the whole "
        "training split too; the set and random images also without augmentation.",
        Scope.MEASURES,
    )
