"""Paths of very many files, in little memory."""

import array
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import overload


class Paths(Sequence[pathlib.Path]):
    """Paths of files, of which memory has a folder once and each name as bytes.

    A million of `pathlib.Path` would take half a gigabyte, and as texts a fifth of one.
    Here each takes its name and a dozen bytes.

    Args:
        paths: The paths.
    """

    def __init__(self, paths: Iterable[str | os.PathLike[str]] = ()) -> None:
        self._folders: list[str] = []
        self._number_of: dict[str, int] = {}
        # Of each path the folder's number, and where its name ends in all names.
        self._numbers = array.array("I")
        self._ends = array.array("q")
        self._names = bytearray()
        self.extend(paths)

    def append(self, path: str | os.PathLike[str]) -> None:
        """Adds a path at the end."""
        folder, name = os.path.split(os.fspath(path))
        self._add(folder, os.fsencode(name))

    def extend(self, paths: Iterable[str | os.PathLike[str]]) -> None:
        """Adds paths at the end."""
        if isinstance(paths, Paths):
            for row in range(len(paths)):
                self._add(*paths._parts(row))
        else:
            for path in paths:
                self.append(path)

    def take(self, rows: Iterable[int]) -> "Paths":
        """Returns the paths at `rows`, in that order, as a copy."""
        chosen = Paths()
        for row in rows:
            chosen._add(*self._parts(row))
        return chosen

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, row: int) -> pathlib.Path: ...

    @overload
    def __getitem__(self, row: slice) -> "Paths": ...

    def __getitem__(self, row: int | slice) -> "pathlib.Path | Paths":
        if isinstance(row, slice):
            return self.take(range(*row.indices(len(self))))
        folder, name = self._parts(row)
        return pathlib.Path(folder, os.fsdecode(name))

    def __iter__(self) -> Iterator[pathlib.Path]:
        return (self[row] for row in range(len(self)))

    def below(self, folder: str | os.PathLike[str]) -> Iterator[tuple[str, str]]:
        """Yields each path as it is below a folder, and as it is."""
        starts = [os.path.relpath(each or os.curdir, folder) for each in self._folders]
        starts = ["" if start == os.curdir else start for start in starts]
        for row, number in enumerate(self._numbers):
            whole, encoded = self._parts(row)
            name = os.fsdecode(encoded)
            yield os.path.join(starts[number], name), os.path.join(whole, name)

    def _parts(self, row: int) -> tuple[str, bytes]:
        """Returns the folder of a path, and its name."""
        row = range(len(self))[row]  # Also from the end; raises outside.
        start = self._ends[row - 1] if row else 0
        return self._folders[self._numbers[row]], bytes(
            self._names[start : self._ends[row]]
        )

    def _add(self, folder: str, name: bytes) -> None:
        number = self._number_of.setdefault(folder, len(self._folders))
        if number == len(self._folders):
            self._folders.append(folder)
        self._numbers.append(number)
        self._names += name
        self._ends.append(len(self._names))
