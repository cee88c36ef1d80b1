"""Some rows of a HATS catalog: fewer partitions, and a description that fits them."""

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogs import lsbg_columns, open_catalog, write_chosen

with warnings.catch_warnings(action="ignore"):
    lsdb = pytest.importorskip("lsdb", reason="the extra hats is not installed")

ROWS = 600


@pytest.fixture(scope="module", params=[False, True], ids=["catalog", "collection"])
def folder(request, tmp_path_factory):
    """A catalog of several partitions, alone or in a collection."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"ra": rng.uniform(10, 60, ROWS), "dec": rng.uniform(-40, 20, ROWS), "id": np.arange(ROWS)}
    )
    path = tmp_path_factory.mktemp("hats") / "in"
    with warnings.catch_warnings(action="ignore"):
        catalog = lsdb.from_dataframe(
            frame, catalog_name="x", partition_rows=100, margin_threshold=None
        )
        catalog.write_catalog(
            path, as_collection=request.param, progress_bar=False, create_thumbnail=True
        )
    return path


def rows_of(path):
    files = sorted(path.rglob("dataset/**/*.parquet"))
    return pa.concat_tables([pq.read_table(file, partitioning=None) for file in files])


def properties_of(path):
    file = next(path.rglob("hats.properties"))
    lines = (line.partition("=") for line in file.read_text().splitlines() if "=" in line)
    return {key: value for key, _, value in lines}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_some_rows(folder, tmp_path):
    catalog = open_catalog(folder)
    before = rows_of(folder)
    keep = np.asarray(before["dec"]) > 5
    files = {file.relative_to(folder) for file in folder.rglob("Npix*.parquet")}
    output = tmp_path / "out"
    write_chosen(catalog, output, keep)
    assert rows_of(output).equals(before.filter(pa.array(keep)))
    written = {file.relative_to(output) for file in output.rglob("Npix*.parquet")}
    assert written < files
    assert all(pq.read_metadata(output / file).num_rows for file in written)
    assert properties_of(output)["hats_nrows"] == str(keep.sum())
    main = next(output.rglob("partition_info.csv")).parent
    assert len((main / "partition_info.csv").read_text().split()) == len(written) + 1
    assert pq.read_metadata(main / "dataset" / "_metadata").num_rows == keep.sum()
    assert not list(output.rglob("*map*.fits"))
    with warnings.catch_warnings(action="ignore"):
        opened = lsdb.open_catalog(output, columns="all")
        found = opened.compute(progress_bar=False)
        chosen = opened.cone_search(30.0, 10.0, 7200).compute(progress_bar=False)
    assert sorted(found["id"]) == sorted(before["id"].to_numpy()[keep])
    ra, dec = np.radians(found["ra"]), np.radians(found["dec"])
    separation = np.degrees(np.arccos(
        np.sin(dec) * np.sin(np.radians(10)) + np.cos(dec) * np.cos(np.radians(10))
        * np.cos(ra - np.radians(30))
    ))  # fmt: skip
    assert sorted(chosen["id"]) == sorted(found["id"][separation <= 2]) and len(chosen)


@pytest.mark.slow
def test_no_row(folder, tmp_path):
    write_chosen(open_catalog(folder), tmp_path / "none", np.zeros(ROWS, bool))
    with warnings.catch_warnings(action="ignore"):
        assert len(lsdb.open_catalog(tmp_path / "none").compute(progress_bar=False)) == 0


@pytest.mark.slow
def test_chosen_rows_of_an_annotated_catalog_keep_its_provenance(folder, tmp_path):
    catalog = open_catalog(folder)
    columns = lsbg_columns(catalog.column_names)
    catalog.write_annotated(
        tmp_path / "scored",
        columns,
        lambda start, stop: (np.ones(stop - start, "f4"), np.zeros(stop - start, "i2")),
        {"weights": "w"},
    )
    scored = open_catalog(tmp_path / "scored")
    write_chosen(scored, tmp_path / "some", np.arange(ROWS) % 7 == 0)
    some = open_catalog(tmp_path / "some")
    assert some.provenance() == {"weights": "w"} and some.column_names[-1] == "flags_lsbg"
    assert some.row_count == len(range(0, ROWS, 7))
