import numpy as np
import pytest
from PIL import Image

from hdd_tf.artifacts import pictures


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
