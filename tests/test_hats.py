"""A HATS catalog in, a HATS catalog out: by the command, and by lsdb's own map over partitions."""

import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import dask
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from distributed import Client, LocalCluster
from snippets import blocks_of, words

from catalogs import InputError, lsbg_columns, open_catalog
from pipeline import annotate
from pipeline.stages.hats import classify_catalog, classify_hats, hats_properties

with warnings.catch_warnings(action="ignore"):
    lsdb = pytest.importorskip("lsdb", reason="the extra hats is not installed")
    import hats.io
    from hats.io.validation import is_valid_catalog

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

ROWS = 10_000
OURS = ["p_lsbg", "flags_lsbg"]
PROVENANCE = {"weights": "w", "source": "tiles:x"}


def write_hats(folder, frame, *, margin=None, collection=False, **options):
    with warnings.catch_warnings(action="ignore"):
        catalog = lsdb.from_dataframe(
            frame, catalog_name="candidates", margin_threshold=margin, **options
        )
        catalog.write_catalog(
            folder, as_collection=collection, progress_bar=False, create_thumbnail=True
        )
    return folder


def frame_of(survey, rows):
    """The survey's candidates and rows far from them: position, a number, a text, an identifier."""
    import pandas as pd

    known = Table.read(survey.candidates)
    rng = np.random.default_rng(5)
    more = rows - len(known)
    ra = np.concatenate([known["ALPHA_J2000"], rng.uniform(22, 42, more)])
    dec = np.concatenate([known["DELTA_J2000"], rng.uniform(-50, -30, more)])
    order = rng.permutation(rows)
    identifier = np.arange(rows) + (1 << 60)
    return pd.DataFrame(
        {
            "ra": ra[order],
            "dec": dec[order],
            "id": identifier,
            "mag": rng.normal(22, 1, rows).astype(np.float32),
            "name": [f"c{number}" for number in range(rows)],
        }
    )


def parts(folder):
    return sorted((folder / "dataset").rglob("*.parquet"))


def read(folder):
    """All rows of a catalog's files, by identifier."""
    return pa.concat_tables([pq.read_table(part) for part in parts(folder)]).sort_by("id")


def opened(folder):
    with warnings.catch_warnings(action="ignore"):
        return lsdb.open_catalog(folder, columns="all")


def computed(catalog):
    with warnings.catch_warnings(action="ignore"):
        return catalog.compute(progress_bar=False)


def bits(table, name="p_lsbg"):
    values = table[name].combine_chunks()
    return values.fill_null(-1).to_numpy().view(np.int32), values.is_null().to_pylist()


def same_scores(one, other):
    assert one["id"].equals(other["id"])
    for first, second in zip(bits(one), bits(other), strict=True):
        np.testing.assert_array_equal(first, second)
    assert one["flags_lsbg"].to_pylist() == other["flags_lsbg"].to_pylist()


@pytest.fixture(scope="module")
def cutouts(survey):
    return f"tiles:{survey.tiles}"


@pytest.fixture(scope="module")
def large(survey, tmp_path_factory):
    """Ten thousand rows in more than eight partitions; few of them have images."""
    folder = tmp_path_factory.mktemp("hats") / "large"
    return write_hats(folder, frame_of(survey, ROWS), partition_rows=2000)


@pytest.fixture(scope="module")
def scored(large, cutouts):
    """What the command makes of it, with two worker processes."""
    output = large.with_name("scored")
    annotate(large, output, cutouts=cutouts, workers=2)
    return output


@pytest.fixture(scope="module")
def mapped(large, cutouts):
    """What lsdb makes of it, on a scheduler of the user's with two worker processes."""
    output = large.with_name("mapped")
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as cluster:
        with Client(cluster, set_as_default=False) as client, client.as_current():
            write_lazily(large, output, cutouts)
            at_work = client.run(lambda: "pipeline.annotate" in sys.modules)
    return output, list(at_work.values())


