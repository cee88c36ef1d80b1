"""Only the rows that a cut keeps are scored; the rest is flagged, and costs nothing."""

import json
import os
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from viewer import Viewer

from catalogs.errors import InputError
from catalogs.flags import Flag
from pipeline import annotate

OURS = ["P_LSBG", "FLAGS_LSBG"]
CUT = "FLUX_RADIUS_G * 0.263 > 3 and MAG_AUTO_G - MAG_AUTO_R < 0.9"


@pytest.fixture(scope="module")
def rows(survey):
    """Forty candidates, of which one has no position."""
    rows = np.array(fits.getdata(survey.candidates))[::3][:40]
    assert len(rows) == 40
    rows["ALPHA_J2000"][6] = np.nan
    return rows


@pytest.fixture(scope="module")
def kept(rows):
    radius, g, r = (
        rows[name].astype(float) for name in ("FLUX_RADIUS_G", "MAG_AUTO_G", "MAG_AUTO_R")
    )
    kept = (radius * 0.263 > 3) & (g - r < 0.9)
    assert 5 < kept.sum() < 35
    return kept


@pytest.fixture(scope="module")
def tiles(survey):
    return f"tiles:{survey.tiles}"


def write_fits(path, rows):
    fits.BinTableHDU(rows, name="CANDIDATES").writeto(path)
    return path


def write_parquet(path, rows):
    columns = {
        name: pa.array(rows[name].astype(rows[name].dtype.newbyteorder("=")), from_pandas=True)
        for name in rows.dtype.names
        if rows[name].dtype.kind in "if"
    }
    pq.write_table(pa.table(columns), path, row_group_size=7)
    return path


WRITERS = {"fits": write_fits, "parquet": write_parquet}


@pytest.fixture(scope="module", params=WRITERS)
def source(request, rows, tmp_path_factory):
    """The same rows in a file of either format."""
    path = tmp_path_factory.mktemp("in") / f"in.{request.param}"
    return WRITERS[request.param](path, rows)


@pytest.fixture(scope="module")
def whole(source, tiles, tmp_path_factory):
    """Probability and flags without a selection."""
    output = tmp_path_factory.mktemp("whole") / f"out{source.suffix}"
    summary = annotate(source, output, cutouts=tiles)
    assert summary.scored > 30 and summary.flags["NOT_SELECTED"] == 0
    return scores(output)


@pytest.fixture
def output(source, tmp_path):
    return tmp_path / f"out{source.suffix}"


def scores(path):
    """Probability, NaN for null, and flags."""
    if path.suffix == ".parquet":
        return [column.to_numpy() for column in pq.read_table(path, columns=OURS).columns]
    data = fits.getdata(path)
    return [np.array(data[name]) for name in OURS]


def provenance(path):
    """What a file says about the selection, None if nothing."""
    if path.suffix == ".parquet":
        said = pq.read_schema(path).metadata.get(b"lsbg.select")
        return said and said.decode()
    return fits.getheader(path, 1).get("LSBGSEL")


def assert_selected(path, whole, kept):
    """The kept rows are as without a selection; the others have no score and one flag."""
    probability, flags = scores(path)
    np.testing.assert_array_equal(probability, np.where(kept, whole[0], np.nan))
    np.testing.assert_array_equal(flags, np.where(kept, whole[1], Flag.NOT_SELECTED))
    if path.suffix == ".parquet":
        written = pq.read_table(path, columns=OURS)
        assert written[1].null_count == 0
        assert written[0].null_count == np.isnan(probability).sum()


@pytest.mark.slow
@pytest.mark.parametrize("chunk_size", [3, 256])
def test_kept_rows_are_scored_as_without_a_selection(
    source, output, tiles, whole, kept, chunk_size
):
    told = []
    summary = annotate(
        source,
        output,
        cutouts=tiles,
        select=CUT,
        chunk_size=chunk_size,
        progress=lambda *counts: told.append(counts),
    )
    assert_selected(output, whole, kept)
    assert summary.rows == 40 and summary.flags["NOT_SELECTED"] == 40 - kept.sum()
    assert summary.scored == np.isfinite(whole[0][kept]).sum()
    assert told[-1] == (kept.sum(), kept.sum())
    assert provenance(output) == CUT


