"""The paper's baselines on SourceExtractor's columns."""

import numpy as np
import pytest
from sklearn.svm import SVC

from catalogs import InputError
from lsbg_classifier.surveys import survey_named
from lsbg_classifier.training.baselines import baseline_probabilities, features_of, first_stage
from lsbg_classifier.training.dataset import CutoutDataset, Manifest, claim
from lsbg_classifier.training.dataset_parts import part_path, write_part
from lsbg_classifier.training.evaluation import judge


def columns(count=3):
    shape = {"A_IMAGE": np.full(count, 4.0), "B_IMAGE": np.full(count, 3.0)}
    bands = {}
    for band, magnitude in zip("GRI", (22.0, 21.5, 21.2), strict=True):
        bands[f"MAG_AUTO_{band}"] = np.full(count, magnitude)
        bands[f"FLUX_RADIUS_{band}"] = np.full(count, 10.0)
        bands[f"MU_MEAN_MODEL_{band}"] = np.full(count, 25.0)
    return shape | bands


def test_the_features_are_the_papers():
    features, names = features_of(columns())
    assert names[:4] == ("ellipticity", "g-r", "g-i", "r-i")
    values = dict(zip(names, features[0], strict=True))
    assert values["ellipticity"] == pytest.approx(0.25)
    assert values["g-i"] == pytest.approx(0.8)
    assert values["FLUX_RADIUS_G"] == pytest.approx(2.63)
    assert len(names) == 1 + 3 + 9


def test_lower_case_and_other_bands_do():
    lower = {name.lower().replace("_i", "_z"): v for name, v in columns().items()}
    lower |= {"a_image": np.ones(3), "b_image": np.ones(3)}
    assert "r-z" in features_of(lower)[1]


@pytest.mark.parametrize("missing", ["A_IMAGE", "MAG_AUTO"])
def test_columns_that_are_missing(missing):
    left = {name: values for name, values in columns().items() if not name.startswith(missing)}
    with pytest.raises(InputError, match="the baselines need"):
        features_of(left)


@pytest.fixture
def dataset(tmp_path):
    """LSBGs are larger and fainter; no image tells anything."""
    rng = np.random.default_rng(0)
    count = 900
    labels = (rng.random(count) < 0.3).astype(np.int8)
    table = {name: values + rng.normal(0, 0.2, count) for name, values in columns(count).items()}
    for band in "GRI":
        table[f"FLUX_RADIUS_{band}"] += labels * 2
        table[f"MU_MEAN_MODEL_{band}"] += labels * 0.3
    table["MAG_AUTO_G"][::100] = np.nan
    split = np.array(["train", "train", "validation", "test"], object)[np.arange(count) % 4]
    own = {"row": np.arange(count), "ra": np.zeros(count), "dec": np.zeros(count)}
    own |= {"label": labels, "split": split, "flags": np.zeros(count, np.int16)}
    claim(tmp_path, Manifest("made up", "0", "nowhere:", survey_named("des").imaging(), 1))
    write_part(part_path(tmp_path, 0), own | table, np.zeros((count, 64, 64, 3), np.uint8))
    return CutoutDataset(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("search", [False, True])
def test_they_learn_what_can_be_learnt(dataset, search):
    found = baseline_probabilities(dataset, search=search)
    assert set(found) == {"support-vector machine", "random forest"}
    for labels, probabilities in found.values():
        assert ((probabilities >= 0) & (probabilities <= 1)).all()
        assert judge(labels, probabilities).auc > 0.97
        assert len(labels) == 225


@pytest.fixture
def candidates():
    """One LSBG in eight, overlapping with the rest; half to learn from, half to judge by."""
    rng = np.random.default_rng(3)
    labels = (np.arange(2400) % 8 == 0).astype(int)
    features = rng.normal(0, 1, (2400, 4)) + 1.6 * labels[:, None] * [1, 1, 0, 0]
    return (features[:1200], labels[:1200]), (features[1200:], labels[1200:])


def test_the_first_stage_loses_few_lsbgs_and_stops_most_others(candidates):
    """Of two Gaussians this far apart, 90% pass where an LSBG weighs ten others; else 61%."""
    (features, labels), (others, truth) = candidates
    passed = first_stage(features, labels, seed=1)(others)
    assert passed.dtype == bool and passed.shape == truth.shape
    plain = SVC(C=1e4, gamma=1e-3).fit(features, labels).predict(others)
    assert passed[truth == 1].mean() > max(0.82, plain[truth == 1].mean() + 0.15)
    assert passed[truth == 0].mean() < 0.25


def test_the_first_stage_is_the_same_again(candidates):
    (features, labels), (others, _) = candidates
    one, other = (first_stage(features, labels, seed=1)(others) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_stage_passes_what_it_cannot_judge(candidates, value):
    (features, labels), (others, _) = candidates
    features, changed = features.copy(), others.copy()
    features[::7, 2], changed[::3, 1] = value, value
    passes = first_stage(features, labels, seed=1)
    assert passes(changed)[::3].all()
    known = np.arange(len(others)) % 3 > 0
    np.testing.assert_array_equal(passes(changed)[known], passes(others)[known])
    assert passes(np.full((5, 4), value)).all()


def test_the_first_stage_of_no_candidates(candidates):
    assert first_stage(*candidates[0], seed=1)(np.empty((0, 4))).shape == (0,)
