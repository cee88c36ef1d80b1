"""FITS in, FITS out: every byte but ours survives."""

import gzip
import warnings

import fitsio
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogs import InputError, lsbg_columns, open_catalog

PROVENANCE = {
    "weights": "des-simulated",
    "weights_sha256": "0" * 64,
    "source": "tiles:" + "a/very/long/folder/" * 6,
    "software": "lsbg_classifier 0.1.0",
    "date": "2026-01-01",
    "threshold": "0.5",
}
OURS = ["P_LSBG", "FLAGS_LSBG"]


def values_for(start, stop):
    rows = np.arange(start, stop)
    probability = np.where(rows % 5 == 4, np.nan, rows / 1000).astype(np.float32)
    return probability, (rows % 128).astype(np.int16)


def annotate(path, output, overwrite_columns=False, **options):
    catalog = open_catalog(path, **options)
    columns = lsbg_columns(catalog.column_names)
    catalog.write_annotated(
        output, columns, values_for, PROVENANCE, overwrite_columns=overwrite_columns
    )
    return output


def all_types(rows=7):
    """A table with a column of every kind that the FITS standard knows."""
    rng = np.random.default_rng(5)

    def ragged(dtype):
        lists = [np.arange(i % 4, dtype=dtype) for i in range(rows)]
        return np.array([*lists, None], dtype=object)[:-1]

    def column(name, form, array, **more):
        return fits.Column(name, form, array=array, **more)

    return fits.BinTableHDU.from_columns(
        [
            column("NUMBER", "J", np.arange(rows), null=-1),
            column("ALPHA_J2000", "D", rng.uniform(0, 360, rows), unit="deg"),
            column("DELTA_J2000", "D", rng.uniform(-90, 90, rows), unit="deg"),
            column("BITS", "11X", rng.integers(0, 2, (rows, 11)).astype(bool)),
            column("LOGICAL", "L", rng.integers(0, 2, rows).astype(bool)),
            column("BYTE", "B", rng.integers(0, 255, rows).astype(np.uint8)),
            column("SIGNED_BYTE", "B", rng.integers(-128, 127, rows).astype(np.int8), bzero=-128),
            column("SHORT", "I", rng.integers(-9, 9, rows).astype(np.int16)),
            column("UNSIGNED_SHORT", "I", np.arange(rows, dtype=np.uint16) + 60000, bzero=2**15),
            column("UNSIGNED", "J", np.arange(rows, dtype=np.uint32) + 2**31, bzero=2**31),
            column("LONG", "K", rng.integers(-(2**60), 2**60, rows)),
            column("UNSIGNED_LONG", "K", np.arange(rows, dtype=np.uint64) + 2**63, bzero=2**63),
            column("SINGLE", "E", np.where(np.arange(rows) == 2, np.nan, 1.5).astype("f4")),
            column("COMPLEX", "C", (rng.normal(size=rows) + 2j).astype(np.complex64)),
            column("DOUBLE_COMPLEX", "M", rng.normal(size=rows) - 1j),
            column("TEXT", "8A", np.array([f"s{i}" for i in range(rows)])),
            column("TEXTS", "12A4", np.array([["ab", "cd", "e"]] * rows), dim="(4,3)"),
            column("MAG_APER", "5E", rng.normal(size=(rows, 5)).astype("f4"), unit="mag"),
            column("VIGNET", "12E", rng.normal(size=(rows, 3, 4)).astype("f4"), dim="(4,3)"),
            column("SCALED", "I", rng.integers(-999, 999, rows).astype(np.int16)),
            column("EMPTY", "0E", np.zeros((rows, 0), np.float32)),
            column("LIST", "PJ()", ragged(np.int32)),
            column("LONG_LIST", "QD()", ragged(np.float64)),
        ],
        name="OBJECTS",
    )


