"""Folders that do not say all that is needed, or hold what does not belong there."""

import numpy as np
import pytest
from astropy.io import fits
from painted_sky import PaintedSky, assert_same_cutout, header_of

from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier import cores, open_source
from lsbg_classifier.cutouts import tile_index
from lsbg_classifier.cutouts.sky_noise import measure_noise

SKY, SCALE, SIZE = PaintedSky(), 0.263, 300
HEADER = header_of(SKY.centre, SCALE)


@pytest.fixture(scope="module")
def images():
    """The sky in nanomaggies, by band."""
    made = {band: SKY.image(HEADER, (SIZE, SIZE), band, SCALE**2) for band in "grz"}
    return {band: image.astype(np.float32) for band, image in made.items()}


@pytest.fixture
def write(tmp_path, images):
    """Return a function that writes the images with some cards, and with noise of the sky."""

    def write_images(cards, noise=0.0, factor=1.0, name="s_{}.fits"):
        rng = np.random.default_rng(1)
        for band, image in images.items():
            pixels = (image + rng.normal(0, noise, image.shape)) * factor
            header = fits.Header([*HEADER.cards, *cards.items()])
            fits.writeto(tmp_path / name.format(band), pixels.astype(np.float32), header)
        return tmp_path

    return write_images


def fetched(folder, survey="des"):
    source = open_source(f"tiles:{folder}", survey=survey)
    cutouts, flags = source.fetch([SKY.centre])
    return source, cutouts[0], flags[0]


def test_images_that_would_be_black_are_named(write):
    """Nanomaggies of which no file says so; a survey's file that gives the zero point is heard."""
    folder = write({}, noise=0.003)
    (line,) = open_source(f"tiles:{folder}", survey="des").assumptions()
    assert "the zero point of DES, 30, is supposed" in line.replace("Dark Energy Survey", "DES")
    assert "the noise of its sky would be 3e-06 nanomaggies a pixel, less than any survey's" in line
    assert "cutouts nearly black" in line
    described = folder / "mine.toml"
    described.write_text(
        'name = "mine"\npixel_scale = 0.263\nzero_point = 22.5\nviewer_scale = 0.131\n'
    )
    (line,) = open_source(f"tiles:{folder}", survey=str(described)).assumptions()
    assert "hardly right" not in line


def test_a_stated_zero_point_that_is_hardly_right_is_said(write):
    """Counts of zero point 30 with that of nanomaggies."""
    folder = write({"MAGZERO": 22.5}, noise=0.01, factor=1000)
    (line,) = open_source(f"tiles:{folder}", survey="des").assumptions()
    assert line.startswith("s_g.fits and 2 more say MAGZERO 22.5. That is hardly right: the noise")


def test_a_single_image_that_is_doubtful_is_said_alone(write):
    folder = write({"BUNIT": "nanomaggy"}, noise=0.01)
    fits.setval(folder / "s_r.fits", "BUNIT", value="maggy")
    fits.setval(folder / "s_g.fits", "BUNIT", value="1e-2 nanomaggy")
    with pytest.raises(InputError, match=r"s_r.fits: BUNIT maggy cannot be right"):
        open_source(f"tiles:{folder}", survey="des")
    fits.setval(folder / "s_r.fits", "BUNIT", value="1e+3 nanomaggy")
    (line,) = open_source(f"tiles:{folder}", survey="des").assumptions()
    assert line.startswith("s_r.fits says BUNIT 1e+3 nanomaggy. That is hardly right: the noise")


def test_workers_refuse_absurd_scales_too(write, monkeypatch):
    """A user's own graph may open a source that no command has looked at."""
    monkeypatch.setattr(cores, "_share", 2)
    with pytest.raises(InputError, match="cannot be right: the noise of the sky"):
        open_source(f"tiles:{write({'MAGZERO': 0.0}, noise=0.01, factor=1000)}", survey="des")


