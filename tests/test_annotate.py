"""From a catalog to the annotated one: scores on their own rows, all else as it was, and resume."""

import json
import shutil
import socket
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from viewer import Viewer

from catalogs import open_catalog
from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from lsbg_classifier import load_classifier, open_source
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS, find_weights
from pipeline import annotate
from pipeline.journal import Journal, record_dtype
from pipeline.report import ReportOptions, write_report

NAMES = {
    "upper": ["P_LSBG", "FLAGS_LSBG"],
    "lower": ["p_lsbg", "flags_lsbg"],
    "rubin": ["lsbgProbability", "lsbgFlags"],
}
OURS = NAMES["upper"]
NOWHERE = [(np.nan, -40.0), (32.0, np.nan), (np.inf, 0.0), (32.0, 361.0), (32.0, -90.1)]
OUTSIDE = [(212.0, 45.0), (32.0, -41.0), (0.0, 90.0), (-0.1, -40.0), (361.0, 0.0)]


@pytest.fixture(scope="module")
def candidates(survey):
    """The rows of the survey's catalog as they are on disk."""
    return np.array(fits.getdata(survey.candidates))


@pytest.fixture(scope="module")
def positions(candidates):
    return np.stack([candidates["ALPHA_J2000"], candidates["DELTA_J2000"]], axis=1).astype(float)


@pytest.fixture(scope="module")
def expected(survey, positions):
    """Probability and flags, without anything of the pipeline."""
    cutouts, flags = open_source(f"tiles:{survey.tiles}").fetch(positions)
    classifier, unusable = load_classifier(), (flags & NOT_SCORED) != 0
    probability = classifier.predict(cutouts)
    probability[unusable] = np.nan
    flags[classifier.unlike_training(cutouts) & ~unusable] |= Flag.UNLIKE_TRAINING
    assert np.isfinite(probability).sum() > 100 and len(np.unique(probability)) > 100
    return probability, flags


@pytest.fixture(scope="module")
def some(positions):
    """A dozen row numbers from both tiles."""
    return np.random.default_rng(3).permutation(len(positions))[:12]


def write_fits(path, positions):
    positions = np.reshape(np.asarray(positions, float), (-1, 2))
    columns = [
        fits.Column("NUMBER", "J", array=np.arange(len(positions))),
        fits.Column("RA", "D", "deg", array=positions[:, 0]),
        fits.Column("DEC", "D", "deg", array=positions[:, 1]),
    ]
    fits.BinTableHDU.from_columns(columns, name="OBJECTS").writeto(path)
    return path


def write_parquet(path, positions):
    """The same table, NaN as null."""
    positions = np.reshape(np.asarray(positions, float), (-1, 2))
    columns = {
        "NUMBER": np.arange(len(positions), dtype=np.int32),
        "RA": pa.array(positions[:, 0], from_pandas=True),
        "DEC": pa.array(positions[:, 1], from_pandas=True),
    }
    pq.write_table(pa.table(columns), path)
    return path


WRITERS = pytest.mark.parametrize("write", [write_fits, write_parquet])


def scores(path, names=OURS):
    """Probability, NaN for null, and flags of an annotated catalog."""
    if path.read_bytes().startswith(b"PAR1"):
        table = pq.read_table(path, columns=names)
        return [column.to_numpy() for column in table.columns]
    data = fits.getdata(path)
    return [np.array(data[name]) for name in names]


def assert_scores(path, expected, rows=slice(None)):
    for found, wanted in zip(scores(path), expected, strict=True):
        np.testing.assert_array_equal(found, wanted[rows])


@pytest.mark.slow
def test_fits_in_fits_out(survey, candidates, expected, tmp_path):
    annotate(survey.candidates, tmp_path / "out.fits", cutouts=f"tiles:{survey.tiles}")
    assert [path.name for path in tmp_path.iterdir()] == ["out.fits"]
    assert_scores(tmp_path / "out.fits", expected)
    with fits.open(tmp_path / "out.fits") as hdus:
        table, header = hdus["CANDIDATES"].data, hdus["CANDIDATES"].header
        assert table.names == [*candidates.dtype.names, *OURS]
        assert [str(column.format) for column in table.columns[-2:]] == ["E", "I"]
        rows = np.array(table)[list(candidates.dtype.names)]
        assert rows.tolist() == candidates.tolist()
        weights = find_weights(DEFAULT_WEIGHTS).card
        assert header["LSBGWGT"] == weights.name and header["LSBGSHA"] == weights.sha256
        assert header["LSBGSRC"] == f"tiles:{survey.tiles}"
        assert header["SEED"] == 77


