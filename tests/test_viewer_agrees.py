"""The same sky through tiles on disk and through a sky viewer: the same cutouts and scores.

The viewer of `viewer.py` shares no code with the package: it sums Lanczos-3 over 36 pixels at the
place that astropy's WCS gives for each pixel, and has its own colours and its own JPEG.
"""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from viewer import Viewer

from catalogs.flags import NOT_SCORED, Flag
from lsbg_classifier import load_classifier, open_source
from pipeline import annotate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def viewer(survey):
    with Viewer(survey.tiles) as running:
        yield running


@pytest.fixture(scope="module")
def candidates(survey):
    """Every second candidate: all kinds of objects, on both tiles."""
    return Table.read(survey.candidates)[::2]


@pytest.fixture(scope="module")
def positions(candidates):
    return np.stack([candidates["ALPHA_J2000"], candidates["DELTA_J2000"]], axis=1)


@pytest.fixture(scope="module")
def served(viewer, positions):
    """Cutouts and flags through the viewer."""
    source = open_source("legacysurvey:des-dr1", url=viewer.url)
    yield source.fetch(positions)
    source.close()


@pytest.fixture(scope="module")
def from_tiles(survey, positions):
    """Cutouts and flags from the tiles."""
    return open_source(f"tiles:{survey.tiles}").fetch(positions)


def distances(cutouts, others):
    """Median over each cutout of the absolute difference, in counts of 255."""
    return np.median(abs(cutouts.astype(int) - others), axis=(1, 2, 3))


def test_same_cutouts(served, from_tiles):
    cutouts, expected = served[0], from_tiles[0]
    assert cutouts.any(axis=(1, 2, 3)).all() and len(cutouts) > 40
    assert distances(cutouts, expected).max() <= 2
    assert abs(cutouts.mean(axis=(1, 2)) - expected.mean(axis=(1, 2))).max() < 1


@pytest.mark.parametrize(
    "change",
    [
        lambda cutouts: cutouts[:, :, ::-1],
        lambda cutouts: cutouts.transpose(0, 2, 1, 3),
        lambda cutouts: np.roll(cutouts, 1, axis=1),
        lambda cutouts: cutouts[..., ::-1],
    ],
    ids=["flipped", "transposed", "moved by a pixel", "red for blue"],
)
def test_other_cutouts_would_not_pass_for_the_same(served, from_tiles, change):
    apart = distances(change(served[0]), from_tiles[0])
    assert (apart > 2).mean() > 0.9


def test_same_flags_but_for_small_gaps(served, from_tiles):
    """Pixels tell of gaps too small to be seen in colours; what is not scored is the same."""
    flags, expected = served[1], from_tiles[1]
    assert ((flags & NOT_SCORED) == (expected & NOT_SCORED)).all()
    assert not ((flags & ~expected) & Flag.PARTIAL_COVERAGE).any()


def test_same_probabilities(served, from_tiles):
    usable = (served[1] & NOT_SCORED) == 0
    classifier = load_classifier()
    probabilities, expected = (classifier.predict(each[0][usable]) for each in (served, from_tiles))
    assert (abs(probabilities - expected) <= 0.02).mean() >= 0.95


def test_a_catalog_annotated_through_the_viewer(viewer, survey, candidates, tmp_path):
    nowhere = candidates[:2].copy()
    nowhere["ALPHA_J2000"] = [200.0, np.nan]
    source = tmp_path / "candidates.fits"
    Table(np.concatenate([candidates.as_array(), nowhere.as_array()])).write(source)
    summary = annotate(
        source,
        tmp_path / "viewer.fits",
        cutouts="legacysurvey:des-dr1",
        source_options={"url": viewer.url},
    )
    annotate(source, tmp_path / "tiles.fits", cutouts=f"tiles:{survey.tiles}")
    got, expected = (fits.getdata(tmp_path / f"{name}.fits") for name in ("viewer", "tiles"))
    assert (got["NUMBER"] == fits.getdata(source)["NUMBER"]).all()
    assert got["FLAGS_LSBG"][-2:].tolist() == [Flag.NO_COVERAGE, Flag.NO_POSITION]
    unscored = (got["FLAGS_LSBG"] & NOT_SCORED) != 0
    assert (np.isnan(got["P_LSBG"]) == unscored).all()
    assert (np.isnan(expected["P_LSBG"]) == unscored).all()
    difference = abs(got["P_LSBG"] - expected["P_LSBG"])[~unscored]
    assert (difference <= 0.02).mean() >= 0.95
    assert (summary.rows, summary.scored) == (len(got), np.count_nonzero(~unscored))
    assert fits.getheader(tmp_path / "viewer.fits", 1)["LSBGSRC"] == "legacysurvey:des-dr1"
