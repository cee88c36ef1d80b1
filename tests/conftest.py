"""A small simulated survey that many tests look at."""

from pathlib import Path

import pytest

from lsbg_classifier.simulation.survey import simulate_survey


@pytest.fixture(scope="session")
def survey(tmp_path_factory):
    """Two tiles of 1500 pixels, with their candidates and the truth."""
    folder = tmp_path_factory.mktemp("survey")
    return simulate_survey("des", folder, tiles=2, tile_size=1500, lsbgs=160, seed=77)


@pytest.fixture(scope="session")
def shared():
    """Real images and cutouts; absent on most machines."""
    folder = Path(__file__).parents[2] / "shared"
    if not (folder / "real_images").is_dir():
        pytest.skip("the folder of real images is not on this machine")
    return folder