def test_parquet_in_parquet_out(survey, candidates, expected, tmp_path):
    native = {
        name: candidates[name].astype(candidates[name].dtype.newbyteorder("="))
        for name in candidates.dtype.names
        if candidates[name].dtype.kind in "iuf"
    }
    pq.write_table(pa.table(native), tmp_path / "in.parquet", row_group_size=50)
    annotate(tmp_path / "in.parquet", tmp_path / "out.parquet", cutouts=f"tiles:{survey.tiles}")
    before, after = pq.read_table(tmp_path / "in.parquet"), pq.read_table(tmp_path / "out.parquet")
    assert after.column_names == [*before.column_names, *OURS]
    assert after.select(before.column_names).equals(before)
    assert after.schema.types[-2:] == [pa.float32(), pa.int16()]
    assert_scores(tmp_path / "out.parquet", expected)
    metadata = after.schema.metadata
    assert metadata[b"lsbg.weights_sha256"].decode() == find_weights(DEFAULT_WEIGHTS).card.sha256
    assert metadata[b"lsbg.source"].decode() == f"tiles:{survey.tiles}"


@WRITERS
@pytest.mark.parametrize("chunk_size", [1, 5, 1000])
def test_any_order_any_chunks_and_duplicates(
    survey, positions, expected, some, tmp_path, write, chunk_size
):
    rows = np.concatenate([some[::-1], some[:5], some[:1]])
    source = write(tmp_path / "in", positions[rows])
    tiles = f"tiles:{survey.tiles}"
    annotate(source, tmp_path / "out", cutouts=tiles, chunk_size=chunk_size)
    assert_scores(tmp_path / "out", expected, rows)


@pytest.mark.slow
def test_worker_processes_give_the_same(survey, expected, tmp_path):
    tiles = f"tiles:{survey.tiles}"
    annotate(survey.candidates, tmp_path / "out.fits", cutouts=tiles, workers=2)
    assert_scores(tmp_path / "out.fits", expected)


@pytest.mark.slow
@pytest.mark.parametrize("chunk_size", [1, 5])
def test_chunks_from_a_server(survey, positions, some, tmp_path, chunk_size):
    source = write_fits(tmp_path / "in", positions[some])
    with Viewer(survey.tiles) as viewer:
        server = {"url": viewer.url, "connections": 4}
        served = open_source("legacysurvey:des-dr1", **server)
        cutouts, flags = served.fetch(positions[some])
        served.close()
        annotate(
            source,
            tmp_path / "out",
            cutouts="legacysurvey:des-dr1",
            source_options=server,
            chunk_size=chunk_size,
        )
    assert not (flags & NOT_SCORED).any()
    assert_scores(tmp_path / "out", (load_classifier().predict(cutouts), flags))


@WRITERS
def test_no_position_or_no_image_is_flagged_and_not_scored(
    survey, positions, expected, some, tmp_path, write
):
    good = positions[some[:4]]
    mixed = [*NOWHERE, *good[:2], *OUTSIDE, *good[2:]]
    source = write(tmp_path / "in", mixed)
    summary = annotate(source, tmp_path / "out", cutouts=f"tiles:{survey.tiles}")
    flags = [
        *[Flag.NO_POSITION] * len(NOWHERE),
        *expected[1][some[:2]],
        *[Flag.NO_COVERAGE] * len(OUTSIDE),
        *expected[1][some[2:4]],
    ]
    probability = np.full(len(mixed), np.nan, np.float32)
    probability[[5, 6, 12, 13]] = expected[0][some[:4]]
    assert_scores(tmp_path / "out", (probability, np.array(flags)))
    assert summary.rows == 14 and summary.scored == 4
    if write is write_parquet:
        written = pq.read_table(tmp_path / "out", columns=OURS)
        assert written[0].null_count == 10 and written[1].null_count == 0


@WRITERS
@pytest.mark.parametrize("positions", [[], NOWHERE], ids=["no-rows", "no-positions"])
def test_nothing_to_score(survey, tmp_path, write, positions):
    source = write(tmp_path / "in", positions)
    told = []
    summary = annotate(
        source,
        tmp_path / "out",
        cutouts=f"tiles:{survey.tiles}",
        progress=lambda *counts: told.append(counts),
    )
    assert summary.rows == len(positions) and summary.scored == 0
    assert told == [(len(positions), len(positions))]
    probability, flags = scores(tmp_path / "out")
    assert np.isnan(probability).all() and len(probability) == len(positions)
    assert (flags == Flag.NO_POSITION).all() and flags.dtype == ">i2"[write is write_parquet :]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


