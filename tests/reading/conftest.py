"""Tiny data sets that TFDS prepares, so that no test needs a network."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def write_set(tmp_path):
    """Writes a TFDS set of random images; returns its directory."""
    import tensorflow_datasets as tfds

    def write(
        splits=None,
        *,
        name="pictures",
        version="1.0.0",
        config=None,
        shape=(6, 5, 3),
        num_classes=3,
        labels=None,
        features=None,
        root=None,
        num_shards=1,
        in_order=True,
    ):
        """Args: `splits` maps names to numbers of images."""
        features = features or {
            "image": tfds.features.Image(shape=shape),
            "label": tfds.features.ClassLabel(num_classes=num_classes),
        }
        rng = np.random.default_rng(0)
        datasets = {}
        for split, count in (splits or {"train": 12, "test": 6}).items():
            rows = []
            for index in range(count):
                label = labels[index] if labels else index % num_classes
                row = {}
                for key, feature in features.items():
                    if isinstance(feature, tfds.features.ClassLabel):
                        row[key] = label
                    elif isinstance(feature, tfds.features.Image):
                        # A shape that is not fixed needs some actual one.
                        size = [extent or 7 + index % 2 for extent in feature.shape]
                        row[key] = rng.integers(0, 256, size).astype(feature.np_dtype)
                    else:
                        row[key] = "words"
                rows.append((index, row))
            datasets[split] = rows
        builder = tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version=version,
            config=config,
            features=tfds.features.FeaturesDict(features),
            split_datasets=datasets,
            data_dir=root or tmp_path,
            disable_shuffling=in_order,
            download_config=tfds.download.DownloadConfig(num_shards=num_shards),
        )
        return builder.data_path

    return write


@pytest.fixture
def draw_image():
    """Writes an image file of random pixels, always the same for a path's name."""

    def draw(path, height=6, width=6, mode="RGB"):
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(list(path.name.encode()))
        pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
        Image.fromarray(pixels).convert(mode).save(path)
        return path

    return draw


@pytest.fixture
def no_network(monkeypatch):
    """Makes every HTTP request fail at once; returns the addresses asked for."""
    import requests

    asked = []

    def refuse(self, method, url, **kwargs):
        asked.append(url)
        # Without a limit a network that swallows packets would hold us for minutes.
        assert 0 < kwargs["timeout"] < 20
        raise requests.ConnectionError("no network in tests")

    monkeypatch.setattr(requests.Session, "request", refuse)
    return asked
