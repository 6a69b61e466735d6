"""One analysis of a run's images: from the encoder to files and numbers."""

from typing import Any

from hdd_tf.analysis.disk_layout import DiskLayout, lay_out
from hdd_tf.analysis.embeddings import Embeddings, embed
from hdd_tf.analysis.hierarchy_picture import save_hierarchy_picture
from hdd_tf.analysis.measures import measure
from hdd_tf.analysis.poincare_picture import save_poincare_picture
from hdd_tf.analysis.projector import write_projector
from hdd_tf.analysis.trained_weights import EncoderWeights
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.saved_models import save_model
from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.artifacts.summaries import SummaryWriter
from hdd_tf.artifacts.titles import set_title
from hdd_tf.distillation.run_context import RunContext


def analyse(
    run: RunContext,
    weights: EncoderWeights,
    distilled_set: DistilledSet,
    iteration: int,
    summaries: SummaryWriter,
    *,
    final: bool,
) -> dict[str, Any]:
    """Embeds real and synthetic images, and writes pictures, projector and summaries.

    Args:
        run: The experiment.
        weights: Weights of the encoder.
        distilled_set: The images as stored.
        iteration: Iterations of distillation that the images have seen.
        summaries: Writer of the run's summaries.
        final: True for the analysis at the end of a run, which also writes
            `saved_model/encoder` and gives the pictures their final names.

    Returns:
        The numbers of `measures.measure`, and the description of the pictures.

    Raises:
        InputError: foreign files are in the place of the projector or the encoder.
    """
    directory = run.directory
    decoded = decode_set(distilled_set)
    encoder, embeddings = embed(run, weights, decoded)
    numbers = measure(embeddings)
    layout = None if numbers["nothing_to_see"] else lay_out(embeddings)
    if final:
        # Old pictures would stay if this analysis draws none.
        directory.forget_analysis_pictures()
    if layout:
        suffix = "" if final else f"_{iteration:06d}"
        title = set_title(run.config, run.dataset.name, iteration)
        numbers |= _draw(directory, embeddings, layout, numbers, suffix, title)
    write_projector(directory.tensorboard, embeddings, layout)
    _summarise(summaries, iteration, embeddings, numbers)
    if final:
        metadata = encoder_metadata(embeddings, iteration)
        save_model(directory.saved_models / "encoder", encoder, metadata)
    return numbers


def encoder_metadata(embeddings: Embeddings, iteration: int | None) -> dict[str, Any]:
    """Returns the metadata of a saved encoder.

    Args:
        embeddings: Embeddings from the encoder.
        iteration: Iterations of distillation that the synthetic images have seen, None
            if unknown.
    """
    return {
        "iteration": iteration,
        "outputs": {
            "features": "[n, d], the tangent vectors v at the origin",
            "klein": "[n, d], tanh(r) v / |v|",
            "lorentz": "[n, d + 1], hyperboloid coordinates, time first",
            "poincare": "[n, d], in the Poincare ball of radius 1 / s",
            "radius": "[n], r = s |v|, the distance from the origin in units of 1 / s",
        },
        "encoder": embeddings.origin,
        "curvature": embeddings.curvature,
        "s": "sqrt(-curvature)",
        "max_tangent_norm": embeddings.max_tangent_norm,
    }


def summary_line(numbers: dict[str, Any]) -> str:
    """Returns one line about an analysis, for the output of a run.

    Args:
        numbers: Contents of `analysis.json`.
    """
    if numbers["nothing_to_see"]:
        return f"analysis: {numbers['nothing_to_see']}"
    radius, centroid = numbers["radius"], numbers["centroid"]
    return (
        f"analysis: median radius {radius['real']['q50']:.2f} real, "
        f"{radius['synthetic']['q50']:.2f} synthetic; distance of the centroids "
        f"{centroid['distance']:.3f}; seen through {numbers['encoder']['source']}"
    )


def _draw(
    directory: RunDirectory,
    embeddings: Embeddings,
    layout: DiskLayout,
    numbers: dict[str, Any],
    suffix: str,
    title: str,
) -> dict[str, Any]:
    """Writes the pictures and returns their description for `analysis.json`."""
    save_poincare_picture(
        directory.pictures / f"poincare{suffix}.png",
        embeddings,
        layout,
        numbers["centroid"]["distance"],
        title,
    )
    hierarchy = save_hierarchy_picture(
        directory.pictures / f"hierarchy{suffix}.png", embeddings, title
    )
    return {"poincare.png": layout.to_json(embeddings), "hierarchy.png": hierarchy}


def _summarise(
    summaries: SummaryWriter,
    iteration: int,
    embeddings: Embeddings,
    numbers: dict[str, Any],
) -> None:
    kinds = {"real": ~embeddings.synthetic, "synthetic": embeddings.synthetic}
    reason = numbers["nothing_to_see"]
    told = f"Nothing to see: {reason}" if reason else None
    for kind, rows in kinds.items():
        radius, weight = embeddings.radius[rows], embeddings.weight[rows]
        summaries.histogram(iteration, f"radius/{kind}", radius, told)
        summaries.histogram(iteration, f"lorentz_weight/{kind}", weight, told)
    points = {"analysis/centroid_distance": numbers["centroid"]["distance"]}
    points |= {
        f"analysis/median_radius_{kind}": numbers["radius"][kind]["q50"]
        for kind in kinds
    }
    summaries.scalars(iteration, points, dict.fromkeys(points, told or ""))
