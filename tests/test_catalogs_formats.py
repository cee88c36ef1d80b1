"""The table of formats: recognition, names of outputs, compression, plug-ins, and the page."""

import bz2
import gzip
import lzma
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from snippets import ROOT

from catalogs import InputError, lsbg_columns, open_catalog
from catalogs.formats import (
    FORMATS,
    PLUGIN_GROUP,
    CatalogFormat,
    check_name,
    documented,
    format_named,
    known_formats,
    titles,
)

CALLS = {".gz": gzip, ".bz2": bz2, ".xz": lzma}


def zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True)


def a_table():
    return Table({"ra": [10.0, 20.0, 30.0], "dec": [-5.0, 0.0, 5.0], "id": [1, 2, 3]})


def written(path: Path, name: str) -> Path:
    """The table in one of the formats that astropy writes."""
    if name == "parquet":
        table = a_table()
        columns = {column: np.array(table[column]) for column in table.colnames}
        pq.write_table(pa.table(columns), path)
        return path
    a_table().write(path, format={"ecsv": "ascii.ecsv"}.get(name, name))
    return path


def annotate(path, output):
    catalog = open_catalog(path)
    columns = lsbg_columns(catalog.column_names)

    def values(start, stop):
        rows = np.arange(start, stop)
        return (rows / 10).astype(np.float32), rows.astype(np.int16)

    catalog.write_annotated(output, columns, values, {"weights": "w"})
    return output


def test_the_page_has_the_table():
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert "\n".join(documented()) in page


def test_the_help_names_all_formats(lsbg):
    code, out, _ = lsbg("classify", "--help")
    said = "".join(out.split())
    assert code == 0 and all(known.name in said for known in FORMATS)
    assert "".join(titles().split()) in said
    assert titles().count(",") >= len(FORMATS) - 1


def test_names_are_unique_and_classes_exist():
    names = [known.name for known in FORMATS]
    assert len({*names}) == len(names)
    for known in FORMATS:
        assert known.load().format == known.name
        assert all(ending == ending.lower() and ending[0] == "." for ending in known.endings)


