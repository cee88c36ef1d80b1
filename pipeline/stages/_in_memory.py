"""Tables in memory, which are files in a temporary folder while they are annotated."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalogs.errors import InputError


@contextmanager
def naming_the_catalog(path: Path) -> Iterator[None]:
    """Say "the catalog" in messages, not the name of a file that is gone when they are read.

    Parameters
    ----------
    path : Path
        The temporary file of the table.
    """
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace(str(path), "the catalog")) from error
