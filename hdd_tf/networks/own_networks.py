"""Networks of users, given as `module:function`: any Keras model it returns.

The function takes `(image_shape, num_classes)` and returns a `keras.Model` of
normalised float32 images, `[n, h, w, c]`, whose output is `[n, num_classes]` logits or
a dictionary with the logits under `logits`. Probabilities are not supported: the loss
applies the softmax itself, and the gradient through a second softmax nearly vanishes.

The initial weights of each network come from the model's own initialisers: the function
is called again for each network, with a seed derived from the run's seed. Weights that
the function loads are kept.
"""

import contextlib
import functools
import importlib
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hdd_tf.distributed.precision import policy_of
from hdd_tf.errors import InputError
from hdd_tf.keras_settings import dtype_policy
from hdd_tf.networks.functional import FunctionalNetwork, logits_of
from hdd_tf.random_keys import derive_key

_TRIED_IMAGES = 4


def build_own_network(
    name: str,
    image_shape: tuple[int, int, int],
    num_classes: int,
    precision: str = "float32",
) -> FunctionalNetwork:
    """Imports a function, builds its model and checks the model on a few images.

    Args:
        name: `module:function`; the module is installed, or in the working directory.
        image_shape: `(height, width, channels)`.
        num_classes: Number of logits.
        precision: Precision of the layers that the function gives no dtype, see
            `distributed/precision.py`.

    Returns:
        The network. Its fresh variables can be drawn outside of graphs only.

    Raises:
        InputError: there is no such function, it fails, or it does not return a Keras
            model of such images with such logits.
    """
    function = _import_function(name)

    def build(key: tf.Tensor) -> keras.Model:
        seeded = _seeded(int(key[0]) & 0x7FFFFFFF)
        policy = dtype_policy(policy_of(precision))
        with _answered_in_one_line(name), seeded, policy:
            model = function(image_shape, num_classes)
            if not isinstance(model, keras.Model):
                raise TypeError(f"it returned {type(model).__name__}, no keras.Model")
            # A subclassed model may be unbuilt, and its `call` may not take `training`.
            # Inside a functional model neither matters.
            inputs = keras.Input(image_shape, name="images")
            return keras.Model(inputs, model(inputs))

    def draw(key: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        model = build(key)
        return (
            [tf.identity(v.value) for v in model.trainable_variables],
            [tf.identity(v.value) for v in model.non_trainable_variables],
        )

    model = build(derive_key(0))
    _check(name, model, image_shape, num_classes)
    rebuild = functools.partial(build_own_network, name, image_shape, num_classes)
    return FunctionalNetwork(model, draw, rebuild=rebuild)


def _import_function(name: str) -> Callable[..., Any]:
    module_name, _, function_name = name.partition(":")
    # `python -m` searches the working directory, the installed command does not. The
    # directory goes to the end, so that a file in it cannot hide a library's module.
    if not {"", os.getcwd()}.intersection(sys.path):
        sys.path.append(os.getcwd())
    try:
        with _answered_in_one_line(name):
            module = importlib.import_module(module_name)
    except InputError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and cause.name == module_name:
            raise InputError(
                f"--eval_networks={name}: there is no module {module_name}, neither "
                f"installed nor in {os.getcwd()}."
            ) from cause
        raise
    function = getattr(module, function_name, None)
    if not callable(function):
        raise InputError(
            f"--eval_networks={name}: {module_name} has no function {function_name}; "
            "it is to take (image_shape, num_classes) and return a keras.Model."
        )
    return function


def _check(
    name: str, model: keras.Model, image_shape: tuple[int, int, int], num_classes: int
) -> None:
    """Raises InputError if a model's output is not logits of these classes."""
    shape = [_TRIED_IMAGES, *image_shape]
    images = tf.random.stateless_normal(shape, derive_key(0))
    with _answered_in_one_line(name):
        outputs = model(images, training=False)
    logits = outputs.get("logits") if isinstance(outputs, Mapping) else outputs
    found = tuple(getattr(logits, "shape", ()))
    if found != (_TRIED_IMAGES, num_classes):
        raise InputError(
            f"--eval_networks={name}: the model is to give [n, {num_classes}] logits, "
            "or a dictionary with them under 'logits'; of "
            f"{_TRIED_IMAGES} images it gave {found or type(outputs).__name__}."
        )
    values = logits_of(outputs).numpy()
    # Logits of several images are not all >= 0 with sums of 1 by chance.
    softmax = (values >= 0).all() and np.allclose(values.sum(-1), 1, atol=1e-3)
    if softmax or _ends_in_sigmoid(model):
        raise InputError(
            f"--eval_networks={name}: the model gives probabilities, and training "
            "needs logits: leave out its last activation (activation=None, in "
            "keras.applications classifier_activation=None)."
        )


def _ends_in_sigmoid(model: keras.Model) -> bool:
    """Returns whether the last layer is a sigmoid, which values alone do not show."""
    last = model.layers[-1]
    while isinstance(last, keras.Model) and last.layers:
        last = last.layers[-1]
    return getattr(last, "activation", None) is keras.activations.sigmoid


@contextlib.contextmanager
def _answered_in_one_line(name: str) -> Iterator[None]:
    """Turns every exception of a user's code into an InputError of one line."""
    try:
        yield
    except Exception as error:
        text = " ".join(str(error).split())
        text = text if len(text) <= 200 else text[:200] + " ..."
        raise InputError(
            f"--eval_networks={name} failed with {type(error).__name__}: {text} (call "
            "it in Python to see where)"
        ) from error


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seeds all random generators, and restores those of Python and NumPy."""
    before = random.getstate(), np.random.get_state()
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