def write_all_types(path, rows=7):
    """The table among other extensions, with comments and checksums, and a gap before the heap."""
    table = all_types(rows)
    table.header["COMMENT"] = "a comment that must stay"
    table.header["HISTORY"] = "made by a test"
    table.header["HIERARCH ESO FOO BAR"] = (1.5, "odd card")
    table.header["LONGTEXT"] = "x" * 150
    table.header["TCOMM3"] = "a description"
    primary = fits.PrimaryHDU(np.arange(12, dtype=np.int16).reshape(3, 4))
    image = fits.CompImageHDU(np.arange(400, dtype=np.int32).reshape(20, 20), name="PACKED")
    other = fits.BinTableHDU.from_columns([fits.Column("A", "J", array=[1, 2, 3])], name="OTHER")
    with warnings.catch_warnings(action="ignore"):
        fits.HDUList([primary, image, table, other, fits.ImageHDU(np.eye(3))]).writeto(
            path, checksum=True
        )
    add_scale(path, 2, "SCALED")
    return path


def add_scale(path, extension, name):
    """Make a column of integers one of scaled integers."""
    with fitsio.FITS(str(path), "rw") as file:
        number = file[extension].get_colnames().index(name) + 1
        file[extension].write_key(f"TSCAL{number}", 0.01)
        file[extension].write_key(f"TZERO{number}", 3.0)
        if "CHECKSUM" in file[extension].read_header():
            file[extension].write_checksum()


def split(path):
    """Header and data bytes of every extension."""
    content = path.read_bytes()
    with fits.open(path) as hdus:
        places = [hdu.fileinfo() for hdu in hdus]
    return [
        (
            content[p["hdrLoc"] : p["datLoc"]],
            content[p["datLoc"] : p["datLoc"] + p["datSpan"]],
        )
        for p in places
    ]


def cards(header):
    return [header[i : i + 80] for i in range(0, len(header), 80) if header[i : i + 80].strip()]


CHANGED = (b"NAXIS1", b"TFIELDS", b"THEAP", b"CHECKSUM", b"DATASUM")


def test_every_other_byte_survives(tmp_path):
    source = write_all_types(tmp_path / "in.fits")
    output = annotate(source, tmp_path / "out.fits")
    before, after = split(source), split(output)
    assert [pair for i, pair in enumerate(before) if i != 2] == [
        pair for i, pair in enumerate(after) if i != 2
    ]
    kept = [card for card in cards(before[2][0]) if not card.startswith(CHANGED)]
    left = cards(after[2][0])
    assert all(card in left for card in kept)
    assert [card for card in left if card in kept] == kept
    with fits.open(source) as old, fits.open(output) as new:
        old_bytes, new_bytes = old[2].header["NAXIS1"], new[2].header["NAXIS1"]
        heap = old[2].header["PCOUNT"]
    assert new_bytes == old_bytes + 6
    old_rows = np.frombuffer(before[2][1][: 7 * old_bytes], np.uint8).reshape(7, -1)
    new_rows = np.frombuffer(after[2][1][: 7 * new_bytes], np.uint8).reshape(7, -1)
    assert (new_rows[:, :old_bytes] == old_rows).all()
    assert before[2][1][7 * old_bytes :][:heap] == after[2][1][7 * new_bytes :][:heap]


def test_astropy_and_fitsio_read_it_back(tmp_path):
    source = write_all_types(tmp_path / "in.fits")
    output = annotate(source, tmp_path / "out.fits")
    probability, flags = values_for(0, 7)
    with fits.open(source) as old, fits.open(output, checksum=True) as new:
        new.verify("exception")
        assert new[2].columns.names == old[2].columns.names + OURS
        for name in old[2].columns.names:
            assert str(old[2].data[name].tolist()) == str(new[2].data[name].tolist())
        np.testing.assert_array_equal(new[2].data["P_LSBG"], probability)
        np.testing.assert_array_equal(new[2].data["FLAGS_LSBG"], flags)
        assert new[2].header["TUCD24"] == "stat.probability;src.class"
        assert new[2].header["LSBGSRC"] == PROVENANCE["source"]
    with fitsio.FITS(str(output)) as file:
        assert file[2].get_colnames()[-2:] == OURS
        np.testing.assert_array_equal(file[2]["P_LSBG"][:], probability)
        np.testing.assert_array_equal(file[2]["LONG"][:], fitsio.read(str(source), 2)["LONG"])
        assert file[2].verify_checksum() is None


