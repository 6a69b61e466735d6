"""Draws (ranges, frequencies, keys) and what applying them does to images."""

import math

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.errors import InputError
from hdd_tf.random_keys import derive_key

MANY = 6000
KEY = derive_key(7)


def draw_siamese(key, groups, height, width, strategy=dsa.TRANSFORMATIONS):
    """A draw as DM and IDM make it in matching."""
    return dsa.draw(key, groups, height, width, one_of=strategy)


def draw_per_image(key, count, height, width, strategy=dsa.TRANSFORMATIONS):
    """A draw as DM's evaluation makes it for a batch."""
    return dsa.draw(key, count, height, width, one_of=strategy, same_choice=True)


def random_images(*shape, seed=0, dtype=tf.float32):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), dtype)


def as_numpy(parameters):
    return dsa.DSAParameters(*(field.numpy() for field in parameters))


def assert_same_draw(first, second):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def kinds(parameters, width):
    """Says for each group which transformations visibly happened."""
    p = as_numpy(parameters)
    a0, a1, a2, _, b1, b2 = p.affine.T
    turned, mirrored = a1 != 0, (a0 == -1) & (a2 == width - 1)
    scaled = ~turned & (b1 != 1)
    return {
        "color": (p.brightness != 0) | (p.saturation != 1) | (p.contrast != 1),
        "crop": (a0 == 1) & (b1 == 1) & ((a2 != 0) | (b2 != 0)),
        "cutout": (p.cutout != 0).any(axis=1),
        "flip": mirrored,
        "scale": scaled,
        "rotate": turned,
    }


# --- Strategies ---


def test_parse_strategy():
    all_of_them = "color_crop_cutout_flip_scale_rotate"
    assert dsa.parse_strategy(all_of_them) == dsa.TRANSFORMATIONS
    assert dsa.parse_strategy("flip_color") == ("flip", "color")
    assert dsa.parse_strategy("none") == ()


@pytest.mark.parametrize("text", ["", "colour", "color_", "none_flip", "flip_flip"])
def test_parse_strategy_rejects(text):
    with pytest.raises(InputError, match=r'write "none" or different names out of'):
        dsa.parse_strategy(text)


@pytest.mark.parametrize(
    "always,one_of", [(["colour"], []), (["flip"], ["flip", "crop"]), ([], "color")]
)
def test_draw_rejects_names(always, one_of):
    with pytest.raises(ValueError, match="Not different names"):
        dsa.draw(KEY, 3, 8, 8, always=always, one_of=one_of)


# --- Draws ---


def test_each_transformation_is_drawn_one_time_in_six():
    found = kinds(draw_siamese(KEY, MANY, 32, 32), width=32)
    assert np.sum(list(found.values()), axis=0).max() == 1  # never two in one group
    # A flip mirrors every other time; a crop shifts by (0, 0) one time in 81.
    visible = {"flip": 1 / 2, "crop": 80 / 81}
    for name, happened in found.items():
        expected = visible.get(name, 1) / 6
        deviation = math.sqrt(expected * (1 - expected) / MANY)
        assert abs(happened.mean() - expected) < 4 * deviation, name


def test_a_shorter_strategy_draws_only_its_own():
    found = kinds(draw_siamese(KEY, MANY, 16, 20, ("cutout", "scale")), width=20)
    assert abs(found["cutout"].mean() - 0.5) < 0.03
    np.testing.assert_array_equal(found["scale"], ~found["cutout"])
    for name in ("color", "crop", "flip", "rotate"):
        assert not found[name].any(), name


def assert_uniform(values, low, high):
    """Checks limits, and that both ends and the middle are reached evenly."""
    assert values.min() >= low - 1e-6
    assert values.max() <= high + 1e-6
    share = np.histogram(values, bins=8, range=(low, high + 1e-6))[0] / len(values)
    np.testing.assert_allclose(share, 1 / 8, atol=4 * math.sqrt(7 / 64 / MANY))


def test_color_ranges():
    p = as_numpy(draw_siamese(KEY, MANY, 32, 32, ("color",)))
    assert_uniform(p.brightness, -0.5, 0.5)
    assert_uniform(p.saturation, 0, 2)
    assert_uniform(p.contrast, 0.5, 1.5)
    together = np.corrcoef([p.brightness, p.saturation, p.contrast])
    np.testing.assert_allclose(together, np.eye(3), atol=0.06)


def assert_every_integer(values, low, high):
    found, counts = np.unique(values, return_counts=True)
    np.testing.assert_array_equal(found, np.arange(low, high + 1))
    share = 1 / len(found)
    assert np.abs(counts / len(values) - share).max() < 4 * math.sqrt(share / MANY)


