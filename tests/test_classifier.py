"""Cutouts in, probabilities out: the same for the same cutout, whatever is around it."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsbg_classifier import load_classifier
from lsbg_classifier.network import build_network
from lsbg_classifier.surveys import survey_named
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS, find_weights
from lsbg_classifier.weights.saving import save_weight_set

SEED = 3
COUNT = 300


@pytest.fixture(scope="module", params=["onnx", "keras"])
def classifier(request):
    return load_classifier(engine=request.param)


@pytest.fixture(scope="module")
def cutouts():
    """Blobs of every brightness and size on sky, and some cutouts of noise or of one colour."""
    rng = np.random.default_rng(SEED)
    y, x = np.mgrid[:64, :64] - 31.5
    images = np.empty((COUNT, 64, 64, 3))
    for image in images:
        width, peak = rng.uniform(1, 15), rng.uniform(0, 150, 3)
        light = np.exp(-np.hypot(x - rng.normal(0, 5), y) / width)
        image[:] = 30 + light[..., None] * peak + rng.normal(0, 5, image.shape)
    images[::25] = rng.integers(0, 256, images[::25].shape)
    images[10::50] = rng.integers(0, 256, (6, 1, 1, 3))
    return np.clip(images, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def probabilities(classifier, cutouts):
    return classifier.predict(cutouts)


@pytest.mark.slow
def test_one_probability_a_cutout(probabilities):
    assert probabilities.shape == (COUNT,) and probabilities.dtype == np.float32
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert np.ptp(probabilities) > 0.05


TAKERS = ("predict", "features", "oddness", "unlike_training", "heat_maps", "contribution_maps")
"""The methods that take cutouts alone."""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["heat_maps", "contribution_maps"])
def test_maps_do_not_depend_on_how_many_are_drawn_together(
    classifier, cutouts, method, monkeypatch
):
    draw = getattr(classifier, method)
    together = draw(cutouts[:5])
    monkeypatch.setattr("lsbg_classifier.classifier._MAPS_AT_ONCE", 2)
    np.testing.assert_allclose(draw(cutouts[:5]), together, rtol=1e-4, atol=1e-6)
    assert draw(cutouts[:0]).shape == (0, 16, 16) and draw(cutouts[:0]).dtype == np.float32


@pytest.mark.slow
def test_none_in_none_out(classifier):
    found = classifier.predict(np.empty((0, 64, 64, 3), np.uint8))
    assert found.shape == (0,) and found.dtype == np.float32


@pytest.mark.parametrize("method", TAKERS)
@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32, bool, object])
def test_only_uint8_is_taken(classifier, cutouts, dtype, method):
    with pytest.raises(TypeError, match="uint8"):
        getattr(classifier, method)(cutouts[:2].astype(dtype))


@pytest.mark.parametrize(
    "shape", [(), (64,), (64, 64, 3), (2, 64, 64), (2, 64, 64, 4), (2, 3, 64, 64), (2, 63, 64, 3)]
)
@pytest.mark.parametrize("method", TAKERS)
def test_only_cutouts_are_taken(classifier, shape, method):
    with pytest.raises(ValueError, match=r"\(N, 64, 64, 3\)"):
        getattr(classifier, method)(np.zeros(shape, np.uint8))


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(rows=st.lists(st.integers(0, COUNT - 1), min_size=1, max_size=150))
def test_company_and_place_change_no_bit(classifier, cutouts, probabilities, rows):
    assert (classifier.predict(cutouts[rows]) == probabilities[rows]).all()


@pytest.mark.slow
def test_every_place_in_a_batch_is_the_same(classifier, cutouts, probabilities):
    for row in (0, 7, 10):
        assert set(classifier.predict(np.repeat(cutouts[[row]], 257, axis=0))) == {
            probabilities[row]
        }


@pytest.mark.slow
def test_memory_layout_does_not_matter(classifier, cutouts, probabilities):
    reversed_twice = np.ascontiguousarray(cutouts[::-1])[::-1]
    read_only = np.asfortranarray(cutouts)
    read_only.flags.writeable = False
    for same in (reversed_twice, read_only):
        assert (classifier.predict(same) == probabilities).all()


def test_cutouts_are_left_alone(classifier, cutouts):
    before = cutouts[:5].copy()
    classifier.predict(cutouts[:5])
    assert (cutouts[:5] == before).all()


@pytest.mark.slow
def test_keras_alone_says_the_same(cutouts, probabilities):
    """Whichever engine runs the network."""
    network = build_network()
    network.load_weights(find_weights(DEFAULT_WEIGHTS).path)
    expected = network.predict(cutouts / np.float32(255), verbose=0)[:, 0]
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_threads_get_equal_results(classifier, cutouts, probabilities):
    def share(number):
        rows = np.roll(np.arange(COUNT), 31 * number)[: 100 + 17 * number]
        return (classifier.predict(cutouts[rows]) == probabilities[rows]).all()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(share, range(12)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_half_precision_changes_little(classifier, cutouts, tmp_path):
    rng = np.random.default_rng(SEED)
    network = build_network()
    network.load_weights(find_weights(DEFAULT_WEIGHTS).path)
    weights = [w * rng.uniform(0.999, 1.001, w.shape) for w in network.get_weights()]
    network.set_weights(weights)
    full = network.predict(cutouts / np.float32(255), verbose=0)[:, 0]
    saved = save_weight_set(network, classifier.card, tmp_path)
    assert saved.path.stat().st_size < 2.2 * sum(w.size for w in weights)
    half = load_classifier(saved.path).predict(cutouts)
    # Eleven bits of each weight are kept: that is 0.01 of a logit, 0.0025 of a probability.
    assert 0 < abs(full - half).max() < 5e-3
    assert abs(full - half).mean() < 1e-3


@pytest.mark.slow
def test_saving_leaves_other_weights_alone(classifier, tmp_path):
    network = build_network()
    names = "full", "half", "another"
    saved = [save_weight_set(network, replace(classifier.card, name=n), tmp_path) for n in names]
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {f"{name}{end}" for name in names for end in (".json", ".weights.h5")}
    for weights in saved:
        weights.check_intact()


def test_the_shipped_card_is_complete(classifier):
    card = classifier.card
    empty = [item.name for item in fields(card) if getattr(card, item.name) in ("", (), {})]
    assert empty == []
    assert 0 < card.threshold < 1
    for scores in card.scores.values():
        fractions = [scores[metric] for metric in scores if metric not in ("count", "lsbgs")]
        assert all(0 <= value <= 1 for value in fractions)


def test_the_shipped_card_is_that_of_its_file_and_survey(classifier):
    assert classifier.card.name == DEFAULT_WEIGHTS
    assert find_weights(DEFAULT_WEIGHTS).path.name == f"{DEFAULT_WEIGHTS}.weights.h5"
    assert classifier.card.imaging.differences(survey_named("des").imaging()) == []


LOAD_IN_THREADS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from lsbg_classifier import load_classifier
with ThreadPoolExecutor(6) as pool:
    loading = [pool.submit(load_classifier, engine=sys.argv[1]) for _ in range(6)]
    names = {future.result().card.name for future in loading}
if sys.stderr:
    sys.stderr.write("still heard\\n")
sys.stdout.write(f"{len(names)} name\\n")
"""


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(("redirection", "heard"), [("", "still heard\n"), ("2>&-", "")])
@pytest.mark.parametrize("engine", ["onnx", "keras"])
def test_loading_is_silent_and_leaves_standard_error_as_it_was(redirection, heard, engine):
    shell = ["sh", "-c", f'exec "$0" "$@" {redirection}']
    command = [*shell, sys.executable, "-c", LOAD_IN_THREADS, engine]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 name\n", heard)
