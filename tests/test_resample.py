"""The two-pass resampling against the direct sum over 36 pixels, and against a known function."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from lsbg_classifier.cutouts.pixels import resample

STEP = np.arange(256) - 127.5


def direct_lanczos(patch, affine):
    """Sum Lanczos-3 weights over the 6x6 pixels around each point, weights normalised."""
    (x0, xu, xv), (y0, yu, yv) = affine
    right, up = np.meshgrid(STEP, -STEP)
    x, y = x0 + xu * right + xv * up, y0 + yu * right + yv * up
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    total, weights = 0.0, 0.0
    for j in range(-2, 4):
        for i in range(-2, 4):
            dx, dy = x - column - i, y - row - j
            weight = np.sinc(dx) * np.sinc(dx / 3) * np.sinc(dy) * np.sinc(dy / 3)
            total = total + weight[..., None] * patch[row + j, column + i]
            weights = weights + weight
    return total / weights[..., None]


def affine(tilt, scale=0.131 / 0.263, centre=(75.3, 74.8), flip=1):
    cosine, sine = scale * np.cos(tilt), scale * np.sin(tilt)
    return np.array([[centre[0], flip * cosine, sine], [centre[1], -flip * sine, cosine]])


def resampled(patch, matrix):
    """Sample one patch, shape (bands, height, width), as finely as the viewer."""
    sampled = np.full((len(patch), 256, 256), np.nan, np.float32)
    resample(np.ascontiguousarray(patch, np.float32), matrix, sampled)
    return sampled


@pytest.mark.slow
@pytest.mark.parametrize("tilt", [0.0, 0.011, -0.02])
@pytest.mark.parametrize("flip", [1, -1])
def test_agrees_with_the_direct_sum(tilt, flip):
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(150, 150, 3))
    patch = gaussian_filter(noise, (1.5, 1.5, 0)).astype(np.float32)
    matrix = affine(tilt, flip=flip)
    expected = direct_lanczos(patch, matrix)
    got = resampled(patch.transpose(2, 0, 1), matrix).transpose(1, 2, 0)
    assert np.abs(got - expected).max() < 0.01 * patch.std()


def along(lines, places):
    """Sample lines, shape (n, length), by Lanczos-3 at places, shape (n, m)."""
    left = np.floor(places).astype(int)
    pixels = left[..., None] + np.arange(-2, 4)
    offset = places[..., None] - pixels
    weights = np.sinc(offset) * np.sinc(offset / 3)
    weights /= weights.sum(axis=-1, keepdims=True)
    values = lines[np.arange(len(lines))[:, None, None], pixels.clip(0, lines.shape[1] - 1)]
    return (weights * values).sum(axis=-1)


@pytest.mark.parametrize("tilt", [0.0, 0.0035, 0.011, -0.02, 0.3])
@pytest.mark.parametrize("side", [128, 256])
def test_white_noise_by_both_passes(tilt, side):
    """The most that one can ask: to 1e-4 of the noise, and nowhere worse than a hundredth."""
    patch = np.random.default_rng(1).normal(size=(190, 190))
    matrix = affine(tilt, centre=(95.3, 94.8))
    (x0, xu, xv), (y0, yu, yv) = matrix
    steps = (np.arange(side) - (side - 1) / 2) * 256 / side
    slant = xv / yv
    columns = x0 + (xu - xv * yu / yv) * steps + slant * (np.arange(190)[:, None] - y0)
    narrow = along(patch, columns)
    expected = along(narrow.T, y0 + yu * steps[:, None] - yv * steps).T
    sampled = np.empty((1, side, side), np.float32)
    resample(patch[None].astype(np.float32), matrix, sampled)
    assert np.std(sampled[0] - expected) < 1e-4
    assert np.abs(sampled[0] - expected).max() < 0.01


def test_samples_a_smooth_function_where_it_is_asked():
    rows, columns = np.mgrid[:150, :150]
    patch = np.exp(-((columns - 80) ** 2 + (rows - 60) ** 2) / (2 * 6.0**2))
    matrix = affine(0.0)
    (got,) = resampled(patch[None], matrix)
    x = matrix[0, 0] + matrix[0, 1] * STEP
    y = matrix[1, 0] + matrix[1, 2] * -STEP
    expected = np.exp(-((x[None] - 80) ** 2 + (y[:, None] - 60) ** 2) / (2 * 6.0**2))
    np.testing.assert_allclose(got, expected, atol=2e-3)


@pytest.mark.parametrize("side", [64, 128])
def test_coarser_grid_takes_the_middle_of_the_finer_samples(side):
    rows, columns = np.mgrid[:150, :150]
    patch = np.exp(-((columns - 80) ** 2 + (rows - 60) ** 2) / (2 * 9.0**2))[None]
    coarse = np.empty((1, side, side), np.float32)
    matrix = affine(0.011)
    resample(patch.astype(np.float32), matrix, coarse)
    each = 256 // side
    middle = slice(each // 2 - 1, each // 2 + 1)
    fine = resampled(patch, matrix).reshape(side, each, side, each)
    expected = fine[:, middle][:, :, :, middle].mean(axis=(1, 3))
    np.testing.assert_allclose(coarse[0], expected, atol=3e-3)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.26, 0.4, 0.55])
def test_any_pixel_scale(scale):
    """Samples that are not about a pixel apart are taken by other sets, and one by one."""
    rng = np.random.default_rng(1)
    patch = gaussian_filter(rng.normal(size=(160, 160, 1)), (1.5, 1.5, 0)).astype(np.float32)
    matrix = affine(0.011, scale, centre=(79.3, 80.4))
    got = resampled(patch.transpose(2, 0, 1), matrix)[0]
    assert np.abs(got - direct_lanczos(patch, matrix)[..., 0]).max() < 0.01 * patch.std()


@pytest.mark.parametrize("place", [128.5, 3.1, np.nan, 1e300])
def test_patch_must_hold_the_grid(place):
    patch = np.ones((3, 140, 140), np.float32)
    for centre in ((place, 70.0), (70.0, place)):
        with pytest.raises(ValueError, match="must hold the grid"):
            resampled(patch, affine(0.0, centre=centre))
