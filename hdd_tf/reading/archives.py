"""Downloads the archives of TinyImageNet and ImageWoof, and unpacks them."""

import os
import pathlib
import shutil
from typing import Any

from hdd_tf.data.names import Request
from hdd_tf.errors import InputError
from hdd_tf.reading.tfds_builders import downloading
from hdd_tf.reading.unpacked import ARCHIVES, find_unpacked


def fetch_archive(name: str, root: Any) -> pathlib.Path:
    """Downloads a set and unpacks it where `find_unpacked` finds it from then on.

    TFDS downloads: the archive lies in `downloads/`, as those of its own sets do.

    Args:
        name: `tiny_imagenet` or `imagewoof`.
        root: `tfds.core.Path` of a directory of data sets.

    Returns:
        The unpacked folder, in that directory.

    Raises:
        InputError: it cannot be downloaded, or unpacks to something else.
    """
    import tensorflow_datasets as tfds

    archive = ARCHIVES[name]
    url_infos = {}
    if archive.sha256:  # Else TFDS has nothing to compare the download with.
        url_infos[archive.url] = tfds.core.download.checksums.UrlInfo(
            size=archive.num_bytes,
            checksum=archive.sha256,
            filename=archive.url.rpartition("/")[2],
        )
    mend = (
        f"where there is a network, download {archive.url}, unpack it, and give the "
        "directory it is in with --data_dir"
    )
    with downloading(Request(name, "", ""), root, [archive.url], mend):
        manager = tfds.download.DownloadManager(
            download_dir=root / "downloads", url_infos=url_infos, dataset_name=name
        )
        extracted = manager.download_and_extract(archive.url)
        place = pathlib.Path(os.fspath(extracted))
        found = find_unpacked(name, place)
        if found is None or found == place:
            raise InputError(
                f"the archive of {name} does not unpack to {archive.folders} with "
                "train/ and val/: it has changed."
            )
        folder = pathlib.Path(root) / found.name
        found.rename(folder)
        # TFDS would take what is left for the whole archive.
        shutil.rmtree(place)
    return folder
