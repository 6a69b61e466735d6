"""The directory of one run: who it belongs to, where things lie, what came out.

config.json    identity, every flag's value, environment; what an export needs
flags.cfg      a flag file that repeats the run
checkpoints/ tensorboard/ pictures/ synthetic/ synthetic_decoded/
validation.json  scores on the validation split during the run (see history.py)
result.json    only once the run is done
.lock          while a process works here (see lock.py)
"""

import errno
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

from hdd_tf.artifacts import run_records
from hdd_tf.config import differing_fields
from hdd_tf.errors import InputError
from hdd_tf.files import atomic, links, lock
from hdd_tf.files.json_files import read_json

# What a system says when nothing more can be written.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class RunDirectory:
    """A run's directory; nothing is touched before `open_or_create`."""

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = pathlib.Path(path)

    @property
    def config_file(self) -> pathlib.Path:
        """What the run is: see `open_or_create`."""
        return self.path / "config.json"

    @property
    def flags_file(self) -> pathlib.Path:
        """A flag file that repeats the run."""
        return self.path / "flags.cfg"

    @property
    def result_file(self) -> pathlib.Path:
        """The result of a finished run."""
        return self.path / "result.json"

    @property
    def checkpoints(self) -> pathlib.Path:
        """For the state of the distillation, see checkpoint_files.py."""
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> pathlib.Path:
        """For event files."""
        return self.path / "tensorboard"

    @property
    def pictures(self) -> pathlib.Path:
        """For PNG files."""
        return self.path / "pictures"

    @property
    def synthetic(self) -> pathlib.Path:
        """For the distilled set as it is stored."""
        return self.path / "synthetic"

    @property
    def synthetic_decoded(self) -> pathlib.Path:
        """For the set as networks train on it, where that is another."""
        return self.path / "synthetic_decoded"

    @property
    def saved_models(self) -> pathlib.Path:
        """For the SavedModels `encoder` and `classifier`."""
        return self.path / "saved_model"

    @property
    def analysis_file(self) -> pathlib.Path:
        """Numbers of the analysis."""
        return self.path / "analysis.json"

    def open_or_create(
        self,
        config_values: Mapping[str, Any],
        identity: Mapping[str, Any],
        flag_file_text: str,
        environment: Mapping[str, Any],
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Makes this the directory of a run, or continues the run it belongs to.

        Args:
            config_values: The value of every flag.
            identity: Those values that must be the same for a run to continue.
            flag_file_text: Contents of `flags.cfg`.
            environment: Library versions, devices and the like. Those of later starts
                are kept beside the first where they differ.
            data: What exports need to know of the data set: name, label_names, mean,
                std; and all else in which the data of a later start may not differ.

        Raises:
            InputError: If the directory cannot be written, belongs to another run,
                holds other things, or links that lead out of it. Nothing in it has
                changed then.
        """
        record = atomic.to_plain(
            {
                "config": config_values,
                "identity": identity,
                "data": data,
                "environment": environment,
                "later_environments": [],
            }
        )
        try:
            stored = self._check(record["identity"], record["data"])
            if stored is not None:
                _keep_history(stored, record)
            self.path.mkdir(parents=True, exist_ok=True)
            # config.json first: it is what makes the directory ours.
            if record != stored:
                atomic.write_json(self.config_file, record)
            if record != stored or not self.flags_file.exists():
                atomic.write_text(self.flags_file, flag_file_text)
            atomic.remove_leftovers(self.path)
        except OSError as error:
            raise self._unusable(error) from error

    def check(
        self, identity: Mapping[str, Any], data: Mapping[str, Any] | None
    ) -> None:
        """Refuses what `open_or_create` would refuse, and writes nothing.

        Raises:
            InputError: likewise.
        """
        try:
            self._check(atomic.to_plain(identity), atomic.to_plain(data))
        except OSError as error:
            raise self._unusable(error) from error

    def read_config(self) -> dict[str, Any]:
        """Returns the contents of `config.json`.

        Raises:
            InputError: If this is not a run's directory.
        """
        try:
            stored = self._read_stored_config()
        except OSError as error:
            raise InputError(
                f"cannot read {self.config_file}: {error.strerror}"
            ) from error
        if stored is None:
            raise InputError(f"{self.path} is not a run's directory: no config.json")
        return stored

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Writes `result.json`, which must say for how many `iterations` it holds."""
        atomic.write_json(
            self.result_file, {**result, "iterations": result["iterations"]}
        )

    def read_result(self) -> dict[str, Any] | None:
        """Returns the result, or None if there is no whole one."""
        try:
            result = read_json(self.result_file)
        except (OSError, ValueError):
            return None
        return result if run_records.is_result(result) else None

    def forget_analysis(self) -> None:
        """Removes what an analysis of earlier images has left."""
        self.analysis_file.unlink(missing_ok=True)
        shutil.rmtree(self.saved_models, ignore_errors=True)
        self.forget_analysis_pictures()

    def forget_analysis_pictures(self) -> None:
        """Removes the pictures of the final analysis."""
        for name in ("poincare.png", "hierarchy.png"):
            (self.pictures / name).unlink(missing_ok=True)

    def write_analysis(self, numbers: Mapping[str, Any]) -> None:
        """Writes `analysis.json`, when all else of the analysis is there."""
        atomic.write_json(self.analysis_file, numbers)

    def _check(
        self, identity: dict[str, Any], data: dict[str, Any] | None
    ) -> dict[str, Any] | None:
        """Returns the stored record of the same run, or None of a new one."""
        links.refuse_links_out(self.path)
        stored = self._read_stored_config()
        if stored is None:
            self._check_empty()
        else:
            self._check_same_run(stored["identity"], identity)
            self._check_same_data(stored["data"], data)
        return stored

    def _unusable(self, error: OSError) -> InputError:
        room = "make room there, or " if error.errno in _FULL else ""
        return InputError(
            f"cannot use run_dir {self.path} ({error.strerror}): "
            f"{room}give another one with --run_dir"
        )

    def _read_stored_config(self) -> dict[str, Any] | None:
        """Returns the contents of `config.json`, or None if there is none."""
        try:
            stored = read_json(self.config_file)
        except FileNotFoundError:
            return None
        except ValueError:
            stored = None
        if not run_records.is_config(stored):
            raise InputError(
                f"{self.config_file} is damaged or not of hdd_tf: "
                "give another directory with --run_dir"
            )
        return stored

    def _check_empty(self) -> None:
        if not self.path.is_dir():
            return
        names = [entry.name for entry in self.path.iterdir()]
        foreign = [name for name in names if not is_own_trace(name)]
        if foreign:
            raise InputError(
                f"run_dir {self.path} holds other things ({min(foreign)}) and no "
                "config.json: give a new or empty directory with --run_dir"
            )

    def _check_same_run(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        differences = [
            f"--{name}: {old.get(name, 'not set')} -> {new.get(name, 'not set')}"
            for name in differing_fields(old, new)
        ]
        if differences:
            raise InputError(
                f"run_dir {self.path} holds a run with other settings "
                f"({', '.join(differences)}): repeat those, or give another --run_dir"
            )

    def _check_same_data(
        self, old: dict[str, Any] | None, new: dict[str, Any] | None
    ) -> None:
        if old is None or new is None:
            return
        # What an earlier version did not record may be anything.
        names = [name for name in new if old.get(name, new[name]) != new[name]]
        if names:
            raise InputError(
                f"run_dir {self.path} holds a run on other data (different "
                f"{', '.join(names)}): give the same data (other versions of image "
                "decoders may read other pixels), or another --run_dir"
            )


def is_own_trace(name: str) -> bool:
    """Says whether a file is one that a killed run left, or a lock: nobody's work."""
    return name == lock.NAME or atomic.is_leftover(name)


def _keep_history(stored: dict[str, Any], record: dict[str, Any]) -> None:
    """Carries over to `record` what earlier starts of the run knew."""
    record["data"] = record["data"] or stored["data"]
    environments = [stored["environment"], *stored["later_environments"]]
    if record["environment"] not in environments:
        environments.append(record["environment"])
    record["environment"], *record["later_environments"] = environments
