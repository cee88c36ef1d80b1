"""What a run says: reasons for missing images, what is assumed, and all of it in a log."""

import logging
import re

import numpy as np
import pytest
from astropy.io import fits

from catalogs import InputError
from catalogs.flags import Flag
from lsbg_classifier.cutouts import source
from pipeline import annotate

PACKAGE = '''
import numpy as np
from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier.reasons import give_reason
from lsbg_classifier.surveys import survey_named


class FaultySource:
    """Whole degrees of right ascension name what is wrong with an image; 0: nothing."""

    connections = None

    def __init__(self, name):
        self.spec = f"faulty:{name}"
        self.imaging = survey_named("des").imaging()

    def assumptions(self):
        return ["the zero point of FAULTY is 30 mag at https://me:hunter2@host/, for no header"]

    def group(self, positions):
        return None

    def fetch(self, positions):
        faults = positions[:, 0].astype(int)
        if (faults == 99).any():
            raise InputError("FAULTY is gone;\\n use another")
        sky = np.random.default_rng(1).normal(32, 3, (len(faults), 64, 64, 3))
        cutouts, flags = np.clip(sky, 0, 255).astype(np.uint8), np.zeros(len(faults), np.int16)
        for fault in np.unique(faults[faults > 0]):
            flag = Flag.BAD_IMAGE if fault == 1 else Flag.NO_COVERAGE
            flags[faults == fault] = flag
            count = np.count_nonzero(faults == fault)
            give_reason(flag, f"tile{fault}.fits", f"row {fault}500 is damaged", count)
        return cutouts, flags
'''
FAULTS = [0, 1, 1, 1, 2, 2, 3, 4, 5, 6, 0, 7]
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} (INFO|WARNING|ERROR) "


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    """The spec of the source above, which a package adds, for worker processes too."""
    packages = tmp_path / "packages"
    described = packages / "faulty-1.0.dist-info"
    described.mkdir(parents=True)
    (packages / "faulty.py").write_text(PACKAGE)
    (described / "METADATA").write_text("Name: faulty\nVersion: 1.0\n")
    group = "lsbg_classifier.cutout_sources"
    (described / "entry_points.txt").write_text(f"[{group}]\nfaulty = faulty:FaultySource\n")
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setenv("PYTHONPATH", str(packages))
    source._installed_kinds.cache_clear()
    yield "faulty:x"
    source._installed_kinds.cache_clear()


def write_catalog(path, faults):
    columns = [
        fits.Column("RA", "D", "deg", array=np.array(faults) + 0.5),
        fits.Column("DEC", "D", "deg", array=np.linspace(-40, -30, len(faults))),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path)
    return path


@pytest.fixture
def catalog(tmp_path):
    return write_catalog(tmp_path / "in.fits", FAULTS)


@pytest.fixture
def logged():
    """Messages that a handler of the user's own, on the package's logger, gets as warnings."""
    texts = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: texts.append(record.getMessage())
    logging.getLogger("lsbg_classifier").addHandler(handler)
    yield texts
    logging.getLogger("lsbg_classifier").removeHandler(handler)


def messages(log):
    """The lines of a log without time and level; each must have them."""
    lines = log.read_text().splitlines()
    assert all(re.match(STAMP, line) for line in lines)
    return [re.sub(STAMP, "", line) for line in lines]


EXPECTED = {
    "tile1.fits: row 1500 is damaged (BAD_IMAGE)": 3,
    "tile2.fits: row 2500 is damaged (NO_COVERAGE)": 2,
    **{f"tile{n}.fits: row {n}500 is damaged (NO_COVERAGE)": 1 for n in range(3, 8)},
}


@pytest.mark.long
@pytest.mark.parametrize("options", [{}, {"workers": 1}], ids=["threads", "processes"])
def test_reasons_are_counted_and_logged_once(faulty, catalog, tmp_path, logged, options):
    for number in range(2):  # a second run in the same process says them again
        logged.clear()
        log, output = tmp_path / f"{number}.log", tmp_path / f"{number}.fits"
        summary = annotate(catalog, output, cutouts=faulty, chunk_size=2, log=log, **options)
        assert {str(reason): count for reason, count in summary.reasons.items()} == EXPECTED
        assert sorted(logged) == sorted(EXPECTED)
        lines = messages(log)
        for reason, count in EXPECTED.items():
            assert lines.count(reason) == 1
            plural = "" if count == 1 else "s"
            assert lines.count(f"{count} candidate{plural}: {reason}") == 1
        flags = fits.getdata(output)["FLAGS_LSBG"]
        wrong = np.array([0 if f == 0 else Flag.BAD_IMAGE if f == 1 else 2 for f in FAULTS])
        assert (flags & ~np.int16(Flag.UNLIKE_TRAINING) == wrong).all()


