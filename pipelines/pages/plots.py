"""Plots as drawings inside a page (SVG): no pixels, no scripts, and text in the colour that the page has.

They hold our own words and numbers only; names from the data belong into the page's text, which escapes them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GREY = "#8a9199"
"""Of what is there for comparison, or is many things."""
COLORS = (
    *("#4c8fd6", "#e08a3c", "#4aa564", "#d0605e", "#9a7fd1", "#b0894f", "#d678b4", "#b3ad3a", "#3fb0bd"),
    GREY,
)
"""Of lines and points, told apart on a light and on a dark page."""
_TEXT = "#010203"
"""Stands for the page's own colour until the drawing is done: Matplotlib knows no such thing."""
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _TEXT),
}
_LINE_LENGTH = 90
"""Letters that fit under a plot."""
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def bars(
    names: Sequence[str], values: Sequence[float], *, name: str, xlabel: str = "", ylabel: str = ""
) -> str:
    """One bar for each name.

    Args:
        names: under the bars; where they are many, only some of them are written.
        values: as many.
        name: of the drawing, one of a kind on its page, in small letters.
        xlabel: what the names are.
        ylabel: what the values are.
    """

    def draw(axes: Axes) -> None:
        axes.bar(range(len(values)), list(values), color=COLORS[0])
        step = max(1, -(-sum(len(text) + 2 for text in names) // _LINE_LENGTH))
        axes.set_xticks(range(0, len(names), step), list(names)[::step])

    return _drawing(draw, name, xlabel, ylabel)


def lines(
    series: Sequence[Sequence[float | None]],
    *,
    name: str,
    xlabel: str,
    ylabel: str,
    colors: Sequence[str] = COLORS,
) -> str:
    """Values over 1, 2, 3 and so on, each series in its color; None leaves a gap."""
    known = [[np.nan if value is None else value for value in values] for values in series]
    longest = max(map(len, known), default=0)

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import MaxNLocator

        for values, color in zip(known, colors, strict=False):
            axes.plot(range(1, len(values) + 1), values, color=color, marker="o", markersize=3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlim(0.5, longest + 0.5)

    return _drawing(draw, name, xlabel, ylabel)


def intervals(
    names: Sequence[str],
    values: Sequence[float],
    ends: Sequence[tuple[float, float]],
    *,
    name: str,
    xlabel: str,
) -> str:
    """One line for each name, from top to bottom: a point, and how far it may be off.

    Args:
        names: of the lines.
        values: of the points, as many.
        ends: of the intervals, as many.
        name: of the drawing, as for `bars`.
        xlabel: what the values are.
    """

    def draw(axes: Axes) -> None:
        places = range(len(names))
        axes.hlines(
            places, [low for low, _ in ends], [high for _, high in ends], color=COLORS[0], alpha=0.6, lw=3
        )
        axes.plot(list(values), places, "o", color=COLORS[0])
        axes.set_yticks(places, list(names))
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(axis="x", alpha=0.25)

    return _drawing(draw, name, xlabel, "", size=(7, 0.9 + 0.34 * len(names)))


def grouped_bars(
    groups: Sequence[str], series: Sequence[Sequence[float | None]], *, name: str, xlabel: str, ylabel: str
) -> str:
    """Bars side by side in each group, one of each series in its color; None leaves a gap."""

    def draw(axes: Axes) -> None:
        width = 0.8 / max(len(series), 1)
        for place, values in enumerate(series):
            middles = np.arange(len(groups)) + (place - (len(series) - 1) / 2) * width
            heights = [0.0 if value is None else value for value in values]
            axes.bar(middles, heights, width * 0.92, color=COLORS[place % len(COLORS)])
        axes.set_xticks(range(len(groups)), list(groups))

    return _drawing(draw, name, xlabel, ylabel)


def diagonal(x: Sequence[float], y: Sequence[float], *, name: str, xlabel: str, ylabel: str) -> str:
    """Points between 0 and 1 beside the line on which both are equal."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--")
        axes.plot(list(x), list(y), color=COLORS[0], marker="o")

    return _drawing(draw, name, xlabel, ylabel, size=(4.6, 4.2))


def scatter(points: NDArray[np.floating], colors: Sequence[str], *, name: str) -> str:
    """Points without axes, for a map: float [num, 2], and as many colours."""

    def draw(axes: Axes) -> None:
        for color in dict.fromkeys(colors):
            chosen = points[[other == color for other in colors]]
            axes.plot(chosen[:, 0], chosen[:, 1], ".", color=color, markersize=5, alpha=0.8)
        axes.set_axis_off()

    return _drawing(draw, name, "", "", size=(7, 5.5))


def _drawing(
    draw: Callable[[Axes], None], name: str, xlabel: str, ylabel: str, size: tuple[float, float] = (7, 3.2)
) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    # Matplotlib names parts by a hash: the salt keeps the names apart on a page, and equal from run to run.
    with matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": name}):
        drawing = Figure(figsize=size, layout="constrained")
        axes = drawing.add_subplot()
        draw(axes)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.patch.set_visible(False)
        written = io.StringIO()
        drawing.savefig(written, format="svg", transparent=True, metadata=_NO_METADATA)
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    # Inside HTML the namespaces go without saying.
    svg = re.sub(r'\sxmlns(:xlink)?="[^"]*"|<style.*?</style>', "", svg).replace(_TEXT, "currentColor")
    return re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{name}-", svg).strip()
