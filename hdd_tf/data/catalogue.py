"""Data sets known by name: their aliases and published constants.

Normalisation affects the results: it scales the features' norm, and with it the radius
on the hyperboloid. So published settings come with published constants. The constants
of any other data set are computed from its training split.
"""

import dataclasses
from collections.abc import Mapping

DIGITS = "digits"
# Prefix of the directory of a user's own images.
FOLDER = "folder:"


@dataclasses.dataclass(frozen=True)
class PublishedDataset:
    """Published constants of a data set.

    Attributes:
        mean: Mean of each channel on the 0-1 scale, as in DM (Zhao & Bilen, WACV 2023).
        std: Standard deviation of each channel on the 0-1 scale, as in DM.
        num_training: Number of images of the training split.
        num_test: Number of images of the split of the published scores: the test split,
            or the validation split of a data set whose test split has no labels.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    num_training: int
    num_test: int


# ImageNet's constants, for data sets made of its images.
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)

PUBLISHED = {
    "fashion_mnist": PublishedDataset((0.2861,), (0.3530,), 60_000, 10_000),
    "svhn_cropped": PublishedDataset(
        (0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970), 73_257, 26_032
    ),
    "cifar10": PublishedDataset(
        (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010), 50_000, 10_000
    ),
    "cifar100": PublishedDataset(
        (0.5071, 0.4866, 0.4409), (0.2673, 0.2564, 0.2762), 50_000, 10_000
    ),
    "tiny_imagenet": PublishedDataset(_IMAGENET_MEAN, _IMAGENET_STD, 100_000, 10_000),
    "imagewoof": PublishedDataset(_IMAGENET_MEAN, _IMAGENET_STD, 9_025, 3_929),
}

# A mirrored digit or letter is another one, or no digit or letter at all.
HANDEDNESS_MATTERS = frozenset({DIGITS, "svhn_cropped", "mnist", "emnist", "kmnist"})

NAMED = (DIGITS, *PUBLISHED)

_ALIASES = {
    "svhn": "svhn_cropped",
    "fashionmnist": "fashion_mnist",
    "tinyimagenet": "tiny_imagenet",
    "tiny-imagenet": "tiny_imagenet",
    "tiny-imagenet-200": "tiny_imagenet",
    "imagewoof2": "imagewoof",
    "imagewoof2-160": "imagewoof",
}


def canonical_name(name: str) -> str:
    """Returns the TFDS name of an alias, in any case; other names are unchanged."""
    lower = name.lower()
    return _ALIASES.get(lower, lower if lower in NAMED else name)


def published_normalisation(
    name: str, normalised_as: Mapping[str, str]
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Returns the published mean and standard deviation, or None.

    Args:
        name: TFDS name without configuration and version.
        normalised_as: Names of data sets to which the method's program applies the
            constants of another data set, mapped to the name of that other data set.

    Returns:
        Means and standard deviations, one value a channel on the 0-1 scale; None if
        none are published.
    """
    published = PUBLISHED.get(normalised_as.get(name, name))
    if published is None:
        return None
    return published.mean, published.std