@pytest.mark.parametrize(
    "height,width,rows,columns", [(32, 32, 4, 4), (28, 20, 4, 3), (3, 4, 0, 1)]
)
def test_crop_range(height, width, rows, columns):
    p = as_numpy(draw_siamese(KEY, MANY, height, width, ("crop",)))
    assert_every_integer(p.affine[:, 2], -columns, columns)
    assert_every_integer(p.affine[:, 5], -rows, rows)
    np.testing.assert_array_equal(p.affine[:, [0, 1, 3, 4]], [[1, 0, 0, 1]] * MANY)


@pytest.mark.parametrize("height,width", [(32, 20), (28, 9), (1, 2), (5, 6)])
def test_cutout_range(height, width):
    p = as_numpy(draw_siamese(KEY, MANY, height, width, ("cutout",)))
    for side, (first, last) in (
        (height, p.cutout[:, :2].T),
        (width, p.cutout[:, 2:].T),
    ):
        length = int(0.5 * side + 0.5)
        expected = set()
        for offset in range(side + (1 - length % 2)):
            start = offset - length // 2
            expected.add((max(start, 0), min(start + length, side)))
        assert set(zip(first.tolist(), last.tolist(), strict=True)) == expected
    # Offsets are even: the mean share of rows cut is that of all places.
    places = range(height + (1 - int(0.5 * height + 0.5) % 2))
    half, length = int(0.5 * height + 0.5) // 2, int(0.5 * height + 0.5)
    sizes = [min(o - half + length, height) - max(o - half, 0) for o in places]
    cut = p.cutout[:, 1] - p.cutout[:, 0]
    assert abs(cut.mean() - np.mean(sizes)) < 0.03 * height


def test_flip_scale_and_rotate_ranges():
    flip = as_numpy(draw_siamese(KEY, MANY, 32, 20, ("flip",))).affine
    assert set(map(tuple, flip.tolist())) == {(1, 0, 0, 0, 1, 0), (-1, 0, 19, 0, 1, 0)}
    assert abs((flip[:, 0] == -1).mean() - 0.5) < 0.03
    scale = as_numpy(draw_siamese(KEY, MANY, 32, 20, ("scale",))).affine
    assert_uniform(scale[:, 0], 1 / 1.2, 1.2)
    assert_uniform(scale[:, 4], 1 / 1.2, 1.2)
    assert abs(np.corrcoef(scale[:, 0], scale[:, 4])[0, 1]) < 0.06
    rotate = as_numpy(draw_siamese(KEY, MANY, 20, 20, ("rotate",))).affine
    angle = np.arctan2(rotate[:, 3], rotate[:, 4])
    assert_uniform(np.degrees(angle), -15, 15)


def test_per_image_draws_share_the_choice_and_not_the_values():
    drawn = set()
    for seed in range(40):
        parameters = draw_per_image(derive_key(seed), 64, 32, 32)
        happened = {n: found.sum() for n, found in kinds(parameters, 32).items()}
        (name,) = [name for name, count in happened.items() if count > 0]
        rows = np.concatenate([np.reshape(p, [64, -1]) for p in parameters], axis=1)
        different = len(np.unique(rows, axis=0))
        assert different == 2 if name == "flip" else different > 30
        drawn.add(name)
    assert drawn == set(dsa.TRANSFORMATIONS)


@pytest.mark.parametrize("draw", [draw_siamese, draw_per_image])
def test_draw_is_a_function_of_the_key(draw):
    reference = draw(KEY, 200, 32, 28)
    tf.random.set_seed(3)
    assert_same_draw(draw(tf.identity(KEY), 200, 32, 28), reference)
    traced = tf.function(lambda key, n: draw(key, n, 32, 28))
    # The number of groups as a tensor too: shapes unknown when traced.
    for got, expected in zip(traced(KEY, tf.constant(200)), reference, strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-13)
        assert got.dtype == expected.dtype
    other = draw(derive_key(8), 200, 32, 28)
    assert any(np.any(a != b) for a, b in zip(other, reference, strict=True))


def test_transformations_keep_their_numbers_in_any_strategy():
    alone = draw_siamese(KEY, 50, 32, 32, ("rotate",))
    among = dsa.draw(KEY, 50, 32, 32, always=("rotate", "cutout", "color"))
    np.testing.assert_array_equal(alone.affine, among.affine)


# --- Applying: identity, groups, blocks ---


@pytest.mark.parametrize("differentiable", [True, False])
@pytest.mark.parametrize("shape", [(4, 2, 32, 32, 3), (3, 1, 28, 17, 1)])
def test_no_strategy_is_exactly_the_identity(shape, differentiable):
    images = random_images(*shape)
    parameters = draw_siamese(KEY, shape[0], *shape[2:4], ())
    result = dsa.apply(images, parameters, differentiable)
    np.testing.assert_array_equal(result, images)
    assert result.dtype == tf.float32


