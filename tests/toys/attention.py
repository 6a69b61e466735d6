"""A toy: attention maps of all blocks, compared in the geometry of the settings.

Each image's vector is the blocks' maps before pooling, summed over channels and scaled
to length 1, and the features: a readout, and nothing else of its own.
"""

import tensorflow as tf

from hdd_tf.distillation.classwise import ClasswiseMatching, one_of_named
from hdd_tf.methods.traits import Encoder, Kind, Traits
from hdd_tf.objectives.dm import DistributionMatching
from hdd_tf.objectives.features import geometry_comparison


def attention(outputs):
    """Reads `[n, d]` of a network's outputs with the maps of its blocks."""
    maps = [tf.reduce_sum(tf.abs(a), axis=-1) for a in outputs["activations"][:-1]]
    maps = [tf.reshape(m, [-1, m.shape[1] * m.shape[2]]) for m in maps]
    # The square of 1e-12: it is compared with squared norms.
    maps = [tf.math.l2_normalize(m, axis=-1, epsilon=1e-24) for m in maps]
    return tf.concat([*maps, 0.1 * outputs["features"]], axis=-1)


def build(context):
    return ClasswiseMatching(
        context,
        DistributionMatching(context.network, context.config.seed),
        geometry_comparison(context, attention, blocks=True),
        one_of_named(context),
    )


TRAITS = Traits(
    title="Toy attention",
    summary="attention maps of random networks",
    kind=Kind.CLASS_WISE,
    build=build,
    has_geometry=True,
    formation_factor=1,
    unit_range=False,
    update_per_class=False,
    settings={
        "image_lr": 0.1,
        "iterations": 100,
        "real_batch": 16,
        "init": "real",
        "dsa": "flip_crop",
    },
    may_revisit=True,
    evaluation="dm",
    encoder=Encoder.TRAINED,
    normalised_as={},
    whitened=False,
)
