"""What a run writes and shows while it distils."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from hdd_tf.artifacts.pictures import grid_array, save_grid
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.summaries import SummaryWriter
from hdd_tf.config import Config
from hdd_tf.distillation.checkpoints import DistillationCheckpoints
from hdd_tf.distillation.loop import BlockReport, StopRequest
from hdd_tf.distillation.selection import BestOnValidation
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.errors import InterruptedRunError


class RunMonitor:
    """Writes checkpoints, summaries and pictures, and moves the progress bar.

    A context: entering writes the starting picture, leaving closes the files.

    Args:
        config: The run's settings.
        directory: Where to write.
        checkpoints: The run's checkpoints.
        synthetic_set: The images.
        label_names: Of the classes.
        start: Iterations already done.
        seconds: Seconds of distillation already spent.
        stop: Asked after each block whether to end the run.
        evaluate: Returns the current images' accuracy on the validation split in
            percent; called every `--eval_every` iterations.
        best: Keeps the best of them; None if the last images are the result.
    """

    def __init__(
        self,
        *,
        config: Config,
        directory: RunDirectory,
        checkpoints: DistillationCheckpoints,
        synthetic_set: SyntheticSet,
        label_names: tuple[str, ...],
        start: int,
        seconds: float,
        stop: StopRequest,
        evaluate: Callable[[], float],
        best: BestOnValidation | None,
    ) -> None:
        self._config = config
        self._directory = directory
        self._checkpoints = checkpoints
        self._synthetic_set = synthetic_set
        self._label_names = label_names
        self._stop = stop
        self._evaluate = evaluate
        self._best = best
        self._saved = self._logged = start
        self.seconds = seconds
        self.summaries = SummaryWriter(directory.tensorboard)
        self._progress = tqdm(
            desc="distil",
            total=config.iterations,
            initial=start,
            unit="it",
            disable=not config.progress,
            dynamic_ncols=True,
        )

    def __enter__(self) -> Self:
        if self._saved == 0:
            self._picture(0, "init.png")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.close()
        self.summaries.close()

    def after_block(self, report: BlockReport) -> None:
        """Does all that is due after a block of iterations.

        Raises:
            InterruptedRunError: a signal asked the run to stop; its state is saved.
        """
        config, iteration = self._config, report.iteration
        done = iteration == config.iterations
        self.seconds += report.seconds
        loss = float(report.loss_per_class[-1].sum())
        self._progress.update(len(report.loss_per_class))
        self._progress.set_postfix(loss=f"{loss:.4g}", refresh=False)
        if done or iteration // config.log_every > self._logged // config.log_every:
            self._log(report)
            self._logged = iteration
        if config.picture_every and iteration % config.picture_every == 0:
            self._picture(iteration, f"iter_{iteration:06d}.png")
        due = config.eval_every and iteration % config.eval_every == 0
        if due or (done and self._best):
            accuracy = self._evaluate()
            self.summaries.scalars(iteration, {"accuracy/validation": accuracy})
            if self._best:
                self._best.offer(iteration, accuracy, self._synthetic_set.pixels())
        stopped_by = self._stop.signal
        if done or stopped_by or iteration % config.checkpoint_every == 0:
            self._checkpoints.save(iteration, self.seconds)
            self.summaries.flush()
        if stopped_by and not done:
            raise InterruptedRunError(stopped_by)

    def _log(self, report: BlockReport) -> None:
        losses = report.loss_per_class.mean(axis=0)
        images = self._synthetic_set.images
        scale = 255.0 * self._synthetic_set.std
        offset = 255.0 * self._synthetic_set.mean
        self.summaries.scalars(
            report.iteration,
            {
                "loss": float(losses.sum()),
                "gradient_norm": float(np.mean(report.gradient_norm)),
                # On the 0-255 scale, where a value beyond it is easy to see.
                "image/min": float(tf.reduce_min(images * scale + offset)),
                "image/max": float(tf.reduce_max(images * scale + offset)),
                "seconds_per_iteration": report.seconds / len(report.gradient_norm),
            },
        )
        self.summaries.loss_per_class(report.iteration, losses, self._label_names)

    def _picture(self, iteration: int, name: str) -> None:
        pixels = self._synthetic_set.pixels()
        self._directory.pictures.mkdir(parents=True, exist_ok=True)
        if pixels.shape[-1] in (1, 3):  # Other channels are no colours to show.
            save_grid(self._directory.pictures / name, pixels, self._label_names)
            self.summaries.image_grid(iteration, grid_array(pixels))

    def finish(self) -> None:
        """Writes the final picture."""
        self._picture(self._config.iterations, "final.png")
