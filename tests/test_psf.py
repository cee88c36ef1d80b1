"""Point-spread functions from files and headers, against formulas and against stars."""

import numpy as np
import pytest
import sep
from astropy.io import fits
from test_injection import SCALE, SIZE, folder_of_tiles

from catalogs.errors import InputError
from lsbg_classifier.injection.psf import PsfChoice, find_psfs
from lsbg_classifier.injection.render import local_jacobian
from lsbg_classifier.tile_images import OpenImages, TileSet

ZERO, SPAN, STEP = (350.5, 350.5), (300.0, 250.0), 0.6
TERMS = ("1", "X", "X^2", "Y", "Y X", "Y^2")


def gaussian(dx, dy, width, length, angle=25.0):
    """A Gaussian of unit flux with sigmas in pixels, its long axis at an angle to that of x."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    along, across = c * dx + s * dy, c * dy - s * dx
    return np.exp(-0.5 * ((along / length) ** 2 + (across / width) ** 2)) / (
        2 * np.pi * width * length
    )


def part(term, dx, dy):
    """The image that multiplies a term of the polynomial."""
    round_one, long_one = gaussian(dx, dy, 1.7, 1.7), gaussian(dx, dy, 1.6, 2.4)
    return {
        "1": long_one,
        "X": 0.3 * (round_one - long_one),
        "X^2": 0.1 * round_one,
        "Y": 0.2 * (gaussian(dx, dy, 2.2, 2.2) - round_one),
        "Y X": 0.1 * (gaussian(dx - 0.5, dy, 2, 2) - gaussian(dx + 0.5, dy, 2, 2)),
        "Y^2": 0.05 * gaussian(dx, dy, 2.0, 2.0),
    }[term]


def formula(x, y, dx, dy):
    """The profile at pixel (x, y) from 1, at offsets in pixels: PSFEx's manual, term by term."""
    u, v = (x - ZERO[0]) / SPAN[0], (y - ZERO[1]) / SPAN[1]
    values = (1.0, u, u**2, v, v * u, v**2)
    image = sum(value * part(term, dx, dy) for value, term in zip(values, TERMS, strict=True))
    return image / (1 + 0.1 * u**2 + 0.05 * v**2)  # all others have no flux


def write_psfex(path, terms=TERMS, **changes):
    """Write a model as PSFEx does, of 61 by 61 samples."""
    dy, dx = (np.mgrid[:61, :61] - 30) * STEP
    cube = np.array([part(term, dx, dy) for term in terms], np.float32)
    column = fits.Column("PSF_MASK", f"{cube.size}E", dim=f"(61,61,{len(cube)})", array=[cube])
    hdu = fits.BinTableHDU.from_columns([column], name="PSF_DATA")
    axes = 2 if len(terms) > 1 else 0
    header = {"POLNAXIS": axes, "PSF_SAMP": STEP, "PSFNAXIS": 3, "PSFAXIS1": 61, "PSFAXIS2": 61}
    header |= {"PSFAXIS3": len(cube), "LOADED": 300, "ACCEPTED": 250, "CHI2": 1.1}
    if axes:
        for axis, name in enumerate(("X_IMAGE", "Y_IMAGE"), 1):
            header |= {f"POLGRP{axis}": 1, f"POLNAME{axis}": name}
            header |= {f"POLZERO{axis}": ZERO[axis - 1], f"POLSCAL{axis}": SPAN[axis - 1]}
        header |= {"POLNGRP": 1, "POLDEG1": 2}
    for key, value in (header | changes).items():
        hdu.header[key] = value
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return str(path)


def psfs_of(folder, choice=None):
    tile = TileSet(folder).tiles[0]
    with OpenImages(tile) as images:
        return tile, find_psfs(tile, images, PsfChoice.of_text(choice))


def in_pixels(tile, psf, x, y, side=25):
    """Draw a point at a pixel from 0 into the tile's pixels."""
    image = psf.at(x, y).drawImage(
        nx=side, ny=side, wcs=local_jacobian(tile, x, y), method="no_pixel"
    )
    return image.array


