"""A user's own ``pipeline.py`` or ``catalogs`` never takes the place of our packages in silence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy.io import fits
from astropy.table import Table
from test_cluster import running_scheduler, wait_for_workers

from lsbg_classifier import annotate

BIN = Path(sys.executable).parent
THEIRS = "import pathlib; pathlib.Path(r'{ran}').touch(); MINE = True\n"
"""A module of the user's that leaves a file when it is run."""


@pytest.fixture
def folder(tmp_path, survey):
    """A working folder with modules of the user's that have our names."""
    for name in ("pipeline.py", "catalogs/__init__.py", "catalogs/mine.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(THEIRS.format(ran=tmp_path / f"ran-{name.replace('/', '-')}"))
    Table.read(survey.candidates)[:6].write(tmp_path / "in.fits")
    return tmp_path


@pytest.fixture
def expected(folder, survey):
    """What the command writes without them."""
    annotate(folder / "in.fits", folder / "expected.fits", cutouts=f"tiles:{survey.tiles}")
    return fits.getdata(folder / "expected.fits")["P_LSBG"]


def run(folder, *command, code=0, **variables):
    """Run a command in the folder; what it printed, with nothing of the user's run."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"} | variables,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert not list(folder.glob("ran-*")), done.stdout + done.stderr
    return done.stdout + done.stderr


def script(folder, name, text):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


SCORE = """
import sys
from lsbg_classifier import annotate
if __name__ == "__main__":
    annotate("in.fits", "out.fits", cutouts=sys.argv[1], workers={workers})
"""


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("workers", [None, 1])
def test_a_script_beside_them_works_and_says_which_file_is_in_the_way(
    folder, expected, survey, workers
):
    path = script(folder, "mine.py", SCORE.format(workers=workers))
    said = run(folder, sys.executable, path, f"tiles:{survey.tiles}")
    assert f"{folder}/pipeline.py: has the name of the package 'pipeline'" in said
    assert f"{folder}/catalogs/__init__.py: has the name of the package 'catalogs'" in said
    np.testing.assert_array_equal(fits.getdata(folder / "out.fits")["P_LSBG"], expected)


@pytest.mark.long
@pytest.mark.slow
def test_workers_of_a_script_that_imports_late_run_ours(folder, expected, survey):
    text = SCORE.format(workers=1).replace("from lsbg", "if __name__ == '__main__': from lsbg")
    said = run(folder, sys.executable, script(folder, "mine.py", text), f"tiles:{survey.tiles}")
    assert "Traceback" not in said
    np.testing.assert_array_equal(fits.getdata(folder / "out.fits")["P_LSBG"], expected)


@pytest.mark.long
@pytest.mark.slow
def test_a_script_may_be_called_pipeline(folder, expected, survey):
    path = script(folder, "pipeline.py", SCORE.format(workers=1))
    said = run(folder, sys.executable, path, f"tiles:{survey.tiles}")
    assert "the package 'pipeline'" not in said  # nobody else imports the script
    np.testing.assert_array_equal(fits.getdata(folder / "out.fits")["P_LSBG"], expected)


@pytest.mark.slow
def test_a_folder_of_data_is_not_in_the_way(folder):
    for path in folder.glob("**/*.py"):
        path.unlink()
    code = "import lsbg_classifier as us; us.open_catalog('in.fits'); us.annotate; print('fine')"
    assert run(folder, sys.executable, "-c", code) == "fine\n"


@pytest.mark.parametrize("package", ["pipeline", "catalogs"])
def test_theirs_that_is_imported_already_is_named_in_one_line(folder, package):
    code = f"import {package}, lsbg_classifier as us; us.InputError; us.annotate"
    path = script(folder, "mine.py", code)
    done = subprocess.run(
        [sys.executable, str(path)], cwd=folder, capture_output=True, text=True, timeout=60
    )
    file = folder / {"pipeline": "pipeline.py", "catalogs": "catalogs/__init__.py"}[package]
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert f"{file}: is imported under the name '{package}'" in line and "rename it" in line


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("workers", [[], ["--workers=1"]])
def test_the_command_runs_ours(folder, expected, survey, workers):
    """Also where the folder is searched first, as PYTHONPATH may say."""
    run(
        folder, BIN / "lsbg", "classify", "in.fits", "out.fits", f"--cutouts=tiles:{survey.tiles}",
        *workers, PYTHONPATH=str(folder),
    )  # fmt: skip
    np.testing.assert_array_equal(fits.getdata(folder / "out.fits")["P_LSBG"], expected)


@pytest.mark.parametrize("command", ["lsbg", "lsbg-train-des", "lsbg-train-hsc"])
def test_every_command_starts(folder, command):
    assert "--help" in run(folder, BIN / command, "--help", PYTHONPATH=str(folder))


@pytest.mark.long
@pytest.mark.slow
def test_ceci_runs_our_stage(folder, expected, survey):
    pytest.importorskip("ceci", reason="needs the extra ceci")
    pipeline = {
        "modules": "lsbg_classifier.stages.ceci",
        "stages": [{"name": "ClassifyLsbgStage"}],
        "inputs": {"candidates": "in.fits"},
        "config": "config.yaml",
        "output_dir": "out",
        "log_dir": "logs",
        "resume": False,
        "launcher": {"name": "mini", "interval": 0.2},
        "site": {"name": "local", "max_threads": 1},
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(pipeline))
    config = {"ClassifyLsbgStage": {"cutouts": f"tiles:{survey.tiles}"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    said = run(folder, "ceci", "own.yaml")
    assert f"{folder}/pipeline.py: has the name of the package 'pipeline'" in said
    written = fits.getdata(folder / "out" / "annotated_candidates.fits")["P_LSBG"]
    np.testing.assert_array_equal(written, expected)


def test_the_launcher_starts_our_stages_by_a_name_that_cannot_be_taken():
    pytest.importorskip("ceci", reason="needs the extra ceci")
    from pipeline.stages.ceci import ReportLsbgStage

    inputs, outputs = {"annotated_candidates": "in.fits"}, {"lsbg_report": "out"}
    command = ReportLsbgStage.generate_command(inputs, "config.yaml", outputs)
    start = "python3 -m lsbg_classifier.stages ReportLsbgStage "
    assert command.startswith(start) and "--annotated_candidates=in.fits" in command


@pytest.mark.slow
def test_tasks_of_rubin_are_found(folder):
    pytest.importorskip("lsst.pipe.base", reason="needs the extra rubin")
    said = run(
        folder, BIN / "pipetask", "build", "-p", "resource://lsbg_classifier/stages/rubin.yaml",
        "-c", "classifyLsbg:cutouts=tiles:here", "--show", "tasks", PYTHONPATH=str(folder),
    )  # fmt: skip
    assert "ClassifyLsbgTask" in said


@pytest.mark.long
@pytest.mark.slow
def test_workers_that_were_started_there_run_ours(folder, expected, survey, tmp_path_factory):
    """As dask-jobqueue starts them: with ``python -m``, which searches the folder first."""
    with running_scheduler(tmp_path_factory.mktemp("dask")) as (address, _):
        worker = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-dashboard",
             "--nworkers=1", "--nthreads=1", "--host=127.0.0.1"],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_for_workers(address, 1)
            annotate(
                folder / "in.fits", folder / "out.fits",
                cutouts=f"tiles:{survey.tiles}", scheduler=address,
            )  # fmt: skip
        finally:
            worker.terminate()
            worker.wait(30)
    assert not list(folder.glob("ran-*"))
    np.testing.assert_array_equal(fits.getdata(folder / "out.fits")["P_LSBG"], expected)


def test_the_packages_are_ours_here():
    code = (
        "import json, lsbg_classifier.floors as floors; "
        "print(json.dumps([floors.import_own(name).__file__ for name in "
        "('catalogs.flags', 'pipeline.cli')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    files = [Path(file) for file in json.loads(done.stdout)]
    assert [file.parent.name for file in files] == ["catalogs", "pipeline"]
