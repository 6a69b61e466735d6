"""The places of a run's files.

config.json    identity, every flag's value, environment, and the data of an export
flags.cfg      a flag file that repeats the run
checkpoints/ tensorboard/ pictures/ synthetic/ synthetic_decoded/
validation.json  scores on the validation split during the run (see history.py)
result.json    the result, written when the run is done
evaluations/   later scores (see evaluations.py)
.lock          exists while a process works in the directory (see lock.py)
"""

import os
import pathlib


class RunFiles:
    """Where the files of a run are; nothing is read or written.

    Args:
        path: The run's directory.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = pathlib.Path(path)

    @property
    def config_file(self) -> pathlib.Path:
        """Record of the run: see `RunDirectory.open_or_create`."""
        return self.path / "config.json"

    @property
    def flags_file(self) -> pathlib.Path:
        """Flag file that repeats the run."""
        return self.path / "flags.cfg"

    @property
    def result_file(self) -> pathlib.Path:
        """Result of a finished run."""
        return self.path / "result.json"

    @property
    def evaluations(self) -> pathlib.Path:
        """Directory of later scores, see evaluations.py."""
        return self.path / "evaluations"

    @property
    def checkpoints(self) -> pathlib.Path:
        """Directory of the distillation's checkpoints, see checkpoint_files.py."""
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> pathlib.Path:
        """Directory of event files."""
        return self.path / "tensorboard"

    @property
    def pictures(self) -> pathlib.Path:
        """Directory of PNG files."""
        return self.path / "pictures"

    @property
    def synthetic(self) -> pathlib.Path:
        """Directory of the distilled set as stored."""
        return self.path / "synthetic"

    @property
    def synthetic_decoded(self) -> pathlib.Path:
        """Directory of the decoded set, if it differs from the stored set."""
        return self.path / "synthetic_decoded"

    @property
    def saved_models(self) -> pathlib.Path:
        """Directory of the SavedModels `encoder` and `classifier`."""
        return self.path / "saved_model"

    @property
    def analysis_file(self) -> pathlib.Path:
        """Numbers of the analysis, in JSON."""
        return self.path / "analysis.json"
