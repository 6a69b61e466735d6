"""Settings that contradict each other are refused before anything is read."""

import os
from typing import Any

from hdd_tf.errors import InputError
from hdd_tf.methods.registry import METHODS, traits_of
from hdd_tf.methods.traits import Kind
from hdd_tf.settings.data import CACHE_BESIDE_DATA, NO_CACHE

# Images that a network of IDM's pool learns in an iteration, which are drawn at once.
_MOST_DRAWN = 10**7


def check_consistency(config: Any) -> None:
    """Checks that the settings of a run can be followed together.

    Args:
        config: The `Config`, with the defaults of its method filled in.

    Raises:
        InputError: two settings contradict each other; the message says how to mend it.
    """
    _check_geometry(config)
    _check_maps(config)
    _check_formation(config)
    _check_shared_directories(config)
    _check_pool(config)
    _check_trajectories(config)
    _check_bank(config)
    _check_compilation(config)
    _check_selection(config)
    _check_scores(config)


def _check_geometry(config: Any) -> None:
    traits = config.traits
    if not traits.has_geometry or not traits.geometries:
        return
    if config.geometry not in traits.geometries:
        raise InputError(
            f"--geometry={config.geometry} has no form of --objective="
            f"{config.objective}: give {' or '.join(traits.geometries)}"
        )


def _check_maps(config: Any) -> None:
    traits = config.traits
    if config.matched_maps == "last" or traits.is_selection:
        return
    if not "matched_maps".startswith(traits.own_settings):
        raise InputError(
            f"--matched_maps={config.matched_maps} has no form of --objective="
            f"{config.objective}, which matches what its paper says: leave it at last"
        )


def _check_formation(config: Any) -> None:
    if not config.zca:
        return
    if config.formation_factor > 1:
        raise InputError(
            f"--formation_factor={config.formation_factor} cuts images apart, and "
            f"--objective={config.objective} with --zca whitens them whole: leave it "
            "at 1"
        )
    if config.objective == "rded" and config.rded_factor > 1:
        raise InputError(
            f"--rded_factor={config.rded_factor} scores parts of images, and --zca "
            "whitens whole ones: leave --zca out, or give --rded_factor=1"
        )
    if config.traits.unit_range or config.traits.clips_normalised:
        raise InputError(
            f"--zca is not for --objective={config.objective}, whose images are "
            "clipped to [0, 1], where whitened ones are not: leave it out"
        )


def _check_shared_directories(config: Any) -> None:
    # A new run's directory has to be empty, and these come before it.
    run = os.path.abspath(config.run_dir)
    shared = {"expert_dir": config.expert_dir}
    if config.bank_over == "all":
        shared["bank_dir"] = config.bank_dir
    if config.data_cache not in ("", CACHE_BESIDE_DATA, NO_CACHE):
        shared["data_cache"] = config.data_cache
    for flag, given in shared.items():
        if config.run_dir and f"{os.path.abspath(given)}/".startswith(f"{run}/"):
            raise InputError(
                f"--{flag}={given} lies in the run's own directory: give one beside "
                "it, which other runs can share"
            )


def _check_pool(config: Any) -> None:
    drawn = config.idm_train_steps * config.idm_train_batch
    if drawn > _MOST_DRAWN:
        raise InputError(
            f"--idm_train_steps={config.idm_train_steps} x --idm_train_batch="
            f"{config.idm_train_batch} draws {drawn:,} images in each iteration: give "
            f"fewer, {_MOST_DRAWN:,} at most"
        )
    if config.idm_pool_size <= config.idm_pool_start:
        raise InputError(
            f"--idm_pool_size={config.idm_pool_size} has no place for a network to "
            f"join the --idm_pool_start={config.idm_pool_start}: give a larger one"
        )
    if config.idm_train_networks > config.idm_pool_start + 1:
        raise InputError(
            f"--idm_train_networks={config.idm_train_networks} is more than the "
            "pool holds at first: at most --idm_pool_start + 1"
        )