def test_checksums_are_right(tmp_path):
    output = annotate(write_all_types(tmp_path / "in.fits"), tmp_path / "out.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(output, checksum=True) as hdus:
            none = 2  # astropy writes no checksum for the compressed image
            assert [hdu.verify_checksum() for hdu in hdus] == [1, none, 1, 1, 1]
            assert [hdu.verify_datasum() for hdu in hdus] == [1, none, 1, 1, 1]


def test_annotating_twice_is_annotating_once(tmp_path):
    source = write_all_types(tmp_path / "in.fits")
    once = annotate(source, tmp_path / "once.fits")
    with pytest.raises(InputError, match=r"P_LSBG.*--overwrite-columns"):
        annotate(once, tmp_path / "twice.fits")
    assert not (tmp_path / "twice.fits").exists()
    twice = annotate(once, tmp_path / "twice.fits", overwrite_columns=True)
    assert once.read_bytes() == twice.read_bytes()


def test_columns_of_ours_in_the_middle_move_to_the_end(tmp_path):
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("RA", "D", "deg", array=[1.0, 2.0]),
            fits.Column("p_lsbg", "E", array=[9.0, 9.0]),
            fits.Column("DEC", "D", "deg", array=[3.0, 4.0]),
            fits.Column("U", "I", array=np.array([5, 60000], np.uint16), bzero=2**15),
        ]
    )
    table.header["TCOMM2"] = "long " * 30
    table.writeto(tmp_path / "in.fits")
    output = annotate(tmp_path / "in.fits", tmp_path / "out.fits", overwrite_columns=True)
    data = fits.getdata(output)
    assert data.names == ["RA", "DEC", "U", *OURS]
    assert data["DEC"].tolist() == [3.0, 4.0] and data["U"].tolist() == [5, 60000]
    assert "long" not in fits.getheader(output, 1).get("TCOMM2", "")


def write_ldac(path):
    header = fits.BinTableHDU.from_columns(
        [fits.Column("Field Header Card", "160A", array=["SIMPLE = T"])], name="LDAC_IMHEAD"
    )
    fits.HDUList([fits.PrimaryHDU(), header, all_types()]).writeto(path)
    with fits.open(path, mode="update") as hdus:
        hdus[2].name = "LDAC_OBJECTS"
    return path


def test_ldac(tmp_path):
    source = write_ldac(tmp_path / "in.ldac")
    output = annotate(source, tmp_path / "out.ldac")
    assert split(source)[:2] == split(output)[:2]
    assert fits.getdata(output, "LDAC_OBJECTS").names[-2:] == OURS


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out.fits", "out.fits.gz"])
def test_gzip_in(tmp_path, name):
    source = write_all_types(tmp_path / "in.fits")
    packed = tmp_path / "in.fits.gz"
    packed.write_bytes(gzip.compress(source.read_bytes()))
    plain = annotate(source, tmp_path / "plain.fits")
    output = annotate(packed, tmp_path / name)
    content = output.read_bytes()
    content = gzip.decompress(content) if name.endswith("gz") else content
    assert content == plain.read_bytes()
    assert output.read_bytes() == annotate(packed, tmp_path / f"again-{name}").read_bytes()


def test_no_rows(tmp_path):
    source = write_all_types(tmp_path / "in.fits", rows=0)
    output = annotate(source, tmp_path / "out.fits")
    assert len(fits.getdata(output, 2)) == 0
    assert fits.getdata(output, 2).names[-2:] == OURS


