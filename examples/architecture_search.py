"""Architecture search with a distilled set in the place of the training set.

    python examples/architecture_search.py --set RUN_DIR --candidates 10

Candidates train on the distilled set, on as many real images chosen at random and, as
the reference, on the whole training set. Half of the test images rank them; the other
half give the accuracy of what a proxy picks, once that is trained on everything. A
proxy is good if it ranks as the whole set does (Spearman's correlation) and picks a
good candidate, in less time. After Zhao & Bilen (Dataset Condensation with Distribution
Matching, WACV 2023, arXiv 2110.04181), who search 720 ConvNets.

It needs no hdd_tf; distilled_data.py and convnet.py beside it read and train.
"""

import argparse
import itertools
import pathlib
import random
import time

import numpy as np
from convnet import Architecture, accuracy, train
from distilled_data import (
    LabelledImages,
    choose_at_random,
    fail,
    read_distilled,
    read_real,
)
from scipy.stats import spearmanr
from set_files import count

WIDTHS = (8, 16, 32)
DEPTHS = (1, 2, 3)
NORMS = ("none", "batch", "layer", "instance")
ACTIVATIONS = ("sigmoid", "relu", "leaky_relu")
POOLING = ("max", "average")
SPACE = [
    Architecture(*choice)
    for choice in itertools.product(WIDTHS, DEPTHS, NORMS, ACTIVATIONS, POOLING)
]


def score(
    architecture: Architecture,
    data: LabelledImages,
    halves: tuple[LabelledImages, LabelledImages],
    metadata: dict,
    epochs: int,
    seeds: range,
) -> tuple[float, float, float]:
    """Trains a network for each seed.

    Returns:
        Mean accuracies in per cent on the two halves, and the seconds of training.
    """
    num_classes, seconds, accuracies = len(metadata["label_names"]), 0.0, []
    for seed in seeds:
        start = time.perf_counter()
        network = train(architecture, data, num_classes, metadata, epochs, seed)
        seconds += time.perf_counter() - start
        accuracies.append([accuracy(network, half) for half in halves])
    ranking, picked = np.mean(accuracies, axis=0)
    return ranking, picked, seconds


def main() -> None:
    """Trains every candidate on all three, prints how well the proxies do."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--set", type=pathlib.Path, required=True, help="set or run")
    parser.add_argument("--data_dir", help="where TFDS keeps its data sets")
    parser.add_argument("--candidates", type=count, default=10, help="how many")
    parser.add_argument("--epochs", type=count, default=200, help="on a proxy")
    parser.add_argument("--whole_epochs", type=count, default=20, help="on all images")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random")
    parser.add_argument("--num_seeds", type=count, default=1, help="networks of each")
    arguments = parser.parse_args()

    if not 3 <= arguments.candidates <= len(SPACE):
        fail(f"--candidates={arguments.candidates} must be from 3 to {len(SPACE)}")
    distilled, ipc, metadata = read_distilled(arguments.set)
    whole, test = read_real(metadata, arguments.data_dir)
    chosen = choose_at_random(whole, ipc, arguments.seed)
    rows = np.random.default_rng(arguments.seed).permutation(len(test.labels))
    halves = test.take(rows[::2]), test.take(rows[1::2])
    proxies = {
        "distilled": (distilled, arguments.epochs),
        "random": (chosen, arguments.epochs),
        "whole": (whole, arguments.whole_epochs),
    }
    candidates = random.Random(arguments.seed).sample(SPACE, arguments.candidates)
    seeds = range(arguments.seed, arguments.seed + arguments.num_seeds)

    print(f"{metadata['dataset']}, {ipc} images a class; accuracy in % that ranks")
    print("width-depth-norm-activation-pooling  distilled  random  whole")
    scores: dict[str, list[tuple[float, float, float]]] = {name: [] for name in proxies}
    for candidate in candidates:
        for name, (data, epochs) in proxies.items():
            scores[name].append(score(candidate, data, halves, metadata, epochs, seeds))
        ranking = [scores[name][-1][0] for name in proxies]
        print(
            "{!s:35}  {:9.1f}  {:6.1f}  {:5.1f}".format(candidate, *ranking), flush=True
        )

    print("\nproxy      correlation  accuracy of its choice  seconds  its choice")
    columns = {name: np.array(values).T for name, values in scores.items()}
    reference, trained, _ = columns["whole"]
    for name, (ranking, _, seconds) in columns.items():
        # Rounded, so that what the table shows as equal ranks as equal.
        correlation = spearmanr(ranking.round(6), reference.round(6)).statistic
        choice = int(ranking.argmax())
        print(
            f"{name:9}  {correlation:11.2f}  {trained[choice]:22.1f}"
            f"  {seconds.sum():7.1f}  {candidates[choice]}"
        )


if __name__ == "__main__":
    main()
