"""Compares two indexes, or two builds of one index, so that users can judge a new index before its use."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import Engine
from engine.artifact import layout
from engine.artifact.builds import kept_builds
from engine.config.values import flat_settings
from engine.errors import ArtifactNotFoundError
from pipelines.comparing.lists import compare_lists, compare_popularity, pairs_of_rows
from pipelines.comparing.page import comparison_page
from pipelines.work.output import PAGE_SUFFIXES, check_output, write_text

logger = logging.getLogger(__name__)

_SEARCH = "search_recall"
"""The name of one of the compared metrics: the recall of the search, the share of the best movies that the
search finds."""


def compare(
    old: Path | str, new: Path | str | None = None, *, output: Path | str | None = None
) -> dict[str, Any]:
    """Compares two indexes: counts, held-out metrics, top lists of sampled reviewers, popularity, settings.

    Args:
        old: the directory of the old index, or of one build in an index.
        new: the directory of the new index, or of one build in an index. If `new` is None, `old` is one
            index, whose live build is compared with the build that was live before.
        output: the file to which the comparison is written as a web page; None to write no web page.

    Raises:
        EngineError: an index cannot be opened; `new` is None, and the index does not hold the build that was
            live before; or the web page cannot be written.
    """
    started = time.perf_counter()
    if output is not None:
        check_output(Path(output), PAGE_SUFFIXES)
    if new is None:
        old, new = _build_before(Path(old)), old
    before, after = Engine.load(old), Engine.load(new)
    movies = pairs_of_rows(before.index.movies, after.index.movies)
    reviewers = pairs_of_rows(before.index.reviewers, after.index.reviewers)
    lists, listings = compare_lists(before, after, reviewers, movies)
    found = {
        "old": _facts(before),
        "new": _facts(after),
        "counts": _side_by_side(_counts(before), _counts(after)),
        "reviewers": _known(before.num_reviewers, after.num_reviewers, len(reviewers.old)),
        "movies": _known(before.num_movies, after.num_movies, len(movies.old)),
        "quality": _side_by_side(_quality(before), _quality(after)),
        "lists": lists,
        "listings": listings,
        "popularity": compare_popularity(before, after, movies),
        "settings": _differing_settings(before, after),
    }
    logger.info("Compared %s with %s in %.1f s", before.build, after.build, time.perf_counter() - started)
    if output is not None:
        write_text(comparison_page(found), Path(output))
    return found


def _build_before(directory: Path) -> Path:
    """Returns the directory of the build that was live before the live build of an index."""
    builds = {build.name: build for build in kept_builds(directory)}
    live = next((build for build in builds.values() if build.is_live), None)
    if live is None or live.before not in builds:
        raise ArtifactNotFoundError(
            f"{directory} keeps no build before the live one to compare with; name two indexes, or builds "
            f"such as {directory}/{next(iter(builds), 'build-...')}"
        )
    return directory / str(live.before)


def _facts(engine: Engine) -> dict[str, Any]:
    """Returns facts about the build from which an engine answers, such as the build's name and time."""
    manifest = engine.info()
    updates = manifest.get(layout.UPDATES_SECTION) or {}
    return {
        "directory": str(engine.index.artifact.directory),
        "build": engine.build,
        "created": manifest[layout.CREATED_ENTRY],
        "version": manifest[layout.PACKAGE_ENTRY],
        "reviews_since_training": updates.get("reviews_since_training", 0),
        "refused_because": manifest.get(layout.REFUSED_ENTRY),
    }


def _counts(engine: Engine) -> dict[str, float]:
    return dict(engine.info().get(layout.COUNTS_SECTION, {}))


def _quality(engine: Engine) -> dict[str, float]:
    """Returns the metrics of an index: the metrics on held-out reviews, and the recall of the search."""
    manifest = engine.info()
    figures: dict[str, float] = dict(manifest.get(layout.METRICS_SECTION, {}).get("ncf", {}))
    recall = manifest.get(layout.AUDIT_SECTION, {}).get("recall")
    return figures | ({} if recall is None else {_SEARCH: recall})


def _side_by_side(old: Mapping[str, float], new: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Returns for each count or metric the old value, the new value, the change, and the relative change."""
    found = {}
    for name in dict.fromkeys((*old, *new)):
        one, other = old.get(name), new.get(name)
        change = None if one is None or other is None else other - one
        share = change / one if change is not None and one else None
        found[name] = {"old": one, "new": other, "change": change, "share": share}
    return found


def _known(num_old: int, num_new: int, num_both: int) -> dict[str, int]:
    """Counts the ids that are in both indexes, only in the new index, and only in the old index."""
    return {"both": num_both, "added": num_new - num_both, "removed": num_old - num_both}


def _differing_settings(old: Engine, new: Engine) -> list[dict[str, Any]]:
    one, other = (flat_settings(engine.info().get(layout.CONFIG_SECTION, {})) for engine in (old, new))
    return [
        {"setting": name, "old": one.get(name), "new": other.get(name)}
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    ]
