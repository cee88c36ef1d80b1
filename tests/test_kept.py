"""--keep-cutouts: the cutouts of a run beside its output, whole or not at all, quick to read."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from lsbg_classifier import CutoutSource, open_source
from lsbg_classifier.cutouts import kept_files as layout
from lsbg_classifier.cutouts.kept import KeptCutouts, KeptSource, open_kept
from lsbg_classifier.surveys import survey_named
from pipeline import annotate

LSBG = Path(sys.executable).with_name("lsbg")
PATIENCE = 120


@pytest.fixture(scope="module")
def positions(survey):
    """Two dozen candidates of both tiles, one twice, and two that have no image."""
    table = Table.read(survey.candidates)
    found = np.stack([table["ALPHA_J2000"], table["DELTA_J2000"]], axis=1).astype(float)
    chosen = found[np.random.default_rng(3).permutation(len(found))[:22]]
    return np.concatenate([chosen, chosen[:1], [[212.0, 45.0], [np.nan, -40.0]]])


@pytest.fixture(scope="module")
def catalog(positions, tmp_path_factory):
    path = tmp_path_factory.mktemp("catalog") / "in.fits"
    Table({"RA": positions[:, 0], "DEC": positions[:, 1]}).write(path)
    return path


@pytest.fixture(scope="module")
def options(survey):
    return {"cutouts": f"tiles:{survey.tiles}", "chunk_size": 1}


@pytest.fixture(scope="module")
def made(catalog, options, tmp_path_factory):
    """An output with its cutouts, left alone by all tests."""
    output = tmp_path_factory.mktemp("made") / "out.fits"
    annotate(catalog, output, keep_cutouts=True, **options)
    return output


@pytest.fixture
def output(made, tmp_path):
    """A copy of them."""
    shutil.copytree(made.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / made.name


def content(folder):
    """All kept cutouts by row."""
    kept = KeptCutouts(folder)
    return dict(zip(kept.rows.tolist(), map(bytes, kept.read(kept.rows)[0]), strict=True))


class StoppedError(Exception):
    pass


@pytest.mark.slow
def test_they_are_those_of_the_source(made, positions, options, tmp_path, catalog):
    kept, rows = open_kept(made, row_count=len(positions)), np.arange(len(positions))
    expected, flags = open_source(options["cutouts"]).fetch(positions[:-1])
    usable = np.append((flags & NOT_SCORED) == 0, False)
    cutouts, have = kept.read(rows)
    np.testing.assert_array_equal(have, usable)
    assert len(kept) == usable.sum() == 23
    np.testing.assert_array_equal(cutouts[have], expected[usable[:-1]])
    assert not cutouts[~have].any()
    assert kept.imaging == open_source(options["cutouts"]).imaging
    order = np.array([5, 3, 5, 999, -1, 0])
    again, have = kept.read(order)
    assert have.tolist() == [True, True, True, False, False, True]
    np.testing.assert_array_equal(again[have], cutouts[order[have]])
    annotate(catalog, tmp_path / "out.fits", **options)
    assert (tmp_path / "out.fits").read_bytes() == made.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["out.fits"]


def test_any_reader_of_parquet_opens_them(made):
    table = pq.read_table(f"{made}.cutouts")
    assert table.column_names == ["row", "ra", "dec", "flags", "cutout"]
    first = table.slice(0, 1).to_pylist()[0]
    image = np.frombuffer(first["cutout"], np.uint8).reshape(64, 64, 3)
    np.testing.assert_array_equal(image, open_kept(made).read([first["row"]])[0][0])


def test_as_a_source_they_give_the_same_scores(made, catalog, positions, tmp_path):
    source = KeptSource(made)
    assert isinstance(source, CutoutSource) and source.group(positions) is None
    cutouts, flags = source.fetch(np.array([[212.0, 45.0], positions[0] + 0.2 / 3600]))
    assert flags.tolist()[0] == Flag.NO_COVERAGE and not cutouts[0].any()
    np.testing.assert_array_equal(cutouts[1], open_kept(made).read([0])[0][0])
    annotate(catalog, tmp_path / "again.fits", cutouts=f"kept:{made}")
    first, again = fits.getdata(made), fits.getdata(tmp_path / "again.fits")
    for name in ("P_LSBG", "FLAGS_LSBG"):
        np.testing.assert_array_equal(first[name], again[name])


def test_a_source_without_cutouts_says_what_to_do(catalog, made):
    with pytest.raises(InputError, match=r"in\.fits: no cutouts were kept .* --keep-cutouts"):
        open_source(f"kept:{catalog}")
    with pytest.raises(InputError, match="takes no option bands"):
        open_source(f"kept:{made}", bands="gri")
    assert open_kept(catalog) is None
    with pytest.raises(InputError, match="a catalog with 25 rows, not 3"):
        open_kept(made, row_count=3)


@pytest.mark.long
@pytest.mark.slow
def test_worker_processes_send_them_back(made, catalog, options, tmp_path):
    annotate(catalog, tmp_path / "out.fits", keep_cutouts=True, workers=2, **options)
    assert (tmp_path / "out.fits").read_bytes() == made.read_bytes()
    assert content(tmp_path / "out.fits.cutouts") == content(f"{made}.cutouts")


@pytest.fixture
def stopped(catalog, options, tmp_path):
    """A run that was stopped when its first unit was journaled."""

    def stop(done, total):
        if done > 5:
            raise StoppedError

    output = tmp_path / "out.fits"
    with pytest.raises(StoppedError):
        annotate(catalog, output, keep_cutouts=True, progress=stop, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["out.fits.journal"]
    return output


@pytest.mark.slow
def test_a_resumed_run_keeps_what_it_had(stopped, made, catalog, options):
    staged = stopped.with_name("out.fits.journal") / "cutouts"
    first = layout.part_path(staged, 0).read_bytes()
    (staged / ".part-000009.parquet.77.partial").write_bytes(b"cut short")
    # What a kill leaves between a unit's cutouts and its line in the journal.
    later = sorted({*range(23)} - {*layout.part_rows(layout.part_path(staged, 0)).tolist()})
    path, images = layout.part_path(staged, 7), np.ones((len(later), 64, 64, 3), np.uint8)
    layout.write_part(path, later, np.zeros((len(later), 2)), np.zeros(len(later)), images)
    annotate(catalog, stopped, keep_cutouts=True, resume=True, **options)
    assert stopped.read_bytes() == made.read_bytes()
    assert content(f"{stopped}.cutouts") == content(f"{made}.cutouts")
    assert layout.part_path(Path(f"{stopped}.cutouts"), 0).read_bytes() == first
    assert sorted(path.name for path in stopped.parent.iterdir()) == [
        "out.fits",
        "out.fits.cutouts",
    ]


@pytest.mark.slow
def test_the_choice_stands_for_the_whole_run(stopped, catalog, options):
    with pytest.raises(InputError, match="belongs to a run with another choice of --keep-cutouts"):
        annotate(catalog, stopped, resume=True, **options)


@pytest.mark.slow
def test_a_run_begun_without_is_not_resumed_with(catalog, options, tmp_path):
    def stop(done, total):
        if done > 5:
            raise StoppedError

    with pytest.raises(StoppedError):
        annotate(catalog, tmp_path / "out.fits", progress=stop, **options)
    with pytest.raises(InputError, match="another choice of --keep-cutouts"):
        annotate(catalog, tmp_path / "out.fits", resume=True, keep_cutouts=True, **options)


@pytest.mark.slow
def test_lost_cutouts_of_a_stopped_run(stopped, catalog, options):
    shutil.rmtree(stopped.with_name("out.fits.journal") / "cutouts")
    with pytest.raises(InputError, match=r"0 cutouts, but \d+ are done; delete the folder"):
        annotate(catalog, stopped, keep_cutouts=True, resume=True, **options)


@pytest.mark.slow
@pytest.mark.parametrize("cutouts_were_in_place", [True, False])
def test_killed_around_the_last_renaming(made, catalog, options, tmp_path, cutouts_were_in_place):
    """The journal and its cutouts are there still when the output has its name."""
    output, journal = tmp_path / "out.fits", tmp_path / "out.fits.journal"

    def copy(done, total):
        if done == total:
            shutil.copytree(journal, tmp_path / "copy")

    annotate(catalog, output, keep_cutouts=True, progress=copy, **options)
    os.replace(tmp_path / "copy", journal)
    shutil.rmtree(journal / "cutouts" if cutouts_were_in_place else f"{output}.cutouts")
    with pytest.raises(InputError, match="exists already"):
        annotate(catalog, output, keep_cutouts=True, **options)
    annotate(catalog, output, keep_cutouts=True, resume=True, **options)
    assert output.read_bytes() == made.read_bytes()
    assert content(f"{output}.cutouts") == content(f"{made}.cutouts")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.fits", "out.fits.cutouts"]


def test_nothing_is_left_of_a_run_that_did_nothing(catalog, options, tmp_path):
    def stop(done, total):
        raise StoppedError

    with pytest.raises(StoppedError):
        annotate(catalog, tmp_path / "out.fits", keep_cutouts=True, progress=stop, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_new_output_takes_the_old_ones_cutouts_away(output, catalog, options):
    with pytest.raises(InputError, match="add --overwrite"):
        annotate(catalog, output, **options)
    output.unlink()
    with pytest.raises(
        InputError, match=r"out\.fits\.cutouts: cutouts of an earlier output; add --o"
    ):
        annotate(catalog, output, **options)
    annotate(catalog, output, overwrite=True, select="RA < 32.05", keep_cutouts=True, **options)
    kept = open_kept(output)
    expected = np.flatnonzero(np.isfinite(fits.getdata(output)["P_LSBG"]))
    assert 0 < len(kept) < 23 and kept.rows.tolist() == expected.tolist()
    annotate(catalog, output, overwrite=True, **options)
    assert open_kept(output) is None
    assert [path.name for path in output.parent.iterdir()] == ["out.fits"]


@pytest.mark.slow
def test_scored_again_in_place(output, catalog, options):
    """The cutouts that are read are not lost with the output that they came with."""
    before, scores = content(f"{output}.cutouts"), fits.getdata(output)["P_LSBG"].copy()
    again = {"cutouts": f"kept:{output}", "overwrite": True, "weights": "des-simulated"}
    with pytest.raises(InputError, match=r"would be removed .* add --keep-cutouts"):
        annotate(catalog, output, **again)
    annotate(catalog, output, keep_cutouts=True, **again)
    assert content(f"{output}.cutouts") == before
    rescored = fits.getdata(output)["P_LSBG"]
    assert np.isfinite(rescored).sum() == 23 and not np.array_equal(rescored, scores)


def test_a_failed_overwrite_leaves_both(output, catalog, options):
    before = content(f"{output}.cutouts")

    def stop(done, total):
        raise StoppedError

    with pytest.raises(StoppedError):
        annotate(catalog, output, overwrite=True, keep_cutouts=True, progress=stop, **options)
    assert content(f"{output}.cutouts") == before
    assert open_kept(output) is not None


@pytest.mark.slow
def test_other_things_are_not_replaced(catalog, options, tmp_path):
    (tmp_path / "out.fits.cutouts").mkdir()
    (tmp_path / "out.fits.cutouts" / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"out\.fits\.cutouts: no kept cutouts, so not replaced"):
        annotate(catalog, tmp_path / "out.fits", keep_cutouts=True, overwrite=True, **options)
    annotate(catalog, tmp_path / "out.fits", **options)
    assert (tmp_path / "out.fits.cutouts" / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("part-000000.parquet", lambda whole: whole[:-100]),
        ("part-000000.parquet", lambda whole: b"not Parquet"),
        ("_index.npy", lambda whole: whole[:40]),
        ("_index.npy", lambda whole: b""),
        ("_manifest.json", lambda whole: b"[]"),
        ("_manifest.json", lambda whole: whole.replace(b'"version": 1', b'"version": 9')),
        ("_manifest.json", lambda whole: whole.replace(b"imaging", b"image")),
    ],
)
def test_damage_is_one_line(output, name, damage):
    path = Path(f"{output}.cutouts") / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"out\.fits\.cutouts") as error:
        kept = open_kept(output)
        kept.read(kept.rows)
    assert "\n" not in str(error.value)


def test_a_missing_part_is_one_line(output):
    layout.part_path(Path(f"{output}.cutouts"), 0).unlink()
    kept = open_kept(output)
    with pytest.raises(InputError, match=r"part-000000\.parquet: damaged"):
        kept.read(kept.rows)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """20,000 cutouts, noise, in files of 256."""
    folder = tmp_path_factory.mktemp("many") / "many.fits.cutouts"
    folder.mkdir()
    rng = np.random.default_rng(1)
    images = rng.integers(20, 60, (256, 64, 64, 3), np.uint8)
    for number, start in enumerate(range(0, 20_000, 256)):
        rows = np.arange(start, min(start + 256, 20_000))
        images[:, 0, 0, 0] = np.arange(256)
        positions = np.stack([rows * 1e-3, rows * 0.0], axis=1)
        path = layout.part_path(folder, number)
        layout.write_part(path, rows, positions, np.zeros(len(rows)), images[: len(rows)])
    layout.KeptManifest("tiles:x", survey_named("des").imaging(), 20_000).write(folder)
    layout.write_index(folder)
    return folder


@pytest.mark.slow
def test_a_hundred_of_many_come_quickly(many):
    rows = np.random.default_rng(2).choice(20_000, 100, replace=False)
    start = time.process_time()
    cutouts, have = KeptCutouts(many).read(rows)
    assert time.process_time() - start < 2
    assert have.all() and (cutouts[:, 0, 0, 0] == rows % 256).all()
    start = time.process_time()
    cutouts, flags = KeptCutouts(many).fetch(np.stack([rows * 1e-3, rows * 0.0], axis=1))
    assert time.process_time() - start < 2
    assert (cutouts[:, 0, 0, 0] == rows % 256).all() and not flags.any()


def wait_until(condition, process):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.long
@pytest.mark.slow
def test_killed_with_the_command_and_resumed(survey, catalog, made, options, tmp_path):
    """A real process that writes to a log is killed when it has done something."""
    output, log = tmp_path / "out.fits", tmp_path / "log"
    command = [LSBG, "classify", catalog, output, "--keep-cutouts", "--resume"]
    command += ["--cutouts", options["cutouts"], "--chunk-size", "1"]
    results = tmp_path / "out.fits.journal" / "results.log"
    with open(log, "wb") as errors:
        process = subprocess.Popen(command, stdout=errors, stderr=errors)
        wait_until(lambda: results.exists() and results.stat().st_size, process)
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
        done = subprocess.run(command, stdout=errors, stderr=errors, timeout=PATIENCE)
    said = log.read_bytes()
    assert done.returncode == 0, said
    assert not {*range(32)} - {10} & {*said}
    assert b"candidates: " in said and b"wrote" in said
    assert output.read_bytes() == made.read_bytes()
    assert content(f"{output}.cutouts") == content(f"{made}.cutouts")
    assert json.loads((Path(f"{output}.cutouts") / "_manifest.json").read_text())["row_count"] == 25
