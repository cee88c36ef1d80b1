"""What README and docs show is run as it stands; what cannot run names what is there.

Each page has a folder of its own, as `make demo` leaves it. In the order of the page, blocks of
`console` are run line by line and blocks of `python` as a whole. A block whose first line is a
comment that names a file, `# slurm.toml`, is written to that file instead.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest
import yaml
from snippets import PAGES, ROOT, blocks_of, words
from typer.main import get_command

from pipeline import cli, train

COMMANDS = {
    **{f"lsbg {name}": found for name, found in get_command(cli.app).commands.items()},
    "lsbg-train-des": get_command(train.training_app(train.DES)),
    "lsbg-train-hsc": get_command(train.training_app(train.HSC)),
}
ELSEWHERE = ("make", "pip")
"""What a page's reader runs in a clone or an environment of their own; other tests do."""

RUN_BY = {"docs/pipelines.md": "test_stage_ceci.py"}
"""Pages that another test runs, which also looks at what comes out."""

BIN = Path(sys.executable).parent


def runnable(page):
    languages = {block.language for block in blocks_of(page)}
    return page not in RUN_BY and bool(languages & {"console", "python"})


@pytest.fixture
def folder(survey, tmp_path, monkeypatch):
    """A folder as `make demo` leaves it, with a smaller survey, and an empty home."""
    (tmp_path / "demo" / "survey").mkdir(parents=True)
    shutil.copytree(survey.tiles.parent, tmp_path / "demo" / "survey", dirs_exist_ok=True)
    monkeypatch.setenv("PATH", str(BIN), prepend=os.pathsep)
    for name in ("CACHE", "DATA", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / f".{name.lower()}"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)])
def test_a_page_runs_from_beginning_to_end(page, folder, lsbg):
    for block in blocks_of(page):
        if block.file:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.text)
        elif block.language == "python":
            run(sys.executable, "-c", block.text)
        elif block.language == "console":
            for command in block.commands():
                run_command(command, lsbg, apart=page == "README.md")


def run_command(command, lsbg, *, apart):
    """Run a line of a shell; our own command in this process, which saves its start."""
    name, *arguments = shlex.split(command, comments=True)
    if name in ELSEWHERE:
        return
    if apart or name != "lsbg" or re.search(r"[|<>&$`*~;]", command):
        run("bash", "-euo", "pipefail", "-c", command)
        return
    code, out, err = lsbg(*arguments)
    assert code == 0, f"{command}\n{out}\n{err}"


@pytest.mark.parametrize("page", PAGES)
def test_what_is_shown_of_our_commands_exists(page):
    """Subcommands, options and the number of arguments, also of what cannot run in a test."""
    for block in blocks_of(page):
        for line in block.commands() if block.language in ("text", "console") else ():
            if line.startswith(("lsbg ", "lsbg-")):
                check(words(line))


def check(line):
    length = 2 if line[0] == "lsbg" else 1
    name, rest = " ".join(line[:length]), line[length:]
    assert name in COMMANDS, name
    parameters = COMMANDS[name].params
    options = {
        option: item
        for item in parameters
        for option in (*item.opts, *item.secondary_opts)
        if option[0] == "-"
    }
    places = sum(1 for item in parameters if item.param_type_name == "argument")
    while rest:
        word, _, value = rest.pop(0).partition("=")
        if not word.startswith("-"):
            places -= 1
            continue
        assert word in options or word == "--help", f"{name} has no option {word}"
        if word in options and not options[word].is_flag and not value:
            assert rest, f"{name} {word} needs a value"
            rest.pop(0)
    assert places >= 0, f"{' '.join(line)}: too many arguments"


def test_the_check_finds_what_is_not_there():
    check(words("lsbg classify IN OUT --cutouts=tiles:FOLDER -q     as it comes"))
    for wrong in ("lsbg clasify IN", "lsbg classify IN --cut x", "lsbg flags 1 2",
                  "lsbg classify IN OUT --cutouts"):  # fmt: skip
        with pytest.raises(AssertionError):
            check(words(wrong))


def test_the_reference_has_every_option_of_every_command(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    import generated_reference

    text = "\n".join([*generated_reference._commands(), "## end"])
    assert "[[" not in text
    for name, command in COMMANDS.items():
        (section,) = re.findall(rf"^## {name}\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
        for item in command.params:
            for option in (*item.opts, *item.secondary_opts):
                spelling = rf"`[^`]*{option}\b" if option[0] == "-" else f"`.*{item.metavar or ''}"
                assert re.search(rf"^{spelling}", section, re.MULTILINE), f"{name} {option}"
    assert "`--register / --no-register`" in text and "`--adapt MIN MAX`" in text


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_shown_can_be_read(page):
    for block in blocks_of(page):
        if block.language == "toml":
            assert tomllib.loads(block.text)
        elif block.language in ("yaml", "yml"):
            assert list(yaml.safe_load_all(block.text))
        elif block.language == "python":
            compile(block.text, page, "exec")


def test_the_tests_that_contributors_are_told_to_run_are_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    patterns = re.findall(r"`(test_[\w*]+(?:\.py)?)`", text)
    assert len(patterns) > 40
    for pattern in patterns:
        assert list((ROOT / "tests").glob(pattern)), pattern


@pytest.mark.parametrize("page", PAGES)
def test_links_and_extras_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|mailto:)([^)#]+)", text):
        assert ((ROOT / page).parent / target).exists(), target
    extras = set(metadata("lsbg-classifier").get_all("Provides-Extra"))
    named = re.findall(r"(?:lsbg-classifier|'\.)\[([a-z,]+)\]", text)
    assert {name for names in named for name in names.split(",")} <= extras
