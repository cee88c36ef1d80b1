"""Some rows of a catalog, in its own format, and the names of what is written beside it."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import MaskedColumn, Table

from catalogs import InputError, find_selection, lsbg_columns, open_catalog, write_chosen
from catalogs.beside import check_in_place, chosen_output, default_output
from catalogs.selection import count_removed

ROWS = 40
KEEP = np.random.default_rng(2).random(ROWS) < 0.4


def a_table():
    table = Table({"RA": np.arange(ROWS) + 0.25, "DEC": np.linspace(-5, 5, ROWS)})
    table["ID"] = np.arange(ROWS) + 2**60
    table["NAME"] = [f"n{n % 7} <&>" for n in range(ROWS)]
    table["V"] = np.arange(3.0 * ROWS).reshape(ROWS, 3).astype("f4")
    table["FLAGS"] = MaskedColumn(np.arange(ROWS) % 5, mask=np.arange(ROWS) % 6 == 0, dtype="i2")
    return table


def write_fits(path):
    table = a_table()
    formats = {"RA": "D", "DEC": "D", "ID": "K", "NAME": "8A", "V": "3E"}
    columns = [fits.Column(name, form, array=table[name]) for name, form in formats.items()]
    texts = np.array([np.arange(n % 4, dtype="i4") for n in range(ROWS)], object)
    columns.append(fits.Column("P", "PJ()", array=texts))
    hdu = fits.BinTableHDU.from_columns(columns, name="CAT")
    after = fits.ImageHDU(np.arange(12), name="AFTER")
    fits.HDUList([fits.PrimaryHDU(), hdu, after]).writeto(path, checksum=True)


WRITERS = {
    "in.fits": write_fits,
    "in.parquet": lambda path: a_table().write(path, format="parquet"),
    "in.ecsv": lambda path: a_table().write(path),
    "in.vot": lambda path: from_table(a_table()).to_xml(str(path)),
    "in2.vot": lambda path: from_table(a_table()).to_xml(str(path), tabledata_format="binary2"),
}


def read(path):
    return Table.read(path, format="votable" if path.suffix == ".vot" else None)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("keep", [KEEP, np.zeros(ROWS, bool), np.ones(ROWS, bool)])
@pytest.mark.filterwarnings("ignore")
def test_rows_of_every_format(tmp_path, name, keep):
    path, output = tmp_path / name, tmp_path / f"out_{name}"
    WRITERS[name](path)
    write_chosen(open_catalog(path), output, keep)
    if name == "in.ecsv" and not keep.any():  # astropy cannot read a vector without rows
        assert output.read_text().splitlines() == path.read_text().splitlines()[:-ROWS]
        return
    before, after = read(path), read(output)
    assert len(after) == keep.sum() and after.colnames == before.colnames
    for column in before.colnames:
        old, new = before[column][keep], after[column]
        assert str(old.dtype) == str(new.dtype) or keep.sum() == 0
        assert [str(value) for value in new] == [str(value) for value in old]
    if keep.all() and name not in ("in.parquet", "in2.vot"):
        assert output.read_bytes() == path.read_bytes()


def test_the_rest_of_a_fits_file_stays(tmp_path):
    write_fits(tmp_path / "in.fits")
    write_chosen(open_catalog(tmp_path / "in.fits"), tmp_path / "out.fits", KEEP)
    with fits.open(tmp_path / "out.fits", checksum=True) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "CAT", "AFTER"]
        assert hdus[1].verify_checksum() == 1 and hdus[1].verify_datasum() == 1
        assert [len(row) for row in hdus[1].data["P"]] == [n % 4 for n in np.flatnonzero(KEEP)]
        assert hdus["AFTER"].data.tolist() == list(range(12))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_rows_of_text(tmp_path, end, last):
    lines = ["# mine", "ra,dec,name", *(f'{n},{n / 10},"a,{n}"' for n in range(ROWS))]
    (tmp_path / "in.csv").write_bytes((end.join(lines) + end * last).encode())
    write_chosen(open_catalog(tmp_path / "in.csv"), tmp_path / "out.csv", KEEP)
    kept = lines[:2] + [line for line, keep in zip(lines[2:], KEEP, strict=True) if keep]
    found = (tmp_path / "out.csv").read_bytes().decode()
    assert found.removesuffix(end).split(end) == kept
    assert open_catalog(tmp_path / "out.csv").row_count == KEEP.sum()


def test_chosen_rows_of_csv_are_described_as_all_are(tmp_path):
    (tmp_path / "in.csv").write_text("ra,dec\n1,2\n3,4\n")
    catalog = open_catalog(tmp_path / "in.csv")
    scores = np.array([0.25, 0.75], "f4"), np.zeros(2, "i2")
    columns = lsbg_columns(catalog.column_names)
    catalog.write_annotated(tmp_path / "out.csv", columns, lambda *_: scores, {"weights": "w"})
    keep = np.array([False, True])
    write_chosen(open_catalog(tmp_path / "out.csv"), tmp_path / "out_only.csv", keep)
    assert (tmp_path / "out_only.csv").read_text().splitlines()[1:] == ["3,4,0.75,0"]
    assert open_catalog(tmp_path / "out_only.csv").provenance() == {"weights": "w"}
    first, second = (
        json.loads((tmp_path / f"{name}.csv-metadata.json").read_text())
        for name in ("out", "out_only")
    )
    assert second == first | {"url": "out_only.csv"}
    write_chosen(catalog, tmp_path / "plain_only.csv", keep)
    assert not (tmp_path / "plain_only.csv-metadata.json").exists()
    (tmp_path / "x.csv-metadata.json").write_text("{}")
    with pytest.raises(InputError, match="was not written by lsbg"):
        write_chosen(open_catalog(tmp_path / "out.csv"), tmp_path / "x.csv", keep)


def test_exact_values_of_text(tmp_path):
    rows = ["ra,dec,id,name,ok"]
    rows += [f"0{n}:00:00,-0{n}:30:00,{36407050963681538 + n},n{n},{n < 2}" for n in range(4)]
    (tmp_path / "in.csv").write_text("\n".join(rows) + "\n")
    catalog = open_catalog(tmp_path / "in.csv")
    np.testing.assert_allclose(catalog.read_positions(1, 3), [[15, -1.5], [30, -2.5]])
    for text, keep in {
        "id == 36407050963681539": [False, True, False, False],
        "name in ('n0', 'n3')": [True, False, False, True],
        "ok": [True, True, False, False],
    }.items():
        assert find_selection(text, catalog).keep(catalog, 0, 4).tolist() == keep


def test_a_folder_of_parquet(tmp_path):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for place, part in enumerate(("a.parquet", "deep/b.parquet")):
        a_table()[place * 20 : place * 20 + 20].write(folder / part, format="parquet")
    (folder / "README").write_text("mine")
    write_chosen(open_catalog(folder), tmp_path / "out", KEEP)
    found = [
        pq.read_table(tmp_path / "out" / name)["ID"] for name in ("a.parquet", "deep/b.parquet")
    ]
    numbers = np.concatenate([part.to_numpy() for part in found])
    assert numbers.tolist() == (np.flatnonzero(KEEP) + 2**60).tolist()
    assert (tmp_path / "out" / "README").read_text() == "mine"


def test_fits_plus_learns_the_number_of_rows(shared, tmp_path):
    path = shared / "cases" / "catalogs" / "topcat_fitsplus.fits"
    catalog = open_catalog(path)
    keep = np.arange(catalog.row_count) % 3 == 0
    write_chosen(catalog, tmp_path / "out.fits", keep)
    with fits.open(path) as old, fits.open(tmp_path / "out.fits") as new:
        text = bytes(new[0].data)
        assert f'nrows="{keep.sum()}"'.encode() in text or b"nrows" not in bytes(old[0].data)
        assert len(text) == len(bytes(old[0].data))
        np.testing.assert_array_equal(new[1].data["NUMBER"], old[1].data["NUMBER"][keep])


@pytest.mark.parametrize(
    ("name", "scored", "chosen"),
    [
        ("cat.fits", "cat_lsbg.fits", "cat_only.fits"),
        ("a/cat.fits.gz", "a/cat_lsbg.fits.gz", "a/cat_only.fits.gz"),
        ("cat.v1.vot.bz2", "cat.v1_lsbg.vot.bz2", "cat.v1_only.vot.bz2"),
        ("folder", "folder_lsbg", "folder_only"),
        ("https://host/a/cat.parquet?x=1", "cat_lsbg.parquet", None),
    ],
)
def test_names_beside(name, scored, chosen):
    assert str(default_output(name)) == scored
    assert chosen is None or str(chosen_output(name)) == chosen


def test_what_cannot_be_replaced_in_its_place(tmp_path):
    file = tmp_path / "cat.fits"
    write_fits(file)
    (tmp_path / "link.fits").symlink_to(file)
    assert check_in_place(tmp_path / "link.fits") == file.resolve()
    for source, message in [(tmp_path, "single files"), ("https://host/c.fits", "local files")]:
        with pytest.raises(InputError, match=message):
            check_in_place(source)


def test_how_many_rows_each_condition_removes(tmp_path):
    write_fits(tmp_path / "in.fits")
    catalog = open_catalog(tmp_path / "in.fits")
    selection = find_selection("RA > 10 and RA < 30 and ID[0]", catalog)
    assert count_removed(selection, catalog) == [
        ("RA > 10", 10, 5),
        ("RA < 30", 10, 5),
        ("ID[0]", 20, 10),
    ]
