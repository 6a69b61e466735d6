"""The files of a run's checkpoints: which checkpoints are whole, and which to keep.

    iteration-500.index, iteration-500.data-00000-of-00001    written by TensorFlow
    iteration-500.sha256.json    sizes and SHA-256 sums of these files, written last
    checkpoint                   TensorFlow's list, for TensorFlow's own tools

A checkpoint whose sums agree is whole. A checkpoint without sums was not written to the
end. If no checkpoint has sums, an earlier version of hdd_tf wrote them all, and only
TensorFlow's own check protects the reader.
"""

import contextlib
import os
import pathlib
import re
import shutil
from collections.abc import Iterable, Iterator

from hdd_tf.errors import InputError
from hdd_tf.files import atomic
from hdd_tf.files.checksums import describe_files, is_sealed, seal
from hdd_tf.files.json_files import read_json

_NAME = re.compile(r"iteration-(\d+)(\.index|\.data-.*|\.sha256\.json|_temp.*)")
_SUMS = ".sha256.json"


class CheckpointFiles:
    """The checkpoints of one directory, which need not exist yet."""

    def __init__(self, directory: str | os.PathLike) -> None:
        self.directory = pathlib.Path(directory)

    def prefix(self, iteration: int) -> pathlib.Path:
        """Returns the prefix of the names of a checkpoint's files."""
        return self.directory / f"iteration-{iteration}"

    def whole(self) -> Iterator[int]:
        """Yields the iterations of whole checkpoints, the newest first.

        A printed line names the newer, damaged checkpoints that are skipped.

        Raises:
            InputError: there are checkpoints, but none is whole, or the caller asks for
                more whole checkpoints than there are.
        """
        found = self._iterations()
        sealed = {number for number in found if self.has_sums(number)}
        skipped = []
        for number in found:
            damage = self._damage(number) if sealed else None
            if damage:
                skipped.append(damage)
                continue
            if skipped:
                print(
                    f"{self.directory}: {'; '.join(skipped)}: iteration {number} is "
                    "the newest whole checkpoint.",
                    flush=True,
                )
                skipped = []
            yield number
        if found:
            raise self._none_whole(skipped)

    def check(self) -> None:
        """Checks, without printing, that a checkpoint is whole if there are any.

        Raises:
            InputError: there are checkpoints, but none is whole.
        """
        found = self._iterations()
        sealed = any(map(self.has_sums, found))
        damages = [self._damage(number) for number in found if sealed]
        if damages and all(damages):
            raise self._none_whole(damages)

    def _none_whole(self, damages: Iterable[str | None]) -> InputError:
        reasons = "; ".join(filter(None, damages))
        return InputError(
            f"no whole checkpoint in {self.directory}{reasons and f' ({reasons})'}: "
            "mend that, copy it anew from where it is whole, or start over with "
            "another --run_dir."
        )

    def newest_whole(self) -> int | None:
        """Returns the iteration of the newest whole checkpoint; None without any.

        Raises:
            InputError: there are checkpoints, but none is whole.
        """
        return next(self.whole(), None)

    def has_sums(self, iteration: int) -> bool:
        """Returns True if a checkpoint has sums."""
        return self._sums(iteration).exists()

    def seal(self, iteration: int) -> None:
        """Writes the sums of a checkpoint that was written or read completely."""
        names = [path.name for path in self._files(iteration)]
        for name in names:
            with (self.directory / name).open("rb") as file:
                os.fsync(file.fileno())
        record = {
            "iteration": iteration,
            "files": describe_files(self.directory, names),
        }
        atomic.write_json(self._sums(iteration), seal(record))

    def keep(self, iteration: int, count: int) -> None:
        """Removes all but the newest checkpoints, and writes TensorFlow's list of them.

        Args:
            iteration: Iteration of the newest checkpoint to keep. Later checkpoints
                hold a state that the run has gone back from.
            count: Number of checkpoints to keep; 0 keeps all.
        """
        sealed = [
            number
            for number in self._iterations()
            if number <= iteration and self.has_sums(number)
        ]
        kept = sealed[:count] if count else sealed
        lines = [f'model_checkpoint_path: "{self.prefix(kept[0]).name}"']
        lines += [
            f'all_model_checkpoint_paths: "{self.prefix(number).name}"'
            for number in reversed(kept)
        ]
        atomic.write_text(self.directory / "checkpoint", "\n".join(lines) + "\n")
        for path, number, suffix in self._entries():
            if number not in kept or suffix.startswith("_temp"):
                self._remove(path)

    def remove(self, iteration: int) -> None:
        """Removes all files of a checkpoint."""
        for path, number, _ in self._entries():
            if number == iteration:
                self._remove(path)

    def _remove(self, path: pathlib.Path) -> None:
        with contextlib.suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _entries(self) -> list[tuple[pathlib.Path, int, str]]:
        """Returns path, iteration and rest of the name of each file; sums first."""
        if not self.directory.is_dir():
            return []
        matches = [
            (path, _NAME.fullmatch(path.name)) for path in self.directory.iterdir()
        ]
        entries = [(path, int(m[1]), m[2]) for path, m in matches if m]
        # Sums are removed first, so that a half-removed checkpoint is not whole.
        return sorted(entries, key=lambda entry: entry[2] != _SUMS)

    def _iterations(self) -> list[int]:
        """Returns the iterations of checkpoints that have an index or sums."""
        numbers = {n for _, n, suffix in self._entries() if suffix in (".index", _SUMS)}
        return sorted(numbers, reverse=True)

    def _files(self, iteration: int) -> list[pathlib.Path]:
        return [
            path
            for path, number, suffix in self._entries()
            if number == iteration and suffix.startswith((".index", ".data-"))
        ]

    def _sums(self, iteration: int) -> pathlib.Path:
        return self.prefix(iteration).with_name(f"iteration-{iteration}{_SUMS}")

    def _damage(self, iteration: int) -> str | None:
        """Returns a description of a checkpoint's damage; None if it is whole."""
        sums = self._sums(iteration)
        try:
            record = read_json(sums)
            files = record.get("files")
            if not is_sealed(record) or not files:
                return f"{sums.name} is damaged"
            for name, expected in files.items():
                # Anyone can compute sums, even of /dev/zero: only names of this
                # checkpoint are opened.
                found = _NAME.fullmatch(name)
                if not found or int(found[1]) != iteration:
                    return f"{sums.name} is damaged"
                path = self.directory / name
                if path.exists() and not path.is_file():
                    return f"{name} is no file"
                if path.is_file() and path.stat().st_size != expected["bytes"]:
                    return f"{name} is not as it was written"
                if describe_files(self.directory, [name])[name] != expected:
                    return f"{name} is not as it was written"
        except FileNotFoundError as error:
            if error.filename == str(sums):
                return f"{self.prefix(iteration).name} was not written to the end"
            return f"{pathlib.Path(error.filename).name} is missing"
        except OSError as error:
            return f"{self.prefix(iteration).name} cannot be read ({error.strerror})"
        except (AttributeError, KeyError, TypeError, ValueError):
            return f"{sums.name} is damaged"
        return None
