import pytest

from hdd_tf.data.catalogue import (
    PUBLISHED,
    canonical_name,
    published_normalisation,
)
from hdd_tf.methods.registry import METHODS


def test_aliases():
    assert canonical_name("svhn") == canonical_name("SVHN") == "svhn_cropped"
    for alias in ("tinyimagenet", "TinyImageNet", "tiny-imagenet-200"):
        assert canonical_name(alias) == "tiny_imagenet"
    assert canonical_name("ImageWoof") == canonical_name("imagewoof2") == "imagewoof"
    assert canonical_name("MySet") == "MySet"
    assert canonical_name("folder:SVHN") == "folder:SVHN"


def test_constants_fit_each_other():
    for published in PUBLISHED.values():
        assert len(published.mean) == len(published.std)
        assert all(0 < value < 1 for value in published.mean + published.std)


@pytest.mark.parametrize("method", ["idm", "dance"])
def test_cifar100_is_normalised_as_the_method_publishes(method):
    own = published_normalisation("cifar100", METHODS["dm"].normalised_as)
    assert own == ((0.5071, 0.4866, 0.4409), (0.2673, 0.2564, 0.2762))
    cifar10 = published_normalisation("cifar10", {})
    assert cifar10 == ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
    normalised_as = METHODS[method].normalised_as
    assert published_normalisation("cifar100", normalised_as) == cifar10


@pytest.mark.parametrize("method", ["dm", "idm", "dance"])
@pytest.mark.parametrize("name", ["tiny_imagenet", "imagewoof"])
def test_sets_of_imagenet_have_its_normalisation(name, method):
    mean, std = published_normalisation(name, METHODS[method].normalised_as)
    assert (mean, std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_other_sets_have_none():
    assert published_normalisation("digits", {}) is None
