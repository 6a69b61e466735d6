"""The loop of an authors' program, recorded: its draws, networks and images."""

import pathlib
import types

import numpy as np
import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.data.class_store import ClassStore
from hdd_tf.data.dataset import Dataset, LabelledImages
from hdd_tf.distillation.classwise import ClasswiseMatching
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.networks.registry import build_network

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
ONE_DEVICE = tf.distribute.OneDeviceStrategy("CPU:0")
NOTHING_DRAWN = dsa.Choice()


class _RecordedDraws(ClassStore):
    """Draws the images that the program drew in iteration `now`."""

    now = 0

    def __init__(self, *args, real_index):
        super().__init__(*args)
        per_class = int(self.sizes[0])
        starts = per_class * np.arange(len(self.sizes))[:, None]
        self._rows = [tf.constant(rows + starts, tf.int64) for rows in real_index]

    def draw_indices(self, key, count, next_key=None):
        if count != self._rows[0].shape[1]:
            return super().draw_indices(key, count)  # The initial images.
        return self._rows[self.now], tf.ones_like(self._rows[self.now], tf.float32)


class GoldenLoop:
    """A file of a loop over all classes, without augmentation.

    Attributes:
        file: The arrays of the file.
        network: The network, of width 8.
        context: Context of a method.
    """

    def __init__(self, name, unit_range):
        self.file = np.load(GOLDEN / f"{name}.npz", allow_pickle=False)
        num_classes, per_class, *shape = self.file["real_images"].shape
        images = self.file["real_images"].reshape(-1, *shape)
        labels = np.repeat(np.arange(num_classes), per_class)
        names = tuple(map(str, range(num_classes)))
        training = LabelledImages(images, labels)
        constants = (tuple(map(float, self.file[key])) for key in ("mean", "std"))
        dataset = Dataset(
            "golden", training, None, training.take(np.arange(0)), names, *constants
        )
        self.network = build_network("convnet", tuple(shape), num_classes, 3, 8)
        config = types.SimpleNamespace(
            init="real", ipc=self.file["initial_images"].shape[1], seed=0,
            formation_factor=int(self.file["factor"]), precision="float32", width=8,
            real_batch=self.file["real_index"].shape[2], real_bank_size=0,
            bank_over="batch", jit_compile="off", max_images_per_forward=0,
            image_lr=float(self.file["learning_rate"]),
            image_momentum=float(self.file["momentum"]),
            traits=types.SimpleNamespace(update_per_class=True, unit_range=unit_range),
        )  # fmt: skip
        self.context = MethodContext(config, dataset, self.network, ONE_DEVICE)
        self._store = _RecordedDraws(
            images, labels, num_classes, dataset.normalisation,
            real_index=self.file["real_index"],
        )  # fmt: skip
        self.context.__dict__["store"] = self._store

    def weights(self, prefix, row):
        """Returns the weights of a recorded ConvNet, zeros for no classifier."""

        def get(key):
            return self.file[f"{prefix}_{key}"][row]

        weights = []
        for block in range(3):
            # Instance norm removes the bias of a convolution.
            names = (f"conv{block}_kernel", f"norm{block}_gamma", f"norm{block}_beta")
            weights += [get(name) for name in names]
        if f"{prefix}_classifier_bias" in self.file:
            kernel = get("classifier_kernel_hwc")
            weights += [kernel.reshape(-1, kernel.shape[-1]), get("classifier_bias")]
        else:
            weights += [np.zeros(s, "float32") for s in self.network.weight_shapes[-2:]]
        return [tf.constant(weight) for weight in weights]

    def iterations(self, objective, comparison):
        """Yields (iteration, metrics, gradients, images) of each iteration.

        The images are those after the update, before they are clipped.
        """
        method = ClasswiseMatching(self.context, objective, comparison, NOTHING_DRAWN)
        method.train_ahead()
        method.assemble()
        images = method.synthetic_set.images
        images.assign(self.file["initial_images"])
        found = {}
        match, clip = method.matching.match, method.synthetic_set.clip

        def recorded_match(*args, **kwargs):
            matched = match(*args, **kwargs)
            found["gradient"] = matched.gradient.numpy()
            found["at_gradient"] = images.numpy()
            return matched

        def recorded_clip():
            found["trajectory"] = images.numpy()
            clip()

        method.matching.match = recorded_match
        method.synthetic_set.clip = recorded_clip
        # Eagerly, so that the recorded draws need no graph.
        for iteration in range(len(self.file["trajectory"])):
            self._store.now = iteration
            losses = method.iterate(tf.constant(iteration), 0)["loss_per_class"]
            yield iteration, found | {"loss_per_class": losses.numpy()}

    def assert_equal(self, found, iteration, losses=1e-5, gradient=5e-5, images=1e-5):
        """Compares an iteration, relative to the largest value of the file."""
        for key, tolerance in (
            ("loss_per_class", losses), ("gradient", gradient),
            ("at_gradient", images), ("trajectory", images),
        ):  # fmt: skip
            expected = self.file[key]
            error = np.abs(found[key] - expected[iteration]).max()
            assert error <= tolerance * np.abs(expected).max(), (key, iteration)
