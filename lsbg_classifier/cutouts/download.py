"""Many cutouts at once from a server: decoded, flagged, and given up when nothing comes."""

import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
from PIL import Image

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from lsbg_classifier.cutouts.source import empty_cutouts
from lsbg_classifier.http import FetchError
from lsbg_classifier.surveys import VIEWER_SIZE

_FAILURES_IN_A_ROW = 20

_UNREADABLE = (
    OSError,
    SyntaxError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""What Pillow raises on bytes that are no image, or a huge one."""


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