@pytest.mark.slow
@settings(max_examples=8, deadline=None, derandomize=True)
@given(data=st.data())
def test_scores_land_on_their_own_rows(survey, positions, expected, some, tmp_path_factory, data):
    """Any order, any duplicates, some rows without an image, any unit of work."""
    pool = [*positions[some], *NOWHERE[:2], *OUTSIDE[:1]]
    wanted = [
        *zip(expected[0][some], expected[1][some], strict=True),
        *[(np.nan, Flag.NO_POSITION)] * 2,
        (np.nan, Flag.NO_COVERAGE),
    ]
    picks = data.draw(st.lists(st.integers(0, len(pool) - 1), max_size=10))
    write = data.draw(st.sampled_from([write_fits, write_parquet]))
    folder = tmp_path_factory.mktemp("rows")
    source = write(folder / "in", [pool[pick] for pick in picks])
    annotate(
        source,
        folder / "out",
        cutouts=f"tiles:{survey.tiles}",
        chunk_size=data.draw(st.integers(1, 12)),
    )
    rows = np.array([wanted[pick] for pick in picks], [("p", "f4"), ("flags", "i2")])
    assert_scores(folder / "out", (rows["p"], rows["flags"]))


class StoppedError(Exception):
    pass


def stop_after(rows):
    """A progress that stops the run when so many rows are done."""

    def progress(done, total):
        if done >= rows:
            raise StoppedError

    return progress


@pytest.fixture(scope="module")
def stopped_folder(survey, positions, some, tmp_path_factory):
    """What a run leaves that was stopped when its first unit, one tile's, was journaled."""
    folder = tmp_path_factory.mktemp("stopped")
    source = write_fits(folder / "in.fits", positions[some])
    options = {"cutouts": f"tiles:{survey.tiles}", "chunk_size": 1, "progress": stop_after(1)}
    with pytest.raises(StoppedError):
        annotate(source, folder / "out.fits", **options)
    assert sorted(path.name for path in folder.iterdir()) == ["in.fits", "out.fits.journal"]
    return folder


@pytest.fixture
def stopped(stopped_folder, tmp_path):
    """Paths of input and output of a run that was stopped."""
    shutil.copytree(stopped_folder, tmp_path, dirs_exist_ok=True)
    return tmp_path / "in.fits", tmp_path / "out.fits"


def test_resumed_run_gives_the_same_bytes(survey, stopped, tmp_path):
    source, output = stopped
    told = []
    summary = annotate(
        source,
        output,
        cutouts=f"tiles:{survey.tiles}",
        resume=True,
        progress=lambda done, total: told.append(done),
    )
    assert 0 < told[0] < told[-1] == summary.rows == summary.scored == 12
    annotate(source, tmp_path / "undisturbed.fits", cutouts=f"tiles:{survey.tiles}")
    assert output.read_bytes() == (tmp_path / "undisturbed.fits").read_bytes()
    assert not output.with_name("out.fits.journal").exists()


def test_killed_when_the_output_was_there(survey, stopped, tmp_path):
    """Between the output's renaming and the journal's removal; what was left is removed."""
    source, output = stopped
    output.write_bytes(b"from the run that was killed")
    output.with_name(f".{output.name}.123.partial").write_bytes(b"from one before")
    others = [output.with_name(name) for name in (".out.fits.partial", ".b.out.fits.1.partial")]
    for other in others:
        other.touch()
    with pytest.raises(InputError, match="exists already"):
        annotate(source, output, cutouts=f"tiles:{survey.tiles}")
    annotate(source, output, cutouts=f"tiles:{survey.tiles}", resume=True)
    annotate(source, tmp_path / "undisturbed.fits", cutouts=f"tiles:{survey.tiles}")
    assert output.read_bytes() == (tmp_path / "undisturbed.fits").read_bytes()
    assert set(tmp_path.glob(".*")) == set(others)
    with pytest.raises(InputError, match="exists already"):
        annotate(source, output, cutouts=f"tiles:{survey.tiles}", resume=True)


@pytest.mark.parametrize("row", [-1, 12, 1 << 40])
def test_a_journal_of_other_rows_is_refused(survey, stopped, row):
    source, output = stopped
    folder = output.with_name("out.fits.journal")
    identity = json.loads((folder / "job.json").read_text())["job"]
    journal = Journal(folder, identity, record_dtype(), resume=True)
    journal.append(np.array([(row, 0.5, 0)], record_dtype()))
    journal.close()
    with pytest.raises(InputError, match=r"out\.fits\.journal: damaged.*delete the folder"):
        annotate(source, output, cutouts=f"tiles:{survey.tiles}", resume=True)


