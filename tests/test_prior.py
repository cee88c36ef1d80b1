"""Probabilities for another mix of candidates than that of the weights: `prior`."""

import numpy as np
import pytest
from astropy.io import fits

from catalogs.errors import InputError
from lsbg_classifier import load_classifier
from lsbg_classifier.calibration import for_prior, logit, scale
from pipeline import annotate
from pipeline.describe import describe_job
from pipeline.job import prepare
from pipeline.options import Options


def test_frequencies_are_right_for_the_other_mix():
    """Scores whose probabilities are frequencies at one in two, drawn again at one in ten."""
    rng = np.random.default_rng(3)
    label = (rng.random(200_000) < 0.1).astype(int)
    score = rng.normal(2.0 * label, 1.5)
    at_half = 1 / (1 + np.exp(-(2.0 * score - 2.0) / 1.5**2))
    corrected = for_prior(at_half, 0.5, 0.1)
    for low, high in ((0.02, 0.1), (0.1, 0.3), (0.3, 0.6)):
        chosen = (corrected > low) & (corrected < high)
        assert label[chosen].mean() == pytest.approx(corrected[chosen].mean(), abs=0.01)
    assert corrected.mean() == pytest.approx(0.1, abs=0.003)


def test_it_is_an_offset_of_the_logits_and_keeps_the_order_and_the_ends():
    before = np.array([0.0, 1e-9, 0.02, 0.5, 0.97, 1.0])
    after = for_prior(before, 0.333, 0.05)
    assert after.dtype == np.float32 and after[0] == 0 and after[-1] == 1
    assert (np.diff(after) > 0).all()
    offset = np.log(0.05 / 0.95) - np.log(0.333 / 0.667)
    np.testing.assert_allclose(logit(after[2:5]), logit(before[2:5]) + offset, rtol=1e-5)
    np.testing.assert_allclose(for_prior(after, 0.05, 0.333), before, rtol=1e-5)


@pytest.fixture(scope="module")
def sky():
    return np.random.default_rng(4).integers(20, 70, (6, 64, 64, 3), dtype=np.uint8)


@pytest.mark.slow
def test_a_classifier_is_corrected_once_however_it_is_asked(sky):
    own, rare = load_classifier(), load_classifier(prior=0.05)
    fraction = own.card.prior
    assert (own.prior, rare.prior) == (fraction, 0.05)
    np.testing.assert_array_equal(load_classifier(prior=fraction).predict(sky), own.predict(sky))
    np.testing.assert_array_equal(rare.predict(sky), for_prior(own.predict(sky), fraction, 0.05))
    calibrated = for_prior(scale(own.predict(sky), own.card.temperature), fraction, 0.05)
    np.testing.assert_array_equal(rare.predict(sky, calibrated=True), calibrated)
    assert not np.array_equal(rare.spread(sky, np.arange(6)), own.spread(sky, np.arange(6)))


@pytest.mark.parametrize("prior", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_a_prior_is_a_fraction(prior):
    with pytest.raises(InputError, match="prior must be between 0 and 1"):
        load_classifier(prior=prior)


@pytest.mark.slow
def test_a_run_says_its_prior_and_is_not_resumed_with_another(survey, tmp_path):
    source, spec = tmp_path / "in.fits", f"tiles:{survey.tiles}"
    fits.BinTableHDU(np.array(fits.getdata(survey.candidates))[:20]).writeto(source)
    own = load_classifier().card.prior
    for name, options in (("own", {}), ("rare", {"prior": 0.05})):
        annotate(source, tmp_path / name, cutouts=spec, **options)
    before, after = (fits.getdata(tmp_path / name, 1)["P_LSBG"] for name in ("own", "rare"))
    np.testing.assert_array_equal(after, for_prior(before, own, 0.05))
    headers = [fits.getheader(tmp_path / name, 1) for name in ("own", "rare")]
    assert [header["LSBGPRI"] for header in headers] == [own, 0.05]
    jobs = [prepare(source, tmp_path / "out", Options(spec, prior=prior)) for prior in (None, 0.05)]
    lines = [line for line in describe_job(jobs[1]) if line.startswith("probabilities: ")]
    said = "for candidates of which 0.05 are LSBGs, corrected from"
    assert lines == [f"probabilities: {said} {own:.3g} of the weights"]
    assert jobs[0].identity()["prior"] != jobs[1].identity()["prior"]
