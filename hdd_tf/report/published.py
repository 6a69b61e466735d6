"""Published test accuracies, and the budgets that they were measured with.

The accuracies of the methods are in the methods' traits in methods/, with the
sources. The accuracies of the whole training sets are here, from Li et al. 2025.

Data sets have their TFDS names. All distilled sets and coresets were scored with the
ConvNet that they were matched with, of depth 3 (ImageWoof: 5).
"""

from hdd_tf.methods.registry import WHOLE, published_row, traits_of
from hdd_tf.methods.traits import PUBLISHED_IPC, Accuracy, Budget

_WHOLE: dict[str, Accuracy] = {
    "fashion_mnist": (93.5, 0.1),
    "svhn_cropped": (95.4, 0.1),
    "cifar10": (84.8, 0.1),
    "cifar100": (56.2, 0.3),
    "imagewoof": (67.0, 1.3),
}


def published_accuracy(
    dataset: str, ipc: int, objective: str, geometry: str = ""
) -> Accuracy | None:
    """Returns the published mean and standard deviation in percent.

    Args:
        dataset: TFDS name.
        ipc: Images per class; unused for `whole`.
        objective: A method, or `whole`.
        geometry: `hyperbolic` or `euclidean`; unused if the method has none.

    Returns:
        The two numbers, the deviation None if our source lacks it; None if no accuracy
        was published or our source has none.
    """
    if objective == WHOLE:
        return _WHOLE.get(dataset)
    row = published_row(objective, dataset, geometry)
    return dict(zip(PUBLISHED_IPC, row, strict=False)).get(ipc)


def accuracy_text(accuracy: Accuracy | None) -> str:
    """Returns the text of published numbers, with one decimal as published."""
    if accuracy is None:
        return "not known"
    mean, deviation = accuracy
    return f"{mean:.1f}" if deviation is None else f"{mean:.1f} ± {deviation:.1f}"


def published_budget(
    dataset: str, ipc: int, objective: str, geometry: str
) -> Budget | None:
    """Returns the published budget of a setting; None if it was not published.

    Args:
        dataset: TFDS name.
        ipc: Images per class.
        objective: Name of the method.
        geometry: `hyperbolic` or `euclidean`; unused if the method has none.
    """
    traits = traits_of(objective)
    if traits is None or traits.budget is None:
        return None
    known = published_accuracy(dataset, ipc, objective, geometry) is not None
    if not known and not (dataset in traits.settings_of and ipc in PUBLISHED_IPC):
        return None
    return traits.budget(dataset, ipc, geometry)
