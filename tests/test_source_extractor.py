"""Catalogs as SourceExtractor writes them, annotated, and read back by three other programs."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import fitsio
import numpy as np
import pytest
from astropy.io import fits, votable

from catalogs import InputError
from catalogs.flags import NOT_SCORED, Flag
from lsbg_classifier import load_classifier, open_source
from pipeline import annotate

PROGRAM = next(filter(shutil.which, ("source-extractor", "sex", "sextractor")), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="source-extractor is not installed"),
]
needs_stilts = pytest.mark.skipif(shutil.which("stilts") is None, reason="stilts is not installed")

PARAMETERS = """NUMBER ALPHA_J2000 DELTA_J2000 X_IMAGE Y_IMAGE MAG_APER(3) MAG_AUTO FLUX_RADIUS
FLAGS VIGNET(11,11) A_IMAGE B_IMAGE"""
NAMES = [parameter.partition("(")[0] for parameter in PARAMETERS.split()]
SETTINGS = {
    "FILTER": "N",
    "DETECT_MINAREA": 90,
    "DETECT_THRESH": 4,
    "MAG_ZEROPOINT": 30,
    "PHOT_APERTURES": "5,10,20",
    "PIXEL_SCALE": 0.263,
    "VERBOSE_TYPE": "QUIET",
}
OURS = ["P_LSBG", "FLAGS_LSBG"]


def run(*command):
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def extract(image, catalog, kind):
    """Run SourceExtractor on an image, with a configuration of our own alone."""
    (catalog.parent / "default.param").write_text("\n".join(PARAMETERS.split()))
    (catalog.parent / "default.sex").touch()
    settings = SETTINGS | {
        "CATALOG_TYPE": kind,
        "CATALOG_NAME": catalog,
        "PARAMETERS_NAME": catalog.parent / "default.param",
    }
    options = [word for key, value in settings.items() for word in (f"-{key}", value)]
    run(PROGRAM, image, "-c", catalog.parent / "default.sex", *options)
    return catalog


@pytest.fixture(scope="module")
def images(survey, tmp_path_factory):
    """One tile's g as a plain image, and both tiles' as the extensions of one file."""
    folder = tmp_path_factory.mktemp("images")
    planes = []
    for path in sorted(survey.tiles.glob("*_g.fits.fz")):
        with fits.open(path) as hdus:
            planes.append((hdus["SCI"].data, hdus["SCI"].header))
    fits.PrimaryHDU(*planes[0]).writeto(folder / "one.fits")
    both = [fits.ImageHDU(*plane) for plane in planes]
    fits.HDUList([fits.PrimaryHDU(), *both]).writeto(folder / "both.fits")
    return folder


@dataclass(frozen=True)
class Case:
    """A catalog, the same one annotated, and the number of its table."""

    before: Path
    after: Path
    table: int
    tiles: str


@pytest.fixture(scope="module", params=["FITS_1.0", "FITS_LDAC"])
def case(request, survey, images, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    before = extract(images / "one.fits", folder / "before.cat", request.param)
    tiles = f"tiles:{survey.tiles}"
    annotate(before, folder / "after.cat", cutouts=tiles)
    return Case(before, folder / "after.cat", 2 if "LDAC" in request.param else 1, tiles)


def split(path):
    """Header and data bytes of every extension."""
    content = path.read_bytes()
    with fits.open(path) as hdus:
        places = [hdu.fileinfo() for hdu in hdus]
    ends = [place["datLoc"] + place["datSpan"] for place in places]
    assert ends[-1] == len(content)
    return [
        (content[place["hdrLoc"] : place["datLoc"]], content[place["datLoc"] : end])
        for place, end in zip(places, ends, strict=True)
    ]


def cards(header):
    return [header[i : i + 80] for i in range(0, len(header), 80) if header[i : i + 80].strip()]


def test_every_row_has_its_own_probability(case):
    table = fits.getdata(case.after, case.table)
    positions = np.stack([table["ALPHA_J2000"], table["DELTA_J2000"]], axis=1)
    cutouts, flags = open_source(case.tiles).fetch(positions)
    scored = (flags & NOT_SCORED) == 0
    classifier = load_classifier()
    expected = np.where(scored, classifier.predict(cutouts), np.nan)
    flags[scored & classifier.unlike_training(cutouts)] |= Flag.UNLIKE_TRAINING
    np.testing.assert_array_equal(table["FLAGS_LSBG"], flags)
    np.testing.assert_allclose(table["P_LSBG"], expected, rtol=0, atol=1e-5)
    assert len(table) > 60 and scored.mean() > 0.9
    assert np.ptp(expected[scored]) > 0.1


def test_every_other_byte_survives(case):
    before, after = split(case.before), split(case.after)
    (old_header, old_data), (new_header, new_data) = before.pop(case.table), after.pop(case.table)
    assert before == after
    old = [c for c in cards(old_header) if not c.startswith((b"NAXIS1 ", b"TFIELDS "))]
    new = cards(new_header)
    assert [card for card in new if card in old] == old
    added = {card[:8].rstrip().decode() for card in new if card not in old}
    columns = {f"{key}{n}" for key in ("TTYPE", "TFORM", "TCOMM", "TUCD") for n in (13, 14)}
    columns |= {"NAXIS1", "TFIELDS", "CONTINUE"}
    assert {name for name in added if not name.startswith("LSBG")} <= columns
    with fits.open(case.before) as hdus:
        width, rows = (hdus[case.table].header[key] for key in ("NAXIS1", "NAXIS2"))
    old_rows = np.frombuffer(old_data, np.uint8, width * rows).reshape(rows, width)
    new_rows = np.frombuffer(new_data, np.uint8, (width + 6) * rows).reshape(rows, width + 6)
    assert (new_rows[:, :width] == old_rows).all()


def test_astropy_reads_it_back(case):
    with fits.open(case.before) as old, fits.open(case.after) as new:
        new.verify("exception")
        before, after = old[case.table], new[case.table]
        assert before.columns.names == NAMES
        assert after.columns.names == NAMES + OURS
        assert after.columns.units[:-2] == before.columns.units
        assert after.columns.formats[-2:] == ["E", "I"]
        for name in NAMES:
            np.testing.assert_array_equal(after.data[name], before.data[name])
        assert after.data["VIGNET"].shape[1:] == (11, 11)
        assert after.header["LSBGSRC"] == case.tiles


def test_fitsio_reads_it_back(case):
    before, after = (fitsio.read(str(path), ext=case.table) for path in (case.before, case.after))
    assert list(after.dtype.names) == NAMES + OURS
    for name in NAMES:
        np.testing.assert_array_equal(after[name], before[name])
    table = fits.getdata(case.after, case.table)
    for name in OURS:
        np.testing.assert_array_equal(after[name], table[name])


@needs_stilts
def test_stilts_reads_it_back(case, tmp_path):
    def stilts(path, *options):
        return run("stilts", "tpipe", f"in={path}#{case.table}", "ifmt=fits", *options)

    old = stilts(case.before, "ofmt=csv")
    assert old.startswith(",".join(NAMES))
    assert stilts(case.after, f"cmd=delcols '{' '.join(OURS)}'", "ofmt=csv") == old
    stilts(case.after, f"out={tmp_path / 'after.vot'}", "ofmt=votable")
    table = votable.parse_single_table(tmp_path / "after.vot")
    expected = fits.getdata(case.after, case.table)
    for name, ucd in zip(OURS, ("stat.probability;src.class", "meta.code.qual"), strict=True):
        field = table.get_field_by_id_or_name(name)
        assert (field.ucd, field.unit) == (ucd, None) and len(field.description) > 30
        np.testing.assert_array_equal(table.array[name].data, expected[name])


def test_a_catalog_of_several_images_is_annotated_in_one_run(survey, images, tmp_path):
    source = extract(images / "both.fits", tmp_path / "before.cat", "FITS_LDAC")
    tiles = f"tiles:{survey.tiles}"
    annotate(source, tmp_path / "first.cat", cutouts=tiles, table="2")
    annotate(tmp_path / "first.cat", tmp_path / "second.cat", cutouts=tiles, table="4")
    annotate(source, tmp_path / "both.cat", cutouts=tiles)
    before, first, second, both = (
        split(tmp_path / f"{name}.cat") for name in ("before", "first", "second", "both")
    )
    assert [i for i in range(5) if first[i] != before[i]] == [2]
    assert [i for i in range(5) if second[i] != first[i]] == [4]
    assert [i for i in range(5) if both[i] != before[i]] == [2, 4]
    with fits.open(tmp_path / "both.cat") as hdus, fits.open(tmp_path / "second.cat") as others:
        for number in (2, 4):
            assert hdus[number].columns.names == NAMES + OURS
            for name in OURS:
                one, other = hdus[number].data[name], others[number].data[name]
                np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("kind", ["ASCII_HEAD", "ASCII", "ASCII_SKYCAT"])
def test_text_catalogs_get_the_same_values(survey, images, tmp_path, kind, monkeypatch):
    if kind == "ASCII_SKYCAT":  # its header does not say which columns are vectors
        monkeypatch.setattr(f"{__name__}.PARAMETERS", "NUMBER ALPHA_J2000 DELTA_J2000 MAG_AUTO")
    where = {"ra": "col2", "dec": "col3"} if kind == "ASCII" else {}
    source = extract(images / "one.fits", tmp_path / "before.cat", kind)
    binary = extract(images / "one.fits", tmp_path / "before.fits", "FITS_1.0")
    tiles = f"tiles:{survey.tiles}"
    annotate(source, tmp_path / "after.cat", cutouts=tiles, **where)
    annotate(binary, tmp_path / "after.fits", cutouts=tiles)
    expected = fits.getdata(tmp_path / "after.fits")
    rows = [
        line.split()
        for line in (tmp_path / "after.cat").read_text().splitlines()
        if line.split()[:1] and line.split()[0].isdigit()
    ]
    assert len(rows) == len(expected) > 50
    # Positions have seven decimals here, so that some pixels are rounded to the other side.
    np.testing.assert_allclose([float(row[-2]) for row in rows], expected["P_LSBG"], atol=2e-3)
    assert [int(row[-1]) for row in rows] == expected["FLAGS_LSBG"].tolist()
    old, new = (tmp_path / f"{name}.cat" for name in ("before", "after"))
    kept = new.read_text().splitlines()
    assert all(any(line.startswith(text) for line in kept) for text in old.read_text().splitlines())


def test_vectors_in_skycat_are_refused_with_a_way_out(images, tmp_path):
    source = extract(images / "one.fits", tmp_path / "before.cat", "ASCII_SKYCAT")
    with pytest.raises(InputError, match="CATALOG_TYPE ASCII_HEAD or FITS_LDAC"):
        annotate(source, tmp_path / "after.cat", cutouts="tiles:nowhere")


def test_its_votable_comes_back_with_our_columns_alone(survey, images, tmp_path):
    source = extract(images / "one.fits", tmp_path / "before.vot", "ASCII_VOTABLE")
    tiles = f"tiles:{survey.tiles}"
    annotate(source, tmp_path / "after.vot", cutouts=tiles)
    before = votable.parse_single_table(source).to_table()
    after = votable.parse_single_table(tmp_path / "after.vot").to_table()
    assert after.colnames == before.colnames + OURS
    for name in before.colnames:
        np.testing.assert_array_equal(after[name], before[name])
    assert np.isfinite(after["P_LSBG"]).sum() > 5
