"""Every admitted version of Keras, TensorFlow, Dask, pyarrow and astropy gives the same scores.

``same_probabilities.json`` holds what one environment gave; ``make test-oldest`` compares the
oldest versions with it, ``make test`` the newest. After new weights:

    python tests/test_same_probabilities.py
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from painted_sky import PaintedSky, header_of

from lsbg_classifier import annotate
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS, find_weights

REFERENCE = Path(__file__).with_name("same_probabilities.json")
CANDIDATES = 24


def make_survey(folder):
    """Write a tile of painted sources with noise, and candidates on and beside them."""
    sky, size = PaintedSky(), 700
    sky.places *= 5  # sources half a cutout apart
    header = header_of(sky.centre, 0.263, size)
    header["MAGZERO"] = 22.5
    rng = np.random.default_rng(20211)
    for band in "grz":
        light = sky.image(header, (size, size), band, 0.263**2)
        light += rng.normal(0, 0.003, light.shape)
        name = folder / f"DES1000+0200_r1p01_{band}.fits"
        fits.writeto(name, light.astype(np.float32), header)
    offsets = np.concatenate([sky.places, rng.uniform(-60, 60, (CANDIDATES - len(sky.places), 2))])
    ra, dec = (np.asarray(sky.centre) + offsets / 3600 * [1 / np.cos(np.radians(2.0)), 1]).T
    pq.write_table(pa.table({"ra": ra, "dec": dec}), folder / "candidates.parquet")


def probabilities(folder, engine):
    output = folder / f"{engine}.parquet"
    annotate(folder / "candidates.parquet", output, cutouts=f"tiles:{folder}", engine=engine)
    return pq.read_table(output)["p_lsbg"].to_numpy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("same")
    make_survey(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnx", "keras"])
def test_probabilities_are_those_of_other_versions(folder, engine):
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))
    assert reference["sha256"] == find_weights(DEFAULT_WEIGHTS).card.sha256, "weights are new"
    found = probabilities(folder, engine)
    assert found == pytest.approx(reference["probabilities"], abs=1e-5)
    assert np.ptp(found) > 0.3, "these candidates tell nothing"


def write_reference():
    with tempfile.TemporaryDirectory() as name:
        make_survey(folder := Path(name))
        values = [round(float(value), 7) for value in probabilities(folder, "keras")]
    sha256 = find_weights(DEFAULT_WEIGHTS).card.sha256
    text = json.dumps({"sha256": sha256, "probabilities": values}, indent=1)
    REFERENCE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(write_reference())
