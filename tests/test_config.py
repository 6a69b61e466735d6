"""Tests of the settings: values, validation, identity and round trips."""

import dataclasses
import json

import numpy as np
import pytest

from hdd_tf import config as config_lib
from hdd_tf.config import Config
from hdd_tf.errors import InputError
from hdd_tf.settings import conversions, parsers
from hdd_tf.settings.parsers import BASELINES
from hdd_tf.settings.row import setting
from hdd_tf.settings.scope import Scope

# A value other than the default for every setting, as Python has it.
OTHER_VALUES = {
    "dataset": "digits",
    "data_dir": "/some where/data",
    "data_cache": "/decoded",
    "real_store": "disk",
    "image_size": "32x48",
    "classes": ("0", "10", "a b"),
    "ipc": 7,
    "validation_fraction": 0.25,
    "keep_fraction": 0.5,
    "keep": "random",
    "keep_epochs": 3,
    "objective": "dance",
    "geometry": "euclidean",
    "curvature": -1 / 3,
    "loss_weight": 40.0,
    "lift": "project",
    "max_tangent_norm": 0.0,
    "matched_maps": "blocks",
    "dsa": "none",
    "zca": False,
    "formation_factor": 3,
    "iterations_per_network": 2,
    "root_power": 0.0,
    "spherical_curvature": 0.5,
    "product_radius": 0.5,
    "product_curvature_lr": 0.0,
    "product_weight_lr": 0.0,
    "image_lr": 0.2,
    "image_lr_period": 9,
    "image_momentum": 0.9,
    "iterations": 12,
    "real_batch": 5,
    "real_bank_size": 5,
    "bank_over": "all",
    "bank_dir": "/banks",
    "bank_networks_at_once": 3,
    "init": "from:runs/a b=c",
    "seed": 3,
    "num_experiments": 2,
    "idm_pool_start": 4,
    "idm_pool_size": 9,
    "idm_join_every": 5,
    "idm_reset_every": 6,
    "idm_train_networks": 1,
    "idm_train_steps": 3,
    "idm_train_batch": 32,
    "idm_train_lr": 0.1,
    "idm_cross_entropy_weight": 0.0,
    "num_experts": 1,
    "pretrain_epochs": 2,
    "pretrain_batch": 16,
    "expert_seed": 8,
    "expert_dir": "/experts",
    "dance_max_decoded": 0,
    "m3d_kernel": "gaussian",
    "datadam_power": 4,
    "datadam_balance": 0.02,
    "datadam_batch_norm": False,
    "cafe_discrimination_weight": 0.0,
    "cafe_leave_spread": 0.1,
    "cafe_train_spread": 0.2,
    "cafe_max_updates": 9,
    "cafe_max_epochs": 8,
    "cafe_network_lr": 0.5,
    "cafe_network_batch": 11,
    "cafe_test_images": 5,
    "dc_updates": 2,
    "dc_epochs": 4,
    "dc_lr": 0.1,
    "dc_batch": 16,
    "dcc_outer_warmup": 3,
    "dcc_inner_warmup": 2,
    "row_radius": 1.0,
    "dsdm_networks": 2,
    "dsdm_epochs": 3,
    "dsdm_batch": 16,
    "dsdm_max_decoded": 0,
    "dsdm_covariance_weight": 0.0,
    "dsdm_prototype_weight": 2.0,
    "dsdm_prototype_memory": 0.5,
    "dsdm_prototype_after": 3,
    "iid_covariance_weight": 0.0,
    "iid_centre_weight": 0.0,
    "iid_network": "convnet",
    "iid_networks": 2,
    "iid_epochs": 3,
    "iid_batch": 16,
    "iid_curvature": -0.5,
    "rded_factor": 2,
    "rded_images": 20,
    "rded_crops": 2,
    "rded_jpeg": True,
    "rded_network": "convnet",
    "rded_epochs": 3,
    "rded_batch": 16,
    "d4m_model": "/models/sd3",
    "d4m_model_size": 64,
    "d4m_strength": 0.0,
    "d4m_guidance": 8.0,
    "d4m_steps": 10,
    "d4m_chunk": 2,
    "d4m_width": 8,
    "d4m_updates": 5,
    "d4m_autoencoder_width": 16,
    "d4m_autoencoder_epochs": 2,
    "d4m_batch": 32,
    "d4m_teacher_epochs": 3,
    "d4m_teacher_batch": 64,
    "gvbsm_pool": "convnet,shufflenet_v2",
    "gvbsm_epochs": 2,
    "gvbsm_batch": 16,
    "gvbsm_group": 10,
    "gvbsm_statistics_weight": 0.0,
    "gvbsm_first_weight": 1.0,
    "gvbsm_memory": 0.0,
    "gvbsm_skip": 0.0,
    "gvbsm_roll": 0,
    "gvbsm_density_weight": 0.0,
    "gvbsm_density_temperature": 1.0,
    "gvbsm_hard_weight": 0.1,
    "trajectory_experts": 2,
    "trajectory_epochs": 70,
    "trajectory_batch": 16,
    "trajectory_span": 3,
    "trajectory_least": 1,
    "trajectory_first": 5,
    "trajectory_bound": 12,
    "trajectory_widening": 7,
    "trajectory_threshold": 1.5,
    "trajectory_radius": 1.0,
    "trajectory_init": "any",
    "student_steps": 5,
    "student_batch": 6,
    "student_rate": 0.1,
    "student_rate_lr": 0.0,
    "label_lr": 0.0,
    "label_momentum": 0.0,
    "network": "alexnet",
    "depth": 4,
    "width": 8,
    "norm": "group",
    "activation": "sigmoid",
    "pooling": "max",
    "precision": "bfloat16",
    "jit_compile": "on",
    "num_eval": 1,
    "eval_networks": ("vgg11", "own.networks:build"),
    "eval_protocol": "dance",
    "eval_epochs": 4,
    "eval_batch": 16,
    "eval_dsa": "color",
    "eval_lr": 1e-17,
    "eval_precision": "bfloat16",
    "baselines": ("whole",),
    "whole_epochs": 2,
    "coreset_epochs": 3,
    "select": "best_validation",
    "best_on_test": True,
    "fair_score": True,
    "analysis": False,
    "encoder_epochs": 2,
    "analysis_curvature": -0.5,
    "analysis_max_tangent_norm": 3.0,
    "analysis_images": 10,
    "analysis_every": 7,
    "strategy": "mirrored",
    "num_virtual_devices": 2,
    "max_images_per_forward": 64,
    "steps_per_call": 3,
    "run_dir": "läufe/#1",
    "checkpoint_every": 2,
    "keep_checkpoints": 5,
    "picture_every": 0,
    "eval_every": 6,
    "log_every": 1,
    "progress": False,
    "profile": True,
    "dry_run": True,
}
FIELDS = [field.name for field in dataclasses.fields(Config)]


