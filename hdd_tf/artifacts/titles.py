"""Titles of the pictures of a run: which set, after how many iterations, which seed."""

from hdd_tf.config import Config
from hdd_tf.settings.matching import geometry_title


def set_title(config: Config, dataset_name: str, iteration: int) -> str:
    """Returns the title of a picture of a run's images.

    Args:
        config: Settings of the run.
        dataset_name: Name of the data set.
        iteration: Iterations that the images have seen; unused if the method has none.
    """
    traits = config.traits
    method = traits.title + geometry_title(traits.geometry(config.geometry))
    seen = "" if traits.is_selection else f"iteration {iteration:,}, "
    return (
        f"{dataset_name}, {method}, {config.ipc:,} per class: {seen}seed {config.seed}"
    )
