"""What the bench times in turn, and which ratios it makes of that.

All at the shape of CIFAR-10, with images of noise: times do not depend on what images
show.
"""

import dataclasses
import importlib.util
from typing import Any, NamedTuple

import cost_curves
from bare_convolutions import (
    epoch_convolutions,
    gradient_convolutions,
    step_convolutions,
)
from memory_passes import step_passes
from timing import Run
from workloads import distillation_step, step_run, training_run

from hdd_tf.protocols.beforehand import expert_protocol
from hdd_tf.protocols.published import dm_protocol

DSA = "color_crop_cutout_flip_scale_rotate"


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How large everything is.

    Attributes:
        rounds: Rounds of the timing; the long ones take at most 3.
        classes: Number of classes.
        ipc: Synthetic images of each class.
        real_batch: Real images of each class.
        side: Height and width of the images.
        width: Channels of each block.
        depth: Blocks of the network.
        evaluated: Images per class of the sets that networks train on, each with the
            number of epochs of a run.
        pool_steps: Updates of each of IDM's two networks; published 10.
        pool_batch: Images of such an update.
        expert_images: Real images of each class that an expert trains on.
        many_classes: Number of classes of the second measurement of memory.
        curves: Sizes of the curves.
    """

    rounds: int = 5
    classes: int = 10
    ipc: int = 10
    real_batch: int = 256
    side: int = 32
    width: int = 128
    depth: int = 3
    evaluated: tuple[tuple[int, int], ...] = ((10, 5), (50, 1))
    pool_steps: int = 2
    pool_batch: int = 256
    expert_images: int = 128
    many_classes: int = 100
    curves: cost_curves.Sizes = cost_curves.FULL

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self.side, self.side, 3

    @property
    def network(self) -> dict[str, int]:
        """Settings of the network."""
        return {"width": self.width, "depth": self.depth}

    def step(self, **settings: Any) -> Run:
        """Returns a run of one iteration."""
        ours = {"ipc": self.ipc, "real_batch": self.real_batch, **self.network}
        step = distillation_step(self.classes, self.image_shape, **(ours | settings))
        return step_run(step)

    def convolutions(self, precision: str, decoded: int = 1) -> Run:
        """Returns the convolutions of a step.

        Args:
            precision: That of the real images.
            decoded: Training images that a stored image is cut into.
        """
        return step_convolutions(*self._of_step(precision, decoded))

    def floor(self, precision: str) -> Run:
        """Returns a step's convolutions, then what its norms and pools must move."""
        convolutions = self.convolutions(precision)
        passes = step_passes(*self._of_step(precision))
        return lambda: (convolutions(), passes())

    def _of_step(self, precision: str, decoded: int = 1) -> tuple[Any, ...]:
        return (
            self.classes * self.real_batch,
            self.classes * self.ipc * decoded,
            self.image_shape,
            self.width,
            self.depth,
            precision,
        )

    def epoch(self, images: int, batch: int, precision: str = "float32") -> Run:
        """Returns the convolutions of an epoch of training."""
        return epoch_convolutions(
            images, batch, self.image_shape, self.width, self.depth, precision
        )


QUICK = Sizes(
    rounds=1, classes=2, ipc=1, real_batch=4, side=8, width=8, depth=1,
    evaluated=((2, 1),), pool_steps=1, pool_batch=4, expert_images=4, many_classes=3,
    curves=cost_curves.QUICK,
)  # fmt: skip


class Group(NamedTuple):
    """What is timed in turn.

    Attributes:
        runs: The runs by name.
        ratios: (title, name above the line, name below it). A run that is missing, as
            PyTorch's may be, drops its ratio.
    """

    runs: dict[str, Run]
    ratios: list[tuple[str, str, str]]


