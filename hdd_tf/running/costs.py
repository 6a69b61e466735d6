"""What a run costs beside its iterations: every network that it trains or tests.

One step of each kind of training is measured, and multiplied.
"""

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from hdd_tf.analysis.trained_weights import buffer_of_training
from hdd_tf.config import Config
from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data.memory import available_memory
from hdd_tf.distillation.method import Work
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.distributed.precision import policy_of
from hdd_tf.errors import InputError
from hdd_tf.evaluation.dd_ranking_score import DISTILLED, measure_fair_score
from hdd_tf.evaluation.network_scorer import NetworkScorer
from hdd_tf.evaluation.scoring import Score
from hdd_tf.files.disk_room import size_text
from hdd_tf.methods.registry import HARD_LABELS, METHODS, WHOLE
from hdd_tf.methods.traits import Encoder, imported
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.published import dm_protocol, sets_beside
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.random_keys import derive_key
from hdd_tf.selection.coresets import CoresetSelector
from hdd_tf.training.experts import ExpertBuffer
from hdd_tf.training.network_trainer import NetworkTrainer
from hdd_tf.training.shelf import Shelf

# Updates that are timed: more would make a dry run long, fewer would time its calls.
_TIMED_UPDATES = 3


class Costs:
    """The works of a run beside its iterations.

    Args:
        run: The experiment.
    """

    def __init__(self, run: RunContext) -> None:
        self._run = run
        # Architectures take turns, as in an evaluation: one is in memory.
        self._network, self._name = run.network, (run.config.network, "float32")
        self._seconds: dict[tuple, tuple[float, float]] = {}

    def before(self) -> list[Work]:
        """Returns the networks that train on real images before or beside the set.

        Those that `--expert_dir` has already cost nothing.
        """
        run, config = self._run, self._run.config
        works = []
        if _prunes_by_radius(config):
            works.append(self._kept("pruning", config.keep_epochs))
        traits = config.traits
        for shelf in _shelves_of(run):
            count = f"{shelf.number} x {shelf.buffer.protocol.epochs}"
            works.append(
                self._of_buffer(
                    shelf.name, count, shelf.buffer, shelf.number, shelf.network_name
                )
            )
            if shelf.looks:
                works.append(self._looks(shelf))
        if config.analysis and traits.encoder is Encoder.TRAINED:
            works.append(self._kept("analysis", config.encoder_epochs))
        chosen = list(config.baselines) if config.num_eval else []
        if traits.is_selection:
            chosen.append(config.objective)
        if any(name in METHODS and METHODS[name].trains_network for name in chosen):
            selector = CoresetSelector(config, run.dataset, run.network)
            network = run.network.in_precision(config.precision)
            each = self._epoch(selector.protocol(), network, config.network)
            epochs = config.coreset_epochs
            count = f"{epochs} epochs, {each:.1f} s each"
            works.append(Work("coreset network", count, epochs * each))
        return works

    def scores(self) -> list[Work]:
        """Returns the evaluation of the set, of baselines, and during the run."""
        config = self._run.config
        if not config.num_eval:
            return []
        scorer = NetworkScorer(config, self._run.dataset, self._run.network)
        protocol = scorer.protocol()
        first, *others = scorer.architectures
        networks = self._count(protocol)
        works = [Work("evaluation", networks, self._score(scorer, first, protocol))]
        for name in sets_beside(config):
            works.append(self._baseline(scorer, name))
        if config.fair_score:
            works.append(self._fair_score(scorer))
        if config.eval_every:
            works.append(self._during(scorer, works[0].seconds))
        works += [
            Work(f"with {name}", networks, self._score(scorer, name, scorer.protocol()))
            for name in others
        ]
        return works

    def analysis(self) -> list[Work]:
        """Returns the embedding of real images, for pictures and projector."""
        config = self._run.config
        if not config.analysis:
            return []
        images = min(config.analysis_images, len(self._run.dataset.training.labels))
        self._network, self._name = self._run.network, (config.network, "float32")
        seconds = images * self._timed(dm_protocol(1, 256, 0.01, "none"))[1]
        return [Work("projector", f"{images} images", seconds)]

    def _kept(self, name: str, epochs: int) -> Work:
        """Returns the cost of a network that learns the real images, or 0 if kept."""
        buffer = buffer_of_training(self._run, epochs)
        network = self._run.config.network
        return self._of_buffer(name, str(epochs), buffer, 1, network)

    def _of_buffer(
        self, name: str, count: str, buffer: ExpertBuffer, number: int, network: str
    ) -> Work:
        missing = buffer.missing(number)
        what = f"{count} epochs on the real images"
        if not missing:
            return Work(name, f"{what}, found in {buffer.path}", 0.0)
        per_epoch = self._epoch(buffer.protocol, buffer.network, network)
        return Work(
            name,
            f"{what}, {per_epoch:.1f} s each, where {self._run.config.expert_dir} "
            f"lacks them ({size_text(buffer.bytes_to_write(number))})",
            missing * buffer.protocol.epochs * per_epoch,
        )

    def _looks(self, shelf: Shelf) -> Work:
        """Returns the cost of the images that pass through networks of a shelf."""
        images = shelf.number * shelf.looks
        self._choose(shelf.buffer.network, shelf.network_name)
        seconds = images * self._timed(shelf.buffer.protocol)[1]
        return Work(f"through {shelf.network_name}", f"{images:,} images", seconds)

    def _baseline(
        self, scorer: NetworkScorer, name: str, augmented: bool = True
    ) -> Work:
        epochs = self._run.config.whole_epochs if name == WHOLE else None
        protocol = scorer.protocol(epochs)
        if protocol.labels != "teacher" or name in (WHOLE, HARD_LABELS):
            protocol = protocol.with_hard_labels()
        if not augmented:
            protocol = protocol.without_augmentation()
        images = len(self._run.dataset.training.labels) if name == WHOLE else None
        seconds = self._score(scorer, scorer.architectures[0], protocol, images)
        return Work(name, self._count(protocol), seconds)

    def _count(self, protocol: TrainingProtocol) -> str:
        number = self._run.config.num_eval
        return f"{number} network{'s' * (number > 1)} x {protocol.epochs} epochs"

    def _fair_score(self, scorer: NetworkScorer) -> Work:
        """Returns the scores that DD-Ranking's ask for and an evaluation lacks."""
        asked: set[tuple[str, bool]] = set()

        def note(name: str, augmented: bool) -> dict:
            asked.add((name, augmented))
            return Score((50.0,), 1, 0.0).to_json()

        config = self._run.config
        soft = scorer.protocol().asks_teacher
        measure_fair_score(note, "", config.whole_epochs, soft)
        known = {(DISTILLED, True), *((n, True) for n in sets_beside(config))}
        seconds = [self._baseline(scorer, *each).seconds for each in asked - known]
        return Work("fair score", f"{len(seconds)} more scores", sum(seconds))

    def _during(self, scorer: NetworkScorer, seconds: float) -> Work:
        """Returns the scores during the run, each taken to be as long as the last."""
        config = self._run.config
        times = -(-config.iterations // config.eval_every)
        if config.best_on_test:
            times *= 2
        return Work("scores in between", f"{times} times", times * seconds)

    def _score(
        self,
        scorer: NetworkScorer,
        name: str,
        protocol: TrainingProtocol,
        images: int | None = None,
    ) -> float:
        """Returns the seconds of training and testing `num_eval` networks."""
        config, dataset = self._run.config, self._run.dataset
        key = (name, policy_of(config.eval_precision))
        if key != self._name:
            self._network, self._name = scorer.scored_network(name), key
        if images is None:
            images = config.ipc * config.formation_factor**2 * dataset.num_classes
        train, test = self._timed(protocol, images)
        if protocol.labels == "teacher":  # It looks at each batch once.
            train += test
        each = images * protocol.epochs * train + len(dataset.test.labels) * test
        return config.num_eval * each

    def _epoch(
        self, protocol: TrainingProtocol, network: FunctionalNetwork, name: str
    ) -> float:
        """Returns the seconds of an epoch of a network on the real images.

        Args:
            protocol: Training protocol.
            network: The network.
            name: Key of `networks.registry.NETWORKS`.
        """
        self._choose(network, name)
        count = len(self._run.dataset.training.labels)
        return count * self._timed(protocol, count)[0]

    def _choose(self, network: FunctionalNetwork, name: str) -> None:
        """Makes a network the one that is timed."""
        policy = policy_of(self._run.config.precision)
        # The matched network is in memory in float32 too.
        self._network = network
        self._name = (name, "float32" if network is self._run.network else policy)

    def _timed(
        self, protocol: TrainingProtocol, images: int | None = None
    ) -> tuple[float, float]:
        """Returns the seconds for an image of training and of testing, measured."""
        training = self._run.dataset.training
        count = min(protocol.batch_size, images or protocol.batch_size)
        short = dataclasses.replace(
            protocol.with_hard_labels(), epochs=_TIMED_UPDATES, drop_epochs=()
        )
        key = (self._name, count, short)
        if key not in self._seconds:
            rows = np.arange(count) % len(training.labels)
            self._seconds[key] = _measure(
                self._network, self._run, training.take(rows), short
            )
        return self._seconds[key]


def _measure(
    network: FunctionalNetwork,
    run: RunContext,
    part: LabelledImages,
    protocol: TrainingProtocol,
) -> tuple[float, float]:
    trainer = NetworkTrainer(
        network, part.images, part.labels, run.dataset.normalisation, protocol
    )
    key, count = derive_key(run.config.seed), len(part.labels)

    def seconds(work: Callable[[], object]) -> float:
        work()  # Traces the graph.
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    train = seconds(lambda: trainer.train(key))
    test = seconds(lambda: trainer.accuracy(part.images, part.labels))
    return train / (count * protocol.epochs), test / count


def _shelves_of(run: RunContext) -> tuple[Shelf, ...]:
    """Returns the networks that the method of a run trains ahead, if there are any."""
    source = run.config.traits.ahead_source
    if not source:
        return ()
    found = imported(source)(run.config, run.dataset, run.network) or ()
    return (found,) if isinstance(found, Shelf) else tuple(found)


def _prunes_by_radius(config: Config) -> bool:
    """Whether a network trains to choose the images to keep."""
    return config.keep_fraction < 1 and config.keep != "random"


def further_copies(config: Config) -> int:
    """Returns how often a run holds the real images beside the copies of its start."""
    traits, baselines = config.traits, config.baselines if config.num_eval else ()
    ahead = bool(traits.ahead_source) or _prunes_by_radius(config)
    trains = [traits, *(METHODS[name] for name in baselines if name in METHODS)]
    # The network of coresets stays in memory beside that of the whole set.
    scored = any(each.trains_network for each in trains)
    whole = config.num_eval > 0 and (WHOLE in baselines or config.fair_score)
    encoder = config.analysis and traits.encoder is Encoder.TRAINED
    return max(int(ahead), int(encoder), int(scored) + int(whole))


def check_further_memory(run: RunContext) -> None:
    """Checks that what follows the matching has the memory that it takes.

    Raises:
        InputError: it is more than there is.
    """
    size = run.dataset.training.images.nbytes
    needed, available = further_copies(run.config) * size, available_memory()
    if available is not None and needed > available:
        raise InputError(
            f"memory does not hold the real images for the networks that train on them "
            f"beside the run: {needed:,} bytes more are needed, and {available:,} are "
            "available: leave out --baselines and --fair_score and give --noanalysis, "
            "or give a smaller --image_size or fewer --classes."
        )
