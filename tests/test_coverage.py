"""Recognising missing data from colours alone: on scenes made here, and on real images.

The thresholds leave room for the scatter of the few scenes made here. Over 200 other scenes at each
noise (0.004, 0.006, 0.01, 0.03, each band its own): whole images flagged 0, 0, 0, 0, 4.0 %; a
missing band found as such 66, 82, 99.5, 100, 90 %, and flagged at all 97.5, 100, 100, 100, 99.5 %;
a band that ends found as such 86, 94, 99.5, 100, 98 %.
"""

from functools import cache

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import zoom

from catalogs.flags import Flag
from lsbg_classifier.cutouts.colours import colours_of_fluxes, compress, shrink
from lsbg_classifier.cutouts.coverage import judge, judge_gaps

SCALES = np.array([6.0, 3.4, 2.2])
SCENES = 24
GAPS = {
    "half": np.s_[:, 128:],
    "third": np.s_[170:],
    "quarter": np.s_[:64],
    "corner": np.add.outer(np.arange(256), np.arange(256)) < 130,
}

# By sky noise (rms of scaled flux in a native pixel): at most flagged of whole images; at least
# MISSING_BAND where one is missing; at least flagged where one is missing; at least
# PARTIAL_COVERAGE where one ends. None: a noise of its own for each band.
RATES = {
    0.004: (0.0, 0.50, 0.90, 0.75),
    0.006: (0.0, 0.65, 0.95, 0.85),
    0.010: (0.0, 0.90, 1.00, 0.95),
    0.030: (0.0, 0.95, 1.00, 0.95),
    None: (0.07, 0.85, 0.97, 0.90),
}
DEPTHS = pytest.mark.parametrize("noise", RATES)


def sky(rng, noise):
    """Scaled fluxes (g, r, z) of sky noise at 0.262", resampled to 0.131"."""
    each = [noise] * 3 if noise else np.exp(rng.uniform(*np.log([0.004, 0.03])))
    if not noise:
        each = np.clip(each * np.exp(rng.normal(0, 0.25, 3)), 0.004, 0.03)
    native = rng.normal(size=(3, 140, 140)) * np.asarray(each)[:, None, None]
    return np.stack([zoom(plane, 2, order=3)[8:264, 8:264] for plane in native])


def scene(seed, noise, kind=None):
    """Scaled fluxes (3, 256, 256) of sky, faint sources, and by turns a big galaxy or a star."""
    rng = np.random.default_rng(seed)
    fluxes = sky(rng, noise)
    y, x = np.mgrid[:256, :256]
    for _ in range(rng.poisson(10)):
        cx, cy, width = *rng.uniform(0, 256, 2), rng.uniform(2, 7)
        peak = 10 ** rng.uniform(-2, 0.3)
        profile = peak * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * width**2))
        fluxes += profile * rng.uniform(0.4, 1.6, 3)[:, None, None]
    kind = kind or ["sky", "sky", "galaxy", "star"][seed % 4]
    if kind == "galaxy":
        envelope = rng.uniform(0.5, 3) * np.exp(
            -np.hypot(x - 128, 1.4 * (y - 128)) / rng.uniform(25, 70)
        )
        fluxes += envelope * rng.uniform([0.5, 1, 1], [1, 1, 1.3])[:, None, None]
    if kind == "star":
        fluxes = saturated_star(rng, fluxes, x, y)
    return fluxes


def saturated_star(rng, fluxes, x, y):
    """Add a star whose core has failed in none, one or two bands."""
    distance = np.hypot(
        *(grid - centre for grid, centre in zip((x, y), rng.uniform(30, 226, 2), strict=True))
    )
    fluxes = fluxes + 1000 / (1 + distance**2 / 36) ** 2 * np.array([0.8, 1, 1.1])[:, None, None]
    for band in rng.permutation(3)[: rng.integers(0, 3)]:
        fluxes[band][distance < rng.uniform(8, 20)] = 0
    return fluxes


def viewer_image(fluxes):
    """What the viewer would send, (256, 256, 3)."""
    return compress(colours_of_fluxes((fluxes / SCALES[:, None, None]).astype(np.float32), SCALES))


