"""The loss of a run, from what it wrote for TensorBoard."""

import pathlib

import numpy as np

# Points of a curve; a longer run's are drawn evenly.
_MOST_POINTS = 2000


def read_losses(run_dir: pathlib.Path) -> list[tuple[int, float]]:
    """Returns (iteration, loss) of a run, in order of the iterations.

    Args:
        run_dir: Directory of the run.

    Returns:
        At most 2,000 points; of an iteration that was repeated, its last loss. Empty
        where nothing was recorded, or it cannot be read.
    """
    # Seconds of imports, which a table does not need.
    from tensorboard.backend.event_processing import event_accumulator
    from tensorboard.util import tensor_util

    place = run_dir / "tensorboard"
    if not place.is_dir():
        return []
    guidance = {event_accumulator.TENSORS: _MOST_POINTS}
    events = event_accumulator.EventAccumulator(str(place), guidance)
    try:
        events.Reload()
        found = {
            int(event.step): float(tensor_util.make_ndarray(event.tensor_proto))
            for event in events.Tensors("loss")
        }
    except Exception:  # Of a damaged file, whatever the protocol buffers raise.
        return []
    return [(step, loss) for step, loss in sorted(found.items()) if np.isfinite(loss)]
