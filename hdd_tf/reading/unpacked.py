"""TinyImageNet and ImageWoof as their archives unpack: finding and listing them."""

import dataclasses
import pathlib
import re

import numpy as np

from hdd_tf.errors import InputError
from hdd_tf.files.json_files import read_ordinary_file
from hdd_tf.reading.folders.class_folders import FolderLister, ImageFiles, list_classes
from hdd_tf.reading.folders.compact_paths import Paths

# fastai's ImageWoof, in the order of labels that folders in alphabetical order give.
IMAGEWOOF_CLASSES = {
    "n02086240": "Shih-Tzu",
    "n02087394": "Rhodesian ridgeback",
    "n02088364": "beagle",
    "n02089973": "English foxhound",
    "n02093754": "Border terrier",
    "n02096294": "Australian terrier",
    "n02099601": "golden retriever",
    "n02105641": "Old English sheepdog",
    "n02111889": "Samoyed",
    "n02115641": "dingo",
}
_WNID = re.compile(r"n\d{8}")
# Of the texts beside the images; all of WordNet has 3 MB.
_MOST_BYTES = 64 * 2**20
_ANNOTATIONS = pathlib.Path("val", "val_annotations.txt")


@dataclasses.dataclass(frozen=True)
class Archive:
    """Where a set comes from.

    Attributes:
        url: The archive.
        folders: Pattern of the folder that it unpacks to.
        size: Height and width of the set's images.
        num_bytes: Length of the archive; 0 where it is not known here.
        sha256: Its checksum, as those record it who have downloaded it; or empty.
    """

    url: str
    folders: str
    size: int
    num_bytes: int = 0
    sha256: str = ""


ARCHIVES = {
    "tiny_imagenet": Archive(
        "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        "tiny-imagenet-200",
        64,
        248_100_043,
        "6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
    ),
    # The short side has 160 pixels, enough for 128; in imagewoof2.tgz, 15 times as
    # large, it has those of ImageNet.
    "imagewoof": Archive(
        "https://s3.amazonaws.com/fast-ai-imageclas/imagewoof2-160.tgz",
        "imagewoof*",
        128,
    ),
}


@dataclasses.dataclass(frozen=True, eq=False)
class UnpackedFiles:
    """The files of an unpacked set; a partial copy has fewer, perhaps fewer classes.

    Attributes:
        training: The split `train`.
        test: The split `val`, on which scores are published.
        label_names: One name per class.
    """

    training: ImageFiles
    test: ImageFiles
    label_names: tuple[str, ...]


def find_unpacked(name: str, directory: pathlib.Path) -> pathlib.Path | None:
    """Returns the folder of an unpacked set, or None.

    Args:
        name: `tiny_imagenet` or `imagewoof`.
        directory: That folder, or one that it lies in.

    Raises:
        InputError: several are there.
    """
    if _is_unpacked(name, directory):
        return directory
    candidates = sorted(directory.glob(ARCHIVES[name].folders))
    found = [folder for folder in candidates if _is_unpacked(name, folder)]
    if len(found) > 1:
        raise InputError(
            f"{directory} has several copies of {name}: give one of them with "
            f"--data_dir, {' or '.join(map(str, found))}."
        )
    return found[0] if found else None


def list_unpacked(name: str, folder: pathlib.Path) -> UnpackedFiles:
    """Lists the images of an unpacked set, class after class in the order of wnids.

    Args:
        name: `tiny_imagenet` or `imagewoof`.
        folder: As `find_unpacked` returns it.

    Raises:
        InputError: files are missing that cannot be.
    """
    lister = FolderLister(folder)
    training = {path.name: path for path in lister.folders(folder / "train")}
    if not training:
        raise InputError(f"{folder / 'train'} has no class folders: unpack it again.")
    wnids = sorted(training)
    names = _tiny_names(folder) if name == "tiny_imagenet" else IMAGEWOOF_CLASSES
    strange = [wnid for wnid in wnids if names and wnid not in names]
    if strange:
        raise InputError(
            f"{training[strange[0]]} is no class of {name}: take it out, or give the "
            f"folder as --dataset=folder:{folder}."
        )
    if name == "tiny_imagenet" and (folder / _ANNOTATIONS).is_file():
        test = _annotated_files(folder, wnids)
    else:
        held_out = {path.name: path for path in lister.folders(folder / "val")}
        test = list_classes(lister, held_out, wnids)
    return UnpackedFiles(
        list_classes(lister, training, wnids),
        test,
        tuple(names.get(wnid, wnid) for wnid in wnids),
    )


def _is_unpacked(name: str, folder: pathlib.Path) -> bool:
    if not ((folder / "train").is_dir() and (folder / "val").is_dir()):
        return False
    if name == "tiny_imagenet":
        return (folder / "wnids.txt").is_file()
    wnids = {path.name for path in (folder / "train").glob("n*")}
    return bool(wnids) and wnids <= set(IMAGEWOOF_CLASSES)


def _tiny_names(folder: pathlib.Path) -> dict[str, str]:
    """Returns the name of each class: its first synonym, its wnid where that is shared.

    `words.txt` has all of WordNet, in which two things may have one name.
    """
    wnids = sorted(_WNID.findall(_read_text(folder / "wnids.txt")))
    words = {}
    if (folder / "words.txt").is_file():
        for line in _read_text(folder / "words.txt").splitlines():
            wnid, _, synonyms = line.partition("\t")
            words[wnid] = synonyms.split(",")[0].strip()
    first = [words.get(wnid) or wnid for wnid in wnids]
    return {
        wnid: word if first.count(word) == 1 else wnid
        for wnid, word in zip(wnids, first, strict=True)
    }


def _read_text(path: pathlib.Path) -> str:
    try:
        return read_ordinary_file(path, _MOST_BYTES).decode("utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged: unpack the archive again.") from error


def _annotated_files(folder: pathlib.Path, wnids: list[str]) -> ImageFiles:
    """Lists `val/images` by the class that `val_annotations.txt` gives each file."""
    annotations = {}
    for line in _read_text(folder / _ANNOTATIONS).splitlines():
        file_name, wnid, *_ = [*line.split("\t"), "", ""]
        annotations[file_name] = wnid
    labels = {wnid: label for label, wnid in enumerate(wnids)}
    files: list[tuple[int, pathlib.Path]] = []
    for path in FolderLister(folder).images(folder / "val" / "images"):
        if path.name not in annotations:
            raise InputError(
                f"{folder / _ANNOTATIONS} does not name {path.name}: the copy is "
                "damaged, unpack the archive again."
            )
        # Of a class that a partial copy has no training images of.
        if annotations[path.name] in labels:
            files.append((labels[annotations[path.name]], path))
    files.sort(key=lambda file: file[0])  # Stable: of a class in the order of names.
    return ImageFiles(
        Paths(path for _, path in files),
        np.array([label for label, _ in files], np.int64),
    )
