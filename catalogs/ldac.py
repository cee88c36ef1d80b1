"""The header of the image that SourceExtractor measured, which FITS_LDAC keeps in the catalog."""

import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from catalogs.fits_headers import UNREADABLE


def ldac_pixel_scale(path: Path | str) -> float | None:
    """Return the pixel scale of the image in which a catalog of FITS_LDAC was measured.

    Parameters
    ----------
    path : path
        Of any catalog on disk.

    Returns
    -------
    float or None
        Arcseconds, by the world coordinates of the first image's header; None where the catalog
        keeps no such header, or it has none.
    """
    try:
        with warnings.catch_warnings(action="ignore"), fits.open(path, memmap=True) as hdus:
            if "LDAC_IMHEAD" not in hdus:
                return None
            cards = np.atleast_1d(hdus["LDAC_IMHEAD"].data.field(0)[0])
            text = "".join(f"{card!s:80}" for card in np.ravel(cards))
            wcs = WCS(fits.Header.fromstring(text), naxis=2)
            scales = proj_plane_pixel_scales(wcs) * 3600
    except (*UNREADABLE, StopIteration):
        return None
    usable = wcs.has_celestial and np.isfinite(scales).all() and (scales > 0).all()
    return float(np.sqrt(np.prod(scales))) if usable else None