def test_groups_without_a_warp_are_not_blurred():
    images = random_images(300, 1, 9, 12, 3)
    parameters = draw_siamese(KEY, 300, 9, 12, ("color", "flip", "rotate"))
    still = ~np.any(list(kinds(parameters, 12).values()), axis=0)
    assert still.sum() > 20
    result = dsa.apply(images, parameters, differentiable=True)
    np.testing.assert_array_equal(result[still], images[still])


def test_real_and_synthetic_of_a_class_get_the_same_draw():
    # The same picture among real images and among synthetic ones stays the same.
    picture = random_images(24, 1, 32, 32, 3)
    real = tf.concat([random_images(24, 5, 32, 32, 3, seed=1), picture], axis=1)
    synthetic = tf.concat([picture, random_images(24, 1, 32, 32, 3, seed=2)], axis=1)
    parameters = draw_siamese(KEY, 24, 32, 32)
    real = dsa.apply(real, parameters, differentiable=False)
    synthetic = dsa.apply(synthetic, parameters, differentiable=True)
    np.testing.assert_allclose(real[:, -1], synthetic[:, 0], atol=1e-6)


def test_blocks_of_classes_do_not_change_the_draw():
    images = random_images(10, 2, 16, 16, 3)
    parameters = draw_siamese(KEY, 10, 16, 16)
    whole = dsa.apply(images, parameters, differentiable=True)
    for block in ([0, 1, 2], [9, 4], [7]):
        rows = dsa.gather(parameters, tf.constant(block))
        part = dsa.apply(tf.gather(images, block), rows, differentiable=True)
        np.testing.assert_allclose(part, tf.gather(whole, block), atol=1e-6)


def test_gradient_only_where_asked_for():
    images = random_images(6, 1, 8, 8, 3)
    parameters = draw_siamese(KEY, 6, 8, 8)
    for differentiable in (True, False):
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_sum(dsa.apply(images, parameters, differentiable) ** 2)
        assert (tape.gradient(loss, images) is not None) == differentiable


# --- Applying: each transformation by its textbook formula, in float64 ---


def color(image, brightness, saturation, contrast):
    image = image + brightness
    channel_mean = image.mean(axis=2, keepdims=True)
    image = (image - channel_mean) * saturation + channel_mean
    return (image - image.mean()) * contrast + image.mean()


def crop(image, shift_rows, shift_columns):
    height, width, _ = image.shape
    result = np.zeros_like(image)
    for i in range(height):
        for j in range(width):
            if 0 <= i + shift_rows < height and 0 <= j + shift_columns < width:
                result[i, j] = image[i + shift_rows, j + shift_columns]
    return result


def cutout(image, top, bottom, left, right):
    result = image.copy()
    result[top:bottom, left:right] = 0
    return result


def sample_grid(image, matrix):
    """Samples at matrix times a grid whose edges, not pixel centres, are -1 and 1."""
    height, width, _ = image.shape
    result = np.zeros_like(image)
    for i in range(height):
        for j in range(width):
            grid = np.array([(2 * j + 1) / width - 1, (2 * i + 1) / height - 1])
            grid_x, grid_y = matrix @ grid
            x, y = ((grid_x + 1) * width - 1) / 2, ((grid_y + 1) * height - 1) / 2
            for row in range(height):
                for column in range(width):
                    # The tent whose sum over pixels is bilinear interpolation.
                    weight = max(0, 1 - abs(x - column)) * max(0, 1 - abs(y - row))
                    result[i, j] += weight * image[row, column]
    return result


def rotation(angle):
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def textbook(name, image, p, height, width):
    """Applies the transformation `name` of one group's parameters `p`."""
    a0, _, a2, b0, b1, b2 = p.affine
    match name:
        case "color":
            return color(image, p.brightness, p.saturation, p.contrast)
        case "crop":
            return crop(image, round(b2), round(a2))
        case "cutout":
            return cutout(image, *p.cutout)
        case "flip":
            return image[:, ::-1] if a0 < 0 else image
        case "scale":
            return sample_grid(image, np.diag([a0, b1]))
        case "rotate":
            return sample_grid(image, rotation(math.atan2(b0 * width / height, b1)))


