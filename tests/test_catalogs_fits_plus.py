"""TOPCAT's FITS: the VOTable in the primary HDU learns what changes in the tables behind it."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits, votable
from astropy.table import Table

from catalogs import InputError, lsbg_columns, open_catalog

PROVENANCE = {
    "weights": "new <&> weights",
    "weights_sha256": "0" * 64,
    "source": "tiles:x",
    "software": "lsbg_classifier 1",
    "threshold": "0.4",
    "date": "2026-01-01",
}
needs_stilts = pytest.mark.skipif(not shutil.which("stilts"), reason="STILTS is not installed")


def fields(*names):
    return "".join(f'<FIELD datatype="double" name="{name}" ucd="x"/>\n' for name in names)


def document(*tables):
    inner = "".join(
        f'<TABLE name="t{n}" nrows="3">\n<PARAM datatype="int" name="SEED" value="{n}"/>\n'
        f'<PARAM datatype="char" arraysize="3" name="LSBGWGT" value="old"/>\n{table}</TABLE>\n'
        for n, table in enumerate(tables, 1)
    )
    start = '<?xml version="1.0"?>\n<VOTABLE version="1.4">\n<RESOURCE>\n'
    return f"{start}{inner}</RESOURCE>\n</VOTABLE>"


def write(path, text, *tables, checksum=False):
    primary = fits.PrimaryHDU(np.frombuffer(text.encode(), np.uint8))
    primary.header["VOTMETA"] = True
    primary.header["NTABLE"] = len(tables)
    hdus = fits.HDUList([primary, *(fits.BinTableHDU(table) for table in tables)])
    for hdu in hdus if checksum else ():
        hdu.add_checksum()
    hdus.writeto(path)
    return path


def a_table(*names):
    return Table({name: np.arange(3.0) + n for n, name in enumerate(names)})


def annotate(path, output, **options):
    catalog = open_catalog(path, **options)

    def values(start, stop):
        rows = np.arange(start, stop)
        return (rows / 10 + 0.05).astype(np.float32), rows.astype(np.int16)

    columns = lsbg_columns(catalog.column_names, style="upper")
    catalog.write_annotated(output, columns, values, PROVENANCE, overwrite_columns=True)
    return output


def described(path, number=0):
    """The names, parameters and mark of the VOTable in the primary HDU."""
    with fits.open(path) as hdus:
        content = hdus[0].data.tobytes()
        mark = hdus[0].header["VOTMETA"]
    (path.parent / "primary.vot").write_bytes(content)
    parsed = votable.parse(path.parent / "primary.vot", verify="ignore")
    table = list(parsed.iter_tables())[number]
    return [field.name for field in table.fields], {p.name: p.value for p in table.params}, mark


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("checksum", [False, True])
def test_columns_and_provenance_are_described(tmp_path, checksum):
    names = ("RA", "P_LSBG", "DEC", "FLAGS_LSBG", "MAG")
    text = document(fields(*names))
    path = write(tmp_path / "in.fits", text, a_table(*names), checksum=checksum)
    output = annotate(path, tmp_path / "out.fits")
    found, params, mark = described(output)
    assert found == ["RA", "DEC", "MAG", "P_LSBG", "FLAGS_LSBG"] and mark is True
    assert params["SEED"] == 1 and params["LSBGWGT"] == "new <&> weights"
    assert params["LSBGTHR"] == 0.4 and params["LSBGSHA"] == "0" * 64
    with fits.open(output, checksum=checksum) as hdus:
        assert hdus[1].data.names == found
        np.testing.assert_allclose(hdus[1].data["P_LSBG"], [0.05, 0.15, 0.25], rtol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_a_second_table_alone_changes(tmp_path):
    text = document(fields("a", "b"), fields("RA", "DEC"))
    path = write(tmp_path / "in.fits", text, a_table("a", "b"), a_table("RA", "DEC"))
    output = annotate(path, tmp_path / "out.fits")
    assert described(output, 0)[0] == ["a", "b"]
    assert described(output, 1)[0] == ["RA", "DEC", "P_LSBG", "FLAGS_LSBG"]
    assert described(output, 0)[1]["LSBGWGT"] == "old"


@pytest.mark.filterwarnings("ignore")
def test_a_table_that_is_not_described(tmp_path):
    text = document(fields("a", "b"))
    path = write(tmp_path / "in.fits", text, a_table("a", "b"), a_table("RA", "DEC"))
    before = path.read_bytes()
    after = annotate(path, tmp_path / "out.fits").read_bytes()
    assert after[:8640] == before[:8640]


@pytest.mark.parametrize("text", [document(fields("RA")), "<VOTABLE", document(""), "no XML"])
def test_a_wrong_description_loses_its_mark(tmp_path, text):
    path = write(tmp_path / "in.fits", text, a_table("RA", "DEC"), checksum=True)
    output = annotate(path, tmp_path / "out.fits")
    with fits.open(output, checksum=True) as hdus:
        assert hdus[0].header["VOTMETA"] is False
        assert hdus[0].data.tobytes() == text.encode()


def stilts(*arguments):
    done = subprocess.run(
        ["stilts", *arguments], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


@pytest.mark.long
@needs_stilts
@pytest.mark.parametrize("kind", ["fits-plus", "fits-basic", "votable", "votable-binary2-inline"])
def test_stilts_sees_what_was_written(tmp_path, kind):
    table = a_table("RA", "MAG", "DEC", "P_LSBG")
    table.meta["SEED"] = 7
    table["MAG"].unit = "mag"
    table.write(tmp_path / "plain.fits")
    path = tmp_path / "in.x"
    stilts("tpipe", f"in={tmp_path / 'plain.fits'}", f"ofmt={kind}", f"out={path}")
    output = annotate(path, tmp_path / "out.x")
    values = stilts("tpipe", f"in={output}", "omode=out", "ofmt=csv").splitlines()
    assert values[0] == "RA,MAG,DEC,P_LSBG,FLAGS_LSBG"
    assert values[1:] == ["0.0,1.0,2.0,0.05,0", "1.0,2.0,3.0,0.15,1", "2.0,3.0,4.0,0.25,2"]
    told = stilts("tpipe", f"in={output}", "omode=meta")
    assert "LSBGWGT:\n    new <&> weights" in told or "lsbg.weights:\n    new <&> weights" in told
    assert "MAG(Double)/mag" in told
    assert kind == "fits-basic" or "SEED:\n    7" in told  # STILTS loses it in plain FITS
    assert "P_LSBG(Float) - probability of being" in told
    again = annotate(output, tmp_path / "again.x")
    assert again.read_bytes() == output.read_bytes()


@pytest.mark.long
@needs_stilts
@pytest.mark.parametrize("name", ["reorder", "provenance", "fitsplus"])
def test_real_files_of_stilts(shared, tmp_path, name):
    path = shared / "cases" / "catalogs" / f"topcat_{name}.fits"
    output = annotate(path, tmp_path / "out.fits")
    told = stilts("tpipe", f"in={output}", "ifmt=fits-plus", "omode=meta")
    before = stilts("tpipe", f"in={path}", "ifmt=fits-plus", "omode=meta")
    assert "new <&> weights" in told and "SEED:\n    20211" in told and "SEED:" in before
    names = "keepcols 'NUMBER P_LSBG FLAGS_LSBG'"
    rows = stilts("tpipe", f"in={output}", "ifmt=fits-plus", f"cmd={names}", "ofmt=csv")
    with fits.open(output) as hdus:
        data = hdus[1].data
        expected = [f"{n},{p:.7g},{f}" for n, p, f in zip(
            data["NUMBER"], data["P_LSBG"], data["FLAGS_LSBG"], strict=True)]  # fmt: skip
    assert [line.split(",")[::2] for line in rows.splitlines()[1:]] == [
        line.split(",")[::2] for line in expected
    ]
    found = [float(line.split(",")[1]) for line in rows.splitlines()[1:]]
    np.testing.assert_allclose(found, data["P_LSBG"], rtol=1e-6)


def test_a_plain_fits_file_is_no_fits_plus(tmp_path):
    path = Path(tmp_path / "in.fits")
    a_table("RA", "DEC").write(path)
    before = path.read_bytes()
    assert annotate(path, tmp_path / "out.fits").read_bytes()[:2880] == before[:2880]


@pytest.mark.slow
@needs_stilts
@pytest.mark.parametrize("form", ["colfits-basic", "colfits-plus"])
def test_fits_of_columns_is_refused_with_a_command_that_works(tmp_path, form):
    Table({"RA": [1.0, 2.0], "DEC": [3.0, 4.0], "N": ["a", "b"]}).write(tmp_path / "rows.fits")
    command = ["stilts", "tpipe", "in=rows.fits", "out=in.fits", f"ofmt={form}"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    with pytest.raises(InputError, match=r"FITS of columns \(colfits\)") as error:
        open_catalog(tmp_path / "in.fits")
    command = str(error.value).rpartition("convert it: ")[2].split()
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    assert open_catalog(tmp_path / "in_rows.fits").read_positions(0, 2).tolist() == [[1, 3], [2, 4]]