def parsed(*words: str) -> Config:
    values = config_lib.define_flags()
    assert values(["program", *words]) == ["program"]
    return config_lib.config_from_flags(values)


def test_table_of_other_values_covers_every_setting():
    assert list(OTHER_VALUES) == FIELDS
    # Those with one choice only have no other value.
    same = {n for n in FIELDS if OTHER_VALUES[n] == getattr(Config, n)}
    assert same == set()


def test_flags_and_python_have_the_same_defaults():
    assert parsed("--dataset=digits") == Config(dataset="digits")


@pytest.mark.parametrize("config", [Config(dataset="x"), Config(**OTHER_VALUES)])
def test_round_trips(config, tmp_path):
    assert config_lib.from_json(config_lib.to_json(config)) == config
    text = json.dumps(config_lib.to_json(config))
    assert config_lib.from_json(json.loads(text)) == config
    lines = config_lib.to_flag_file(config).splitlines()
    # A repeated run goes to a directory of its own, and is no dry run.
    expected = dataclasses.replace(config, run_dir="", dry_run=False)
    assert parsed(*[line for line in lines if not line.startswith("#")]) == expected
    path = tmp_path / "flags.cfg"
    path.write_text(config_lib.to_flag_file(config), encoding="utf-8")
    assert parsed(f"--flagfile={path}") == expected


