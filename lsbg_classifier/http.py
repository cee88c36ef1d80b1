"""HTTP as all sources use it: pooled, patient, bounded, and polite."""

import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from io import BytesIO
from urllib.parse import urljoin, urlsplit

import numpy as np
import requests
from PIL import Image
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.util import Retry

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from lsbg_classifier.cutouts.source import empty_cutouts
from lsbg_classifier.surveys import VIEWER_SIZE

USER_AGENT = f"lsbg_classifier/{version('lsbg-classifier')}"

LARGEST_ANSWER = 4 << 20
"""Bytes; a 256x256 JPEG has about 20,000, a FITS plane 265,000."""

_LONGEST_WAIT = 20.0
"""Seconds between two attempts."""

_FAILURES_IN_A_ROW = 20

_UNREADABLE = (
    OSError,
    SyntaxError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""What Pillow raises on bytes that are no image, or a huge one."""


class FetchError(Exception):
    """One cutout could not be fetched; the message says why."""


class _BoundedRetry(Retry):
    """Retries that never wait longer than `_LONGEST_WAIT`, whatever Retry-After asks for."""

    def get_retry_after(self, response) -> float | None:
        try:
            seconds = super().get_retry_after(response)
        except (HTTPError, ValueError, OverflowError):
            return None
        return None if seconds is None else min(seconds, _LONGEST_WAIT)


class _BoundedAdapter(HTTPAdapter):
    """Reads each answer whole, within a size and the time-out, and again if it breaks."""

    def __init__(self, largest: int, **options):
        self._largest = largest
        super().__init__(**options)

    def send(self, request, stream=False, timeout=None, **options) -> requests.Response:
        for last in (False, True):
            answer = super().send(request, stream=True, timeout=timeout, **options)
            try:
                answer._content = _body(answer.raw, timeout, self._largest)
            except ProtocolError as error:
                if last:
                    raise requests.ConnectionError("the answer broke off") from error
            except HTTPError as error:
                raise requests.ConnectionError(str(error)) from error
            else:
                answer._content_consumed = True
                return answer
            finally:
                answer.raw.close()
                answer.raw.release_conn()


class _Session(requests.Session):
    """A session that stays with the host it was told: no redirect leads to another."""

    max_redirects = 3

    def get_redirect_target(self, resp) -> str | None:
        try:
            target = super().get_redirect_target(resp)
            same = urlsplit(urljoin(resp.url, target)).netloc == urlsplit(resp.url).netloc
        except ValueError:
            return None
        return target if same else None


def _body(raw, timeout: float, largest: int) -> bytes:
    """Read a body as it comes, so that a server that drips cannot hold us."""
    deadline = time.monotonic() + timeout
    parts, size = [], 0
    while part := raw.read1(1 << 16, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > largest:
            raise HTTPError("the answer is too large")
        if time.monotonic() > deadline:
            raise HTTPError("the answer takes too long")
    return b"".join(parts)


def new_session(connections: int, largest: int = LARGEST_ANSWER) -> requests.Session:
    """Make a session that keeps connections open and retries what may pass.

    Connection errors, time-outs and the answers 429, 500, 502, 503 and 504 are tried again with
    growing pauses, or after what Retry-After says, but 20 s at most. Answers are read whole within
    the time-out of the request, up to `largest` bytes; redirects are followed on the same host
    only.
    """
    retry = _BoundedRetry(
        total=4,
        connect=2,
        read=2,
        status_forcelist=(429, 500, 502, 503, 504),
        backoff_factor=0.3,
        backoff_jitter=0.2,
        backoff_max=_LONGEST_WAIT,
        raise_on_status=False,
    )
    adapter = _BoundedAdapter(largest, pool_maxsize=connections, pool_block=True, max_retries=retry)
    session = _Session()
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
    return session


def get(session: requests.Session, url: str, parameters: dict, timeout: float) -> bytes:
    """Return the body of one answer.

    Parameters
    ----------
    timeout : float
        Seconds until the answer begins, without a byte, and for the whole of it.

    Raises
    ------
    FetchError
        If there is no complete answer with status 200 and of a sensible size.
    """
    try:
        answer = session.get(url, params=parameters, timeout=timeout)
    except (requests.RequestException, HTTPError) as error:
        raise FetchError(reason(error)) from error
    return content_of(answer)


def content_of(answer: requests.Response) -> bytes:
    """Return the body of an answer with status 200, or raise `FetchError`."""
    if answer.status_code == 200:
        return answer.content
    elsewhere = answer.headers.get("Location")
    raise FetchError(f"HTTP {answer.status_code}" + (f" to {elsewhere[:99]}" if elsewhere else ""))


def reason(error: Exception) -> str:
    """Say in a few words what went wrong with a request."""
    cause = error
    while cause.args and isinstance(cause.args[-1], Exception):
        cause = cause.args[-1]
    cause = getattr(cause, "reason", None) or cause
    text = str(cause).rpartition(": ")[2] or type(error).__name__
    return " ".join(text.split())


def decode_jpeg(content: bytes) -> np.ndarray:
    """Decode a viewer image; uint8, shape (256, 256, 3).

    The size is checked before any pixel is decoded.

    Raises
    ------
    ValueError
        If this is not a whole JPEG of that size.
    """
    try:
        image = Image.open(BytesIO(content), formats=["JPEG"])
        if image.size != (VIEWER_SIZE, VIEWER_SIZE):
            raise ValueError(f"a JPEG of {image.size[0]}x{image.size[1]} pixels")
        return np.asarray(image.convert("RGB"))
    except _UNREADABLE as error:
        raise ValueError(str(error)) from error


def check_server(url: str, connections: int, timeout: float):
    """Raise `InputError` unless the options of a source on a server make sense."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(f"{url}: not an http address; give --url http://HOST/...")
    if connections < 1 or timeout <= 0:
        raise InputError(
            f"{connections} connections, time-out {timeout} s: give at least 1, and more than 0 s"
        )


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
        self._last = "no answer"

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
            After 20 cutouts in a row that could not be fetched or read, or if none of these could
            be fetched and the server never answered before.
        """
        self._allow_one_more_failure()
        cutouts, flags = empty_cutouts(len(positions))
        rows = np.asarray(positions, np.float64).tolist()
        futures = [self._pool.submit(self._try, fetch_one, *row) for row in rows]
        try:
            for row, future in enumerate(futures):
                cutout, flags[row] = future.result()
                if not flags[row] & NOT_SCORED:
                    cutouts[row] = cutout
        finally:
            for future in futures:
                future.cancel()
        if futures and (not self._answered or self._gave_up):
            raise InputError(self._message())
        return cutouts, flags

    def close(self):
        """Drop what is waiting, and wait for the requests under way."""
        self._pool.shutdown(cancel_futures=True)

    @property
    def _gave_up(self) -> bool:
        return self._failures >= _FAILURES_IN_A_ROW

    def _allow_one_more_failure(self):
        """Ask a server again that was given up: it may be back when somebody resumes."""
        with self._lock:
            self._failures = min(self._failures, _FAILURES_IN_A_ROW - 1)

    def _try(self, fetch_one, ra: float, dec: float) -> tuple[np.ndarray | None, int]:
        if self._gave_up:
            raise InputError(self._message())
        why = "no readable images"
        try:
            cutout, flags = fetch_one(ra, dec)
        except FetchError as error:
            cutout, flags, why = None, Flag.FETCH_FAILED, str(error)
        with self._lock:
            self._answered |= flags != Flag.FETCH_FAILED
            if flags & (Flag.FETCH_FAILED | Flag.BAD_IMAGE):
                self._failures, self._last = self._failures + 1, why
            else:
                self._failures = 0
        return cutout, flags

    def _message(self) -> str:
        return (
            f"{self._where}: {self._failures} cutouts in a row could not be fetched "
            f"({self._last}); check --cutouts, --url and the network, then go on with --resume"
        )
