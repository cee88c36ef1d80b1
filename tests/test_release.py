"""What a release says of itself agrees: changelog, citation, the version without git."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def newest_in_changelog():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return re.search(r"^## (\d+\.\d+\.\d+)", text, re.MULTILINE)[1]


def test_citation_changelog_and_fallback_name_the_same_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    fallback = project["tool"]["setuptools_scm"]["fallback_version"]
    assert citation["version"] == newest_in_changelog() == fallback


def test_the_installed_version_is_this_one_or_leads_to_it():
    release = tuple(int(number) for number in newest_in_changelog().split("."))
    installed = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", version("lsbg-classifier"))
    assert tuple(int(number or 0) for number in installed.groups()) <= release
