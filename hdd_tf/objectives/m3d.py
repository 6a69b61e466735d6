"""M3D: maximum mean discrepancy of features, Zhang et al., AAAI 2024.

DM's fresh networks, each for several iterations, and images in [0, 1] as DANCE has
them. All pairs of features are compared by a kernel (kernel.py) instead of their means.

Source: arXiv 2312.15927, and the authors' main loop and kernels as two other programs
include them (XuhuiLi223/Manifold-with-dataset-distillation at db4d084, and
myoh97/DIDD-ASU at a175a20). The program walks through a permutation of each class, of
which this one draws its real images anew in every iteration.
"""

from hdd_tf.augment import dsa
from hdd_tf.distillation.classwise import ClasswiseMatching
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.objectives.dm import fresh_networks
from hdd_tf.objectives.features import FeatureComparison
from hdd_tf.objectives.kernel import build_kernel


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
