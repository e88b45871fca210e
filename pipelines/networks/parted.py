"""Trains the relevance head in parallel on groups of reviewers, each of which a worker holds and trains.

In each round, every worker trains on its group of reviewers. After each round, the tables that the workers
have learned, such as the movie vectors, are averaged, as in local SGD (Stich 2019). Each row of the averaged
tables, such as a movie's vector, is a weighted mean of the workers' rows. In the weighted mean of the
workers' rows, a worker's row counts as many times as the worker has updated the row in the round. Groups of
reviewers that are trained in one process give the same result as groups of reviewers in several workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Floats, Rows
from engine.config.sections import RelevanceConfig
from engine.model.heads import RelevanceHead
from pipelines.dataset.reviews import Reviews
from pipelines.networks.batches import RelevanceSampler
from pipelines.networks.paged_rows import rows_of_block
from pipelines.networks.relevance import RelevanceNetwork
from pipelines.work.runners import Runner
from pipelines.work.tensorflow_start import start_tensorflow

Tables = list[list[Floats]]
"""The learned parameters that all groups of reviewers share: one inner list of arrays for each shared table.
The shared tables are the movie vectors, the history vectors, the movie biases and the weights of rating
levels. Each inner list of `Tables` holds four arrays: the shared table itself, the running means of squared
gradients, the number of updates of each row, and the running means of gradients."""
_UPDATES = 2
"""In `Tables`, each table has a list of arrays; the array at this position holds the number of updates of
each row."""


class Share(NamedTuple):
    """Holds the result of training one group of reviewers for a round: the losses and the shared tables."""

    losses: list[float]
    """The loss of each batch of the round."""
    tables: Tables


class Part:
    """Trains the relevance head on one group of reviewers, in this process or in a worker.

    Each round of training starts from the parameters that all groups of reviewers share, such as the movie
    vectors (see `Tables`).

    Args:
        reviews: the reviews of the group of reviewers, whose rows are numbered from 0.
        likes: the mask of reviews that are likes, bool [num_reviews].
        popularity: the number of likes of each movie by the reviewers of all groups, int [num_movies].
        config: settings of the relevance head.
        seed: the seed of all random choices for the group.
        level_weights: the weight of a review in a history for each rating level, float32 [num_levels]; None
            lets the training learn the weights.
        start: the relevance head of an earlier training, with embeddings for the group's reviewers alone; the
            training starts from the vectors of this head. If `start` is None, the training starts from random
            vectors.
    """

    def __init__(
        self,
        reviews: Reviews,
        likes: NDArray[np.bool_],
        popularity: NDArray[np.integer],
        config: RelevanceConfig,
        seed: Sequence[int],
        level_weights: Floats | None,
        start: RelevanceHead | None,
    ) -> None:
        start_tensorflow(len(reviews))
        self._config, self._seed = config, seed
        self._generator = np.random.default_rng(seed)
        self._sampler = RelevanceSampler(reviews, likes, config, self._generator)
        self._network = RelevanceNetwork(
            popularity,
            reviews.num_reviewers,
            len(reviews.levels),
            config,
            self._generator,
            level_weights,
            start,
            rows_of_block(reviews.num_reviewers, config, self._sampler.batch_size),
        )

    def train(self, number: int, rate: float, tables: Tables | None) -> Share:
        """Trains the relevance head for round `number` on the reviewers of this `Part`.

        The training starts from `tables`: the tables that all groups of reviewers share, such as the movie
        vectors. If `tables` is None, the training starts from the tables that this `Part` holds. The argument
        `rate` is the learning rate.
        """
        # Each round has a random generator of its own, so that a resumed training draws the same numbers as a
        # training without interruption.
        generator = np.random.default_rng([*self._seed, number])
        self._generator.bit_generator.state = generator.bit_generator.state
        if tables is not None:
            self._network.assign_tables(tables)
        seed = int(generator.integers(2**30))
        batches = self._network.batches(self._sampler.batches(number))
        losses = [float(self._network.train(batch, rate, seed + step)) for step, batch in enumerate(batches)]
        return Share(losses, self._network.tables())

    def tables(self) -> Tables:
        """Returns a copy of the tables that this `Part` has learned, such as the movie vectors."""
        return self._network.tables()

    def head(self, tables: Tables) -> RelevanceHead:
        """Returns the relevance head made of `tables` and of the embeddings of this `Part`'s reviewers.

        The argument `tables` holds the tables that all groups of reviewers share, such as the movie
        vectors.
        """
        self._network.assign_tables(tables)
        return self._network.head()

    def embeddings(self) -> Floats:
        """Returns the embeddings of the reviewers whom this `Part` trains."""
        return self._network.head().reviewer_embeddings

    def own(self) -> list[Floats]:
        """Returns the arrays that a checkpoint must hold for the reviewers whom this `Part` trains.

        The returned arrays are the reviewers' embeddings, the running means of the Adam optimizer, and the
        number of updates of each embedding. If the embeddings are in a file, a single returned array holds
        the embeddings, the running means and the numbers of updates.
        """
        return [variable.numpy() for variable in self._network.own_variables]

    def restore(self, place: int, values: Floats) -> None:
        """Restores an array from a checkpoint for the reviewers whom this `Part` trains.

        The argument `values` is the array, and `place` is the array's position in the list that the method
        `own` returns.
        """
        self._network.own_variables[place].assign(values)


class Rounds:
    """Stands in for a sampler of batches, because `PartedNetwork` trains a whole round in one step.

    In place of the batches of a round, the method `batches` yields one item, the number of the round. Each
    group of reviewers draws its own training examples.

    Args:
        batch_size: the number of training examples in a whole round, from which the progress bar computes the
            examples per second.
    """

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size

    def batches(self, number: int = 0) -> Iterator[int]:
        """Yields one item, the round's number, which `PartedNetwork.train` takes in place of a batch."""
        yield number


