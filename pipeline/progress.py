"""Progress of a run: a bar in a terminal, text in a notebook, a line every half minute in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_LOG_SECONDS = 30
_NOTEBOOK_SECONDS = 0.5

Report = Callable[[int, int], None]


class _Rate(ProgressColumn):
    def render(self, task) -> Text:
        """Show the rate of the last moments."""
        return Text(_rate(task.speed) if task.speed else "-/s")


@contextmanager
def show_progress(label: str, *, quiet: bool = False) -> Iterator[Report | None]:
    """Give a callable that takes (done, total) and shows it on standard error.

    A terminal gets a bar with the rate and the time left, a notebook one line of text that is
    written over. Anything else, such as a log, gets a plain line every half minute, with the
    time, what is done, the rate and the time left, and no control characters. `quiet` shows
    nothing.

    Parameters
    ----------
    label : str
        What is counted, such as ``candidates``.
    quiet : bool
        Show nothing.

    Yields
    ------
    callable or None
        None where nothing is shown.
    """
    if quiet:
        yield None
    elif _in_notebook():
        yield from _text_written_over(label)
    elif (console := Console(stderr=True)).is_dumb_terminal or not sys.stderr.isatty():
        yield _log_lines(label)
    else:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(label, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)


def _in_notebook() -> bool:
    """Tell whether this runs in the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def _log_lines(label: str) -> Report:
    pace, last = _Pace(), time.monotonic()

    def report(done: int, total: int):
        nonlocal last
        text = pace.describe(done, total)
        now = time.monotonic()
        if now - last >= _LOG_SECONDS or done >= total:
            last = now
            sys.stderr.write(f"{time.strftime('%H:%M:%S')} {label}: {text}\n")
            sys.stderr.flush()

    return report


def _text_written_over(label: str) -> Iterator[Report]:
    """Yield what a notebook shows: a carriage return takes its text back to the line's start."""
    pace, last, width = _Pace(), -_NOTEBOOK_SECONDS, 0

    def report(done: int, total: int):
        nonlocal last, width
        text = f"{label}: {pace.describe(done, total)}"
        now = time.monotonic()
        if now - last >= _NOTEBOOK_SECONDS or done >= total:
            sys.stderr.write(f"\r{text:<{width}}")
            sys.stderr.flush()
            last, width = now, len(text)

    try:
        yield report
    finally:
        if width:
            sys.stderr.write("\n")


class _Pace:
    """The rate of work since the first report, which may come when some rows are done already."""

    def __init__(self):
        self._start = 0.0
        self._first: int | None = None

    def describe(self, done: int, total: int) -> str:
        """Return how much is done and, once they are known, the rate and the time left."""
        if self._first is None:
            self._start, self._first = time.monotonic(), done
        text = f"{done:,} of {total:,}"
        gained, seconds = done - self._first, time.monotonic() - self._start
        if gained <= 0 or seconds <= 0:
            return text
        rate = gained / seconds
        left = f", {timedelta(seconds=round((total - done) / rate))} left" if done < total else ""
        return f"{text}, {_rate(rate)}{left}"


def _rate(a_second: float) -> str:
    """Write a rate with two digits at least."""
    if a_second >= 10:
        return f"{a_second:,.0f}/s"
    return f"{a_second:.1f}/s" if a_second >= 1 else f"{60 * a_second:.1f}/min"
