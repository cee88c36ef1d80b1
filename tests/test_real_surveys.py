"""Real images of five surveys against WCS, Lanczos sums, colours and Pillow of the tests' own.

The zero points are those that the surveys publish; none is taken from the package.
"""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from painted_sky import PIXELS, SCALES, assert_same_cutout
from PIL import Image
from viewer import lanczos

from catalogs.flags import Flag
from lsbg_classifier import open_source

pytestmark = pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")


def link(tmp_path, paths):
    for path in paths:
        (tmp_path / path.name).symlink_to(path)
    return f"tiles:{tmp_path}"


def counts_to_nanomaggies(zero_point):
    return 10 ** (-0.4 * (zero_point - 22.5))


def expected(planes, headers, position, survey, bands, *, native=None):
    """The cutout at a position; planes in nanomaggies a pixel, `native` arcsec wide."""
    own, step = PIXELS[survey]
    grid = WCS(naxis=2)
    grid.wcs.ctype, grid.wcs.crval = ["RA---TAN", "DEC--TAN"], position
    grid.wcs.crpix, grid.wcs.cd = [128.5, 128.5], np.diag([-step, step]) / 3600
    columns, rows = np.meshgrid(np.arange(256), np.arange(256)[::-1])
    sky = grid.all_pix2world(columns.ravel(), rows.ravel(), 0)
    scaled = []
    for plane, header, scale in zip(planes, headers, SCALES[survey, bands], strict=True):
        wcs = WCS(header, naxis=2)
        pixel = native or 3600 * np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix)))
        (flux,) = lanczos([np.asarray(plane, np.float32)], *wcs.all_world2pix(*sky, 0))
        scaled.append(scale * flux.reshape(256, 256) * (own / pixel) ** 2 + 0.03)
    intensity = np.maximum(sum(np.clip(each, 0, None) for each in scaled) / 3, 1e-6)
    factor = np.arcsinh(20 * intensity) / np.sqrt(20) / intensity
    image = np.dstack([np.clip(each * factor, 0, 1) for each in scaled[::-1]])
    return np.asarray(Image.fromarray((image * 255).astype(np.uint8)).resize((64, 64)))


def middle_of(header, x=None, y=None):
    x = (header["NAXIS1"] - 1) / 2 if x is None else x
    y = (header["NAXIS2"] - 1) / 2 if y is None else y
    return [float(each) for each in WCS(header, naxis=2).all_pix2world(x, y, 0)]


def check(source, position, wanted, flag=0):
    (cutout,), (got,) = source.fetch([position])
    assert Flag(int(got)) == flag
    assert_same_cutout(cutout, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("bands", ["grz", "gri"])
def test_des_cutouts_with_weights(shared, tmp_path, bands):
    paths = sorted((shared / "real_images" / "des_sn2006bh").glob("DES_?.fits"))
    source = open_source(link(tmp_path, paths), survey="des", bands=bands)
    files = [tmp_path / f"DES_{band}.fits" for band in bands]
    planes = [fits.getdata(path) * counts_to_nanomaggies(30) for path in files]
    headers = [fits.getheader(path) for path in files]
    position = middle_of(headers[0])
    check(source, position, expected(planes, headers, position, "des", bands))
    assert not source.assumptions()


@pytest.mark.slow
@pytest.mark.parametrize("survey", ["des", "decals"])
def test_a_viewer_cutout_of_images_and_inverse_variances(shared, tmp_path, survey):
    folder = shared / "real_images" / "legacy_dr9"
    source = open_source(link(tmp_path, sorted(folder.glob("*.fits"))), survey=survey)
    with fits.open(next(folder.glob("cutout_*"))) as hdus:
        planes, headers = [hdus[n].data for n in (1, 3, 5)], [hdus[n].header for n in (1, 3, 5)]
        position = middle_of(headers[0])
        wanted = expected(planes, headers, position, survey, "grz", native=PIXELS[survey][0])
    check(source, position, wanted)
    assert any("copsf" in line for line in source.passed_over())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["CFHTLS-test_{}.fits", "CFHTLS_27_{}_sci.fits"])
