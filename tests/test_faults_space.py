"""A disk that is full, and two runs that want the same output: real processes, one line each."""

import os
import re
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from viewer import Viewer, blobs, jpeg, rgb

LSBG = Path(sys.executable).with_name("lsbg")
ROWS = 300


@pytest.fixture(scope="module")
def images():
    planes = blobs(size=400, spots=50)
    sky = rgb([planes[band] for band in "grz"])
    return [jpeg(sky[at : at + 256, at : at + 256]) for at in range(0, 140, 7)]


@pytest.fixture
def viewer(images):
    with Viewer(faults=lambda _, path: ("body", images[zlib.crc32(path.encode()) % 20])) as viewer:
        yield viewer


@pytest.fixture
def source(tmp_path):
    """A Parquet table whose other column does not compress."""
    rng = np.random.default_rng(8)
    positions = rng.uniform((30, -40), (40, -30), (ROWS, 2))
    columns = {"RA": positions[:, 0], "DEC": positions[:, 1], "PAYLOAD": rng.random(ROWS)}
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    return tmp_path / "in.parquet"


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def arguments(source, output, viewer, *more):
    return [
        LSBG, "classify", source, output, "--cutouts", "legacysurvey:des-dr1", "--url", viewer.url,
        "--chunk-size", "1", "--quiet", *more,
    ]  # fmt: skip


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, **options)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(
    ("bytes_allowed", "full"),
    [(23 * ROWS, "a.parquet.journal/results.log"), (34 * ROWS, "a.parquet")],
    ids=["journal", "Parquet output"],
)
def test_no_space_left(viewer, source, out, bytes_allowed, full):
    """A row takes 16 bytes of scratch, 30 of the journal in units of one, and 40 of the output."""
    limit = ["sh", "-c", f'ulimit -f {bytes_allowed // 512} && exec "$0" "$@"']
    code, said, errors = run([*limit, *arguments(source, out / "a.parquet", viewer)])
    assert (code, said) == (1, "")
    message = rf"lsbg: {out / full}: .*File too large; make room, then go on with --resume\n"
    assert re.fullmatch(message, errors), errors
    assert os.listdir(out) == ["a.parquet.journal"]
    before = len(viewer.requests)
    assert run(arguments(source, out / "a.parquet", viewer, "--resume")) == (0, "", "")
    again = len(viewer.requests) - before
    assert again == 0 if full == "a.parquet" else 0 < again < ROWS / 2
    assert os.listdir(out) == ["a.parquet"]
    assert run(arguments(source, out / "undisturbed.parquet", viewer))[0] == 0
    content = (out / "undisturbed.parquet").read_bytes()
    assert (out / "a.parquet").read_bytes() == content
    assert 38 * ROWS < len(content)


@pytest.mark.long
@pytest.mark.slow
def test_two_runs_with_the_same_output(viewer, source, out):
    """The second is refused while the first is at work, with --resume and without."""
    log = out / "a.parquet.journal" / "results.log"
    serve = viewer.faults
    viewer.faults = lambda number, path: "hang" if number > 40 else serve(number, path)
    command = arguments(source, out / "a.parquet", viewer)
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE) as first:
        try:
            deadline = time.monotonic() + 90
            while not (log.exists() and log.stat().st_size):
                assert first.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
            for more in ([], ["--resume"]):
                code, said, errors = run([*command, *more])
                assert (code, said) == (1, "")
                message = rf"lsbg: {log.parent}: another run is writing this output; wait for it\n"
                assert re.fullmatch(message, errors), errors
            assert first.poll() is None and log.stat().st_size
        finally:
            os.killpg(first.pid, signal.SIGKILL)
            first.communicate(timeout=30)
    viewer.faults = serve
    assert run([*command, "--resume"]) == (0, "", "")
