"""A package that is missing is named with the command that installs it, in any shell."""

import re
import sys
from importlib.metadata import metadata

import pytest
from snippets import ROOT

from catalogs.errors import InputError
from catalogs.extras import not_installed, require
from catalogs.remote import _file_system, _http
from pipeline import slurm

SOURCES = [path for name in ("catalogs", "lsbg_classifier", "pipeline")
           for path in sorted((ROOT / name).rglob("*.py"))]  # fmt: skip


def test_the_command_is_in_quotes_because_zsh_expands_brackets():
    assert str(not_installed("a needs b", "hats")) == (
        "a needs b, not installed here: pip install 'lsbg-classifier[hats]'"
    )


def test_a_missing_package_is_one_line(monkeypatch):
    require("injection", ("json", "math"), "simulate")
    monkeypatch.setitem(sys.modules, "sep", None)
    with pytest.raises(InputError, match=r"^injection needs sep, .*'lsbg-classifier\[simulate\]'$"):
        require("injection", ("json", "sep"), "simulate")


@pytest.mark.parametrize("package", ["fsspec.core", "aiohttp"])
def test_urls_without_their_packages(package, monkeypatch):
    _http.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    message = r"^https://host/a: reading a URL needs .*'lsbg-classifier\[remote\]'$"
    with pytest.raises(InputError, match=message):
        _file_system("https://host/a")
    _http.cache_clear()


def test_slurm_without_dask_jobqueue(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(InputError, match=r"pip install 'lsbg-classifier\[hpc\]'$"):
        slurm._jobqueue()


def test_no_text_names_an_extra_without_quotes_or_one_that_is_not_there():
    extras = set(metadata("lsbg-classifier").get_all("Provides-Extra"))
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<!')lsbg-classifier\[", text), path
        named = re.findall(r"(?:require|not_installed)\([^()]*\"(\w+)\"\s*\)", text)
        assert set(named) <= extras, path