@pytest.mark.slow
@pytest.mark.parametrize("turn", [0, 40])
def test_psfex_models_are_what_the_formula_gives_everywhere_in_the_tile(tmp_path, turn):
    """The profile lies along the tile's pixels, also where these are turned on the sky."""
    folder = folder_of_tiles(tmp_path / "tiles", turn=turn)
    tile, psfs = psfs_of(folder, write_psfex(tmp_path / "model.psf"))
    assert psfs["g"].origin == "PSFEx model model.psf"
    dy, dx = np.mgrid[:25, :25] - 12
    for x, y in ((349.5, 349.5), (20, 660), (680, 640)):
        expected = formula(x + 1, y + 1, dx, dy)
        drawn = in_pixels(tile, psfs["r"], x, y)
        assert np.abs(drawn - expected).max() < 0.01 * expected.max()
        assert drawn.sum() == pytest.approx(1, abs=0.01)


@pytest.mark.slow
def test_psfex_models_that_do_not_vary(tmp_path):
    folder = folder_of_tiles(tmp_path / "tiles")
    tile, psfs = psfs_of(folder, write_psfex(tmp_path / "model.psf", TERMS[:1]))
    dy, dx = np.mgrid[:25, :25] - 12
    expected = part("1", dx, dy)
    for x, y in ((30, 40), (600, 300)):
        assert np.abs(in_pixels(tile, psfs["z"], x, y) - expected).max() < 0.01 * expected.max()
    assert psfs["z"].fwhm == pytest.approx(2.355 * np.sqrt(1.6 * 2.4) * SCALE, rel=0.06)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"POLNAME2": "MAG_AUTO"}, "varies with X_IMAGE, MAG_AUTO"),
        ({"POLDEG1": 3}, "6 images do not make a polynomial of degree 3"),
        ({"POLNGRP": 2}, "several groups"),
    ],
)
def test_psfex_models_of_other_kinds_are_refused(tmp_path, changes, words):
    folder = folder_of_tiles(tmp_path / "tiles")
    path = write_psfex(tmp_path / "model.psf", **changes)
    with pytest.raises(InputError, match=rf"model.psf: no readable .*{words}"):
        psfs_of(folder, path)


def test_an_image_lies_along_the_pixels_of_a_turned_tile(tmp_path):
    folder = folder_of_tiles(tmp_path / "tiles", turn=130)
    dy, dx = np.mgrid[:41, :41] - 20
    image = gaussian(dx, dy, 1.6, 2.6)
    fits.writeto(tmp_path / "psf.fits", image.astype(np.float32))
    tile, psfs = psfs_of(folder, str(tmp_path / "psf.fits"))
    drawn = in_pixels(tile, psfs["g"], 300, 200, 41)
    assert np.abs(drawn - image).max() < 0.005 * image.max()


