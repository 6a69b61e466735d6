import numpy as np
import pytest
from PIL import Image

from hdd_tf.artifacts import pictures
from hdd_tf.artifacts.drawing import page_layout
from hdd_tf.artifacts.drawing.drawn_text import short_names


def test_cells_lie_where_rows_and_columns_say():
    # One grey level a cell: 10 * row + column.
    levels = 10 * np.arange(3)[:, None] + np.arange(4)
    images = np.broadcast_to(levels[:, :, None, None, None], (3, 4, 32, 20, 1))
    grid = pictures.grid_array(images.astype(np.float32))
    # Enlarged 3 times, to 96 x 60, with gaps of 2 all around.
    assert grid.shape == (2 + 3 * (96 + 2), 2 + 4 * (60 + 2), 3)
    assert grid.dtype == np.uint8
    for row in range(3):
        for column in range(4):
            top, left = 2 + 98 * row, 2 + 62 * column
            cell = grid[top : top + 96, left : left + 60]
            assert (cell == 10 * row + column).all()
    gaps = np.ones(grid.shape[:2], bool)
    for row in range(3):
        for column in range(4):
            gaps[2 + 98 * row :, 2 + 62 * column :][:96, :60] = False
    assert (grid[gaps] == 255).all()


def test_pixels_of_a_cell_keep_their_place_and_colour():
    image = np.zeros([1, 1, 2, 3, 3], np.float32)
    image[0, 0, 1, 2] = [250.4, 120.5001, 3.0]
    grid = pictures.grid_array(image)
    cell = grid[2:-2, 2:-2]
    factor = cell.shape[0] // 2
    assert cell.shape == (2 * factor, 3 * factor, 3)
    np.testing.assert_array_equal(cell[factor:, 2 * factor :][0, 0], [250, 121, 3])
    assert (cell[:factor] == 0).all()


def test_values_outside_are_clipped_and_nothing_warns():
    image = np.array([-5, 300, np.nan, np.inf, -np.inf, 255], np.float32)
    grid = pictures.grid_array(image.reshape(1, 6, 1, 1, 1))
    centres = grid[2 + 48, 2 + 48 :: 98, 0]
    np.testing.assert_array_equal(centres, [0, 255, 0, 255, 0, 255])


@pytest.mark.parametrize(
    "shape", [(100, 50, 32, 32, 3), (200, 60, 64, 64, 3), (10, 500, 128, 128, 1)]
)
def test_large_sets_stay_viewable(shape):
    grid = pictures.grid_array(np.zeros(shape, np.float32), ["name"] * shape[0])
    assert max(grid.shape) <= 3500
    # As much as fits is shown: all of CIFAR-100 at IPC 50.
    if shape[0] == 100:
        assert grid.shape[0] == 2 + 100 * 34
        assert grid.shape[1] > 50 * 34


def test_small_sets_are_enlarged():
    one_per_class = pictures.grid_array(np.zeros([10, 1, 28, 28, 1], np.float32))
    assert one_per_class.shape[0] == 2 + 10 * (3 * 28 + 2)
    assert pictures.grid_array(np.zeros([1, 1, 8, 8, 1])).shape[0] >= 96


def test_labels_stand_left_of_their_rows():
    images = np.zeros([3, 2, 32, 32, 3], np.float32)
    plain = pictures.grid_array(images)
    names = ["cat", "n02086240, Shih-Tzu dog", "žluťoučký"]
    labelled = pictures.grid_array(images, names)
    margin = labelled.shape[1] - plain.shape[1]
    assert margin > 0
    # The images have not moved otherwise and the names do not reach into them.
    np.testing.assert_array_equal(labelled[:, margin:], plain)
    ink = (labelled[:, :margin] < 128).any(axis=(1, 2))
    row_height = (plain.shape[0] - 2) // 3
    for row in range(3):
        assert ink[2 + row * row_height :][:row_height].any()
    # A name too long is cut; the margin is as wide as the names need.
    long, longer = (pictures.grid_array(images, [n * "m"] * 3) for n in (16, 60))
    short = pictures.grid_array(images, ["m"] * 3)
    assert abs(long.shape[1] - longer.shape[1]) < 10
    assert long.shape[1] - short.shape[1] > 50