def judged(fluxes):
    return judge(viewer_image(fluxes))


@cache
def with_one_band_missing(noise):
    """Verdicts on scenes where g, r or z, by turns, is missing altogether."""
    verdicts = []
    for seed in range(SCENES):
        fluxes = scene(5000 + seed, noise)
        fluxes[seed % 3] = 0
        verdicts.append(judged(fluxes))
    return verdicts


@pytest.mark.slow
@DEPTHS
def test_whole_images_are_not_flagged(noise):
    flagged = [judged(scene(seed, noise)) != 0 for seed in range(SCENES)]
    assert np.mean(flagged) <= RATES[noise][0]


@pytest.mark.slow
@DEPTHS
def test_a_band_that_is_missing(noise):
    verdicts = with_one_band_missing(noise)
    assert np.mean([flag == Flag.MISSING_BAND for flag in verdicts]) >= RATES[noise][1]
    assert np.mean([flag != 0 for flag in verdicts]) >= RATES[noise][2]


@pytest.mark.long
@DEPTHS
@pytest.mark.parametrize("gap", GAPS)
def test_a_band_that_ends_in_the_image(noise, gap):
    found = 0
    for seed in range(SCENES // 2):
        fluxes = scene(9000 + seed, noise)
        fluxes[seed % 3][GAPS[gap]] = 0
        found += judged(fluxes) == Flag.PARTIAL_COVERAGE
    least = RATES[noise][3] - (0.15 if gap == "corner" else 0)
    assert found / (SCENES // 2) >= least


@pytest.mark.slow
@DEPTHS
def test_images_that_end(noise):
    for number, gap in enumerate(GAPS.values()):
        fluxes = scene(number, noise)
        for plane in fluxes:
            plane[gap] = 0
        assert judged(fluxes) == Flag.PARTIAL_COVERAGE


@DEPTHS
@pytest.mark.parametrize("band", [0, 1, 2])
def test_a_single_band(noise, band):
    fluxes = scene(4 * band, noise)
    fluxes[[other for other in range(3) if other != band]] = 0
    deep = noise is not None and noise < 0.01
    assert judged(fluxes) in {Flag.MISSING_BAND} | ({Flag.PARTIAL_COVERAGE} if deep else set())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["galaxy", "star"])
def test_bright_things_are_not_gaps(kind):
    flagged = [judged(scene(seed, 0.01, kind)) != 0 for seed in range(SCENES)]
    assert np.mean(flagged) <= 0.03


@pytest.mark.parametrize("grey", [0, 32, 33, 128, 255])
@pytest.mark.parametrize("size", [64, 256])
def test_one_colour_all_over(grey, size):
    assert judge(np.full((size, size, 3), grey, np.uint8)) == Flag.NO_COVERAGE


def test_no_flux_is_the_viewers_dark_grey():
    image = viewer_image(np.zeros((3, 256, 256)))
    assert (image == 32).all()
    assert judge(image) == Flag.NO_COVERAGE


def test_a_source_in_the_corner_of_nothing():
    fluxes = scene(3, 0.01)
    fluxes[:, 80:] = 0
    fluxes[:, :, 80:] = 0
    assert judged(fluxes) == Flag.NO_COVERAGE


@pytest.mark.slow
def test_before_and_after_the_shrink_agree():
    for seed in range(12):
        image = viewer_image(scene(seed, 0.01))
        assert judge(image) == judge(shrink(image))


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


def test_real_image_whose_r_band_ends(shared):
    image = np.asarray(Image.open(shared / "real_images" / "viewer_des_half_covered.jpg"))
    assert judge(image) == judge(shrink(image)) == Flag.PARTIAL_COVERAGE


def test_real_cutouts(shared):
    cutouts = np.load(shared / "real_cutouts" / "des_y6_cutouts.npy")
    flags = np.array([judge(cutout) for cutout in cutouts])
    assert flags[35] == Flag.NO_COVERAGE
    assert flags[[44, 45]].tolist() == [Flag.MISSING_BAND] * 2
    others = np.delete(flags, [35, 44, 45])
    assert np.count_nonzero(others) <= 0.02 * len(others)
