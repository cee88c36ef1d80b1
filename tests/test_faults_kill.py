"""The command is killed at any moment, twenty times, and resumed: nothing is lost or done twice."""

import os
import random
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from viewer import Viewer, blobs, jpeg, rgb

from catalogs.flags import Flag

LSBG = Path(sys.executable).with_name("lsbg")
CANDIDATES = 400
ROWS = 60_000
RECORD = np.dtype([("row", "<i8"), ("probability", "<f4"), ("flags", "<i2")])

WHILE = ["fetching"] * 4 + ["scoring"] * 4 + ["journal"] * 4
"""What the run is at when it is killed, in an order of chance; then:"""

WRITING = 8
"""How often it is killed while the output is written."""

PATIENCE = 120
"""Seconds for anything that is waited for."""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    """A large table: few rows of it have a position, so that writing takes longer than scoring."""
    rng = np.random.default_rng(4)
    positions = np.full((ROWS, 2), np.nan)
    placed = np.sort(rng.choice(ROWS, CANDIDATES, replace=False))
    positions[placed] = rng.uniform((30, -40), (40, -30), (CANDIDATES, 2))
    columns = [
        fits.Column("RA", "D", "deg", array=positions[:, 0]),
        fits.Column("DEC", "D", "deg", array=positions[:, 1]),
        fits.Column("VIGNET", "500E", array=rng.random((ROWS, 500), np.float32)),
    ]
    path = tmp_path_factory.mktemp("catalog") / "in.fits"
    fits.BinTableHDU.from_columns(columns).writeto(path)
    return path, positions


@pytest.fixture(scope="module")
def images():
    """Forty images as the viewer sends them."""
    planes = blobs(size=600, spots=90)
    sky = rgb([planes[band] for band in "grz"])
    corners = np.random.default_rng(2).integers(0, 600 - 256, (40, 2))
    return [jpeg(sky[y : y + 256, x : x + 256]) for y, x in corners]


@pytest.fixture
def viewer(images):
    """A viewer that takes its time; each position has an image of its own, always the same."""

    def faults(number, path):
        time.sleep(0.04)
        return ("body", images[zlib.crc32(path.encode()) % len(images)])

    with Viewer(faults=faults) as viewer:
        yield viewer


def position_of(row, positions):
    """How a request names it."""
    return f"ra={positions[row, 0]:.7f}&dec={positions[row, 1]:.7f}"


def journaled(log):
    """Rows of whole records; read from the file's description alone."""
    rows, content, start = [], log.read_bytes() if log.exists() else b"", 0
    while len(content) >= start + 16:
        magic, count, checksum = struct.unpack_from("<4sQI", content, start)
        payload = content[start + 16 : start + 16 + count * RECORD.itemsize]
        if magic != b"LSBG" or zlib.crc32(payload) != checksum:
            break
        rows += np.frombuffer(payload, RECORD)["row"].tolist()
        start += 16 + len(payload)
    return rows


@contextmanager
def running(arguments, log):
    """The command and its workers, in a process group of their own."""
    with open(log, "wb") as errors:
        process = subprocess.Popen(
            [LSBG, *arguments], start_new_session=True, stdout=errors, stderr=errors
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def wait_until(condition, process, log):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_twenty_moments(catalog, viewer, tmp_path):
    source, positions = catalog
    placed = np.flatnonzero(np.isfinite(positions[:, 0])).tolist()
    output, log = tmp_path / "out.fits", tmp_path / "said"
    results = tmp_path / "out.fits.journal" / "results.log"
    arguments = ["classify", source, output, "--chunk-size", "8", "--quiet", "--resume"]
    arguments += ["--cutouts", "legacysurvey:des-dr1", "--url", viewer.url]
    rng = random.Random(20)
    moments = rng.sample(WHILE, len(WHILE))
    killed = Counter()

    def partials():
        return {path for path in tmp_path.glob(".out.fits.*.partial") if path.stat().st_size}

    def kill(moment, options=()):
        """Run, wait for the moment and a little longer, kill."""
        requests, size = len(viewer.requests), len(journaled(results))
        kept = journaled(results)
        more, left = rng.randrange(1, 9), partials()
        reached = {
            "fetching": lambda: len(viewer.requests) >= requests + more,
            "scoring": lambda: len(viewer.requests) >= requests + 8,
            "journal": lambda: len(journaled(results)) > size,
            "writing": lambda: partials() - left,
        }[moment]
        with running([*arguments, *options], log) as process:
            wait_until(reached, process, log)
            time.sleep(rng.uniform(0, {"writing": 0.15, "scoring": 0.5}.get(moment, 0.1)))
            assert process.poll() is None, log.read_text()
        assert process.returncode == -signal.SIGKILL
        killed[moment] += 1
        assert set(kept) <= set(journaled(results))
        asked = "\n".join(viewer.requests[requests:])
        assert not any(position_of(row, positions) in asked for row in kept)

    for number, moment in enumerate(moments):
        kill(moment, ["--workers", "2"] if number == 5 else [])
        assert not output.exists()
    assert 0 < len(journaled(results)) < CANDIDATES
    for _ in range(WRITING):
        kill("writing")
        assert not output.exists() and sorted(journaled(results)) == placed
    assert sum(killed.values()) == 20

    with running(arguments, log) as process:
        assert process.wait(PATIENCE) == 0, log.read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"out.fits", "said"}
    asked = len(viewer.requests)
    arguments[2] = tmp_path / "undisturbed.fits"
    with running([*arguments], log) as process:
        assert process.wait(PATIENCE) == 0, log.read_text()
    assert output.read_bytes() == (tmp_path / "undisturbed.fits").read_bytes()
    data = fits.getdata(output)
    assert len(np.unique(data["P_LSBG"][placed])) > 20
    assert (np.delete(data["FLAGS_LSBG"], placed) == Flag.NO_POSITION).all()
    assert len(viewer.requests) - asked == CANDIDATES
    most = max(Counter(viewer.requests[:asked]).values())
    assert most <= 1 + len(moments)