def test_cfhtls(shared, tmp_path, name):
    paths = [shared / "real_images" / "cfhtls" / name.format(band) for band in "gri"]
    source = open_source(link(tmp_path, paths), survey="decals", bands="gri")
    planes = [fits.getdata(path) * counts_to_nanomaggies(30) for path in paths]
    headers = [fits.getheader(path) for path in paths]
    position = middle_of(headers[0])
    check(source, position, expected(planes, headers, position, "decals", "gri"))


def test_a_viewer_cutout_as_a_cube(shared, tmp_path):
    """It is smaller than a cutout: what lies beyond is black, and flagged."""
    path = shared / "cases" / "images" / "viewer_fits_cutout" / "5.fits"
    source = open_source(link(tmp_path, [path]), survey="des")
    with fits.open(path) as hdus:
        header, planes = hdus[0].header, list(hdus[0].data)
        position = middle_of(header)
        wanted = expected(planes, [header] * 3, position, "des", "grz", native=0.263)
    check(source, position, wanted, Flag.PARTIAL_COVERAGE)


@pytest.mark.slow
@pytest.mark.parametrize("place", [(700, 900), (1500, 400), (2222, 1999)])
def test_kids(shared, tmp_path, place):
    paths = [shared / "real_sky" / f"kids_{band}.fits.fz" for band in "grz"]
    source = open_source(link(tmp_path, paths), survey="des")
    planes, headers = [], []
    for path, zero_point in zip(paths, (0, 0, 30), strict=True):
        with fits.open(path) as hdus:
            planes.append(hdus[1].data * counts_to_nanomaggies(zero_point))
            headers.append(hdus[1].header.copy())
    position = middle_of(headers[0], *place)
    check(source, position, expected(planes, headers, position, "des", "grz"))


FOLDERS = ("bunit_njy", "magzero_in_primary", "catalog_beside", "cfis_names", "sci_rms", "sip")


@pytest.mark.slow
@pytest.mark.parametrize("survey", ["des", "decals"])
@pytest.mark.parametrize("name", FOLDERS)
def test_faults_that_were_seen(shared, name, survey):
    """Small files, each of which showed a fault; where none says a scale, the survey's counts."""
    folder = shared / "cases" / "images" / name
    candidate = "candidate.fits" if name == "sip" else "cat.fits"
    table = fits.getdata(folder.parent / candidate)
    position = [float(table[column][0]) for column in table.names[:2]]
    planes, headers = [], []
    for band in "grz":
        path = next(p for p in folder.glob(f"*{band}.fits*") if not p.name.startswith("rms"))
        with fits.open(path) as hdus:
            hdu = next(each for each in hdus if each.data is not None)
            silent = {"des": 30, "decals": 22.5}[survey]
            zero_point = {"bunit_njy": 31.4, "magzero_in_primary": 30}.get(name, silent)
            planes.append(np.array(hdu.data * counts_to_nanomaggies(zero_point)))
            headers.append(hdu.header.copy())
    source = open_source(f"tiles:{folder}", survey=survey)
    native = PIXELS[survey][0]  # they differ by 0.4 %, which is not converted
    check(source, position, expected(planes, headers, position, survey, "grz", native=native))
    said = any("neither unit nor zero point" in line for line in source.assumptions())
    assert said == (name not in ("bunit_njy", "magzero_in_primary"))


@pytest.mark.slow
def test_the_next_tile_where_the_deepest_is_blank(shared):
    folder = shared / "cases" / "images" / "deepest_blank"
    planes, headers = [], []
    for band in "grz":
        with fits.open(folder / f"B_{band}.fits") as hdus:
            planes.append(np.array(hdus[0].data))
            headers.append(hdus[0].header.copy())
    position = [32.0, -40.0]
    wanted = expected(planes, headers, position, "decals", "grz", native=0.262)
    check(open_source(f"tiles:{folder}"), position, wanted, Flag.PARTIAL_COVERAGE)
