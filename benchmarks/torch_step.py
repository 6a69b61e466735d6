"""Steps and epochs as the released PyTorch programs do them, to be timed beside ours.

Own code after what those programs do (Zhao & Bilen's of DM, and DM+HDD's): a loop over
classes, each with a forward pass for its real images and one for its synthetic ones, in
a fresh network; one backward pass to all synthetic images; SGD with momentum. Networks
that evaluate train with a `DataLoader` of PyTorch. Augmentation is simplified: the same
six transformations, of which one is drawn a batch, but all images of a batch share its
parameters, in evaluation too (theirs differ by image there, which costs a little more).

Import this module only where PyTorch is installed.
"""

import dataclasses
import math
import random

import torch
import torch.nn.functional as F
from timing import Run
from torch import nn


@dataclasses.dataclass(frozen=True)
class TorchOptions:
    """How PyTorch computes.

    Attributes:
        device: Device, such as `cpu` or `cuda`.
        channels_last: Whether images and networks have PyTorch's channels-last layout.
        tf32: Whether convolutions and matrix products on a GPU may use TensorFloat-32.
        augmented: Whether images are augmented.
    """

    device: str = "cpu"
    channels_last: bool = False
    tf32: bool = True
    augmented: bool = True

    def apply(self) -> None:
        """Sets PyTorch's switches, which are those of the process."""
        torch.backends.cuda.matmul.allow_tf32 = self.tf32
        torch.backends.cudnn.allow_tf32 = self.tf32
        # The programs leave it off: they would gain nothing at sizes that vary.
        torch.backends.cudnn.benchmark = False

    def place(self, images: torch.Tensor) -> torch.Tensor:
        """Returns images `[n, c, h, w]` on the device, in the layout."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return images.to(self.device, memory_format=layout)

    def network(
        self, shape: tuple[int, int, int], classes: int, width: int
    ) -> nn.Module:
        """Returns a fresh ConvNet of three blocks for `(side, side, c)` images."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        net = ConvNet(shape, classes, width)
        return net.to(self.device, memory_format=layout)


