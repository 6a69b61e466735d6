"""M3D: maximum mean discrepancy of features, Zhang et al., AAAI 2024.

DM's fresh networks, each for several iterations, and images in [0, 1] as DANCE has
them. All pairs of features are compared by a kernel (kernel.py) instead of their means.

Source: arXiv 2312.15927, and the authors' main loop and kernels as two other programs
include them (XuhuiLi223/Manifold-with-dataset-distillation at db4d084, and
myoh97/DIDD-ASU at a175a20). The program walks through a permutation of each class, of
which this one draws its real images anew in every iteration.
"""

import functools
from typing import Any

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.distillation.classwise import ClasswiseMatching
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.errors import InputError
from hdd_tf.objectives.dm import fresh_networks
from hdd_tf.objectives.features import FeatureComparison
from hdd_tf.objectives.kernel import (
    Kernel,
    KernelDiscrepancy,
    Measure,
    Pairs,
    adaptive,
    geodesic_distances,
    products,
    squared_distances,
)

# The factors of the squared distance in the program's kernel `laplace`.
_LAPLACE = (0.1, 1.0, 5.0)


def build(context: MethodContext) -> ClasswiseMatching:
    """Builds M3D, with the kernel and in the geometry of the settings.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """
    config = context.config
    comparison = FeatureComparison(
        context.network, build_kernel(config), real_network=context.fast_network
    )
    return ClasswiseMatching(
        context,
        fresh_networks(context),
        comparison,
        dsa.dance_choice(dsa.parse_strategy(config.dsa)),
        config.dance_max_decoded,
    )


def build_kernel(config: Any) -> KernelDiscrepancy:
    """Builds the discrepancy of a run's settings.

    Args:
        config: Settings, of which `m3d_kernel`, `geometry` and the settings of the
            geometry are used.

    Raises:
        InputError: the geometry does not have the kernel.
    """
    name = config.m3d_kernel
    if config.geometry == "euclidean":
        kernels: dict[str, tuple[Measure, Kernel]] = {
            "gaussian": (squared_distances, adaptive),
            "linear": (products, _linear),
            "polynomial": (products, _polynomial),
            "laplace": (squared_distances, _laplace),
        }
        weight = 1.0
    else:
        measure = functools.partial(
            geodesic_distances, config.curvature, config.lift, config.max_tangent_norm
        )
        kernels = {
            "exponential": (measure, adaptive),
            "gaussian": (_squared(measure), adaptive),
        }
        weight = config.loss_weight
    if name == "auto":
        name = next(iter(kernels))
    if name not in kernels:
        raise InputError(
            f"--m3d_kernel={name} is no kernel of --geometry={config.geometry}: give "
            f"{' or '.join(kernels)}"
        )
    return KernelDiscrepancy(*kernels[name], weight)


def _linear(inner: Pairs, weights: tf.Tensor) -> Pairs:
    return inner


def _polynomial(inner: Pairs, weights: tf.Tensor) -> Pairs:
    return Pairs(*(tf.square(part + 1.0) for part in inner))


def _laplace(distances: Pairs, weights: tf.Tensor) -> Pairs:
    return Pairs(
        *(tf.add_n([tf.exp(-g * part) for g in _LAPLACE]) for part in distances)
    )


def _squared(measure: Measure) -> Measure:
    return lambda synthetic, real: Pairs(*map(tf.square, measure(synthetic, real)))
