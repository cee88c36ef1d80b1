"""Flux scales as files say them, against a sky that is known in nanomaggies."""

import re

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from painted_sky import PaintedSky, assert_same_cutout, header_of

from catalogs.errors import InputError
from lsbg_classifier import open_source

SKY = PaintedSky()
SCALE = 0.263
PIXEL_STERADIANS = np.radians(SCALE / 3600) ** 2
NANOMAGGY_JY = 3.631e-6


HST = {"PHOTFLAM": 1.0e-19, "PHOTPLAM": 6000.0}
HST_JANSKY = (1e-19 * u.erg / u.s / u.cm**2 / u.AA).to_value(u.Jy, u.spectral_density(6000 * u.AA))


def write(folder, cards, factor=1.0, primary=None, name="s", scale=SCALE, dtype=np.float32):
    """Write g, r and z: pixels in nanomaggies times a factor, with cards in their headers."""
    for band in "grz":
        header = header_of(SKY.centre, scale)
        image = SKY.image(header, (300, 300), band, scale**2) * factor
        header.update(cards)
        hdus = [fits.PrimaryHDU(image.astype(dtype), header)]
        if primary is not None:
            hdus = [fits.PrimaryHDU(), fits.ImageHDU(image.astype(dtype), header, name="SCI")]
            hdus[0].header.update(primary)
        fits.HDUList(hdus).writeto(folder / f"{name}_{band}.fits")
    return folder


def check(folder, survey="des"):
    source = open_source(f"tiles:{folder}", survey=survey)
    cutouts, flags = source.fetch([SKY.centre])
    assert flags.tolist() == [0]
    assert_same_cutout(cutouts[0], SKY.cutout(survey))
    return source


def zero_point(magnitude):
    return 10 ** (0.4 * (magnitude - 22.5))


STATEMENTS = [
    ({"BUNIT": "nanomaggy"}, 1),
    ({"BUNIT": "nanomaggies"}, 1),
    ({"BUNIT": "nmgy"}, 1),
    ({"BUNIT": "[nanomaggies]"}, 1),
    ({"BUNIT": "muJy"}, NANOMAGGY_JY * 1e6),
    ({"BUNIT": "10**-29 W/m2/Hz"}, NANOMAGGY_JY * 1e3),
    ({"BUNIT": "1E-29 erg/s/cm2/Hz"}, NANOMAGGY_JY * 1e6),
    ({"ABZP": 25.0}, zero_point(25)),
    ({"BUNIT": "maggy"}, 1e-9),
    ({"BUNIT": "nJy"}, NANOMAGGY_JY * 1e9),
    ({"BUNIT": "uJy"}, NANOMAGGY_JY * 1e6),
    ({"BUNIT": "microJy / pixel"}, NANOMAGGY_JY * 1e6),
    ({"BUNIT": "Jy"}, NANOMAGGY_JY),
    ({"BUNIT": "JY"}, NANOMAGGY_JY),
    ({"BUNIT": "mJy"}, NANOMAGGY_JY * 1e3),
    ({"BUNIT": "MJy/sr"}, NANOMAGGY_JY * 1e-6 / PIXEL_STERADIANS),
    ({"BUNIT": "erg/s/cm2/Hz"}, NANOMAGGY_JY * 1e-23),
    ({"BUNIT": "uJy arcsec-2"}, NANOMAGGY_JY * 1e6 / SCALE**2),
    *(
        ({key: 27.0}, zero_point(27))
        for key in ("MAGZERO", "MAGZP", "MAGZPT", "PHOTZP", "ZEROPNT", "ZP", "MZP_AB")
    ),
    ({"MAGZERO": 0.0}, zero_point(0)),
    ({"MAGZERO": "30.0"}, zero_point(30)),
    ({"HIERARCH ZEROPOINT": 25.5}, zero_point(25.5)),
    ({"FLUXMAG0": 10 ** (0.4 * 27)}, zero_point(27)),
    ({"BUNIT": "electrons", "MAGZERO": 30.0}, zero_point(30)),
    ({"BUNIT": "adu/s", "PHOTZP": 25.0}, zero_point(25)),
    ({"BUNIT": "nJy", "MAGZERO": 31.4}, NANOMAGGY_JY * 1e9),
    (HST | {"BUNIT": "ELECTRONS/S"}, NANOMAGGY_JY / HST_JANSKY),
    (HST | {"BUNIT": "ELECTRONS", "EXPTIME": 100.0}, 100 * NANOMAGGY_JY / HST_JANSKY),
    ({"PHOTFNU": 1e-7, "BUNIT": "counts/s"}, NANOMAGGY_JY / 1e-7),
    ({"SURVEY": "DECaLS", "VERSION": "DR9", "IMAGETYP": "image"}, 1),
    ({}, zero_point(30)),
]