@pytest.mark.slow
def test_all_else_is_as_it_was(source, output, tiles):
    annotate(source, output, cutouts=tiles, select=CUT)
    if source.suffix == ".parquet":
        before, after = pq.read_table(source), pq.read_table(output)
        assert after.column_names == [*before.column_names, *OURS]
        assert after.select(before.column_names).equals(before)
    else:
        before, after = fits.getdata(source), fits.getdata(output)
        assert after.names == [*before.names, *OURS]
        assert all(before[name].tobytes() == after[name].tobytes() for name in before.names)


@pytest.mark.slow
def test_a_row_that_is_not_kept_has_that_flag_alone(source, output, tiles):
    """Although one of them has no position, which nobody looked at."""
    annotate(source, output, cutouts=tiles, select="isnan(ALPHA_J2000)")
    flags = scores(output)[1]
    assert flags[6] == Flag.NO_POSITION
    assert (np.delete(flags, 6) == Flag.NOT_SELECTED).all()
    other = output.with_stem("other")
    annotate(source, other, cutouts=tiles, select="not isnan(ALPHA_J2000)")
    flags = scores(other)[1]
    assert flags[6] == Flag.NOT_SELECTED and not (np.delete(flags, 6) & Flag.NOT_SELECTED).any()


@pytest.mark.slow
def test_everything_selected(source, output, tiles, whole):
    annotate(source, output, cutouts=tiles, select="FLUX_RADIUS_G > 0")
    assert_selected(output, whole, np.ones(40, bool))


@pytest.mark.slow
def test_nothing_selected(source, output, tiles, whole):
    told = []
    summary = annotate(
        source,
        output,
        cutouts=tiles,
        select="FLUX_RADIUS_G < 0",
        progress=lambda *counts: told.append(counts),
    )
    assert_selected(output, whole, np.zeros(40, bool))
    assert told == [(0, 0)] and summary.scored == 0
    assert any("the selection kept no row" in line for line in summary.lines())


def test_no_rows(source, output, tiles, rows, tmp_path):
    empty = WRITERS[source.suffix[1:]](tmp_path / f"empty{source.suffix}", rows[:0])
    summary = annotate(empty, output, cutouts=tiles, select=CUT)
    assert summary.rows == 0 and len(scores(output)[0]) == 0


@pytest.mark.slow
def test_a_file_of_conditions(source, output, tiles, whole, kept, tmp_path):
    cut = tmp_path / "cut.txt"
    cut.write_text("# mine\nflux_radius_g * 0.263 > 3\nmag_auto_g - mag_auto_r < 0.9 # colour\n")
    annotate(source, output, cutouts=tiles, select=str(cut))
    assert_selected(output, whole, kept)
    said = provenance(output)
    assert said == "(flux_radius_g * 0.263 > 3) and (mag_auto_g - mag_auto_r < 0.9)"
    again = output.with_stem("again")
    annotate(source, again, cutouts=tiles, select=said)
    assert again.read_bytes() == output.read_bytes()


@pytest.mark.slow
def test_a_long_selection_is_written_down_whole(source, output, tiles, tmp_path):
    cut = tmp_path / "cut.txt"
    lines = [
        f"(FLUX_RADIUS_G > {-n}) & (MAG_AUTO_G < {100 + n}) & ~(B_IMAGE < 0)" for n in range(60)
    ]
    cut.write_text("\n".join(lines))
    annotate(source, output, cutouts=tiles, select=str(cut))
    assert provenance(output) == " and ".join(f"({line})" for line in lines)


@pytest.mark.slow
def test_the_selection_of_an_earlier_run_is_forgotten(source, output, tiles, whole):
    annotate(source, output, cutouts=tiles, select=CUT)
    again = output.with_stem("again")
    annotate(output, again, cutouts=tiles, overwrite_columns=True)
    assert provenance(again) is None
    np.testing.assert_array_equal(scores(again)[0], whole[0])


@pytest.mark.long
def test_only_kept_rows_are_fetched(survey, source, output, kept, rows):
    with Viewer(survey.tiles) as viewer:
        annotate(
            source,
            output,
            cutouts="legacysurvey:des-dr1",
            source_options={"url": viewer.url, "connections": 4},
            select=CUT,
        )
        asked = [parse_qs(urlsplit(path).query) for path in viewer.requests]
    wanted = rows[kept & np.isfinite(rows["ALPHA_J2000"])]
    assert sorted(query["ra"][0] for query in asked) == sorted(
        f"{ra:.7f}" for ra in wanted["ALPHA_J2000"]
    )


class StoppedError(Exception):
    pass


