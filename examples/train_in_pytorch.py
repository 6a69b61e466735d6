"""Trains a PyTorch network on a distilled set by its recipe, without hdd_tf.

    hdd-tf export RUN --output_dir=set --encoding=npz
    python examples/train_in_pytorch.py set --test test.npz

Images, classes and soft labels come from distilled.npz, all that hdd_tf.json says of
the training from recipe.py, and the batches from views.py: crops, CutMix and the like
as NumPy arrays, fresh ones or those that the set has labels of. Where a teacher labels
them, TensorFlow asks it in this process: it is a SavedModel. test.npz has `images` on
the 0-255 scale and `labels`.
"""

import argparse
import pathlib

import numpy as np
import torch
from recipe import Recipe
from set_files import (
    DAMAGED_FILE,
    check_teacher,
    count,
    fail,
    fail_damaged,
    find_set,
    read_arrays,
    read_extras,
)
from torch import nn
from torch.nn import functional
from views import AskTeacher, Batch, Normaliser, Views


def build_network(
    image_shape: tuple[int, int, int],
    num_classes: int,
    width: int = 64,
    depth: int = 3,
    batch_norm: bool = False,
) -> nn.Module:
    """Returns the ConvNet of the literature, from normalised images to logits.

    Args:
        image_shape: Height, width and channels.
        num_classes: Number of logits.
        width: Channels of a layer.
        depth: Blocks.
        batch_norm: Whether the norm is batch norm, or instance norm.
    """
    height, breadth, channels = image_shape
    layers: list[nn.Module] = []
    if height == 28:  # As if it had 32.
        layers, height, breadth = [nn.ZeroPad2d(2)], 32, 32
    for _ in range(depth):
        norm = nn.BatchNorm2d(width) if batch_norm else nn.GroupNorm(width, width)
        convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        layers += [convolution, norm, nn.ReLU(), nn.AvgPool2d(2, ceil_mode=True)]
        channels, height, breadth = width, -(-height // 2), -(-breadth // 2)
    features = width * height * breadth
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, num_classes))


def as_tensor(images: np.ndarray) -> torch.Tensor:
    """Returns `[n, h, w, c]` images as PyTorch has them, `[n, c, h, w]`."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def batch_loss(recipe: Recipe, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
    """Returns the scalar loss of a batch; see soft_labels.py for the same in Keras."""

    def by_class(labels: np.ndarray) -> torch.Tensor:
        targets = torch.from_numpy(labels).long()
        return functional.cross_entropy(logits, targets, reduction="none")

    def by_logits(labels: np.ndarray) -> torch.Tensor:
        targets, heat = torch.from_numpy(labels), recipe.temperature
        if recipe.loss == "mse":
            return ((targets - logits) ** 2).mean(dim=1)
        if recipe.loss == "kl":
            wanted = functional.log_softmax(targets / heat, dim=1)
            found = functional.log_softmax(logits / heat, dim=1)
            return (wanted.exp() * (wanted - found)).sum(dim=1)
        found = functional.log_softmax(logits, dim=1)
        return -(functional.softmax(targets, dim=1) * found).sum(dim=1)

    share = torch.from_numpy(batch.share)
    if recipe.loss == "hard":
        foreign = by_class(batch.partner_labels)
        return (share * by_class(batch.labels) + (1 - share) * foreign).mean()
    losses = by_logits(batch.logits)
    if recipe.labels == "stored":
        losses = share * losses + (1 - share) * by_logits(batch.partner_logits)
    if recipe.hard_weight:
        losses = losses + recipe.hard_weight * by_class(batch.labels)
    return losses.mean()


def optimiser(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """Returns the optimiser of a recipe."""
    kernels = [weight for weight in network.parameters() if weight.ndim > 1]
    others = [weight for weight in network.parameters() if weight.ndim < 2]
    decay = 0.0 if recipe.decay_kernels_only else recipe.weight_decay
    groups = [
        {"params": kernels, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": decay},
    ]
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, recipe.learning_rate, recipe.momentum)
    return torch.optim.AdamW(groups, recipe.learning_rate, recipe.betas)


def train_by_recipe(network: nn.Module, recipe: Recipe, views: Views) -> None:
    """Trains a network that takes normalised images.

    Args:
        network: From normalised images to logits.
        recipe: How it trains.
        views: The batches.
    """
    network.train()
    rates = recipe.rates()
    for epochs in recipe.parts():
        optimise = optimiser(recipe, network)
        for epoch in epochs:
            for group in optimise.param_groups:
                group["lr"] = rates[epoch]
            for batch in views.batches([epoch]):
                images = as_tensor(batch.images)
                if recipe.extra_norm_pass:
                    with torch.no_grad():
                        network(images)
                loss = batch_loss(recipe, batch, network(images))
                optimise.zero_grad()
                loss.backward()
                optimise.step()
    network.eval()


def accuracy(
    network: nn.Module, metadata: dict, images: np.ndarray, labels: np.ndarray
) -> float:
    """Returns the accuracy in per cent on images on the 0-255 scale."""
    normaliser, right = Normaliser(metadata), 0
    with torch.no_grad():
        for start in range(0, len(labels), 256):
            here = slice(start, start + 256)
            logits = network(as_tensor(normaliser.normalise(images[here])))
            right += int((logits.argmax(dim=1).numpy() == labels[here]).sum())
    return 100 * right / len(labels)


def load_teacher(directory: pathlib.Path, metadata: dict) -> AskTeacher:
    """Loads the set's teacher, a function from pixels to logits."""
    check_teacher(directory, metadata)
    # Only here, for all else works without TensorFlow.
    from soft_labels import load_teacher

    return load_teacher(directory)


