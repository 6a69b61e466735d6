"""Settings of the network."""

import dataclasses
from typing import ClassVar

from hdd_tf.settings import parsers
from hdd_tf.settings.row import choice, setting
from hdd_tf.settings.scope import Scope

NETWORKS = (
    "convnet",
    "convnet_batch",
    "mlp",
    "lenet",
    "alexnet",
    "vgg11",
    "vgg11_batch",
    "resnet10",
    "resnet10_batch",
    "resnet18",
    "resnet18_batch",
    "mobilenet_v2",
    "wide_resnet",
    "shufflenet_v2",
)
NORMS = ("instance", "batch", "layer", "group", "none")
ACTIVATIONS = ("relu", "leaky_relu", "sigmoid")
POOLINGS = ("average", "max", "none")
PRECISIONS = ("auto", "float32", "tf32", "bfloat16")


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """The network that is matched and evaluated."""

    HEADING: ClassVar = "Network"

    network: str = choice(
        "convnet",
        NETWORKS,
        "Architecture matched and evaluated. Those with batch norm can only be "
        "evaluated.",
        Scope.SHARED,
    )
    depth: int = setting(
        3,
        parsers.COUNT,
        "Blocks of the ConvNet; each halves the maps.",
        Scope.SHARED,
    )
    width: int = setting(
        128,
        parsers.FEW,
        "Channels of every block of the ConvNet.",
        Scope.SHARED,
    )
    norm: str = choice(
        "instance",
        NORMS,
        "Norm of ConvNet, VGG and ResNet (a name ending in _batch has batch norm "
        "whatever is said here); group = 4 groups.",
        Scope.SHARED,
    )
    activation: str = choice(
        "relu",
        ACTIVATIONS,
        "Activation of the ConvNet; leaky_relu has slope 0.01.",
        Scope.SHARED,
    )
    pooling: str = choice(
        "average",
        POOLINGS,
        "Pooling that ends every block of the ConvNet, 2x2.",
        Scope.SHARED,
    )
    precision: str = choice(
        "auto",
        PRECISIONS,
        "Numbers of the convolutions. bfloat16: those of real images, of IDM's pool "
        "and of experts; synthetic images and all that is no convolution stay "
        "float32. auto: tf32 on GPUs that have it, else float32.",
        Scope.MATCHING,
        before="float32",
    )
    jit_compile: str = choice(
        "auto",
        ("auto", "on", "off"),
        "on: XLA compiles the passes through networks while a set is made, on one "
        "device; results differ by rounding. auto: off.",
        Scope.MATCHING,
        before="off",
    )
