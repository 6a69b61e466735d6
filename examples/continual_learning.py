"""Continual learning with a distilled set as the memory.

    python examples/continual_learning.py --set RUN_DIR --steps 5

Classes arrive in steps. The memory holds a few images of every class seen so far:
distilled ones or, for comparison, as many real ones chosen at random. After each step a
fresh network trains on the memory alone and is tested on all classes seen so far. This
is GDumb (Prabhu et al., ECCV 2020) as Zhao & Bilen (Dataset Condensation with
Distribution Matching, WACV 2023, arXiv 2110.04181) apply it to distilled sets. A run
distils every class by itself with DM, so its set could have been made step by step.

It needs no hdd_tf; distilled_data.py and convnet.py beside it read and train.
"""

import argparse
import pathlib

import numpy as np
from convnet import Architecture, accuracy, train
from distilled_data import (
    LabelledImages,
    choose_at_random,
    fail,
    read_distilled,
    read_real,
)
from set_files import count


def share_out(num_classes: int, steps: int, seed: int) -> list[np.ndarray]:
    """Returns the labels that arrive at each step, drawn at random.

    Where the steps cannot have equally many, the first ones have one more.
    """
    order = np.random.default_rng(seed).permutation(num_classes)
    return np.array_split(order, steps)


def seen_part(data: LabelledImages, seen: np.ndarray) -> LabelledImages:
    """Returns the images of the classes seen, numbered in the order they arrived in.

    Args:
        data: Images of all classes.
        seen: `[k]` labels of the classes, in the order they arrived in.
    """
    part = data.take(np.flatnonzero(np.isin(data.labels, seen)))
    arrival = {label: place for place, label in enumerate(seen)}
    labels = np.array([arrival[label] for label in part.labels], np.int64)
    # Without the logits of the other classes, the softmax is over those seen.
    logits = None if part.label_logits is None else part.label_logits[:, seen]
    return LabelledImages(part.images, labels, logits)


def main() -> None:
    """Trains on both memories after each step, prints a table of accuracies."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--set", type=pathlib.Path, required=True, help="set or run")
    parser.add_argument("--data_dir", help="where TFDS keeps its data sets")
    parser.add_argument("--steps", type=count, default=5)
    parser.add_argument("--epochs", type=count, default=200, help="after each step")
    parser.add_argument("--width", type=count, default=32, help="channels of a layer")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random")
    arguments = parser.parse_args()

    distilled, ipc, metadata = read_distilled(arguments.set)
    names = metadata["label_names"]
    if arguments.steps > len(names):
        fail(f"--steps={arguments.steps} is more than the {len(names)} classes")
    training, test = read_real(metadata, arguments.data_dir)
    memories = {
        "distilled": distilled,
        "random": choose_at_random(training, ipc, arguments.seed),
    }
    arrivals = share_out(len(names), arguments.steps, arguments.seed)
    print(f"{metadata['dataset']}, {ipc} images a class in the memory; arriving:")
    for step, labels in enumerate(arrivals, 1):
        print(f"  step {step}: {', '.join(names[label] for label in labels)}")

    print("accuracy in % on all classes seen so far")
    print("step  classes  images  distilled  random")
    architecture = Architecture(width=arguments.width)
    rows: list[list[float]] = []
    for step in range(1, arguments.steps + 1):
        seen = np.concatenate(arrivals[:step])
        rows.append([])
        for memory in memories.values():
            network = train(
                architecture,
                seen_part(memory, seen),
                len(seen),
                metadata,
                arguments.epochs,
                arguments.seed,
            )
            rows[-1].append(accuracy(network, seen_part(test, seen)))
        print(
            f"{step:4}  {len(seen):7}  {ipc * len(seen):6}"
            f"  {rows[-1][0]:9.1f}  {rows[-1][1]:6.1f}",
            flush=True,
        )
    means = np.mean(rows, axis=0)
    print(f"mean                   {means[0]:9.1f}  {means[1]:6.1f}")


if __name__ == "__main__":
    main()