@pytest.mark.slow
@pytest.mark.parametrize("place", ["own", "primary", "primary, INHERIT"])
@pytest.mark.parametrize(("cards", "factor"), STATEMENTS, ids=str)
def test_a_file_says_its_own_scale(tmp_path, cards, factor, place):
    if place == "own":
        write(tmp_path, cards, factor)
    else:
        write(tmp_path, {"INHERIT": True} if "," in place else {}, factor, primary=cards)
    source = check(tmp_path)
    supposed = [
        line for line in source.assumptions() if "zero point of Dark Energy Survey, 30" in line
    ]
    assert len(supposed) == (not cards)


def test_the_survey_gives_colours_and_scale_only(tmp_path):
    """The images of one survey, in the colours of another."""
    check(write(tmp_path, {"BUNIT": "nJy"}, NANOMAGGY_JY * 1e9, scale=0.2), survey="hsc")


def test_pixels_of_inverse_hyperbolic_sines(tmp_path):
    """As Pan-STARRS stores them: asinh of counts, of a zero point that EXPTIME gives."""
    exposure, offset, softening = 860.0, 2.5, 40.0
    for band in "grz":
        header = header_of(SKY.centre, 0.25)
        flux = SKY.image(header, (300, 300), band, 0.25**2)
        counts = flux * zero_point(25 + 2.5 * np.log10(exposure))
        header.update(EXPTIME=exposure, BOFFSET=offset, BSOFTEN=softening)
        pixels = 2.5 / np.log(10) * np.arcsinh((counts - offset) / (2 * softening))
        fits.writeto(tmp_path / f"s_{band}.fits", pixels.astype(np.float32), header)
    check(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({"BUNIT": "nJy", "MAGZERO": 22.5}, "BUNIT nJy and MAGZERO 22.5 contradict each other"),
        ({"MAGZERO": 30.0, "ZP": 27.0}, "MAGZERO 30 and ZP 27 contradict"),
        ({"FLUXMAG0": 1e9, "MAGZERO": 27.0}, "contradict"),
        ({"MAGZERO": -99.0}, "MAGZERO is -99, which is no zero point"),
        ({"MAGZERO": 0.0}, "MAGZERO 0 cannot be right: the noise of the sky would be"),
        ({"MAGZERO": 55.0}, "a pixel, and cutouts black; write the right MAGZERO or BUNIT"),
        ({"MAGZERO": "unknown"}, "MAGZERO is 'unknown', not a number"),
        ({"FLUXMAG0": 0.0}, "FLUXMAG0 is 0"),
        ({"BUNIT": "K"}, "BUNIT K is no known unit of flux"),
        ({"BUNIT": "Jy/beam"}, "BUNIT Jy/beam is no known unit"),
        ({"BUNIT": "mjy"}, "BUNIT mjy is no known unit"),
        ({"BUNIT": "10**-17 erg/s/cm2/Ang"}, "10**-17 erg/s/cm2/Ang is no known unit"),
        ({"MAGZERO": 27.0, "MAGSYS": "Vega"}, "MAGZERO is of Vega magnitudes; convert it to AB"),
        ({"BSOFTEN": 3.0, "BOFFSET": 1.0}, "no EXPTIME"),
    ],
    ids=str,
)
def test_contradictions_are_refused_in_one_line(tmp_path, cards, said):
    write(tmp_path, cards)
    with pytest.raises(InputError) as caught:
        open_source(f"tiles:{tmp_path}", survey="des")
    assert said in str(caught.value) and "s_g.fits" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_statement_in_the_primary_header_about_another_image_does_not_count(tmp_path):
    """It has an image of its own, and the extension does not inherit."""
    for band in "grz":
        header = header_of(SKY.centre, SCALE)
        image = SKY.image(header, (300, 300), band, SCALE**2).astype(np.float32)
        primary = fits.PrimaryHDU(np.ones((5, 5), np.float32), fits.Header({"MAGZERO": 27.0}))
        header["BUNIT"] = "nanomaggy"
        hdus = [primary, fits.ImageHDU(image, header, name="SCI")]
        fits.HDUList(hdus).writeto(tmp_path / f"s_{band}.fits")
    check(tmp_path)


