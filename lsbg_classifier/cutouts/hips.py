"""Cutouts from a HiPS, through the CDS service hips2fits and astroquery."""

import re
import threading
from collections.abc import Callable

import numpy as np
import requests
from astropy import units as u
from astropy.coordinates import Angle, Latitude, Longitude
from urllib3.exceptions import HTTPError

from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier.cutouts.colours import NANOMAGGIE_ZERO_POINT, colours_of_fluxes, shrink
from lsbg_classifier.cutouts.coverage import judge_gaps
from lsbg_classifier.cutouts.decode import WrongImageError, decode_image, read_plane
from lsbg_classifier.cutouts.download import Downloader
from lsbg_classifier.cutouts.no_data import without_data
from lsbg_classifier.cutouts.source import check_options, flags_bad_positions
from lsbg_classifier.http import FetchError, check_server, content_of, new_session, reason
from lsbg_classifier.surveys import CUTOUT_SIZE, SURVEYS, VIEWER_SIZE, Imaging, Survey, survey_named

_BAND = "{band}"
_BANDS = ("g", "r", "z")


class HipsSource:
    """Cutouts from a HiPS on the survey's field of view.

    An identifier with ``{band}`` in it, such as ``CDS/P/DES-DR2/{band}``, names three HiPS of
    fluxes in counts of the survey's zero point, which are coloured as the viewer would. Any other
    names one colour HiPS. That has a stretch of its own, named by its identifier in `imaging`, so
    weights trained on the viewer's colours do not match it; and only wholly blank cutouts of it
    are recognised, for its colours do not tell a band without data.

    Parameters
    ----------
    hips : str
        Identifier.
    url : str, optional
        Another hips2fits service than that of the CDS.
    connections : int
        Simultaneous requests.
    timeout : float
        Seconds until an answer begins, without a byte of it, and for the whole of it.
    survey : str, optional
        Whose images they are, where the identifier does not tell; a name in `surveys.SURVEYS`.

    Raises
    ------
    InputError
        If the survey is not known, `url` is not an http address, or a number makes no sense.
    """

    def __init__(
        self,
        hips: str,
        *,
        url: str | None = None,
        connections: int = 8,
        timeout: float = 30.0,
        survey: str | None = None,
    ):
        from astroquery.hips2fits import conf

        self.spec = f"hips:{hips}"
        self.connections = connections
        self._hips = hips
        self._url = check_server(url or conf.server, connections, timeout)
        self._timeout = timeout
        self._survey = survey_named(survey) if survey else _survey_of(hips)
        self.imaging = self._survey.imaging(_BANDS) if _BAND in hips else self._colour_imaging()
        self._local = threading.local()
        self._session = new_session(connections)
        self._downloader = Downloader(self._url, connections)

    @classmethod
    def from_spec(cls, detail: str, **options) -> "HipsSource":
        """Open ``hips:ID``; options are `url`, `connections`, `timeout` and `survey`.

        Parameters
        ----------
        detail : str
            ID of the HiPS, such as ``CDS/P/DES-DR2/ColorIRG``.
        **options
            As for the class.

        Returns
        -------
        HipsSource

        Raises
        ------
        InputError
            If an option is unknown or out of range, or the survey cannot be told.
        """
        check_options("hips", options, ("connections", "survey", "timeout", "url"))
        return cls(detail, **options)

    def group(self, positions: np.ndarray) -> None:
        """Return None: every cutout is a request of its own."""

    @flags_bad_positions
    def fetch(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cut out one image a position; see `CutoutSource.fetch`."""
        fetch_one = self._fetch_bands if _BAND in self._hips else self._fetch_colours
        return self._downloader.fetch_all(positions, fetch_one)

    def close(self):
        """Wait for the requests under way, and close the connections."""
        self._downloader.close()
        self._session.close()

    def _colour_imaging(self) -> Imaging:
        scale = self._survey.field_of_view / CUTOUT_SIZE
        return Imaging(self._survey.name, _bands_of(self._hips), scale, stretch=self._hips)

    def _fetch_colours(self, ra: float, dec: float) -> tuple[np.ndarray, int]:
        image = self._decoded(decode_image, self._hips, ra, dec, "jpg")
        blank = np.ptp(image.reshape(-1, 3), axis=0).max() <= 2
        return shrink(image), Flag.NO_COVERAGE if blank else 0

    def _fetch_bands(self, ra: float, dec: float) -> tuple[np.ndarray, int]:
        fluxes = np.stack([self._fetch_flux(band, ra, dec) for band in _BANDS])
        seen = np.isfinite(fluxes) & (fluxes != 0)
        flags = judge_gaps(1 - seen.mean(axis=(1, 2)))
        colours = colours_of_fluxes(
            np.where(seen, fluxes, np.float32(0)), self._survey.colour_scales[_BANDS]
        )
        return shrink(colours), int(flags)

    def _fetch_flux(self, band: str, ra: float, dec: float) -> np.ndarray:
        """Fetch nanomaggies of one band; see `read_plane`."""
        hips = self._hips.replace(_BAND, band)
        factor = 10 ** (-0.4 * (self._survey.zero_point - NANOMAGGIE_ZERO_POINT))
        counts = self._decoded(read_plane, hips, ra, dec, "fits")
        counts[without_data(counts, factor)] = np.nan
        return np.float32(factor) * counts

    def _decoded(self, decode: Callable, *query) -> np.ndarray:
        """Ask the service for an image, and once more if it does not decode."""
        try:
            return decode(self._query(*query))
        except WrongImageError:
            raise
        except ValueError:
            return decode(self._query(*query))

    def _query(self, hips: str, ra: float, dec: float, form: str) -> bytes:
        """Ask the service for 256x256 pixels, north up, east left."""
        service = self._service()
        try:
            answer = service.query_async(
                hips=hips,
                width=VIEWER_SIZE,
                height=VIEWER_SIZE,
                projection="TAN",
                ra=Longitude(ra * u.deg),
                dec=Latitude(dec * u.deg),
                fov=Angle(self._survey.field_of_view * u.arcsec),
                coordsys="icrs",
                rotation_angle=Angle(0 * u.deg),
                format=form,
                min_cut=0.5,
                max_cut=99.5,
                stretch="linear",
                cmap="Greys_r",
            )
        except (requests.RequestException, HTTPError) as error:
            raise FetchError(reason(error)) from error
        return content_of(answer)

    def _service(self):
        """Return this thread's own client: astroquery's is not made to be shared."""
        if not hasattr(self._local, "service"):
            from astroquery.hips2fits import hips2fitsClass

            service = hips2fitsClass()
            service.server, service.timeout = self._url, self._timeout
            service._session = self._session
            self._local.service = service
        return self._local.service


def _survey_of(hips: str) -> Survey:
    """Tell the survey from the identifier."""
    for key, name in (("DECALS", "decals"), ("LEGACY", "decals"), ("HSC", "hsc"), ("DES", "des")):
        if key in hips.upper():
            return SURVEYS[name]
    raise InputError(
        f"hips:{hips}: its survey is not known; name it with --survey {' or '.join(SURVEYS)}"
    )


def _bands_of(hips: str) -> tuple[str, ...]:
    """Bands of a colour HiPS, blue to red, from the letters after "color", red to blue."""
    named = re.search(r"colou?r-?([ugrizy]{3})(?![a-z])", hips, re.IGNORECASE)
    return tuple(reversed(named[1].lower())) if named else ("?", "?", "?")
