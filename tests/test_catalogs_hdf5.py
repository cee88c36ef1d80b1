"""HDF5 of astropy and of tables_io: the same file with two columns more."""

import h5py
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table

from catalogs import InputError, find_selection, lsbg_columns, open_catalog, write_chosen
from catalogs import hdf5 as hdf5_module
from catalogs.details import describe_columns, read_values

ROWS = 12
PROVENANCE = {"weights": "w é", "source": "tiles:x"}


def values_for(start, stop):
    rows = np.arange(start, stop)
    return np.where(rows % 3, rows / 10, np.nan).astype("f4"), (rows % 5).astype("i2")


def annotate(path, output, overwrite_columns=False, **options):
    catalog = open_catalog(path, **options)
    columns = lsbg_columns(catalog.column_names, style="upper")
    catalog.write_annotated(
        output, columns, values_for, PROVENANCE, overwrite_columns=overwrite_columns
    )
    return output


def a_table():
    rows = np.arange(ROWS)
    table = Table({"RA": rows * 7.5 * u.deg, "DEC": (rows - 5.0) * u.deg})
    table["ID"] = rows.astype("u8") + np.uint64(2**63)
    table["NAME"] = [f"n{n} é" for n in rows]
    table["V"] = np.arange(3.0 * ROWS).reshape(ROWS, 3).astype("f4")
    table["FLAGS"] = MaskedColumn(rows % 5, mask=rows % 4 == 0, dtype="i2", description="bits")
    table["OK"] = rows % 2 == 0
    table.meta["survey"] = {"name": "mine"}
    return table


def of_astropy(path, **options):
    a_table().write(path, path="deep/cat", serialize_meta=True, **options)
    with h5py.File(path, "r+") as file:
        file["image"] = np.arange(6.0)
        file["deep/cat"].attrs["note"] = "kept"
    return path


def of_columns(path):
    """A group of columns as TXPipe's catalogs have them, beside others."""
    table = a_table()
    with h5py.File(path, "w") as file:
        group = file.create_group("shear")
        for name in ("RA", "DEC", "ID", "V", "OK"):
            values = np.asarray(table[name])
            group.create_dataset(name.lower(), data=values, chunks=True, compression="gzip")
        group["ra"].attrs["unit"] = "deg"
        group["name"] = [str(name) for name in table["NAME"]]
        group["other_length"] = np.arange(3)
        group.attrs["bands"] = "riz"
        file.create_group("meta")["one"] = np.arange(2)
    return path


def contents(path):
    """All datasets with their attributes and storage."""
    found = {}
    with h5py.File(path) as file:

        def visit(name, node):
            attributes = {key: str(value) for key, value in node.attrs.items()}
            if isinstance(node, h5py.Dataset):
                storage = (node.dtype, node.chunks, node.compression, node.shuffle, node.maxshape)
                values = [str(value) for value in node[()].tolist()]
                found[name] = (attributes, values, storage)
            else:
                found[name] = (attributes,)

        file.visititems(visit)
    return found


@pytest.mark.parametrize("block", [65536, 5])
@pytest.mark.parametrize("options", [{}, {"compression": True}])
def test_astropy_reads_the_same_table(tmp_path, options, block):
    path = of_astropy(tmp_path / "in.h5", **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hdf5_module, "BLOCK_ROWS", block)
        output = annotate(path, tmp_path / "out.h5")
    before, after = Table.read(path, path="deep/cat"), Table.read(output, path="deep/cat")
    assert after.colnames == [*before.colnames, "P_LSBG", "FLAGS_LSBG"]
    for name in before.colnames:
        assert after[name].dtype == before[name].dtype and after[name].unit == before[name].unit
        assert after[name].tolist() == before[name].tolist()
        assert after[name].description == before[name].description
    np.testing.assert_array_equal(after["P_LSBG"], values_for(0, ROWS)[0])
    np.testing.assert_array_equal(after["FLAGS_LSBG"], values_for(0, ROWS)[1])
    assert after["P_LSBG"].description.startswith("probability")
    assert after.meta["survey"] == {"name": "mine"} and after.meta["lsbg.weights"] == "w é"
    old, new = contents(path), contents(output)
    assert {name for name in old} == {name for name in new}
    assert new["image"] == old["image"] and new["deep/cat"][0]["note"] == "kept"
    assert new["deep/cat"][2][1:] == old["deep/cat"][2][1:]
    assert open_catalog(output).provenance() == PROVENANCE
    again = annotate(path, tmp_path / "again.h5")
    assert again.read_bytes() == output.read_bytes()
    with pytest.raises(InputError, match="already has the column P_LSBG"):
        annotate(output, tmp_path / "never.h5")
    annotate(output, tmp_path / "twice.h5", overwrite_columns=True)
    twice = contents(tmp_path / "twice.h5")
    assert {name: entry[1:] for name, entry in twice.items()} == {
        name: entry[1:] for name, entry in new.items()
    }
    assert not (tmp_path / "never.h5").exists()


