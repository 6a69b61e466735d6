"""Writes addons.npz: values of tensorflow-addons' image and normalisation ops.

TensorFlow Addons ended in 2024 and cannot be imported beside Keras 3, so it runs in an
environment of its own and leaves numbers that our tests compare with:

    python3.11 -m venv /tmp/addons
    /tmp/addons/bin/pip install tensorflow==2.15.1 tensorflow-addons==0.23.0 "numpy<2"
    /tmp/addons/bin/python tests/golden/write_addons_golden.py

Running it there again writes the same bytes. Values only: the gradient of its
`image.transform` is wrong (tensorflow issue 127241).

Keys: `versions`; for each set of images i `image{i}_x` [n, h, w, c] and, one row an
image, `image{i}_transform` [n, 8] (output pixel to input pixel), `_transform_y`,
`_angle` [n] (radians, counter-clockwise), `_rotate_y`, `_translation` [n, 2] (dx, dy,
where the picture goes), `_translate_y`, `_cutout_size` [2] and `_cutout_center` [n, 2]
(rows, columns), `_cutout_y`; for each case of instance normalisation
`instance_norm{i}_x` [n, h, w, c], `_gamma` [c], `_beta` [c], `_epsilon`, `_y`.
"""

import pathlib
import platform

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

OUTPUT = pathlib.Path(__file__).with_name("addons.npz")
IMAGE_SHAPES = [(2, 32, 32, 3), (3, 28, 28, 1), (3, 12, 20, 3), (4, 17, 9, 1)]
INSTANCE_NORM_SHAPES = [(2, 16, 16, 8), (3, 7, 5, 3), (2, 4, 4, 16), (1, 9, 9, 1)]
EPSILON = 1e-5


def draw_images(rng, shape):
    """Normal images of few bits, so that the file compresses."""
    return rng.normal(size=shape).astype(np.float16).astype(np.float32)


def draw_transforms(rng, count, height, width):
    """Scales, shears, flips and shifts at once, around the centre."""
    linear = np.eye(2) + rng.uniform(-0.3, 0.3, size=(count, 2, 2))
    linear[::2, :, 0] *= -1
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = center - linear @ center + rng.uniform(-2, 2, size=(count, 2))
    rows = np.concatenate([linear, shift[:, :, None]], axis=2).reshape(count, 6)
    return np.pad(rows, [(0, 0), (0, 2)]).astype(np.float32)


def image_cases(rng, images):
    """Runs the four image ops with parameters of each image's own."""
    count, height, width, _ = images.shape
    transform = draw_transforms(rng, count, height, width)
    angle = rng.uniform(-np.pi / 3, np.pi / 3, size=count).astype(np.float32)
    translation = rng.integers(-5, 6, size=(count, 2)).astype(np.float32)
    cutout_size = np.array([height // 4 * 2, width // 4 * 2], np.int32)
    center = rng.integers([0, 0], [height, width], size=(count, 2), dtype=np.int32)
    bilinear = {"interpolation": "bilinear", "fill_mode": "constant"}
    return {
        "x": images,
        "transform": transform,
        "transform_y": tfa.image.transform(images, transform, **bilinear),
        "angle": angle,
        "rotate_y": tfa.image.rotate(images, angle, **bilinear),
        "translation": translation,
        "translate_y": tfa.image.translate(images, translation, **bilinear),
        "cutout_size": cutout_size,
        "cutout_center": center,
        "cutout_y": tfa.image.cutout(images, cutout_size, offset=center),
    }


def instance_norm_case(rng, inputs):
    """Runs the layer with weights that are neither ones nor zeros."""
    channels = inputs.shape[-1]
    gamma = rng.uniform(0.5, 2, size=channels).astype(np.float32)
    beta = rng.normal(size=channels).astype(np.float32)
    layer = tfa.layers.InstanceNormalization(axis=-1, epsilon=EPSILON)
    layer.build(inputs.shape)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    outputs = layer(inputs)
    return {"x": inputs, "gamma": gamma, "beta": beta, "epsilon": EPSILON, "y": outputs}


def main():
    """Computes all cases and writes the file."""
    rng = np.random.default_rng(20240531)
    arrays = {
        "versions": np.array(
            [
                f"python {platform.python_version()}",
                f"tensorflow {tf.__version__}",
                f"tensorflow-addons {tfa.__version__}",
                f"numpy {np.__version__}",
            ]
        ),
        "num_images": len(IMAGE_SHAPES),
        "num_instance_norms": len(INSTANCE_NORM_SHAPES),
    }
    for i, shape in enumerate(IMAGE_SHAPES):
        for name, value in image_cases(rng, draw_images(rng, shape)).items():
            arrays[f"image{i}_{name}"] = np.asarray(value)
    for i, shape in enumerate(INSTANCE_NORM_SHAPES):
        inputs = 3 * draw_images(rng, shape) + 1
        for name, value in instance_norm_case(rng, inputs).items():
            arrays[f"instance_norm{i}_{name}"] = np.asarray(value)
    np.savez_compressed(OUTPUT, **arrays)


if __name__ == "__main__":
    main()
