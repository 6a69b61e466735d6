"""What a command may write to within the folder of its own images."""

import pytest

from hdd_tf.config import Config
from hdd_tf.errors import InputError
from hdd_tf.reading.folders.own_places import refuse_own_places

LAYOUTS = {
    "classes": ("cat", "dog"),
    "splits": ("train/cat", "train/dog", "test/cat", "test/dog"),
    "wrapped": ("all/train/cat", "all/train/dog", "all/test/cat", "all/test/dog"),
}


@pytest.fixture
def check(tmp_path):
    def check(layout, settings=(), **places):
        root = tmp_path / "pets"
        for name in LAYOUTS[layout]:
            (root / name).mkdir(parents=True)
            (root / name / "0.png").write_bytes(b"")
        places = {name: str(root / place) for name, place in places.items()}
        more = {"run_dir": str(tmp_path / "run"), "expert_dir": str(tmp_path / "e")}
        refuse_own_places(
            Config(dataset=f"folder:{root}", **{**more, **places, **dict(settings)})
        )

    return check


@pytest.mark.parametrize(
    ("layout", "place", "said"),
    [
        ("classes", "run", "where run would be a class"),
        ("classes", "cat/run", "where cat would be a class"),
        ("splits", "train/run", "where run would be a class"),
        ("splits", "validation", "where validation would be a split"),
        ("wrapped", "run/x", "where run would hide the folders of the splits"),
        ("wrapped", "all/test/run", "where run would be a class"),
        ("wrapped", "all/Val/run", "where Val would be a split"),
    ],
)
def test_what_would_be_read_is_refused(check, layout, place, said):
    with pytest.raises(InputError, match=said):
        check(layout, run_dir=place)


@pytest.mark.parametrize(
    ("layout", "place"),
    [
        ("classes", ".runs/one"),
        ("classes", "../pets run"),
        ("splits", "runs/one"),
        ("wrapped", "all/runs/one"),
    ],
)
def test_what_is_not_read_is_let_be(check, layout, place):
    check(layout, run_dir=place)


@pytest.mark.parametrize("name", ["expert_dir", "data_cache", "bank_dir"])
def test_shared_directories_may_not_be_the_folder_itself(check, name):
    settings = {"real_bank_size": 2, "bank_over": "all"}
    with pytest.raises(InputError, match=f"--{name}=.* what it keeps would be a class"):
        check("classes", settings, **{name: ""})
