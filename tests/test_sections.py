"""Sections of images on disk, against what astropy reads of the same files."""

from unittest.mock import Mock

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from lsbg_classifier.cutouts.rice import RiceImage
from lsbg_classifier.cutouts.sections import ImageFile, UnreadableImageError, read_section

ROWS, COLUMNS = slice(3, 40), slice(17, 150)
SHAPE = (60, 12_345)  # longer than the table of random numbers


def noise(dtype, scale=40.0):
    return (np.random.default_rng(3).normal(scale=scale, size=SHAPE)).astype(dtype)


def with_gaps():
    """A float image with exact zeros, NaN, a constant row, and a bright row."""
    image = noise(np.float32)
    image[5, 100:140] = 0
    image[6, 30:40] = np.nan
    image[7] = 0
    image[8] = 123.456
    image[9] *= 1e6
    return image


def with_equal_rows():
    """Rows of one value, which are gzipped, some of them alike, between rows that are not."""
    image = noise(np.float32)
    image[5:20], image[20:30], image[31:35] = 0.25, 0, 0.25
    return image


CASES = {
    "float, dithered": (with_gaps, {"quantize_method": 2, "dither_seed": 9_990}),
    "float, dithered otherwise": (with_gaps, {"quantize_method": 1, "dither_seed": 1}),
    "float, not dithered": (with_gaps, {"quantize_method": -1}),
    "float, positive": (lambda: abs(with_gaps()) + 50, {"quantize_method": 2, "dither_seed": 7}),
    "float, in runs of constant rows": (with_equal_rows, {}),
    "int16": (lambda: noise(np.int16), {}),
    "int32": (lambda: noise(np.int32, 1e6), {}),
    "uint8": (lambda: noise(np.uint8), {}),
}


def compare(path, extension=1, plane=None):
    """Within the rounding of float32, relative to the largest value of each row."""
    with ImageFile(path) as file, fits.open(path, memmap=False) as hdus:
        image = file.image(extension, plane)
        expected = hdus[extension].data if plane is None else hdus[extension].data[plane]
        for rows, columns in ((ROWS, COLUMNS), (slice(0, 60), slice(0, expected.shape[1]))):
            got, wanted = image.read(rows, columns), expected[rows, columns]
            largest = np.nanmax(abs(wanted.astype(float)), axis=1, keepdims=True)
            np.testing.assert_allclose(got / (largest + 1), wanted / (largest + 1), atol=2e-7)
    return image


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_rows_compressed_with_rice(tmp_path, case):
    image, options = CASES[case]
    path = tmp_path / "image.fits.fz"
    hdus = [fits.PrimaryHDU(), fits.CompImageHDU(image(), compression_type="RICE_1", **options)]
    fits.HDUList(hdus).writeto(path)
    assert isinstance(compare(path), RiceImage)
    with ImageFile(path) as file:
        pixels, signs = (
            np.array(file.image(1, only_signs=only).read(ROWS, COLUMNS)) for only in (False, True)
        )
    np.testing.assert_array_equal(signs, pixels > 0)
    assert signs.itemsize == 1


@pytest.fixture(scope="module")
def compressed(tmp_path_factory):
    path = tmp_path_factory.mktemp("rice") / "image.fits.fz"
    hdus = [fits.PrimaryHDU(), fits.CompImageHDU(noise(np.int32, 1e6), compression_type="RICE_1")]
    fits.HDUList(hdus).writeto(path)
    return path


ENDS = st.tuples(st.integers(0, SHAPE[0]), st.integers(0, SHAPE[0])).map(sorted)


@pytest.mark.slow
@given(st.lists(st.tuples(ENDS, st.sampled_from([COLUMNS, slice(0, 200)])), min_size=2))
@settings(max_examples=50, deadline=None)
def test_sections_one_after_the_other(compressed, sections):
    """Rows that one section shares with the one before it are not decoded again."""
    expected = noise(np.int32, 1e6)
    with ImageFile(compressed) as file:
        image = file.image(1)
        for (start, stop), columns in sections:
            got = read_section(image, slice(start, stop), columns)
            np.testing.assert_array_equal(got, expected[start:stop, columns])


