"""Cutouts made with another stretch, scale or order of bands are told from right ones."""

from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from astropy.table import Table
from scipy import ndimage

from catalogs import InputError
from lsbg_classifier import load_classifier, open_source
from lsbg_classifier.cutouts.colours import colours_of_fluxes
from lsbg_classifier.likeness import STATISTICS, load_likeness, statistics
from lsbg_classifier.surveys import SURVEYS
from lsbg_classifier.training.likeness_fit import fit_likeness, wrongly_made
from lsbg_classifier.weights.registry import find_weights

SCALES = (6.0, 3.4, 2.2)
NOISE = (0.0018, 0.0021, 0.0068)


def sky(count, seed):
    """Cutouts of empty sky, as noisy and as correlated as in DES."""
    rng = np.random.default_rng(seed)
    white = rng.normal(size=(count, 3, 64, 64)) * rng.lognormal(0, 0.15, (count, 1, 1, 1))
    smooth = ndimage.gaussian_filter(white, (0, 0, 0.7, 0.7)) * 2.5
    fluxes = smooth * np.array(NOISE)[:, None, None]
    return np.stack([colours_of_fluxes(planes, SCALES) for planes in fluxes]).astype(np.uint8)


@pytest.fixture(scope="module")
def right():
    return sky(1000, 1)


@pytest.fixture(scope="module")
def check(right):
    return fit_likeness(right, seed=1)


@pytest.mark.slow
def test_right_ones_pass(check):
    assert check.unlike(sky(400, 2)).mean() < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["brighter", "fainter", "swapped", "wider", "closer"])
def test_wrong_ones_do_not(check, kind):
    assert check.unlike(wrongly_made(sky(400, 3))[kind]).mean() > 0.8


@pytest.mark.long
def test_the_same_cutouts_and_seed_give_the_same_check(check, right):
    again = fit_likeness(right, seed=1)
    np.testing.assert_allclose(again.form, check.form)
    assert again.threshold == pytest.approx(check.threshold)


@pytest.mark.slow
def test_a_few_cutouts_make_no_check(right):
    assert fit_likeness(right[:499], seed=1) is None


@pytest.mark.slow
@pytest.mark.parametrize("value", [0, 32, 255])
def test_statistics_are_finite_whatever_the_cutout(value, check):
    flat = np.full((2, 64, 64, 3), value, np.uint8)
    assert np.isfinite(statistics(flat)).all() and statistics(flat).shape == (2, STATISTICS)
    assert np.isfinite(check.score(flat)).all()
    assert statistics(flat[:0]).shape == (0, STATISTICS)


@pytest.mark.slow
def test_each_cutout_is_judged_for_itself(check):
    cutouts = sky(7, 4)
    alone = np.concatenate([check.score(cutouts[i : i + 1]) for i in range(7)])
    np.testing.assert_allclose(check.score(cutouts), alone, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_it_is_kept_in_the_file_of_weights(check, tmp_path):
    path = tmp_path / "x.weights.h5"
    h5py.File(path, "w").close()
    assert load_likeness(path) is None
    check.save(path)
    np.testing.assert_allclose(load_likeness(path).score(sky(9, 5)), check.score(sky(9, 5)), 1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["centre", "scale", "form"])
def test_a_damaged_one_is_refused(check, tmp_path, name):
    path = tmp_path / "x.weights.h5"
    check.save(path)
    with h5py.File(path, "a") as file:
        del file["likeness"][name]
        file["likeness"][name] = np.full(3, np.nan)
    with pytest.raises(InputError, match=f"x.weights.h5: .*{name}"):
        load_likeness(path)


@pytest.fixture(scope="module")
def candidates(survey):
    table = Table.read(survey.candidates)
    positions = np.stack([table["ALPHA_J2000"], table["DELTA_J2000"]], axis=1)
    cutouts, flags = open_source(f"tiles:{survey.tiles}").fetch(positions)
    return cutouts[flags == 0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["brighter", "fainter", "swapped", "closer"])
def test_the_shipped_weights_know_their_survey(candidates, kind):
    """All but twice the pixel scale, which makes a noisy tile look like one of usual depth."""
    classifier = load_classifier()
    assert classifier.unlike_training(candidates).mean() < 0.1
    assert classifier.unlike_training(wrongly_made(candidates)[kind]).mean() > 0.8


@pytest.mark.slow
def test_the_shipped_weights_know_the_real_sky(shared):
    cutouts = np.load(shared / "real_cutouts" / "des_y6_cutouts.npy")
    classifier = load_classifier()
    assert classifier.unlike_training(cutouts).mean() <= 0.02
    for kind, wrong in wrongly_made(cutouts).items():
        assert classifier.unlike_training(wrong).mean() >= 0.8, kind


@pytest.mark.slow
def test_images_that_no_check_knows_make_do_with_fewer(right):
    """Of weights that are fine-tuned for another survey: they must not lose their check."""
    assert fit_likeness(right[:120], seed=1) is None
    assert fit_likeness(right[:60], seed=1, other_images=True) is None
    check = fit_likeness(right[:150], seed=1, other_images=True)
    assert check.unlike(sky(300, 7)).mean() < 0.1
    for kind, images in wrongly_made(sky(300, 8)).items():
        assert check.unlike(images).mean() > 0.8, kind


@pytest.mark.slow
def test_weights_of_another_survey_never_take_over_the_check(right):
    """Fine-tuned on 100 cutouts they have a check of their own; on 60 none."""
    from lsbg_classifier.training.workflow import Training, _likeness

    start = find_weights("des-simulated")
    shipped = load_likeness(start.path)

    def check_of(survey, count):
        dataset = SimpleNamespace(manifest=SimpleNamespace(imaging=SURVEYS[survey].imaging()))
        training = Training("t", "", "", "", dataset, recipe=None, start=start)
        return _likeness(training, right[:count])

    assert not np.allclose(check_of("hsc", 100).form, shipped.form)
    assert check_of("hsc", 60) is None
    np.testing.assert_array_equal(check_of("des", 100).form, shipped.form)


def test_a_card_says_that_the_weights_began_with_other_images():
    from pipeline.train_run import _limitations

    start, wanted = find_weights("des-simulated"), SimpleNamespace(simulated=False, injected=False)
    hsc, des = (
        SimpleNamespace(manifest=SimpleNamespace(imaging=SURVEYS[name].imaging()))
        for name in ("hsc", "des")
    )
    said = _limitations(wanted, start, hsc)
    assert "des-simulated was made for other images: survey is 'hsc', not 'des'" in said
    assert "other images" not in _limitations(wanted, start, des)
