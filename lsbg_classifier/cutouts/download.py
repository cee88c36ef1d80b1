"""Downloads of many cutouts at once from a server, with flags, reasons, and an end if all fail."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from catalogs.urls import masked
from lsbg_classifier.cutouts.source import empty_cutouts
from lsbg_classifier.http import FetchError
from lsbg_classifier.reasons import give_reason

_FAILURES_IN_A_ROW = 20

_MISSING = {
    Flag.NO_COVERAGE: "no images of this position",
    Flag.MISSING_BAND: "a band has no data at this position",
}
"""What is said of answers that show nothing to score."""


class Downloader:
    """Fetches many cutouts at once, and gives up when nothing comes at all.

    Parameters
    ----------
    where : str
        The server, in messages.
    connections : int
        Simultaneous requests, for all threads that use this object together.
    """

    def __init__(self, where: str, connections: int):
        self._where = masked(where)
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="cutouts")
        self._lock = threading.Lock()
        self._failures = 0
        self._answered = False
        self._last = "no answer"

    def fetch_all(
        self, positions: np.ndarray, fetch_one: Callable[[float, float], tuple[np.ndarray, int]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fetch the cutouts of some positions.

        The reasons of those that fail go to `reasons.give_reason`.

        Parameters
        ----------
        positions : array of float, shape (N, 2)
            Right ascension and declination in degrees.
        fetch_one : callable
            Given (ra, dec), returns a cutout and its flags. It raises `FetchError` if there is no
            answer, and `ValueError` with the reason if the answer is no image that can be used.

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
        """Cancel the requests that wait, and wait for those under way."""
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
        what = None
        try:
            cutout, flags = fetch_one(ra, dec)
        except FetchError as error:
            cutout, flags, what = None, Flag.FETCH_FAILED, str(error)
        except ValueError as error:
            cutout, flags, what = None, Flag.BAD_IMAGE, str(error)
        self._note(flags, what)
        return cutout, flags

    def _note(self, flags: int, what: str | None):
        """Count an answer, and give the reason if it shows nothing to score."""
        with self._lock:
            self._answered |= flags != Flag.FETCH_FAILED
            if what is None:
                self._failures = 0
            else:
                self._failures += 1
                bad = flags == Flag.BAD_IMAGE
                self._last = f"no readable images: {what}" if bad else what
        if what is not None:
            give_reason(Flag(flags), self._where, what)
            return
        for flag, text in _MISSING.items():
            if flags & flag:
                give_reason(flag, self._where, text)

    def _message(self) -> str:
        cutouts = "1 cutout" if self._failures == 1 else f"{self._failures} cutouts"
        return (
            f"{self._where}: {cutouts} in a row could not be fetched "
            f"({self._last}); check --cutouts, --url and the network, then go on with --resume"
        )
