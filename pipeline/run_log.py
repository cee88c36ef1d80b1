"""What happens in a run: to the package's logger, and with ``--log`` to a file."""

import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from catalogs.errors import InputError
from catalogs.urls import masked
from lsbg_classifier import reasons as image_reasons
from lsbg_classifier.reasons import Reason
from pipeline.job import Job
from pipeline.summary import Summary, in_words

PACKAGE_LOGGER = logging.getLogger("lsbg_classifier")
"""Above all loggers of this project; quiet unless the user gives it, or the root, a handler."""

PACKAGE_LOGGER.addHandler(logging.NullHandler())

_LOGGER = logging.getLogger("lsbg_classifier.run")


class RunLog:
    """Writes what happens in one run, each reason for a missing image once."""

    def __init__(self) -> None:
        self._known: set[Reason] = set()

    def start(self, job: Job):
        """Write what is done with which images and weights."""
        card = job.weights.card
        _LOGGER.info("input: %s, %d rows", job.catalog.path, job.catalog.row_count)
        _LOGGER.info("cutouts: %s", masked(job.source.spec))
        _LOGGER.info("weights: %s (sha256 %s)", card.name, card.sha256)
        _LOGGER.info("probabilities: %s", job.about_prior())
        _LOGGER.info("engine: %s (%s)", job.engine.software, job.engine.reason)
        _LOGGER.info("output: %s, with %s", job.output, ", ".join(c.name for c in job.columns))

    def remarks(self, lines: list[str]):
        """Write what the job supposes and what is doubtful; see `pipeline.remarks`."""
        for line in lines:
            level = logging.WARNING if line.startswith("warning: ") else logging.INFO
            _LOGGER.log(level, "%s", line)

    def resume(self, done: int, total: int):
        """Write how many of the selected rows are done before the first is scored.

        Parameters
        ----------
        done : int
            Selected rows that have a result.
        total : int
            Selected rows.
        """
        _LOGGER.info("selected: %d rows, of which %d are done already", total, done)

    def reasons(self, counts: Counter[Reason]):
        """Write the reasons that are new in this run."""
        for reason in counts:
            if reason not in self._known:
                self._known.add(reason)
                image_reasons.LOGGER.warning("%s", reason)

    def end(self, summary: Summary):
        """Write all reasons with the candidates that each concerns, and the summary."""
        for reason, count in summary.reasons.most_common():
            _LOGGER.info("%s: %s", in_words(count), reason)
        for line in summary.lines(reasons=0, remarks=False):
            _LOGGER.info("%s", line.strip())
        _LOGGER.info("the output is written")


@contextmanager
def opened_log(path: str | Path | None, *others: str | Path) -> Iterator[RunLog]:
    """Give the log of a run, and append it to a file too.

    Parameters
    ----------
    path : path or None
        None: no file.
    others : paths
        Input and output of the run, which the file must not be.

    Yields
    ------
    RunLog

    Raises
    ------
    InputError
        If the file cannot be written, or is one of the others.
    """
    if path is None:
        yield RunLog()
        return
    handler = _opened_handler(Path(path), others)
    level = PACKAGE_LOGGER.level
    PACKAGE_LOGGER.addHandler(handler)
    PACKAGE_LOGGER.setLevel(logging.INFO)
    try:
        _LOGGER.info("started: %s to %s", *others)
        yield RunLog()
    except BaseException as error:
        text = f"{type(error).__name__} {error}".strip()
        _LOGGER.error("stopped: %s", error if isinstance(error, InputError) else text)
        raise
    finally:
        PACKAGE_LOGGER.removeHandler(handler)
        PACKAGE_LOGGER.setLevel(level)
        handler.close()


def _opened_handler(path: Path, others: tuple[str | Path, ...]) -> logging.Handler:
    for other in others:
        if path.resolve() == Path(other).resolve():
            raise InputError(f"{path}: is the input or the output itself; choose another log")
    try:
        handler = _LogFile(path, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); choose another log"
        ) from error
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s"))
    return handler


class _LogFile(logging.FileHandler):
    """A file that ends the run if it cannot be written, as any other file of the run does."""

    _failed = False

    def emit(self, record):
        """Write a line, unless an earlier one failed."""
        if not self._failed:
            super().emit(record)

    def handleError(self, record):  # noqa: N802
        """Raise the error that is being handled; the file is named in it."""
        self._failed, error = True, sys.exc_info()[1]
        if isinstance(error, OSError) and error.filename is None:
            error.filename = self.baseFilename
        raise

    def close(self):
        """Close the file; what an earlier failure left in its buffer is given up."""
        with suppress(OSError) if self._failed else nullcontext():
            super().close()


class _OneLine(logging.Formatter):
    """One line a message, without passwords, and the time with its distance from UTC."""

    def formatTime(self, record, datefmt=None):  # noqa: N802
        return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(record.created))

    def format(self, record):
        return masked(" ".join(super().format(record).split()))
