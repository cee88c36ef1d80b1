"""Catalogs named by URLs, which are copied to this machine first."""

import shutil
import weakref
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from urllib.parse import unquote, urlsplit

from catalogs.errors import InputError
from catalogs.hats import HATS_MARKS
from catalogs.remote import copy
from catalogs.urls import masked


class RemoteCatalog:
    """A remote catalog, copied to a temporary folder; its errors name the URL, not the copy.

    All else is as of the catalog that is made of the copy; see `catalogs.Catalog`.

    Parameters
    ----------
    url : str
        A file; where the file system has folders, also a folder of Parquet files or a HATS catalog.
    open_copy : callable
        Makes a catalog of a path.
    """

    def __init__(self, url: str, open_copy: Callable):
        self.path = masked(url)
        folder = Path(mkdtemp(prefix="lsbg-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._copy = folder / _file_name(url)
        copy(url, self._copy, marks=HATS_MARKS)
        self._catalog = self._speaking_of_url(open_copy)(self._copy)

    def __getattr__(self, name: str):
        value = getattr(self._catalog, name)
        return self._speaking_of_url(value) if callable(value) else value

    def _speaking_of_url(self, function: Callable) -> Callable:
        def call(*arguments, **options):
            try:
                return function(*arguments, **options)
            except InputError as error:
                message = str(error).replace(str(self._copy), self.path)
                raise InputError(message) from error

        return call


def _file_name(url: str) -> str:
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    return "catalog" if name in ("", "..") else name
