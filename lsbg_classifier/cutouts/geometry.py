"""Where the pixels of an image lie on the sky, whatever its projection, distortion and frame."""

import re
import warnings
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.coordinates import ICRS, SkyCoord
from astropy.io import fits
from astropy.wcs import WCS, WcsError
from astropy.wcs.utils import wcs_to_celestial_frame

from catalogs.positions import unit_vectors
from lsbg_classifier.cutouts.wcs_header import standard_header
from lsbg_classifier.surveys import VIEWER_SIZE

_SAME_PLACE = 1.0
"""Pixels by which the way from a position to its pixel and back may miss the position."""

_STRAIGHT = 0.1
"""Pixels by which a cutout's grid may depart from an affine map of it."""

_MOST_TURN = 20.5
"""Degrees from north up to which an image can be sampled in two passes; see `pixels.resample`."""


_LOST = 0.1
"""Pixels by which corners may move when coordinates are written as a header and read again."""

_DISTORTIONS = ("A_ORDER", "PV1_", "PV2_", "CQDIS", "CPDIS")
"""Beginnings of the keywords of SIP, of TPV as SCAMP writes it, and of TNX as wcslib does."""

_PLACE_IN_WCSLIB = re.compile(r"ERROR \d+ in \w+\(\) at line \d+ of file \S+:\s*")
"""What wcslib writes before each sentence of an error."""


class SkyError(ValueError):
    """An image without usable coordinates on the sky; the message says what is wrong."""


