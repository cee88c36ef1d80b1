"""Patches of tiles against whole arrays of numpy, for all kinds of pixels and masks."""

import numpy as np
import pytest
from astropy.io import fits
from scipy import ndimage

from lsbg_classifier.cutouts.geometry import SkyGrid
from lsbg_classifier.cutouts.no_data import MaskBits
from lsbg_classifier.cutouts.pixels import fill_patch
from lsbg_classifier.cutouts.sections import ImageFile, read_section
from lsbg_classifier.cutouts.strips import Layer, bands_of
from lsbg_classifier.cutouts.tile_groups import BandImage

NO_DATA, BAD = 1 << 3, 1 << 9
HEIGHT, WIDTH, SIZE = 30, 40, 16
SCALE = 0.001
CORNERS = [(0, 0), (7, 11), (-5, 3), (WIDTH - 9, HEIGHT - 4), (-SIZE, 2), (WIDTH, 2), (3, -SIZE)]


def some_pixels(dtype):
    values = np.random.default_rng(1).normal(scale=2000, size=(HEIGHT, WIDTH))
    values[5:8] = 0
    if np.dtype(dtype).kind == "f":
        values[10, ::3], values[11, ::3], values[12, ::3] = np.nan, np.inf, -np.inf
    return (abs(values) % 256 if dtype == "u1" else values).astype(dtype)


def some_mask(dtype):
    bits = np.random.default_rng(2).integers(0, 1 << 15, (HEIGHT, WIDTH))
    return (bits & np.random.default_rng(3).integers(0, 1 << 15, bits.shape)).astype(dtype)


def zeros_without_data(fluxes):
    """Mark the exact zeros of a patch that lie in a block of 4x4, or in a line of 32."""
    zeros = fluxes == 0
    padded = np.pad(zeros, 3, constant_values=True)
    marked = ndimage.binary_opening(padded, np.ones((4, 4)))[3:-3, 3:-3]
    for line in (np.ones((1, 32)), np.ones((32, 1))):
        marked = marked | ndimage.binary_opening(zeros, line)
    return marked & zeros


def expected_patches(pixels, mask, weight=None, is_integer=False):
    """Return the fluxes of the boxes, how much of each is empty, and how much of it is bad."""
    around = ((2 * SIZE, 2 * SIZE),) * 2
    with np.errstate(invalid="ignore"):
        fluxes = pixels.astype(np.float32) * np.float32(SCALE)
    bits = np.zeros(pixels.shape, np.int64) if mask is None else mask.astype(np.int64)
    lacks = ~np.isfinite(fluxes) | ((bits & NO_DATA) != 0)
    if weight is not None:
        lacks |= ~(weight > 0)
    fluxes[lacks] = 0
    fluxes, bad = np.pad(fluxes, around), np.pad((bits & BAD) != 0, around)
    lacks = np.pad(lacks, around, constant_values=True)
    windows = [np.s_[y : y + SIZE, x : x + SIZE] for x, y in np.array(CORNERS) + 2 * SIZE]
    empty = []
    for window in windows:
        gap = lacks[window].copy()
        if not is_integer and weight is None:
            gap |= zeros_without_data(fluxes[window])
        empty.append(1.0 if not fluxes[window].any() else gap.mean())
    patches = np.array([fluxes[window] for window in windows])
    middle = [bad[window][SIZE // 4 : -SIZE // 4, SIZE // 4 : -SIZE // 4] for window in windows]
    return patches, np.array(empty), np.mean(middle, axis=(1, 2))


def layer_of(counts, bits=None, weight=None, **options):
    grid = SkyGrid("", WIDTH, HEIGHT)
    options = {"is_integer": counts.dtype.kind in "iu"} | options
    band = BandImage("image.fits", 0, None, SCALE, grid, **options)
    return Layer(band, counts, bits, weight, MaskBits(NO_DATA, BAD))


def filled(*layers):
    """Return the fluxes of all boxes, how much of each is empty, and how much of it is bad."""
    bands = bands_of(layers, [(HEIGHT, WIDTH)] * len(layers))
    fluxes = np.full((len(CORNERS), len(bands), SIZE, SIZE), np.nan, np.float32)
    gaps = np.full(fluxes.shape[:2], np.nan)
    corners = zip(CORNERS, fluxes, gaps, strict=True)
    return fluxes, gaps, [fill_patch(bands, *corner, patch, gap) for corner, patch, gap in corners]


def check(counts, pixels, bits=None, mask=None, weight=None):
    layer = layer_of(counts, bits, weight)
    fluxes, gaps, masked = filled(None, layer)
    expected, empty, bad = expected_patches(pixels, mask, weight, layer.band.is_integer)
    np.testing.assert_allclose(fluxes[:, 1], expected, rtol=1e-6)
    assert (fluxes[:, 0] == 0).all() and (gaps[:, 0] == 1).all()
    np.testing.assert_allclose(gaps[:, 1], empty)
    np.testing.assert_allclose(masked, bad)


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["u1", ">i2", ">i4", ">i8", ">f4", ">f8", "<f4", "<f8", "<i4"])
def test_kinds_of_pixels(dtype):
    pixels = some_pixels(dtype)
    check(pixels, pixels)


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["u1", ">i2", ">i4", ">i8", "<i4"])
def test_kinds_of_masks(dtype):
    pixels, mask = some_pixels(">f4"), some_mask(dtype)
    check(pixels, pixels, mask, mask)