def write_lazily(folder, output, cutouts, **options):
    """Write what lsdb makes of a catalog, with lsdb's own writer."""
    catalog = opened(folder)
    said = hats_properties(catalog, cutouts=cutouts)
    with warnings.catch_warnings(action="ignore"):
        classify_catalog(catalog, cutouts=cutouts).write_catalog(
            output, as_collection=False, addl_hats_properties=said, progress_bar=False, **options
        )


@pytest.fixture(scope="module")
def collection(survey, tmp_path_factory):
    """A few partitions with a margin."""
    frame = frame_of(survey, 400)
    folder = tmp_path_factory.mktemp("hats") / "collection"
    return write_hats(
        folder, frame, partition_rows=150, margin=600.0, highest_order=4, collection=True
    )


@pytest.fixture
def small(collection, tmp_path):
    """The catalog in it, on its own."""
    return shutil.copytree(collection / "candidates", tmp_path / "small")


def values_for(start, stop):
    rows = np.arange(start, stop)
    return np.where(rows % 5 == 4, np.nan, rows / 1e6).astype("f4"), (rows % 128).astype("i2")


def write(path, output, overwrite_columns=False, provenance=PROVENANCE, **options):
    catalog = open_catalog(path)
    columns = lsbg_columns(catalog.column_names)
    catalog.write_annotated(
        output, columns, values_for, provenance, overwrite_columns=overwrite_columns, **options
    )
    return output