def test_trailing_bytes_and_missing_padding(tmp_path):
    table = fits.BinTableHDU.from_columns(
        [fits.Column("RA", "D", array=[1.0]), fits.Column("DEC", "D", array=[2.0])]
    )
    table.writeto(tmp_path / "in.fits")
    content = (tmp_path / "in.fits").read_bytes()
    (tmp_path / "short.fits").write_bytes(content[: -2880 + 16])
    annotate(tmp_path / "short.fits", tmp_path / "out.fits")
    assert fits.getdata(tmp_path / "out.fits")["DEC"].tolist() == [2.0]


def test_which_table(tmp_path):
    def table(name):
        return fits.BinTableHDU.from_columns(
            [fits.Column("RA", "D", array=[1.0]), fits.Column("DEC", "D", array=[2.0])], name=name
        )

    path = tmp_path / "in.fits"
    fits.HDUList([fits.PrimaryHDU(), table("A"), table("B")]).writeto(path)
    with pytest.raises(InputError, match=r"several tables.*--table.*1 A.*2 B"):
        open_catalog(path)
    for choice in ("B", "2"):
        output = annotate(path, tmp_path / f"out{choice}.fits", table=choice)
        assert fits.getdata(output, 2).names == ["RA", "DEC", *OURS]
        assert fits.getdata(output, 1).names == ["RA", "DEC"]
    with pytest.raises(InputError, match="no single table 'C'"):
        open_catalog(path, table="C")


@pytest.mark.parametrize("choice", ["MY CAT", "my cat", "2"])
def test_a_table_whose_name_has_a_space(tmp_path, choice):
    first, second = radec(), radec()
    first.name, second.name = "MY", "MY CAT"
    second.columns.change_name("RA", "RA_ICRS")
    second.columns.change_name("DEC", "DEC_ICRS")
    fits.HDUList([fits.PrimaryHDU(), first, second]).writeto(tmp_path / "in.fits")
    catalog = open_catalog(tmp_path / "in.fits", table=choice)
    assert catalog.position_columns.ra == "RA_ICRS"


def radec(*more):
    """A table of two positions, and more columns."""
    return fits.BinTableHDU.from_columns(
        [fits.Column("RA", "D", array=[1.0, 2.0]), fits.Column("DEC", "D", array=[3.0, 4.0]), *more]
    )


def test_numbered_keywords_of_the_user_stay(tmp_path):
    table = radec(fits.Column("P_LSBG", "E", array=[9.0, 9.0]), fits.Column("G", "E", unit="mag"))
    mine = {"TEMP3": 1.5, "TEMP4": 2.5, "TILE4": "x", "TELNO9": 3, "TDMIN30": 4.5}
    table.header.update(mine)
    table.header["TDMIN4"] = 17.0
    table.writeto(tmp_path / "in.fits")
    output = annotate(tmp_path / "in.fits", tmp_path / "out.fits", overwrite_columns=True)
    header = fits.getheader(output, 1)
    assert {keyword: header[keyword] for keyword in mine} == mine
    assert header["TUNIT3"] == "mag" and header["TDMIN3"] == 17.0 and "TDMIN4" not in header


def rename_in_file(path, old, new):
    """Rename a column to a name that astropy would not write twice."""
    content = path.read_bytes()
    assert content.count(f"'{old:<8}'".encode()) == 1
    path.write_bytes(content.replace(f"'{old:<8}'".encode(), f"'{new:<8}'".encode()))


def test_two_columns_of_one_name(tmp_path):
    path = tmp_path / "in.fits"
    extra = [fits.Column(name, "D", array=[5.0, 6.0]) for name in ("RA2", "A", "B")]
    radec(*extra).writeto(path)
    rename_in_file(path, "RA2", "RA")
    with pytest.raises(InputError, match=r"2 columns are called RA; rename.*--ra and --dec"):
        open_catalog(path)
    assert open_catalog(path, ra="A", dec="B").read_positions(0, 1).tolist() == [[5.0, 5.0]]
    output = annotate(path, tmp_path / "out.fits", ra="A", dec="B")
    assert open_catalog(output, ra="A", dec="B").column_names == (
        "RA",
        "DEC",
        "RA",
        "A",
        "B",
        *OURS,
    )


