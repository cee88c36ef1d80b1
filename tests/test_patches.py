"""Patches of tiles against whole arrays of numpy, for all kinds of pixels and masks."""

import numpy as np
import pytest
from astropy.io import fits

from lsbg_classifier.cutouts.pixels import fill_patch
from lsbg_classifier.cutouts.sections import ImageFile, read_section
from lsbg_classifier.cutouts.strips import bands_of
from lsbg_classifier.cutouts.tile_index import BandImage

NO_DATA, BAD = 1 << 3, 1 << 9
HEIGHT, WIDTH, SIZE = 30, 40, 16
SCALE = 0.001
CORNERS = [(0, 0), (7, 11), (-5, 3), (WIDTH - 9, HEIGHT - 4), (-SIZE, 2), (WIDTH, 2), (3, -SIZE)]


def some_pixels(dtype):
    values = np.random.default_rng(1).normal(scale=3000, size=(HEIGHT, WIDTH))
    values[5:8] = 0
    if np.dtype(dtype).kind == "f":
        values[10, ::3], values[11, ::3], values[12, ::3] = np.nan, np.inf, -np.inf
    return (abs(values) % 256 if dtype == "u1" else values).astype(dtype)


def some_mask(dtype):
    bits = np.random.default_rng(2).integers(0, 1 << 15, (HEIGHT, WIDTH))
    return (bits & np.random.default_rng(3).integers(0, 1 << 15, bits.shape)).astype(dtype)


def expected_patches(pixels, mask):
    """Return the fluxes of the boxes, how much of each is empty, and how much of it is bad."""
    around = ((2 * SIZE, 2 * SIZE),) * 2
    with np.errstate(invalid="ignore"):
        fluxes = pixels.astype(np.float32) * np.float32(SCALE)
    bits = np.zeros(pixels.shape, np.int64) if mask is None else mask.astype(np.int64)
    fluxes[~np.isfinite(fluxes) | ((bits & NO_DATA) != 0)] = 0
    fluxes, bad = np.pad(fluxes, around), np.pad((bits & BAD) != 0, around)
    windows = [np.s_[y : y + SIZE, x : x + SIZE] for x, y in np.array(CORNERS) + 2 * SIZE]
    patches = np.array([fluxes[window] for window in windows])
    middle = [bad[window][SIZE // 4 : -SIZE // 4, SIZE // 4 : -SIZE // 4] for window in windows]
    return patches, (patches == 0).mean(axis=(1, 2)), np.mean(middle, axis=(1, 2))


def filled(*layers):
    """Return the fluxes of all boxes, how much of each is empty, and how much of it is bad."""
    bands = bands_of(layers, (HEIGHT, WIDTH))
    fluxes = np.full((len(CORNERS), len(bands), SIZE, SIZE), np.nan, np.float32)
    gaps = np.full(fluxes.shape[:2], np.nan)
    corners = zip(CORNERS, fluxes, gaps, strict=True)
    return fluxes, gaps, [fill_patch(bands, *corner, patch, gap) for corner, patch, gap in corners]


def check(counts, pixels, bits=None, mask=None):
    band = BandImage("image.fits", 0, None, SCALE, None, NO_DATA, BAD)
    fluxes, gaps, masked = filled(None, (band, counts, bits))
    expected, empty, bad = expected_patches(pixels, mask)
    np.testing.assert_allclose(fluxes[:, 1], expected, rtol=1e-6)
    assert (fluxes[:, 0] == 0).all() and (gaps[:, 0] == 1).all()
    np.testing.assert_allclose(gaps[:, 1], empty)
    np.testing.assert_allclose(masked, bad)


@pytest.mark.parametrize("dtype", ["u1", ">i2", ">i4", ">i8", ">f4", ">f8", "<f4", "<f8", "<i4"])
def test_kinds_of_pixels(dtype):
    pixels = some_pixels(dtype)
    check(pixels, pixels)


@pytest.mark.parametrize("dtype", ["u1", ">i2", ">i4", ">i8", "<i4"])
def test_kinds_of_masks(dtype):
    pixels, mask = some_pixels(">f4"), some_mask(dtype)
    check(pixels, pixels, mask, mask)


def test_bands_of_different_types():
    """Such as one that was compressed, and one without a mask."""
    band = BandImage("image.fits", 0, None, SCALE, None, NO_DATA, BAD)
    mask, other = some_mask(">i2"), some_mask("<i4")[::-1]
    kinds = [(">i2", None), ("<f4", mask), (">f8", other)]
    pixels = [some_pixels(dtype) for dtype, _ in kinds]
    fluxes, gaps, masked = filled(
        *((band, image, bits) for image, (_, bits) in zip(pixels, kinds, strict=True))
    )
    for number, (_, bits) in enumerate(kinds):
        expected, empty, _ = expected_patches(pixels[number], bits)
        np.testing.assert_allclose(fluxes[:, number], expected, rtol=1e-6)
        np.testing.assert_allclose(gaps[:, number], empty)
    *_, bad = expected_patches(pixels[0], mask | other.astype(">i2"))
    np.testing.assert_allclose(masked, bad)


def test_pixels_that_do_not_lie_in_a_row():
    pixels = some_pixels(">f4")
    check(np.asfortranarray(pixels), pixels)
    check(np.repeat(pixels, 2, axis=1)[:, ::2], pixels)
    check(np.pad(pixels, ((0, 0), (9, 5)))[:, 9:-5], pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_as_they_lie_in_a_file(tmp_path, dtype):
    pixels, mask = some_pixels(np.dtype(dtype).str), some_mask(np.int32)
    hdus = [fits.PrimaryHDU(pixels), fits.ImageHDU(mask)]
    fits.HDUList(hdus).writeto(tmp_path / "image.fits")
    everything = slice(0, HEIGHT), slice(0, WIDTH)
    with ImageFile(tmp_path / "image.fits") as file:
        counts, bits = (read_section(file.image(number), *everything) for number in (0, 1))
        check(counts, pixels, bits, mask)