def _check_trajectories(config: Any) -> None:
    bound, span = config.trajectory_bound, config.trajectory_span
    first = config.trajectory_first or bound
    if not config.trajectory_least < first <= bound:
        raise InputError(
            f"--trajectory_least={config.trajectory_least} and --trajectory_first="
            f"{config.trajectory_first} leave no epoch to start from, or more than "
            f"--trajectory_bound={bound}: least < first <= bound is needed (first 0: "
            "as bound)"
        )
    last, epochs = bound - 1 + span, config.trajectory_epochs
    if last > epochs:
        raise InputError(
            f"--trajectory_bound={bound} with --trajectory_span={span} matches the "
            f"experts up to epoch {last}, and --trajectory_epochs={epochs} ends before "
            f"that: give {last} or more epochs, or a lower bound"
        )


def _check_bank(config: Any) -> None:
    traits = config.traits
    if traits.is_selection:
        return
    if not config.real_bank_size:
        if config.bank_over == "all":
            raise InputError(
                "--bank_over=all says what a bank looks at, and there is none: give "
                "--real_bank_size, such as 200"
            )
        return
    if traits.may_revisit and (not traits.loops or config.dc_updates == 1):
        return
    if traits.may_revisit:
        raise InputError(
            f"--real_bank_size={config.real_bank_size} revisits networks, and with "
            f"--dc_updates={config.dc_updates} these train on the images meanwhile: "
            "leave it at 0, or give --dc_updates=1"
        )
    others = [name for name, other in METHODS.items() if other.may_revisit]
    raise InputError(
        f"--real_bank_size={config.real_bank_size} revisits networks and what they "
        f"made of real images, but with --objective={config.objective} these change, "
        f"or are too large to keep: leave it at 0, or give {' or '.join(others)}"
    )


def _check_compilation(config: Any) -> None:
    if config.jit_compile == "on" and config.traits.kind is not Kind.CLASS_WISE:
        raise InputError(
            "--jit_compile=on compiles what matches class by class, and "
            f"--objective={config.objective} does not: leave it at auto"
        )


def _check_selection(config: Any) -> None:
    if config.traits.is_selection and config.select != "last":
        raise InputError(
            f"--select={config.select} has one set only to choose from with "
            f"--objective={config.objective}: leave it at last"
        )
    if config.traits.is_selection and config.keep_fraction < 1:
        raise InputError(
            f"--keep_fraction={config.keep_fraction} is of what is matched, and "
            f"--objective={config.objective} matches nothing: leave it at 1"
        )
    for name in (config.objective, *config.baselines):
        traits = traits_of(name)
        if traits and config.coreset_epochs < traits.least_epochs:
            raise InputError(
                f"--coreset_epochs={config.coreset_epochs} shows each image too "
                f"seldom, so {name} has nothing to count: give "
                f"{traits.least_epochs} or more"
            )


def _check_scores(config: Any) -> None:
    choosing = config.select == "best_validation"
    if choosing and not config.validation_fraction:
        raise InputError(
            "--select=best_validation has nothing to choose by with "
            "--validation_fraction=0: give a fraction such as 0.1"
        )
    if choosing and not config.eval_every:
        raise InputError(
            "--select=best_validation has only the last images to choose from: "
            "give --eval_every, such as 500"
        )
    if config.best_on_test and not config.eval_every:
        raise InputError(
            "--best_on_test has nothing to compare without --eval_every: give it, "
            "such as 500"
        )
    if config.fair_score and not config.num_eval:
        raise InputError(
            "--fair_score is of the accuracies of --num_eval networks: give 1 or "
            "more of them"
        )
    if config.eval_every and not config.num_eval:
        raise InputError(
            "--eval_every scores with --num_eval networks: give 1 or more of them"
        )
    if config.eval_every and not config.validation_fraction:
        raise InputError(
            f"--eval_every={config.eval_every} scores on a validation split, never "
            "on the test split: give --validation_fraction, such as 0.1"
        )
