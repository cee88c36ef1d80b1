"""The panel in a notebook, from a file or any table, and what is refused."""

import io

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.table import QTable, Table
from matplotlib.figure import Figure
from PIL import Image

import pipeline
from catalogs.errors import InputError
from lsbg_classifier.cutouts.kept import KeptSource
from pipeline import annotate, show
from pipeline.table_in_memory import TableInMemory


@pytest.fixture(scope="module")
def annotated(survey, tmp_path_factory):
    path = tmp_path_factory.mktemp("annotated") / "annotated.fits"
    annotate(survey.candidates, path, cutouts=f"tiles:{survey.tiles}", keep_cutouts=True)
    return path


@pytest.fixture(scope="module")
def table(annotated, survey):
    table = Table.read(annotated)
    table["TRUTH"] = Table.read(survey.truth)["LABEL"]
    return table


@pytest.fixture(scope="module")
def kept(annotated):
    return KeptSource(annotated)


def pixels(figure):
    return np.asarray(Image.open(io.BytesIO(figure._repr_png_())).convert("RGB"))


def without_title(figure):
    return pixels(figure)[60:]


def test_it_is_public():
    assert "show" in pipeline.__all__


@pytest.mark.slow
def test_a_file_with_its_own_cutouts(annotated):
    figure = show(annotated, n=6)
    assert isinstance(figure, Figure)
    image = pixels(figure)
    assert image.shape[1] == 990 and len(np.unique(image.reshape(-1, 3), axis=0)) > 1000
    other = show(str(annotated), n=6)
    np.testing.assert_array_equal(pixels(other), image)


@pytest.mark.slow
def test_every_kind_of_table_gives_the_same(annotated, table, kept):
    expected = without_title(show(annotated, n=6))
    kinds = [table, QTable(table), table.to_pandas(), pa.Table.from_pandas(table.to_pandas())]
    for kind in kinds:
        np.testing.assert_array_equal(without_title(show(kind, n=6, cutouts=kept)), expected)


def test_some_rows_in_another_order(table, kept):
    """Cutouts are found by position, so that a table may be sorted and cut."""
    some = table[np.isfinite(table["P_LSBG"])]
    some.sort("P_LSBG")
    best = show(some[::-1][:6], n=3, cutouts=kept)
    shown = [image for axes in best.axes for image in axes.get_images()]
    assert len(shown) == 6
    expected, _ = kept.fetch(
        np.array([[some["ALPHA_J2000"][-1 - n], some["DELTA_J2000"][-1 - n]] for n in range(3)])
    )
    for image, cutout in zip(shown, expected, strict=False):
        np.testing.assert_array_equal(image.get_array(), cutout)


def test_with_labels(table, kept):
    figure = show(table, n=3, cutouts=kept, label="TRUTH")
    (legend,) = figure.legends
    assert [text.get_text()[:4] for text in legend.get_texts()] == ["LSBG", "othe"]


@pytest.mark.slow
def test_from_the_source_of_images(table, survey, kept):
    ours = show(table, n=3, cutouts=f"tiles:{survey.tiles}")
    np.testing.assert_array_equal(pixels(ours), pixels(show(table, n=3, cutouts=kept)))


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda t: t, {"cutouts": None}, "say where the cutouts come from"),
        (lambda t: t, {"n": 0}, "at least one cutout of each kind"),
        (lambda t: t["ALPHA_J2000", "DELTA_J2000"], {}, "no single set of LSBG columns"),
        (lambda t: t["P_LSBG", "FLAGS_LSBG"], {}, "no position column"),
        (lambda t: t, {"label": "CLASS"}, "no column CLASS"),
        (lambda t: t, {"label": "NUMBER"}, "NUMBER must be 1"),
        (lambda t: t[:0], {}, "no candidate has a probability"),
        (lambda t: t, {"cutouts": "nowhere:x"}, "unknown cutout source"),
    ],
)
def test_what_cannot_be_shown(table, kept, change, options, message):
    with pytest.raises(InputError, match=message):
        show(change(table), **({"cutouts": kept} | options))


@pytest.mark.parametrize("table", [3, None, [[1, 2]], {"RA": [1.0]}])
def test_what_is_no_table(table):
    with pytest.raises(TypeError, match="table must be a path, an astropy Table"):
        show(table)


def test_a_file_without_kept_cutouts(table, tmp_path):
    table.write(tmp_path / "a.fits")
    with pytest.raises(InputError, match="no cutouts were kept with it; run lsbg classify with"):
        show(tmp_path / "a.fits")


def test_units_and_missing_values_of_tables_in_memory():
    values = {"coord_ra": [0.1, 0.2], "coord_dec": [-0.3, 0.4]}
    expected = np.degrees(np.stack(list(values.values()), axis=1))
    with_unit = QTable({name: column * u.rad for name, column in values.items()})
    np.testing.assert_allclose(TableInMemory(with_unit).read_positions(0, 2), expected)
    fields = [pa.field(name, pa.float64(), metadata={"unit": "rad"}) for name in values]
    arrow = pa.table(values, schema=pa.schema(fields))
    np.testing.assert_allclose(TableInMemory(arrow).read_positions(0, 2), expected)
    bare = TableInMemory(pa.table(values))
    with pytest.raises(InputError, match="could be radians"):
        bare.read_positions(0, 2)
    masked = Table({"RA": [1.0, 2], "DEC": [3.0, 4], "N": np.ma.array([1, 2], mask=[True, False])})
    np.testing.assert_array_equal(TableInMemory(masked).read_column("N", 0, 2), [np.nan, 2])
    missing = pa.table({"RA": [1.0, 2], "DEC": [3.0, 4], "N": pa.array([None, 2])})
    np.testing.assert_array_equal(TableInMemory(missing).read_column("N", 0, 2), [np.nan, 2])
    np.testing.assert_array_equal(TableInMemory(missing.to_pandas()).read_column("N", 1, 2), [2])