def test_unfinished_run_is_not_started_again(survey, stopped):
    with pytest.raises(InputError, match=r"out\.fits\.journal.*--resume"):
        annotate(*stopped, cutouts=f"tiles:{survey.tiles}")


def renamed_weights(folder):
    """The default weights under another name, as somebody's own set."""
    found = find_weights(DEFAULT_WEIGHTS)
    card = json.loads(found.path.with_name(f"{DEFAULT_WEIGHTS}.json").read_text())
    (folder / "mine.json").write_text(json.dumps(card | {"name": "mine"}))
    shutil.copy(found.path, folder / "mine.weights.h5")
    return folder / "mine.weights.h5"


@pytest.mark.parametrize("other", ["weights", "source", "source_options", "position", "input"])
def test_resume_of_another_job_is_refused(survey, stopped, tmp_path, other):
    source, output = stopped
    options = {"cutouts": f"tiles:{survey.tiles}"}
    match other:
        case "weights":
            options["weights"] = str(renamed_weights(tmp_path))
        case "source":
            (tmp_path / "elsewhere").symlink_to(survey.tiles)
            options["cutouts"] = f"tiles:{tmp_path / 'elsewhere'}"
        case "source_options":
            options["source_options"] = {"jpeg": True}
        case "position":
            options["position_unit"] = "rad"
        case "input":
            with fits.open(source, mode="update") as hdus:
                hdus[1].data["NUMBER"][0] += 1
    words = {"source_options": "choice of source options;"}.get(other, rf"{other}\b")
    journal = output.with_name("out.fits.journal")
    kept = {path.name: path.read_bytes() for path in journal.iterdir()}
    with pytest.raises(InputError, match=rf"out\.fits\.journal.*another {words}"):
        annotate(source, output, resume=True, **options)
    assert {path.name: path.read_bytes() for path in journal.iterdir()} == kept


@pytest.mark.slow
def test_server_lost_during_a_run_is_asked_again(survey, positions, some, tmp_path):
    source = write_fits(tmp_path / "in.fits", positions[np.tile(some, 4)])
    options = {"cutouts": "legacysurvey:des-dr1", "chunk_size": 3}
    with Viewer(survey.tiles) as viewer:
        options["source_options"] = {"url": viewer.url}
        viewer.faults = lambda number, path: ("status", 404, {}) if number > 10 else None
        with pytest.raises(InputError, match=r"\d+ cutouts in a row.*HTTP 404.*--resume"):
            annotate(source, tmp_path / "out.fits", **options)
        assert not (tmp_path / "out.fits").exists()
        viewer.faults = lambda number, path: None
        summary = annotate(source, tmp_path / "out.fits", resume=True, **options)
        annotate(source, tmp_path / "undisturbed.fits", **options)
    assert summary.scored == 48
    assert (tmp_path / "out.fits").read_bytes() == (tmp_path / "undisturbed.fits").read_bytes()


def test_source_lost_before_anything_was_scored_leaves_nothing(survey, tmp_path):
    tiles = shutil.copytree(survey.tiles, tmp_path / "tiles")
    output, moved = tmp_path / "out.fits", tmp_path / "moved"

    def progress(done, total):
        tiles.rename(moved)

    with pytest.raises(InputError, match="tiles: no such folder"):
        annotate(survey.candidates, output, cutouts=f"tiles:{tiles}", progress=progress)
    assert [path.name for path in tmp_path.iterdir()] == ["moved"]


def test_tiles_that_come_later_are_seen(survey, positions, expected, some, tmp_path):
    """A process that has looked into a folder of tiles looks again for the next run."""
    source, folder = write_fits(tmp_path / "in.fits", positions[some]), tmp_path / "tiles"
    folder.mkdir()
    first, second = sorted({path.name[:12] for path in survey.tiles.glob("DES*")})
    summaries = []
    for tile in (first, second):
        for path in survey.tiles.glob(f"{tile}*"):
            shutil.copy2(path, folder)
        output = tmp_path / f"{tile}.fits"
        summaries.append(annotate(source, output, cutouts=f"tiles:{folder}"))
    assert summaries[0].flags["NO_COVERAGE"] > summaries[1].flags["NO_COVERAGE"] == 0
    assert_scores(output, expected, some)


