"""Training and calibration with LSBGs among the others, against the Bayes posterior."""

import json

import keras
import numpy as np
import pytest
from scipy import stats

from catalogs import InputError
from lsbg_classifier.calibration import fit_temperature
from lsbg_classifier.completeness.unknown import UnknownLsbgs
from lsbg_classifier.training.batches import TrainingSample
from lsbg_classifier.training.forward_loss import ForwardCrossentropy
from lsbg_classifier.training.label_noise import (
    NOISE_FILE,
    labelled_part,
    true_fraction,
    unlabelled_fraction,
)


def drawn(count, unlabelled, seed=1):
    """Mocks at +1, others at -1, and LSBGs among the others: values and labels, half of each."""
    rng = np.random.default_rng(seed)
    hidden = rng.random(count) < unlabelled
    others = np.where(hidden, rng.normal(1, 1, count), rng.normal(-1, 1, count))
    values = np.concatenate([rng.normal(1, 1, count), others])
    return values, np.repeat([1, 0], count)


def posterior(values, unlabelled):
    """The probability that such a value is an LSBG, by Bayes' theorem and nothing else."""
    lsbg = (1 + unlabelled) / 2 * stats.norm(1, 1).pdf(values)
    other = (1 - unlabelled) / 2 * stats.norm(-1, 1).pdf(values)
    return lsbg / (lsbg + other)


def fitted(values, labels, loss):
    """A logistic function of the value, which holds the truth, fitted by Newton-like descent."""
    keras.utils.set_random_seed(1)
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "sigmoid")])
    network.compile(keras.optimizers.Adam(0.1), loss)
    network.fit(values[:, None], labels, batch_size=len(values), epochs=120, verbose=0)
    return lambda at: network.predict_on_batch(np.asarray(at)[:, None])[:, 0]


@pytest.mark.long
def test_the_corrected_loss_finds_the_posterior_of_clean_labels():
    unlabelled = 0.3
    values, labels = drawn(50_000, unlabelled)
    at = np.linspace(-2, 2, 9)
    truth = posterior(at, unlabelled)
    corrected = fitted(values, labels, ForwardCrossentropy(labelled_part(0.5, unlabelled)))
    np.testing.assert_allclose(corrected(at), truth, atol=0.025)
    plain = fitted(values, labels, keras.losses.BinaryCrossentropy())
    assert np.abs(plain(at) - truth).max() > 0.15


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_the_matrix_of_transitions(smoothing):
    """Patrini et al. 2017: cross-entropy of the labels with T^T p."""
    rng = np.random.default_rng(2)
    p, label, keep = rng.random(20), rng.integers(0, 2, 20), 0.8
    matrix = np.array([[1.0, 0.0], [1 - keep, keep]])
    of_label = np.stack([1 - p, p], axis=1) @ matrix
    target = label * (1 - smoothing) + smoothing / 2
    expected = -((1 - target) * np.log(of_label[:, 0]) + target * np.log(of_label[:, 1]))
    loss = ForwardCrossentropy(keep, smoothing)(label[:, None].astype("f4"), p[:, None])
    assert float(loss) == pytest.approx(expected.mean(), rel=1e-5)


def test_the_labelled_part_is_what_counting_gives():
    lsbgs, others, unlabelled = 300, 700, 0.1
    assert labelled_part(0.3, unlabelled) == pytest.approx(lsbgs / (lsbgs + others * unlabelled))
    assert true_fraction(0.3, unlabelled) == pytest.approx((lsbgs + 70) / 1000)
    sample = TrainingSample(np.empty(0), np.repeat([1, 0], [lsbgs, others]), unlabelled=unlabelled)
    assert sample.labelled_part(balanced=False) == pytest.approx(300 / 370)
    assert sample.labelled_part(balanced=True) == pytest.approx(1 / 1.1)
    beside = TrainingSample(
        np.empty(0), sample.labels, beside=(np.empty(0), np.empty(0)), unlabelled=unlabelled
    )  # of 4 in a batch: 0.6 + 1 labelled LSBGs, 1.4 others with 0.14 LSBGs, 1 clean other
    assert beside.labelled_part(balanced=False) == pytest.approx(1.6 / 1.74)
    assert TrainingSample(np.empty(0), sample.labels).labelled_part(balanced=False) == 1


@pytest.mark.parametrize("prior", [None, 0.4])
def test_the_temperature_is_that_of_clean_labels(prior):
    """Logits twice as large as they should be, under labels of which a quarter are hidden."""
    unlabelled = 0.25
    values, labels = drawn(40_000, unlabelled, seed=4)
    own = true_fraction(0.5, unlabelled)
    wanted = own if prior is None else prior
    logits = 2 * values + np.log(wanted / (1 - wanted))
    too_large = 1 / (1 + np.exp(-2 * logits))
    found = fit_temperature(labels, too_large, prior, unlabelled)
    assert found == pytest.approx(2, rel=0.05)
    assert fit_temperature(labels, too_large, prior) > 2.3
    with pytest.raises(InputError, match="choose a larger --prior"):
        fit_temperature(labels, too_large, 0.2, unlabelled)


def test_the_expected_number_of_unknown_lsbgs():
    unknown = UnknownLsbgs(density=4.8, area=2.0, known=3, others=100)
    assert (unknown.expected, unknown.fraction) == (pytest.approx(6.6), pytest.approx(0.066))
    assert "6.6 are LSBGs that nobody has labelled, 6.6%" in unknown.describe()
    assert UnknownLsbgs(4.8, 2.0, 30, 100).expected == 0
    assert UnknownLsbgs(4.8, 2.0, 0, 0).fraction == 0
    with pytest.raises(InputError, match="lower --lsbg-density"):
        UnknownLsbgs(40, 2.0, 0, 100).check()


@pytest.mark.parametrize("text", ["{", "[]", '{"unlabelled_fraction": 2}'])
def test_damaged_noise_files_are_named(tmp_path, text):
    assert unlabelled_fraction(tmp_path) == 0
    (tmp_path / NOISE_FILE).write_text(json.dumps({"unlabelled_fraction": 0.25}))
    assert unlabelled_fraction(tmp_path) == 0.25
    (tmp_path / NOISE_FILE).write_text(text)
    with pytest.raises(InputError, match=NOISE_FILE):
        unlabelled_fraction(tmp_path)
