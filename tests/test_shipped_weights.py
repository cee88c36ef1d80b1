"""What is said of the shipped weights holds: on real cutouts, and on images that show nothing."""

import csv

import numpy as np
import pytest

from lsbg_classifier import load_classifier
from lsbg_classifier.cutouts.colours import colours_of_fluxes, scaled_fluxes_of_colours
from lsbg_classifier.training.assessment import LabelledCutouts
from lsbg_classifier.training.workflow import score

CARD_ROW = "real DES cutouts labelled by eye, none trained on"


@pytest.fixture(scope="module", params=["des-real", "des-simulated"])
def classifier(request):
    return load_classifier(request.param)


@pytest.fixture(scope="module")
def real(shared):
    return shared / "real_cutouts" / "des_y6_cutouts.npy"


@pytest.mark.slow
def test_the_scores_on_the_card_are_those_on_real_cutouts(classifier, real):
    labelled = LabelledCutouts.read(real, real.with_name("des_y6_labels.csv"))
    scores = score(labelled.labels, classifier.predict(labelled.images))
    card = classifier.card.scores[CARD_ROW]
    values = {name: value for name, value in card.items() if not name.endswith(("_low", "_high"))}
    assert {name: scores[name] for name in values} == pytest.approx(values, abs=0.002)
    assert scores["auc"] >= 0.975 and scores["calibration_error"] <= 0.08


@pytest.mark.slow
def test_typical_artifacts_are_refused_and_most_lsbgs_kept(shared):
    """The labels of these set two numbers of the last layer, and none of the order."""
    images = np.load(shared / "real_cutouts" / "des_published_cutouts.npy")
    with open(shared / "real_cutouts" / "des_published_labels.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["group"] == "random"]
    labels = np.array([int(row["label"]) for row in rows])
    index = np.array([int(row["index"]) for row in rows])
    scores = score(labels, load_classifier("des-real").predict(images[index]))
    assert scores["accuracy"] >= 0.9 and scores["completeness"] >= 0.92
    assert scores["auc"] >= 0.945 and scores["purity"] >= 0.88


@pytest.mark.parametrize("bands", ["g", "r", "z"])
def test_a_single_band_is_no_lsbg(classifier, real, bands):
    cutouts = np.load(real)[:40].astype(np.float32)
    fluxes = np.moveaxis(scaled_fluxes_of_colours(cutouts)[..., ::-1], -1, 1)
    fluxes *= np.array([band in bands for band in "grz"])[:, None, None]
    images = [colours_of_fluxes(planes, (1.0, 1.0, 1.0)) for planes in fluxes]
    assert classifier.predict(np.stack(images).astype(np.uint8)).max() <= 0.2


@pytest.mark.parametrize("value", [0, 32, 128, 255])
def test_a_uniform_image_is_no_lsbg(classifier, value):
    assert classifier.predict(np.full((1, 64, 64, 3), value, np.uint8))[0] <= 0.2


@pytest.mark.parametrize("radius", [4, 6, 12, 24, 40])
@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 255), (200, 180, 255), (0, 255, 255)])
def test_a_saturated_star_is_no_lsbg(classifier, radius, colour):
    y, x = np.mgrid[:64, :64] - 31.5
    image = np.full((1, 64, 64, 3), 32, np.uint8)
    image[0][np.hypot(x, y) < radius] = colour
    assert classifier.predict(image)[0] <= 0.2
