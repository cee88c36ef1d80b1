"""Several FITS tables as one catalog: folders of tiles, chips of FITS_LDAC; and ASCII tables."""

import gzip
import shutil
import subprocess
import threading

import fitsio
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table
from older import needs_nan_in_text

from catalogs import (
    InputError,
    _fits_partition,
    _parquet_files,
    check_output,
    lsbg_columns,
    open_catalog,
)
from catalogs.details import describe_columns, read_values

PROVENANCE = {"weights": "w", "threshold": "0.4"}
LARGE = 2**60 + 1


def values_for(start, stop):
    rows = np.arange(start, stop)
    return np.where(rows % 3, rows / 8, np.nan).astype(np.float32), rows.astype(np.int16)


def annotate(path, output, overwrite_columns=False, **options):
    catalog = open_catalog(path, **options)
    columns = lsbg_columns(catalog.column_names, style="upper")
    catalog.write_annotated(
        output, columns, values_for, PROVENANCE, overwrite_columns=overwrite_columns
    )
    return output


def a_table(first, rows):
    n = np.arange(first, first + rows)
    names = np.array([f"n{i}" for i in n], "U4")
    return Table({"ID": n + LARGE, "RA": n * 1.5, "DEC": n * 0.5 - 10.0, "NAME": names})


# --- A folder of FITS files ---


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "tiles"
    (path / "north").mkdir(parents=True)
    a_table(0, 3).write(path / "a.fits")
    a_table(3, 0).write(path / "b.fits")
    a_table(3, 4).write(tmp_path / "c.fits")
    (path / "north" / "c.fits.gz").write_bytes(gzip.compress((tmp_path / "c.fits").read_bytes()))
    (path / "README").write_text("about")
    (path / "_old.fits").write_text("no table")
    return path


@pytest.mark.parametrize("kind", ["fits", "parquet"])
def test_files_of_a_folder_are_opened_several_at_a_time(kind, tmp_path, monkeypatch):
    """Each waits until another is being opened too."""
    together = threading.Barrier(2, timeout=30)

    def waiting(function):
        def call(*arguments, **options):
            together.wait()
            return function(*arguments, **options)

        return call

    for number in range(4):
        table = a_table(3 * number, 3)
        if kind == "fits":
            table.write(tmp_path / f"{number}.fits")
        else:
            pq.write_table(pa.Table.from_pandas(table.to_pandas()), tmp_path / f"{number}.parquet")
    monkeypatch.setattr(_parquet_files, "_footer", waiting(_parquet_files._footer))
    monkeypatch.setattr(_fits_partition, "FitsCatalog", waiting(_fits_partition.FitsCatalog))
    catalog = open_catalog(tmp_path)
    np.testing.assert_array_equal(catalog.read_column("RA", 0, 12), np.arange(12) * 1.5)


def test_a_folder_is_one_catalog(folder):
    catalog = open_catalog(folder)
    assert catalog.format == "fits-folder" and catalog.row_count == 7
    expected = a_table(0, 7)
    for start, stop in ((0, 7), (2, 4), (3, 3), (5, 7)):
        found = catalog.read_positions(start, stop)
        np.testing.assert_array_equal(found[:, 0], expected["RA"][start:stop])
        np.testing.assert_array_equal(found[:, 1], expected["DEC"][start:stop])
    details = {detail.name: detail for detail in describe_columns(catalog)}
    rows = np.array([6, 0, 3])
    assert read_values(catalog, details["ID"], rows).tolist() == [LARGE + n for n in (6, 0, 3)]
    assert read_values(catalog, details["NAME"], rows).tolist() == ["n6", "n0", "n3"]
    assert read_values(catalog, details["RA"], rows).tolist() == [9.0, 0.0, 4.5]


