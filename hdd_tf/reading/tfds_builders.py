"""Finds data sets that TFDS has prepared, or lets TFDS download them."""

import contextlib
import fnmatch
import json
import os
import re
import sys
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import Any

from hdd_tf.data.names import INFO_FILE, Request, root_directory, unknown_name
from hdd_tf.errors import InputError
from hdd_tf.reading.tfds_features import calling_tfds, classification_features
from hdd_tf.reading.tfds_trust import PREPARE_ANEW, check_features_file, check_records

_VERSION = re.compile(r"\d+\.\d+\.\d+")
# What TFDS itself leaves: partial downloads, and the name of a default configuration.
_UNFINISHED = re.compile(r"\.tmp\.|^\.config$")
_PROBED_HOSTS = 3
_PROBE_SECONDS = 5.0


def data_root(data_dir: str | None) -> Any:
    """Returns the `tfds.core.Path` of a directory of data sets.

    Args:
        data_dir: The directory; None for TFDS's default.
    """
    import tensorflow_datasets as tfds

    return tfds.core.Path(root_directory(data_dir)).expanduser()


def open_builder(
    request: Request, data_dir: str | None, image_size: tuple[int, int] | None = None
) -> Any:
    """Opens a prepared data set, and downloads a missing one first.

    Args:
        request: Name of the data set. Without a version, the newest prepared one is
            opened.
        data_dir: Directory of prepared data sets, or of a single one; None for TFDS's
            default.
        image_size: Height and width that images will be fitted to; None for their own.

    Returns:
        `tfds.core.DatasetBuilder`, prepared.

    Raises:
        InputError: there is no such data set, it is damaged, or it is missing and
            cannot be downloaded.
    """
    import tensorflow_datasets as tfds

    root = data_root(data_dir)
    directory = find_prepared(request, root) or _download(request, root, image_size)
    check_features_file(directory)
    with calling_tfds(f"{directory} cannot be read: {PREPARE_ANEW}"):
        builder = tfds.builder_from_directory(directory)
        check_records(builder)
    there = Request(
        builder.info.name, builder.info.config_name or "", str(builder.info.version)
    )
    # Only a directory that is itself a data set can be another than asked for.
    if any(
        asked and not fnmatch.fnmatchcase(found, asked)
        for asked, found in zip(request, there, strict=True)
    ):
        raise InputError(
            f"--data_dir={directory} holds the data set {there}, not {request}."
        )
    return builder


def find_prepared(request: Request, root: Any) -> Any | None:
    """Returns the directory of a prepared data set; None if there is none.

    Args:
        request: Name of the data set.
        root: `tfds.core.Path` of a directory of data sets, or of one data set.

    Raises:
        InputError: several configurations are prepared, and `request` names none.
    """
    if (root / INFO_FILE).exists():
        return root
    home = root / request.name
    if request.config or not home.is_dir():
        return _newest_version(home / request.config, request.version)
    directory = _newest_version(home, request.version)
    if directory is not None:
        return directory
    configs = {
        child.name: found
        for child in home.iterdir()
        if (found := _newest_version(child, request.version)) is not None
    }
    if len(configs) <= 1:
        return next(iter(configs.values()), None)
    metadata = home / ".config" / "metadata.json"
    with contextlib.suppress(OSError, ValueError, KeyError):
        return configs[json.loads(metadata.read_text())["default_config_name"]]
    raise InputError(
        f"{home} holds several configurations, and --dataset={request} says none: give "
        + " or ".join(f"{request.name}/{config}" for config in sorted(configs))
        + "."
    )


def _newest_version(directory: Any, pattern: str) -> Any | None:
    if not directory.is_dir():
        return None
    versions = [
        child
        for child in directory.iterdir()
        if _VERSION.fullmatch(child.name)
        and fnmatch.fnmatchcase(child.name, pattern or "*")
        and (child / INFO_FILE).exists()
    ]
    return max(
        versions,
        key=lambda child: tuple(map(int, child.name.split("."))),
        default=None,
    )


def _download(request: Request, root: Any, image_size: tuple[int, int] | None) -> Any:
    """Downloads and prepares a data set, and returns its directory."""
    import tensorflow_datasets as tfds

    names = tfds.list_builders(with_community_datasets=False)
    if request.name not in names:
        raise unknown_name(request, root, names)
    with calling_tfds(f"TFDS cannot make {request}"):
        builder = tfds.builder(str(request), data_dir=os.fspath(root))
        # Before gigabytes are downloaded.
        classification_features(builder.info, image_size)
    mend = (
        f"where there is a network, run `tfds build {request} --data_dir=DIR`, then "
        "give that DIR with --data_dir"
    )
    with downloading(request, root, list(builder.url_infos or ()), mend):
        builder.download_and_prepare()
    return builder.data_path


@contextlib.contextmanager
def downloading(
    request: Request, root: Any, urls: Sequence[str], mend: str
) -> Iterator[None]:
    """Runs a download by TFDS; what fails leaves nothing unfinished behind.

    Args:
        request: What is not there.
        root: `tfds.core.Path` of the directory of data sets to download it to.
        urls: Where it comes from, as far as that is known.
        mend: What a user can do who has no network.

    Raises:
        InputError: no host can be reached, or the block fails.
    """
    missing = f"{request} is not prepared in {root}"
    if not root.exists():
        missing += " (no such directory)"
    _check_network(urls, missing, mend)
    with (
        calling_tfds(f"{missing} and cannot be downloaded: {mend}"),
        _nothing_unfinished(root, request.name),
        # TFDS's notes do not belong among the program's results.
        contextlib.redirect_stdout(sys.stderr),
    ):
        yield


def _check_network(urls: Sequence[str], missing: str, mend: str) -> None:
    """Raises InputError if no host that a data set comes from can be reached.

    TFDS itself would try again for minutes, because it has no time limit.
    """
    import requests

    hosts: dict[str, str] = {}
    for url in urls:
        if url.startswith("http"):
            hosts.setdefault(urllib.parse.urlsplit(url).netloc, url)
    for url in list(hosts.values())[:_PROBED_HOSTS]:
        # Any answer will do: some hosts refuse HEAD requests.
        with contextlib.suppress(requests.RequestException):
            requests.head(url, timeout=_PROBE_SECONDS)
            return
    if hosts:
        raise InputError(
            f"{missing} and cannot be downloaded, as {next(iter(hosts))} cannot be "
            f"reached from here: {mend}."
        )


@contextlib.contextmanager
def _nothing_unfinished(root: Any, name: str) -> Iterator[None]:
    """Removes the remains of a failed or interrupted download, but no finished file."""
    patterns = [
        f"{top}{below}" for top in ("downloads", name) for below in ("", "/*", "/*/*")
    ]
    patterns.append(f"{name}/.config")

    def entries() -> set[Any]:
        found = {path for pattern in patterns for path in root.glob(pattern)}
        return found | ({root} if root.exists() else set())

    before = entries()
    try:
        yield
    except BaseException:
        # The deepest first, so that directories are empty when it is their turn.
        for path in sorted(entries() - before, key=lambda path: -len(path.parts)):
            if path.is_dir() and (
                _UNFINISHED.search(path.name) or not any(path.iterdir())
            ):
                path.rmtree()
        raise