class ConvNet(nn.Module):
    """Three blocks of 3x3 convolution, instance norm, ReLU, 2x2 average pooling."""

    def __init__(self, shape: tuple[int, int, int], classes: int, width: int) -> None:
        super().__init__()
        side, _, channels = shape
        blocks: list[nn.Module] = []
        for _ in range(3):
            blocks += [
                nn.Conv2d(channels, width, 3, padding=1),
                nn.GroupNorm(width, width, affine=True),  # instance norm, as they do it
                nn.ReLU(inplace=True),
                nn.AvgPool2d(2, 2),
            ]
            channels = width
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(width * (side // 8) ** 2, classes)

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the features `[n, d]` of images `[n, c, h, w]`."""
        return self.blocks(images).flatten(1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the logits `[n, classes]` of images `[n, c, h, w]`."""
        return self.classifier(self.embed(images))


def augment(images: torch.Tensor, seed: int) -> torch.Tensor:
    """Augments images `[n, c, h, w]` by one of six transformations, all alike.

    Args:
        images: Normalised images.
        seed: Seed of the transformation and its parameters.
    """
    draw = random.Random(seed)
    side = images.shape[2]
    match draw.choice(["color", "crop", "cutout", "flip", "scale", "rotate"]):
        case "color":
            images = images + draw.uniform(-0.5, 0.5)
            mean = images.mean(1, keepdim=True)
            images = (images - mean) * draw.uniform(0, 2) + mean
            mean = images.mean((1, 2, 3), keepdim=True)
            return (images - mean) * draw.uniform(0.5, 1.5) + mean
        case "crop":
            most = int(side * 0.125 + 0.5)
            row, column = draw.randint(0, 2 * most), draw.randint(0, 2 * most)
            padded = F.pad(images, [most] * 4)
            return padded[:, :, row : row + side, column : column + side]
        case "cutout":
            half, row, column = side // 4, draw.randrange(side), draw.randrange(side)
            mask = torch.ones_like(images[:1, :1])
            rows, columns = (
                slice(max(at - half, 0), at + half) for at in (row, column)
            )
            mask[:, :, rows, columns] = 0.0
            return images * mask
        case "flip":
            return images.flip(3) if draw.random() < 0.5 else images
        case "scale":
            scale = [draw.uniform(1 / 1.2, 1.2) for _ in range(2)]
            return _warp(images, [[scale[0], 0.0, 0.0], [0.0, scale[1], 0.0]])
        case _:
            angle = math.radians(draw.uniform(-15, 15))
            cosine, sine = math.cos(angle), math.sin(angle)
            return _warp(images, [[cosine, -sine, 0.0], [sine, cosine, 0.0]])


def _warp(images: torch.Tensor, matrix: list[list[float]]) -> torch.Tensor:
    theta = images.new_tensor(matrix).expand(len(images), 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def _lorentz_centroid(features: torch.Tensor) -> torch.Tensor:
    """Returns the centroid `[d + 1]` of lifted features `[n, d]`, K = -1."""
    norm = features.norm(dim=1, keepdim=True).clamp_min(1e-8)
    radius = norm.clamp_max(10.0)  # The hidden clamp of the exponential map.
    points = torch.cat([radius.cosh(), radius.sinh() * features / norm], 1)
    mean = points.mean(0)
    return mean / (mean[0] ** 2 - (mean[1:] ** 2).sum()).sqrt()


def matching_loss(
    real: torch.Tensor, synthetic: torch.Tensor, geometry: str
) -> torch.Tensor:
    """Returns the loss of one class.

    Args:
        real: Features of its real images `[n, d]`, without gradient.
        synthetic: Features of its synthetic images `[m, d]`.
        geometry: `hyperbolic` (K = -1, weight 20) or `euclidean`.
    """
    if geometry == "euclidean":
        return ((real.mean(0) - synthetic.mean(0)) ** 2).sum()
    a, b = (_lorentz_centroid(f.double()) for f in (real, synthetic))
    inner = a[0] * b[0] - (a[1:] * b[1:]).sum()
    return 20.0 * torch.acosh(inner.clamp_min(1.0 + 1e-12))


def row_distance(real: torch.Tensor, synthetic: torch.Tensor) -> torch.Tensor:
    """Returns DC's distance of two gradients of a weight, the sum over its units."""
    if real.dim() < 2:
        return real.new_zeros(())
    real, synthetic = real.flatten(1), synthetic.flatten(1)
    norms = real.norm(dim=1) * synthetic.norm(dim=1) + 1e-6
    return (1.0 - (real * synthetic).sum(1) / norms).sum()


def gradient_step(
    options: TorchOptions,
    classes: int,
    ipc: int,
    real_batch: int,
    image_shape: tuple[int, int, int],
    width: int,
) -> Run:
    """Returns a run of one update of DC in a fresh network, without augmentation.

    Args:
        options: How PyTorch computes.
        classes: Number of classes.
        ipc: Synthetic images of each class.
        real_batch: Real images of each class.
        image_shape: `(side, side, channels)` of the images.
        width: Channels of each block.
    """
    options.apply()
    side, _, channels = image_shape
    per_class, shape = 2 * real_batch, (channels, side, side)
    pool = options.place(torch.randn(classes * per_class, *shape))
    images = options.place(torch.randn(classes * ipc, *shape)).requires_grad_()
    optimiser = torch.optim.SGD([images], lr=0.1, momentum=0.5)

    def run() -> float:
        net = options.network(image_shape, classes, width)
        weights = list(net.parameters())
        loss = torch.zeros((), device=options.device)

        def gradients(
            batch: torch.Tensor, label: int, again: bool
        ) -> tuple[torch.Tensor, ...]:
            labels = torch.full((len(batch),), label, device=options.device)
            entropy = F.cross_entropy(net(batch), labels)
            return torch.autograd.grad(entropy, weights, create_graph=again)

        for c in range(classes):
            rows = torch.randperm(per_class)[:real_batch] + c * per_class
            wanted = gradients(pool[rows.to(options.device)], c, False)
            made = gradients(images[c * ipc : (c + 1) * ipc], c, True)
            pairs = zip(wanted, made, strict=True)
            loss = loss + torch.stack([row_distance(r, s) for r, s in pairs]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    return run


def matching_step(
    options: TorchOptions,
    classes: int,
    ipc: int,
    real_batch: int,
    image_shape: tuple[int, int, int],
    width: int,
    geometry: str = "hyperbolic",
) -> Run:
    """Returns a run of one iteration of DM, or DM+HDD.

    Args:
        options: How PyTorch computes.
        classes: Number of classes.
        ipc: Synthetic images of each class.
        real_batch: Real images of each class.
        image_shape: `(side, side, channels)` of the images.
        width: Channels of each block.
        geometry: `hyperbolic` or `euclidean`.
    """
    options.apply()
    side, _, channels = image_shape
    per_class = 2 * real_batch
    shape = channels, side, side
    # The programs hold all images on the device, and draw rows of a class there.
    pool = options.place(torch.randn(classes * per_class, *shape))
    images = options.place(torch.randn(classes * ipc, *shape)).requires_grad_()
    optimiser = torch.optim.SGD([images], lr=1.0, momentum=0.5)
    seeds = random.Random(0)

    def run() -> float:
        net = options.network(image_shape, classes, width)
        net.train().requires_grad_(False)
        loss = torch.zeros((), device=options.device)
        for c in range(classes):
            rows = torch.randperm(per_class)[:real_batch] + c * per_class
            real = pool[rows.to(options.device)]
            synthetic = images[c * ipc : (c + 1) * ipc]
            if options.augmented:
                seed = seeds.getrandbits(32)
                real, synthetic = augment(real, seed), augment(synthetic, seed)
            target = net.embed(real).detach()
            loss = loss + matching_loss(target, net.embed(synthetic), geometry)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()  # Waits for the device.

    return run


def training_run(
    options: TorchOptions,
    classes: int,
    per_class: int,
    image_shape: tuple[int, int, int],
    width: int,
    epochs: int = 1,
    batch_size: int = 256,
) -> Run:
    """Returns a run of the evaluation's training of a fresh network.

    Args:
        options: How PyTorch computes.
        classes: Number of classes.
        per_class: Training images of each class.
        image_shape: `(side, side, channels)` of the images.
        width: Channels of each block.
        epochs: Number of epochs.
        batch_size: Images of an update.
    """
    options.apply()
    side, _, channels = image_shape
    images = options.place(torch.randn(classes * per_class, channels, side, side))
    labels = torch.arange(classes, device=options.device).repeat_interleave(per_class)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(images, labels), batch_size, shuffle=True
    )
    seeds = random.Random(0)

    def run() -> tuple[float, int]:
        net = options.network(image_shape, classes, width).train()
        decay = {"momentum": 0.9, "weight_decay": 5e-4}
        optimiser = torch.optim.SGD(net.parameters(), lr=0.01, **decay)
        total, correct = 0.0, 0
        for _ in range(epochs):
            for batch, targets in loader:
                if options.augmented:
                    batch = augment(batch, seeds.getrandbits(32))
                logits = net(batch)
                loss = F.cross_entropy(logits, targets)
                # The programs fetch loss and accuracy in every batch.
                total += loss.item()
                correct += (logits.argmax(1) == targets).sum().item()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        if options.device != "cpu":
            torch.cuda.synchronize()
        return total, correct

    return run
