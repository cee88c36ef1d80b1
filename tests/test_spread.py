"""The spread of a probability: Monte Carlo dropout, the same for a row wherever it is scored."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from catalogs.errors import InputError
from lsbg_classifier import load_classifier
from lsbg_classifier.networks.dropout import PASSES, random_masks, random_part
from lsbg_classifier.networks.steps import steps_of

COUNT = 66
ROWS = np.arange(1000, 1000 + COUNT)


@pytest.fixture(scope="module", params=["onnx", "keras"])
def classifier(request):
    return load_classifier(engine=request.param)


@pytest.fixture(scope="module")
def cutouts():
    rng = np.random.default_rng(8)
    y, x = np.mgrid[:64, :64] - 31.5
    light = np.exp(-np.hypot(x, y) / rng.uniform(2, 12, (COUNT, 1, 1)))[..., None]
    images = 32 + light * rng.uniform(0, 120, (COUNT, 1, 1, 3))
    return np.clip(images + rng.normal(0, 4, images.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def spread(classifier, cutouts):
    return classifier.spread(cutouts, ROWS)


@pytest.mark.slow
def test_one_spread_a_cutout(spread):
    assert spread.shape == (COUNT,) and spread.dtype == np.float32
    assert ((spread >= 0) & (spread <= 0.51)).all()
    assert np.ptp(spread) > 0.05


@pytest.mark.slow
def test_chunks_company_and_order_change_no_bit(classifier, cutouts, spread):
    for places in ([3], [65, 3, 40], list(range(60, 66)) + list(range(20))):
        assert (classifier.spread(cutouts[places], ROWS[places]) == spread[places]).all()


@pytest.mark.slow
def test_it_depends_on_the_row(classifier, cutouts, spread):
    assert (classifier.spread(cutouts[:8], ROWS[:8] + 1) != spread[:8]).any()


_IN_A_PROCESS = """
import sys
import numpy as np
from lsbg_classifier import load_classifier
cutouts, rows = np.load(sys.argv[1]), np.load(sys.argv[2])
np.save(sys.argv[3], load_classifier(engine=sys.argv[4]).spread(cutouts, rows))
"""


@pytest.mark.long
def test_another_process_gives_the_same(classifier, cutouts, spread, tmp_path):
    cutout_path, row_path, out = (tmp_path / f"{name}.npy" for name in ("cutouts", "rows", "out"))
    np.save(cutout_path, cutouts[5:9])
    np.save(row_path, ROWS[5:9])
    paths = [cutout_path, row_path, out]
    command = [sys.executable, "-c", _IN_A_PROCESS, *paths, classifier.engine.name]
    subprocess.run(command, check=True, timeout=120)
    assert (np.load(out) == spread[5:9]).all()


@pytest.mark.slow
def test_engines_agree(cutouts):
    some, rows = cutouts[::3], ROWS[::3]
    one, other = (load_classifier(engine=name).spread(some, rows) for name in ("onnx", "keras"))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


@pytest.mark.long
def test_it_is_that_of_dropout_in_training(cutouts):
    """Keras' own dropout, normalisation as in inference, gives the same but for its few runs."""
    classifier = load_classifier(engine="keras")
    some = cutouts[:24]
    spread = classifier.spread(some, ROWS[:24])
    network = classifier.engine.network
    values = keras.ops.convert_to_tensor(some / np.float32(255))
    answers = []
    for number in range(80):
        keras.utils.set_random_seed(number)
        output = values
        for layer in network.layers:
            dropping = isinstance(layer, keras.layers.Dropout)
            output = layer(output, training=True) if dropping else layer(output)
        answers.append(keras.ops.convert_to_numpy(output)[:, 0])
    expected = np.std(answers, axis=0, ddof=1)
    # relative errors of a standard deviation: 1 / sqrt(2 (n - 1)), 13% for 32 runs; tails are long
    wide = expected > 0.02
    assert wide.sum() > 12
    assert abs(np.log(spread[wide] / expected[wide])).mean() < 0.3
    assert abs(np.log(spread[wide].mean() / expected[wide].mean())) < 0.1


def test_a_network_without_dropout_has_none():
    inputs = keras.Input((64, 64, 3))
    output = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(inputs))
    network = keras.Model(inputs, output)
    with pytest.raises(InputError, match="no dropout") as error:
        random_part(steps_of(network.get_config()), lambda _: ())
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_masks_drop_at_the_rate_and_keep_the_mean(classifier):
    masks = random_masks(classifier.engine.random_part, 5, 7)
    assert [mask.shape for mask in masks] == [
        (PASSES, 32, 32, 16),
        (PASSES, 16, 16, 32),
        (PASSES, 8, 8, 64),
    ]
    for mask in masks:
        assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / np.float32(0.6))}
        assert mask.mean() == pytest.approx(1, abs=0.01)
    again = random_masks(classifier.engine.random_part, 5, 7)
    assert all((one == other).all() for one, other in zip(masks, again, strict=True))
    for other in (random_masks(classifier.engine.random_part, 6, 7),):
        assert (masks[0] != other[0]).any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "error"), [(np.arange(3.0), TypeError), (np.arange(4), ValueError)]
)
def test_wrong_rows_are_refused(classifier, cutouts, rows, error):
    with pytest.raises(error, match="rows must"):
        classifier.spread(cutouts[:3], rows)
