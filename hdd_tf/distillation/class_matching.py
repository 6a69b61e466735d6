"""The computation of one replica: the losses and gradients of its classes."""

import contextlib
from typing import Any, NamedTuple, cast

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.data.class_store import ClassStore
from hdd_tf.distillation.bank.real_bank import RealBank
from hdd_tf.distillation.class_loop import ClassLoop
from hdd_tf.distillation.comparison import (
    Comparison,
    Learning,
    SyntheticBatch,
    learner_of,
)
from hdd_tf.distillation.objective import Objective, Pass
from hdd_tf.distillation.real_images import RealImages
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.distributed.class_blocks import ClassBlocks
from hdd_tf.distributed.compilation import Piece, as_it_is, differentiated
from hdd_tf.random_keys import Purpose, derive_key


class Matched(NamedTuple):
    """Result of a pass over a replica's classes, zero for those of other replicas.

    Attributes:
        loss: `[C]` float32 loss of each class.
        gradient: `[C, ipc, h, w, c]` float32 gradient of the losses' sum; if the images
            are spread over the replicas, `[S, ipc, h, w, c]`, of the replica's rows.
        real: Float32 tensors `[C, ...]` of the real images' summary, if they are to be
            written to a bank; else empty.
        facts: `[C, k]` float32 facts for what learns in the comparison, a list of this
            one tensor; empty if nothing learns from the pass.
    """

    loss: tf.Tensor
    gradient: tf.Tensor
    real: list[tf.Tensor]
    facts: list[tf.Tensor]


