"""Tests of what a flag that does not exist may mean."""

from hdd_tf.arguments.flag_names import SYNONYMS, suggestion, unknown_flag
from hdd_tf.cli import export_models, export_projector, export_set
from hdd_tf.config import rows


def known():
    """Returns every flag of every command."""
    own = [
        name
        for module in (export_models, export_projector, export_set)
        for name in module.define_flags()
    ]
    return {*rows(), *own, "flagfile", "noprogress", "output", "plot"}


def test_every_synonym_leads_to_a_flag():
    meant = {name for names in SYNONYMS.values() for name in names}
    assert meant <= known()
    for name in SYNONYMS:
        assert name == name.lower() and "_" not in name and "-" not in name
    # A flag of distilling is not another name of some other.
    assert not {name.replace("_", "") for name in rows()} & set(SYNONYMS)


def test_a_command_proposes_what_it_has():
    assert suggestion("output_dir", ["run_dir", "ipc"]) == "run_dir"
    assert suggestion("output", ["output_dir", "run_dir"]) == "output_dir"
    assert suggestion("lr_img", ["run_dir", "set"]) is None
    assert suggestion("Data-Dir", ["data_dir"]) == "data_dir"
    assert suggestion("x", ["data_dir"]) is None
    assert unknown_flag("x", []) == "unknown flag --x; --help lists all flags"
    for name in ("iterations", "noprogress"):
        said = unknown_flag(name, ["keep_fraction", "set"])
        assert said.startswith(f"--{name} is a flag of distilling and not of this")
