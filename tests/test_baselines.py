"""The paper's baselines on SourceExtractor's columns."""

import numpy as np
import pytest

from catalogs import InputError
from lsbg_classifier.surveys import survey_named
from lsbg_classifier.training.baselines import baseline_probabilities, features_of
from lsbg_classifier.training.dataset import CutoutDataset, Manifest, claim, part_path, write_part
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


@pytest.mark.parametrize("search", [False, True])
def test_they_learn_what_can_be_learnt(dataset, search):
    found = baseline_probabilities(dataset, search=search)
    assert set(found) == {"support-vector machine", "random forest"}
    for labels, probabilities in found.values():
        assert ((probabilities >= 0) & (probabilities <= 1)).all()
        assert judge(labels, probabilities).auc > 0.97
        assert len(labels) == 225