@pytest.mark.parametrize(
    ("cards", "magnitude"),
    [
        # As DES writes it, whose zero point is that of one count all the same.
        (
            {
                "BUNIT": "electrons",
                "EXPTIME": 450.0,
                "MAGZERO": (30.0, "Mag Zero-point in magnitudes/s"),
            },
            30,
        ),
        ({"MAGZERO": (27.0, "AB, by Vega magnitudes of stars")}, 27),
        ({"BUNIT": " ", "MAGZERO": 27.0}, 27),
    ],
    ids=str,
)
def test_comments_say_what_a_zero_point_is_of(tmp_path, cards, magnitude):
    check(write(tmp_path, cards, zero_point(magnitude)))


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({"MAGZPT": (25.0, "zero point (Vega)")}, "MAGZPT is of Vega magnitudes; convert it"),
        ({"BUNIT": "ABmag"}, "BUNIT ABmag is no known unit of flux"),
        ({"BUNIT": "mag_AB"}, "BUNIT mag_AB is no known unit of flux"),
        ({"BUNIT": "nanomaggies/arcsec^2"}, "no known unit of flux"),
    ],
    ids=str,
)
def test_what_no_colours_can_be_made_of(tmp_path, cards, said):
    write(tmp_path, cards)
    with pytest.raises(InputError, match=re.escape(said)):
        open_source(f"tiles:{tmp_path}", survey="des")


def test_a_zero_point_with_two_values(tmp_path):
    write(tmp_path, {"MAGZERO": 30.0}, zero_point(30))
    with fits.open(tmp_path / "s_g.fits", mode="update") as hdus:
        hdus[0].header.append(("MAGZERO", 27.0))
    with pytest.raises(InputError, match=r"MAGZERO is there several times, 30\.0 and 27\.0; keep"):
        open_source(f"tiles:{tmp_path}", survey="des")


def test_a_keyword_that_may_be_a_zero_point_is_named(tmp_path):
    write(tmp_path, {"MAG_ZERO": 30.0, "ZPERR": 0.02}, zero_point(30))
    (line,) = open_source(f"tiles:{tmp_path}", survey="des").assumptions()
    assert "30, is supposed; its MAG_ZERO 30 is not used" in line


@pytest.mark.parametrize(
    ("cards", "named"),
    [
        ({"MAGZPT": 24.6, "MAGZRR": 0.02, "EXPTIME": 45.0}, "MAGZPT 24.6"),
        ({"SURVEY": "VIKING", "VERSION": "1.1", "IMAGETYP": "OBJECT"}, ""),
    ],
)
def test_what_looks_like_a_statement_and_is_none(tmp_path, cards, named):
    """A zero point of one count a second, and keywords that not only the sky viewer writes."""
    write(tmp_path, cards, zero_point(30))
    (line,) = check(tmp_path).assumptions()
    assert "the zero point of Dark Energy Survey, 30, is supposed" in line
    assert (f"its {named} is not used" in line) == bool(named)


def test_a_cube_of_numbered_bands_is_the_viewers_only_in_nanomaggies(tmp_path):
    """Its pixels are its own, and of another size than the survey's."""
    header = header_of(SKY.centre, 0.2, 400)
    cube = [SKY.image(header, (400, 400), band, 0.2**2) * zero_point(27) for band in "grz"]
    header.update({"MAGZERO": 27.0, "BANDS": "grz", "BAND0": "g", "BAND1": "r", "BAND2": "z"})
    fits.writeto(tmp_path / "cube.fits", np.array(cube, np.float32), header)
    check(tmp_path)
