"""Cutouts from the Legacy Survey sky viewer, over HTTP."""

import re

import numpy as np

from catalogs.errors import InputError
from lsbg_classifier.cutouts.colours import shrink
from lsbg_classifier.cutouts.coverage import judge
from lsbg_classifier.cutouts.decode import WrongImageError, decode_image
from lsbg_classifier.cutouts.download import Downloader
from lsbg_classifier.cutouts.source import check_options, flags_bad_positions
from lsbg_classifier.http import check_server, get, new_session
from lsbg_classifier.surveys import CUTOUT_SIZE, SURVEYS, VIEWER_SIZE, Imaging, survey_named

VIEWER = "https://www.legacysurvey.org/viewer"
"""The public viewer."""

_DECALS_LAYERS = ("ls-dr9-south", "ls-dr9-north", "ls-dr10-grz")
"""Further layers of the Legacy Surveys in g, r and z."""

_NATIVE_SCALE = 0.262
"""Arcseconds per pixel of the viewer's layers, except those of surveys we know."""


class LegacySurveySource:
    """Cutouts that the viewer makes: the ones that DeepShadows was trained on.

    A request asks for 256x256 pixels at ``zoom=15``, half the native pixel, or at the scale of a
    survey that is named and whose own layer it is not; the JPEG is shrunk to 64x64. Blank answers
    and missing bands are recognised from the colours.

    Parameters
    ----------
    layer : str
        ``des-dr1``, ``hsc2``, ``ls-dr9``, ``ls-dr10-grz``, ... A layer that is not of a survey
        known here is taken to show g, r and z at 0.262" per native pixel, and its own name stands
        for the survey, unless that is named.
    survey : str, optional
        Whose images the layer shows: a name of `surveys.SURVEYS`, or the path of a ``.toml`` file
        that describes it.
    url : str
        Address of a viewer, such as ``https://HOST/viewer``; that of its cutouts,
        ``https://HOST/viewer/jpeg-cutout``, is understood too.
    connections : int
        Simultaneous requests.
    timeout : float
        Seconds until an answer begins, without a byte of it, and for the whole of it; with
        the retries a cutout takes a few times that at most.

    Raises
    ------
    InputError
        If `url` is not an http address, or a number makes no sense.
    """

    def __init__(
        self,
        layer: str,
        *,
        survey: str | None = None,
        url: str = VIEWER,
        connections: int = 8,
        timeout: float = 30.0,
    ):
        url = _base_of(check_server(url, connections, timeout))
        self.spec = f"legacysurvey:{layer}"
        self.connections = connections
        self._image = {"layer": layer, "size": VIEWER_SIZE, "zoom": 15}
        self.imaging = _imaging_of(layer)
        if survey is not None:
            named = survey_named(survey)
            self.imaging = named.imaging()
            if named.layer != layer:
                del self._image["zoom"]
                self._image["pixscale"] = f"{named.viewer_scale:g}"
        self._url = f"{url}/jpeg-cutout"
        self._timeout = timeout
        self._session = new_session(connections)
        self._downloader = Downloader(url, connections)

    @classmethod
    def from_spec(cls, detail: str, **options) -> "LegacySurveySource":
        """Open ``legacysurvey:LAYER``; options: `survey`, `url`, `connections`, `timeout`.

        Parameters
        ----------
        detail : str
            Layer of the viewer, such as ``des-dr1``.
        **options
            As for the class.

        Returns
        -------
        LegacySurveySource

        Raises
        ------
        InputError
            If an option is unknown or out of range, or the survey cannot be told.
        """
        check_options("legacysurvey", options, ("connections", "survey", "timeout", "url"))
        return cls(detail, **options)

    def group(self, positions: np.ndarray) -> None:
        """Return None: every cutout is a request of its own."""

    @flags_bad_positions
    def fetch(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cut out one image a position; see `CutoutSource.fetch`."""
        return self._downloader.fetch_all(positions, self._fetch_one)

    def fetch_wide(self, ra: float, dec: float, arcsec: float) -> np.ndarray:
        """Fetch an image of another field of view, to look at.

        Parameters
        ----------
        ra, dec : float
            Degrees.
        arcsec : float
            Of a side.

        Returns
        -------
        array of uint8, shape (256, 256, 3)

        Raises
        ------
        FetchError, ValueError
            If there is no answer, or none that is such an image.
        """
        parameters = {"layer": self._image["layer"], "size": VIEWER_SIZE}
        parameters |= {"ra": f"{ra:.7f}", "dec": f"{dec:.7f}"}
        parameters["pixscale"] = f"{arcsec / VIEWER_SIZE:g}"
        return decode_image(get(self._session, self._url, parameters, self._timeout))

    def close(self):
        """Wait for the requests under way, and close the connections."""
        self._downloader.close()
        self._session.close()

    def _fetch_one(self, ra: float, dec: float) -> tuple[np.ndarray, int]:
        """Fetch a cutout, once more if it does not decode."""
        try:
            image = decode_image(self._request(ra, dec))
        except WrongImageError:
            raise
        except ValueError:
            image = decode_image(self._request(ra, dec))
        cutout = shrink(image)
        return cutout, judge(cutout)

    def _request(self, ra: float, dec: float) -> bytes:
        parameters = {"ra": f"{ra:.7f}", "dec": f"{dec:.7f}", **self._image}
        return get(self._session, self._url, parameters, self._timeout)


def _base_of(url: str) -> str:
    """Return the address of a viewer without that of its cutouts, and without a slash at the end.

    Raises
    ------
    InputError
        If parameters follow a question mark.
    """
    address = url.strip()
    if "?" in address or "#" in address:
        raise InputError(f"{url}: give --url without the question mark and all after it")
    return re.sub(r"(/(jpeg|fits)-cutout)?/*$", "", address)


def _imaging_of(layer: str) -> Imaging:
    """Describe a layer: that of a survey we know, or one of the viewer's others."""
    for survey in SURVEYS.values():
        if survey.layer == layer:
            return survey.imaging()
    if layer in _DECALS_LAYERS:
        return SURVEYS["decals"].imaging()
    return Imaging(layer, ("g", "r", "z"), VIEWER_SIZE * _NATIVE_SCALE / 2 / CUTOUT_SIZE)
