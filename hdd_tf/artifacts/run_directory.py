"""The directory of one run: its identity and its result (run_files.py: its files)."""

import os
import shutil
from collections.abc import Collection, Mapping
from typing import Any

from hdd_tf.artifacts import run_records
from hdd_tf.artifacts.run_files import RunFiles
from hdd_tf.artifacts.run_identity import check_same_run
from hdd_tf.errors import InputError
from hdd_tf.files import atomic, links, lock
from hdd_tf.files.json_files import read_json
from hdd_tf.files.json_text import to_plain
from hdd_tf.files.unfinished import is_leftover, remove_leftovers


class RunDirectory(RunFiles):
    """A run's directory; no method before `open_or_create` changes it."""

    def open_or_create(
        self,
        config_values: Mapping[str, Any],
        identity: Mapping[str, Any],
        flag_file_text: str,
        environment: Mapping[str, Any],
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Makes this the directory of a run, or continues the run in it.

        Args:
            config_values: Value of every flag.
            identity: Values that must stay the same for the run to continue.
            flag_file_text: Contents of `flags.cfg`.
            environment: Library versions, devices and the like. A later environment
                that differs is kept beside the first.
            data: Facts of the data set for exports: name, label_names, mean and std;
                and all other facts that must stay the same for the run to continue.

        Raises:
            InputError: the directory cannot be written, belongs to another run, holds
                foreign files, or holds links that lead out of it. The directory is
                unchanged.
        """
        record = to_plain(
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
            # config.json first, because it marks the directory as ours.
            if record != stored:
                atomic.write_json(self.config_file, record)
            if record != stored or not self.flags_file.exists():
                atomic.write_text(self.flags_file, flag_file_text)
            remove_leftovers(self.path)
        except OSError as error:
            raise self._unusable(error) from error

    def check(
        self,
        identity: Mapping[str, Any],
        data: Mapping[str, Any] | None,
        may_differ: Collection[str] = (),
    ) -> None:
        """Makes the checks of `open_or_create`, and writes nothing.

        Args:
            identity: Values that must stay the same for the run to continue.
            data: Facts of the data set, see `open_or_create`.
            may_differ: Names of values that may be others after all.

        Raises:
            InputError: `open_or_create` would raise it.
        """
        try:
            self._check(to_plain(identity), to_plain(data), may_differ)
        except OSError as error:
            raise self._unusable(error) from error

    def read_config(self) -> dict[str, Any]:
        """Returns the contents of `config.json`.

        Raises:
            InputError: this is not a run's directory.
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
        """Writes `result.json`.

        Args:
            result: The result, with the `iterations` that were requested.
        """
        atomic.write_json_of_numbers(
            self.result_file, {**result, "iterations": result["iterations"]}
        )

    def read_result(self) -> dict[str, Any] | None:
        """Returns the result; None if it is missing or damaged."""
        try:
            result = read_json(self.result_file)
        except (OSError, ValueError):
            return None
        return result if run_records.is_result(result) else None

    def forget_analysis(self) -> None:
        """Removes the files of an analysis of earlier images."""
        self.analysis_file.unlink(missing_ok=True)
        shutil.rmtree(self.saved_models, ignore_errors=True)
        self.forget_analysis_pictures()

    def forget_analysis_pictures(self) -> None:
        """Removes the pictures of the final analysis."""
        for name in ("poincare.png", "hierarchy.png"):
            (self.pictures / name).unlink(missing_ok=True)

    def write_analysis(self, numbers: Mapping[str, Any]) -> None:
        """Writes `analysis.json`, which marks an analysis as complete.

        Args:
            numbers: Contents, written after all other files of the analysis.
        """
        atomic.write_json(self.analysis_file, numbers)

    def _check(
        self,
        identity: dict[str, Any],
        data: dict[str, Any] | None,
        may_differ: Collection[str] = (),
    ) -> dict[str, Any] | None:
        """Returns the stored record of the same run; None for a new run."""
        if not os.path.lexists(self.config_file):
            # Before all that lies below a home or a disk is looked through for links.
            self._check_empty()
        links.refuse_links_out(self.path)
        stored = self._read_stored_config()
        if stored is None:
            self._check_empty()
        else:
            check_same_run(self.path, stored, identity, data, may_differ)
        return stored

    def _unusable(self, error: OSError) -> InputError:
        room = "make room there, or " if error.errno in links.FULL else ""
        return InputError(
            f"cannot use run_dir {self.path} ({error.strerror}): "
            f"{room}give another one with --run_dir"
        )

    def _read_stored_config(self) -> dict[str, Any] | None:
        """Returns the contents of `config.json`; None if it does not exist."""
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


def is_own_trace(name: str) -> bool:
    """Returns True if a file is a lock or was left by a killed run.

    Args:
        name: Name of the file.
    """
    return name == lock.NAME or is_leftover(name)


def _keep_history(stored: dict[str, Any], record: dict[str, Any]) -> None:
    """Copies the data and the environments of earlier starts into `record`."""
    record["data"] = record["data"] or stored["data"]
    environments = [stored["environment"], *stored["later_environments"]]
    if record["environment"] not in environments:
        environments.append(record["environment"])
    record["environment"], *record["later_environments"] = environments
