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

COLORS = (
    *("#4c8fd6", "#e08a3c", "#4aa564", "#d0605e", "#9a7fd1", "#b0894f", "#d678b4", "#8a9199", "#b3ad3a"),
    "#3fb0bd",
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


def line(values: Sequence[float | None], color: str, *, name: str, xlabel: str, ylabel: str) -> str:
    """Values over 1, 2, 3 and so on; None leaves a gap."""
    known = [np.nan if value is None else value for value in values]

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import MaxNLocator

        axes.plot(range(1, len(known) + 1), known, color=color, marker="o", markersize=3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlim(0.5, len(known) + 0.5)

    return _drawing(draw, name, xlabel, ylabel)


def diagonal(x: Sequence[float], y: Sequence[float], *, name: str, xlabel: str, ylabel: str) -> str:
    """Points between 0 and 1 beside the line on which both are equal."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=COLORS[7], linestyle="--")
        axes.plot(list(x), list(y), color=COLORS[0], marker="o")

    return _drawing(draw, name, xlabel, ylabel, size=(4.6, 4.2))


def scatter(points: NDArray[np.floating], colors: Sequence[str], *, name: str) -> str:
    """Points without axes, for a map: float [num, 2], and as many colours."""

    def draw(axes: Axes) -> None:
        for color in dict.fromkeys(colors):
            chosen = points[[other == color for other in colors]]
            axes.plot(chosen[:, 0], chosen[:, 1], ".", color=color, markersize=4, alpha=0.75)
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
