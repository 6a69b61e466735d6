"""Makes the distilled sets that come with hdd_tf, in distilled/, from their commands.

    python benchmarks/ship_sets.py [NAME ...] --data_dir=DIR [--work_dir=runs/shipped]

distilled/commands.txt has a line for each set: its name, and the flags of its run. A
run goes on where it was stopped, and one that is finished is not run again. What it
leaves in distilled/NAME is the set as stored, without loss, and about.json;
docs/sets.md gets the table of all, and docs/sets/ their pictures.
"""

import argparse
import dataclasses
import io
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
from PIL import Image

from hdd_tf.artifacts.evaluations import same_scoring
from hdd_tf.artifacts.pictures import grid_array
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.distilled_set import read_distilled_set, write_distilled_set
from hdd_tf.config import Config, from_json, to_json
from hdd_tf.evaluation.known_scores import records_of
from hdd_tf.exporting.sets import set_of_run
from hdd_tf.files import atomic
from hdd_tf.files.json_files import read_json
from hdd_tf.shipped.catalogue import ABOUT_FILE, sets

ROOT = pathlib.Path(__file__).resolve().parents[1]
DISTILLED = ROOT / "distilled"
PICTURES = ROOT / "docs" / "sets"
DOCUMENT = ROOT / "docs" / "sets.md"
BEGIN, END = "<!-- sets: begin -->", "<!-- sets: end -->"
# The settings that say where files lie on this machine.
PLACES = ("data_dir", "data_cache", "run_dir", "expert_dir", "bank_dir")
# Names that TFDS reads from the authors' archive, which prepared data may lack.
NAMES = {
    "cifar10": [
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ]
}
TERMS = {
    "digits": "Made from scikit-learn's digits (3-clause BSD licence), the test part "
    "of Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.",
    "fashion_mnist": "Made from Fashion-MNIST, arXiv 1708.07747, which its authors "
    "publish under the MIT licence, Copyright 2017 Zalando SE.",
    "cifar10": "Made from CIFAR-10, Krizhevsky, Learning Multiple Layers of Features "
    "from Tiny Images, technical report, 2009. Its page names no licence and asks to "
    "cite the report.",
}
# Of the pictures: pixels beside a grid, and the size of the palette.
GAP, COLOURS = 24, 64
HEAD = ("name", "images", "kB", "accuracy (%)", "networks", "real (%)", "by", "commit")
REFER = " NOTICE.md beside the sets says more; we make no claim to these images."


def commands() -> dict[str, list[str]]:
    """Returns the flags of each set's run, by the set's name."""
    lines = (DISTILLED / "commands.txt").read_text("utf-8").splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return {line[0]: line[1:] for line in words if line}


def run(name: str, flags: Iterable[str], data_dir: str, place: pathlib.Path) -> None:
    """Runs a set's command, unless it is done."""
    if (place / "result.json").is_file():
        return
    print(f"{name}: {place}", flush=True)
    where = [f"--data_dir={data_dir}"] if data_dir else []
    words = [*flags, *where, f"--run_dir={place}"]
    subprocess.run([sys.executable, "-m", "hdd_tf.main", *words], check=True, cwd=ROOT)


def real_score(
    directory: RunDirectory, network: str, networks: int
) -> dict[str, Any] | None:
    """Returns the score of random real images; None if the run was not asked for it.

    A finished run that is asked for it keeps it in a later evaluation.

    Args:
        directory: Directory of the run.
        network: The network that the set was scored with.
        networks: The number of them.
    """
    settings = directory.read_config()["identity"]
    for entry in records_of(directory):
        score = entry["baselines"].get("random")
        alike = same_scoring(entry["settings"], settings)
        same_network = entry["protocol"].get("baseline_network") == network
        if score and alike and same_network and len(score["values"]) == networks:
            return score
    return None