def test_values(tmp_path):
    catalog, table = open_catalog(of_astropy(tmp_path / "in.h5")), a_table()
    assert catalog.format == "hdf5" and catalog.position_columns.unit == "deg"
    np.testing.assert_array_equal(
        catalog.read_positions(2, 7), np.transpose([table["RA"][2:7], table["DEC"][2:7]])
    )
    flags = np.ma.filled(table["FLAGS"].astype(float), np.nan)
    np.testing.assert_array_equal(catalog.read_column("FLAGS", 0, ROWS), flags)
    details = {detail.name: detail for detail in describe_columns(catalog)}
    assert details["FLAGS"].description == "bits" and details["RA"].unit == "deg"
    rows = np.array([8, 3])
    assert read_values(catalog, details["ID"], rows).tolist() == [2**63 + 8, 2**63 + 3]
    assert read_values(catalog, details["NAME"], rows).tolist() == ["n8 é", "n3 é"]
    assert read_values(catalog, details["FLAGS"], rows).tolist() == [None, 3]
    for text, chosen in {
        f"ID == {2**63 + 3}": [3],
        "NAME == 'n4 é'": [4],
        "V[2] > 30": [10, 11],
        "OK and FLAGS == 2": [2],
        "(FLAGS & 2) != 0": [2, 3, 7],
    }.items():
        keep = find_selection(text, catalog).keep(catalog, 0, ROWS)
        assert np.flatnonzero(keep).tolist() == chosen


def test_a_group_of_columns(tmp_path):
    path = of_columns(tmp_path / "in.hdf5")
    catalog = open_catalog(path)
    assert set(catalog.column_names) == {"ra", "dec", "id", "v", "ok", "name"}
    (warning,) = catalog.warnings
    assert "datasets of /shear" in warning and warning.endswith("as they are: other_length")
    assert open_catalog(of_astropy(tmp_path / "whole.h5")).warnings == ()
    assert find_selection("name == 'n4 é' or v[0] > 31", catalog).keep(
        catalog, 0, ROWS
    ).nonzero()[0].tolist() == [4, 11]  # fmt: skip
    output = annotate(path, tmp_path / "out.hdf5")
    old, new = contents(path), contents(output)
    assert set(new) - set(old) == {"shear/P_LSBG", "shear/FLAGS_LSBG"}
    for name in set(old) - {"shear"}:
        assert new[name] == old[name]
    notes, values, storage = new["shear/P_LSBG"]
    np.testing.assert_array_equal(np.array(values, "f4"), values_for(0, ROWS)[0])
    assert notes["ucd"] == "stat.probability;src.class" and storage[2] == "gzip"
    assert new["shear"][0] == {
        "bands": "riz", **{f"lsbg.{key}": value for key, value in PROVENANCE.items()}
    }  # fmt: skip
    assert open_catalog(output).provenance() == PROVENANCE
    assert annotate(path, tmp_path / "again.hdf5").read_bytes() == output.read_bytes()
    twice = annotate(output, tmp_path / "twice.hdf5", overwrite_columns=True)
    assert contents(twice) == new


def test_a_dataset_of_another_length_is_not_overwritten(tmp_path):
    path = of_columns(tmp_path / "in.hdf5")
    with h5py.File(path, "r+") as file:
        file["shear/p_lsbg"] = np.arange(3)
    with pytest.raises(InputError, match="shear: already has the column p_lsbg"):
        annotate(path, tmp_path / "out.hdf5")


@pytest.mark.parametrize("make", [of_astropy, of_columns])
def test_some_rows(tmp_path, make):
    path, keep = make(tmp_path / "in.h5"), np.arange(ROWS) % 3 == 1
    write_chosen(open_catalog(path), tmp_path / "out.h5", keep)
    before, after = open_catalog(path), open_catalog(tmp_path / "out.h5")
    assert after.row_count == keep.sum() and after.column_names == before.column_names
    np.testing.assert_array_equal(after.read_positions(0, 4), before.read_positions(0, ROWS)[keep])
    old, new = contents(path), contents(tmp_path / "out.h5")
    for name in old:
        assert new[name][0] == old[name][0]
        if len(old[name]) > 1 and len(old[name][1]) == ROWS:
            assert new[name][1] == [v for v, k in zip(old[name][1], keep, strict=True) if k]
            assert new[name][2][:4] == old[name][2][:4]


def test_rows_with_gaps_between_the_values(tmp_path):
    kind = np.dtype({"names": ["ra", "n", "dec"], "formats": [">f8", "S3", "<f4"],
                     "offsets": [0, 9, 16], "itemsize": 24})  # fmt: skip
    rows = np.zeros(4, kind)
    rows["ra"], rows["dec"], rows["n"] = np.arange(4) + 0.5, -1, b"abc"
    with h5py.File(tmp_path / "in.h5", "w") as file:
        settings = {"chunks": (3,), "compression": "lzf", "shuffle": True, "maxshape": (9,)}
        file.create_dataset("t", data=rows, fletcher32=True, **settings)
    output = annotate(tmp_path / "in.h5", tmp_path / "out.h5")
    with h5py.File(output) as file:
        made = file["t"]
        assert [made.dtype.fields[n][1] for n in made.dtype.names] == [0, 9, 16, 24, 28]
        assert made["ra"].dtype == ">f8" and made["ra"].tolist() == rows["ra"].tolist()
        assert (made.chunks, made.compression, made.shuffle, made.fletcher32, made.maxshape) == (
            (3,), "lzf", True, True, (9,)
        )  # fmt: skip


