"""HTTP as all sources use it: pooled, patient, bounded, and polite."""

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from io import BytesIO
from urllib.parse import urlsplit

import numpy as np
import requests
from PIL import Image
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from lsbg_classifier.cutouts.source import empty_cutouts
from lsbg_classifier.surveys import VIEWER_SIZE

USER_AGENT = f"lsbg_classifier/{version('lsbg-classifier')}"

LARGEST_ANSWER = 4 << 20
"""Bytes; a 256x256 JPEG has about 20,000, three FITS planes less than a million."""

_LONGEST_WAIT = 20.0
_FAILURES_IN_A_ROW = 20


class FetchError(Exception):
    """One cutout could not be fetched; the message says why."""


class _BoundedRetry(Retry):
    """Retries that never wait longer than `_LONGEST_WAIT`, whatever Retry-After asks for."""

    def get_retry_after(self, response) -> float | None:
        seconds = super().get_retry_after(response)
        return None if seconds is None else min(seconds, _LONGEST_WAIT)


def new_session(connections: int) -> requests.Session:
    """Make a session that keeps connections open and retries what may pass.

    Connection errors, time-outs and the answers 429, 500, 502, 503 and 504 are tried again three
    times with growing pauses, or after what Retry-After says.
    """
    retry = _BoundedRetry(
        total=3,
        connect=2,
        read=2,
        status_forcelist=(429, 500, 502, 503, 504),
        backoff_factor=0.3,
        backoff_jitter=0.2,
        backoff_max=_LONGEST_WAIT,
        redirect=0,
        raise_on_status=False,
    )
    adapter = HTTPAdapter(pool_maxsize=connections, pool_block=True, max_retries=retry)
    session = requests.Session()
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    session.headers["User-Agent"] = USER_AGENT
    return session


def get(session: requests.Session, url: str, parameters: dict, timeout: float) -> bytes:
    """Return the body of one answer.

    Parameters
    ----------
    timeout : float
        Seconds without a byte, and three times that for the whole answer.

    Raises
    ------
    FetchError
        If there is no complete answer with status 200 and of a sensible size.
    """
    deadline = time.monotonic() + 3 * timeout
    try:
        with session.get(
            url, params=parameters, timeout=timeout, stream=True, allow_redirects=False
        ) as answer:
            if answer.status_code != 200:
                raise FetchError(f"HTTP {answer.status_code}")
            return b"".join(_limited(answer, deadline))
    except requests.RequestException as error:
        raise FetchError(_reason(error)) from error


def _limited(answer, deadline: float) -> Iterator[bytes]:
    """Yield the body in parts; stop at the deadline or when it is too large."""
    size = 0
    for part in answer.iter_content(1 << 16):
        size += len(part)
        if size > LARGEST_ANSWER:
            raise FetchError("the answer is too large")
        if time.monotonic() > deadline:
            raise FetchError("the answer takes too long")
        yield part


def _reason(error: Exception) -> str:
    """Say in a few words what went wrong."""
    cause = error
    while cause.args and isinstance(cause.args[-1], Exception):
        cause = cause.args[-1]
    cause = getattr(cause, "reason", None) or cause
    text = str(cause).rpartition(": ")[2] or type(error).__name__
    return text.splitlines()[0]


class Downloader:
    """Fetches many cutouts at once, and gives up when nothing comes at all.

    Parameters
    ----------
    where : str
        The server, in error messages.
    connections : int
        Simultaneous requests, for all threads that use this object together.
    """

    def __init__(self, where: str, connections: int):
        self._where = where
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="cutouts")
        self._lock = threading.Lock()
        self._failures = 0
        self._answered = False
        self._last: FetchError | None = None

    def fetch_all(
        self, positions: np.ndarray, fetch_one: Callable[[float, float], tuple[np.ndarray, int]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Call ``fetch_one(ra, dec)`` for each position, degrees, shape (N, 2).

        It returns a cutout and its flags, or raises `FetchError`.

        Returns
        -------
        cutouts, flags
            As of `CutoutSource.fetch`; zero where the flags say that there is no usable image.

        Raises
        ------
        InputError
            After 20 failures in a row, or if all fail and the server never answered before.
        """
        cutouts, flags = empty_cutouts(len(positions))
        futures = [self._pool.submit(self._try, fetch_one, *row) for row in positions.tolist()]
        try:
            for row, future in enumerate(futures):
                cutout, flags[row] = future.result()
                if not flags[row] & NOT_SCORED:
                    cutouts[row] = cutout
        finally:
            for future in futures:
                future.cancel()
        if futures and (not self._answered or self._failures >= _FAILURES_IN_A_ROW):
            raise InputError(self._message())
        return cutouts, flags

    def _try(self, fetch_one, ra: float, dec: float) -> tuple[np.ndarray | None, int]:
        if self._failures >= _FAILURES_IN_A_ROW:
            raise InputError(self._message())
        try:
            result = fetch_one(ra, dec)
        except FetchError as error:
            with self._lock:
                self._failures += 1
                self._last = error
            return None, Flag.FETCH_FAILED
        with self._lock:
            self._failures, self._answered = 0, True
        return result

    def _message(self) -> str:
        return (
            f"{self._where}: no cutout came ({self._last}); "
            "check the address and the layer, and go on later with --resume"
        )


def decode_jpeg(content: bytes) -> np.ndarray:
    """Decode a viewer image; uint8, shape (256, 256, 3).

    The size is checked before any pixel is decoded.

    Raises
    ------
    ValueError
        If this is not a whole JPEG of that size.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            image = Image.open(BytesIO(content), formats=["JPEG"])
        if image.size != (VIEWER_SIZE, VIEWER_SIZE):
            raise ValueError(f"a JPEG of {image.size[0]}x{image.size[1]} pixels")
        return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from error


def check_address(url: str):
    """Raise `InputError` unless this is an http address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(f"{url}: not an http address; give --url http://HOST/...")
