"""Holds an opened index, and switches to a new build of the index soon after the new build becomes live."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine.artifact.layout import CREATED_ENTRY
from engine.errors import ArtifactError, EngineError
from engine.feedback.journal import Journal
from engine.recommender import Engine
from engine.service import metrics
from engine.service.live.arms import MAIN_ARM
from engine.service.live.commits import Committer
from engine.service.live.engine_thread import EngineThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)
_Found = TypeVar("_Found")


class LiveIndex:
    """Holds the engine that answers from an index directory.

    Each question uses one value of the attribute `engine`, so that an answer never mixes two builds. After a
    switch to a new build, the old engine still answers the questions that began before the switch.

    Args:
        name: the name by which requests ask for the index.
        directory: the directory of the index.
        journal: the journal of feedback, which the answers take into account.
        thread: the thread in which the engine answers questions.
        committer: writes feedback to the journal.
        arm: the name of the arm of an A/B test (the main index or the trial index) to which this index
            belongs.

    Raises:
        ArtifactError: the directory holds no index that can be opened; or the journal cannot be read.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        journal: Journal,
        *,
        thread: EngineThread,
        committer: Committer,
        arm: str = MAIN_ARM,
    ) -> None:
        self.name, self.arm = name, arm
        self.directory, self.journal = directory, journal
        self.committer = committer
        self._thread = thread
        self.engine = open_warm(directory, journal)
        self._complaint = ""

    @property
    def build(self) -> str:
        """Returns the name of the build that answers questions now, such as build-20260102T030405-a1b2c3."""
        return self.engine.build

    @property
    def built_at(self) -> float:
        """Returns the unix time in seconds at which the build that answers questions now was made."""
        return datetime.fromisoformat(self.engine.info()[CREATED_ENTRY]).timestamp()

    async def ask(self, question: Callable[[Engine], _Found], engine: Engine | None = None) -> _Found:
        """Asks the engine a question in the engine thread; the engine first reads new feedback.

        If the journal cannot be read, the engine answers without the newest feedback.

        Raises:
            BusyError: the largest allowed number of questions is waiting.
            TimeoutError: no answer came within the timeout.
        """
        asked = engine or self.engine

        def answer() -> _Found:
            try:
                asked.index.feedback.catch_up()
            except ArtifactError as error:
                logger.warning("Answers do not know the newest feedback: %s", error)
            return question(asked)

        return await self._thread.ask(answer)

    async def refresh(self) -> bool:
        """Switches to the live build of the index if that build is new; tells whether the build changed.

        The new build is opened in another thread, and does not answer questions before it is completely open.
        If the new build cannot be opened, the old build continues to answer questions, and the log gives the
        reason.
        """
        try:
            if self.engine.is_current:
                self._complaint = ""
                return False
            engine = await asyncio.to_thread(open_warm, self.directory, self.journal)
        except EngineError as error:
            metrics.REFRESHES.labels(self.name, "failed").inc()
            # A repeated error is not logged again, because a line for each check would fill the log.
            if str(error) != self._complaint:
                logger.warning("%s stays at %s: %s", self.name, self.build, error)
            self._complaint = str(error)
            return False
        self.engine, self._complaint = engine, ""
        metrics.REFRESHES.labels(self.name, "done").inc()
        logger.info("%s answers from %s now", self.name, self.build)
        return True


def open_warm(directory: Path, journal: Journal) -> Engine:
    """Opens the live build of an index, and asks a few questions so that later answers come without delay.

    The returned engine takes into account the events of the journal that are newer than the build.

    Raises:
        ArtifactError: the directory holds no index that can be opened; or the journal cannot be read.
    """
    engine = Engine.load(directory)
    engine.index.follow(journal)
    try:
        [reviewer_id] = engine.reviewer_ids([0])
        [movie_id] = engine.movie_ids([0])
        engine.recommend(reviewer_id, 1, where="true")
        engine.recommend("", 1, fallback="popular")
        engine.similar(movie_id, 1)
        engine.similar_reviewers(reviewer_id, 1)
        engine.find_movies("a", 1)
    except ArtifactError:
        raise
    except EngineError as error:
        logger.debug("A question that warms %s was refused: %s", directory, error)
    return engine


async def keep_fresh(indexes: Iterable[LiveIndex], seconds: float) -> None:
    """Checks each index every few seconds for a new live build, and switches to the new build."""
    while True:
        await asyncio.sleep(seconds)
        for index in indexes:
            try:
                await index.refresh()
            except Exception:
                logger.exception("Could not look for a new build of %s", index.name)