@pytest.mark.slow
def test_bands_of_different_types():
    """Such as one that was compressed, and one without a mask."""
    mask, other = some_mask(">i2"), some_mask("<i4")[::-1]
    kinds = [(">i2", None), ("<f4", mask), (">f8", other)]
    pixels = [some_pixels(dtype) for dtype, _ in kinds]
    fluxes, gaps, masked = filled(
        *(layer_of(image, bits) for image, (_, bits) in zip(pixels, kinds, strict=True))
    )
    for number, (_, bits) in enumerate(kinds):
        is_integer = pixels[number].dtype.kind == "i"
        expected, empty, _ = expected_patches(pixels[number], bits, is_integer=is_integer)
        np.testing.assert_allclose(fluxes[:, number], expected, rtol=1e-6)
        np.testing.assert_allclose(gaps[:, number], empty)
    *_, bad = expected_patches(pixels[0], mask | other.astype(">i2"))
    np.testing.assert_allclose(masked, bad)


@pytest.mark.slow
def test_pixels_that_do_not_lie_in_a_row():
    pixels = some_pixels(">f4")
    check(np.asfortranarray(pixels), pixels)
    check(np.repeat(pixels, 2, axis=1)[:, ::2], pixels)
    check(np.pad(pixels, ((0, 0), (9, 5)))[:, 9:-5], pixels)


@pytest.mark.long
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_as_they_lie_in_a_file(tmp_path, dtype):
    pixels, mask = some_pixels(np.dtype(dtype).str), some_mask(np.int32)
    hdus = [fits.PrimaryHDU(pixels), fits.ImageHDU(mask)]
    fits.HDUList(hdus).writeto(tmp_path / "image.fits")
    everything = slice(0, HEIGHT), slice(0, WIDTH)
    with ImageFile(tmp_path / "image.fits") as file:
        counts, bits = (read_section(file.image(number), *everything) for number in (0, 1))
        check(counts, pixels, bits, mask)


@pytest.mark.long
@pytest.mark.parametrize("dtype", [">f4", "<f4", ">f8", ">i2", "u1"])
def test_kinds_of_weights(dtype):
    pixels, mask = some_pixels(">f4"), some_mask(">i2")
    weight = np.random.default_rng(5).integers(0, 3, pixels.shape).astype(dtype)
    check(pixels, pixels, mask, mask, weight)
    check(pixels, pixels, weight=weight)
    wide = np.random.default_rng(6).integers(0, 3, (130, 137)).astype(dtype)  # loops in vectors
    ones = np.ones(wide.shape, np.float32)
    assert [gap_of(ones, weight) for weight in (wide, ones.astype(dtype))] == pytest.approx(
        [(wide == 0).mean(), 0]
    )


@pytest.mark.slow
@pytest.mark.parametrize("fraction", [0.02, 0.2, 0.5])
def test_scattered_zeros_are_data(fraction):
    """As rounding leaves them; blocks, half of the image and a dead column have none."""
    rng = np.random.default_rng(6)
    shape = (130, 130)
    pixels = rng.normal(size=shape).astype(np.float32)
    pixels[rng.random(shape) < fraction] = 0
    assert gap_of(pixels) < 0.01
    for lost in (np.s_[:60], np.s_[:, 100:], np.s_[40:44, 50:54], np.s_[:, 77]):
        spoilt = pixels.copy()
        spoilt[lost] = 0
        assert gap_of(spoilt) == pytest.approx(np.zeros(shape)[lost].size / 130**2, abs=0.012)
        assert gap_of(spoilt, weight=np.ones(shape, np.float32)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("fraction", [0.02, 0.2, 0.6])
def test_zeros_of_integers_are_data_unless_many_lie_together(fraction):
    """Scattered ones come from rounding; parts that are filled with them have no data."""
    rng, shape = np.random.default_rng(6), (130, 130)
    pixels = rng.integers(1, 9, shape).astype(np.int16)
    pixels[rng.random(shape) < fraction] = 0
    assert gap_of(pixels) == 0
    for lost in (np.s_[:60], np.s_[:, 100:], np.s_[40:60, 50:70], np.s_[:, 77]):
        spoilt = pixels.copy()
        spoilt[lost] = 0
        assert gap_of(spoilt) == pytest.approx(np.zeros(shape)[lost].size / 130**2, abs=0.012)
        assert gap_of(spoilt, weight=np.ones(shape, np.float32)) == 0
    assert gap_of(np.zeros(shape, np.int16)) == 1


@pytest.mark.parametrize(
    "blank", [np.nan, np.inf, -np.inf, 1e30, -1e30, -9999, -99999, -999, -99, -32768, 7.5]
)
def test_blank_values_have_no_data(blank):
    """Those that are in use, and one that the header names."""
    pixels = np.random.default_rng(7).normal(size=(130, 130)).astype(np.float32)
    pixels[:13] = blank
    assert gap_of(pixels, blank=7.5) == pytest.approx(0.1)


def gap_of(pixels, weight=None, blank=None):
    """Return how much of an image has no data."""
    layer = layer_of(pixels, weight=weight, blank=blank)
    fluxes, gaps = np.empty((1, *pixels.shape), np.float32), np.empty(1)
    fill_patch(bands_of([layer], [pixels.shape]), 0, 0, fluxes, gaps)
    return gaps[0]
