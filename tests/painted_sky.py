"""A piece of sky that is known everywhere, images of it as surveys deliver them, and its cutouts.

The sky is a sum of round sources on a tangent plane, in nanomaggies a square arcsecond. Images are
made by its values at the places that astropy's WCS gives their pixels; the expected cutouts by its
values on the viewer's grid, the viewer's colour formula and Pillow. No code of the package is used.
"""

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame
from PIL import Image

SCALES = {
    ("des", "grz"): (6.0, 3.4, 2.2),
    ("decals", "grz"): (6.0, 3.4, 2.2),
    ("decals", "gri"): (9.0, 5.1, 4.5),
    ("hsc", "grz"): (30.0, 17.0, 11.0),
    ("hsc", "gri"): (45.0, 25.5, 22.5),
    ("des", "gri"): (9.0, 5.1, 4.5),
}
"""Of the viewer's colours; facts of the Legacy Surveys' viewer."""

PIXELS = {"des": (0.263, 0.131), "hsc": (0.168, 0.084), "decals": (0.262, 0.131)}
"""Arcseconds of a survey's pixels, and of the viewer's at zoom 15."""


class PaintedSky:
    """Sources around a centre, (ra, dec) in degrees; brighter in redder bands."""

    def __init__(self, centre=(150.0, 2.0), seed=3, surface=0.3):
        self.centre, rng = centre, np.random.default_rng(seed)
        self.places = rng.uniform(-15, 15, (14, 2))
        self.widths = rng.uniform(1.2, 3.0, 14)
        self.lights = surface * rng.uniform(0.1, 1.0, (14, 6)) * np.linspace(0.4, 1.2, 6)

    def surface(self, east, north, band):
        """Nanomaggies a square arcsecond at offsets in arcseconds."""
        total = np.full(np.shape(east), 1e-3)
        for (x, y), width, lights in zip(self.places, self.widths, self.lights, strict=True):
            squared = ((east - x) ** 2 + (north - y) ** 2) / (2 * width**2)
            total += lights["ugrizy".index(band)] * np.exp(-squared)
        return total

    def offsets(self, sky: SkyCoord):
        """Arcseconds east and north on the plane that touches the sphere at the centre."""
        ra, dec = np.radians(sky.icrs.ra.deg), np.radians(sky.icrs.dec.deg)
        ra0, dec0 = np.radians(self.centre)
        cosine = np.sin(dec0) * np.sin(dec) + np.cos(dec0) * np.cos(dec) * np.cos(ra - ra0)
        east = np.cos(dec) * np.sin(ra - ra0) / cosine
        north = np.cos(dec0) * np.sin(dec) - np.sin(dec0) * np.cos(dec) * np.cos(ra - ra0)
        return np.degrees(east) * 3600, np.degrees(north / cosine) * 3600

    def image(self, header, shape, band, area):
        """Nanomaggies a pixel of an image; `area` in square arcseconds is that of its pixels."""
        wcs = WCS(header, naxis=2)
        y, x = np.mgrid[: shape[0], : shape[1]]
        lon, lat = wcs.all_pix2world(x.ravel(), y.ravel(), 0)
        sky = SkyCoord(lon, lat, unit="deg", frame=wcs_to_celestial_frame(wcs))
        east, north = self.offsets(sky)
        return (self.surface(east, north, band) * area).reshape(shape)

    def cutout(self, survey="des", bands="grz"):
        """The cutout at the centre, as the viewer's formula and Pillow make it."""
        own, step = PIXELS[survey]
        steps = (np.arange(256) - 127.5) * step
        east, north = np.meshgrid(-steps, -steps)
        scaled = [
            scale * self.surface(east, north, band) * own**2 + 0.03
            for scale, band in zip(SCALES[survey, bands], bands, strict=True)
        ]
        intensity = sum(np.clip(each, 0, None) for each in scaled) / 3
        factor = np.arcsinh(20 * intensity) / np.sqrt(20) / intensity
        image = np.dstack([np.clip(each * factor, 0, 1) for each in scaled[::-1]])
        small = Image.fromarray((image * 255).astype(np.uint8)).resize((64, 64))
        return np.asarray(small)


def header_of(centre, scale, size=300, *, turn=0.0, flip=False, moved=(0.0, 0.0), frame=None):
    """A header with a TAN projection, north turned by some degrees, optionally mirrored."""
    header = fits.Header()
    lon, lat = centre
    if frame is not None:
        place = SkyCoord(*centre, unit="deg").transform_to(frame).spherical
        lon, lat = place.lon.deg, place.lat.deg
    cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    matrix = np.diag([scale if flip else -scale, scale]) @ [[cosine, sine], [-sine, cosine]] / 3600
    names = ("GLON-TAN", "GLAT-TAN") if frame == "galactic" else ("RA---TAN", "DEC--TAN")
    for axis in (1, 2):
        header[f"CTYPE{axis}"] = names[axis - 1]
        header[f"CRVAL{axis}"] = (lon, lat)[axis - 1]
        header[f"CRPIX{axis}"] = (size + 1) / 2 + moved[axis - 1]
        header[f"CUNIT{axis}"] = "deg"
        for other in (1, 2):
            header[f"CD{axis}_{other}"] = matrix[axis - 1][other - 1]
    return header


def assert_same_cutout(cutout, expected):
    """Median difference at most 1 of 255, position within 0.1 pixel, flux within 1 %."""
    ours, theirs = cutout.astype(float), expected.astype(float)
    difference = ours - theirs
    assert np.median(abs(difference)) <= 1, f"median difference {np.median(abs(difference))}"
    if theirs.std() < 2:  # nothing to tell a place by
        return
    gradients = np.gradient(theirs, axis=(1, 0))
    design = np.stack([g.ravel() for g in (*gradients, theirs - 32)], axis=1)
    dx, dy, flux = np.linalg.lstsq(design, difference.ravel(), rcond=None)[0]
    assert np.hypot(dx, dy) <= 0.1, f"moved by {np.hypot(dx, dy):.2f} pixels"
    assert abs(flux) <= 0.01, f"flux off by {flux:.1%}"
