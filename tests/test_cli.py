"""The command: help, exit status, and one line that says what is wrong, where, and what to do."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from typer.main import get_command
from typer.testing import CliRunner
from viewer import Viewer

from catalogs.flags import Flag
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS, find_weights
from pipeline.cli import app
from pipeline.program import _again

LSBG = Path(sys.executable).with_name("lsbg")
COMMANDS = ["classify", "simulate", "weights", "flags", "report"]


def write(path, **columns):
    """A FITS table of one row for each value, or of the given columns of text."""
    formats = {float: "D", int: "J", str: "12A"}
    made = [
        fits.Column(name, formats[type(values[0])], array=values)
        for name, values in columns.items()
    ]
    fits.BinTableHDU.from_columns(made, name="OBJECTS").writeto(path)
    return path


def run_command(*arguments, before=()):
    """Run the installed command as a process of its own; what `lsbg` gives."""
    result = subprocess.run(
        [*before, LSBG, *arguments], capture_output=True, text=True, timeout=120
    )
    return result.returncode, result.stdout, result.stderr


def test_python_starts_it_too():
    code, out, _ = run_command("--version")
    done = subprocess.run(
        [sys.executable, "-m", "lsbg_classifier", "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, out, "")


@pytest.fixture(scope="module")
def few(survey, tmp_path_factory):
    """A catalog of nine candidates of the survey and one without a position."""
    rows = np.array(fits.getdata(survey.candidates))[::13]
    table = fits.BinTableHDU(rows, name="CANDIDATES")
    assert len(rows) == 10
    table.data["ALPHA_J2000"][3] = np.nan
    path = tmp_path_factory.mktemp("few") / "few.fits"
    table.writeto(path)
    return path


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help(command):
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0 and "Usage:" in result.output
    assert command or all(name in result.output for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_everything_has_help(command):
    described = get_command(app).commands[command]
    assert described.help
    assert all(parameter.help for parameter in described.params)


def test_help_of_the_installed_command():
    code, said, errors = run_command("--help")
    assert code == 0 and "classify" in said and errors == ""


@pytest.mark.slow
def test_classify(lsbg, survey, few, out):
    tiles = f"tiles:{survey.tiles}"
    code, said, errors = lsbg("classify", few, out / "a.fits", "--cutouts", tiles)
    assert code == 0 and re.match(r"\d\d:\d\d:\d\d candidates: 10 of 10", errors)
    assert said.startswith("10 candidates, 9 scored") and "NO_POSITION: 1" in said
    assert said.endswith(f"wrote {out / 'a.fits'}\n")
    assert os.listdir(out) == ["a.fits"]
    data = fits.getdata(out / "a.fits")
    assert np.isnan(data["P_LSBG"]).nonzero()[0].tolist() == [3]
    options = ("--style", "lower", "--threshold", "0", "--chunk-size", "2", "--quiet")
    code, said, errors = lsbg("classify", few, out / "b.fits", "--cutouts", tiles, *options)
    assert (code, said, errors) == (0, "", "")
    np.testing.assert_array_equal(fits.getdata(out / "b.fits")["p_lsbg"], data["P_LSBG"])
    assert fits.getheader(out / "b.fits", 1)["LSBGTHR"] == 0


def test_dry_run_writes_nothing(lsbg, survey, few, out):
    arguments = ("classify", few, out / "a.fits", "--cutouts", f"tiles:{survey.tiles}")
    code, said, errors = lsbg(*arguments, "--dry-run")
    assert code == 0 and errors == "" and not any(out.iterdir())
    assert "10 rows, position in ALPHA_J2000 and DELTA_J2000 (deg)" in said
    assert "without a usable position: 1 rows" in said
    assert "P_LSBG and FLAGS_LSBG" in said and said.endswith("no output was written\n")


@pytest.mark.parametrize("command", ["classify", "simulate"])
def test_every_dry_run_says_so(lsbg, few, survey, out, command):
    arguments = {
        "classify": [few, out / "a", "--cutouts", f"tiles:{survey.tiles}"],
        "simulate": ["des", out],
    }
    assert lsbg(command, *arguments[command], "--dry-run")[0] == 0
    assert not any(out.iterdir())


@pytest.mark.slow
def test_overwrite_replaces_only_when_told(lsbg, survey, few, out):
    arguments = ["classify", few, out / "a.fits", "--cutouts", f"tiles:{survey.tiles}"]
    (out / "a.fits").write_text("precious")
    code, _, errors = lsbg(*arguments)
    assert code == 1 and errors == f"lsbg: {out / 'a.fits'}: exists already; add --overwrite " + (
        "to replace it\n"
    )
    assert (out / "a.fits").read_text() == "precious" and os.listdir(out) == ["a.fits"]
    assert lsbg(*arguments, "--overwrite")[0] == 0
    assert len(fits.getdata(out / "a.fits")) == 10


@pytest.mark.parametrize("suffix", [".fits", ".parquet"])
def test_empty_catalog(lsbg, survey, out, tmp_path, suffix):
    source, output = tmp_path / f"in{suffix}", out / f"a{suffix}"
    if suffix == ".fits":
        table = fits.BinTableHDU.from_columns(
            [fits.Column("RA", "D", "deg"), fits.Column("DEC", "D", "deg")], nrows=0
        )
        table.writeto(source)
    else:
        pq.write_table(pa.table({"RA": pa.array([], "f8"), "DEC": pa.array([], "f8")}), source)
    code, said, _ = lsbg("classify", source, output, "--cutouts", f"tiles:{survey.tiles}")
    assert code == 0 and said.startswith("0 candidates, 0 scored")
    names = fits.getdata(output).names if suffix == ".fits" else pq.read_schema(output).names
    assert names == ["RA", "DEC", "P_LSBG", "FLAGS_LSBG"]


def test_flags(lsbg):
    code, said, errors = lsbg("flags")
    assert code == 0 and errors == ""
    *lines, where = said.splitlines()
    assert [line.split()[:2] for line in lines] == [[str(int(f)), f.name] for f in Flag]
    assert where.startswith("docs/howto/flags.md says what to do")
    names = [line.split()[1] for line in lsbg("flags", "5")[1].splitlines()[:-1]]
    assert names == ["NO_POSITION", "PARTIAL_COVERAGE"]
    assert lsbg("flags", "bad_image")[1] == lsbg("flags", "64")[1]
    assert lsbg("flags", "0")[1].startswith("0: scored")


def test_weights(lsbg):
    code, said, errors = lsbg("weights")
    assert code == 0 and errors == "" and f"{DEFAULT_WEIGHTS} (default): " in said
    code, said, errors = lsbg("weights", DEFAULT_WEIGHTS)
    card = find_weights(DEFAULT_WEIGHTS).card
    assert code == 0 and errors == "" and card.sha256 in said and card.limitations in said


GOOD = {"RA": [32.0], "DEC": [-40.0]}


def no_table(path):
    fits.PrimaryHDU(np.eye(3)).writeto(path)
    return path


def truncated(path):
    write(path, RA=[32.0] * 500, DEC=[-40.0] * 500)
    path.write_bytes(path.read_bytes()[:6000])
    return path


def truncated_parquet(path):
    pq.write_table(pa.table(GOOD), path)
    path.write_bytes(path.read_bytes()[:-20])
    return path


def text(path):
    path.write_text("A text.\nNo table at all\n")
    return path


INPUTS = {
    "no position": (
        lambda path: write(path, X=[1.0], Y=[2.0]),
        r"in: no position column .* among X, Y; name them with --ra and --dec",
    ),
    "two positions": (
        lambda path: write(path, **GOOD, coord_ra=[1.0], coord_dec=[2.0]),
        r"in: several positions that differ, RA/DEC and coord_ra/coord_dec by .* arcsec .*; "
        "choose with --ra and --dec",
    ),
    "sexagesimal": (
        lambda path: write(path, RA=["02:68:00.0"], DEC=["-40:00:00"]),
        r"in: RA is '02:68:00.0' in row 1, which is no position in h:m:s; correct it",
    ),
    "already annotated": (
        lambda path: write(path, **GOOD, P_LSBG=[0.5]),
        r"in: already has the column P_LSBG; add --overwrite-columns",
    ),
    "radians or degrees": (
        lambda path: write(path, coord_ra=[0.5], coord_dec=[-0.5]),
        r"in: coord_ra and coord_dec have no unit .* say --position-unit",
    ),
    "missing": (lambda path: path, r"in: no such file"),
    "not a table": (text, r"in: of none of the formats HATS .*; convert it to one of them"),
    "no table": (no_table, r"in: no FITS binary table"),
    "truncated": (truncated, r"in: truncated, 6000 of \d+ bytes; fetch it again"),
    "truncated Parquet": (truncated_parquet, r"in: not a readable Parquet file"),
}


def assert_one_line(result, message):
    """Exit status 1, nothing on standard output, and one line on standard error."""
    code, said, errors = result
    assert code == 1 and said == ""
    assert re.fullmatch(rf"lsbg: .*{message}.*\n", errors), errors


@pytest.mark.parametrize("kind", INPUTS)
def test_bad_input(lsbg, survey, out, tmp_path, kind):
    make, message = INPUTS[kind]
    source = make(tmp_path / "in")
    result = lsbg("classify", source, out / "a.fits", "--cutouts", f"tiles:{survey.tiles}")
    assert_one_line(result, message)
    assert not any(out.iterdir())


OPTIONS = {
    "--ra alone": (["--ra", "RA"], r"give both --ra and --dec"),
    "--ra unknown": (["--ra", "RRA", "--dec", "DEC"], r"in.fits: no column RRA; there are RA"),
    "--table": (["--table", "NOPE"], r"in.fits: no single table 'NOPE'; there are .*OBJECTS"),
    "--weights": (["--weights", "nope"], r"unknown weights 'nope': choose one of .*des-simulated"),
    "--weights file": (["--weights", "no.weights.h5"], r"no.weights.h5: no such file"),
    "--style": (["--style", "camel"], r"unknown style 'camel': choose auto, upper, lower"),
    "--position-unit": (["--position-unit", "mag"], r"--position-unit mag is no angle; say deg"),
    "--bands": (["--bands", "xyz"], r"no colours for the bands xyz: choose grz"),
    "--survey": (["--survey", "sdss"], r"unknown survey 'sdss': choose one of des"),
    "--url for tiles": (["--url", "http://127.0.0.1"], r"tiles: takes no option url"),
    "source without detail": (["--cutouts", "tiles:"], r"unknown cutout source 'tiles:'.*choose"),
    "source unknown": (["--cutouts", "plates:x"], r"unknown cutout source 'plates:x'.*legacysurv"),
    "no folder": (["--cutouts", "tiles:no/where"], r"no/where: no such folder of tiles"),
    "other survey": (
        ["--cutouts", "legacysurvey:hsc2"],
        rf"legacysurvey:hsc2: .*weights '{DEFAULT_WEIGHTS}'.*survey is 'hsc'.*--allow-mismatch",
    ),
    "--url": (["--cutouts", "legacysurvey:des-dr1", "--url", "ftp://x"], r"ftp://x: .*give --url"),
}


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("dry_run", [False, True], ids=["run", "dry-run"])
def test_bad_option(lsbg, survey, out, tmp_path, kind, dry_run):
    options, message = OPTIONS[kind]
    source = write(tmp_path / "in.fits", **GOOD)
    if "--cutouts" not in options:
        options = [*options, "--cutouts", f"tiles:{survey.tiles}"]
    result = lsbg("classify", source, out / "a.fits", *options, *["--dry-run"] * dry_run)
    assert_one_line(result, message)
    assert not any(out.iterdir())


def test_folder_without_tiles(lsbg, few, out, tmp_path):
    (tmp_path / "empty").mkdir()
    result = lsbg("classify", few, out / "a.fits", "--cutouts", f"tiles:{tmp_path / 'empty'}")
    assert_one_line(result, r"empty: no tiles \(files named \*\.fits or \*\.fits\.fz\)")
    assert not any(out.iterdir()) and not any((tmp_path / "empty").iterdir())


@pytest.mark.long
def test_permissions(survey, out, tmp_path):
    mortal = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] * (os.geteuid() == 0)
    if run_command(before=[*mortal, "true"])[0]:
        pytest.skip("this system does not let root give up its powers")
    source = write(tmp_path / "in.fits", **GOOD)
    source.chmod(0)
    arguments = ("classify", source, out / "a.fits", "--cutouts", f"tiles:{survey.tiles}")
    assert_one_line(run_command(*arguments, before=mortal), r"in.fits: Permission denied")
    source.chmod(0o600)
    out.chmod(0o500)
    assert_one_line(run_command(*arguments, before=mortal), r"a.fits: its folder is not writable")


@pytest.mark.parametrize("kind", ["itself", "symlink", "hard link", "in a linked folder"])
def test_output_is_the_input(lsbg, survey, tmp_path, kind):
    source = write(tmp_path / "in.fits", **GOOD)
    content, output = source.read_bytes(), tmp_path / "same.fits"
    match kind:
        case "itself":
            output = source
        case "symlink":
            output.symlink_to(source)
        case "hard link":
            output.hardlink_to(source)
        case "in a linked folder":
            (tmp_path / "linked").symlink_to(tmp_path)
            output = tmp_path / "linked" / "in.fits"
    before = sorted(tmp_path.iterdir())
    arguments = ("classify", source, output, "--cutouts", f"tiles:{survey.tiles}")
    assert_one_line(lsbg(*arguments, "--overwrite"), r"is the input itself.* choose another output")
    assert source.read_bytes() == content and sorted(tmp_path.iterdir()) == before


def test_output_in_a_missing_folder(lsbg, survey, few, tmp_path):
    output = tmp_path / "missing" / "a.fits"
    result = lsbg("classify", few, output, "--cutouts", f"tiles:{survey.tiles}")
    assert_one_line(result, r"missing/a.fits: its folder does not exist; make it first")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["flags", "512"], r"between 0 and 511, not 512"),
        (["flags", "five"], r"'five' is no number and no flag: NO_POSITION, "),
        (["weights", "nope"], r"unknown weights 'nope': choose one of .*des-simulated"),
        (["simulate", "sdss", "OUT"], r"'sdss': choose des"),
    ],
)
def test_bad_argument_of_other_commands(lsbg, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert_one_line(lsbg(*arguments), message)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ["classify"],
        ["classify", "in.fits", "out.fits"],
        ["classify", "in.fits", "out.fits", "--cutouts", "tiles:x", "--chunk-size", "0"],
        ["classify", "in.fits", "out.fits", "--cutouts", "tiles:x", "--threshold", "2"],
        ["classify", "in.fits", "out.fits", "--cutouts", "tiles:x", "--workers", "0"],
        ["classify", "in.fits", "out.fits", "--cutouts", "tiles:x", "--nope"],
        ["nope"],
    ],
)
def test_usage_error(lsbg, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    code, said, errors = lsbg(*arguments)
    assert code == 2 and said == "" and "Usage: lsbg" in errors
    assert not any(tmp_path.iterdir())


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("server", ["closed port", "HTTP 500", "HTTP 404"])
def test_server_that_refuses_everything(few, out, server):
    """As a process, for what Dask and TensorFlow say must not be seen either."""
    code = int(server.removeprefix("HTTP ")) if server.startswith("HTTP") else 0
    with ExitStack() as servers:
        viewer = servers.enter_context(Viewer(faults=lambda number, path: ("status", code, {})))
        if not code:
            servers.close()
        arguments = ["--cutouts", "legacysurvey:des-dr1", "--url", viewer.url]
        started = time.monotonic()
        result = run_command("classify", few, out / "a.fits", *arguments)
        took = time.monotonic() - started
    why = f"{server}: no" if code else r".*Connection refused"
    message = rf"{viewer.url}: 9 cutouts in a row could not be fetched \({why}\); check --cutouts"
    assert_one_line(result, message)
    assert took < 60
    assert not any(out.iterdir())


FULL = {0: "a.fits.journal/job.json", 3: "a.fits.journal", 40: "a.fits"}
"""Half-kilobytes that a file may have -> where this is not enough."""


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("blocks", FULL)
def test_no_space_left(lsbg, survey, out, blocks):
    arguments = ["classify", survey.candidates, out / "a.fits", "-q"]
    arguments += ["--cutouts", f"tiles:{survey.tiles}"]
    limit = ["sh", "-c", f'ulimit -f {blocks} && exec "$0" "$@"']
    message = rf"{out / FULL[blocks]}: File too large; make room, then go on with --resume"
    assert_one_line(run_command(*arguments, before=limit), message)
    scored = blocks == 40
    assert os.listdir(out) == ["a.fits.journal"] * scored
    if scored:
        code, _, errors = lsbg(*arguments, "--resume")
        assert code == 0, errors
        assert os.listdir(out) == ["a.fits"]
        assert len(fits.getdata(out / "a.fits")) == survey.candidate_count


@pytest.mark.slow
def test_full_disk(survey, out, tmp_path):
    """A real one, of 40 kB; what the run wants to keep on it at first has more."""
    own_disk = ["unshare", "-rm", "sh", "-c"]
    own_disk.append(f'mount -t tmpfs -o size=40k none {out} && exec "$0" "$@" && ls -A {out}')
    if run_command(before=[*own_disk, "true"])[0]:
        pytest.skip("this system does not let a test mount a disk")
    source = write(tmp_path / "in.fits", RA=[32.0] * 5000, DEC=[-40.0] * 5000)
    arguments = ["classify", source, out / "a.fits", "--cutouts", f"tiles:{survey.tiles}"]
    result = run_command(*arguments, before=own_disk)
    assert_one_line(result, r"a.fits.journal: No space left on device; make room")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("classify", "go on with --resume"),
        ("study", "go on with --resume"),
        ("report", "start it again"),
        ("simulate", "start it again"),
        ("", "start it again"),
    ],
)
def test_what_was_stopped_is_finished_by_what_there_is(monkeypatch, command, said):
    monkeypatch.setattr(sys, "argv", ["lsbg", command, "in.fits", "out.fits"])
    assert _again(app) == said


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "number"),
    [([], signal.SIGINT), (["--workers", "2"], signal.SIGINT), ([], signal.SIGTERM)],
    ids=["threads", "processes", "terminated"],
)
def test_interrupt_and_resume(lsbg, survey, out, where, number):
    """Ctrl-C or a batch system's signal, sent to all processes, while the server hangs."""
    log = out / "a.fits.journal" / "results.log"
    source = out.parent / "in.fits"
    fits.BinTableHDU(np.array(fits.getdata(survey.candidates))[::3]).writeto(source)
    with Viewer(survey.tiles) as viewer:
        viewer.faults = lambda number, path: "hang" if number > 20 else None
        arguments = ["classify", source, out / "a.fits", "--chunk-size", "4"]
        arguments += ["--cutouts", "legacysurvey:des-dr1", "--url", viewer.url]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(
            [LSBG, *arguments, *where], start_new_session=True, **pipes
        ) as process:
            deadline = time.monotonic() + 90
            while not (log.exists() and log.stat().st_size):
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
            os.killpg(process.pid, number)
            said, errors = process.communicate(timeout=60)
        assert (process.returncode, said) == (130, "")
        assert errors == "lsbg: interrupted; to finish, go on with --resume\n"
        assert os.listdir(out) == ["a.fits.journal"]
        viewer.faults = lambda number, path: None
        code, _, errors = lsbg(*arguments)
        assert code == 1 and re.search(
            r"a\.fits\.journal: holds an unfinished run.*--resume", errors
        )
        code, _, errors = lsbg(*arguments, "--resume")
        assert code == 0, errors
        arguments[2] = out / "undisturbed.fits"
        assert lsbg(*arguments)[0] == 0
    assert (out / "a.fits").read_bytes() == (out / "undisturbed.fits").read_bytes()
