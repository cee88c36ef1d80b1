"""The picture of the best and the worst candidates: laid out without overlaps for any count."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from reports import made_run

from pipeline.report.candidates import read_candidates
from pipeline.report.panel import draw_panel
from pipeline.report.pictures import Pictures

ROWS = 150


@pytest.fixture(scope="module")
def candidates(tmp_path_factory):
    return read_candidates(made_run(tmp_path_factory.mktemp("panel"), ROWS), None, {})


@pytest.fixture(scope="module")
def pictures(candidates):
    return Pictures.open(candidates, None, {})


@pytest.fixture(scope="module")
def labels(candidates):
    """Labels as probabilities say, but for some, and some that are not known."""
    label = (np.nan_to_num(candidates.probability) > 0.4).astype(int)
    label[::9] = -1
    return label


def texts(figure):
    """All that is written in the figure."""
    found = [*figure.texts, *(text for legend in figure.legends for text in legend.texts)]
    for axes in figure.axes:
        found += [*axes.texts, axes.title, axes._left_title]
        if axes.axison:
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
                found += [axis.label, *(text for place, text in ticks if low <= place <= high)]
    return [text for text in found if text.get_text()]


@pytest.mark.parametrize("with_labels", [False, True])
@pytest.mark.parametrize(
    ("count", "threshold"),
    [(1, 0.5), (3, 0.02), (13, 0), pytest.param(200, 0.98, marks=pytest.mark.slow)],
)
def test_nothing_overlaps(candidates, pictures, labels, with_labels, count, threshold):
    shown = replace(candidates, label=labels if with_labels else None)
    figure = draw_panel(
        shown, pictures.read, name="a.fits", field='33.5" in grz', count=count, threshold=threshold
    )
    figure.draw_without_rendering()
    rows = len(candidates.scored)
    images = sum(len(axes.images) for axes in figure.axes)
    assert images == min(count, -(-rows // 2)) + min(count, rows // 2)
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    for text, box in boxes:
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, text
    for (text, box), (other_text, other) in itertools.combinations(boxes, 2):
        assert not box.overlaps(other), (text, other_text)
    for legend in figure.legends:
        assert not any(legend.get_window_extent().overlaps(axes.bbox) for axes in figure.axes)
    assert len(figure.legends) == with_labels
    assert any("area" in text for text, _ in boxes) == with_labels


def test_the_title_names_the_catalog_and_its_size(candidates, pictures):
    figure = draw_panel(candidates, pictures.read, name="odd_$name$_{x}.fits", count=1)
    assert f"odd_$name$_{{x}}.fits: {ROWS} candidates" in [
        text.get_text() for text in texts(figure)
    ]


def test_a_long_name_is_shortened(candidates, pictures):
    figure = draw_panel(candidates, pictures.read, name="x" * 200, count=1)
    figure.draw_without_rendering()
    assert all(text.get_window_extent().x1 < figure.bbox.x1 for text in texts(figure))


def test_the_best_and_the_worst_are_in_order(candidates, pictures):
    best, worst, *_ = draw_panel(candidates, pictures.read, name="a", count=6).axes
    probability = np.sort(candidates.probability[candidates.scored])
    for axes, expected in ((best, probability[::-1][:6]), (worst, probability[:6])):
        assert [text.get_text() for text in axes.texts] == [f"{value:.3f}" for value in expected]


def test_an_image_that_cannot_be_had_is_said_to_be_missing(candidates, pictures):
    def some(rows):
        cutouts, have = pictures.read(rows)
        return cutouts, have & (rows % 2 == 0)

    figure = draw_panel(candidates, some, name="a", count=200)
    missing = [text for text in texts(figure) if text.get_text() == "no image"]
    assert len(missing) == np.count_nonzero(candidates.scored % 2)