def test_positions_in_a_column_of_sky_coordinates(tmp_path):
    table = Table({"sky": SkyCoord([1.0, 2.0], [3.0, 4.0], unit="deg"), "n": ["a", "b"]})
    table.write(tmp_path / "in.h5", path="t", serialize_meta=True)
    output = annotate(tmp_path / "in.h5", tmp_path / "out.h5", ra="sky.ra", dec="sky.dec")
    after = Table.read(output, path="t")
    assert after["sky"].ra.deg.tolist() == [1, 2] and after.colnames[-1] == "FLAGS_LSBG"


def test_no_mask_of_an_old_column_hides_new_values(tmp_path):
    table = a_table()
    table["P_LSBG"] = MaskedColumn(np.ones(ROWS, "f4"), mask=np.ones(ROWS, bool))
    table["P_LSBG"].mask[0] = False
    table.write(tmp_path / "in.h5", path="t", serialize_meta=True)
    output = annotate(tmp_path / "in.h5", tmp_path / "out.h5", overwrite_columns=True)
    np.testing.assert_array_equal(Table.read(output, path="t")["P_LSBG"], values_for(0, ROWS)[0])


def test_which_table(tmp_path):
    path = of_columns(tmp_path / "in.h5")
    with h5py.File(path, "r+") as file:
        file["second"] = np.zeros(3, [("ra", "f8"), ("dec", "f8")])
    with pytest.raises(InputError, match=r"several tables with positions.*: /second, /shear$"):
        open_catalog(path)
    assert open_catalog(path, table="second").row_count == 3
    with pytest.raises(InputError, match="no table 'third'; there are /second, /shear"):
        open_catalog(path, table="third")
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file["image"] = np.zeros((3, 3))
    with pytest.raises(InputError, match="no table in it"):
        open_catalog(tmp_path / "none.h5")


def test_pandas_is_refused_with_the_command(tmp_path):
    with h5py.File(tmp_path / "in.h5", "w") as file:
        group = file.create_group("candidates")
        group.attrs["pandas_type"] = np.bytes_(b"frame_table")
        group["table"] = np.zeros(3, [("index", "i8"), ("values_block_0", "f8", 2)])
    with pytest.raises(InputError, match=r"HDF5 of pandas.*read_hdf\('in\.h5', '/candidates'\)"):
        open_catalog(tmp_path / "in.h5")


def test_a_dataset_with_two_names(tmp_path):
    path = of_astropy(tmp_path / "in.h5")
    with h5py.File(path, "r+") as file:
        file["same"] = file["deep/cat"]
    with pytest.raises(InputError, match="has several names in the file"):
        annotate(path, tmp_path / "out.h5")


@pytest.mark.slow
@pytest.mark.parametrize("make", [of_astropy, of_columns])
def test_damaged_files_are_told_in_one_line(tmp_path, make):
    content = bytearray(make(tmp_path / "in.h5").read_bytes())
    rng, bad = np.random.default_rng(3), tmp_path / "bad.h5"
    cut = [bytes(content[: int(f * len(content))]) for f in (0.02, 0.3, 0.6, 0.95)]
    changed = []
    for place in rng.integers(8, len(content), 40).tolist():
        changed.append(content.copy())
        changed[-1][place] ^= 0xFF
    for damaged in [*cut, *changed]:
        bad.write_bytes(damaged)
        try:
            annotate(bad, tmp_path / "out.h5")
        except InputError as error:
            assert "\n" not in str(error)
        for file in tmp_path.glob("*.partial"):
            raise AssertionError(file)


@pytest.mark.parametrize(("make", "name"), [(of_astropy, b"ID\0"), (of_columns, b"other_length")])
def test_names_that_are_not_utf8_are_told_in_one_line(tmp_path, make, name):
    path = make(tmp_path / "in.h5")
    path.write_bytes(path.read_bytes().replace(name, b"\xff" + name[1:]))
    with pytest.raises(InputError, match=r"^[^\n]*not a readable HDF5 file \([^\n]*$"):
        open_catalog(path)


@pytest.mark.parametrize("make", [of_astropy, of_columns])
def test_no_rows(tmp_path, make):
    path = make(tmp_path / "in.h5")
    write_chosen(open_catalog(path), tmp_path / "none.h5", np.zeros(ROWS, bool))
    output = annotate(tmp_path / "none.h5", tmp_path / "out.h5")
    assert open_catalog(output).row_count == 0
    assert open_catalog(output).column_names[-1] in ("FLAGS_LSBG", "v")