def test_the_noise_of_an_image_is_measured_once(write, monkeypatch):
    measured = []

    def measure(folder, image):
        measured.append(image.path)
        return measure_noise(folder, image)

    monkeypatch.setattr(tile_index, "measure_noise", measure)
    source = open_source(f"tiles:{write({'MAGZERO': 22.5}, noise=0.01)}", survey="des")
    assert source.assumptions() == source.assumptions() == []
    assert measured == ["s_g.fits"]


def test_a_zero_point_of_unknown_meaning_is_named(write):
    folder = write({"HIERARCH ESO PHOT ZP": 27.8}, noise=0.003, factor=1000)
    (line,) = open_source(f"tiles:{folder}", survey="des").assumptions()
    assert "30, is supposed; its ESO PHOT ZP 27.8 is not used, because it may be of one" in line


@pytest.mark.parametrize("inherit", [{}, {"INHERIT": True}])
def test_coordinates_in_the_primary_header(tmp_path, images, inherit):
    for band, image in images.items():
        primary = fits.PrimaryHDU(header=HEADER)
        own = fits.ImageHDU(image, fits.Header({"BUNIT": "nanomaggy"} | inherit))
        fits.HDUList([primary, own]).writeto(tmp_path / f"s_{band}.fits")
    _, cutout, flags = fetched(tmp_path)
    assert flags == 0
    assert_same_cutout(cutout, SKY.cutout())


@pytest.mark.parametrize("keyword", ["BAND", "FILTER"])
@pytest.mark.parametrize("first", [0, 1])
def test_a_cube_whose_bands_are_numbered(tmp_path, images, keyword, first):
    bands = {f"{keyword}{n}": band for n, band in enumerate("zrg", start=first)}
    header = fits.Header([*HEADER.cards, ("BUNIT", "nanomaggy"), *bands.items()])
    fits.writeto(tmp_path / "object.fits", np.array([images[band] for band in "zrg"]), header)
    _, cutout, flags = fetched(tmp_path)
    assert flags == 0
    assert_same_cutout(cutout, SKY.cutout())


def test_an_image_of_four_axes_is_named(tmp_path, images):
    fits.writeto(tmp_path / "s_g.fits", images["g"][None, None], HEADER)
    with pytest.raises(InputError, match="its image has 4 axes; write it with two"):
        open_source(f"tiles:{tmp_path}", survey="des")


def test_a_stray_image_is_named(write):
    folder = write({"BUNIT": "nanomaggy"}, name="DES1000+0209_r2590p01_{}.fits")
    fits.writeto(folder / "calexp-HSC-G-9813-4,5.fits", np.ones((SIZE, SIZE)), HEADER)
    said = r"3 of des such as DES1000\+0209_r2590p01_g.fits, 1 of hsc such as calexp-HSC-G-9813"
    with pytest.raises(InputError, match=said):
        open_source(f"tiles:{folder}")


def test_a_weight_of_another_name(write):
    """It is used where one image of its band lies beside it, and named where it is not used."""
    folder = write({"BUNIT": "nanomaggy"})
    weight = np.ones((SIZE, SIZE), np.float32)
    weight[: SIZE // 2 + 30] = 0
    for band in "grz":
        fits.writeto(folder / f"weight_{band}.fits", weight, HEADER)
    source, cutout, flags = fetched(folder)
    assert flags == Flag.PARTIAL_COVERAGE and not source.passed_over()
    (line,) = source.assumptions()
    assert line.startswith("3 files are taken for the weight or mask of an image of another name")
    assert line.endswith("such as weight_g.fits of s_g.fits")
    for band in "grz":
        fits.writeto(folder / f"other_weight_{band}.fits", weight[1:], HEADER)
    source, cutout, flags = fetched(folder)
    assert flags == 0
    assert_same_cutout(cutout, SKY.cutout())
    (line,) = source.passed_over()
    assert line.startswith("6 files passed over: a weight of no image: of another size or name")