def test_the_summary_shows_the_largest_reasons_and_the_assumptions(faulty, catalog, tmp_path):
    lines = str(annotate(catalog, tmp_path / "out.fits", cutouts=faulty)).splitlines()
    start = lines.index("reasons:")
    assert lines[start + 1] == "  3 candidates: tile1.fits: row 1500 is damaged (BAD_IMAGE)"
    assert lines[start + 2] == "  2 candidates: tile2.fits: row 2500 is damaged (NO_COVERAGE)"
    assert lines[start + 6] == "  and 2 more; --log FILE keeps all of them"
    assert (
        "assumed: the zero point of FAULTY is 30 mag at https://***@host/, for no header" in lines
    )


def test_a_run_without_reasons_says_nothing_of_them(faulty, tmp_path):
    catalog = write_catalog(tmp_path / "good.fits", [0, 0])
    summary = annotate(catalog, tmp_path / "out.fits", cutouts=faulty, log=tmp_path / "log")
    assert not summary.reasons and "reasons:" not in summary.lines()
    assert not [line for line in messages(tmp_path / "log") if "damaged" in line]


def test_the_command_prints_and_logs(faulty, catalog, tmp_path, lsbg):
    output, log = tmp_path / "out.fits", tmp_path / "run.log"
    arguments = ("classify", catalog, output, "--cutouts", faulty, "--log", log)
    assumed = "assumed: the zero point of FAULTY is 30 mag at https://***@host/, for no header"
    code, out, err = lsbg(*arguments, "--dry-run")
    assert code == 0 and assumed in out and not log.exists()
    code, out, err = lsbg(*arguments)
    assert code == 0 and assumed in out
    assert "  3 candidates: tile1.fits: row 1500 is damaged (BAD_IMAGE)" in out
    assert "damaged" not in err
    lines = messages(log)
    assert lines[0] == f"started: {catalog} to {output}"
    assert f"input: {catalog}, 12 rows" in lines
    assert "cutouts: faulty:x" in lines and assumed in lines
    assert "selected: 12 rows, of which 0 are done already" in lines
    assert "12 candidates, 2 scored, 0 above 0.5" in lines
    assert lines[-1] == "the output is written" and "hunter2" not in log.read_text()
    code, out, _ = lsbg(*arguments, "--quiet", "--overwrite")
    assert code == 0 and out == ""
    assert messages(log)[: len(lines)] == lines  # appended
    assert messages(log).count(lines[0]) == 2


def test_what_stops_a_run_is_in_the_log(faulty, tmp_path):
    log = tmp_path / "run.log"
    with pytest.raises(InputError, match=r"nothing\.fits"):
        annotate(tmp_path / "nothing.fits", tmp_path / "a.fits", cutouts=faulty, log=log)
    catalog = write_catalog(tmp_path / "gone.fits", [0, 99])
    with pytest.raises(InputError, match="FAULTY is gone"):
        annotate(catalog, tmp_path / "a.fits", cutouts=faulty, log=log)
    stopped = [line for line in messages(log) if line.startswith("stopped: ")]
    assert len(stopped) == 2 and "no such file" in stopped[0]
    assert stopped[1] == "stopped: FAULTY is gone; use another"
    logger = logging.getLogger("lsbg_classifier")
    assert logger.level == logging.NOTSET
    assert all(isinstance(handler, logging.NullHandler) for handler in logger.handlers)


@pytest.mark.parametrize("name", ["in.fits", "out.fits", "no/folder/run.log", "packages"])
def test_a_log_that_cannot_be_written_is_refused(faulty, catalog, tmp_path, name):
    before = catalog.read_bytes()
    with pytest.raises(InputError, match=rf"{name}: .*choose another log"):
        annotate(catalog, tmp_path / "out.fits", cutouts=faulty, log=tmp_path / name)
    assert catalog.read_bytes() == before and not (tmp_path / "out.fits").exists()


def test_a_disk_that_is_full_of_the_log_stops_the_run(faulty, catalog, tmp_path):
    with pytest.raises(OSError, match="No space left") as caught:
        annotate(catalog, tmp_path / "out.fits", cutouts=faulty, log="/dev/full")
    assert caught.value.filename == "/dev/full"
    assert not (tmp_path / "out.fits").exists()


@pytest.mark.long
def test_a_resumed_run_tells_what_was_done(faulty, tmp_path):
    catalog, log = write_catalog(tmp_path / "in.fits", [0, 0, 1, 99]), tmp_path / "run.log"
    options = {"cutouts": faulty, "chunk_size": 1, "workers": 1}
    with pytest.raises(InputError):
        annotate(catalog, tmp_path / "out.fits", **options)
    text = (tmp_path / "packages" / "faulty.py").read_text()
    (tmp_path / "packages" / "faulty.py").write_text(text.replace("== 99", "== 98"))
    annotate(catalog, tmp_path / "out.fits", **options, log=log, resume=True)
    (line,) = [line for line in messages(log) if line.startswith("selected: ")]
    done = int(re.fullmatch(r"selected: 4 rows, of which (\d) are done already", line)[1])
    assert 1 <= done <= 3