@pytest.mark.parametrize(
    ("given", "value"),
    [("-1", -1.0), ("-0.5", -0.5), ("-1/3", -1 / 3), ("-5e-1", -0.5), (-2, -2.0)],
)
def test_curvature_is_read_exactly(given, value):
    config = Config(dataset="x", curvature=given)
    assert config.curvature == value
    assert type(config.curvature) is float
    assert parsed("--dataset=x", "--curvature", str(given)).curvature == value


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ()),
        (["--baselines"], BASELINES),
        (["--baselines=true"], BASELINES),
        (["--baselines=k_center,herding"], ("herding", "k_center")),
        (["--baselines=whole,random"], ("random", "whole")),
        (["--baselines=whole"], ("whole",)),
        (["--baselines", "--nobaselines"], ()),
        (["--baselines=none"], ()),
    ],
)
def test_baselines_are_a_switch_or_a_list(words, names):
    assert parsed("--dataset=x", *words).baselines == names


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("none", ()),
        ("", ()),
        ("convnet,resnet18", ("convnet", "resnet18")),
        ("vgg11, own:build,vgg11,", ("vgg11", "own:build")),
        (["a.b_c:d"], ("a.b_c:d",)),
    ],
)
def test_evaluated_networks_are_a_list_of_names_or_functions(value, names):
    assert Config(dataset="x", eval_networks=value).eval_networks == names


@pytest.mark.parametrize(
    "value", ["resnet19", "own:", ":build", "own.py:build()", "a:b:c"]
)
def test_other_evaluated_networks_are_refused(value):
    with pytest.raises(InputError, match="must be none, or a list of convnet"):
        Config(dataset="x", eval_networks=value)


@pytest.mark.parametrize(
    ("settings", "fraction"),
    [
        ({}, 0.0),
        ({"select": "best_validation", "eval_every": 9}, 0.1),
        (
            {"select": "best_validation", "eval_every": 9, "validation_fraction": 0.3},
            0.3,
        ),
        ({"validation_fraction": 0.3}, 0.3),
    ],
)
def test_validation_fraction_follows_select_where_unset(settings, fraction):
    assert Config(dataset="x", **settings).validation_fraction == fraction


def test_numpy_scalars_paths_and_the_home_directory_are_accepted(tmp_path):
    config = Config(
        dataset="x",
        ipc=np.int64(3),
        image_lr=np.float64(0.1),
        progress=np.bool_(False),
        run_dir=tmp_path,
        data_dir="~/data",
        init="from:~/set",
    )
    assert (config.ipc, config.image_lr, config.progress) == (3, 0.1, False)
    assert config.run_dir == str(tmp_path)
    assert not config.data_dir.startswith("~")
    assert config.init.startswith("from:/")


@pytest.mark.parametrize(
    ("given", "value"),
    [("32", "32x32"), (32, "32x32"), ((32, 48), "32x48"), ("32x48", "32x48"), ("", "")],
)
def test_image_size_is_height_by_width(given, value):
    assert Config(dataset="x", image_size=given).image_size == value
    sides = conversions.height_and_width(value)
    assert sides == (tuple(map(int, value.split("x"))) if value else None)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("", ()),
        ("none", ()),
        ("5,0,10", ("0", "5", "10")),
        ((10, 5, 0), ("0", "5", "10")),
        ("dog, 007,Old English", ("7", "Old English", "dog")),
        (["-1", "2"], ("2", "-1")),
    ],
)
def test_classes_are_the_same_in_any_order(given, value):
    assert Config(dataset="x", classes=given).classes == value


def test_the_home_directory_of_a_folder_is_expanded():
    config = Config(dataset="folder:~/pets")
    assert config.dataset.startswith("folder:/") and config.dataset.endswith("/pets")
    assert Config(dataset="name:1.0.0").dataset == "name:1.0.0"


