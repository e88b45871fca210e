"""Decides by conditions, such as "ndcg@10 >= 0.97 * live", whether a new build may replace the live build."""

from __future__ import annotations

import logging
import operator
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.artifact import layout
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter
from engine.config.sections import Config
from engine.errors import ArtifactNotFoundError, ConfigError, NotPublishedError, shown
from pipelines.measuring.ranking import figure_names

logger = logging.getLogger(__name__)

COUNTS = ("reviews", "reviewers", "movies", "cold_movies")
"""The names of the counts that a publishing condition may contain, as in the section `counts` of a
manifest."""
QUALITY = (*figure_names(), "mae", "rmse", "calibration_error")
"""The names of the metrics that a publishing condition may contain; the metrics are those of the engine's
model on held-out reviews."""
_OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_OPPOSITES = {">=": "under", "<=": "over", ">": "not over", "<": "not under"}
_PART = re.compile(
    r"\s*(?P<figure>[\w@]+)\s*(?P<sign>>=|<=|>|<)\s*"
    r"(?:(?P<number>\d+(?:\.\d*)?|\.\d+)(?P<of_live>\s*\*\s*live)?|(?P<live>live))\s*"
)
"""Matches one comparison in a publishing condition, such as `ndcg@10 >= 0.97 * live`."""
_GRAMMAR = 'write comparisons such as "ndcg@10 >= 0.97 * live" or "reviews > 100000", joined by "and"'


class Comparison(NamedTuple):
    """Compares a metric of a new build with a number, or with a multiple of the live build's metric."""

    figure: str
    sign: str
    number: float
    of_live: bool

    def fault(self, new: Mapping[str, float], live: Mapping[str, float] | None) -> str | None:
        """Describes, as a part of a sentence, why a new build fails the comparison; None if the build passes.

        The argument `new` holds the metrics of the new build. The argument `live` holds the metrics of the
        live build; `live` is None if there is no live build.
        """
        if self.of_live and live is None:
            return None
        if self.figure not in new:
            return f"{self.figure} was not measured on the new build"
        got, wanted, described = new[self.figure], self.number, f"{self.number:g}"
        if self.of_live and live is not None:
            if self.figure not in live:
                return f"the live build has no figure {self.figure} to compare with"
            before = live[self.figure]
            wanted = self.number * before
            described = f"{_number(wanted)}, which is {self.number:g} * {_number(before)} of the live build"
        if _OPERATORS[self.sign](got, wanted):
            return None
        return f"{self.figure} is {_number(got)}, {_OPPOSITES[self.sign]} {described}"


def read_condition(text: str, config: Config, output: Path) -> list[Comparison]:
    """Parses and checks a condition under which a new build may replace the live build.

    The function runs before a build starts, so that a faulty condition is reported early.

    Args:
        text: comparisons joined by "and", such as `ndcg@10 >= 0.97 * live and reviews >= 0.9 * live`; each
            comparison compares a metric of the new build with a number, or with a multiple of the same metric
            of the live build.
        config: the settings of the build.
        output: the directory of the index.

    Raises:
        ConfigError: the text is not a condition; a metric in the text is unknown; the new build or the live
            build does not have the metric.
        ArtifactError: the live build cannot be opened.
    """
    comparisons = [_comparison(part, text) for part in re.split(r"(?i)\band\b", text)]
    live = figures_of_live(output)
    for one in comparisons:
        if one.figure in QUALITY and config.split.test_share == 0:
            raise ConfigError(
                f"The condition {shown(text)} needs {one.figure}, which a build with split.test_share = 0 "
                "does not measure; hold reviews out, or leave the comparison out"
            )
        if live is not None and one.of_live and one.figure not in live:
            raise ConfigError(
                f"The live build of {output} has no figure {one.figure}, with which {shown(text)} compares; "
                "leave the comparison out this time"
            )
    return comparisons


def figures_of_live(directory: Path) -> dict[str, float] | None:
    """Returns the live build's metrics (named in QUALITY) and counts (in COUNTS); None if no build is live.

    Raises:
        ArtifactError: the live build cannot be opened.
    """
    try:
        return figures_in(Artifact.open(directory).manifest)
    except ArtifactNotFoundError:
        return None


def figures_in(manifest: Mapping[str, Any]) -> dict[str, float]:
    """Returns the metrics (named in QUALITY) and the counts (named in COUNTS) that a manifest holds."""
    quality = manifest.get(layout.METRICS_SECTION, {}).get("ncf", {})
    counts = manifest.get(layout.COUNTS_SECTION, {})
    known = {name: quality.get(name) for name in QUALITY} | {name: counts.get(name) for name in COUNTS}
    return {name: float(value) for name, value in known.items() if value is not None}


def judge(comparisons: list[Comparison], writer: ArtifactWriter) -> NotPublishedError | None:
    """Decides whether to publish a new build; returns None, or the error to raise if the build is refused.

    The argument `comparisons` holds the comparisons that "and" joins in a publishing condition, such as
    `ndcg@10 >= 0.97 * live`. The new build is refused if at least one of the comparisons is false. A refused
    build stays on disk beside the live build. If there is no live build yet, the new build is published even
    if the publishing condition is false. Before the call of `judge`, the sections of the new build's manifest
    must have been written.
    """
    live = figures_of_live(writer.directory)
    faults = [fault for one in comparisons if (fault := one.fault(figures_in(writer.sections), live))]
    if live is None:
        logger.warning(
            "No build of %s was live, so the new build is published without the test of --publish-if%s",
            writer.directory,
            f", although {'; '.join(faults)}" if faults else "",
        )
    if live is None or not faults:
        return None
    reason = "; ".join(faults)
    writer.refuse(reason)
    return NotPublishedError(
        f"The new build is not published, since {reason}; the live build stays, and the new build is kept "
        f"beside it as {writer.build_directory}, for engine compare and for engine rollback --to",
        writer.build_directory,
    )


def _comparison(part: str, text: str) -> Comparison:
    found = _PART.fullmatch(part)
    if found is None:
        raise ConfigError(f"{shown(part.strip() or text)} in --publish-if is no comparison; {_GRAMMAR}")
    if found["figure"] not in (*QUALITY, *COUNTS):
        raise ConfigError(
            f"No figure {shown(found['figure'])} can be compared in --publish-if; a build has "
            f"{', '.join((*QUALITY, *COUNTS))}"
        )
    is_live = found["live"] is not None
    number = 1.0 if is_live else float(found["number"])
    return Comparison(found["figure"], found["sign"], number, is_live or found["of_live"] is not None)


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4f}"
