"""Outputs that are not named, inputs that are replaced, and rows that a condition chooses."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from catalogs import InputError
from pipeline import annotate


@pytest.fixture(scope="module")
def tiles(survey):
    return f"tiles:{survey.tiles}"


@pytest.fixture
def candidates(survey, tmp_path):
    path = tmp_path / "cat.fits"
    rows = np.array(fits.getdata(survey.candidates))[::4][:25]
    fits.BinTableHDU(rows, name="CANDIDATES").writeto(path)
    return path


@pytest.mark.slow
def test_an_output_that_is_not_named_lies_beside_the_input(candidates, tiles, lsbg):
    code, out, err = lsbg("classify", candidates, "--cutouts", tiles)
    assert code == 0, err
    output = candidates.with_name("cat_lsbg.fits")
    assert f"wrote {output}" in out and "P_LSBG" in fits.getdata(output).names
    code, _, err = lsbg("classify", candidates, "--cutouts", tiles)
    assert code == 1 and "cat_lsbg.fits: exists already" in err


@pytest.mark.slow
def test_in_place_gives_the_bytes_of_another_output(candidates, tiles, tmp_path):
    annotate(candidates, tmp_path / "other.fits", cutouts=tiles)
    os.chmod(candidates, 0o640)
    link = tmp_path / "link.fits"
    link.symlink_to(candidates)
    annotate(link, cutouts=tiles, in_place=True)
    assert link.is_symlink() and candidates.read_bytes() == (tmp_path / "other.fits").read_bytes()
    assert stat.S_IMODE(candidates.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cat.fits",
        "link.fits",
        "other.fits",
    ]
    with pytest.raises(InputError, match="already has the column P_LSBG"):
        annotate(candidates, cutouts=tiles, in_place=True)


def test_what_in_place_refuses(candidates, tiles, tmp_path):
    before = candidates.read_bytes()
    with pytest.raises(InputError, match="--in-place replaces the input; leave the output out"):
        annotate(candidates, tmp_path / "out.fits", cutouts=tiles, in_place=True)
    with pytest.raises(InputError, match="--in-place is for single files"):
        annotate(tmp_path, cutouts=tiles, in_place=True)
    assert candidates.read_bytes() == before


@pytest.mark.slow
def test_in_place_is_whole_or_untouched_when_killed(candidates, tiles, tmp_path):
    annotate(candidates, tmp_path / "other.fits", cutouts=tiles)
    before, after = candidates.read_bytes(), (tmp_path / "other.fits").read_bytes()
    command = [sys.executable, "-m", "pipeline", "classify", str(candidates), "--cutouts", tiles]
    running = subprocess.Popen([*command, "--in-place", "--chunk-size", "1"])
    journal = candidates.with_name("cat.fits.journal")
    end = time.monotonic() + 120
    while not journal.exists() and running.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait(60)
    assert candidates.read_bytes() in (before, after)
    if candidates.read_bytes() == before:
        annotate(candidates, cutouts=tiles, in_place=True, resume=True, chunk_size=1)
    assert candidates.read_bytes() == after


KILLED_AFTER_THE_REPLACEMENT = """
import os, signal, sys
from pipeline.cli import main
from pipeline.journal import Journal
Journal.remove = lambda journal: os.kill(os.getpid(), signal.SIGKILL)
main()
"""
"""The command, which is killed when the new file is in its place and the journal not yet gone."""


@pytest.mark.long
def test_in_place_killed_between_the_replacement_and_the_end(candidates, tiles, tmp_path, lsbg):
    annotate(candidates, tmp_path / "other.fits", cutouts=tiles)
    after = (tmp_path / "other.fits").read_bytes()
    command = [sys.executable, "-c", KILLED_AFTER_THE_REPLACEMENT, "classify", candidates]
    options = ["--cutouts", tiles, "--in-place"]
    done = subprocess.run([*command, *options], capture_output=True, timeout=300)
    assert done.returncode == -signal.SIGKILL and candidates.read_bytes() == after
    journal = candidates.with_name("cat.fits.journal")
    stopped = tmp_path / "stopped"
    shutil.copytree(journal, stopped)

    code, out, err = lsbg("classify", candidates, *options)
    assert (code, err) == (0, "") and candidates.read_bytes() == after and not journal.exists()
    assert "was stopped after that: nothing was left to score" in out and "25 candidates" in out
    code, _, err = lsbg("classify", candidates, *options)
    assert code == 1 and "already has the column P_LSBG" in err

    shutil.copytree(stopped, journal)  # the same options again, but all is to be scored anew
    annotate(candidates, cutouts=tiles, in_place=True, overwrite_columns=True)
    assert candidates.read_bytes() == after and not journal.exists()

    for other in ({"select": "NUMBER > 3"}, {"prior": 0.3}, {"bands": "grz"}):
        shutil.copytree(stopped, journal)  # another run is not taken for the one that was stopped
        with pytest.raises(InputError, match="already has the column P_LSBG"):
            annotate(candidates, cutouts=tiles, in_place=True, **other)
    shutil.copytree(stopped, journal, dirs_exist_ok=True)
    with fits.open(candidates, mode="update") as hdus:  # the file is not what the run has written
        hdus[1].data["P_LSBG"][:] = 0.125
    with pytest.raises(InputError, match="already has the column P_LSBG"):
        annotate(candidates, cutouts=tiles, in_place=True)
    assert journal.exists()


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["fits", "parquet", "ecsv"])
def test_the_rows_that_a_condition_chooses(candidates, tiles, tmp_path, lsbg, ending):
    source = tmp_path / f"in.{ending}"
    table = Table.read(candidates)
    if ending != "fits":
        table.write(source, format={"ecsv": "ascii.ecsv"}.get(ending, ending))
    else:
        source = candidates
    only = "P_LSBG > 0.3 and (FLAGS_LSBG & 2) == 0 and NUMBER > 0"
    output = tmp_path / f"out.{ending}"
    code, out, err = lsbg("classify", source, output, "--cutouts", tiles, "--only", only)
    assert code == 0, err
    scored = Table.read(output)
    probability = np.ma.filled(np.ma.asarray(scored["P_LSBG"]), np.nan)
    keep = (probability > 0.3) & (np.asarray(scored["FLAGS_LSBG"]) & 2 == 0)
    assert 0 < keep.sum() < len(keep)
    chosen = Table.read(tmp_path / f"out_only.{ending}")
    assert chosen.colnames == scored.colnames
    assert chosen["NUMBER"].tolist() == scored["NUMBER"][keep].tolist()
    assert f"{keep.sum()} rows to {tmp_path / f'out_only.{ending}'}" in out


def test_a_condition_that_cannot_be_is_refused_before_anything_is_scored(
    candidates, tiles, tmp_path
):
    for only, message in [
        ("P_LSB > 0.8", r"no column 'P_LSB', which --only needs; there are P_LSBG"),
        ("P_LSBG >", r"--only, at its end"),
        ("P_LSBG[0]", r"--only, at 'P_LSBG\[0\]' \(character 1\)"),
    ]:
        with pytest.raises(InputError, match=message):
            annotate(candidates, tmp_path / "out.fits", cutouts=tiles, only=only)
    (tmp_path / "out_only.fits").touch()
    with pytest.raises(InputError, match=r"out_only.fits: exists already"):
        annotate(candidates, tmp_path / "out.fits", cutouts=tiles, only="P_LSBG > 0.8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cat.fits", "out_only.fits"]


def test_the_dry_run_says_what_each_condition_removes(candidates, tiles, lsbg):
    cut = "NUMBER > 0 and FLUX_RADIUS_G * 0.263 > 3"
    options = ("--select", cut, "--only", "P_LSBG > 0.8", "--dry-run")
    code, out, _ = lsbg("classify", candidates, "--cutouts", tiles, *options)
    removed = int((np.asarray(fits.getdata(candidates)["FLUX_RADIUS_G"], float) * 0.263 <= 3).sum())
    assert code == 0 and "  NUMBER > 0: removes 0 rows, 0 of them alone" in out
    assert f"  FLUX_RADIUS_G * 0.263 > 3: removes {removed} rows, {removed} of them alone" in out
    assert "sky: RA " in out and "square degrees" in out
    assert f"rows with P_LSBG > 0.8 also in {candidates.with_name('cat_lsbg_only.fits')}" in out