class ClassMatching:
    """Matches the classes of the calling replica, and changes no variable.

    Args:
        synthetic_set: The synthetic images.
        store: The real training images.
        objective: Objective, which gives the weights of each pass.
        comparison: Comparison of real and synthetic images.
        blocks: Split of the classes over replicas and forward passes.
        real_batch: Largest number of real images of each class in an iteration.
        augmentations: Transformations that a class draws.
        max_decoded: Largest number of synthetic images of each class in a pass; a
            larger class takes part with a random subset. 0 for all.
        seed: Seed of the run.
        bank: Bank of real summaries; None if every iteration draws real images.
        piece: Function that runs a piece of the graph, compiled or not.

    Attributes:
        synthetic_set: The synthetic images.
        objective: The objective.
        bank: The bank of real summaries, or None.
        piece: Function that runs a piece of the graph, compiled or not.
    """

    def __init__(
        self,
        *,
        synthetic_set: SyntheticSet,
        store: ClassStore,
        objective: Objective,
        comparison: Comparison,
        blocks: ClassBlocks,
        real_batch: int,
        augmentations: dsa.Choice,
        max_decoded: int = 0,
        seed: int,
        bank: RealBank | None = None,
        piece: Piece = as_it_is,
    ) -> None:
        self.synthetic_set = synthetic_set
        self._store = store
        self.objective = objective
        self._comparison = comparison
        self._real_chunk = blocks.real_chunk
        self._loop = ClassLoop(blocks, synthetic_set.images.shape[0])
        self._real_batch = real_batch
        self._augmentations = augmentations
        self._max_decoded = max_decoded
        self._seed = seed
        self.bank = bank
        self.piece = piece

    def match(
        self, iteration: tf.Tensor, pass_index: int = 0, revisit: bool = False
    ) -> Matched:
        """Computes one pass for this replica's classes.

        Args:
            iteration: Number of the iteration, scalar int32 tensor.
            pass_index: Number of the pass.
            revisit: True if the bank already has the real summary of the iteration.
        """
        # With a bank, a later iteration has the network, the batch and the augmentation
        # of an earlier one.
        drawn = self.bank.entry(iteration) if self.bank else iteration
        work = self.objective.pass_of(drawn, pass_index)
        if self.bank and work.compare and pass_index:
            raise ValueError("a bank keeps what the first pass of an iteration sees.")
        with_real = work.compare and not revisit
        if with_real:
            following = self.bank.entry(iteration + 1) if self.bank else iteration + 1
            rows, row_weights = self.draw_real(drawn, following)
        read_images = self.synthetic_set.reader()
        # A pass without comparison needs no stored summary, so its augmentation can be
        # fresh in every iteration.
        augmentation = self.draw_augmentation(
            drawn if work.compare else iteration, pass_index
        )
        subset = self._decoded_subset(iteration, pass_index)
        num_kept = self.bank.num_parts if self.bank and with_real else 0
        learns = work.compare and learner_of(self._comparison) is not None

        def match_block(classes: tf.Tensor) -> Matched:
            parameters = dsa.gather(augmentation, classes)
            real: Any = ()
            if with_real:
                real = self._comparison.summarize(
                    work,
                    self.real_images(
                        classes,
                        tf.gather(rows, classes),
                        tf.gather(row_weights, classes),
                        parameters,
                    ),
                )
            elif self.bank and work.compare:
                real = self.bank.read(drawn, classes)
            own = read_images(classes)
            # Without real images to pass, compiling more of this side pays. A loss that
            # is made of gradients says itself that it is differentiated twice.
            with differentiated(1) if revisit else contextlib.nullcontext():
                loss, gradient, facts = self.piece(
                    lambda: self._synthetic_side(
                        work, classes, own, subset, parameters, real, learns
                    )
                )
            kept = tf.nest.flatten(real) if num_kept else []
            return Matched(loss, gradient, kept, facts)

        signature = Matched(
            tf.float32, tf.float32, [tf.float32] * num_kept, [tf.float32] * learns
        )
        spread = self.synthetic_set.spread
        if spread is None:
            return self._loop.scatter(match_block, signature)
        own = self._loop.own_rows(match_block, signature)
        place = spread.shares.place
        real, facts = ([place(r) for r in parts] for parts in (own.real, own.facts))
        return Matched(place(own.loss), own.gradient, real, facts)

    def draw_real(
        self, iteration: tf.Tensor, following: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws the real images of an iteration.

        Args:
            iteration: Number of the iteration that selects the draw, scalar int32.
            following: That of the next iteration, whose images can be read ahead; None
                for none.

        Returns:
            `[C, n]` rows of the training split and their `[C, n]` weights, as
            `ClassStore.draw_indices` gives them.
        """
        key, next_key = derive_key(self._seed, Purpose.REAL_BATCH, iteration), None
        if following is not None:
            next_key = derive_key(self._seed, Purpose.REAL_BATCH, following)
        return self._store.draw_indices(key, self._real_batch, next_key)

    def real_images(
        self,
        classes: tf.Tensor,
        rows: tf.Tensor,
        weights: tf.Tensor,
        parameters: dsa.DSAParameters | None,
        max_images: int | None = None,
    ) -> RealImages:
        """Returns the real images of a block of classes.

        Args:
            classes: `[b]` int32 class numbers.
            rows: `[b, n]` rows of the training split.
            weights: `[b, n]` float32 weights of the images.
            parameters: Augmentation of each class, with leading dimension b; None for
                none.
            max_images: Largest number of images of one forward pass; None for that of
                the blocks.
        """
        return RealImages(
            self._store,
            classes,
            rows,
            weights,
            parameters,
            max_images or self._real_chunk,
            self.piece,
        )

    def draw_augmentation(
        self, iteration: tf.Tensor, pass_index: int = 0
    ) -> dsa.DSAParameters | None:
        """Draws the augmentation of all classes.

        The draw is for all classes at once, because a class's augmentation must not
        depend on the blocks.

        Args:
            iteration: Number of the iteration that selects the draw, scalar int32.
            pass_index: Number of the pass.

        Returns:
            The parameters of all classes; None if nothing is drawn.
        """
        return dsa.draw_choice(
            self._key(Purpose.AUGMENTATION, iteration, pass_index),
            self._augmentations,
            self.synthetic_set.images.shape,
        )

    def _key(
        self, purpose: Purpose, iteration: tf.Tensor, pass_index: int
    ) -> tf.Tensor:
        """Returns the key of a purpose in a pass."""
        key = derive_key(self._seed, purpose, iteration)
        return derive_key(key, pass_index) if pass_index else key

    def _decoded_subset(
        self, iteration: tf.Tensor, pass_index: int
    ) -> tf.Tensor | None:
        """Draws the decoded images that take part, the same for every class.

        Returns:
            `[max_decoded]` int32 positions; None if all images take part.
        """
        count = self.synthetic_set.decoded_ipc
        if not 0 < self._max_decoded < count:
            return None
        key = self._key(Purpose.DECODED_SUBSET, iteration, pass_index)
        order = tf.random.experimental.stateless_shuffle(tf.range(count), key)
        return order[: self._max_decoded]

    def _synthetic_side(
        self,
        work: Pass,
        classes: tf.Tensor,
        images: tf.Tensor,
        subset: tf.Tensor | None,
        parameters: dsa.DSAParameters | None,
        real: Any,
        learns: bool,
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """Returns the loss `[b]`, the gradient of `images`, and `Matched.facts`."""
        with tf.GradientTape() as tape:
            tape.watch(images)
            decoded = self.synthetic_set.decode(images)
            if subset is not None:
                decoded = tf.gather(decoded, subset, axis=1)
            augmented = dsa.apply(decoded, parameters, differentiable=True)
            batch, facts = SyntheticBatch(augmented, classes), []
            if learns:
                comparison = cast(Learning, self._comparison)
                loss, told = comparison.loss_and_facts(work, real, batch)
                facts.append(told)
            else:
                loss = self._comparison.loss(work, real, batch)
            total = tf.reduce_sum(loss)
        return loss, tape.gradient(total, images), facts