@pytest.mark.slow
def test_section_after_a_damaged_one(compressed, monkeypatch):
    expected = noise(np.int32, 1e6)
    with ImageFile(compressed) as file:
        image = file.image(1)
        read_section(image, slice(0, 20), COLUMNS)
        with monkeypatch.context() as patch:
            patch.setattr(image, "_content", Mock(side_effect=ValueError("damaged")))
            with pytest.raises(UnreadableImageError, match="damaged"):
                read_section(image, slice(10, 30), COLUMNS)
        got = read_section(image, slice(10, 30), COLUMNS)
        np.testing.assert_array_equal(got, expected[10:30, COLUMNS])


@pytest.mark.parametrize(
    "options",
    [
        {"compression_type": "GZIP_1"},
        {"compression_type": "GZIP_2", "quantize_level": 0.0},
        {"compression_type": "RICE_1", "tile_shape": (20, 100)},
        {"compression_type": "HCOMPRESS_1", "tile_shape": (20, 100)},
    ],
)
def test_other_compressions_are_astropys(tmp_path, options):
    path = tmp_path / "image.fits.fz"
    hdus = [fits.PrimaryHDU(), fits.CompImageHDU(noise(np.float32)[:, :300], **options)]
    fits.HDUList(hdus).writeto(path)
    assert not isinstance(compare(path), RiceImage)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint16, np.uint8])
def test_uncompressed(tmp_path, dtype):
    path = tmp_path / "image.fits"
    image = abs(noise(np.float32)[:, :300]).astype(dtype)
    cube = np.array([image, image[::-1]])
    hdus = [fits.PrimaryHDU(image), fits.ImageHDU(image), fits.ImageHDU(cube)]
    fits.HDUList(hdus).writeto(path)
    compare(path, 0)
    compare(path, 1)
    compare(path, 2, plane=1)


def test_scaled_integers(tmp_path):
    path = tmp_path / "image.fits"
    hdu = fits.ImageHDU(noise(np.float32)[:, :300])
    hdu.scale("int16", bscale=0.1, bzero=5)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    compare(path)


def test_damaged_rows_are_an_error_of_their_own(tmp_path):
    path = tmp_path / "image.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(noise(np.float32))]).writeto(path)
    with fits.open(path, disable_image_compression=True) as hdus:
        start = hdus[1].fileinfo()["datLoc"]
    with open(path, "r+b") as file:
        file.seek(start + 4)
        file.write((1 << 30).to_bytes(4, "big"))  # where the bytes of the first row lie
    with ImageFile(path) as file, fits.open(path, memmap=False) as hdus:
        image = file.image(1)
        with pytest.raises(UnreadableImageError, match=r"row 0 is damaged .*beyond the end"):
            read_section(image, slice(0, 10), COLUMNS)
        rows = slice(1, 10)
        expected = hdus[1].section[rows, COLUMNS]
        np.testing.assert_allclose(read_section(image, rows, COLUMNS), expected, atol=1e-6)


@pytest.mark.parametrize("keyword", ["ZVAL1", "ZDITHER0", "ZBLANK"])
@pytest.mark.parametrize("value", ["x", 1.5, True, -(1 << 41)])
def test_numbers_of_a_compression_that_make_no_sense(tmp_path, keyword, value):
    """They are an error of their own, not one of the compiler, and no wrong pixels."""
    path = tmp_path / "image.fits.fz"
    hdu = fits.CompImageHDU(noise(np.float32), quantize_method=1, dither_seed=1)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    with fits.open(path, disable_image_compression=True, mode="update") as hdus:
        hdus[1].header[keyword] = value
    with ImageFile(path) as file, pytest.raises(UnreadableImageError, match=r"(BLOCKSIZE|Z.*) is "):
        file.image(1)


@pytest.mark.parametrize("compressed", [False, True])
def test_an_image_that_is_smaller_than_its_tile(tmp_path, compressed):
    path = tmp_path / "image.fits"
    make = fits.CompImageHDU if compressed else fits.ImageHDU
    fits.HDUList([fits.PrimaryHDU(), make(noise(np.float32)[:, :300])]).writeto(path)
    with ImageFile(path) as file:
        image = file.image(1)
        for rows, columns in ((slice(50, 61), slice(0, 10)), (slice(0, 10), slice(290, 301))):
            with pytest.raises(UnreadableImageError, match=r"smaller|only 300x60"):
                read_section(image, rows, columns)
