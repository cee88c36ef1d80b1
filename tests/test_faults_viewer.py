"""A viewer with every fault at once, and one that is down altogether."""

import random
from collections import Counter
from contextlib import ExitStack

import numpy as np
import pytest
from astropy.io import fits
from viewer import Viewer

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from pipeline import annotate

pytestmark = pytest.mark.long

ROWS = 160
OURS = "P_LSBG", "FLAGS_LSBG"
FAULTS = (
    (0.10, ("status", 503, {})),
    (0.05, ("status", 429, {"Retry-After": "1"})),
    (0.05, "hang"),
    (0.05, "truncate"),
    (0.02, "html"),
)
"""Share of the requests -> what the viewer does to them."""

GIVEN_UP_AFTER = 20
CONNECTIONS = 8

IMPATIENT, PATIENT = 3, 120
"""Seconds: for a viewer that may hang, and for one that is only slow to render."""


class Unkind:
    """Faults drawn for each request anew; the same for the same row's n-th request."""

    def __init__(self):
        self.seen, self.drawn = Counter(), Counter()

    def __call__(self, number, path):
        self.seen[path] += 1
        draw = random.Random(f"{path} {self.seen[path]}").random()
        for share, fault in FAULTS:
            if draw < share:
                self.drawn[str(fault)] += 1
                return fault
            draw -= share
        return None


@pytest.fixture(scope="module")
def catalog(survey, tmp_path_factory):
    """Positions, each in the survey's tiles, none twice."""
    found = np.array(fits.getdata(survey.candidates))
    around = np.stack([found["ALPHA_J2000"], found["DELTA_J2000"]], axis=1).astype(float)
    rng = np.random.default_rng(11)
    positions = around[rng.integers(len(around), size=ROWS)] + rng.normal(0, 1e-3, (ROWS, 2))
    path = tmp_path_factory.mktemp("catalog") / "in.fits"
    ra, dec = positions.T
    columns = [fits.Column("RA", "D", "deg", array=ra), fits.Column("DEC", "D", "deg", array=dec)]
    fits.BinTableHDU.from_columns(columns).writeto(path)
    return path


@pytest.fixture(scope="module")
def viewer(survey):
    """One viewer for all tests here, for it remembers what it has rendered."""
    return Viewer(survey.tiles)


def run(catalog, output, viewer, timeout, **options):
    annotate(
        catalog,
        output,
        cutouts="legacysurvey:des-dr1",
        source_options={"url": viewer.url, "connections": CONNECTIONS, "timeout": timeout},
        chunk_size=32,
        **options,
    )


def scores(output):
    return [np.array(fits.getdata(output)[column]) for column in OURS]


@pytest.fixture(scope="module")
def undisturbed(catalog, viewer):
    """What a healthy viewer gives; from then on it answers at once."""
    output = catalog.with_name("undisturbed.fits")
    with viewer:
        run(catalog, output, viewer, PATIENT)
    assert ((scores(output)[1] & NOT_SCORED) == 0).sum() > 0.6 * ROWS
    return output


def test_every_row_is_right_or_flagged(catalog, viewer, undisturbed, tmp_path):
    unkind = Unkind()
    with viewer:
        before, viewer.faults = len(viewer.requests), unkind
        run(catalog, tmp_path / "out.fits", viewer, IMPATIENT)
    assert set(unkind.drawn) == {str(fault) for _, fault in FAULTS}
    assert sum(unkind.drawn.values()) > 0.2 * ROWS
    found, flags = scores(tmp_path / "out.fits")
    lost = (flags & (Flag.FETCH_FAILED | Flag.BAD_IMAGE)) != 0
    assert np.isnan(found[lost]).all() and lost.mean() < 0.03
    for ours, wanted in zip((found, flags), scores(undisturbed), strict=True):
        np.testing.assert_array_equal(ours[~lost], wanted[~lost])
    assert ROWS < len(viewer.requests) - before < 1.5 * ROWS


ATTEMPTS = {"refused": 0, "503": 5, "hang": 3}
"""What is wrong with the viewer -> requests that it sees of one cutout before that is given up."""


@pytest.mark.parametrize(
    ("wrong", "first"),
    [("hang", 0), ("hang", 70), ("503", 70), ("refused", 70)],
    ids=["hangs from the start", "hangs half-way", "503 half-way", "refused half-way"],
)
def test_a_viewer_that_is_down_is_given_up_and_resumed_from(
    catalog, viewer, undisturbed, tmp_path, wrong, first
):
    """One line, after a number of requests that has nothing to do with that of the rows."""
    fault = {"503": ("status", 503, {}), "hang": "hang"}.get(wrong)
    output, served = tmp_path / "out.fits", [0]
    with ExitStack() as up:

        def faults(number, path):
            served[0] += 1
            return fault if served[0] > first else None

        def progress(done, total):
            if wrong == "refused" and done >= first:
                up.close()

        viewer.faults = faults
        up.enter_context(viewer)
        with pytest.raises(InputError, match=r"cutouts in a row could not.*--resume") as caught:
            run(catalog, output, viewer, IMPATIENT, progress=progress)
    told = str(caught.value)
    assert viewer.url in told and "\n" not in told and len(told) < 300
    assert not output.exists()
    if wrong != "refused":
        most = (GIVEN_UP_AFTER + 3 * CONNECTIONS) * ATTEMPTS[wrong]
        assert first < served[0] <= first + most
    viewer.faults = lambda *_: None
    before = len(viewer.requests)
    with viewer:
        run(catalog, output, viewer, PATIENT, resume=True)
    again = len(viewer.requests) - before
    assert again == ROWS if not first else again < ROWS
    assert output.read_bytes() == undisturbed.read_bytes()