@pytest.mark.long
@pytest.mark.parametrize(("more", "fits_in"), [(995, True), (996, False)])
def test_room_for_columns_is_known_before_scoring(tmp_path, more, fits_in):
    radec(*[fits.Column(f"C{i}", "B") for i in range(more)]).writeto(tmp_path / "in.fits")
    catalog = open_catalog(tmp_path / "in.fits")
    columns = lsbg_columns(catalog.column_names)
    if fits_in:
        catalog.check_annotated(columns)
    else:
        with pytest.raises(InputError, match="room for 999 columns"):
            catalog.check_annotated(columns)


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("tiles:/donn\u00e9es/\u661f", "tiles:/donn%C3%A9es/%E6%98%9F"),
        ("tiles:/a b/c%d&e=f", "tiles:/a b/c%d&e=f"),
        ("tiles:/\udce9\n", "tiles:/%E9%0A"),
        ("tiles:/" + "\u00e9" * 40, "tiles:/" + "%C3%A9" * 40),
    ],
)
def test_provenance_that_a_header_cannot_hold_is_encoded(tmp_path, source, written):
    radec().writeto(tmp_path / "in.fits")
    catalog = open_catalog(tmp_path / "in.fits")
    catalog.write_annotated(tmp_path / "out.fits", lsbg_columns(()), values_for, {"source": source})
    assert fits.getheader(tmp_path / "out.fits", 1)["LSBGSRC"] == written


def test_logical_columns_are_read_as_labels(tmp_path):
    path = tmp_path / "in.fits"
    radec(fits.Column("LABEL", "L", array=[True, False])).writeto(path)
    assert open_catalog(path).read_column("LABEL", 0, 2).tolist() == [1.0, 0.0]
    with pytest.raises(InputError, match="LABEL is not one real number"):
        open_catalog(path, ra="LABEL", dec="DEC")
    with pytest.raises(InputError, match="no column OTHER"):
        open_catalog(path).read_column("OTHER", 0, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: fits.PrimaryHDU(np.eye(3)).writeto(p), "no FITS binary table"),
        (lambda p: fits.CompImageHDU(np.eye(30, dtype="i4")).writeto(p), "no FITS binary table"),
        (lambda p: p.write_bytes(b"A text.\nNo table at all\n"), "of none of the formats HATS"),
        (lambda p: p.write_bytes(b""), "no table that can be read: it is empty"),
        (lambda p: p.write_bytes(write_all_types(p).read_bytes()[:-9000]), "truncated"),
        (lambda p: p.write_bytes(gzip.compress(b"SIMPLE" * 999)[:-20]), "truncated"),
        (lambda p: p.write_bytes(b"SIMPLE  = nonsense".ljust(2880)), "not a readable FITS"),
        (lambda p: damage(p, b"TFIELDS =                    2"), r"not a readable.*TFIELDS"),
    ],
)
def test_bad_files(tmp_path, make, message):
    path = tmp_path / "in.fits"
    make(path)
    with (
        warnings.catch_warnings(action="ignore"),
        pytest.raises(InputError, match=message) as caught,
    ):
        open_catalog(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def damage(path, card):
    """Make the value of a card unreadable."""
    radec().writeto(path)
    content = path.read_bytes()
    assert content.count(card) == 1
    path.write_bytes(content.replace(card, card[:-1] + b"x"))


@pytest.mark.parametrize("others", [0, 1])
def test_a_table_compressed_in_tiles_is_named(tmp_path, others):
    packed = fits.BinTableHDU.from_columns([fits.Column("RA", "2B", array=np.zeros((1, 2)))])
    packed.header.update(ZTABLE=True, ZNAXIS1=16, ZNAXIS2=5)
    other = fits.BinTableHDU.from_columns([fits.Column("A", "J", array=[1])])
    fits.HDUList([fits.PrimaryHDU(), *[other] * others, packed]).writeto(tmp_path / "in.fits")
    with pytest.raises(InputError, match=r"ZTABLE.*funpack -O in_unpacked\.fits in\.fits$"):
        open_catalog(tmp_path / "in.fits")


def test_failure_leaves_nothing(tmp_path):
    catalog = open_catalog(write_all_types(tmp_path / "in.fits"), table="OBJECTS")

    def fail(start, stop):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        catalog.write_annotated(tmp_path / "out.fits", lsbg_columns(()), fail, PROVENANCE)
    assert [path.name for path in tmp_path.iterdir()] == ["in.fits"]


def test_positions_in_other_shapes(tmp_path):
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("RA", "J", array=[100, -99, 300], null=-99),
            fits.Column("DEC", "E", array=[1.0, np.nan, 3.0]),
        ]
    )
    table.writeto(tmp_path / "in.fits")
    add_scale(tmp_path / "in.fits", 1, "RA")
    catalog = open_catalog(tmp_path / "in.fits")
    expected = [[4.0, 1.0], [np.nan, np.nan], [6.0, 3.0]]
    np.testing.assert_allclose(catalog.read_positions(0, 3), expected)
    assert catalog.read_positions(2, 2).shape == (0, 2)


