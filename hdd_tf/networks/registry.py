"""Networks by name; a new network is a module of this package and an entry below."""

import dataclasses
import functools
from collections.abc import Callable

import keras

from hdd_tf.config import Config
from hdd_tf.distributed.precision import policy_of
from hdd_tf.errors import InputError
from hdd_tf.keras_settings import dtype_policy, own_settings
from hdd_tf.networks.classic import build_alexnet, build_lenet, build_mlp, build_vgg11
from hdd_tf.networks.compact import (
    build_mobilenet_v2,
    build_shufflenet_v2,
    build_wide_resnet,
)
from hdd_tf.networks.convnet import build_convnet
from hdd_tf.networks.functional import Draw, FunctionalNetwork
from hdd_tf.networks.initialisation import FanInInitialisation, FanOutInitialisation
from hdd_tf.networks.options import NetworkOptions, options_of
from hdd_tf.networks.own_networks import build_own_network
from hdd_tf.networks.resnet import build_resnet10, build_resnet18

# (image_shape, num_classes, options) -> Keras model with features and logits.
Builder = Callable[[tuple[int, int, int], int, NetworkOptions], keras.Model]


def _convnet(
    image_shape: tuple[int, int, int],
    num_classes: int,
    options: NetworkOptions,
    taps: bool = False,
) -> keras.Model:
    choices = dataclasses.asdict(options)
    return build_convnet(image_shape, num_classes, **choices, taps=taps)


def _with_batch_norm(build: Builder) -> Builder:
    def build_with_batch_norm(
        image_shape: tuple[int, int, int], num_classes: int, options: NetworkOptions
    ) -> keras.Model:
        options = dataclasses.replace(options, norm="batch")
        return build(image_shape, num_classes, options)

    return build_with_batch_norm


NETWORKS: dict[str, Builder] = {
    "convnet": _convnet,
    "convnet_batch": _with_batch_norm(_convnet),
    "mlp": build_mlp,
    "lenet": build_lenet,
    "alexnet": build_alexnet,
    "vgg11": build_vgg11,
    "vgg11_batch": _with_batch_norm(build_vgg11),
    "resnet10": build_resnet10,
    "resnet10_batch": _with_batch_norm(build_resnet10),
    "resnet18": build_resnet18,
    "resnet18_batch": _with_batch_norm(build_resnet18),
    "mobilenet_v2": build_mobilenet_v2,
    "wide_resnet": build_wide_resnet,
    "shufflenet_v2": build_shufflenet_v2,
}

# Networks whose initial weights are not those of `FanInInitialisation(model)`.
DRAWS: dict[str, Callable[[keras.Model], Draw]] = {
    "mobilenet_v2": functools.partial(FanOutInitialisation, dense_deviation=0.01),
    "wide_resnet": FanOutInitialisation,
    "shufflenet_v2": functools.partial(FanInInitialisation, of_channels=True),
}

# Networks that provide the maps of their blocks, built with the maps as outputs.
TAPPED: dict[str, Builder] = {"convnet": functools.partial(_convnet, taps=True)}


def build_network(
    name: str,
    image_shape: tuple[int, int, int],
    num_classes: int,
    depth: int,
    width: int,
    norm: str = "instance",
    activation: str = "relu",
    pooling: str = "average",
) -> FunctionalNetwork:
    """Builds a network of `NETWORKS` as a function of its weights.

    Args:
        name: Key of `NETWORKS`.
        image_shape: `(height, width, channels)`.
        num_classes: Number of logits.
        depth: Number of blocks; only the ConvNet uses it.
        width: Channels of each block; only the ConvNet uses it.
        norm: Key of `plain_layers.NORMS`, for every network that has norms.
        activation: Key of `plain_layers.ACTIVATIONS`; only the ConvNet uses it.
        pooling: Key of `plain_layers.POOLINGS`; only the ConvNet uses it.

    Returns:
        The network.

    Raises:
        ValueError: there is no network of this name.
        InputError: the network does not support the image size or the options.
    """
    options = NetworkOptions(depth, width, norm, activation, pooling)
    return build_with_options(name, image_shape, num_classes, options)


# Also of a set's teacher, which programs of users ask.
@own_settings()
def build_with_options(
    name: str,
    image_shape: tuple[int, int, int],
    num_classes: int,
    options: NetworkOptions,
    precision: str = "float32",
) -> FunctionalNetwork:
    """Builds a network of `NETWORKS` as a function of its weights.

    Args:
        name: Key of `NETWORKS`.
        image_shape: `(height, width, channels)`.
        num_classes: Number of logits.
        options: Choices within the architecture.
        precision: Precision of the convolutions, see `distributed/precision.py`.

    Returns:
        The network.

    Raises:
        ValueError: there is no network of this name.
        InputError: the network does not support the image size or the options.
    """
    if name not in NETWORKS:
        raise ValueError(
            f"there is no network {name!r}: name one of {', '.join(NETWORKS)}."
        )
    arguments = image_shape, num_classes, options

    @dtype_policy(policy_of(precision))
    def build_tapped() -> keras.Model:
        return TAPPED[name](*arguments)

    with dtype_policy(policy_of(precision)):
        model = NETWORKS[name](*arguments)
    return FunctionalNetwork(
        model,
        DRAWS[name](model) if name in DRAWS else None,
        tapped=build_tapped if name in TAPPED else None,
        rebuild=functools.partial(build_with_options, name, *arguments),
    )


def network_of_settings(
    name: str, config: Config, image_shape: tuple[int, int, int], num_classes: int
) -> FunctionalNetwork:
    """Builds a network with the options of a run's settings.

    Args:
        name: Key of `NETWORKS`, or `module:function` (see `own_networks`).
        config: The run's settings, of which `depth`, `width`, `norm`, `activation` and
            `pooling` are used.
        image_shape: `(height, width, channels)`.
        num_classes: Number of logits.

    Returns:
        The network.

    Raises:
        InputError: there is no such function, or the network does not support the image
            size or the options.
    """
    if ":" in name:
        return build_own_network(name, image_shape, num_classes)
    return build_with_options(name, image_shape, num_classes, options_of(config))


def matched_network(
    config: Config, image_shape: tuple[int, int, int], num_classes: int
) -> FunctionalNetwork:
    """Builds the network of `--network`, in which images are matched.

    Args:
        config: The run's settings.
        image_shape: `(height, width, channels)`.
        num_classes: Number of logits.

    Returns:
        The network, without state.

    Raises:
        InputError: the network has batch norm, or does not support the image size or
            the options.
    """
    network = network_of_settings(config.network, config, image_shape, num_classes)
    if network.state_specs:
        # With batch norm, an image's features depend on the other images of its batch.
        # A batch here is a block of classes whose size depends on the memory, so the
        # features would have no fixed value to match.
        instead = config.network.removesuffix("_batch")
        # Some networks have batch norm alone.
        instead = instead if f"{instead}_batch" in NETWORKS else "convnet"
        raise InputError(
            f"--network={config.network} has batch norm, whose features depend on the "
            "other images of a batch and cannot be matched: match in "
            f"--network={instead} --norm=instance, and evaluate with "
            f"--eval_networks={instead}_batch."
        )
    return network
