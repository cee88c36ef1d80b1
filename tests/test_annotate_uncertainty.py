"""The spread of the probability is a third column: the same bits whoever computes it, and when."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED
from lsbg_classifier import load_classifier, open_source
from pipeline import annotate

UPPER = ["P_LSBG", "P_LSBG_ERR", "FLAGS_LSBG"]
ROWS = 14


@pytest.fixture(scope="module")
def positions(survey):
    """Candidates of both tiles, one without a position and one outside all tiles."""
    data = np.array(fits.getdata(survey.candidates))
    chosen = np.random.default_rng(4).permutation(len(data))[:ROWS]
    positions = np.stack([data["ALPHA_J2000"], data["DELTA_J2000"]], axis=1)[chosen].astype(float)
    positions[3], positions[9] = np.nan, (212.0, 45.0)
    return positions


@pytest.fixture(scope="module")
def expected(survey, positions):
    """Probability, spread and flags of each row, without anything of the pipeline."""
    source, classifier = open_source(f"tiles:{survey.tiles}"), load_classifier()
    cutouts, flags = source.fetch(positions)
    usable = np.flatnonzero(flags & NOT_SCORED == 0)
    assert len(usable) == ROWS - 2
    probability, spread = np.full((2, ROWS), np.nan, np.float32)
    probability[usable] = classifier.predict(cutouts[usable])
    spread[usable] = classifier.spread(cutouts[usable], usable)
    assert len(np.unique(spread[usable])) > 5
    return probability, spread, flags


@pytest.fixture(scope="module")
def folder(positions, tmp_path_factory):
    """The same positions in four formats."""
    folder = tmp_path_factory.mktemp("uncertainty")
    columns = {"NUMBER": np.arange(ROWS), "RA": positions[:, 0], "DEC": positions[:, 1]}
    table = Table(columns, units={"RA": "deg", "DEC": "deg"})
    table.write(folder / "in.fits")
    table.write(folder / "in.ecsv")
    table.write(folder / "in.vot", format="votable")
    pq.write_table(pa.table(columns), folder / "in.parquet")
    return folder


def scores(path):
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        assert table.column_names[-3:] == UPPER
        return [table[name].to_numpy() for name in UPPER]
    table = Table.read(path)
    assert table.colnames[-3:] == UPPER
    return [np.ma.filled(table[n].astype(float), np.nan).astype("f4") for n in UPPER]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["fits", "parquet", "vot", "ecsv"])
def test_the_spread_is_the_classifiers_in_every_format(survey, folder, expected, suffix, tmp_path):
    output = tmp_path / f"out.{suffix}"
    annotate(folder / f"in.{suffix}", output, cutouts=f"tiles:{survey.tiles}", uncertainty=True)
    for column, wanted in zip(scores(output)[:2], expected[:2], strict=True):
        np.testing.assert_array_equal(column, wanted)
    if suffix == "parquet":
        table = pq.read_table(output)
        assert table["P_LSBG_ERR"].null_count == 2 and table["FLAGS_LSBG"].null_count == 0
        notes = table.schema.field("P_LSBG_ERR").metadata
        assert notes[b"ucd"] == b"stat.stdev;stat.probability"
    if suffix == "fits":
        columns = fits.getheader(output, 1)
        assert columns["TFORM5"] == "E" and columns["TUCD5"] == "stat.stdev;stat.probability"


@pytest.mark.long
@pytest.mark.parametrize("options", [{"chunk_size": 1}, {"workers": 2, "chunk_size": 3}])
def test_units_and_workers_change_no_byte(survey, folder, options, tmp_path):
    cutouts = f"tiles:{survey.tiles}"
    for name, how in (("plain.fits", {}), ("other.fits", options)):
        annotate(folder / "in.fits", tmp_path / name, cutouts=cutouts, uncertainty=True, **how)
    assert (tmp_path / "plain.fits").read_bytes() == (tmp_path / "other.fits").read_bytes()


@pytest.mark.slow
def test_the_other_columns_are_those_of_a_run_without(survey, folder, tmp_path):
    cutouts = f"tiles:{survey.tiles}"
    annotate(folder / "in.fits", tmp_path / "with.fits", cutouts=cutouts, uncertainty=True)
    annotate(folder / "in.fits", tmp_path / "without.fits", cutouts=cutouts)
    with_spread, without = (fits.getdata(tmp_path / name) for name in ("with.fits", "without.fits"))
    assert [name for name in with_spread.names if name != "P_LSBG_ERR"] == without.names
    for name in without.names:
        assert with_spread[name].tobytes() == without[name].tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("first", [True, False])
def test_a_run_is_not_resumed_with_the_other_choice(survey, folder, first, tmp_path):
    def stop(done, total):
        if done > 2:
            raise KeyboardInterrupt

    options = {"cutouts": f"tiles:{survey.tiles}", "chunk_size": 1}
    output = tmp_path / "out.fits"
    with pytest.raises(KeyboardInterrupt):
        annotate(folder / "in.fits", output, uncertainty=first, progress=stop, **options)
    with pytest.raises(InputError, match="another choice of columns;"):
        annotate(folder / "in.fits", output, uncertainty=not first, resume=True, **options)
    annotate(folder / "in.fits", output, uncertainty=first, resume=True, **options)
    annotate(folder / "in.fits", tmp_path / "whole.fits", uncertainty=first, **options)
    assert output.read_bytes() == (tmp_path / "whole.fits").read_bytes()


@pytest.mark.slow
def test_an_old_spread_goes_with_the_old_probability(survey, folder, tmp_path):
    cutouts = f"tiles:{survey.tiles}"
    annotate(folder / "in.fits", tmp_path / "old.fits", cutouts=cutouts, uncertainty=True)
    with pytest.raises(InputError, match="already has the column P_LSBG"):
        annotate(tmp_path / "old.fits", tmp_path / "new.fits", cutouts=cutouts)
    annotate(tmp_path / "old.fits", tmp_path / "new.fits", cutouts=cutouts, overwrite_columns=True)
    names = fits.getdata(tmp_path / "new.fits").names
    assert names == ["NUMBER", "RA", "DEC", "P_LSBG", "FLAGS_LSBG"]


@pytest.mark.slow
def test_the_selection_leaves_the_spread_empty(survey, folder, expected, tmp_path):
    annotate(
        folder / "in.fits",
        tmp_path / "out.fits",
        cutouts=f"tiles:{survey.tiles}",
        uncertainty=True,
        select="NUMBER > 6",
    )
    spread = scores(tmp_path / "out.fits")[1]
    assert np.isnan(spread[:7]).all()
    np.testing.assert_array_equal(spread[7:], expected[1][7:])


def test_the_command_names_the_third_column(survey, folder, lsbg, tmp_path):
    arguments = (folder / "in.fits", tmp_path / "o.fits", "--cutouts", f"tiles:{survey.tiles}")
    code, out, _ = lsbg("classify", *arguments, "--uncertainty", "--dry-run")
    assert code == 0 and "with P_LSBG, P_LSBG_ERR and FLAGS_LSBG" in out