FORMS = st.sampled_from(["J", "I", "D", "3E", "5A", "L", "PJ()", "2K"])


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(rows=st.integers(0, 40), forms=st.lists(FORMS, max_size=6), seed=st.integers(0, 999))
def test_any_table(tmp_path_factory, rows, forms, seed):
    folder = tmp_path_factory.mktemp("any")
    rng = np.random.default_rng(seed)
    columns = [
        fits.Column(f"C{i}", form, array=fill(form, rows, rng)) for i, form in enumerate(forms)
    ]
    columns.insert(seed % (len(columns) + 1), fits.Column("RA", "D", array=rng.uniform(0, 9, rows)))
    columns.append(fits.Column("DEC", "D", array=rng.uniform(0, 9, rows)))
    fits.BinTableHDU.from_columns(columns, nrows=rows).writeto(folder / "in.fits")
    output = annotate(folder / "in.fits", folder / "out.fits")
    with fits.open(folder / "in.fits") as old, fits.open(output) as new:
        assert new[1].columns.names == old[1].columns.names + OURS
        for name in old[1].columns.names:
            assert str(old[1].data[name].tolist()) == str(new[1].data[name].tolist())
        np.testing.assert_array_equal(new[1].data["P_LSBG"], values_for(0, rows)[0])


def fill(form, rows, rng):
    if form == "5A":
        return np.array(["abc"] * rows, "S5")
    if form == "L":
        return rng.integers(0, 2, rows).astype(bool)
    if form == "PJ()":
        lists = [np.arange(n, dtype=np.int32) for n in rng.integers(0, 5, rows)]
        return np.array([*lists, None], dtype=object)[:-1]
    width = int(form[0]) if form[0].isdigit() else 1
    shape = (rows, width) if width > 1 else rows
    return rng.integers(-99, 99, shape)


def test_several_columns_at_once(tmp_path):
    rows = 100
    stored = {
        "RA": np.linspace(0, 350, rows),
        "DEC": np.linspace(-80, 80, rows),
        "SINGLE": np.linspace(0.1, 9.9, rows).astype(np.float32),
        "COUNT": np.arange(rows, dtype=np.int64) + 2**52,
    }
    formats = {"f8": "D", "f4": "E", "i8": "K"}
    columns = [
        fits.Column(name, formats[values.dtype.str[1:]], array=values)
        for name, values in stored.items()
    ]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "in.fits")
    catalog = open_catalog(tmp_path / "in.fits")
    for names in (["COUNT", "RA"], ["SINGLE"], [], ["DEC", "SINGLE", "COUNT"]):
        found = catalog.read_columns(names, 11, 57)
        assert len(found) == len(names)
        for name, values in zip(names, found, strict=True):
            assert values.dtype == np.float64
            np.testing.assert_array_equal(values, stored[name][11:57].astype(float))
        assert all(len(values) == 0 for values in catalog.read_columns(names, 5, 5))
