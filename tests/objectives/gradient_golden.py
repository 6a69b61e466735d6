"""Golden values of gradient matching, as this program lays tensors out.

The authors' programs wrote them in float64: VICO-UoE/DatasetCondensation at 53f63a6
(dc.npz, dsa_step.npz) and Saehyung-Lee/DCC at 5073a44 (dcc.npz).
"""

import pathlib
import types

import numpy as np
import tensorflow as tf

from hdd_tf.augment import dsa, warp
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.distillation.class_matching import ClassMatching
from hdd_tf.distillation.objective import Objective, Pass
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.distributed.class_blocks import plan_class_blocks
from hdd_tf.networks.convnet import build_convnet
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.objectives.gradient_matching.gradients import (
    GradientComparison,
    WeightGradients,
)
from hdd_tf.objectives.gradient_matching.row_distance import angle_distance
from hdd_tf.training.inner_training import InnerTraining

DEPTH = 3
FOLDER = pathlib.Path(__file__).parents[1] / "golden"


class Golden:
    """The values of a file whose names begin with a prefix."""

    def __init__(self, name, prefix):
        with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as values:
            self._values = {
                key.removeprefix(prefix): values[key]
                for key in values.files
                if key.startswith(prefix)
            }

    def __getitem__(self, name):
        return self._values[name]

    @property
    def real_count(self):
        """Number of valid real images of each class."""
        real = self["real"]
        return self._values.get("real_count", [real.shape[1]] * len(real))

    @property
    def is_augmented(self):
        return "param_flip" in self._values

    def weights(self, prefix="", dtype="float64"):
        """The network's weights, without the convolutions' biases."""
        weights = []
        for block in range(DEPTH):
            names = (f"conv{block}_kernel", f"norm{block}_gamma", f"norm{block}_beta")
            weights += [self[prefix + name] for name in names]
        kernel = self[f"{prefix}classifier_kernel_hwc"]
        weights += [
            kernel.reshape(-1, kernel.shape[-1]),
            self[f"{prefix}classifier_bias"],
        ]
        return [tf.constant(weight, dtype) for weight in weights]

    def gradients(self, side):
        """The gradients of the kernels, with whatever dimension stands before."""
        names = [f"conv{block}_kernel" for block in range(DEPTH)]
        found = [self[f"{side}_gradient_{name}"] for name in names]
        last = self[f"{side}_gradient_classifier_kernel_hwc"]
        flat = last.reshape(*last.shape[:-4], -1, last.shape[-1])
        return [*found, flat]

    def network(self, dtype="float64", prefix=""):
        """The network; in float64 it is the plain one."""
        weights = self.weights(prefix)
        if dtype == "float64":
            return PlainNetwork([tuple(weight.shape) for weight in weights])
        size, channels = self["size"], self["channels"]
        shape = (int(size), int(size), int(channels))
        width, num_classes = weights[0].shape[-1], weights[-1].shape[0]
        return FunctionalNetwork(build_convnet(shape, num_classes, DEPTH, width))

    def augmentation(self, prefix=""):
        """The transformations of each class or image, as `dsa.apply` takes them."""
        get = lambda name: tf.constant(self[f"{prefix}param_{name}"])  # noqa: E731
        size = self["real" if not prefix else "images"].shape[-3]
        color = ("brightness", "saturation", "contrast")
        return dsa.DSAParameters(
            *(tf.cast(get(name), tf.float32) for name in color),
            warp.affine_maps(
                size,
                size,
                shift_rows=get("shift_rows"),
                shift_columns=get("shift_cols"),
                mirror=get("flip"),
                scale_x=get("scale_x"),
                scale_y=get("scale_y"),
                angle=get("angle_rad"),
            ),
            tf.cast(get("cutout_box"), tf.int32),
        )