def _torch(sizes: Sizes, name: str, **arguments: Any) -> dict[str, Run]:
    """Returns a run of PyTorch by its name, or nothing where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        return {}
    import torch_step

    make = getattr(torch_step, name)
    common = (sizes.image_shape, sizes.width)
    first = (torch_step.TorchOptions(), sizes.classes, *arguments.pop("counts"))
    return {"torch": make(*first, *common, **arguments)}


def step_group(sizes: Sizes) -> Group:
    """Returns the steps of DM+HDD, and their convolutions."""
    runs = {
        "step": sizes.step(),
        "convolutions": sizes.convolutions("float32"),
        "bfloat16": sizes.step(precision="bfloat16"),
        "bfloat16 convolutions": sizes.convolutions("bfloat16"),
        "floor": sizes.floor("float32"),
        "bfloat16 floor": sizes.floor("bfloat16"),
        "class by class": sizes.step(max_images_per_forward=sizes.real_batch),
        "full bank": sizes.step(real_bank_size=1),
        **_torch(sizes, "matching_step", counts=(sizes.ipc, sizes.real_batch)),
    }
    return Group(
        runs,
        [
            ("step / bare convolutions", "step", "convolutions"),
            (
                "bfloat16 step / its bare convolutions",
                "bfloat16",
                "bfloat16 convolutions",
            ),
            ("step / convolutions and memory passes", "step", "floor"),
            (
                "bfloat16 step / its convolutions and memory passes",
                "bfloat16",
                "bfloat16 floor",
            ),
            ("bfloat16 step / float32 step", "bfloat16", "step"),
            ("step with one class a block / step", "class by class", "step"),
            ("PyTorch's step / step", "torch", "step"),
            ("PyTorch's step / bfloat16 step", "torch", "bfloat16"),
            ("step with a full bank / step", "full bank", "step"),
        ],
    )


def evaluation_group(sizes: Sizes, ipc: int, epochs: int) -> Group:
    """Returns trainings of evaluation on sets of one size, and their convolutions."""
    protocol = dm_protocol(epochs, 256, 0.01, DSA)
    images, shape = sizes.classes * ipc, sizes.image_shape

    def ours(precision: str) -> Run:
        return training_run(
            protocol, sizes.classes, ipc, shape, precision, **sizes.network
        )

    def bare(precision: str) -> Run:
        epoch = sizes.epoch(images, 256, precision)
        return lambda: [epoch() for _ in range(epochs)]

    runs = {
        "training": ours("float32"),
        "convolutions": bare("float32"),
        "bfloat16": ours("bfloat16"),
        "bfloat16 convolutions": bare("bfloat16"),
        **_torch(sizes, "training_run", counts=(ipc,), epochs=epochs),
    }
    what = f"evaluation, IPC {ipc}"
    return Group(
        runs,
        [
            (f"{what}: training / bare convolutions", "training", "convolutions"),
            (
                f"{what}: bfloat16 / its bare convolutions",
                "bfloat16",
                "bfloat16 convolutions",
            ),
            (f"{what}: bfloat16 / float32", "bfloat16", "training"),
            (f"{what}: PyTorch's loop / training", "torch", "training"),
            (f"{what}: PyTorch's loop / bfloat16", "torch", "bfloat16"),
        ],
    )


def gradients_group(sizes: Sizes) -> Group:
    """Returns updates of DC and DCC without the network's training between them."""
    counts = (sizes.ipc, sizes.real_batch)
    plain = {"geometry": "euclidean", "dsa": "none", "dc_updates": 10, "dc_epochs": 0}

    runs = {
        "update": sizes.step(objective="dc", **plain),
        "convolutions": gradient_convolutions(
            sizes.classes,
            sizes.real_batch,
            sizes.ipc,
            sizes.image_shape,
            sizes.width,
            sizes.depth,
        ),
        "geodesic": sizes.step(objective="dc", **{**plain, "geometry": "hyperbolic"}),
        "contrast": sizes.step(objective="dcc", dcc_outer_warmup=0, **plain),
        **_torch(sizes, "gradient_step", counts=counts),
    }
    return Group(
        runs,
        [
            ("DC's update / bare convolutions", "update", "convolutions"),
            ("PyTorch's update of DC / update", "torch", "update"),
            ("DC's update with geodesics / with angles", "geodesic", "update"),
            ("DCC's update of all classes / DC's update", "contrast", "update"),
        ],
    )


def pool_group(sizes: Sizes) -> Group:
    """Returns an iteration of IDM, with few updates of its pool."""
    steps, batch = sizes.pool_steps, sizes.pool_batch
    # Two networks of the pool train after an iteration.
    matching = sizes.convolutions("float32", decoded=4)
    training = sizes.epoch(2 * steps * batch, batch)
    iteration = sizes.step(
        objective="idm", idm_train_steps=steps, idm_train_batch=batch
    )
    updates = f"{steps} updates of 2 networks instead of 10"
    title = f"IDM's iteration, {updates} / bare convolutions"
    runs = {"iteration": iteration, "convolutions": lambda: (matching(), training())}
    return Group(runs, [(title, "iteration", "convolutions")])


def experts_group(sizes: Sizes) -> Group:
    """Returns an epoch of one of DANCE's experts."""
    images, batch = sizes.expert_images, 64
    epoch = training_run(
        expert_protocol(1, batch),
        sizes.classes,
        images,
        sizes.image_shape,
        **sizes.network,
    )
    bare = sizes.epoch(sizes.classes * images, batch)
    title = f"DANCE's expert, epoch of {images} images a class / bare convolutions"
    return Group(
        {"epoch": epoch, "convolutions": bare}, [(title, "epoch", "convolutions")]
    )
