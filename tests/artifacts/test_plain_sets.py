"""Sets that carry nothing but images and labels have the bytes they always had."""

import hashlib
import json

import numpy as np
import pytest

from hdd_tf.artifacts.encodings.registry import ENCODINGS
from hdd_tf.artifacts.sets.distilled_set import DistilledSet, write_distilled_set

# Digests at ac4884a, before sets could carry anything else: of all files, and of what
# hdd_tf.json says, in its order.
RECORDED = {
    "float32": ("9c20e3a07b99a79e", "66551288bf0b6da7"),
    "png": ("765d97a44d8447f9", "d8fd8bacce409753"),
    "png_folder": ("79d1d24d5fcc6c5b", "9cf1e29300bcde4e"),
    "npz": ("e683433dea4fc47a", "cb1674748cbd9b8d"),
    "dd_ranking": ("ed5b9974ad3d3b4f", "99c37ffd20c42e53"),
}


def digests(directory):
    """Returns the digests of a set's files and of its description."""
    files = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name != "hdd_tf.json":
            name = path.relative_to(directory).as_posix()
            files.update(f"{name} {path.stat().st_size}\n".encode())
            files.update(path.read_bytes())
    metadata = json.loads((directory / "hdd_tf.json").read_text("utf-8"))
    # The files have their own digest, and the versions are those of the day.
    for key in ("versions", "files", "sha256_of_this_object"):
        del metadata[key]
    said = hashlib.sha256(json.dumps(metadata).encode())
    return files.hexdigest()[:16], said.hexdigest()[:16]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_plain_sets_have_the_recorded_bytes(tmp_path, encoding):
    values = np.arange(5 * 6 * 4 * 3, dtype=np.float32) * np.float32(0.75) - 9
    plain = DistilledSet(
        images=values.reshape(5, 6, 4, 3),
        labels=np.array([2, 0, 1, 0, 2]),
        metadata={
            "dataset": "cifar10", "label_names": ["a", "b/c", "č"], "mean": [0.1] * 3,
            "std": [0.25] * 3, "objective": "dm", "geometry": "hyperbolic",
            "source": {"seed": 3, "curvature": -1 / 3}, "iteration": 7,
        },
    )  # fmt: skip
    write_distilled_set(tmp_path / "set", plain, encoding)
    assert digests(tmp_path / "set") == RECORDED[encoding]
