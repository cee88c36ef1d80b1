"""Cutouts from a HiPS, through the CDS service hips2fits and astroquery."""

import threading
from io import BytesIO

import numpy as np
import requests
from astropy import units as u
from astropy.coordinates import Angle, Latitude, Longitude
from astropy.io import fits

from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier.cutouts._http import (
    Downloader,
    FetchError,
    check_address,
    decode_jpeg,
    new_session,
)
from lsbg_classifier.cutouts.colours import NANOMAGGIE_ZERO_POINT, colours_of_fluxes, shrink
from lsbg_classifier.cutouts.coverage import judge_gaps
from lsbg_classifier.surveys import CUTOUT_SIZE, SURVEYS, VIEWER_SIZE, Imaging, Survey, survey_named

_BAND = "{band}"
_BANDS = ("g", "r", "z")


class HipsSource:
    """Cutouts from a HiPS on the survey's field of view.

    An identifier with ``{band}`` in it, such as ``CDS/P/DES-DR2/{band}``, names three HiPS of
    fluxes, which are coloured as the viewer would. Any other names one colour HiPS, which has a
    stretch of its own: weights trained on the viewer's colours do not match it.

    Parameters
    ----------
    hips : str
        Identifier.
    url : str, optional
        Another hips2fits service.
    connections : int
        Simultaneous requests.
    timeout : float
        Seconds.
    survey : str, optional
        Whose images they are, where the identifier does not tell.
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
        self._url = url or conf.server
        check_address(self._url)
        self._timeout = timeout
        self._survey = survey_named(survey) if survey else _survey_of(hips)
        self.imaging = self._survey.imaging(_BANDS) if _BAND in hips else self._colour_imaging()
        self._local = threading.local()
        self._downloader = Downloader(self._url, connections)

    @classmethod
    def from_spec(cls, detail: str, **options) -> "HipsSource":
        """Open ``hips:ID``; options are `url`, `connections`, `timeout` and `survey`."""
        unknown = set(options) - {"url", "connections", "timeout", "survey"}
        if unknown:
            raise InputError(f"hips: takes no option {', '.join(sorted(unknown))}")
        return cls(detail, **options)

    def group(self, positions: np.ndarray) -> None:
        """Return None: every cutout is a request of its own."""

    def fetch(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cut out one image a position; see `CutoutSource.fetch`."""
        fetch_one = self._fetch_bands if _BAND in self._hips else self._fetch_colours
        return self._downloader.fetch_all(positions, fetch_one)

    def _colour_imaging(self) -> Imaging:
        scale = self._survey.field_of_view / CUTOUT_SIZE
        return Imaging(self._survey.name, _BANDS, scale, stretch=self._hips)

    def _fetch_colours(self, ra: float, dec: float) -> tuple[np.ndarray | None, int]:
        for _ in range(2):
            try:
                image = decode_jpeg(self._query(self._hips, ra, dec, "jpg").content)
            except ValueError:
                continue
            blank = np.ptp(image.reshape(-1, 3), axis=0).max() <= 2
            return shrink(image), Flag.NO_COVERAGE if blank else 0
        return None, Flag.BAD_IMAGE

    def _fetch_bands(self, ra: float, dec: float) -> tuple[np.ndarray | None, int]:
        try:
            planes = [self._fetch_flux(band, ra, dec) for band in _BANDS]
        except ValueError:
            return None, Flag.BAD_IMAGE
        fluxes = np.stack(planes)
        flags = judge_gaps(np.mean(~np.isfinite(fluxes) | (fluxes == 0), axis=(1, 2)))
        colours = colours_of_fluxes(np.nan_to_num(fluxes), self._survey.colour_scales[_BANDS])
        return shrink(colours), flags

    def _fetch_flux(self, band: str, ra: float, dec: float) -> np.ndarray:
        """Fetch nanomaggies of one band; float32, shape (256, 256), row 0 at the top (north)."""
        answer = self._query(self._hips.replace(_BAND, band), ra, dec, "fits")
        try:
            with fits.open(BytesIO(answer.content)) as hdus:
                counts = np.array(hdus[0].data, np.float32)
        except (OSError, TypeError) as error:
            raise ValueError(str(error)) from error
        if counts.shape != (VIEWER_SIZE, VIEWER_SIZE):
            raise ValueError(f"an image of shape {counts.shape}")
        return counts[::-1] * 10 ** (-0.4 * (self._survey.zero_point - NANOMAGGIE_ZERO_POINT))

    def _query(self, hips: str, ra: float, dec: float, form: str):
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
        except requests.RequestException as error:
            raise FetchError(str(error).rpartition(": ")[2]) from error
        if answer.status_code != 200:
            raise FetchError(f"HTTP {answer.status_code}")
        return answer

    def _service(self):
        """Return this thread's own client: astroquery's is not made to be shared."""
        if not hasattr(self._local, "service"):
            from astroquery.hips2fits import hips2fitsClass

            service = hips2fitsClass()
            service.server, service.timeout = self._url, self._timeout
            service._session = new_session(1)
            self._local.service = service
        return self._local.service


def _survey_of(hips: str) -> Survey:
    """Tell the survey from the identifier."""
    for key, name in (("DECALS", "decals"), ("LEGACY", "decals"), ("HSC", "hsc"), ("DES", "des")):
        if key in hips.upper():
            return SURVEYS[name]
    raise InputError(f"hips:{hips}: of which survey? say --survey {' or '.join(SURVEYS)}")
