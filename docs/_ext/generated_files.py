"""The page of the files that options name: surveys, jobs of Slurm, mock galaxies."""

import dataclasses
import re
from pathlib import Path

import lsbg_classifier.injection
from lsbg_classifier.surveys import SURVEYS, Survey
from pipeline.slurm import file_keys

_OPTIONAL = ("title", "layer", "viewer_scale", "colour_scales", "tiles")
_MOCKS = Path(lsbg_classifier.injection.__file__).parent / "des.toml"


def files_page() -> list[str]:
    """Return the page's lines, from the code that reads these files."""
    return [
        "# Files that options name",
        "",
        "All are TOML. Unknown keys and values of another type are refused in one line.",
        "",
        *_survey(),
        *_slurm(),
        *_mocks(),
    ]


def _survey() -> list[str]:
    lines = [
        "## A survey: `--survey FILE.toml`",
        "",
        f"Known without a file: {', '.join(f'`{name}`' for name in SURVEYS)}.",
        "",
        "| key | | what it is |",
        "|---|---|---|",
    ]
    described = _attributes(Survey.__doc__)
    for item in dataclasses.fields(Survey):
        need = "may be left out" if item.name in _OPTIONAL else "required"
        lines.append(f"| `{item.name}` | {need} | {described[item.name]} |")
    how = "[Use the images of my survey](../../howto/own-survey.md) has an example."
    return [*lines, "", how, ""]


def _slurm() -> list[str]:
    lines = [
        "## Jobs of Slurm: `--cluster FILE.toml`",
        "",
        "`jobs` is how many, `wait` how long the first worker may take. The other keys mean what",
        "they mean to [`dask_jobqueue.SLURMCluster`](https://jobqueue.dask.org);",
        "[Dask clusters](../../clusters.md) has examples.",
        "",
        "| key | value |",
        "|---|---|",
    ]
    return [*lines, *(f"| `{key}` | {kind} |" for key, kind in file_keys().items()), ""]


def _mocks() -> list[str]:
    return [
        "## Mock galaxies: `--mocks FILE.toml`",
        "",
        "All keys, as in `--mocks des`:",
        "",
        "```toml",
        *_MOCKS.read_text(encoding="utf-8").splitlines(),
        "```",
        "",
    ]


def _attributes(docstring: str) -> dict[str, str]:
    """Return what the section Attributes of a docstring says of each name, on one line."""
    section = docstring.partition("Attributes\n")[2].partition("----------\n")[2]
    described = {}
    for names, text in re.findall(
        r"^    (\w[\w, ]*) : [^\n]*\n((?:        .*\n?)+)", section, re.M
    ):
        for name in names.split(", "):
            described[name] = " ".join(text.replace("``", "`").split())
    return described
