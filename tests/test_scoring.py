"""From positions to scores: what may be scored is, as the command does; the rest has a flag."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.utils.masked import Masked

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from lsbg_classifier.classifier import load_classifier
from lsbg_classifier.cutouts.source import open_source
from lsbg_classifier.positions import degrees_of
from lsbg_classifier.scoring import check_match, classify_positions, score_positions
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS

OUTSIDE = (212.0, 45.0)
NOWHERE = ((np.nan, 0.0), (10.0, 359.0), (10.0, -90.1), (np.inf, 0.0), (10.0, np.nan))


@pytest.fixture(scope="module")
def positions(survey):
    rows = fits.getdata(survey.candidates)[:24]
    return np.stack([rows["ALPHA_J2000"], rows["DELTA_J2000"]], axis=1).astype(float)


@pytest.fixture(scope="module")
def source(survey):
    return open_source(f"tiles:{survey.tiles}")


@pytest.fixture(scope="module")
def classifier():
    return load_classifier()


def test_scores_are_those_of_cutouts_one_by_one(positions, source, classifier):
    probabilities, flags = classify_positions(positions, source, classifier)
    cutouts, expected_flags = source.fetch(positions)
    unlike = classifier.unlike_training(cutouts)
    assert probabilities.dtype == np.float32 and flags.dtype == np.int16
    np.testing.assert_array_equal(probabilities, classifier.predict(cutouts))
    np.testing.assert_array_equal(flags & ~Flag.UNLIKE_TRAINING, expected_flags)
    np.testing.assert_array_equal((flags & Flag.UNLIKE_TRAINING) != 0, unlike)


def test_strings_name_source_and_weights(positions, survey, source, classifier):
    named = classify_positions(positions[:3], f"tiles:{survey.tiles}", DEFAULT_WEIGHTS)
    np.testing.assert_array_equal(named, classify_positions(positions[:3], source, classifier))


def test_bad_positions_get_a_flag_and_harm_no_other(positions, source, classifier):
    mixed = np.array([*NOWHERE, OUTSIDE, *positions[:3]])
    probabilities, flags = classify_positions(mixed, source, classifier)
    assert flags[:5].tolist() == [Flag.NO_POSITION] * 5 and flags[5] == Flag.NO_COVERAGE
    assert np.isnan(probabilities[:6]).all() and np.isfinite(probabilities[6:]).all()
    alone = classify_positions(positions[:3], source, classifier)[0]
    np.testing.assert_array_equal(probabilities[6:], alone)


@pytest.mark.parametrize("positions", [[], np.empty((0, 2)), [NOWHERE[0]]])
def test_nothing_to_score(positions, source, classifier):
    probabilities, flags = classify_positions(positions, source, classifier)
    assert len(probabilities) == len(flags) == len(positions)
    assert (flags == Flag.NO_POSITION).all() and np.isnan(probabilities).all()


@pytest.mark.slow
def test_the_same_position_in_many_forms(positions, source, classifier):
    some = positions[:4]
    sky = SkyCoord(*some.T, unit="deg")
    expected = classify_positions(some, source, classifier)[0]
    assert np.isfinite(expected).all()
    exact = (some.tolist(), np.ma.array(some), some * u.deg, sky, some.astype(object))
    for same in exact:
        np.testing.assert_array_equal(classify_positions(same, source, classifier)[0], expected)
    turn = np.array([360, 0])
    wrapped = [some + turn, some - turn, np.radians(some) * u.rad, sky.galactic, sky.fk5]
    for same in wrapped:
        np.testing.assert_allclose(degrees_of(same), some, rtol=0, atol=1e-4)
        got = classify_positions(same, source, classifier)[0]
        np.testing.assert_allclose(got, expected, rtol=0, atol=0.02)


def test_masked_positions_are_missing():
    values = np.array([[10.0, 20.0], [11.0, 21.0]])
    mask = np.array([[False, False], [False, True]])
    expected = np.array([[10.0, 20.0], [np.nan, np.nan]])
    integers = np.ma.array(values.astype(int), mask=mask)
    sky = SkyCoord(values[:, 0] * u.deg, Masked(values[:, 1], mask=mask[:, 1]) * u.deg)
    for masked in (np.ma.array(values, mask=mask), integers, [[10, 20], [11, None]], sky):
        np.testing.assert_allclose(degrees_of(masked), expected)


def test_right_ascension_is_taken_modulo_360():
    given = np.array([[-180.0, 0], [-1e-9, 0], [361, 0], [400, 1], [0, 2], [360, 3], [359.9, 4]])
    expected = (given[:, 0] % 360) % 360
    got = degrees_of(given)
    np.testing.assert_allclose(got[:, 0] % 360, expected)
    np.testing.assert_array_equal(got[:, 1], given[:, 1])
    inside = np.random.default_rng(1).uniform(0, 360, (100, 2)) * [1, 0.2]
    np.testing.assert_array_equal(degrees_of(inside), inside)  # to the bit


@pytest.mark.parametrize("positions", [[1.0, 2.0, 3.0], np.zeros((2, 3)), 5.0, [["a", "b"]]])
def test_what_is_no_list_of_positions(positions, source, classifier):
    with pytest.raises(ValueError):
        classify_positions(positions, source, classifier)


def test_one_position_of_skycoord(positions, source, classifier):
    probability, flags = classify_positions(SkyCoord(*positions[0], unit="deg"), source, classifier)
    assert probability.shape == flags.shape == (1,)


def test_weights_for_other_images_are_refused(positions, survey, classifier):
    other = open_source(f"tiles:{survey.tiles}", survey="hsc")
    with pytest.raises(InputError, match=r"survey is 'hsc', not 'des'.*or allow_mismatch=True$"):
        classify_positions(positions, other, classifier)
    with pytest.raises(InputError, match=r"or --allow-mismatch$"):
        check_match(classifier.card, other, "--allow-mismatch")
    got, _ = classify_positions(positions[:2], other, classifier, allow_mismatch=True)
    assert np.isfinite(got).all()


def test_scores_bring_cutouts_and_times(positions, source, classifier):
    mixed = np.array([OUTSIDE, *positions[:5]])
    scores = score_positions(mixed, source, classifier)
    assert scores.spread is None
    assert scores.fetch_seconds > 0 and scores.network_seconds > 0
    assert not scores.cutouts[0].any()
    np.testing.assert_array_equal(scores.cutouts[1:], source.fetch(positions[:5])[0])
    usable = scores.flags & NOT_SCORED == 0
    np.testing.assert_array_equal(scores.probability[1:], classifier.predict(scores.cutouts[1:]))
    assert usable.tolist() == [False] + [True] * 5


@pytest.mark.parametrize("kind", ["legacysurvey", "hips", "tiles", "kept"])
def test_no_source_raises_for_a_bad_position(kind):
    """All sources that ship take any position, through one function."""
    from lsbg_classifier.cutouts.hips import HipsSource
    from lsbg_classifier.cutouts.kept import KeptSource
    from lsbg_classifier.cutouts.legacysurvey import LegacySurveySource
    from lsbg_classifier.cutouts.tiles import TileSource

    sources = {
        "legacysurvey": LegacySurveySource,
        "hips": HipsSource,
        "tiles": TileSource,
        "kept": KeptSource,
    }
    source = object.__new__(sources[kind])  # nothing of it is needed
    cutouts, flags = source.fetch(np.array(NOWHERE))
    assert flags.tolist() == [Flag.NO_POSITION] * len(NOWHERE)
    assert cutouts.shape == (len(NOWHERE), 64, 64, 3) and not cutouts.any()