def properties(folder):
    lines = (folder / "hats.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


@pytest.mark.slow
def test_lsdb_opens_it_again(large, scored):
    catalog = opened(scored)
    assert len(catalog.get_healpix_pixels()) >= 8
    assert catalog.get_healpix_pixels() == opened(large).get_healpix_pixels()
    frame = computed(catalog)
    assert len(frame) == ROWS
    assert list(frame.columns) == ["ra", "dec", "id", "mag", "name", *OURS]
    assert str(frame.dtypes["p_lsbg"]) == "float[pyarrow]"
    assert str(frame.dtypes["flags_lsbg"]) == "int16[pyarrow]"
    assert 50 < frame["p_lsbg"].notna().sum() < 200
    assert (frame["flags_lsbg"] == 2).sum() == frame["p_lsbg"].isna().sum()


@pytest.mark.slow
def test_all_else_survives(large, scored):
    before, after = read(large), read(scored)
    assert after.select(before.column_names).equals(before)
    assert after.column_names == before.column_names + OURS
    names = [str(part.relative_to(large)) for part in parts(large)]
    assert [str(part.relative_to(scored)) for part in parts(scored)] == names


@pytest.mark.slow
def test_the_same_scores_as_a_plain_table(large, scored, cutouts, tmp_path):
    pq.write_table(read(large).drop_columns("_healpix_29"), tmp_path / "plain.parquet")
    annotate(tmp_path / "plain.parquet", tmp_path / "out.parquet", cutouts=cutouts)
    same_scores(pq.read_table(tmp_path / "out.parquet"), read(scored))


@pytest.mark.long
@pytest.mark.slow
def test_the_same_scores_from_lsdbs_map(scored, mapped):
    output, at_work = mapped
    same_scores(read(scored), read(output))
    assert at_work == [True, True]
    assert list(computed(opened(output)).columns[-2:]) == OURS


@pytest.mark.long
@pytest.mark.slow
def test_the_provenance_is_in_the_properties(scored, mapped):
    metadata = pq.read_schema(parts(scored)[0]).metadata
    said = {k.decode(): v.decode() for k, v in metadata.items() if k.startswith(b"lsbg.")}
    assert {"lsbg.weights", "lsbg.source", "lsbg.weights_sha256", "lsbg.date"} <= set(said)
    for folder in (scored, mapped[0]):
        assert {k: v for k, v in properties(folder).items() if k.startswith("lsbg.")} == said


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Right catalog does not have a margin:RuntimeWarning")
def test_it_is_cross_matched(scored, survey):
    import pandas as pd

    truth = Table.read(survey.truth)
    candidates = Table.read(survey.candidates)
    other = pd.DataFrame(
        {
            "ra": np.asarray(candidates["ALPHA_J2000"], "f8"),
            "dec": np.asarray(candidates["DELTA_J2000"], "f8"),
            "label": np.asarray(truth["LABEL"], "i8"),
        }
    )
    with warnings.catch_warnings(action="ignore"):
        right = lsdb.from_dataframe(other, catalog_name="truth", margin_threshold=None)
    found = computed(opened(scored).crossmatch(right, radius_arcsec=0.01, n_neighbors=1))
    assert len(found) == len(candidates)
    by_label = found.groupby("label_truth")["p_lsbg_candidates"].mean()
    assert by_label[1] > by_label[0] + 0.5


KILLED = """
import os, signal, sys

from pipeline.partitions.records import WrittenParts
from pipeline.stages.hats import classify_hats

note, left = WrittenParts.add, 2

def add(written, record):
    global left
    note(written, record)
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

WrittenParts.add = add
classify_hats(sys.argv[1], sys.argv[2], cutouts=sys.argv[3], resume=True)
"""
"""A run that is killed when it has written two partitions."""


@pytest.mark.long
@pytest.mark.slow
def test_killed_and_resumed_it_has_the_same_bytes(small, cutouts, tmp_path, lsbg):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    killed = subprocess.run([sys.executable, "-c", KILLED, small, resumed, cutouts])
    assert killed.returncode == -9
    assert not resumed.exists()
    with pytest.raises(InputError, match="--resume"):
        classify_hats(small, resumed, cutouts=cutouts)
    shutil.copytree(tmp_path / "resumed.journal", tmp_path / "command.journal")
    began = []
    classify_hats(small, resumed, cutouts=cutouts, resume=True, progress=lambda *n: began.append(n))
    assert began[0] == (400, 400), "results of these rows were kept"
    command = ("classify", small, tmp_path / "command", "--cutouts", cutouts, "--resume", "--quiet")
    assert lsbg(*command) == (0, "", "")
    classify_hats(small, whole, cutouts=cutouts)
    same_files(whole, resumed)
    same_files(whole, tmp_path / "command")


@pytest.mark.long
@pytest.mark.slow
def test_what_lsdb_has_written_in_part_goes_on(small, cutouts, tmp_path, monkeypatch):
    """Partitions that are written are not scored again."""
    scored, whole, resumed = [], tmp_path / "whole", tmp_path / "resumed"
    write_lazily(small, whole, cutouts)

    def stopping(*arguments, **options):
        scored.append(arguments)
        if len(scored) == 4:  # two of them are for columns and properties
            raise KeyboardInterrupt
        return annotate(*arguments, **options)

    monkeypatch.setattr("pipeline.stages.hats.annotate", stopping)
    with dask.config.set(scheduler="synchronous"):
        with pytest.raises(KeyboardInterrupt):
            write_lazily(small, resumed, cutouts)
        before = len(scored)
        write_lazily(small, resumed, cutouts, resume=True)
    assert len(scored) - before == 2 + len(parts(small)) - 1
    assert read(resumed).equals(read(whole))
    assert is_valid_catalog(resumed, strict=True)


def test_other_formats_are_refused_by_the_function_for_hats(survey, tmp_path):
    with pytest.raises(InputError, match="in the format fits, not a HATS catalog; use annotate"):
        classify_hats(survey.candidates, tmp_path / "out", cutouts="tiles:x")


def same_files(one, other):
    names = [
        sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        for folder in (one, other)
    ]
    assert names[0] == names[1]
    for name in names[0]:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


@pytest.mark.slow
def test_the_command(small, collection, cutouts, tmp_path, lsbg):
    arguments = (collection, tmp_path / "out", "--cutouts", cutouts, "--select", "mag < 21")
    code, out, err = lsbg("classify", *arguments, "--dry-run")
    assert (code, err) == (0, "")
    assert "400 rows, position in ra and dec (deg)" in out
    assert not (tmp_path / "out").exists()
    code, out, err = lsbg("classify", *arguments, "--style", "rubin", "--quiet")
    assert (code, out, err) == (0, "", "")
    catalog = opened(tmp_path / "out")
    assert catalog.margin is None
    frame = computed(catalog)
    assert list(frame.columns[-2:]) == ["lsbgProbability", "lsbgFlags"]
    assert ((frame["lsbgFlags"] == 256) == (frame["mag"] >= 21)).all()
    code, _, err = lsbg("classify", *arguments)
    assert code == 1 and "exists already; add --overwrite" in err
    assert lsbg("classify", *arguments, "--overwrite", "--quiet")[0] == 0
    assert list(opened(tmp_path / "out").columns[-2:]) == OURS


@pytest.mark.slow
def test_a_collection_loses_its_margin(collection, tmp_path):
    output = write(collection, tmp_path / "out")
    assert opened(collection).margin is not None
    catalog = opened(output)
    assert catalog.margin is None
    assert sorted(path.name for path in output.iterdir()) == ["candidates", "collection.properties"]
    assert list(computed(catalog).columns[-2:]) == OURS


@pytest.mark.slow
def test_the_summaries_know_the_columns(small, tmp_path):
    output = write(small, tmp_path / "out")
    before = {p.relative_to(small) for p in small.rglob("*")}
    assert {p.relative_to(output) for p in output.rglob("*")} == before
    for name in ("_common_metadata", "_metadata"):
        assert pq.read_schema(output / "dataset" / name).names[-2:] == OURS
    assert pq.read_metadata(output / "dataset" / "_metadata").num_rows == 400
    assert pq.read_schema(output / "data_thumbnail.parquet").names[-2:] == OURS
    statistics = pq.read_table(output / "per_partition_statistics.parquet")
    highest = max(value for value in statistics["p_lsbg::max_value"].to_pylist() if value)
    assert highest == np.float32(398 / 1e6)
    assert (output / "skymap.fits").read_bytes() == (small / "skymap.fits").read_bytes()


@pytest.mark.slow
def test_what_the_input_lacks_is_not_made(small, tmp_path):
    for name in ("dataset/_metadata", "data_thumbnail.parquet", "per_partition_statistics.parquet"):
        (small / name).unlink()
    (small / "notes.txt").write_text("keep me")
    output = write(small, tmp_path / "out")
    before = {p.relative_to(small) for p in small.rglob("*")}
    assert {p.relative_to(output) for p in output.rglob("*")} == before
    assert len(computed(opened(output))) == 400


@pytest.mark.slow
def test_default_columns_get_ours(small, tmp_path):
    for name in ("properties", "hats.properties"):
        with open(small / name, "a") as file:
            file.write("hats_cols_default=ra dec mag\n")
    output = write(small, tmp_path / "out")
    assert list(lsdb.open_catalog(output).columns) == ["ra", "dec", "mag", *OURS]


@pytest.mark.slow
def test_replaced_it_is_the_same_to_the_byte(small, tmp_path):
    once = write(small, tmp_path / "once")
    with pytest.raises(InputError, match="already has the column p_lsbg"):
        write(once, tmp_path / "twice")
    same_files(once, write(once, tmp_path / "twice", overwrite_columns=True))
    bare = write(once, tmp_path / "bare", overwrite_columns=True, provenance={"date": "today"})
    assert {k for k in properties(bare) if k.startswith("lsbg.")} == {"lsbg.date"}
    assert open_catalog(once).provenance() == PROVENANCE


@pytest.mark.slow
def test_empty_partitions_and_missing_positions(small, tmp_path):
    first, second = parts(small)[:2]
    pq.write_table(pq.read_table(first).slice(0, 0), first)
    table = pq.read_table(second)
    ra = pa.array([None, float("nan"), *table["ra"].to_pylist()[2:]])
    pq.write_table(table.set_column(table.column_names.index("ra"), "ra", ra), second)
    output = tmp_path / "out"
    summary = annotate(small, output, cutouts="tiles:" + str(tmp_path_of_no_tiles(tmp_path)))
    assert summary.flags["NO_POSITION"] == 2
    assert pq.read_table(parts(output)[0]).num_rows == 0
    assert not (output / "data_thumbnail.parquet").exists()
    flags = pq.read_table(parts(output)[1])["flags_lsbg"].to_pylist()
    assert flags[:3] == [1, 1, 2]
    assert len(computed(opened(output))) == summary.rows


def tmp_path_of_no_tiles(folder):
    """A tile far from all candidates."""
    from astropy.io import fits

    tiles = folder / "tiles"
    tiles.mkdir()
    for band in "grz":
        header = fits.Header(
            {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 200.0, "CRVAL2": 60.0,
             "CRPIX1": 50.5, "CRPIX2": 50.5, "CDELT1": -0.263 / 3600, "CDELT2": 0.263 / 3600}
        )  # fmt: skip
        image = np.zeros((100, 100), np.float32)
        fits.writeto(tiles / f"DES1200+6000_r2590p01_{band}.fits", image, header)
    return tiles


@pytest.mark.slow
def test_the_vo_metadata_are_everywhere(small, tmp_path):
    output = write(small, tmp_path / "out", vo_metadata=True)
    key = b"IVOA.VOTable-Parquet.content"
    texts = [pq.read_schema(part).metadata[key] for part in parts(output)]
    texts.append(pq.read_schema(output / "dataset" / "_common_metadata").metadata[key])
    assert len(set(texts)) == 1
    assert texts[0].count(b"<FIELD ") == len(pq.read_schema(parts(output)[0]).names)


@pytest.mark.slow
def test_vo_metadata_of_the_whole_learn_our_columns(small, tmp_path):
    from hats.io.parquet_metadata import write_voparquet_in_common_metadata

    write_voparquet_in_common_metadata(small, field_units={"ra": "deg"})
    schema = pq.read_schema(write(small, tmp_path / "out") / "dataset" / "_common_metadata")
    text = schema.metadata[b"IVOA.VOTable-Parquet.content"]
    assert b'unit="deg"' in text
    assert b'name="p_lsbg"' in text and b'name="flags_lsbg"' in text


@pytest.mark.slow
def test_a_catalog_that_is_no_table_of_objects_is_refused(collection, tmp_path):
    with pytest.raises(InputError, match="a HATS margin; give a catalog of objects or sources"):
        open_catalog(next(collection.glob("candidates_*")))


BROKEN = {
    "no name": (lambda text: "dataproduct_type=object\n", "not a readable HATS catalog"),
    "no position": (lambda text: text.replace("hats_col_ra=ra", "hats_col_ra=RAJ"), "RAJ"),
    "no text": (lambda text: "\0\x01\udcff", "not a readable HATS catalog"),
    "other type": (lambda text: text.replace("=object", "=nonsense"), "not a readable HATS"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BROKEN)
def test_broken_properties_are_said_in_one_line(case, small):
    change, message = BROKEN[case]
    for name in ("properties", "hats.properties"):
        text = change((small / name).read_text())
        (small / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=message) as error:
        open_catalog(small)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_collection_without_its_catalog(collection, tmp_path):
    shutil.copy(collection / "collection.properties", tmp_path)
    with pytest.raises(InputError, match="not a readable HATS catalog"):
        open_catalog(tmp_path)


@pytest.mark.slow
def test_a_missing_library_is_named(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "hats.catalog", None)
    with pytest.raises(InputError, match=r"pip install 'lsbg-classifier\[hats\]'$"):
        open_catalog(small)


@pytest.mark.slow
def test_paths_are_those_of_the_folder_where_the_step_was_made(
    small, cutouts, tmp_path, monkeypatch
):
    folder = Path(cutouts.partition(":")[2])
    monkeypatch.chdir(folder.parent)
    scored = classify_catalog(opened(small), cutouts=f"tiles:{folder.name}")
    monkeypatch.chdir(tmp_path)
    assert computed(scored.partitions[0])["flags_lsbg"].notna().all()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["command", "lsdb"])
def test_what_was_strictly_valid_stays_so(way, small, cutouts, tmp_path, caplog):
    hats.io.write_parquet_metadata(small)
    output = tmp_path / "out"
    if way == "command":
        annotate(small, output, cutouts=cutouts)
    else:
        write_lazily(small, output, cutouts)
    assert is_valid_catalog(small, strict=True), caplog.text
    assert is_valid_catalog(output, strict=True), caplog.text


@pytest.mark.slow
def test_points_outside_the_pixel_of_their_file_are_refused_with_its_name(small, cutouts, tmp_path):
    part = parts(small)[0]
    table = pq.read_table(part)
    dec = table["dec"].to_numpy().copy()
    dec[3] = 75.0
    place = table.column_names.index("dec")
    pq.write_table(table.set_column(place, "dec", pa.array(dec)), part)
    with pytest.raises(InputError, match=rf"{part.name}: 1 of its points are outside .* \+75\.0"):
        annotate(small, tmp_path / "out", cutouts=cutouts)
    assert not (tmp_path / "out").exists()
    annotate(small, tmp_path / "out", cutouts=cutouts, ra="ra", dec="dec")


@pytest.mark.slow
def test_a_catalog_that_lacks_files_of_its_pixels_is_refused(small, cutouts, tmp_path):
    parts(small)[1].unlink()
    with pytest.raises(InputError, match=r"the files of 1 of \d+ pixels .* missing, such as"):
        annotate(small, tmp_path / "out", cutouts=cutouts)
    listing = next(small.rglob("partition_info.csv"))
    listing.write_text("Norder,Npix\n3,many\n")
    with pytest.raises(InputError, match=r"partition_info\.csv: not a list of HEALPix pixels"):
        annotate(small, tmp_path / "out", cutouts=cutouts)
    listing.unlink()  # then nothing says that a file is missing
    annotate(small, tmp_path / "out", cutouts=cutouts)


@pytest.mark.slow
def test_a_lazy_catalog(small, cutouts):
    catalog = opened(small).query("mag < 22")
    lazy = classify_catalog(catalog, cutouts=cutouts, select="mag < 21", style="upper")
    assert list(lazy.columns[-2:]) == ["P_LSBG", "FLAGS_LSBG"]
    frame = computed(lazy)
    assert ((frame["FLAGS_LSBG"] == 256) == (frame["mag"] >= 21)).all()
    assert frame.dtypes.equals(lazy.dtypes)
    said = hats_properties(catalog, cutouts=cutouts, select="mag < 21")
    assert said["lsbg.select"] == "mag < 21"
    again = classify_catalog(lazy, cutouts=cutouts, style="lower", overwrite_columns=True)
    assert list(again.columns) == [*catalog.columns, *OURS]


@pytest.mark.slow
def test_what_cannot_work_is_refused_at_once(small, cutouts):
    catalog = opened(small)
    for options, message in (
        ({"weights": "none"}, "none"),
        ({"select": "no_such < 1"}, "^the catalog: no column 'no_such'"),
        ({"workers": 2}, "a partition has no option workers; it has"),
        ({"style": "none"}, "unknown style"),
    ):
        with pytest.raises(InputError, match=message):
            classify_catalog(catalog, cutouts=cutouts, **options)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", ["docs/hats.md", "docs/formats.md"])
def test_the_page_runs(page, survey, tmp_path, lsbg, monkeypatch):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "survey").symlink_to(survey.tiles.parent)
    monkeypatch.chdir(tmp_path)
    blocks = [block for block in blocks_of(page) if block.language in ("python", "console")]
    assert len(blocks) >= 4
    for block in blocks:
        if block.language == "python":
            exec(compile(block.text, page, "exec"), {})
            continue
        for line in block.commands():
            name, *arguments = words(line)
            code, _, err = lsbg(*arguments)
            assert (name, code) == ("lsbg", 0), err


@pytest.mark.slow
def test_one_elsewhere_is_copied_whole(small, tmp_path):
    fsspec = pytest.importorskip("fsspec", reason="the extra remote is not installed")
    memory = fsspec.filesystem("memory")
    memory.put(str(small), "/elsewhere", recursive=True)
    catalog = open_catalog("memory://elsewhere")
    assert catalog.format == "hats" and catalog.row_count == open_catalog(small).row_count
    write(small, tmp_path / "here")
    catalog.write_annotated(
        tmp_path / "there", lsbg_columns(catalog.column_names), values_for, PROVENANCE
    )
    names = [sorted(p.relative_to(at) for p in at.rglob("*")) for at in
             (tmp_path / "here", tmp_path / "there")]  # fmt: skip
    assert names[0] == names[1]
