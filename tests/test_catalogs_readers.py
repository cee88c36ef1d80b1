"""What others read of each format of output: our two columns, and the columns that were there."""

import shutil
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table
from older import needs_nan_in_text
from pyarrow import csv as pacsv

from catalogs import lsbg_columns, open_catalog

IDS = [2**53 + 1, 7, 8, 9]
RA, DEC = [10.5, 20.25, 30.0, 359.5], [-5.0, 0.5, 5.25, -60.0]
NAMES = ["a", "b", "c", "d"]
PROBABILITY = np.array([0.25, np.nan, 0.1, 1.0], np.float32)
FLAGS = [0, 2, 16, 128]

HEAD = "#   1 id  a number\n#   2 ra  [deg]\n#   3 dec  [deg]\n#   4 name  text\n"
SKYCAT = "long_name: test\nid\tra\tdec\tname\n--\t--\t---\t----\n"


def a_table() -> Table:
    return Table(
        {"id": IDS, "ra": RA, "dec": DEC, "name": NAMES}, units={"ra": "deg", "dec": "deg"}
    )


def arrow_table() -> pa.Table:
    return pa.table({"id": IDS, "ra": RA, "dec": DEC, "name": NAMES})


def rows(delimiter: str) -> str:
    return "".join(
        delimiter.join(map(str, row)) + "\n" for row in zip(IDS, RA, DEC, NAMES, strict=True)
    )


def by_astropy(form: str, **options):
    return lambda path: a_table().write(path, format=form, **options)


def fits_ascii(path: Path):
    stored = zip(("I20", "D25.17", "D25.17", "A4"), a_table().columns.items(), strict=True)
    columns = [fits.Column(name, form, array=values, ascii=True) for form, (name, values) in stored]
    fits.TableHDU.from_columns(columns).writeto(path)


def with_title(path: Path):
    """As journals have it: STILTS wants a title, and takes a section without notes for rows."""
    a_table().write(path, format="ascii.mrt")
    text = path.read_text().replace("Title:", "Title: a test", 1)
    path.write_text(text.replace(f"Notes:\n{'-' * 80}\n", ""))


def group_of_datasets(path: Path):
    with h5py.File(path, "w") as file:
        for name, values in a_table().columns.items():
            file[f"t/{name}"] = np.array(values, "S4" if name == "name" else values.dtype)


def arrow_stream(path: Path):
    with pa.ipc.new_stream(path, arrow_table().schema) as file:
        file.write_table(arrow_table())


WRITERS = {
    "fits": by_astropy("fits"),
    "fits_ascii": fits_ascii,
    "votable": by_astropy("votable", tabledata_format="tabledata"),
    "votable_binary": by_astropy("votable", tabledata_format="binary"),
    "votable_binary2": by_astropy("votable", tabledata_format="binary2"),
    "ecsv": by_astropy("ascii.ecsv"),
    "csv": by_astropy("ascii.csv"),
    "tsv": by_astropy("ascii.tab"),
    "ascii": by_astropy("ascii.commented_header"),
    "ipac": by_astropy("ascii.ipac"),
    "mrt": with_title,
    "ascii_head": lambda path: path.write_text(HEAD + rows(" ")),
    "skycat": lambda path: path.write_text(SKYCAT + rows("\t")),
    "hdf5": by_astropy("hdf5", path="t", serialize_meta=True),
    "hdf5_group": group_of_datasets,
    "parquet": by_astropy("parquet"),
    "arrow": lambda path: feather.write_feather(arrow_table(), path),
    "arrow_stream": arrow_stream,
}
"""Format -> what writes the input."""


def values_of(table) -> dict[str, list]:
    return {name: list(table[name]) for name in table.columns}


def astropy(form: str, **options):
    def read(path):
        return values_of(Table.read(path, format=form, **options))

    return read


def fitsio(path):
    return values_of_records(pytest.importorskip("fitsio").read(str(path), ext=1))


def values_of_records(records) -> dict[str, list]:
    return {name: records[name].tolist() for name in records.dtype.names}


def pandas(call: str, **options):
    def read(path):
        frame = getattr(pytest.importorskip("pandas"), call)(path, **options)
        return {name: frame[name].tolist() for name in frame.columns}

    return read


def polars(call: str, **options):
    def read(path):
        frame = getattr(pytest.importorskip("polars"), call)(path, **options)
        return frame.to_dict(as_series=False)

    return read


def of_arrow(read):
    return lambda path: read(path).to_pydict()


def h5_group(path):
    with h5py.File(path) as file:
        names = ("id", "ra", "dec", "name", "p_lsbg", "flags_lsbg")
        return {name: file[f"t/{name}"][:].tolist() for name in names}