REFUSED = {
    "dataset": ["folder:", " x", "two\nlines"],
    "image_size": [0, -1, "0x3", "32x", "x32", "1x2x3", "3.5", "10000", "big", True],
    "classes": ["3", "0,0", "1,01", "0,,3", "0,", 3, "a,a"],
    "ipc": [0, -1, 2.0, True, "ten", None, np.ones(2)],
    "curvature": [0, 1, "nan", "-inf", "abc", "-1/0", "-1/-3", "", -1e-30, None, True],
    "objective": ["tesla", "", None],
    "geometry": ["spherical", "Hyperbolic"],
    "lift": ["logmap0"],
    "loss_weight": [0, -1, float("nan"), float("inf"), "1e999"],
    "root_power": [1.5, -101, "nan"],
    "spherical_curvature": [0, -1, "inf"],
    "product_radius": [0, 1.6],
    "product_curvature_lr": [-0.1, 1.1],
    "image_lr": [0, -0.1, "fast"],
    "image_momentum": [1, -0.1],
    "max_tangent_norm": [-1, float("nan")],
    "validation_fraction": [1.0, -0.1, "half"],
    "iterations": [0, -5],
    "real_batch": [0],
    "real_bank_size": [-1],
    "depth": [0],
    "width": [0],
    "seed": [-1, 1.5, 2**53],
    "num_eval": [-1],
    "eval_epochs": [-1],
    "num_virtual_devices": [-1],
    "max_images_per_forward": [-1],
    "init": ["fake", "from:", "from", ""],
    "dsa": ["", "auto", "colour", "color_", "none_flip", "flip_flip"],
    "eval_dsa": ["auto_flip", "blur"],
    "dc_updates": [0, 1.5],
    "row_radius": [0, 81, "nan"],
    "baselines": ["k-center", ("random", "all"), 3],
    "select": ["best_test"],
    "strategy": ["tpu"],
    "run_dir": ["two\nlines", "null\0", " runs", "\udcff", 3],
    "dry_run": ["maybe", 2],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in REFUSED.items() for value in values],
)
def test_refused_values_are_named_in_one_line(name, value):
    with pytest.raises(InputError) as caught:
        Config(**{"dataset": "x", name: value})
    message = str(caught.value)
    assert message.startswith(f"--{name}=")
    assert "must be" in message
    assert message.isprintable()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "--dataset is not set"),
        (
            {"dataset": "x", "objective": "m3d", "geometry": "euclidean_unsquared"},
            "has no form of --objective=m3d: give euclidean or hyperbolic",
        ),
        (
            {"dataset": "x", "objective": "m3d", "matched_maps": "blocks"},
            "has no form of --objective=m3d, which matches what its paper says",
        ),
        (
            {"dataset": "x", "select": "best_validation", "validation_fraction": 0},
            "nothing to choose by",
        ),
        ({"dataset": "x", "select": "best_validation"}, "give --eval_every"),
        ({"dataset": "x", "eval_every": 5}, "give --validation_fraction"),
        (
            {
                "dataset": "x",
                "eval_every": 5,
                "validation_fraction": 0.1,
                "num_eval": 0,
            },
            "--num_eval",
        ),
        (
            {
                "dataset": "x",
                "objective": "herding",
                "select": "best_validation",
                "eval_every": 9,
            },
            "one set only",
        ),
        (
            {"dataset": "x", "objective": "forgetting", "coreset_epochs": 1},
            "nothing to count",
        ),
        (
            {"dataset": "x", "baselines": "forgetting", "coreset_epochs": 1},
            "nothing to count",
        ),
    ],
)
def test_contradictions_are_refused(settings, words):
    with pytest.raises(InputError, match=words):
        Config(**settings)


def test_settings_of_another_version_are_refused():
    with pytest.raises(InputError, match="warp_factor"):
        config_lib.from_json({"dataset": "x", "warp_factor": 9})


