"""Recognising missing data from colours alone: on scenes made here, and on real images."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from catalogs.flags import Flag
from lsbg_classifier.cutouts.colours import colours_of_fluxes, compress, shrink
from lsbg_classifier.cutouts.coverage import judge_colours, judge_gaps

SCALES = (6.0, 3.4, 2.2)
NOISE = np.array([1.5, 2.2, 5.0]) * 2e-3  # nanomaggies a viewer pixel, g, r, z


def scene(seed, depth=1.0, bright=0.0):
    """Fluxes of sky noise, correlated as resampling leaves it, some galaxies, perhaps a big one."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(3, 256, 256))
    noise = gaussian_filter(noise, (0, 1.2, 1.2))
    noise *= (NOISE / depth)[:, None, None] / noise.std(axis=(1, 2), keepdims=True)
    y, x = np.mgrid[:256, :256]
    for _ in range(8):
        peak, width = rng.uniform(0, 0.3), rng.uniform(3, 8)
        cx, cy = rng.uniform(0, 256, 2)
        spot = peak * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * width**2))
        noise += spot * np.array([0.4, 1.0, 1.6])[:, None, None]
    envelope = bright * np.exp(-np.hypot(x - 128, y - 128) / 60)
    return (noise + envelope * np.array([0.5, 1.0, 1.5])[:, None, None]).astype(np.float32)


def judged(fluxes):
    return judge_colours(shrink(compress(colours_of_fluxes(fluxes, SCALES))))


@pytest.mark.parametrize("depth", [0.5, 1.0, 1.6])
@pytest.mark.parametrize("bright", [0.0, 0.05])
def test_whole_images_are_not_flagged(depth, bright):
    flags = [judged(scene(seed, depth, bright)) for seed in range(30)]
    assert sum(flag != 0 for flag in flags) <= 1


@pytest.mark.parametrize("depth", [0.5, 1.0])
@pytest.mark.parametrize("band", [0, 1, 2])
def test_a_band_that_is_missing(depth, band):
    flags = []
    for seed in range(20):
        fluxes = scene(seed, depth)
        fluxes[band] = 0
        flags.append(judged(fluxes))
    assert flags.count(Flag.MISSING_BAND) >= 19


@pytest.mark.parametrize("band", [0, 1, 2])
@pytest.mark.parametrize("part", [0.25, 0.5])
def test_a_band_that_ends_in_the_image(band, part):
    flags = []
    for seed in range(20):
        fluxes = scene(seed)
        fluxes[band, :, : int(256 * part)] = 0
        flags.append(judged(fluxes))
    assert flags.count(Flag.PARTIAL_COVERAGE) >= 19


def test_single_band_and_nothing_at_all():
    fluxes = scene(1)
    fluxes[[0, 2]] = 0
    assert judged(fluxes) == Flag.MISSING_BAND
    assert judged(np.zeros((3, 256, 256), np.float32)) == Flag.NO_COVERAGE


def test_all_bands_end_in_the_image():
    fluxes = scene(2)
    fluxes[:, 150:] = 0
    assert judged(fluxes) == Flag.PARTIAL_COVERAGE


def test_saturated_star_is_not_a_gap():
    fluxes = scene(3)
    y, x = np.mgrid[:256, :256] - 128
    fluxes += np.where(np.hypot(x, y) < 30, 50, 300 / (np.hypot(x, y) + 1) ** 2.5)
    assert judged(fluxes.astype(np.float32)) == 0


@pytest.mark.parametrize(
    ("gaps", "flag"),
    [
        ([0, 0, 0.005], 0),
        ([0, 0, 0.02], Flag.PARTIAL_COVERAGE),
        ([0.3, 0.3, 0.99], Flag.MISSING_BAND),
        ([1, 1, 1], Flag.NO_COVERAGE),
    ],
)
def test_gaps_in_pixels(gaps, flag):
    assert judge_gaps(np.array(gaps)) == flag


def test_real_image_whose_red_band_ends(shared):
    image = np.asarray(Image.open(shared / "real_images" / "viewer_des_half_covered.jpg"))
    assert judge_colours(shrink(image)) == Flag.PARTIAL_COVERAGE


def test_real_cutouts(shared):
    cutouts = np.load(shared / "real_cutouts" / "des_y6_cutouts.npy")
    flags = np.array([judge_colours(cutout) for cutout in cutouts])
    assert flags[35] == Flag.NO_COVERAGE
    assert flags[[44, 45]].tolist() == [Flag.MISSING_BAND] * 2
    others = np.delete(flags, [35, 44, 45])
    assert np.count_nonzero(others) <= 0.02 * len(others)
