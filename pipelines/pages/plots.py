"""Draws plots as SVG for web pages, without scripts, in colours that suit light and dark pages.

Names that come from the data are escaped, so that a name in a plot cannot contain HTML.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY = "#8a9199"
"""The colour of reference lines, and of points that belong to no group or to several groups."""
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
_MAP_SIZE = (700, 550)
"""The width and the height of a map of points, in pixels."""
_MARGIN = 8
"""The number of pixels between the edge of a map and the outermost points of the map."""
_APART = 6.0
"""The least number of pixels between two neighbouring labels below a plot."""


def bars(
    names: Sequence[str], values: Sequence[float], *, name: str, xlabel: str = "", ylabel: str = ""
) -> str:
    """Draws a bar for each value, with the bar's name below the bar if the names fit beside each other.

    The argument `name` is the name of the plot in lower case; each plot on a page must have a different name.
    """

    def draw(axes: Axes) -> None:
        axes.bar(range(len(values)), list(values), color=COLORS[0])
        axes.set_xticks(range(len(names)), list(names))

    return _svg(draw, name, xlabel, ylabel)


def lines(
    series: Sequence[Sequence[float | None]],
    *,
    name: str,
    xlabel: str,
    ylabel: str,
    colors: Sequence[str] = COLORS,
) -> str:
    """Draws each series of values as a line over x = 1, 2, 3 and so on; a value None leaves a gap."""
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
    """Draws each value, the first at the top, as a point on a line that shows the value's interval."""

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
    """Draws groups of bars: a group has one bar for each series, side by side; a value None leaves a gap."""

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


def scatter(points: NDArray[np.floating], colors: Sequence[str], names: Sequence[str]) -> str:
    """Draws points, float [num, 2], without axes; a browser shows the name of the point under the mouse.

    The arguments `colors` and `names` hold the colour and the name of each point.
    """
    low, high = points.min(axis=0, initial=0), points.max(axis=0, initial=0)
    size = np.array(_MAP_SIZE)
    places = (points - low) / np.maximum(high - low, 1e-12) * (size - 2 * _MARGIN) + _MARGIN
    places[:, 1] = size[1] - places[:, 1]
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"><title>{escape(name)}</title></circle>'
        for (x, y), color, name in zip(places.tolist(), colors, names, strict=True)
    )
    width, height = _MAP_SIZE
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="map" fill-opacity="0.8">{dots}</svg>'
    )


def keep_labels_apart(figure: Figure, axes: Axes) -> None:
    """Cuts long labels below a plot, and leaves out some labels, until no two labels overlap.

    The widths of labels are measured in a font that is at least as wide as the fonts of browsers.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.ticker import FixedLocator

    FigureCanvasAgg(figure)  # what the figure is measured with

    def touching() -> bool:
        figure.draw_without_rendering()
        boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
        boxes.sort(key=lambda box: box.x0)
        return any(left.x1 + _APART > right.x0 for left, right in itertools.pairwise(boxes))

    if isinstance(axes.xaxis.get_major_locator(), FixedLocator):
        texts = [label.get_text() for label in axes.get_xticklabels()]
        places, names = axes.get_xticks(), [f"{text[:29]}…" if len(text) > 30 else text for text in texts]
        axes.set_xticks(places, names)
        step = 1
        while touching() and step < len(names):
            step += 1
            axes.set_xticks(places[::step], names[::step])
    elif axes.axison:
        bins = 9
        while touching() and bins > 1:
            bins -= 1
            axes.locator_params(axis="x", nbins=bins)


def _svg(
    draw: Callable[[Axes], None], name: str, xlabel: str, ylabel: str, size: tuple[float, float] = (7, 3.2)
) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    # Matplotlib names the elements of a plot by hashes; a salt makes these names reproducible, and different
    # for each plot on a page.
    with matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.patch.set_visible(False)
        keep_labels_apart(figure, axes)
        written = io.StringIO()
        no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(written, format="svg", transparent=True, metadata=no_metadata)
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    # SVG inside HTML needs no XML namespaces.
    svg = re.sub(r'\sxmlns(:xlink)?="[^"]*"|<style.*?</style>', "", svg).replace(_TEXT, "currentColor")
    return re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{name}-", svg).strip()