def test_one_output_for_each_file(folder, tmp_path):
    output = annotate(folder, tmp_path / "out")
    names = sorted(str(path.relative_to(output)) for path in output.rglob("*") if path.is_file())
    assert names == ["README", "_old.fits", "a.fits", "b.fits", "north/c.fits.gz"]
    first = 0
    for name in ("a.fits", "b.fits", "north/c.fits.gz"):
        before, after = Table.read(folder / name), Table.read(output / name)
        assert after.colnames == [*before.colnames, "P_LSBG", "FLAGS_LSBG"]
        for column in before.colnames:
            np.testing.assert_array_equal(before[column], after[column])
        expected = values_for(first, first + len(before))
        np.testing.assert_array_equal(np.ma.filled(after["P_LSBG"], np.nan), expected[0])
        np.testing.assert_array_equal(after["FLAGS_LSBG"], expected[1])
        first += len(before)
    assert open_catalog(output).provenance() == {"weights": "w", "threshold": "0.4"}
    again = annotate(output, tmp_path / "again", overwrite_columns=True)
    assert (again / "a.fits").read_bytes() == (output / "a.fits").read_bytes()


def test_the_fingerprint_knows_names_and_contents(folder):
    before = open_catalog(folder).fingerprint()
    (folder / "a.fits").rename(folder / "a2.fits")
    assert open_catalog(folder).fingerprint() != before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: Table({"x": [1]}).write(folder / "d.fits"), "d.fits: no position column"),
        (lambda folder: (folder / "d.fits").write_bytes(b"SIMPLE"), "d.fits: not a readable FITS"),
        (
            lambda folder: Table({"ra": [1.0], "dec": [1.0]}).write(folder / "d.fits"),
            "d.fits: has ra and dec in deg, but .*a.fits has RA and DEC in deg; make the files",
        ),
        (lambda folder: a_table(0, 1).write(folder / "d.parquet"), "parquet"),
    ],
)
def test_folders_that_are_refused(folder, change, message):
    if message == "parquet":
        (folder / "d.parquet").write_bytes(b"PAR1")
        message = r"d\.parquet: not a readable Parquet file"
    else:
        change(folder)
    with pytest.raises(InputError, match=message) as error:
        open_catalog(folder)
    assert "\n" not in str(error.value)


def test_nothing_half_written(folder, tmp_path):
    catalog = open_catalog(folder)

    def broken(start, stop):
        if start > 2:
            raise InputError("no more")
        return values_for(start, stop)

    with pytest.raises(InputError, match="no more"):
        catalog.write_annotated(tmp_path / "out", lsbg_columns(()), broken, PROVENANCE)
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


def test_a_folder_with_other_files_is_never_replaced(folder, tmp_path):
    output = annotate(folder, tmp_path / "out")
    check_output(folder, output, overwrite=True)
    (output / "image.fits").write_bytes(b"of somebody")
    with pytest.raises(InputError, match=r"holds other files than .*tiles and is not replaced"):
        check_output(folder, output, overwrite=True)


def test_tiles_of_des(shared, survey, lsbg, tmp_path):
    path = shared / "cases" / "catalogs" / "per_tile_fits"
    output = tmp_path / "scored"
    code, _, err = lsbg("classify", path, output, "--cutouts", f"tiles:{survey.tiles}")
    assert code == 0, err
    for file in path.iterdir():
        before, after = fits.getdata(file), fits.getdata(output / file.name)
        assert after.names == [*before.names, *after.names[-2:]]
        for name in before.names:
            np.testing.assert_array_equal(before[name], after[name])


# --- Chips ---


def ldac(path, *tables):
    hdus = [fits.PrimaryHDU()]
    for table in tables:
        head = Table({"Field Header Card": ["x" * 80]})
        hdus.append(fits.BinTableHDU(head, name="LDAC_IMHEAD"))
        hdus.append(fits.BinTableHDU(table, name="LDAC_OBJECTS"))
    fits.HDUList(hdus).writeto(path)
    return path


def chip(first, rows):
    table = a_table(first, rows)["ID", "RA", "DEC"]
    table["FLUX_APER"] = np.arange(3.0 * rows).reshape(rows, 3)
    return table


