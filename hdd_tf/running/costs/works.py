"""What a run costs beside its iterations: every network that it trains or tests.

One step of each kind of training is measured, and multiplied.
"""

from hdd_tf.analysis.trained_weights import buffer_of_training
from hdd_tf.distillation.method import Work
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.evaluation.dd_ranking_score import DISTILLED, measure_fair_score
from hdd_tf.evaluation.scorers.network_scorer import NetworkScorer
from hdd_tf.evaluation.scorers.scoring import Score
from hdd_tf.files.disk_room import size_text
from hdd_tf.methods.registry import HARD_LABELS, METHODS, WHOLE
from hdd_tf.methods.traits import Encoder, imported
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.published import dm_protocol, sets_beside
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.running.costs.further_memory import prunes_by_radius
from hdd_tf.running.costs.network_times import NetworkTimes
from hdd_tf.selection.coresets import CoresetSelector
from hdd_tf.training.experts import ExpertBuffer
from hdd_tf.training.shelf import Shelf


class Costs:
    """The works of a run beside its iterations.

    Args:
        run: The experiment.
    """

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._times = NetworkTimes(run)

    def before(self) -> list[Work]:
        """Returns the networks that train on real images before or beside the set.

        Those that `--expert_dir` has already cost nothing.
        """
        run, config = self._run, self._run.config
        works = []
        if prunes_by_radius(config):
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
        self._times.choose_matched()
        seconds = images * self._times.of_image(dm_protocol(1, 256, 0.01, "none"))[1]
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
        self._times.choose(shelf.buffer.network, shelf.network_name)
        seconds = images * self._times.of_image(shelf.buffer.protocol)[1]
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
        self._times.choose_scored(scorer, name)
        if images is None:
            images = config.ipc * config.formation_factor**2 * dataset.num_classes
        train, test = self._times.of_image(protocol, images)
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
        self._times.choose(network, name)
        count = len(self._run.dataset.training.labels)
        return count * self._times.of_image(protocol, count)[0]


def _shelves_of(run: RunContext) -> tuple[Shelf, ...]:
    """Returns the networks that the method of a run trains ahead, if there are any."""
    source = run.config.traits.ahead_source
    if not source:
        return ()
    found = imported(source)(run.config, run.dataset, run.network) or ()
    return (found,) if isinstance(found, Shelf) else tuple(found)