@dataclass(frozen=True)
class SkyGrid:
    """The pixel grid of an image on the sky.

    Attributes
    ----------
    wcs_header : str
        The celestial WCS as FITS cards, SIP coefficients included.
    width, height : int
        Pixels.
    """

    wcs_header: str
    width: int
    height: int

    def wcs(self) -> WCS:
        """Return a new WCS: astropy's are not safe to share between threads."""
        return WCS(fits.Header.fromstring(self.wcs_header), naxis=2)

    @property
    def is_distorted(self) -> bool:
        """Whether there is a distortion beside the projection: SIP, TPV or TNX."""
        return any(keyword in self.wcs_header for keyword in _DISTORTIONS)

    def pixels_of(self, ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
        """Return where ICRS positions lie.

        Parameters
        ----------
        ra, dec : array of float, shape (N,)
            Degrees.

        Returns
        -------
        array of float, shape (2, N)
            Pixels x and y from 0; NaN where the projection or the distortion has no place for it.
        """
        wcs = self.wcs()
        world = _to_frame(wcs, ra, dec)
        pixels = np.array(wcs.all_world2pix(*world, 0, quiet=True))
        if self.is_distorted:  # whose inverse may lead anywhere
            back = wcs.all_pix2world(*pixels, 0)
            again = np.array(wcs.wcs_world2pix(*back, 0))
            first = np.array(wcs.wcs_world2pix(*world, 0))
            astray = ~(np.hypot(*(again - first)) < _SAME_PLACE)
            pixels[:, astray] = np.nan
        return pixels

    def outline(self) -> np.ndarray:
        """Return where the centre and the four corners lie: ICRS, shape (5, 2), in degrees."""
        return self.sky_of(*self.outline_pixels())

    def outline_pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y of the centre and the four corners, shape (5,) each, in pixels from 0."""
        x = np.array([self.width / 2, 0, self.width, 0, self.width]) - 0.5
        y = np.array([self.height / 2, 0, 0, self.height, self.height]) - 0.5
        return x, y

    def sky_of(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return where pixels lie on the sky.

        Parameters
        ----------
        x, y : array of float, shape (N,)
            Pixels from 0.

        Returns
        -------
        array of float, shape (N, 2)
            ICRS degrees; NaN where the projection leads nowhere.
        """
        return _sky_of(self.wcs(), x, y)

    def pixel_scale(self) -> float:
        """Return the side of a square with the area of the central pixel on the sky, in arcseconds.

        Far from where a projection touches the sphere, pixels of one size are of another there.
        """
        x, y = self.width / 2 + np.array([0, 1, 0]), self.height / 2 + np.array([0, 0, 1])
        corner, right, up = unit_vectors(self.sky_of(x, y))
        area = float(np.linalg.norm(np.cross(right - corner, up - corner)))
        return 3600 * float(np.degrees(np.sqrt(area)))

    def is_straight(self) -> bool:
        """Tell whether a cutout's grid is an affine map of the pixels, without looking closer."""
        wcs = self.wcs()
        return not self.is_distorted and wcs.wcs.ctype[wcs.wcs.lng].endswith(
            ("-TAN", "-SIN", "-ZEA")
        )


def read_grid(header, width: int, height: int) -> SkyGrid:
    """Read the pixel grid of an image from its header.

    Parameters
    ----------
    header : astropy.io.fits.Header
    width, height : int
        Pixels.

    Returns
    -------
    SkyGrid

    Raises
    ------
    SkyError
        If there are no coordinates on the sky, or such as are not understood.
    ValueError
        If the coordinates are wrong.
    """
    with warnings.catch_warnings(action="ignore"):
        wcs = _read_wcs(standard_header(header))
        if not wcs.has_celestial:
            raise SkyError("it has no coordinates on the sky")
        if wcs.cpdis1 or wcs.cpdis2 or wcs.det2im1 or wcs.det2im2:
            raise SkyError("its distortion is in a table, which is not read; resample the image")
        if wcs.wcs.lngtyp not in ("RA", "GLON"):
            raise SkyError(f"coordinates {wcs.wcs.lngtyp} are not known; use RA and DEC")
        grid = SkyGrid(wcs.to_header_string(relax=wcs.sip is not None), width, height)
        if not np.isfinite(grid.outline()).all() or not grid.pixel_scale() > 0:
            raise SkyError("its coordinates lead nowhere on the sky")
        _check_kept(grid, wcs)
    return grid


def _check_kept(grid: SkyGrid, wcs: WCS):
    """Refuse a distortion that is lost when a WCS is written as a header."""
    before = unit_vectors(_sky_of(wcs, *grid.outline_pixels()))
    apart = np.linalg.norm(unit_vectors(grid.outline()) - before, axis=1).max()
    if not np.degrees(apart) * 3600 <= _LOST * grid.pixel_scale():
        raise SkyError("its distortion is of a kind that is not read; resample the image")


def _read_wcs(header) -> WCS:
    """Read the WCS of an image, or say what is wrong with it in plain words."""
    try:
        return WCS(header, naxis=2)
    except (WcsError, ValueError) as error:
        reason = " ".join(_PLACE_IN_WCSLIB.sub("", str(error)).split()).rstrip(":")
        if str(header.get("CTYPE1", "")).endswith(("TNX", "ZPX")):
            reason = "the distortion in its WAT keywords is not read; resample the image"
        raise ValueError(f"its coordinates on the sky cannot be used: {reason}") from error


def _sky_of(wcs: WCS, x, y) -> np.ndarray:
    """Return where pixels lie: ICRS, shape (N, 2), in degrees."""
    sky = wcs.all_pix2world(x, y, 0)
    sky = sky if wcs.wcs.lng == 0 else sky[::-1]
    frame = _frame_to_convert(wcs)
    if frame is not None:
        converted = SkyCoord(*sky, unit="deg", frame=frame).transform_to(ICRS())
        sky = converted.ra.deg, converted.dec.deg
    return np.stack(sky, axis=-1)


def _frame_to_convert(wcs: WCS):
    """Return the frame of the coordinates, None where they are ICRS to 0.03 arcseconds."""
    is_new = wcs.wcs.radesys in ("", "ICRS", "FK5") and wcs.wcs.equinox in (2000.0,)
    if wcs.wcs.lngtyp == "RA" and (is_new or wcs.wcs.radesys == "ICRS"):
        return None
    frame = wcs_to_celestial_frame(wcs)
    return None if isinstance(frame, ICRS) else frame


def _to_frame(wcs: WCS, ra, dec):
    """Convert ICRS positions to the frame of the image, in the order of its axes; in degrees."""
    frame = _frame_to_convert(wcs)
    if frame is not None:
        converted = SkyCoord(ra, dec, unit="deg").transform_to(frame).spherical
        ra, dec = converted.lon.deg, converted.lat.deg
    return (ra, dec) if wcs.wcs.lng == 0 else (dec, ra)


@dataclass(frozen=True)
class Placement:
    """Where the viewer's grids around some positions lie in an image.

    Attributes
    ----------
    affines : array of float, shape (N, 2, 3)
        See `pixels.resample`.
    errors : array of float, shape (N,)
        Pixels by which the grid's corners depart from the affine map; 0 if it is not distorted.
    """

    affines: np.ndarray
    errors: np.ndarray

    @property
    def is_bent(self) -> np.ndarray:
        """Whether each grid departs from an affine map so far that a cutout would be wrong."""
        return ~(self.errors <= _STRAIGHT)

    @property
    def is_upright(self) -> bool:
        """Whether all grids are turned so little that they can be sampled in two passes."""
        return bool((_turns(self.affines) <= _MOST_TURN).all())


def place_grids(grid: SkyGrid, positions: np.ndarray, scale: float) -> Placement:
    """Map the viewer's grid around each position into an image's pixels.

    Two tangent planes are related by a projection that is affine over half an arcminute to 1e-4
    pixels, so four points on the sky fix it; of images that are distorted, or in another
    projection, the corners are compared too.

    Parameters
    ----------
    grid : SkyGrid
    positions : array of float, shape (N, 2)
        ICRS degrees.
    scale : float
        Arcseconds between samples.

    Returns
    -------
    Placement
    """
    half = VIEWER_SIZE / 4
    centre, north, east, south, west = _around(grid, positions, scale * half, [0, 90, 180, 270])
    right, up = (west - east) / (2 * half), (north - south) / (2 * half)
    affines = np.stack([centre, right, up], axis=-1)
    if grid.is_straight():
        return Placement(affines, np.zeros(len(positions)))
    reach = scale * VIEWER_SIZE / 2 * np.sqrt(2)
    _, *corners = _around(grid, positions, reach, [45, 135, 225, 315])
    steps = np.array([[-1, 1], [-1, -1], [1, -1], [1, 1]]) * VIEWER_SIZE / 2
    expected = [centre + right * across + up * along for across, along in steps]
    errors = np.linalg.norm(np.array(corners) - expected, axis=-1).max(axis=0)
    return Placement(affines, errors)


def _around(grid: SkyGrid, positions, arcsec: float, directions) -> np.ndarray:
    """Return the pixels of positions, and of points around them on a tangent plane; (5, N, 2)."""
    reach = np.arctan(np.radians(arcsec / 3600)) * u.rad
    centre = SkyCoord(positions[:, :1], positions[:, 1:], unit="deg")
    around = centre.directional_offset_by(directions * u.deg, reach)
    ra = np.append(positions[:, :1], around.ra.deg, axis=1)
    dec = np.append(positions[:, 1:], around.dec.deg, axis=1)
    return np.reshape(grid.pixels_of(ra.ravel(), dec.ravel()), (2, -1, 5)).T


def _turns(affines: np.ndarray) -> np.ndarray:
    """Return by how many degrees each grid is turned or slanted against the pixels."""
    (xu, xv), (yu, yv) = affines[:, 0, 1:].T, affines[:, 1, 1:].T
    return np.degrees(np.maximum(np.arctan2(abs(xv), abs(xu)), np.arctan2(abs(yu), abs(yv))))