class PlainNetwork:
    """The ConvNet as its definition reads, in whatever precision its weights have."""

    model = types.SimpleNamespace(layers=())

    def __init__(self, weight_shapes):
        self.weight_shapes = weight_shapes

    def outputs(self, weights, images):
        maps, blocks = images, (len(weights) - 2) // 3
        for block in range(blocks):
            kernel, gamma, beta = weights[3 * block : 3 * block + 3]
            pad = 3 if block == 0 and images.shape[1] == 28 else 1
            maps = tf.pad(maps, [[0, 0], [pad, pad], [pad, pad], [0, 0]])
            maps = tf.nn.conv2d(maps, kernel, 1, "VALID")
            # Not tf.nn.moments: its second derivative is wrong.
            mean = tf.reduce_mean(maps, axis=[1, 2], keepdims=True)
            variance = tf.reduce_mean((maps - mean) ** 2, axis=[1, 2], keepdims=True)
            maps = gamma * (maps - mean) / tf.sqrt(variance + 1e-5) + beta
            maps = tf.nn.avg_pool2d(tf.nn.relu(maps), 2, 2, "VALID")
        features = tf.reshape(maps, [maps.shape[0], -1])
        return {"logits": features @ weights[-2] + weights[-1]}

    def logits(self, weights, images):
        return self.outputs(weights, images)["logits"]


class GivenImages:
    """Real images `[C, n, h, w, c]` in place of a store that draws them."""

    def __init__(self, images, count):
        self._images = tf.constant(images.reshape(-1, *images.shape[2:]))
        rows = np.arange(images.shape[0] * images.shape[1])
        self._rows = tf.constant(rows.reshape(len(images), -1))
        self._weights = tf.sequence_mask(count, images.shape[1], tf.float32)

    def draw_indices(self, key, count, next_key=None):
        return self._rows, self._weights

    def gather(self, rows):
        return tf.gather(self._images, rows)


class GivenMatching(ClassMatching):
    """Matching of a golden's images in its network, in float32.

    With `plain` the network is the plain one. One value of DSAC's images is so close to
    a kink of ReLU that the fused network's other rounding puts it on the other side.
    """

    def __init__(self, golden, max_images, max_classes=1, plain=False):
        real, synthetic = golden["real"], golden["synthetic"]
        sizes = (len(real), 1, real.shape[1], synthetic.shape[1], max_images)
        self.blocks = plan_class_blocks(*sizes, max_classes)
        network = golden.network("float64" if plain else "float32")
        self.gradients = WeightGradients(network)
        zeros, ones = ((x,) * real.shape[-1] for x in (0.0, 1.0))
        super().__init__(
            synthetic_set=SyntheticSet(
                tf.constant(synthetic),
                Normalisation(zeros, ones),
            ),
            store=GivenImages(real, golden.real_count),
            objective=GivenNetwork(golden.weights(dtype="float32")),
            comparison=GradientComparison(self.gradients, angle_distance),
            blocks=self.blocks,
            real_batch=real.shape[1],
            augmentations=dsa.Choice(),
            seed=0,
        )
        self._golden = golden

    def draw_augmentation(self, iteration, pass_index=0):
        if self._golden.is_augmented:
            return self._golden.augmentation()
        return super().draw_augmentation(iteration, pass_index)


class GivenNetwork(Objective):
    """A network of given weights."""

    def __init__(self, weights):
        super().__init__()
        self._given = lambda: weights

    def pass_of(self, iteration, pass_index):
        return Pass(self._given())


class GivenTraining(InnerTraining):
    """Training in a given order `[epochs, n]`, with given images of each batch."""

    def __init__(self, network, schedule, order, augmented=None):
        super().__init__(network, schedule)
        self._order = tf.constant(order, tf.int32)
        self._augmented = augmented

    def order(self, count, key, epoch):
        return self._order[epoch]

    def augmented(self, images, key, epoch, batch):
        if self._augmented is None:
            return images
        return self._augmented(images, epoch, batch)


def error(found, expected):
    """Largest difference over the largest value."""
    expected = np.asarray(expected)
    return np.abs(np.asarray(found) - expected).max() / np.abs(expected).max()
