"""The picture of a run: whole or not there, and laid out without overlaps for any count."""

import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table
from PIL import Image

from catalogs.errors import InputError
from lsbg_classifier import open_source
from lsbg_classifier.training.evaluation import judge
from pipeline import annotate
from pipeline import report as report_module
from pipeline.report import write_report

BLUE, ORANGE = (0, 114, 178), (213, 94, 0)


@pytest.fixture(scope="module")
def cutouts(survey):
    return f"tiles:{survey.tiles}"


@pytest.fixture(scope="module")
def annotated(survey, cutouts, tmp_path_factory):
    path = tmp_path_factory.mktemp("annotated") / "annotated.fits"
    annotate(survey.candidates, path, cutouts=cutouts)
    return path


@pytest.fixture(scope="module")
def labels(survey):
    return np.asarray(Table.read(survey.truth)["LABEL"])


def near(image, colour):
    """Count the pixels of about that colour."""
    return np.count_nonzero((abs(image.astype(int) - colour) < 8).all(axis=2))


def rewritten(annotated, path, change):
    """The annotated catalog after a change of its table."""
    table = Table.read(annotated)
    change(table)
    table.write(path)
    return path


@pytest.mark.parametrize("with_truth", [False, True])
def test_a_png_of_sane_size(annotated, cutouts, survey, with_truth, tmp_path):
    truth = survey.truth if with_truth else None
    write_report(annotated, tmp_path / "all.png", cutouts=cutouts, truth=truth, count=12)
    with Image.open(tmp_path / "all.png") as picture:
        assert picture.format == "PNG"
        image = np.asarray(picture.convert("RGB"))
    height, width, _ = image.shape
    assert 1200 <= width <= 2400 and width / 3 < height < width
    assert 0.3 < (image == 255).all(axis=2).mean() < 0.9
    assert [near(image, colour) > 500 for colour in (BLUE, ORANGE)] == [with_truth] * 2


@pytest.mark.parametrize("name", ["a.pdf", "a.PDF"])
def test_a_pdf(annotated, cutouts, tmp_path, name):
    write_report(annotated, tmp_path / name, cutouts=cutouts, count=1)
    assert (tmp_path / name).read_bytes().startswith(b"%PDF-")


def test_what_it_says(annotated, cutouts, survey, labels, tmp_path):
    probability = np.asarray(Table.read(annotated)["P_LSBG"])
    figure = tmp_path / "a.png"
    counted, judged, written = write_report(
        annotated, figure, cutouts=cutouts, truth=survey.truth, count=2, threshold=0.6
    )
    rows = len(labels)
    assert counted == f"{rows} of {rows} candidates have a probability"
    scores = judge(labels, probability, 0.6)
    for said in (
        f"accuracy {scores.accuracy:.3f}",
        f"completeness {scores.completeness:.3f}",
        f"purity {scores.purity:.3f}",
        f"ROC curve {scores.auc:.3f}",
    ):
        assert said in judged
    assert written == f"wrote {figure}"


def test_rows_without_a_probability_are_left_out(annotated, cutouts, survey, labels, tmp_path):
    def lose_some(table):
        table["P_LSBG"][:30] = np.nan

    path = rewritten(annotated, tmp_path / "some.fits", lose_some)
    counted, judged, _ = write_report(
        path, tmp_path / "a.png", cutouts=cutouts, truth=survey.truth, count=2
    )
    assert counted.startswith(f"{len(labels) - 30} of {len(labels)} ")
    probability = np.asarray(Table.read(annotated)["P_LSBG"])
    assert f"{judge(labels[30:], probability[30:]).auc:.3f}" in judged


def test_parquet_is_drawn_too(annotated, cutouts, tmp_path):
    table = Table.read(annotated)
    columns = {name: np.asarray(table[name]).astype(float) for name in table.colnames[1:3]}
    columns |= {"P_LSBG": table["P_LSBG"].astype("f4"), "FLAGS_LSBG": np.zeros(len(table), "i2")}
    pq.write_table(pa.table(columns), tmp_path / "annotated.parquet")
    write_report(tmp_path / "annotated.parquet", tmp_path / "a.png", cutouts=cutouts, count=2)
    assert (tmp_path / "a.png").stat().st_size > 10_000