def test_long_names_are_cut_where_they_differ():
    names = ["Canon EOS 5D Mark II", "Canon EOS 5D Mark III", "cat", "a very long name"]
    short = short_names([*names, "another name that is too long"])
    assert short[2:] == ["cat", "a very long name", "another name th~"]
    assert len(set(short)) == 5 and short[1].startswith("Canon") and "III" in short[1]
    # A name spelt in codes is cut between two of them.
    assert short_names(["\u732b" * 9])[0] == r"\u732b" * 5 + "~"


@pytest.mark.parametrize(("shape", "pages"), [
    ((100, 1, 8, 8, 1), 1), ((1000, 1, 32, 32, 3), 1), ((1000, 10, 32, 32, 1), 2),
])  # fmt: skip
def test_many_classes_are_readable(shape, pages):
    """No row is lower than its name, and what is left out is said."""
    images = np.broadcast_to(np.zeros(1, np.float32), shape)
    names = [f"class {k}" for k in range(shape[0])]
    said = []
    title_strip = pictures.title_strip

    def told(title, width):
        said.append(title)
        return title_strip(title, width)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "title_strip", told)
        found = list(pictures.pages(images, names, "set"))
    assert len(found) == len(said) == pages
    assert max(max(page.shape) for page in found) <= 3500
    if pages == 1:
        assert said == ["set"]
        assert found[0].shape[0] * (found[0].shape[1] // 100) > 14 * shape[0]
    else:
        assert said[1] == "set; classes 505-1,000 of 1,000 (page 2 of 2)"


def test_pages_that_nobody_would_look_at_are_not_drawn(monkeypatch):
    monkeypatch.setattr(page_layout, "_MAX_SIDE", 200)
    images, said = np.zeros([1000, 1, 30, 30, 1]), []
    monkeypatch.setattr(
        pictures,
        "title_strip",
        lambda title, width: said.append(title) or np.zeros([14, width, 3], np.uint8),
    )
    found = list(pictures.pages(images, title="set"))
    assert len(found) == len(said) == 10
    # Four below each other, and five side by side.
    assert said[-1] == "set; classes 181-200 of 1,000 (page 10 of 10)"


def test_images_that_are_left_out_are_said(monkeypatch):
    said = []
    monkeypatch.setattr(
        pictures,
        "title_strip",
        lambda title, width: said.append(title) or np.zeros([14, width, 3], np.uint8),
    )
    pictures.grid_array(np.zeros([2, 200, 32, 32, 1]), title="set")
    assert said == ["set; the first 102 of 200 images of each class"]


def test_further_pages_of_an_earlier_picture_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(page_layout, "_MAX_SIDE", 300)
    images, file = np.zeros([9, 3, 64, 64, 1]), tmp_path / "final.png"
    pictures.save_grid(file, images, most=pictures.MOST_PAGES)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"final.png", "final_page2.png", "final_page3.png"}
    (tmp_path / "final_page2.png.txt").write_text("mine")
    pictures.save_grid(file, images)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"final.png", "final_page2.png.txt"}


def test_a_png_is_written(tmp_path):
    images = np.random.default_rng(0).uniform(-20, 280, [4, 2, 8, 8, 3])
    pictures.save_grid(tmp_path / "pictures" / "a.png", images, list("abcd"))
    with Image.open(tmp_path / "pictures" / "a.png") as picture:
        assert picture.format == "PNG"
        np.testing.assert_array_equal(
            np.asarray(picture), pictures.grid_array(images, list("abcd"))
        )


def test_other_shapes_are_refused():
    for shape in [(2, 8, 8, 3), (1, 1, 8, 8, 2), (0, 1, 8, 8, 3)]:
        with pytest.raises(ValueError, match="rows, columns"):
            pictures.grid_array(np.zeros(shape))
    with pytest.raises(ValueError, match="2 or more"):
        pictures.grid_array(np.zeros([2, 1, 8, 8, 3]), ["only one"])
