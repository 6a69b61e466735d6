"""The part of the page about one group of runs that differ only in the seed."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.errors import InputError
from hdd_tf.files.links import refuse_links_out
from hdd_tf.report.page.classes import class_score, class_section
from hdd_tf.report.page.elements import chart, element
from hdd_tf.report.page.images import image_sheet, reencoded
from hdd_tf.report.page.losses import loss_curve, loss_picture
from hdd_tf.report.records import Warn
from hdd_tf.report.rows import Group
from hdd_tf.report.run import Run

# Longest side in pixels of the picture of the disk.
_DISK_SIDE = 1000
# Seeds whose loss is drawn.
_MOST_CURVES = 10


def group_section(
    group: Group, title: str, pixels: int, seen: set[str], warn: Warn
) -> list[Element]:
    """Makes the parts of a group's section, without its heading.

    Args:
        group: The runs.
        title: What they are, for the descriptions of pictures.
        pixels: Largest number of pixels of the images.
        seen: Paths of runs whose images the page has already; those of this group are
            added.
        warn: Called with one line for a set that cannot be shown.
    """
    runs, first = group.runs, group.first
    made = []
    if first.is_foreign:
        words = "A set of another program: its scores alone are known."
        made.append(element("p", words))
    elif str(first.path) in seen:
        made.append(element("p", "The set shown above, scored by another protocol."))
    else:
        made += _files(group, title, pixels, warn)
    seen.update(str(run.path) for run in runs)
    found = class_score(runs)
    if found is not None:
        made += [element("h4", "Classes"), *class_section(found, title)]
    return made


def _files(group: Group, title: str, pixels: int, warn: Warn) -> list[Element]:
    """Makes what is of files in the runs' folders."""
    try:
        for run in group.runs:  # A page is given to others: no file of the user's.
            refuse_links_out(run.path)
    except (InputError, OSError) as error:
        warn(f"{error}; its pictures are not shown")
        return [element("p", "Links lead out of a run: its files are not shown.")]
    return [
        *_images(group.first, len(group.runs), pixels, warn),
        *_losses(group.runs, title),
        *_disk(group.first, title),
    ]


def _images(run: Run, sets: int, pixels: int, warn: Warn) -> list[Element]:
    heading = "Distilled images" + f", of seed {run.seed}" * (sets > 1)
    try:
        sheet = image_sheet(RunDirectory(run.path), pixels)
    except (InputError, OSError) as error:
        warn(f"{run.path}: its images are not shown: {error}")
        sheet = [element("p", "The set cannot be read.")]
    return [element("h4", heading), *sheet]


def _losses(runs: Sequence[Run], title: str) -> list[Element]:
    curves = [
        (f"seed {run.seed}", curve)
        for run in runs[:_MOST_CURVES]
        if (curve := loss_curve(RunDirectory(run.path).tensorboard))
    ]
    if not curves:
        return []
    last = "; ".join(f"{name}: {curve[-1][1]:.4g}" for name, curve in curves)
    return [
        element("h4", "Loss"),
        chart(
            loss_picture(curves),
            "image/svg+xml",
            f"Chart of the loss of {title} over iterations",
            f"Loss of the matching. At the last iteration recorded: {last}.",
        ),
    ]


def _disk(run: Run, title: str) -> list[Element]:
    path = RunDirectory(run.path).pictures / "poincare.png"
    try:
        picture = reencoded(path, _DISK_SIDE)
    except ValueError:
        return []
    return [
        element("h4", "On the Poincaré disk"),
        chart(
            *picture,
            f"Real and distilled images of {title} on the Poincaré disk",
            "Real and distilled images, and the centroids of their classes; the "
            "picture's title says how true the projection is.",
        ),
    ]