class Stored(NamedTuple):
    """Holds functions that read and replace an array, in this process or in a worker, for checkpoints."""

    numpy: Callable[[], Floats]
    assign: Callable[[Floats], Any]


class PartedNetwork:
    """Trains the relevance head on groups of reviewers, and averages the groups' tables after each round.

    Args:
        reviews: the training reviews.
        likes: the mask of reviews that are likes, bool [num_reviews].
        popularity: the number of likes of each movie, int [num_movies].
        config: settings of the relevance head.
        seed: the seed of all random choices.
        level_weights: the weight of a review in a history for each rating level, float32 [num_levels]; None
            lets the training learn the weights.
        start: the relevance head of an earlier training, whose vectors the training starts from; None lets
            the training start from random vectors.
        runner: the runner that makes a `Part` for each group of reviewers, here or in a worker.
    """

    def __init__(
        self,
        reviews: Reviews,
        likes: NDArray[np.bool_],
        popularity: NDArray[np.integer],
        config: RelevanceConfig,
        seed: int,
        level_weights: Floats | None,
        start: RelevanceHead | None,
        runner: Runner,
    ) -> None:
        owners = np.random.default_rng(seed).integers(config.num_parts, size=reviews.num_reviewers)
        self._runner = runner
        self._rows: list[Rows] = [np.flatnonzero(owners == part) for part in range(config.num_parts)]
        self._parts = []
        for part, rows in enumerate(self._rows):
            is_own = owners[reviews.reviewer_rows] == part
            own = reviews.select(is_own)
            places = np.searchsorted(rows, own.reviewer_rows).astype(np.int32)
            own = replace(own, reviewer_rows=places, num_reviewers=len(rows))
            begun = start and replace(start, reviewer_embeddings=start.reviewer_embeddings[rows])
            arguments = (own, likes[is_own], popularity, config, (seed, part), level_weights, begun)
            self._parts.append(runner.employ(Part, *arguments))
        self._tables: Tables = self._parts[0]("tables")()

    def batches(self, drawn: Iterator[int]) -> Iterator[int]:
        """Returns the batches of a round unchanged."""
        return drawn

    def train(self, batch: int, learning_rate: float, seed: int) -> float:
        """Trains all groups of reviewers for one round; returns the mean loss of the groups' batches.

        The argument `batch` is the number of the round, which `Rounds` yields in place of batches.
        """
        tables = self._runner.share(self._tables)
        begun = [part("train", batch, learning_rate, tables) for part in self._parts]
        shares: list[Share] = [wait() for wait in begun]
        self._tables = averaged(self._tables, [share.tables for share in shares])
        losses = [loss for share in shares for loss in share.losses]
        return sum(losses) / max(len(losses), 1)

    def head(self) -> RelevanceHead:
        """Returns the relevance head, with the embeddings of the reviewers of all groups."""
        head: RelevanceHead = self._parts[0]("head", self._tables)()
        width = head.reviewer_embeddings.shape[1]
        embeddings = np.empty((sum(map(len, self._rows)), width), dtype=np.float32)
        for rows, part in zip(self._rows, self._parts, strict=True):
            embeddings[rows] = part("embeddings")()
        return replace(head, reviewer_embeddings=embeddings)

    def keep(self, head: RelevanceHead) -> RelevanceHead:
        """Returns `head` without a copy, because further training does not change the arrays of `head`."""
        return head

    @property
    def variables(self) -> list[Stored]:
        """Returns an object for each array of a checkpoint, with functions to read and to replace the array.

        The arrays are the shared tables, in the order of `Tables`, and the arrays that `Part.own` returns for
        each group of reviewers.
        """
        return [
            *(
                Stored(partial(held.__getitem__, place), partial(held.__setitem__, place))
                for held in self._tables
                for place in range(len(held))
            ),
            *(
                Stored(partial(_own, part, place), partial(_restore, part, place))
                for part in self._parts
                for place in range(len(part("own")()))
            ),
        ]


def averaged(before: Tables, learned: Sequence[Tables]) -> Tables:
    """Averages the movie vectors and other parameters that groups of reviewers have learned in one round.

    The argument `before` holds the shared tables, such as the table of movie vectors, at the start of the
    round; `learned` holds each group's tables at the end of the round. Each row of an averaged table is a
    weighted mean of the rows that the groups of reviewers have learned. The weight of a group's row is the
    number of times that the training on the group has updated the row in this round. If no group of
    reviewers has updated a row, the row of the averaged table is the row in `before`.
    """
    result: Tables = []
    for place, old in enumerate(before):
        parts = [tables[place] for tables in learned]
        updates = [part[_UPDATES] - old[_UPDATES] for part in parts]
        total = np.sum(updates, axis=0)
        weights = [update / np.maximum(total, 1) for update in updates]
        merged = []
        for at, values in enumerate(old):
            mean = np.sum([w * part[at] for w, part in zip(weights, parts, strict=True)], axis=0)
            merged.append(np.where(total > 0, mean, values).astype(np.float32))
        merged[_UPDATES] = old[_UPDATES] + total
        result.append(merged)
    return result


def _own(part: Any, place: int) -> Floats:
    values: Floats = part("own")()[place]
    return values


def _restore(part: Any, place: int, values: Floats) -> None:
    part("restore", place, values)()
