"""Values and gradients of the published program, with explicit parameters."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment import dsa, warp

GOLDEN = np.load(
    pathlib.Path(__file__).parents[1] / "golden" / "dsa.npz", allow_pickle=False
)


def golden_parameters(read, height, width):
    """Maps the program's parameters, one value per image, to ours, one per group."""
    name = str(read("name"))

    def value(parameter, of, default):
        found = read(f"param_{parameter}") if name == of else [default]
        assert len(set(np.asarray(found).tolist())) == 1  # one draw a group
        return tf.constant(found[:1])

    cutout = [0, 0, 0, 0]
    if name == "cutout":
        cutout = []
        for axis, side in (("rows", height), ("cols", width)):
            length = int(0.5 * side + 0.5)
            first = int(read(f"param_offset_{axis}")[0]) - length // 2
            cutout += [max(first, 0), min(first + length, side)]
    return dsa.DSAParameters(
        brightness=value("brightness", "color", 0.0),
        saturation=value("saturation", "color", 1.0),
        contrast=value("contrast", "color", 1.0),
        affine=warp.affine_maps(
            height,
            width,
            shift_rows=value("shift_rows", "crop", 0),
            shift_columns=value("shift_cols", "crop", 0),
            mirror=value("flip", "flip", False),
            scale_x=value("scale_x", "scale", 1.0),
            scale_y=value("scale_y", "scale", 1.0),
            angle=value("angle_rad", "rotate", 0.0),
        ),
        cutout=tf.constant([cutout]),
    )


@pytest.mark.parametrize("case", range(int(GOLDEN["num_cases"])))
def test_values_and_gradients(case):
    def read(key):
        return GOLDEN[f"case{case}_{key}"]

    images = tf.constant(read("x"))[None]
    parameters = golden_parameters(read, *images.shape[2:4])
    with tf.GradientTape() as tape:
        tape.watch(images)
        augmented = dsa.apply(images, parameters, differentiable=True)
        loss = tf.reduce_sum(augmented * read("cotangent"))
    gradient = tape.gradient(loss, images)
    np.testing.assert_allclose(augmented[0], read("y"), rtol=0, atol=1e-5)
    np.testing.assert_allclose(gradient[0], read("grad_x"), rtol=0, atol=1e-5)
    fast = dsa.apply(images, parameters, differentiable=False)
    np.testing.assert_allclose(fast[0], read("y"), rtol=0, atol=1e-5)
    # Something happened: no golden case is the identity.
    assert np.abs(read("y") - read("x")).max() > 0.1


def test_all_six_transformations_are_covered():
    names = {str(GOLDEN[f"case{i}_name"]) for i in range(int(GOLDEN["num_cases"]))}
    assert names == set(dsa.TRANSFORMATIONS)
