"""The lines that work on mocks logs, shown on standard error."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def shown_lines(*, quiet: bool) -> Iterator[None]:
    """Show the lines that units of work say, on standard error; `quiet`: not."""
    logger = logging.getLogger("pipeline.injection")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    level = logger.level
    if not quiet:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