def drawn(annotated, truth, cutouts, count, threshold=0.5):
    scored = report_module._read(annotated, truth, {})
    return report_module._draw(scored, open_source(cutouts), count, threshold)


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


@pytest.mark.parametrize("with_truth", [False, True])
@pytest.mark.parametrize(
    ("count", "threshold"),
    [(1, 0.5), (3, 0.02), (13, 0), pytest.param(200, 0.98, marks=pytest.mark.slow)],
)
def test_nothing_overlaps(annotated, cutouts, survey, labels, with_truth, count, threshold):
    figure = drawn(annotated, survey.truth if with_truth else None, cutouts, count, threshold)
    figure.draw_without_rendering()
    images = sum(len(axes.images) for axes in figure.axes)
    assert images == min(count, -(-len(labels) // 2)) + min(count, len(labels) // 2)
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    for text, box in boxes:
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, text
    for (text, box), (other_text, other) in itertools.combinations(boxes, 2):
        assert not box.overlaps(other), (text, other_text)
    for legend in figure.legends:
        assert not any(legend.get_window_extent().overlaps(axes.bbox) for axes in figure.axes)
    assert len(figure.legends) == with_truth


def test_the_title_names_the_catalog_and_its_size(annotated, cutouts, labels, tmp_path):
    path = tmp_path / "odd_$name$_{x}.fits"
    path.symlink_to(annotated)
    said = [text.get_text() for text in texts(drawn(path, None, cutouts, 1))]
    assert f"{path.name}: {len(labels)} candidates" in said


def test_a_long_name_is_shortened(annotated, cutouts, tmp_path):
    path = tmp_path / ("x" * 200 + ".fits")
    path.symlink_to(annotated)
    figure = drawn(path, None, cutouts, 1)
    figure.draw_without_rendering()
    assert all(text.get_window_extent().x1 < figure.bbox.x1 for text in texts(figure))


def test_the_best_and_the_worst_are_in_order(annotated, cutouts):
    best, worst, *_ = drawn(annotated, None, cutouts, 6).axes
    probability = np.sort(np.asarray(Table.read(annotated)["P_LSBG"]))
    for axes, expected in ((best, probability[::-1][:6]), (worst, probability[:6])):
        assert [text.get_text() for text in axes.texts] == [f"{value:.3f}" for value in expected]


def test_a_single_candidate(annotated, cutouts, tmp_path):
    path = rewritten(
        annotated, tmp_path / "one.fits", lambda table: table.remove_rows(slice(1, None))
    )
    Table({"LABEL": [1]}).write(tmp_path / "truth.fits")
    lines = write_report(
        path, tmp_path / "a.png", cutouts=cutouts, truth=tmp_path / "truth.fits", count=5
    )
    assert lines[0] == "1 of 1 candidates have a probability"


def test_an_image_that_cannot_be_had_is_said_to_be_missing(annotated, survey, tmp_path):
    tiles = tmp_path / "tiles"
    tiles.mkdir()
    for path in survey.tiles.glob("DES0208*.fz"):
        (tiles / path.name).symlink_to(path)
    figure = drawn(annotated, None, f"tiles:{tiles}", 30)
    missing = [text for text in texts(figure) if text.get_text() == "no image"]
    elsewhere = np.count_nonzero(Table.read(annotated)["TILENAME"] != "DES0208-4000")
    assert 0 < len(missing) <= elsewhere


@pytest.fixture
def refused(annotated, cutouts, tmp_path):
    """A call that must be refused in one line, with nothing left behind."""

    def call(catalog=annotated, figure="a.png", **options):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(InputError) as caught:
            write_report(catalog, tmp_path / figure, **{"cutouts": cutouts, **options})
        assert sorted(tmp_path.rglob("*")) == before
        line = str(caught.value)
        assert "\n" not in line
        return line

    return call


def test_a_catalog_that_was_not_annotated(refused, survey):
    assert "annotate it" in refused(survey.candidates)


def test_a_catalog_that_is_not_there(refused, tmp_path):
    assert "nowhere.fits" in refused(tmp_path / "nowhere.fits")


def test_no_probability_at_all(refused, annotated, tmp_path):
    def lose_all(table):
        table["P_LSBG"] = np.float32(np.nan)

    path = rewritten(annotated, tmp_path / "none.fits", lose_all)
    assert "nothing to draw" in refused(path)


def test_no_rows(refused, annotated, tmp_path):
    path = rewritten(
        annotated, tmp_path / "empty.fits", lambda table: table.remove_rows(slice(None))
    )
    assert "nothing to draw" in refused(path)


def test_a_figure_that_exists_is_replaced_on_demand_only(refused, annotated, cutouts, tmp_path):
    (tmp_path / "a.png").write_bytes(b"mine")
    assert "--overwrite" in refused()
    assert (tmp_path / "a.png").read_bytes() == b"mine"
    write_report(annotated, tmp_path / "a.png", cutouts=cutouts, count=1, overwrite=True)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("figure", ["a.jpg", "a", "png", "a.png.txt", "nowhere/a.png"])
def test_a_figure_that_cannot_be_written(refused, figure):
    line = refused(figure=figure)
    assert figure in line
    assert ".png or .pdf" in line or "folder does not exist" in line


def test_none_to_draw(refused):
    assert "at least one" in refused(count=0)


def test_an_unknown_source(refused):
    assert "nowhere" in refused(cutouts="tiles:/nowhere")


TRUTHS = {
    "another length": lambda n: fits.Column("LABEL", "I", array=[0, 1]),
    "no LABEL": lambda n: fits.Column("LABELS", "I", array=np.zeros(n)),
    "two in a row": lambda n: fits.Column("LABEL", "2I", array=np.zeros((n, 2))),
    "three classes": lambda n: fits.Column("LABEL", "I", array=np.arange(n) % 3),
    "not a number": lambda n: fits.Column("LABEL", "D", array=np.full(n, np.nan)),
    "no value": lambda n: fits.Column("LABEL", "I", null=1, array=np.arange(n) % 2),
    "texts": lambda n: fits.Column("LABEL", "4A", array=np.full(n, "LSBG")),
}


@pytest.mark.parametrize("truth", TRUTHS)
def test_a_truth_that_does_not_fit(refused, labels, truth, tmp_path):
    path = tmp_path / "truth.fits"
    fits.BinTableHDU.from_columns([TRUTHS[truth](len(labels))]).writeto(path)
    assert str(path) in refused(truth=path)


@pytest.mark.parametrize("content", [None, b"", b"hello", b"SIMPLE  =                    T"])
def test_a_truth_that_is_no_table(refused, content, tmp_path):
    path = tmp_path / "truth.fits"
    if content is not None:
        path.write_bytes(content)
    assert str(path) in refused(truth=path)


def test_a_truth_of_unknown_kind(refused, tmp_path):
    (tmp_path / "truth.abc").write_text("1\n")
    assert "truth.abc" in refused(truth=tmp_path / "truth.abc")


def test_a_position_that_must_be_named(annotated, cutouts, tmp_path):
    table = Table.read(annotated)
    table.rename_columns(["ALPHA_J2000", "DELTA_J2000"], ["X1", "X2"])
    table.write(tmp_path / "odd.fits")
    lines = write_report(
        tmp_path / "odd.fits",
        tmp_path / "odd.png",
        cutouts=cutouts,
        count=2,
        catalog_options={"ra": "X1", "dec": "X2"},
    )
    assert lines[-1] == f"wrote {tmp_path / 'odd.png'}"
