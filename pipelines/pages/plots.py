"""Draws plots as SVG for web pages, without scripts, in colours that suit light and dark pages.

Plots hold only numbers and fixed words. Names that come from the data are shown in the page's text, which is
escaped, and not in plots.
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
"""The colour of reference lines, and of points that belong to no single group."""
COLORS = (
    *("#4c8fd6", "#e08a3c", "#4aa564", "#d0605e", "#9a7fd1", "#b0894f", "#d678b4", "#b3ad3a", "#3fb0bd"),
    GREY,
)
"""The colours of lines, bars and points; all are visible on a light and on a dark page."""
_TEXT = "#010203"
"""A placeholder for the SVG colour `currentColor`, which Matplotlib does not know."""
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _TEXT),
}
_LINE_LENGTH = 90
"""The number of letters that fit in the line of names below a bar plot; if the names are longer, only every
second or third name, and so on, is drawn."""


def bars(
    names: Sequence[str], values: Sequence[float], *, name: str, xlabel: str = "", ylabel: str = ""
) -> str:
    """Draws a bar for each value, and the bar's name below; leaves out some names if they need too much room.

    The argument `name` is the name of the plot in lower case; each plot on a page must have a different name.
    """

    def draw(axes: Axes) -> None:
        axes.bar(range(len(values)), list(values), color=COLORS[0])
        step = max(1, -(-sum(len(text) + 2 for text in names) // _LINE_LENGTH))
        axes.set_xticks(range(0, len(names), step), list(names)[::step])

    return _svg(draw, name, xlabel, ylabel)


def lines(
    series: Sequence[Sequence[float | None]],
    *,
    name: str,
    xlabel: str,
    ylabel: str,
    colors: Sequence[str] = COLORS,
) -> str:
    """Draws each series of values as a line over x = 1, 2, 3 and so on; None leaves a gap in the line."""
    known = [[np.nan if value is None else value for value in values] for values in series]
    longest = max(map(len, known), default=0)

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import MaxNLocator

        for values, color in zip(known, colors, strict=False):
            axes.plot(range(1, len(values) + 1), values, color=color, marker="o", markersize=3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlim(0.5, longest + 0.5)

    return _svg(draw, name, xlabel, ylabel)


def intervals(
    names: Sequence[str],
    values: Sequence[float],
    ends: Sequence[tuple[float, float]],
    *,
    name: str,
    xlabel: str,
) -> str:
    """Draws each value as a point, with the value's interval as a line; names run from top to bottom."""

    def draw(axes: Axes) -> None:
        places = range(len(names))
        axes.hlines(
            places, [low for low, _ in ends], [high for _, high in ends], color=COLORS[0], alpha=0.6, lw=3
        )
        axes.plot(list(values), places, "o", color=COLORS[0])
        axes.set_yticks(places, list(names))
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(axis="x", alpha=0.25)

    return _svg(draw, name, xlabel, "", size=(7, 0.9 + 0.34 * len(names)))


def grouped_bars(
    groups: Sequence[str], series: Sequence[Sequence[float | None]], *, name: str, xlabel: str, ylabel: str
) -> str:
    """Draws groups of bars: a group holds one bar for each series, side by side; None leaves a gap."""

    def draw(axes: Axes) -> None:
        width = 0.8 / max(len(series), 1)
        for place, values in enumerate(series):
            middles = np.arange(len(groups)) + (place - (len(series) - 1) / 2) * width
            heights = [0.0 if value is None else value for value in values]
            axes.bar(middles, heights, width * 0.92, color=COLORS[place % len(COLORS)])
        axes.set_xticks(range(len(groups)), list(groups))

    return _svg(draw, name, xlabel, ylabel)


def diagonal(x: Sequence[float], y: Sequence[float], *, name: str, xlabel: str, ylabel: str) -> str:
    """Draws a line through points (x, y) between 0 and 1, and the diagonal on which x equals y."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--")
        axes.plot(list(x), list(y), color=COLORS[0], marker="o")

    return _svg(draw, name, xlabel, ylabel, size=(4.6, 4.2))


def scatter(points: NDArray[np.floating], colors: Sequence[str], *, name: str) -> str:
    """Draws points, float [num, 2], without axes; `colors` holds the colour of each point."""

    def draw(axes: Axes) -> None:
        for color in dict.fromkeys(colors):
            chosen = points[[other == color for other in colors]]
            axes.plot(chosen[:, 0], chosen[:, 1], ".", color=color, markersize=5, alpha=0.8)
        axes.set_axis_off()

    return _svg(draw, name, "", "", size=(7, 5.5))


def _svg(
    draw: Callable[[Axes], None], name: str, xlabel: str, ylabel: str, size: tuple[float, float] = (7, 3.2)
) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    # Matplotlib names the parts of a plot by a hash; the salt makes the names unique on a page, and
    # reproducible.
    with matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.patch.set_visible(False)
        written = io.StringIO()
        no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(written, format="svg", transparent=True, metadata=no_metadata)
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    # SVG inside HTML needs no XML namespaces.
    svg = re.sub(r'\sxmlns(:xlink)?="[^"]*"|<style.*?</style>', "", svg).replace(_TEXT, "currentColor")
    return re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{name}-", svg).strip()
