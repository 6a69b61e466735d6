"""Which directory of decoded splits `--data_cache` means."""

import os
import pathlib
from collections.abc import Callable
from typing import NamedTuple

from hdd_tf.data_cache.cache import DataCache
from hdd_tf.errors import InputError
from hdd_tf.settings.data import CACHE_BESIDE_DATA, IN_MEMORY, NO_CACHE

# Of the cache beside the data.
FOLDER_NAME = "hdd_tf_cache"


class CacheSetting(NamedTuple):
    """Which cache a command means, before it is known where its data are.

    Attributes:
        value: As `--data_cache` takes it.
        keeps: Whether to write.
        tell: Called with a line for each split, which a dry run shows.
        store: As `--real_store` takes it.
        progress: Whether to show how far decoding is.
    """

    value: str = NO_CACHE
    keeps: bool = True
    tell: Callable[[str], object] = lambda text: None
    store: str = IN_MEMORY
    progress: bool = False

    def beside(self, data_root: str | os.PathLike) -> DataCache:
        """Returns the cache of data in a directory.

        Args:
            data_root: The directory of these data.

        Raises:
            InputError: what the setting names is a file.
        """
        if self.value in ("", NO_CACHE):
            return DataCache(None, store=self.store)
        if self.value != CACHE_BESIDE_DATA:
            directory = pathlib.Path(self.value).expanduser()
            if os.path.lexists(directory) and not directory.is_dir():
                raise InputError(
                    f"--data_cache={self.value} is no directory: give one, or "
                    f"--data_cache={NO_CACHE}"
                )
            return self._cache(directory, True)
        root = os.fspath(data_root)
        # Such as gs://, which TFDS reads too.
        beside = None if "://" in root else os.path.join(root, FOLDER_NAME)
        return self._cache(beside, False)

    def _cache(self, directory: str | os.PathLike | None, asked: bool) -> DataCache:
        return DataCache(
            directory, asked, self.keeps, self.tell, self.store, self.progress
        )


NOT_CACHED = CacheSetting()