def test_a_port_that_another_run_has_taken(survey, positions, some, tmp_path):
    with socket.socket() as taken:
        with suppress(OSError):
            taken.bind(("127.0.0.1", 8787))
            taken.listen()
        source = write_fits(tmp_path / "in.fits", positions[some[:1]])
        summary = annotate(source, tmp_path / "out.fits", cutouts=f"tiles:{survey.tiles}")
    assert summary.scored == 1


def test_summary_adds_up(survey, positions, expected, some, tmp_path):
    source = write_fits(tmp_path / "in.fits", [*positions[some], *NOWHERE, *OUTSIDE])
    threshold = float(np.median(expected[0][some]))
    options = {"cutouts": f"tiles:{survey.tiles}", "threshold": threshold}
    summary = annotate(source, tmp_path / "out.fits", **options)
    probability, flags = scores(tmp_path / "out.fits")
    assert (summary.rows, summary.scored, summary.above_threshold) == (22, 12, 6)
    assert (probability > threshold).sum() == 6
    assert summary.flags == {flag.name: ((flags & flag) != 0).sum() for flag in Flag}
    assert (summary.flags["NO_POSITION"], summary.flags["NO_COVERAGE"]) == (5, 5)
    assert 0 < summary.fetch_seconds and 0 < summary.network_seconds < summary.total_seconds * 9
    assert fits.getheader(tmp_path / "out.fits", 1)["LSBGTHR"] == float(f"{threshold:g}")


@pytest.mark.parametrize("style", ["upper", "lower", "rubin"])
def test_style(survey, positions, expected, some, tmp_path, style):
    source = write_parquet(tmp_path / "in", positions[some[:3]])
    annotate(source, tmp_path / "out", cutouts=f"tiles:{survey.tiles}", style=style)
    assert pq.read_schema(tmp_path / "out").names == ["NUMBER", "RA", "DEC", *NAMES[style]]
    np.testing.assert_array_equal(scores(tmp_path / "out", NAMES[style])[0], expected[0][some[:3]])


@WRITERS
def test_columns_of_an_earlier_run(survey, positions, some, tmp_path, write):
    source, once = write(tmp_path / "in", positions[some[:3]]), tmp_path / "once"
    options = {"cutouts": f"tiles:{survey.tiles}"}
    annotate(source, once, **options)
    with pytest.raises(InputError, match=r"once.*P_LSBG.*--overwrite-columns"):
        annotate(once, tmp_path / "twice", **options)
    assert not (tmp_path / "twice").exists()
    annotate(once, tmp_path / "twice", overwrite_columns=True, **options)
    assert (tmp_path / "twice").read_bytes() == once.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"style": "camel"}, "unknown style 'camel'.*upper"),
        ({"style": "camel", "overwrite_columns": True}, "unknown style 'camel'.*upper"),
        ({"threshold": 1.5}, "threshold must be at most 1"),
        ({"chunk_size": 0}, "at least 1"),
        ({"workers": 0}, "at least 1"),
    ],
)
def test_senseless_options_are_refused_at_once(survey, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        annotate(
            survey.candidates, tmp_path / "out.fits", cutouts=f"tiles:{survey.tiles}", **options
        )
    assert not any(tmp_path.iterdir())


BRIGHTER = """
name = "brighter"
pixel_scale = 0.263
zero_point = 30.0
viewer_scale = 0.131
[colour_scales]
grz = [30.0, 17.0, 11.0]
"""


@pytest.mark.slow
def test_cutouts_unlike_the_training_are_scored_and_flagged(survey, expected, tmp_path):
    (tmp_path / "brighter.toml").write_text(BRIGHTER)
    annotate(
        survey.candidates,
        tmp_path / "out.fits",
        cutouts=f"tiles:{survey.tiles}",
        source_options={"survey": str(tmp_path / "brighter.toml")},
        allow_mismatch=True,
    )
    probabilities, flags = scores(tmp_path / "out.fits")
    np.testing.assert_array_equal(np.isfinite(probabilities), np.isfinite(expected[0]))
    unlike = (flags & Flag.UNLIKE_TRAINING) != 0
    assert not unlike[np.isnan(probabilities)].any()
    assert unlike[np.isfinite(probabilities)].mean() > 0.8
    assert ((expected[1] & Flag.UNLIKE_TRAINING) != 0).mean() < 0.1
    said = open_catalog(tmp_path / "out.fits").provenance()["mismatch"]
    assert said.startswith("survey is 'brighter', not 'des'")
    write_report(tmp_path / "out.fits", tmp_path / "page", ReportOptions(heat_maps=0))
    page = (tmp_path / "page" / "index.html").read_text("utf-8")
    assert "The images are not those that the weights were made for (survey is" in page