# DESIGN: where and how a run computes, writes and reports is not which run it is.
NOT_IDENTITY = {
    "best_on_test",
    "fair_score",
    *("expert_dir", "bank_dir", "bank_networks_at_once"),
    *(
        "run_dir",
        "data_dir",
        "data_cache",
        "real_store",
        "strategy",
        "num_virtual_devices",
        "progress",
        "profile",
    ),
    "dry_run",
    *("max_images_per_forward", "steps_per_call"),
    *(
        "log_every",
        "checkpoint_every",
        "keep_checkpoints",
        "picture_every",
        "eval_every",
    ),
    *("analysis", "encoder_epochs", "analysis_curvature"),
    *("analysis_max_tangent_norm", "analysis_images", "analysis_every"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_identity_differs_exactly_where_the_result_may(name):
    bank = {"real_bank_size": 2} if name == "bank_over" else {}
    base = Config(dataset="cifar10", select="best_validation", eval_every=9, **bank)
    other = {
        "select": "last", "validation_fraction": 0.2, "iterations": 99, "zca": True,
    }.get(name, OTHER_VALUES[name])  # fmt: skip
    changed = dataclasses.replace(base, **{name: other})
    differing = config_lib.differing_fields(
        config_lib.identity(base), config_lib.identity(changed)
    )
    assert differing == ([] if name in NOT_IDENTITY else [name])


def test_iterations_may_grow_but_not_shrink():
    short = config_lib.identity(Config(dataset="x", iterations=10))
    long = config_lib.identity(Config(dataset="x", iterations=20))
    assert config_lib.differing_fields(short, long) == []
    assert config_lib.differing_fields(long, short) == ["iterations"]


def test_identities_of_other_versions_are_compared_by_default_values():
    now = config_lib.identity(Config(dataset="x"))
    before = {name: value for name, value in now.items() if name != "lift"}
    assert config_lib.differing_fields(before, now) == []
    assert config_lib.differing_fields(before, now | {"lift": "project"}) == ["lift"]
    assert config_lib.differing_fields(now | {"gone": 1}, now) == ["gone"]


def test_formation_follows_the_objective_unless_it_is_said():
    def factor(**settings):
        return Config(dataset="x", **settings).formation_factor

    assert [factor(objective=o) for o in ("dm", "idm", "dance")] == [1, 2, 2]
    assert factor(objective="dm", formation_factor=3) == 3
    # Real images are whole, also with IDM's flag file.
    assert factor(objective="random", formation_factor=2) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"idm_pool_start": 5, "idm_pool_size": 5}, "no place for a network"),
        ({"idm_train_networks": 5}, "more than the pool holds"),
        ({"run_dir": "a/b", "expert_dir": "a/b/c"}, "in the run's own directory"),
        ({"run_dir": "a/b", "expert_dir": "a/b"}, "in the run's own directory"),
        (
            {"run_dir": "a/b", "data_cache": "a/b/c"},
            "--data_cache=a/b/c lies in the run",
        ),
        (
            {
                "run_dir": "b",
                "bank_dir": "b/c",
                "real_bank_size": 2,
                "bank_over": "all",
            },
            "--bank_dir=b/c lies in the run",
        ),
        ({"bank_over": "all"}, "there is none: give --real_bank_size"),
        ({"objective": "random", "keep_fraction": 0.5}, "matches nothing"),
        ({"best_on_test": True}, "nothing to compare without --eval_every"),
        ({"fair_score": True, "num_eval": 0}, "accuracies of --num_eval networks"),
    ],
)
def test_contradictions_of_idm_dance_and_what_is_told(settings, message):
    with pytest.raises(InputError, match=message):
        Config(dataset="x", **settings)
    Config(dataset="x", run_dir="a/b", expert_dir="a/bc", data_cache="a/bd")
    Config(dataset="x", run_dir=".", expert_dir="..")


def test_identity_keeps_its_names_in_their_order():
    # Run directories hold them: a name that goes or moves makes old runs other runs.
    expected = [name for name in FIELDS if name not in NOT_IDENTITY]
    assert list(config_lib.identity(Config(dataset="x"))) == expected
    assert len(expected) == 151


def test_every_setting_has_a_scope():
    with pytest.raises(TypeError, match="scope"):
        setting(1, parsers.COUNT, "A new setting.")
    scopes = {name: row.scope for name, row in config_lib.rows().items()}
    assert list(scopes) == FIELDS
    assert {type(scope) for scope in scopes.values()} == {Scope}
    assert {n for n in FIELDS if not scopes[n].is_identity} == NOT_IDENTITY


@pytest.mark.parametrize(
    ("scopes", "names"),
    [
        ([Scope.MAY_GROW], "iterations"),
        ([Scope.START], "run_dir dry_run"),
        ([Scope.SEED, Scope.BASELINES], "seed num_experiments baselines whole_epochs"),
        (
            [Scope.ANALYSIS],
            "encoder_epochs analysis_curvature analysis_max_tangent_norm "
            "analysis_images",
        ),
    ],
)
def test_lists_of_settings_follow_their_scopes(scopes, names):
    assert config_lib.names_of(*scopes) == tuple(names.split())


def test_settings_of_hyperbolic_geometry_cadences_and_budgets_say_so():
    rows = config_lib.rows()
    assert {name for name, row in rows.items() if "hyperbolic" in row.geometries} == {
        "curvature", "loss_weight", "lift", "max_tangent_norm", "row_radius",
        "iid_curvature", "trajectory_radius",
    }  # fmt: skip
    config = Config(
        dataset="x", checkpoint_every=2, picture_every=3, analysis_every=5,
        eval_every=7, validation_fraction=0.1, log_every=11,
    )  # fmt: skip
    assert sorted(config_lib.cadences(config)) == [2, 3, 5, 7]
    assert [name for name, row in rows.items() if row.is_budget] == [
        "iterations", "real_batch", "num_eval", "eval_epochs"
    ]  # fmt: skip


def test_help_has_a_heading_over_each_group():
    assert list(config_lib.headings().items())[:3] == [
        ("dataset", "Data"),
        ("objective", "Matching"),
        ("root_power", "Geometries of our own"),
    ]
    assert len(config_lib.headings()) == 21