def test_all_chips_in_one_run(tmp_path):
    path = ldac(tmp_path / "in.cat", chip(0, 3), chip(3, 2), chip(5, 4))
    catalog = open_catalog(path)
    assert catalog.row_count == 9
    np.testing.assert_array_equal(catalog.read_positions(2, 6)[:, 0], np.arange(2, 6) * 1.5)
    detail = describe_columns(catalog)[0]
    assert read_values(catalog, detail, np.array([8, 3])).tolist() == [LARGE + 8, LARGE + 3]
    output = annotate(path, tmp_path / "out.cat")
    with fits.open(path) as before, fits.open(output) as after:
        assert [hdu.name for hdu in after] == [hdu.name for hdu in before]
        first = 0
        for number in (2, 4, 6):
            old, new = before[number].data, after[number].data
            assert new.names == [*old.names, "P_LSBG", "FLAGS_LSBG"]
            for name in old.names:
                np.testing.assert_array_equal(old[name], new[name])
            np.testing.assert_array_equal(new["P_LSBG"], values_for(first, first + len(old))[0])
            assert after[number].header["LSBGWGT"] == "w"
            first += len(old)
    again = annotate(output, tmp_path / "again.cat", overwrite_columns=True)
    assert again.read_bytes() == output.read_bytes()


def test_one_chip_is_chosen_by_its_number(tmp_path):
    path = ldac(tmp_path / "in.cat", chip(0, 3), chip(3, 2))
    output = annotate(path, tmp_path / "out.cat", table="4")
    with fits.open(output) as hdus:
        assert "P_LSBG" not in hdus[2].data.names and len(hdus[4].data["P_LSBG"]) == 2


def test_chips_that_differ_must_be_chosen(tmp_path):
    path = ldac(tmp_path / "in.cat", chip(0, 3), a_table(3, 2))
    with pytest.raises(InputError, match="several tables with positions; choose with --table"):
        open_catalog(path)


# --- ASCII tables ---


def ascii_table(path):
    columns = [
        fits.Column("RA", "F12.7", "deg", array=[10.5, 11.25, 12.125]),
        fits.Column("NAME", "A8", array=["a b", "", "c"]),
        fits.Column("DEC", "D25.17", "deg", array=[-20.5, 0.125, 21.0]),
        fits.Column("N", "I6", array=[1, 2, 3]),
    ]
    fits.HDUList([fits.PrimaryHDU(), fits.TableHDU.from_columns(columns, name="T")]).writeto(path)
    return path


@needs_nan_in_text
def test_ascii_tables(tmp_path):
    path = ascii_table(tmp_path / "in.fits")
    catalog = open_catalog(path)
    found = catalog.read_positions(0, 3).tolist()
    assert found == [[10.5, -20.5], [11.25, 0.125], [12.125, 21.0]]
    details = {detail.name: detail for detail in describe_columns(catalog)}
    assert {name: detail.kind for name, detail in details.items()} == {
        "RA": "number", "NAME": "text", "DEC": "number", "N": "integer"
    }  # fmt: skip
    assert read_values(catalog, details["NAME"], np.arange(3)).tolist() == ["a b", None, "c"]
    assert read_values(catalog, details["N"], np.array([2, 0])).tolist() == [3, 1]
    output = annotate(path, tmp_path / "out.fits")
    with fits.open(path) as before, fits.open(output) as after:
        old, new = before[1].data, after[1].data
        for name in old.names:
            np.testing.assert_array_equal(old[name], new[name])
        np.testing.assert_array_equal(new["P_LSBG"].astype("f4"), values_for(0, 3)[0])
        np.testing.assert_array_equal(new["FLAGS_LSBG"], values_for(0, 3)[1])
        rows = before[1].header["NAXIS1"]
        raw = path.read_bytes()[-2880:], output.read_bytes()[-2880:]
        for n in range(3):
            start = n * after[1].header["NAXIS1"]
            assert raw[1][start : start + rows] == raw[0][n * rows : (n + 1) * rows]
    catalog = open_catalog(output)
    np.testing.assert_array_equal(catalog.read_column("P_LSBG", 0, 3), values_for(0, 3)[0])
    again = annotate(output, tmp_path / "again.fits", overwrite_columns=True)
    assert again.read_bytes() == output.read_bytes()


