"""The networks by name; a new one is a file beside this one and a line below."""

import dataclasses
import functools
from collections.abc import Callable

import keras

from hdd_tf.config import Config
from hdd_tf.errors import InputError
from hdd_tf.networks.classic import build_alexnet, build_lenet, build_mlp, build_vgg11
from hdd_tf.networks.convnet import build_convnet
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.options import NetworkOptions
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
}

# Those that tell the maps of their blocks, with these among the outputs.
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
        depth: Number of blocks, where the network has such a choice.
        width: Channels of each block, likewise.
        norm: Which norm, likewise.
        activation: Which activation, likewise.
        pooling: Which pooling, likewise.

    Returns:
        The network.

    Raises:
        InputError: the network does not take images of this size, or such options.
    """
    options = NetworkOptions(depth, width, norm, activation, pooling)
    return build_with_options(name, image_shape, num_classes, options)


def build_with_options(
    name: str,
    image_shape: tuple[int, int, int],
    num_classes: int,
    options: NetworkOptions,
) -> FunctionalNetwork:
    """Builds a network of `NETWORKS` as a function of its weights.

    Args:
        name: Key of `NETWORKS`.
        image_shape: `(height, width, channels)`.
        num_classes: Number of logits.
        options: Choices within the architecture.

    Returns:
        The network.

    Raises:
        ValueError: there is no network of this name.
        InputError: the network does not take images of this size, or such options.
    """
    if name not in NETWORKS:
        raise ValueError(
            f"there is no network {name!r}: name one of {', '.join(NETWORKS)}."
        )
    tapped = None
    if name in TAPPED:
        tapped = functools.partial(TAPPED[name], image_shape, num_classes, options)
    model = NETWORKS[name](image_shape, num_classes, options)
    return FunctionalNetwork(model, tapped=tapped)


def network_of_settings(
    name: str, config: Config, image_shape: tuple[int, int, int], num_classes: int
) -> FunctionalNetwork:
    """Builds a network as a run's settings say.

    Args:
        name: Key of `NETWORKS`, or `module:function` (see `own_networks`).
        config: depth, width, norm, activation and pooling.
        image_shape: `(height, width, channels)`.
        num_classes: Number of logits.

    Returns:
        The network.

    Raises:
        InputError: there is no such function, or the network cannot be.
    """
    if ":" in name:
        return build_own_network(name, image_shape, num_classes)
    return build_network(
        name, image_shape, num_classes, config.depth, config.width,
        config.norm, config.activation, config.pooling,
    )  # fmt: skip


def matched_network(
    config: Config, image_shape: tuple[int, int, int], num_classes: int
) -> FunctionalNetwork:
    """Builds the network `--network` to match in.

    Args:
        config: The run's settings.
        image_shape: `(height, width, channels)`.
        num_classes: Number of logits.

    Returns:
        The network, without state.

    Raises:
        InputError: it has batch norm, or cannot be.
    """
    network = network_of_settings(config.network, config, image_shape, num_classes)
    if network.state_specs:
        # In batch norm an image's features depend on the others of its batch, which
        # here are a block of classes, cut to fit the memory: no fixed thing to match.
        instead = config.network.removesuffix("_batch")
        raise InputError(
            f"--network={config.network} has batch norm, whose features depend on the "
            "other images of a batch and cannot be matched: match in "
            f"--network={instead} --norm=instance, and evaluate with "
            f"--eval_networks={instead}_batch."
        )
    return network