def main() -> None:
    """Reads the set, trains on it, prints accuracies."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("directory", type=pathlib.Path, help="a set, as npz")
    parser.add_argument("--epochs", type=count, help="the recipe's, or 100")
    parser.add_argument("--batch", type=count, help="the recipe's, or 64")
    parser.add_argument("--width", type=count, help="channels of a layer")
    parser.add_argument("--depth", type=count, help="blocks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--test", type=pathlib.Path, help="an .npz file")
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    directory, metadata = find_set(arguments.directory)
    if metadata.get("encoding") != "npz":
        fail(f"the set in {directory} is no distilled.npz: export it --encoding=npz")
    if metadata["formation_factor"] > 1 and not metadata["decoded"]:
        fail(f"images in {directory} are grids: export the set with --images=decoded")
    soft = "soft_labels" in metadata
    names = ["images", "labels", *(["label_logits"] if soft else [])]
    try:
        arrays = read_arrays(directory / "distilled.npz", names)
        metadata = read_extras(directory, metadata)
    except DAMAGED_FILE:
        fail_damaged(directory)
    recipe = Recipe.of_set(
        metadata, epochs=arguments.epochs, batch_size=arguments.batch
    )
    images, labels = arrays["images"], arrays["labels"]
    views = Views(
        images,
        labels,
        arrays.get("label_logits"),
        metadata,
        recipe,
        load_teacher(directory, metadata) if recipe.labels == "teacher" else None,
        arguments.seed,
    )
    source = metadata["source"]
    network = build_network(
        views.image_shape,
        views.num_classes,
        arguments.width or source.get("width", 64),
        arguments.depth or source.get("depth", 3),
        source.get("network") == "convnet_batch",
    )
    train_by_recipe(network, recipe, views)
    found = accuracy(network, metadata, images, labels)
    print(f"training accuracy: {found:.1f} %")
    if arguments.test:
        try:
            test = read_arrays(arguments.test, ["images", "labels"])
        except DAMAGED_FILE:
            fail(f"{arguments.test} has no arrays images and labels")
        found = accuracy(network, metadata, test["images"], test["labels"])
        print(f"test accuracy: {found:.1f} %")


if __name__ == "__main__":
    main()