@pytest.fixture
def stopped(source, output, tiles):
    """A run with a selection that was stopped when its first unit was journaled."""

    def stop(done, total):
        if done > 1:
            raise StoppedError

    options = {"cutouts": tiles, "chunk_size": 1, "select": CUT}
    with pytest.raises(StoppedError):
        annotate(source, output, progress=stop, **options)
    journal = output.with_name(f"{output.name}.journal")
    assert json.loads((journal / "job.json").read_text())["job"]["select"] == CUT
    return options


@pytest.mark.slow
def test_a_stopped_run_goes_on(source, output, stopped, tiles, whole, kept):
    told = []
    annotate(source, output, resume=True, progress=lambda *c: told.append(c), **stopped)
    assert 1 < told[0][0] < told[-1][0] == kept.sum()
    assert_selected(output, whole, kept)
    undisturbed = output.with_stem("undisturbed")
    annotate(source, undisturbed, cutouts=tiles, select=CUT)
    assert output.read_bytes() == undisturbed.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("other", [None, "FLUX_RADIUS_G * 0.263 > 3"])
def test_not_with_another_selection(source, output, stopped, other):
    with pytest.raises(InputError, match="belongs to a run with another select"):
        annotate(source, output, resume=True, **(stopped | {"select": other}))


@pytest.mark.parametrize(
    ("select", "message"),
    [
        (
            "FLUX_RADIUS > 3",
            "no column 'FLUX_RADIUS', which --select needs; there are FLUX_RADIUS_",
        ),
        ("des", "no column 'SPREAD_MODEL_I', which --select needs"),
        ("FLUX_RADIUS_G = 3", "--select, at '= 3' (character 15): not part of an expression"),
        ("cuts.txt", "nor is it a file, or one of des, hsc"),
        ("__import__('os')", "--select, at \"__import__('os')\" (character 1): not a function"),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["run", "dry-run"])
def test_a_cut_that_makes_no_sense_is_one_line(lsbg, source, output, tiles, select, message, dry):
    code, said, errors = lsbg(
        "classify", source, output, "--cutouts", tiles, "--select", select, *dry
    )
    assert code == 1 and said == ""
    assert errors.startswith("lsbg: ") and errors.count("\n") == 1 and message in errors
    assert os.listdir(output.parent) == []


@pytest.mark.slow
def test_the_command(lsbg, source, output, tiles, whole, kept):
    arguments = ("classify", source, output, "--cutouts", tiles, "--select", CUT)
    code, said, errors = lsbg(*arguments, "--dry-run")
    assert code == 0 and errors == "" and not output.exists()
    assert f"selected: {kept.sum()} rows, by {CUT}\n" in said
    code, said, errors = lsbg(*arguments)
    assert code == 0 and f" candidates: {kept.sum()} of {kept.sum()}" in errors
    assert f"  NOT_SELECTED: {40 - kept.sum()}\n" in said
    assert_selected(output, whole, kept)


@pytest.mark.long
@pytest.mark.slow
def test_worker_processes_give_the_same(source, output, tiles, whole, kept):
    annotate(source, output, cutouts=tiles, select=CUT, workers=2, chunk_size=3)
    assert_selected(output, whole, kept)


@pytest.mark.slow
def test_more_rows_than_are_read_at_a_time(tiles, rows, whole, source, output, tmp_path):
    """Kept rows on both sides of the blocks in which a catalog is read and written."""
    if source.suffix == ".fits":
        many = np.zeros(140_000, rows.dtype)
    else:
        many = np.zeros(140_000, rows.dtype.newbyteorder("="))
    at = np.array([0, 65_535, 65_536, 131_071, 131_072, 139_999])
    picks = np.flatnonzero(np.isfinite(whole[0]))[: len(at)]
    for name in many.dtype.names:
        many[name][at] = rows[name][picks]
    big = tmp_path / f"big{source.suffix}"
    if source.suffix == ".fits":
        write_fits(big, many)
    else:
        names = [name for name in many.dtype.names if many[name].dtype.kind in "if"]
        pq.write_table(pa.table({name: many[name] for name in names}), big, row_group_size=50_000)
    annotate(big, output, cutouts=tiles, select="FLUX_RADIUS_G > 0")
    probability, flags = scores(output)
    np.testing.assert_array_equal(probability[at], whole[0][picks])
    np.testing.assert_array_equal(flags[at], whole[1][picks])
    others = np.delete(np.arange(len(many)), at)
    assert np.isnan(probability[others]).all() and (flags[others] == Flag.NOT_SELECTED).all()