def test_no_class_is_imported_before_it_is_needed():
    code = (
        "import sys, catalogs; from catalogs.formats import FORMATS; "
        "sys.stdout.write(' '.join(f.catalog for f in FORMATS "
        "if f.catalog.partition(':')[0] in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["fits", "votable", "ecsv", "parquet"])
def test_the_content_tells_the_format_not_the_name(tmp_path, name):
    path = written(tmp_path / "in.fits", name)
    assert open_catalog(path).format == name
    assert open_catalog(path, format=name.upper()).format == name


def test_an_unknown_format_is_answered_with_the_known_ones(tmp_path):
    path = written(tmp_path / "in.fits", "fits")
    with pytest.raises(
        InputError, match="unknown catalog format 'fit'; there are hats, fits-folder"
    ):
        open_catalog(path, format="fit")
    with pytest.raises(InputError, match=r"in\.fits: not a readable Parquet file"):
        open_catalog(path, format="parquet")


REFUSED = {
    "fits": ("a.csv", "a.h5", "a.fits.fz", "a.vot", "a.parquet", "a.CSV", "a.ecsv.gz", "a.json"),
    "parquet": ("a.fits", "a.parquet.gz", "a.csv", "a.gz"),
    "votable": ("a.fits", "a.vot.zip", "a.ecsv.bz2"),
    "hats": ("a.fits", "a.parquet"),
}
ACCEPTED = {
    "fits": ("a", "a.fits", "a.FIT", "a.fits.gz", "a.fits.bz2", "a.cat", "a.v2", "a.gz", "a.dat"),
    "parquet": ("a", "a.parquet", "a.pq", "a.2026"),
    "votable": ("a.vot", "a.xml", "a.vot.xz"),
    "hats": ("a", "a_lsbg"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_outputs_named_as_another_format_are_refused(name, tmp_path):
    for output in REFUSED[name]:
        with pytest.raises(InputError, match=f"^[^\n]*{output}: [^\n]+$"):
            check_name(format_named(name), "in", tmp_path / output)


@pytest.mark.parametrize("name", ACCEPTED)
def test_outputs_named_as_they_are(name, tmp_path):
    for output in ACCEPTED[name]:
        check_name(format_named(name), "in", tmp_path / output)


@pytest.mark.parametrize("name", ["annotated.csv", "annotated.h5", "annotated.fits.fz"])
def test_the_command_refuses_a_name_that_lies(lsbg, survey, tmp_path, name):
    output = tmp_path / name
    code, _, err = lsbg("classify", survey.candidates, output, "--cutouts", f"tiles:{survey.tiles}")
    assert code == 1 and err.count("\n") == 1 and "does not say" in err
    assert not list(tmp_path.iterdir())


PACKED = ["fits", "votable", "ecsv"]


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("name", PACKED)
def test_compressed_as_a_whole(tmp_path, name, ending):
    plain = written(tmp_path / "plain", name)
    pack = zstd if ending == ".zst" else CALLS[ending].compress
    packed = tmp_path / f"in{ending}"
    packed.write_bytes(pack(plain.read_bytes()))
    expected = annotate(plain, tmp_path / "out").read_bytes()
    assert annotate(packed, tmp_path / "out_of_packed").read_bytes() == expected
    output = annotate(packed, tmp_path / f"out{ending}")
    assert open_catalog(output).read_column("P_LSBG".lower(), 0, 3).tolist() == pytest.approx(
        [0, 0.1, 0.2], abs=1e-6
    )
    content = output.read_bytes()
    if ending == ".zst":
        assert pa.input_stream(pa.BufferReader(content), compression="zstd").read() == expected
    else:
        assert CALLS[ending].decompress(content) == expected
    again = annotate(packed, tmp_path / f"again{ending}")
    assert again.read_bytes() == content


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("keep", [3, 9, 0.5, 0.99])
def test_compressed_files_cut_short(tmp_path, ending, keep):
    content = written(tmp_path / "plain", "fits").read_bytes()
    packed = (zstd if ending == ".zst" else CALLS[ending].compress)(content)
    size = int(keep * len(packed)) if keep < 1 else keep
    (tmp_path / "in").write_bytes(packed[:size])
    with pytest.raises(InputError, match=r"^[^\n]+$"):
        open_catalog(tmp_path / "in")


def test_packed_parquet_is_answered_with_the_command(tmp_path):
    content = written(tmp_path / "in.parquet", "parquet").read_bytes()
    (tmp_path / "in.parquet.gz").write_bytes(gzip.compress(content))
    with pytest.raises(InputError, match=r"unpack it first: gzip -d in\.parquet\.gz"):
        open_catalog(tmp_path / "in.parquet.gz")


@pytest.mark.parametrize(
    ("beginning", "message"),
    [
        (b"FEA1\0\0", "Feather version 1, which is not read; convert it: "),
        (b"PK\x03\x04", "zip archive or Excel file, which is not read; unpack it"),
        (b"SQLite format 3\0", "SQLite, which is not read; "),
    ],
)
def test_well_known_files_are_refused_by_name(tmp_path, beginning, message):
    path = tmp_path / "in"
    path.write_bytes(beginning + bytes(100))
    with pytest.raises(InputError, match=message) as error:
        open_catalog(path)
    assert "\n" not in str(error.value)


PLUGIN = """
from catalogs.formats import CatalogFormat, begins_with
boxes = CatalogFormat(
    "boxes", "Boxes", (".box",), begins_with(b"BOX"), "lsbg_boxes:Boxes", "all of it"
)
nothing = 7
class Boxes:
    format = "boxes"
    def __init__(self, path, **options):
        self.path, self.options = path, options
"""


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """A package with a format, beside one whose entry points are broken."""
    from catalogs import formats

    folder = tmp_path / "installed"
    folder.mkdir()
    (folder / "lsbg_boxes.py").write_text(PLUGIN)
    info = folder / "lsbg_boxes-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lsbg-boxes\nVersion: 1\n")
    points = ["boxes = lsbg_boxes:boxes", "lost = lsbg_lost:x", "number = lsbg_boxes:nothing"]
    (info / "entry_points.txt").write_text("\n".join([f"[{PLUGIN_GROUP}]", *points]))
    monkeypatch.syspath_prepend(folder)
    formats._plugins.cache_clear()
    yield folder
    formats._plugins.cache_clear()
    sys.modules.pop("lsbg_boxes", None)


def test_a_package_adds_a_format(plugins, tmp_path):
    (tmp_path / "in.box").write_bytes(b"BOX 1 2 3")
    catalog = open_catalog(tmp_path / "in.box", table="t")
    assert catalog.format == "boxes" and catalog.options["table"] == "t"
    assert [known.name for known in known_formats()] == [*(f.name for f in FORMATS), "boxes"]
    check_name(format_named("boxes"), "in", tmp_path / "a.box")
    with pytest.raises(InputError, match=r"\.box does not say"):
        check_name(format_named("fits"), "in", tmp_path / "a.box")


def test_broken_packages_harm_no_other_name(plugins, tmp_path):
    assert open_catalog(written(tmp_path / "in", "fits")).format == "fits"
    with pytest.raises(InputError, match=r"lost: .* package lsbg-boxes cannot be loaded"):
        format_named("lost")
    with pytest.raises(InputError, match=r"number: .* lsbg-boxes offers no CatalogFormat"):
        format_named("number")
    assert isinstance(format_named("boxes"), CatalogFormat)
