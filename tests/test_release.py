"""What a release says of itself agrees: changelog, citation, the version without git."""

import re
import tomllib
from configparser import ConfigParser
from importlib.metadata import version
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
OLDEST = ROOT / "tests" / "oldest.txt"
CONDA_NAMES = {"dask": "dask-core", "matplotlib": "matplotlib-base"}


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


def bounds():
    """The lower bounds of setup.cfg that the oldest environment installs, by package."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    lists = [extras[name] for name in ("ceci", "hpc", "remote", "simulate", "test-tools")]
    lines = "\n".join([config["options"]["install_requires"], *lists])
    return dict(re.findall(r"^([\w-]+)>=([\d.]+)", lines, re.MULTILINE))


def test_the_oldest_environment_has_the_lower_bounds():
    pinned = dict(re.findall(r"^([\w-]+)==([\d.]+)", OLDEST.read_text("utf-8"), re.MULTILINE))
    assert pinned.keys() == bounds().keys()
    for name, bound in bounds().items():
        assert f"{pinned[name]}.".startswith(f"{bound}."), f"{name} {pinned[name]} is not {bound}"


def test_the_conda_recipe_is_that_of_setup_cfg():
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    recipe = yaml.safe_load((ROOT / "recipe" / "recipe.yaml").read_text(encoding="utf-8"))
    assert recipe["context"]["version"] == newest_in_changelog()
    required = re.findall(r"^([\w-]+)(\S+)", config["options"]["install_requires"], re.MULTILINE)
    python = ("python", config["options"]["python_requires"])
    packages = {CONDA_NAMES.get(name, name): bound for name, bound in [*required, python]}
    assert dict(line.split() for line in recipe["requirements"]["run"]) == packages
    scripts = config["options.entry_points"]["console_scripts"].strip().splitlines()
    assert recipe["build"]["python"]["entry_points"] == scripts