@pytest.mark.parametrize("differentiable", [True, False])
@pytest.mark.parametrize("shape", [(3, 2, 12, 12, 3), (3, 1, 7, 11, 1)])
@pytest.mark.parametrize("name", dsa.TRANSFORMATIONS)
def test_applying_equals_the_textbook(name, shape, differentiable):
    groups, count, height, width, _ = shape
    images = random_images(*shape, dtype=tf.float64)
    # This key's flips are one of each kind, and its crops are no identity.
    parameters = draw_siamese(derive_key(1), groups, height, width, (name,))
    assert kinds(parameters, width)[name].any()
    result = dsa.apply(images, parameters, differentiable).numpy()
    p = as_numpy(parameters)
    for g in range(groups):
        mine = dsa.DSAParameters(*(field[g] for field in p))
        for i in range(count):
            expected = textbook(name, images[g, i].numpy(), mine, height, width)
            # Colour parameters are float32, exactly known here; the rest is float64.
            np.testing.assert_allclose(result[g, i], expected, atol=1e-12)
    single = dsa.apply(tf.cast(images, tf.float32), parameters, differentiable)
    np.testing.assert_allclose(single, result, atol=5e-6)


def test_saturation_of_one_channel_is_the_identity():
    images = random_images(2, 3, 8, 8, 1)
    parameters = draw_siamese(KEY, 2, 8, 8, ("color",))
    other = parameters._replace(saturation=tf.constant([0.0, 1.9]))
    np.testing.assert_array_equal(
        dsa.apply(images, parameters, True), dsa.apply(images, other, True)
    )
    only = other._replace(brightness=tf.zeros(2), contrast=tf.ones(2))
    np.testing.assert_array_equal(dsa.apply(images, only, True), images)


# --- Several at once ---


@pytest.mark.parametrize("geometric", ["crop", "scale", "rotate"])
def test_composition_is_color_then_flip_then_geometric_then_cutout(geometric):
    height, width = 10, 13
    always = ("flip", "cutout", "color")
    parameters = dsa.draw(KEY, 6, height, width, always=always, one_of=(geometric,))
    # The same numbers without the flip: they do not depend on the rest.
    geometry = as_numpy(dsa.draw(KEY, 6, height, width, one_of=(geometric,)))
    images = random_images(6, 1, height, width, 3, dtype=tf.float64)
    result = dsa.apply(images, parameters, differentiable=True)
    p = as_numpy(parameters)
    flips = p.affine[:, 0] < 0
    assert flips.any() and not flips.all()
    for g in range(6):
        mine = dsa.DSAParameters(*(field[g] for field in p))
        image = textbook("color", images[g, 0].numpy(), mine, height, width)
        image = image[:, ::-1] if flips[g] else image
        mine = mine._replace(affine=geometry.affine[g])
        image = textbook(geometric, image, mine, height, width)
        image = textbook("cutout", image, mine, height, width)
        np.testing.assert_allclose(result[g, 0], image, atol=1e-12)


def test_outside_is_zero_whatever_the_color():
    parameters = draw_siamese(KEY, 1, 8, 8, ())._replace(
        brightness=tf.constant([0.4]),
        affine=tf.constant([[1.0, 0, 3, 0, 1, 0]], tf.float64),
    )
    result = dsa.apply(tf.zeros([1, 1, 8, 8, 3]), parameters, differentiable=True)
    np.testing.assert_array_equal(result[..., 5:, :], np.zeros([1, 1, 8, 3, 3]))
    np.testing.assert_allclose(result[..., :5, :], np.full([1, 1, 8, 5, 3], 0.4))


# --- Gradient and tracing of the whole ---


@pytest.mark.parametrize("channels", [1, 3])
def test_gradient_equals_finite_differences(channels):
    shape = (3, 1, 4, 6, channels)
    images = np.random.default_rng(1).normal(size=shape)
    cotangent = np.random.default_rng(2).normal(size=shape)
    parameters = dsa.draw(
        KEY, 3, 4, 6, always=("color", "cutout", "flip"), one_of=("scale", "rotate")
    )

    @tf.function
    def loss(images):
        return tf.reduce_sum(dsa.apply(images, parameters, True) ** 2 * cotangent)

    (theoretical,), (numeric,) = tf.test.compute_gradient(loss, [images], delta=1e-4)
    np.testing.assert_allclose(theoretical, numeric, atol=1e-8)
    assert np.abs(theoretical).max() > 0.1


@pytest.mark.parametrize("differentiable", [True, False])
def test_function_equals_eager(differentiable):
    images = random_images(12, 2, 16, 12, 3)

    @tf.function
    def traced(images, key):
        parameters = draw_siamese(key, 12, 16, 12)
        result = dsa.apply(images, parameters, differentiable)
        assert result.shape == images.shape
        return result

    parameters = draw_siamese(KEY, 12, 16, 12)
    eager = dsa.apply(images, parameters, differentiable)
    np.testing.assert_allclose(traced(images, KEY), eager, atol=1e-6)