def about(
    flags: Iterable[str],
    config: Config,
    record: Mapping[str, Any],
    result: Mapping,
    real: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Returns the contents of about.json."""
    traits = config.traits
    hyperbolic = traits.has_geometry and config.geometry == "hyperbolic"
    ((network, score),) = result["accuracy"].items()
    kept = ("mean", "std", "values")
    return {
        "method": traits.title + "+HDD" * hyperbolic,
        "command": shlex.join(["hdd-tf", *flags]),
        "revision": record["environment"]["git_revision"],
        "seconds": result["seconds"]["distil"],
        "network": f"{network}, width {config.width}",
        "epochs": result["protocol"]["epochs"],
        "accuracy": {key: score[key] for key in kept},
        "real": {key: real[key] for key in kept} if real else None,
        "terms": TERMS[config.dataset] + REFER,
    }


def ship(name: str, flags: Collection[str], place: pathlib.Path) -> None:
    """Writes a finished run's set into distilled/."""
    directory = RunDirectory(place)
    record, result = directory.read_config(), read_json(directory.result_file)
    config = from_json(record["config"])
    given = set_of_run(place)
    scored = read_distilled_set(directory.synthetic)
    assert np.array_equal(given.images, scored.images), "not what was scored"
    defaults = to_json(Config(dataset=config.dataset))
    source = given.metadata["source"] | {key: defaults[key] for key in PLACES}
    (network,) = result["accuracy"]
    real = real_score(directory, network, config.num_eval)
    asked = "--baselines=random" in flags
    if asked and real is None:
        raise SystemExit(
            f"{place} is finished, and real images were not scored: repeat its command "
            "with --baselines=random"
        )
    source["baselines"] = ["random"] if asked else source["baselines"]
    revision = record["environment"]["git_revision"]
    metadata = given.metadata | {"source": source, "revision": revision}
    if metadata["label_names"] == list(map(str, range(len(metadata["label_names"])))):
        names = NAMES.get(config.dataset, metadata["label_names"])
        metadata = metadata | {"label_names": names}
    target = DISTILLED / name
    # A set replaces a set, but not what has other files as well.
    (target / ABOUT_FILE).unlink(missing_ok=True)
    write_distilled_set(target, dataclasses.replace(given, metadata=metadata), "npz")
    atomic.write_json(target / ABOUT_FILE, about(flags, config, record, result, real))


def draw() -> None:
    """Draws the images of each set; those of one image a class beside each other."""
    PICTURES.mkdir(exist_ok=True)
    groups: dict[str, list[np.ndarray]] = {}
    for each in sets():
        held = read_distilled_set(each.directory)
        order = np.argsort(held.labels, kind="stable")
        rows = held.images[order].reshape(-1, each.ipc, *each.shape)
        title = f"{each.dataset}, {each.method}: {each.mean:.1f} %"
        name = each.name if each.ipc > 1 else f"{each.dataset}_ipc1"
        grid = grid_array(rows, held.class_names, title)
        groups.setdefault(name, []).append(grid)
    for name, grids in groups.items():
        height = max(map(len, grids))
        even = [
            np.pad(g, [(height - len(g), 0), (0, GAP), (0, 0)], constant_values=255)
            for g in grids
        ]
        buffer = io.BytesIO()
        # Few colours: synthetic images are noisy, which PNG cannot make small.
        picture = Image.fromarray(np.concatenate(even, axis=1)).quantize(COLOURS)
        picture.save(buffer, format="PNG", optimize=True)
        atomic.write_bytes(PICTURES / f"{name}.png", buffer.getvalue())


def tabulate() -> None:
    """Writes the table and the pictures' places into docs/sets.md."""
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    for each in sets():
        size = "x".join(map(str, each.shape))
        real = "-" if each.real_mean is None else f"{each.real_mean:.2f}"
        cells = (
            f"`{each.name}`",
            f"{each.images} of {size}",
            f"{each.bytes / 1000:.0f}",
            f"{each.mean:.2f} ± {each.std:.2f}",
            f"{each.networks} x {each.epochs} epochs, {each.network}",
            real,
            f"{each.method}, {each.iterations:,} iterations, {each.seconds:,.0f} s",
            each.revision[:7],
        )
        lines.append(f"| {' | '.join(cells)} |")
    names = [each.name for each in sets()]
    for file in sorted(PICTURES.glob("*.png")):
        # A picture is of one set, or of several that differ in their method.
        some = [name for name in names if name.startswith(f"{file.stem}_")]
        shown = file.stem if file.stem in names else " and ".join(some)
        lines += ["", f"![Images of {shown}](sets/{file.name})"]
    before, begin, rest = DOCUMENT.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    text = "\n".join([before + begin, "", *lines, "", end + after])
    atomic.write_text(DOCUMENT, text)


def main() -> None:
    """Makes the sets that are named, or all."""
    known = commands()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*known, []], metavar="NAME")
    parser.add_argument("--data_dir", default="", help="where prepared data sets lie")
    parser.add_argument(
        "--work_dir", type=pathlib.Path, default=ROOT / "runs" / "shipped"
    )
    options = parser.parse_args()
    for name in options.names or known:
        place = options.work_dir.resolve() / name
        run(name, known[name], options.data_dir, place)
        ship(name, known[name], place)
    draw()
    tabulate()


if __name__ == "__main__":
    main()
