"""Published cuts and the size of pixels: from the catalog, the tiles, the survey, or the option."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from test_injection import ZERO_POINT, noise, wcs_header, write

from catalogs.errors import InputError
from catalogs.ldac import ldac_pixel_scale
from pipeline.describe import describe_job
from pipeline.job import prepare
from pipeline.options import Options

RADII = np.array([8.0, 10.0, 12.0, 13.0, 90.0], np.float32)
"""Pixels: in pixels of 0.263" the first is below 2.5", in those of 0.2" the first three are not
above; the last is above 20" in the first alone."""


def candidates(path, header=None):
    """Candidates that pass the cut of DES but for their sizes."""
    columns = {
        "ALPHA_J2000": np.full(5, 359.99),
        "DELTA_J2000": np.full(5, -31.0),
        "SPREAD_MODEL_I": 0.05, "SPREADERR_MODEL_I": 0.001, "FLUX_RADIUS_G": RADII,
        "MU_MEAN_MODEL_G": 25.0, "MAG_AUTO_G": 21.0, "MAG_AUTO_R": 20.6, "MAG_AUTO_I": 20.4,
        "A_IMAGE": 5.0, "B_IMAGE": 4.0,
    }  # fmt: skip
    table = Table({name: np.broadcast_to(value, 5) for name, value in columns.items()})
    hdus = [fits.PrimaryHDU(), fits.BinTableHDU(table, name="LDAC_OBJECTS")]
    if header is not None:
        cards = np.array([[card.image for card in header.cards]])
        column = fits.Column("Field Header Card", f"{cards.size * 80}A", array=["".join(cards[0])])
        hdus.insert(1, fits.BinTableHDU.from_columns([column], name="LDAC_IMHEAD"))
    fits.HDUList(hdus).writeto(path)
    return path


def tiles_of(folder, *scales):
    """One small tile for each pixel scale."""
    folder.mkdir()
    for number, scale in enumerate(scales):
        for seed, band in enumerate("grz", 1):
            header = wcs_header(200, scale, ra=359.99 + number)
            header["MAGZERO"] = ZERO_POINT
            write(folder / f"DES000{number}-3100_r1_{band}.fits", noise(seed, 200), header)
    return f"tiles:{folder}"


def job_of(tmp_path, catalog, cutouts, **options):
    asked = Options(cutouts, select="des", allow_mismatch=True, **options)
    return prepare(catalog, tmp_path / "out.fits", asked)


def kept(job):
    return RADII[job.selection.keep(job.catalog, 0, 5)].tolist()


def test_the_pixels_of_the_tiles_are_used_and_said(tmp_path):
    catalog = candidates(tmp_path / "in.fits")
    job = job_of(tmp_path, catalog, tiles_of(tmp_path / "tiles", 0.2))
    assert kept(job) == [13.0, 90.0]
    line = (
        'the cut des takes FLUX_RADIUS to be in pixels of 0.2" instead of the published 0.263", '
        "those of the tiles; --pixel-scale changes it"
    )
    assert line in job.assumptions()
    assert any(line in said for said in describe_job(job))
    assert "FLUX_RADIUS_G * 0.2 <" in job.selection.text
    again = job_of(tmp_path, catalog, f"tiles:{tmp_path / 'tiles'}", pixel_scale=0.263)
    assert kept(again) == [10.0, 12.0, 13.0]
    assert any('0.263", as asked for' in line for line in again.assumptions())


def test_the_header_in_a_catalog_counts_more_than_the_tiles(tmp_path):
    """FITS_LDAC keeps the header of the image that was measured."""
    catalog = candidates(tmp_path / "in.ldac", wcs_header(200, 0.4, turn=30))
    assert ldac_pixel_scale(catalog) == pytest.approx(0.4, rel=1e-6)
    job = job_of(tmp_path, catalog, tiles_of(tmp_path / "tiles", 0.2))
    assert kept(job) == [8.0, 10.0, 12.0, 13.0]
    assert any("the header of the image in the catalog" in line for line in job.assumptions())


def test_headers_without_coordinates_say_nothing(tmp_path):
    assert ldac_pixel_scale(candidates(tmp_path / "a.ldac", fits.Header({"EXPTIME": 90.0}))) is None
    assert ldac_pixel_scale(candidates(tmp_path / "b.fits")) is None
    (tmp_path / "c.fits").write_text("no table")
    assert ldac_pixel_scale(tmp_path / "c.fits") is None


def test_without_tiles_the_survey_or_the_cut_decides(tmp_path):
    catalog = candidates(tmp_path / "in.fits")
    job = job_of(tmp_path, catalog, "legacysurvey:des-dr1")
    assert kept(job) == [10.0, 12.0, 13.0]
    assert any("those of the cut's survey" in line for line in job.assumptions())


def test_tiles_of_several_pixel_scales_need_the_option(tmp_path):
    catalog, tiles = candidates(tmp_path / "in.fits"), tiles_of(tmp_path / "tiles", 0.2, 0.4)
    with pytest.raises(InputError, match=r'pixels of 0.2" to 0.4"; say with --pixel-scale'):
        job_of(tmp_path, catalog, tiles)
    assert kept(job_of(tmp_path, catalog, tiles, pixel_scale=0.2)) == [13.0, 90.0]


def test_a_scale_without_a_published_cut_is_refused(tmp_path):
    catalog, tiles = candidates(tmp_path / "in.fits"), tiles_of(tmp_path / "tiles", 0.2)
    asked = Options(tiles, select="FLUX_RADIUS_G > 10", pixel_scale=0.2, allow_mismatch=True)
    with pytest.raises(InputError, match="--pixel-scale is for --select des or hsc"):
        prepare(catalog, tmp_path / "out.fits", asked)
    with pytest.raises(InputError, match=r'a pixel scale must be 0\.001" to 60"'):
        job_of(tmp_path, catalog, tiles, pixel_scale=-1.0)
