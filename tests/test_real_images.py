"""Real images of the Legacy Surveys, whole and spoilt, through the sources of cutouts."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.wcs import WCS
from PIL import Image
from viewer import Viewer, rgb

from catalogs import InputError
from catalogs.flags import Flag
from lsbg_classifier import open_source
from lsbg_classifier.cutouts.coverage import judge
from lsbg_classifier.cutouts.decode import decode_image

ELLIPTICAL = (202.5, 319.5)
BLUE_STAR = (313.5, 237.5)
RED_STAR = (71.5, 358.5)
BLUE_GALAXY = (341.5, 286.5)
EMPTY_SKY = (255.5, 430.5)
"""Places in a1689_*.fits, pixels from 0, chosen by eye; each halfway between pixels."""


def folder_of(shared, tmp_path, *names):
    for name in names:
        (tmp_path / name).symlink_to(shared / "real_images" / name)
    return f"tiles:{tmp_path}"


@pytest.fixture
def a1689(shared, tmp_path):
    return folder_of(shared, tmp_path, *(f"a1689_{band}.fits" for band in "grz"))


@pytest.fixture(scope="module")
def images(shared):
    """Planes g, r, z and their WCS."""
    paths = [shared / "real_images" / f"a1689_{band}.fits" for band in "grz"]
    return [fits.getdata(path) for path in paths], WCS(fits.getheader(paths[0]))


def on_sky(images, *places):
    return images[1].all_pix2world(np.array(places, float), 0)


@pytest.mark.parametrize("place", [ELLIPTICAL, BLUE_STAR, RED_STAR, BLUE_GALAXY, EMPTY_SKY])
def test_brightness_is_that_of_the_formula_on_the_pixels(a1689, images, place):
    (cutout,), flags = open_source(a1689).fetch(on_sky(images, place))
    planes = [Cutout2D(plane, place, 128).data for plane in images[0]]
    expected = np.asarray(Image.fromarray(rgb(planes)).resize((64, 64), Image.Resampling.BOX))
    assert flags.tolist() == [0]
    difference = cutout.astype(float) - expected
    assert abs(difference.mean(axis=(0, 1))).max() < 1.5
    assert np.median(abs(difference)) <= 4
    centre = np.s_[30:34, 30:34]
    np.testing.assert_allclose(cutout[centre].mean((0, 1)), expected[centre].mean((0, 1)), atol=8)


@pytest.mark.parametrize(
    ("place", "order"),
    [(ELLIPTICAL, "rgb"), (RED_STAR, "rgb"), (BLUE_STAR, "bgr"), (BLUE_GALAXY, "bgr")],
)
def test_colours_are_those_of_the_objects(a1689, images, place, order):
    cutout = open_source(a1689).fetch(on_sky(images, place))[0][0]
    channels = dict(zip("rgb", cutout[30:34, 30:34].mean(axis=(0, 1)), strict=True))
    assert sorted("rgb", key=channels.get, reverse=True) == list(order)


def test_north_is_up_and_east_is_left(a1689, images):
    """A look 8 arcsec east and 5 arcsec north of the elliptical shows it to the lower right."""
    galaxy = SkyCoord(*on_sky(images, ELLIPTICAL)[0], unit="deg")
    place = galaxy.spherical_offsets_by(8 * u.arcsec, 5 * u.arcsec)
    cutout = open_source(a1689).fetch(np.array([[place.ra.deg, place.dec.deg]]))[0][0]
    row, column = np.unravel_index(cutout.sum(axis=2, dtype=int).argmax(), (64, 64))
    assert abs(row - (31.5 + 5 / 0.524)) < 1.5 and abs(column - (31.5 + 8 / 0.524)) < 1.5


def test_at_the_edge_and_beyond(a1689, images):
    places = [(255.5, 500), (8, 255.5), (500, 10), (255.5, 515), (-40, 255.5), (900, 900)]
    part, none = Flag.PARTIAL_COVERAGE, Flag.NO_COVERAGE
    cutouts, flags = open_source(a1689).fetch(on_sky(images, *places))
    assert flags.tolist() == [part] * 3 + [none] * 3
    assert np.unique(cutouts[0, :20]).tolist() == [32] and cutouts[0, 40:].std() > 5
    assert not cutouts[3:].any()


@pytest.mark.parametrize("bands", ["gr", "rz", "gz", "r"])
def test_a_band_that_is_not_there(shared, tmp_path, images, bands):
    source = folder_of(shared, tmp_path, *(f"a1689_{band}.fits" for band in bands))
    with pytest.raises(InputError, match="no tile has all of the bands"):
        open_source(source)
    folder_of(shared, tmp_path, "decals_example_a.fits")
    cutouts, flags = open_source(source).fetch(on_sky(images, ELLIPTICAL))
    assert flags.tolist() == [Flag.MISSING_BAND] and not cutouts.any()


def look_at_cube(shared, tmp_path, name, north=0):
    """Open a cube and fetch its middle, or so many arcsec north of it."""
    source = open_source(folder_of(shared, tmp_path, f"{name}.fits"))
    header = fits.getheader(shared / "real_images" / f"{name}.fits")
    position = [header["CRVAL1"], header["CRVAL2"] + north / 3600]
    (cutout,), (flag,) = source.fetch(np.array([position]))
    return source, cutout, flag


@pytest.mark.parametrize(
    ("name", "north", "flag"),
    [
        ("decals_example_a", 0, Flag(0)),
        ("decals_example_a", 15, Flag.PARTIAL_COVERAGE),  # reaches beyond the image
        ("decals_example_bad_pix", 0, Flag.PARTIAL_COVERAGE),  # g and r end north of the galaxy
        ("decals_example_bad_pix", -10, Flag.MISSING_BAND),
    ],
)
def test_cubes_of_three_bands(shared, tmp_path, name, north, flag):
    source, cutout, got = look_at_cube(shared, tmp_path, name, north)
    assert source.imaging.survey == "decals" and source.imaging.bands == ("g", "r", "z")
    assert got == flag
    assert cutout.any() == (flag != Flag.MISSING_BAND)


def test_a_spiral_from_a_cube_has_a_white_centre_a_yellow_bulge_and_bluer_arms(shared, tmp_path):
    cutout = look_at_cube(shared, tmp_path, "decals_example_a")[1]
    y, x = np.mgrid[:64, :64] - 31.5
    radius = np.hypot(x, y)
    bulge, arms = (
        cutout[(radius >= inner) & (radius < inner + 6)].mean(axis=0) for inner in (4, 24)
    )
    assert cutout[30:34, 30:34].min() > 200
    assert 1.02 < bulge[1] / bulge[2] and 1.02 < bulge[0] / bulge[1]
    assert arms[0] / arms[2] < bulge[0] / bulge[2] - 0.1


def test_where_bands_have_no_data_only_the_other_one_shows(shared, tmp_path):
    cutout = look_at_cube(shared, tmp_path, "decals_example_bad_pix")[1]
    red, green, blue = cutout[28:36, 28:36].reshape(-1, 3).mean(axis=0)
    assert red > 240 and green < 32 and blue < 32
    assert abs(cutout[:8].mean(axis=(0, 1)) - 32).max() < 16


def test_a_truncated_image_is_refused_by_name(shared, tmp_path):
    names = ("decals_example_a.fits", "decals_example_incomplete.fits")
    source = folder_of(shared, tmp_path, *names)
    with pytest.raises(InputError, match=r"decals_example_incomplete\.fits.*truncated") as caught:
        open_source(source)
    assert "\n" not in str(caught.value) and "decals_example_a" not in str(caught.value)


def test_a_real_answer_of_the_viewer_whose_r_band_ends(shared):
    content = (shared / "real_images" / "viewer_des_half_covered.jpg").read_bytes()
    image = decode_image(content)
    assert image.shape == (256, 256, 3) and judge(image) == Flag.PARTIAL_COVERAGE
    red, green, blue = image[190:].reshape(-1, 3).mean(axis=0)
    assert green < min(red, blue) - 3
    with Viewer(faults=lambda *_: ("body", content)) as viewer:
        source = open_source("legacysurvey:des-dr1", url=viewer.url)
        cutouts, flags = source.fetch(np.array([[0.35, 2.15]]))
        source.close()
    assert flags.tolist() == [Flag.PARTIAL_COVERAGE] and cutouts.any()