READERS = {
    ("fits", "astropy"): astropy("fits"),
    ("fits", "fitsio"): fitsio,
    ("fits_ascii", "astropy"): astropy("fits"),
    ("votable", "astropy"): astropy("votable"),
    ("votable_binary", "astropy"): astropy("votable"),
    ("votable_binary2", "astropy"): astropy("votable"),
    ("ecsv", "astropy"): astropy("ascii.ecsv"),
    ("ecsv", "pandas"): pandas("read_csv", comment="#", sep=" "),
    ("csv", "astropy"): astropy("ascii.csv"),
    ("csv", "pandas"): pandas("read_csv"),
    ("csv", "polars"): polars("read_csv"),
    ("csv", "pyarrow"): of_arrow(pacsv.read_csv),
    ("tsv", "astropy"): astropy("ascii.tab"),
    ("tsv", "pandas"): pandas("read_csv", sep="\t"),
    ("tsv", "polars"): polars("read_csv", separator="\t"),
    ("tsv", "pyarrow"): of_arrow(
        lambda path: pacsv.read_csv(path, parse_options=pacsv.ParseOptions(delimiter="\t"))
    ),
    ("ascii", "astropy"): astropy("ascii.commented_header"),
    ("ipac", "astropy"): astropy("ascii.ipac"),
    ("mrt", "astropy"): astropy("ascii.mrt"),
    ("ascii_head", "astropy"): astropy("ascii.sextractor"),
    ("skycat", "astropy"): astropy("ascii.tab", header_start=1, data_start=3),
    ("hdf5", "astropy"): astropy("hdf5", path="t"),
    ("hdf5", "h5py"): lambda path: values_of_records(h5py.File(path)["t"][:]),
    ("hdf5_group", "h5py"): h5_group,
    ("parquet", "pyarrow"): of_arrow(pq.read_table),
    ("parquet", "astropy"): astropy("parquet"),
    ("parquet", "pandas"): pandas("read_parquet"),
    ("parquet", "polars"): polars("read_parquet"),
    ("arrow", "pyarrow"): of_arrow(feather.read_table),
    ("arrow", "pandas"): pandas("read_feather"),
    ("arrow", "polars"): polars("read_ipc"),
    ("arrow_stream", "pyarrow"): of_arrow(lambda path: pa.ipc.open_stream(path).read_all()),
    ("arrow_stream", "polars"): polars("read_ipc_stream"),
}
"""(format, reader) -> what it reads of a file, as lists by the names of the columns."""

STILTS = {
    "fits": "fits",
    "fits_ascii": "fits",
    "votable": "votable",
    "votable_binary": "votable",
    "votable_binary2": "votable",
    "ecsv": "ecsv",
    "csv": "csv",
    "skycat": "tst",
    "ascii": "ascii",
    "ipac": "ipac",
    "mrt": "mrt",
}
"""Formats that STILTS reads, by its names of them."""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """An annotated file of each format."""
    folder, found = tmp_path_factory.mktemp("readers"), {}
    for name, write in WRITERS.items():
        write(folder / name)
        catalog = open_catalog(folder / name)
        columns = lsbg_columns(catalog.column_names)
        found[name] = folder / f"{name}_out"
        catalog.write_annotated(found[name], columns, values_for, {"weights": "w"})
    return found


def values_for(start, stop):
    return PROBABILITY[start:stop], np.array(FLAGS[start:stop], np.int16)


def check(columns: dict[str, list]):
    """Compare with the table and with our values, whatever the reader's types and their case."""
    names = {name.lower(): values for name, values in columns.items()}
    assert list(names) == ["id", "ra", "dec", "name", "p_lsbg", "flags_lsbg"]
    assert [int(value) for value in names["id"]] == IDS
    np.testing.assert_array_equal(np.array(names["ra"], float), RA)
    np.testing.assert_array_equal(np.array(names["dec"], float), DEC)
    texts = [text.decode() if isinstance(text, bytes) else str(text) for text in names["name"]]
    assert [text.strip() for text in texts] == NAMES
    found = [np.nan if is_missing(value) else float(value) for value in names["p_lsbg"]]
    np.testing.assert_array_equal(np.array(found, np.float32), PROBABILITY)
    assert [int(value) for value in names["flags_lsbg"]] == FLAGS


def is_missing(value) -> bool:
    return value is None or value is np.ma.masked or str(value) == ""


@pytest.mark.parametrize(
    ("form", "reader"),
    [
        pytest.param(*pair, marks=needs_nan_in_text if pair == ("fits_ascii", "astropy") else ())
        for pair in READERS
    ],
)
def test_readers_of_each_format(outputs, form, reader):
    check(READERS[form, reader](outputs[form]))


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("stilts"), reason="STILTS is not installed")
def test_stilts_reads_each_format(outputs, tmp_path):
    words = ["stilts", "tjoin", f"nin={len(STILTS)}", "fixcols=all", "ofmt=ecsv"]
    for number, (name, form) in enumerate(STILTS.items(), 1):
        words += [f"in{number}={outputs[name]}", f"ifmt{number}={form}", f"suffix{number}=__{name}"]
    subprocess.run([*words, f"out={tmp_path / 'all.ecsv'}"], check=True, timeout=120)
    joined = Table.read(tmp_path / "all.ecsv", format="ascii.ecsv")
    for name in STILTS:
        columns = [column for column in joined.colnames if column.endswith(f"__{name}")]
        check({column.removesuffix(f"__{name}"): list(joined[column]) for column in columns})
