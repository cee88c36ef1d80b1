"""Reasons why candidates get no usable image: logged once for each file or URL, and counted.

A source calls `give_reason` for every candidate, or group of candidates, that it flags
``NO_COVERAGE``, ``MISSING_BAND``, ``FETCH_FAILED`` or ``BAD_IMAGE``. The reason goes to the logger
``lsbg_classifier.images`` when it is new in this process, and is counted until `take_reasons`
collects it: workers send what they have collected back with each unit of work, and the run that
they work for logs it, once a run (`left_to_caller`).
"""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

from catalogs.flags import Flag

LOGGER = logging.getLogger("lsbg_classifier.images")

_MOST_KNOWN = 10_000
"""Reasons that a process remembers, logged or not yet taken; a server can invent them without end.
"""

_OTHERS = "more files or URLs", "other reasons, which are too many to list"
"""Where and what of all reasons that come after so many."""


class Reason(NamedTuple):
    """Why some candidates have a flag.

    Attributes
    ----------
    flag : Flag
    where : str
        File or URL, without passwords.
    what : str
        What is wrong, on one line, without a full stop: ``row 1500 is damaged``.
    """

    flag: Flag
    where: str
    what: str

    def __str__(self) -> str:
        """Return ``where: what (FLAG)``."""
        return f"{self.where}: {self.what} ({self.flag.name})"


def give_reason(flag: Flag, where: object, what: str, count: int = 1):
    """Say why `count` candidates are given a flag; safe in any thread.

    Parameters
    ----------
    flag : Flag
        The flag that they get.
    where : str or path
        File or URL, without passwords.
    what : str
        What is wrong, on one line, without a full stop.
    count : int
        Candidates that this concerns.

    Examples
    --------
    >>> from lsbg_classifier import Flag
    >>> from lsbg_classifier.reasons import give_reason
    >>> give_reason(Flag.BAD_IMAGE, "tiles/a_g.fits", "row 1500 is damaged", count=3)
    """
    reason = Reason(flag, str(where), " ".join(what.split()))
    with _lock:
        if reason not in _counts and len(_counts) >= _MOST_KNOWN:  # nobody may ever take them
            reason = Reason(flag, *_OTHERS)
        _counts[reason] += count
        is_new = not _callers and reason not in _logged and len(_logged) < _MOST_KNOWN
        if is_new:
            _logged.add(reason)
    if is_new:
        LOGGER.warning("%s", reason)


def take_reasons() -> Counter:
    """Return how many candidates each reason concerns since the last call, and forget them."""
    with _lock:
        counts = Counter(_counts)
        _counts.clear()
    return counts


@contextmanager
def left_to_caller() -> Iterator[None]:
    """Log no reasons in this process for a while; the caller takes them and logs them itself."""
    caller = object()
    with _lock:
        _callers.add(caller)
    try:
        yield
    finally:
        with _lock:
            _callers.remove(caller)


_lock = Lock()
_counts: Counter = Counter()
_logged: set[Reason] = set()
_callers: set[object] = set()
