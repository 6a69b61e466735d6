"""Networks that users bring: `module:function`, any Keras model it returns.

The function takes `(image_shape, num_classes)` and returns a `keras.Model` of
normalised float32 images, `[n, h, w, c]`, that gives `[n, num_classes]` logits or a
dictionary with them under `logits`. Probabilities are refused: the loss takes the
softmax itself, and of a softmax's output the gradient would all but vanish.

Each network starts where the model's own initialisers put it: the function is called
anew under a seed that follows from the run's. Weights it loads stay loaded.
"""

import contextlib
import importlib
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hdd_tf.errors import InputError
from hdd_tf.networks.functional import FunctionalNetwork, logits_of
from hdd_tf.random_keys import derive_key

_TRIED_IMAGES = 4


def build_own_network(
    name: str, image_shape: tuple[int, int, int], num_classes: int
) -> FunctionalNetwork:
    """Imports a function, builds its model and tries it on a few images.

    Args:
        name: `module:function`; the module is importable, from the working directory
            if from nowhere else.
        image_shape: `(height, width, channels)`.
        num_classes: Number of logits.

    Returns:
        The network. Fresh variables are drawn outside of graphs only.

    Raises:
        InputError: there is no such function, it fails, or what it returns is not a
            Keras model of such images with such logits.
    """
    function = _import_function(name)

    def build(key: tf.Tensor) -> keras.Model:
        with _answered_in_one_line(name), _seeded(int(key[0]) & 0x7FFFFFFF):
            model = function(image_shape, num_classes)
            if not isinstance(model, keras.Model):
                raise TypeError(f"it returned {type(model).__name__}, no keras.Model")
            # A subclass may be unbuilt, and its `call` without `training`: inside of a
            # functional model neither matters.
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
    return FunctionalNetwork(model, draw)


def _import_function(name: str) -> Callable[..., Any]:
    module_name, _, function_name = name.partition(":")
    # `python -m` looks there by itself, the installed command does not. At the end:
    # a file there must not hide a library's module.
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
    """Refuses a model that does not give logits of these classes."""
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
    # Logits of several images do not sum to 1, not one of them negative, by chance.
    softmax = (values >= 0).all() and np.allclose(values.sum(-1), 1, atol=1e-3)
    if softmax or _ends_in_sigmoid(model):
        raise InputError(
            f"--eval_networks={name}: the model gives probabilities, and training "
            "needs logits: leave out its last activation (activation=None, in "
            "keras.applications classifier_activation=None)."
        )


def _ends_in_sigmoid(model: keras.Model) -> bool:
    """Says whether the last layer is a sigmoid; its values could be anything's."""
    last = model.layers[-1]
    while isinstance(last, keras.Model) and last.layers:
        last = last.layers[-1]
    return getattr(last, "activation", None) is keras.activations.sigmoid


@contextlib.contextmanager
def _answered_in_one_line(name: str) -> Iterator[None]:
    """Turns whatever a user's code raises into an input error of one line."""
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
    """Seeds every generator an initialiser may use; Python's and NumPy's come back."""
    before = random.getstate(), np.random.get_state()
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
