"""Folders of tables: their files are read, planned and written one by one, wherever."""

import json
import os
import shutil
from contextlib import ExitStack

import numpy as np
import pytest
from astropy.io import fits
from distributed import Client
from folders import KINDS, contents, write_folder
from test_cluster import running_scheduler, running_worker, wait_for_workers

from catalogs import open_catalog
from catalogs.errors import InputError
from catalogs.partitions import partitions_of
from catalogs.sky_extent import SkyExtent
from pipeline import annotate
from pipeline.journal import Journal, record_dtype
from pipeline.partitions import recorder as recorders
from pipeline.partitions import survey as surveys
from pipeline.partitions.records import PartRecord, WrittenParts
from pipeline.partitions.survey import portions
from pipeline.partitions.tasks import PartFacts

SAME = ["parquet", "fits", pytest.param("hats", marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def table(survey):
    """Every second candidate of the survey; one has no position, one lies outside the tiles."""
    table = np.array(fits.getdata(survey.candidates))[::2]
    table["ALPHA_J2000"][3] = np.nan
    table["DELTA_J2000"][5] += 1
    return table


@pytest.fixture(scope="module")
def folders(table, tmp_path_factory):
    """A folder of each kind, and what threads make of it."""
    base, made = tmp_path_factory.mktemp("folders"), {}

    def folder(kind):
        if kind not in made:
            if kind == "hats":
                pytest.importorskip("lsdb", reason="the extra hats is not installed")
            rows = table[np.isfinite(table["ALPHA_J2000"])] if kind == "hats" else table
            made[kind] = write_folder(kind, base / kind, rows, 5)
        return made[kind]

    return folder


@pytest.fixture(scope="module")
def threads(folders, survey):
    """What threads make of a folder of a kind."""
    made = {}

    def output(kind):
        if kind not in made:
            made[kind] = folders(kind).with_name(f"{kind}-threads")
            annotate(folders(kind), made[kind], cutouts=f"tiles:{survey.tiles}")
        return made[kind]

    return output


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The address of a scheduler with two workers in folders of their own."""
    folder = tmp_path_factory.mktemp("dask")
    with ExitStack() as processes:
        address, _ = processes.enter_context(running_scheduler(folder))
        for name in ("first", "second"):
            processes.enter_context(running_worker(folder / name, address))
        wait_for_workers(address, 2)
        yield address


# --- Who does the work changes no byte ---


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["parquet", "fits"])
def test_each_file_is_what_it_would_be_alone(folders, threads, survey, tmp_path, kind):
    folder, output = folders(kind), threads(kind)
    name = f"part1.{kind}"
    annotate(folder / name, tmp_path / name, cutouts=f"tiles:{survey.tiles}")
    assert (output / name).read_bytes() == (tmp_path / name).read_bytes()
    assert contents(output).keys() == contents(folder).keys()
    assert (output / "README").read_text() == "about"
    assert not list(output.parent.glob("*.journal"))


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_workers_and_a_scheduler_give_the_bytes_of_threads(
    folders, threads, scheduler, survey, tmp_path, monkeypatch, kind
):
    """Workers run in other folders: what is relative here must be found there."""
    folder = folders(kind)
    monkeypatch.chdir(folder.parent)
    cutouts = f"tiles:{survey.tiles}"
    summary = annotate(kind, tmp_path / "workers", cutouts=cutouts, workers=2)
    assert summary.scored > 30 and not any("does not see" in line for line in summary.remarks)
    assert contents(tmp_path / "workers") == contents(threads(kind))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder, tmp_path / "in")
    annotate("in", "remote", cutouts=f"tiles:{os.path.relpath(survey.tiles)}", scheduler=scheduler)
    annotate("in", "here", cutouts=f"tiles:{os.path.relpath(survey.tiles)}")
    assert contents(tmp_path / "remote") == contents(tmp_path / "here")


@pytest.mark.long
@pytest.mark.slow
def test_a_selection_a_votable_and_chosen_rows_through_workers(
    folders, scheduler, survey, tmp_path
):
    options = {
        "cutouts": f"tiles:{survey.tiles}",
        "select": "ALPHA_J2000 * 10000 % 2 < 1",
        "vo_metadata": True,
        "only": "P_LSBG > 0.5",
    }
    one = annotate(folders("parquet"), tmp_path / "a", scheduler=scheduler, **options)
    other = annotate(folders("parquet"), tmp_path / "b", **options)
    assert 0 < one.flags["NOT_SELECTED"] < one.rows and one.flags == other.flags
    assert (one.rows, one.scored, one.chosen) == (other.rows, other.scored, other.chosen)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a_only") == contents(tmp_path / "b_only")


@pytest.mark.slow
def test_workers_that_do_not_see_the_files(folders, threads, scheduler, survey, tmp_path):
    """They score; the command reads and writes, and says so."""

    def blind(dask_worker):
        import pipeline.partitions.tasks as tasks

        tasks.seen, tasks.sees = tasks.sees, lambda path, size: False

    def cured(dask_worker):
        import pipeline.partitions.tasks as tasks

        tasks.sees = tasks.seen

    with Client(scheduler, set_as_default=False) as client:
        client.run(blind)
        try:
            summary = annotate(
                folders("fits"),
                tmp_path / "out",
                cutouts=f"tiles:{survey.tiles}",
                scheduler=scheduler,
            )
        finally:
            client.run(cured)
    assert any("does not see" in line and "alone reads" in line for line in summary.remarks)
    assert contents(tmp_path / "out") == contents(threads("fits"))


# --- Portions ---


def facts_of(*selected):
    return [
        PartFacts(number, "", count, 0, SkyExtent(), {}, None)
        for number, count in enumerate(selected)
    ]


@pytest.mark.parametrize(
    ("selected", "most", "expected"),
    [
        ([3, 3, 3], 9, [[0, 1, 2]]),
        ([3, 3, 3], 8, [[0, 1], [2]]),
        ([20, 0, 1], 8, [[0], [1, 2]]),
        ([0, 0], 0, [[0, 1]]),
        ([], 8, []),
    ],
)
def test_files_are_taken_in_portions(selected, most, expected):
    assert list(portions(facts_of(*selected), most)) == expected


@pytest.mark.long
@pytest.mark.parametrize("kind", SAME)
@pytest.mark.parametrize("most", [0, 25])
def test_portions_change_no_byte_and_bound_the_journal(
    folders, threads, survey, tmp_path, monkeypatch, kind, most
):
    monkeypatch.setattr(surveys, "PORTION_ROWS", most)
    kept, sizes = Journal.retain, []

    def retain(journal, wanted):
        kept(journal, wanted)
        sizes.append((journal.folder / "results.log").stat().st_size)

    monkeypatch.setattr(Journal, "retain", retain)
    summary = annotate(folders(kind), tmp_path / "out", cutouts=f"tiles:{survey.tiles}")
    assert contents(tmp_path / "out") == contents(threads(kind))
    assert len(sizes) >= 2 and set(sizes) == {0}
    assert summary.rows == summary.scored + summary.flags["NO_COVERAGE"] + sum(
        summary.flags[name] for name in ("NO_POSITION",)
    )


# --- Stopped and resumed ---


class StoppedError(Exception):
    """What stops a run in these tests."""


@pytest.mark.long
@pytest.mark.parametrize("most", [0, 2_000_000])
@pytest.mark.parametrize("event", ["add", "note_whole", "publish", "finish"])
def test_resumed_from_anywhere(folders, threads, survey, tmp_path, monkeypatch, event, most):
    """Rows in files that are written are not scored again, nor those in the journal."""
    monkeypatch.setattr(surveys, "PORTION_ROWS", most)
    output, options = tmp_path / "out", {"cutouts": f"tiles:{survey.tiles}", "chunk_size": 4}

    def stop(*_):
        raise StoppedError

    with monkeypatch.context() as patched:
        if event == "add":
            patched.setattr(WrittenParts, "add", after(WrittenParts.add, 2, stop))
        elif event == "note_whole":
            patched.setattr(WrittenParts, "note_whole", after(WrittenParts.note_whole, 1, stop))
        elif event == "publish":
            patched.setattr(recorders, "put_in_place", stop)
        else:
            patched.setattr("pipeline.partitions.run.finish", stop)
        with pytest.raises(StoppedError):
            annotate(folders("fits"), output, **options)
    assert output.exists() == (event == "finish")
    with pytest.raises(InputError, match="exists already" if output.exists() else "--resume"):
        annotate(folders("fits"), output, **options)
    began = []
    annotate(
        folders("fits"),
        output,
        resume=True,
        progress=lambda done, total: began.append((done, total)),
        **options,
    )
    done, total = began[0]
    assert done == total if event != "add" or most else 0 < done < total
    assert contents(output) == contents(threads("fits"))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def after(function, calls, then):
    """Make a function do something else once it has been called so often."""
    made = []

    def counting(*arguments):
        result = function(*arguments)
        made.append(arguments)
        if len(made) == calls:
            then()
        return result

    return counting


@pytest.mark.slow
@pytest.mark.parametrize("other", [{"threshold": 0.1}, {"style": "lower"}])
def test_files_of_one_output_are_all_written_alike(folders, survey, tmp_path, monkeypatch, other):
    output, options = tmp_path / "out", {"cutouts": f"tiles:{survey.tiles}"}
    with monkeypatch.context() as patched:
        patched.setattr(recorders, "put_in_place", lambda *_: (_ for _ in ()).throw(StoppedError))
        with pytest.raises(StoppedError):
            annotate(folders("fits"), output, **options)
    with pytest.raises(InputError, match="belongs to a run with another"):
        annotate(folders("fits"), output, resume=True, **options, **other)


@pytest.mark.slow
def test_a_file_with_failures_is_done_again(folders, threads, survey, tmp_path, monkeypatch):
    """Its other rows are taken from the journal."""
    monkeypatch.setattr(surveys, "PORTION_ROWS", 0)
    output, options = tmp_path / "out", {"cutouts": f"tiles:{survey.tiles}", "chunk_size": 4}
    noted = WrittenParts.add

    def fail_once(written, record):
        """Note the first file as one with a failure, then stop."""
        noted(written, PartRecord(**{**record.__dict__, "failed": 1}))

    with monkeypatch.context() as patched:
        patched.setattr(WrittenParts, "add", fail_once)
        patched.setattr(recorders, "put_in_place", lambda *_: (_ for _ in ()).throw(StoppedError))
        with pytest.raises(StoppedError):
            annotate(folders("fits"), output, **options)
    began = []
    annotate(folders("fits"), output, resume=True, progress=lambda *n: began.append(n), **options)
    assert began[0][0] == began[0][1], "results of these rows were kept in the journal"
    assert contents(output) == contents(threads("fits"))


# --- What is on disk ---


def test_the_journal_forgets(tmp_path):
    journal = Journal(tmp_path / "j", {"date": ""}, record_dtype(), resume=False)
    records = np.array([(row, row / 8, 0) for row in range(10)], record_dtype())
    journal.append(records[:5])
    journal.append(records[5:])
    journal.retain(lambda rows: rows % 4 == 3)
    journal.append(records[:1])
    assert [row for unit in journal.results() for row in unit["row"]] == [3, 7, 0]
    journal.retain(lambda rows: rows < 0)
    assert (tmp_path / "j" / "results.log").stat().st_size == 0
    journal.remove()
    assert not (tmp_path / "j").exists()


@pytest.mark.parametrize("cut", [1, 30])
def test_a_damaged_line_costs_only_that_file(folders, tmp_path, cut):
    partitions = partitions_of(open_catalog(folders("fits")))
    written = WrittenParts(tmp_path, partitions, tmp_path / "out")
    for number, partition in enumerate(partitions[:3]):
        place = written.folder / partition.place
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"x" * number)
        written.add(PartRecord(number, number, 1, 1, 0, {}, 0))
    log = tmp_path / "parts.log"
    log.write_bytes(log.read_bytes()[:-cut])
    again = WrittenParts(tmp_path, partitions, tmp_path / "out")
    assert sorted(again.records) == [0, 1]
    again.add(PartRecord(4, 9, 1, 1, 0, {}, 0))
    lines = [json.loads(line.partition(" ")[2])["number"] for line in log.read_text().splitlines()]
    assert lines == [0, 1, 4]
    assert sorted(WrittenParts(tmp_path, partitions, tmp_path / "out").records) == [0, 1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", SAME)
def test_the_files_of_a_catalog(folders, kind):
    catalog = open_catalog(folders(kind))
    partitions = partitions_of(catalog)
    assert sum(partition.rows for partition in partitions) == catalog.row_count
    for partition in partitions:
        alone, stop = partition.opened(), partition.first + partition.rows
        np.testing.assert_array_equal(
            alone.read_positions(0, partition.rows), catalog.read_positions(partition.first, stop)
        )
        assert partition.path.is_absolute()


def test_single_files_have_no_partitions(folders, survey):
    assert partitions_of(open_catalog(survey.candidates)) == []
    assert partitions_of(open_catalog(folders("parquet") / "part1.parquet")) == []


@pytest.mark.slow
def test_extents_are_joined():
    rng = np.random.default_rng(3)
    positions = np.stack([rng.uniform(350, 370, 50) % 360, rng.uniform(-9, 9, 50)], axis=1)
    whole, joined = SkyExtent(), SkyExtent()
    whole.add(positions)
    for piece in np.array_split(positions, 4):
        extent = SkyExtent()
        extent.add(piece)
        joined.merge(extent)
    assert joined.range() == whole.range() and joined.count == whole.count == 50
