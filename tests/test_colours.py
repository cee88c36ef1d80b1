"""The viewer's colours, against the formula spelled out for one pixel at a time."""

import io
from math import asinh, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lsbg_classifier.cutouts.colours import (
    colours_of_fluxes,
    compress,
    scaled_fluxes_of_colours,
    shrink,
)
from lsbg_classifier.surveys import SURVEYS

DES = (6.0, 3.4, 2.2)
fluxes_of_a_pixel = st.tuples(*[st.floats(-0.5, 100, width=32)] * 3)


def one_pixel(fluxes, scales):
    """RGB as floats before rounding down, for one pixel of g, r, z."""
    offset = [scale * flux + 0.03 for scale, flux in zip(scales, fluxes, strict=True)]
    intensity = max(sum(max(0, x) for x in offset) / 3, 1e-6)
    factor = asinh(20 * intensity) / sqrt(20) / intensity
    return [255 * min(max(x * factor, 0), 1) for x in reversed(offset)]


@given(fluxes_of_a_pixel, st.sampled_from(["des", "hsc"]))
def test_follows_the_formula(fluxes, survey):
    scales = SURVEYS[survey].colour_scales["g", "r", "z"]
    image = colours_of_fluxes(np.array(fluxes, np.float32).reshape(3, 1, 1), scales)
    assert image.shape == (1, 1, 3) and image.dtype == np.uint8
    assert np.all(abs(image[0, 0] + 0.5 - one_pixel(fluxes, scales)) <= 0.51)


def test_the_bluest_band_is_blue():
    for band, channel in ((0, 2), (1, 1), (2, 0)):
        fluxes = np.zeros((3, 4, 6), np.float32)
        fluxes[band, 1, 2] = 1
        image = colours_of_fluxes(fluxes, DES)
        assert image[1, 2].argmax() == channel
        image[1, 2] = 32
        assert (image == 32).all()


def test_leaves_the_fluxes_alone():
    fluxes = np.random.default_rng(0).normal(size=(3, 8, 8)).astype(np.float32)
    before = fluxes.copy()
    colours_of_fluxes(fluxes, DES)
    assert (fluxes == before).all()


@pytest.mark.parametrize("survey", SURVEYS)
def test_hsc_is_five_times_des(survey):
    for bands, des in (("grz", DES), ("gri", (9.0, 5.1, 4.5))):
        factor = 5 if survey == "hsc" else 1
        assert SURVEYS[survey].colour_scales[tuple(bands)] == pytest.approx(
            [factor * scale for scale in des]
        )


@given(st.tuples(*[st.floats(0, 0.625, width=32)] * 3))
def test_inverse(scaled):
    """Eight bits leave a count in each channel: relative to the stretch, a few per cent."""
    fluxes = (np.array(scaled) / DES).astype(np.float32).reshape(3, 1, 1)
    image = colours_of_fluxes(fluxes, DES)
    if image.max() < 255:
        back = scaled_fluxes_of_colours(image)[0, 0, ::-1]
        assert back == pytest.approx(scaled, abs=0.002 + 0.03 * max(scaled))


def test_inverse_of_no_flux():
    dark = np.full((2, 2, 3), 32, np.uint8)
    assert abs(scaled_fluxes_of_colours(dark)).max() < 1e-3


def test_an_endless_flux_stays_in_its_pixel():
    fluxes = np.full((3, 2, 2), 0.01, np.float32)
    clean = colours_of_fluxes(fluxes, DES)
    fluxes[:, 0, 0] = 1e30
    assert (colours_of_fluxes(fluxes, DES)[1] == clean[1]).all()
    assert (colours_of_fluxes(fluxes, DES)[0, 0] == 255).all()


def test_compress_is_quality_90_with_halved_chroma():
    image = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=90, subsampling=2)
    assert (compress(image) == np.asarray(Image.open(buffer))).all()
    assert (compress(image) != image).any()


def test_shrink_keeps_places_and_means():
    image = np.zeros((256, 256, 3), np.uint8)
    image[:64, 64:128, 0] = 200
    small = shrink(image)
    assert small.shape == (64, 64, 3)
    assert (small[2:14, 18:30, 0] == 200).all()
    assert not small[20:].any() and not small[..., 1:].any()
    assert small.mean() == pytest.approx(image.mean(), abs=0.2)


def test_shrink_is_pillows_bicubic():
    image = np.random.default_rng(2).integers(0, 255, (256, 256, 3), np.uint8)
    pillow = np.asarray(Image.fromarray(image).resize((64, 64), resample=Image.BICUBIC))
    assert (shrink(image) == pillow).all()