def test_each_band_gets_its_own_image_of_one_file(tmp_path):
    folder = folder_of_tiles(tmp_path / "tiles")
    dy, dx = np.mgrid[:41, :41] - 20
    hdus = [fits.PrimaryHDU()]
    widths = {"g": 2.2, "r": 1.9, "z": 1.6}
    for band, width in widths.items():
        hdus.append(fits.ImageHDU(gaussian(dx, dy, width, width).astype(np.float32)))
        hdus[-1].header["BAND"] = band
    fits.HDUList(hdus).writeto(tmp_path / "psf.fits")
    _, psfs = psfs_of(folder, str(tmp_path / "psf.fits"))
    for band, width in widths.items():
        assert psfs[band].fwhm == pytest.approx(2.355 * width * SCALE, rel=0.03)
    fits.HDUList(hdus[:3]).writeto(tmp_path / "two.fits")
    with pytest.raises(InputError, match=r"two.fits: .*2 images, and BAND = 'z' in 0"):
        psfs_of(folder, str(tmp_path / "two.fits"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keyword", "value", "comment", "arcsec"),
    [
        ("PSF_FWHM", 1.3, "[arcsec] seeing", 1.3),
        ("SEEING", 4.0, "[pixel] FWHM of stars", 4.0 * SCALE),
        ("IQFINAL", 0.8, "", 0.8),
    ],
)
def test_keywords_give_a_moffat_profile_of_that_width(tmp_path, keyword, value, comment, arcsec):
    """In pixels if the comment says so; the profile is that of pixels, not broadened again."""
    folder = folder_of_tiles(tmp_path / "tiles")
    for path in folder.iterdir():
        with fits.open(path, mode="update") as hdus:
            del hdus[1].header["PSF_FWHM"]
            hdus[1].header[keyword] = (value, comment)
    tile, psfs = psfs_of(folder)
    assert psfs["g"].fwhm == pytest.approx(arcsec)
    assert psfs["g"].origin.startswith(f"{keyword} in its header")
    dy, dx = np.mgrid[:41, :41] - 20
    core = arcsec / SCALE / 2 / np.sqrt(2 ** (1 / 3.5) - 1)
    expected = 2.5 / (np.pi * core**2) * (1 + (dx**2 + dy**2) / core**2) ** -3.5
    drawn = in_pixels(tile, psfs["g"], SIZE / 2, SIZE / 2, 41)
    assert np.abs(drawn - expected).max() < 0.01 * expected.max()


def test_legacy_surveys_copsf_fits_a_real_star(shared, tmp_path):
    """In a real DR9 cutout: residuals of the star are noise with its own band's PSF alone."""
    real = shared / "real_images" / "legacy_dr9"
    name = "59.1067_-30.4848.fits"
    (tmp_path / "tiles").mkdir()
    (tmp_path / "tiles" / f"cutout_{name}").write_bytes((real / f"cutout_{name}").read_bytes())
    tile, psfs = psfs_of(tmp_path / "tiles", str(real / f"copsf_{name}"))
    assert {round(psf.fwhm, 2) for psf in psfs.values()} != {round(psfs["g"].fwhm, 2)}
    with fits.open(real / f"cutout_{name}") as hdus:
        pixels, weight = (np.ascontiguousarray(hdus[n].data, np.float32) for n in (5, 6))
    image = pixels - sep.Background(pixels, bw=32, bh=32).back()
    x, y = 41.3, 118.6  # the only bright star of the cutout
    misfits = {band: misfit(tile, psfs[band], image, weight, (x, y)) for band in "grz"}
    assert misfits["z"] < 1.6
    assert misfits["g"] > 1.5 * misfits["z"]


def misfit(tile, psf, image, weight, place):
    """Chi square a pixel of a star in 15 by 15 pixels, its flux and centroid fitted."""
    from scipy.optimize import least_squares

    column, row = (round(at) for at in place)
    box = slice(row - 7, row + 8), slice(column - 7, column + 8)
    data, error = image[box], 1 / np.sqrt(weight[box])
    profile, jacobian = psf.at(*place), local_jacobian(tile, *place)

    def residuals(values):
        flux, dx, dy = values
        model = profile.withFlux(flux).drawImage(
            nx=15, ny=15, wcs=jacobian, offset=(dx, dy), method="no_pixel"
        )
        return ((model.array - data) / error).ravel()

    start = (data.sum(), place[0] - column, place[1] - row)
    fitted = least_squares(residuals, start, diff_step=1e-3)
    return float(np.mean(fitted.fun**2))


def test_galsim_reads_the_same_model(tmp_path):
    """Its own reader of PSFEx models is independent of ours."""
    import galsim.des

    path = write_psfex(tmp_path / "model.psf")
    folder = folder_of_tiles(tmp_path / "tiles")
    tile, psfs = psfs_of(folder, path)
    theirs = galsim.des.DES_PSFEx(path).getPSF(galsim.PositionD(101, 601))
    image = theirs.drawImage(nx=25, ny=25, scale=1.0, method="no_pixel").array
    ours = in_pixels(tile, psfs["g"], 100, 600)
    assert np.abs(ours - image).max() < 1e-3 * image.max()
