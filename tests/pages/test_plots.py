"""Labels of plots never touch, whatever the names; points of a map have names."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipelines.pages.plots import keep_labels_apart, scatter

NAMES = {
    "months": [f"{year}-{month:02d}" for year in range(2010, 2014) for month in range(1, 13)],
    "long names": [f"reviewers with {number:,} reviews" for number in range(1000, 1012)],
    "two long names": ["a" * 90, "b" * 90],
    "short names": ["1", "2", "3"],
}


def boxes_apart(figure: Figure) -> bool:
    FigureCanvasAgg(figure).draw()
    [axes] = figure.axes
    boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
    boxes.sort(key=lambda box: box.x0)
    return all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_names_below_bars_do_not_touch(names: list[str]) -> None:
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.bar(range(len(names)), [1] * len(names))
    axes.set_xticks(range(len(names)), names)
    keep_labels_apart(figure, axes)
    assert boxes_apart(figure)
    shown = [label.get_text() for label in axes.get_xticklabels()]
    assert shown[0] in (names[0], names[0][:29] + "…")
    assert names != NAMES["short names"] or shown == names


def test_numbers_below_a_plot_do_not_touch() -> None:
    figure = Figure(figsize=(2, 2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0.192512, 0.192561], [0, 1])
    keep_labels_apart(figure, axes)
    assert boxes_apart(figure)


def test_points_are_drawn_where_they_are_and_names_are_escaped() -> None:
    drawn = scatter(np.array([[0.0, 0.0], [2.0, 1.0]]), ["#111111", "#222222"], ["<b>", "B"])
    assert '<circle cx="8.0" cy="542.0" r="3.5" fill="#111111"><title>&lt;b&gt;</title>' in drawn
    assert '<circle cx="692.0" cy="8.0" r="3.5" fill="#222222"><title>B</title>' in drawn


def test_points_at_one_place_are_drawn() -> None:
    assert scatter(np.zeros((2, 2)), ["#111111"] * 2, ["A", "B"]).count("<circle") == 2