@needs_nan_in_text
def test_columns_in_the_middle_of_ascii_tables_are_replaced(tmp_path):
    columns = [
        fits.Column("RA", "F12.7", "deg", array=[10.5, 11.25]),
        fits.Column("P_LSBG", "E15.7", array=[0.5, 0.25]),
        fits.Column("DEC", "F12.7", "deg", array=[-20.5, 0.125]),
    ]
    fits.TableHDU.from_columns(columns).writeto(tmp_path / "in.fits")
    output = annotate(tmp_path / "in.fits", tmp_path / "out.fits", overwrite_columns=True)
    data = fits.getdata(output)
    assert data.names == ["RA", "DEC", "P_LSBG", "FLAGS_LSBG"]
    assert data["RA"].tolist() == [10.5, 11.25] and data["DEC"].tolist() == [-20.5, 0.125]
    np.testing.assert_array_equal(data["P_LSBG"].astype("f4"), values_for(0, 2)[0])


def test_vizier_writes_ascii_tables(shared, tmp_path):
    path = shared / "cases" / "catalogs" / "vizier_ascii_table.fits"
    output = annotate(path, tmp_path / "out.fits")
    before, after = Table.read(path), Table.read(output)
    assert after.colnames == [*before.colnames, "P_LSBG", "FLAGS_LSBG"]
    for name in before.colnames:
        assert before[name].tolist() == after[name].tolist()


@pytest.mark.slow
def test_other_readers_of_ascii_tables(tmp_path):
    output = annotate(ascii_table(tmp_path / "in.fits"), tmp_path / "out.fits")
    with fitsio.FITS(output) as hdus:
        found = hdus[1].read(columns=["RA", "P_LSBG", "FLAGS_LSBG"])  # it knows no missing values
        assert found["RA"].tolist() == [10.5, 11.25, 12.125]
        assert found["P_LSBG"].tolist() == [0, 0.125, 0.25]
        assert found["FLAGS_LSBG"].tolist() == [0, 1, 2]
    assert Table.read(output)["P_LSBG"].tolist() == [None, 0.125, 0.25]
    assert fits.getheader(output, 1)["TNULL5"] == ""
    if shutil.which("stilts"):
        done = subprocess.run(
            ["stilts", "tpipe", f"in={output}", "ofmt=csv"],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        rows = [line.split(",") for line in done.stdout.splitlines()]
        assert rows[0] == ["RA", "NAME", "DEC", "N", "P_LSBG", "FLAGS_LSBG"]
        assert [row[4] for row in rows[1:]] == ["", "0.125", "0.25"]


# --- Some of the rows ---


def test_some_rows_of_folders_and_chips(folder, tmp_path):
    keep = np.array([True, False, True, False, False, True, True])
    open_catalog(folder).write_rows(tmp_path / "some", keep)
    assert open_catalog(tmp_path / "some").read_positions(0, 4)[:, 0].tolist() == [0, 3, 7.5, 9]
    path = ldac(tmp_path / "in.cat", chip(0, 3), chip(3, 4))
    open_catalog(path).write_rows(tmp_path / "some.cat", keep)
    with fits.open(tmp_path / "some.cat") as hdus:
        assert hdus[2].data["ID"].tolist() == [LARGE, LARGE + 2]
        assert hdus[4].data["ID"].tolist() == [LARGE + 5, LARGE + 6]
    keep = np.array([False, True, True])
    open_catalog(ascii_table(tmp_path / "in.fits")).write_rows(tmp_path / "some.fits", keep)
    assert fits.getdata(tmp_path / "some.fits")["RA"].tolist() == [11.25, 12.125]
