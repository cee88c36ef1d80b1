"""Progress for people: a bar in a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

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


class _Rate(ProgressColumn):
    def render(self, task) -> Text:
        """Show the rate of the last moments."""
        return Text(f"{task.speed:.0f}/s" if task.speed else "-/s")


@contextmanager
def show_progress(label: str, *, quiet: bool = False) -> Iterator:
    """Give a callable that takes (done, total) and shows it on standard error.

    A terminal gets a bar with the rate and the time left; a log gets a plain line every half
    minute; `quiet` shows nothing.
    """
    if quiet:
        yield None
    elif not sys.stderr.isatty():
        yield _log_lines(label)
    else:
        columns = (
            TextColumn(label),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(label, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)


def _log_lines(label):
    started = last = time.monotonic()
    first_done = None

    def report(done: int, total: int):
        nonlocal last, first_done
        first_done = done if first_done is None else first_done
        now = time.monotonic()
        if now - last < _LOG_SECONDS and done < total:
            return
        last = now
        rate = (done - first_done) / max(now - started, 1e-9)
        sys.stderr.write(f"{label}: {done} of {total}, {rate:.0f}/s\n")

    return report
