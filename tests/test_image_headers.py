"""Headers as people write them: units and numbers of coordinates, lists of bands, blank values."""

import os

import numpy as np
import pytest
from astropy.io import fits
from painted_sky import PaintedSky, assert_same_cutout, header_of

from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier import open_source

SKY = PaintedSky()
SCALE, SIZE = 0.263, 300
AREA = (SCALE / 3600 * np.pi / 180) ** 2
"""Steradians of a pixel."""


@pytest.fixture(scope="module")
def images():
    """The image of each band in nanomaggies, with the noise of a sky."""
    header, rng = header_of(SKY.centre, SCALE, SIZE), np.random.default_rng(4)
    return {
        band: SKY.image(header, (SIZE, SIZE), band, SCALE**2) + rng.normal(0, 3e-4, (SIZE, SIZE))
        for band in "grz"
    }


@pytest.fixture
def write(tmp_path, images):
    """Write three images with some cards; gives the folder."""

    def written(cards=(), factor=1.0, change=lambda image: image.astype(np.float32)):
        for band, image in images.items():
            header = header_of(SKY.centre, SCALE, SIZE)
            header.update({"BUNIT": "nanomaggy"} | dict(cards))
            fits.writeto(tmp_path / f"s_{band}.fits", change(image * factor), header)
        return tmp_path

    return written


def fetch(folder):
    (cutout,), (flag,) = open_source(f"tiles:{folder}", survey="des").fetch([SKY.centre])
    return cutout, Flag(int(flag))


def check(folder):
    cutout, flag = fetch(folder)
    assert flag == 0
    assert_same_cutout(cutout, SKY.cutout())


def refused(folder):
    with pytest.raises(InputError) as caught:
        open_source(f"tiles:{folder}", survey="des")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "cards",
    [
        {"CUNIT1": "degrees", "CUNIT2": "Degree"},
        {"CUNIT1": "DEG", "CUNIT2": "(deg)"},
        {"CTYPE1": "ra---tan", "CTYPE2": "dec--tan"},
        {"CRVAL1": "150.0", "CRPIX2": " 150.5"},
        {"CTYPE3": "WAVE", "CUNIT3": "Angstroms"},
        {"BUNIT": "nanomaggies per pixel"},
        {"BUNIT": "nMgy [AB]"},
    ],
    ids=str,
)
def test_spellings_of_the_same(write, cards):
    check(write(cards))


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({"CUNIT1": "hourangle"}, "CUNIT1 is 'hourangle'; write deg if its coordinates are in deg"),
        ({"CUNIT2": "pixel"}, "CUNIT2 is 'pixel'; write deg"),
        ({"CD1_1": "east"}, "CD1_1 is 'east', not a number"),
        ({"CTYPE1": "RA--TAN"}, "(its coordinates on the sky cannot be used: Unmatched celestial"),
        ({"MAGZERO": "N/A"}, "MAGZERO is 'N/A', not a number; correct or remove it"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_plain_words(write, cards, said):
    assert said in refused(write(cards))


@pytest.mark.parametrize(("keyword", "unit"), [("PIXAR_SR", 1.0), ("PIXAR_A2", 2.350443e-11)])
@pytest.mark.parametrize(("size", "is_right"), [(1.0, True), (4.0, False), (0.8, False)])
def test_the_area_of_a_pixel_must_agree(write, keyword, unit, size, is_right):
    per_steradian = 3.631e-12 / AREA  # megajansky a steradian of 1 nanomaggy a pixel
    cards = {"BUNIT": "MJy/sr", keyword: AREA * size / unit}
    folder = write(cards, per_steradian, change=lambda image: image)
    if is_right:
        check(folder)
    else:
        assert f"{keyword} {AREA * size / unit:.4g} and its coordinates" in refused(folder)


@pytest.mark.slow
def test_an_area_does_not_matter_to_fluxes(write):
    check(write({"PIXAR_SR": AREA * 4}))


@pytest.mark.parametrize(
    "cards",
    [
        {"FILTER": "grz"},
        {"FILTERS": "g, r, z"},
        {"BANDS": "['g', 'r', 'z']"},
        {"BAND": "HSC-G / HSC-R / HSC-Z"},
        {"FILTER": "g z", "BANDS": "grz"},
    ],
    ids=str,
)
def test_a_cube_that_lists_its_bands(tmp_path, images, cards):
    header = header_of(SKY.centre, SCALE, SIZE)
    header.update({"BUNIT": "nanomaggy"} | cards)
    fits.writeto(tmp_path / "cube.fits", np.stack(list(images.values())), header)
    check(tmp_path)


@pytest.mark.parametrize("cards", [{}, {"FILTER": "r"}, {"BANDS": "grr"}, {"BANDS": "gr"}], ids=str)
def test_a_cube_that_does_not(tmp_path, images, cards):
    header = header_of(SKY.centre, SCALE, SIZE)
    header.update(cards)
    fits.writeto(tmp_path / "cube.fits", np.stack(list(images.values())), header)
    assert "of which bands its 3 planes are: write BANDS" in refused(tmp_path)


@pytest.mark.parametrize("value", [-32768, 32767])
def test_blank_pixels_of_unsigned_integers(write, value):
    """BLANK is the value as it is stored, 32768 below the unsigned one."""

    def unsigned(image):
        made = np.round(np.clip(image * 2e4, 0, 60_000)).astype(np.uint16) + 1
        made[100:200, 100:120] = value + 32768
        return made

    zero_point = 22.5 + 2.5 * np.log10(2e4)
    folder = write({"BUNIT": "adu", "MAGZERO": zero_point}, change=unsigned)
    is_zero = value == -32768  # so large a block of zeros has no data, whatever BLANK says
    assert fetch(folder)[1] == (Flag.PARTIAL_COVERAGE if is_zero else 0)
    for path in folder.glob("s_*.fits"):
        fits.setval(path, "BLANK", value=value)
    assert fetch(folder)[1] == Flag.PARTIAL_COVERAGE


@pytest.mark.parametrize("how", ["links", "copies"])
def test_one_image_under_the_names_of_two_bands(write, how):
    folder = write()
    (folder / "s_r.fits").unlink()
    if how == "links":
        os.symlink("s_g.fits", folder / "s_r.fits")
    else:
        (folder / "s_r.fits").write_bytes((folder / "s_g.fits").read_bytes())
    (line,) = open_source(f"tiles:{folder}", survey="des").assumptions()
    assert line.startswith("bands g and r have the same pixels")
    assert line.endswith("s_g.fits and s_r.fits")
