"""Integers that are packed by RICE, against the codec of imagecodecs."""

import imagecodecs
import numpy as np
import pytest

from lsbg_classifier.cutouts.rice_decoder import PADDING, coding_of, decode_row

TYPES = {1: np.uint8, 2: np.int16, 4: np.int32}


def some_numbers(rng, kind, limits):
    """Noise, noise with one large number, any numbers, one number, or a few large among zeros."""
    count = int(rng.integers(1, 400))
    anything = rng.uniform(limits.min, limits.max, count)
    numbers = rng.normal(0, 10 ** rng.uniform(-1, 2), count)
    if kind == "spike":
        numbers[rng.integers(count)] = 10 ** rng.uniform(0, 9) * rng.choice([-1, 1])
    elif kind == "any":
        numbers = anything
    elif kind == "constant":
        numbers[:] = 7
    elif kind == "sparse":
        numbers = np.where(rng.uniform(size=count) < 0.02, anything, 0)
    return np.clip(numbers, limits.min, limits.max).astype(limits.dtype)


def decoded(packed, coding, numbers):
    padded = np.append(packed, np.zeros(PADDING, np.uint8))
    return decode_row(padded, len(packed), coding, numbers)


@pytest.mark.parametrize("block", [32, 16])
@pytest.mark.parametrize("size", TYPES)
def test_numbers_come_back(size, block):
    """All, the first of them, and none where the row is cut off or is noise."""
    rng, coding = np.random.default_rng(size * block), coding_of(size, block)
    for kind in ("noise", "spike", "any", "constant", "sparse") * 12:
        numbers = some_numbers(rng, kind, np.iinfo(TYPES[size]))
        packed = np.frombuffer(imagecodecs.rcomp_encode(numbers, nblock=block), np.uint8)
        for count in (len(numbers), int(rng.integers(1, len(numbers) + 1))):
            back = np.empty(count, numbers.dtype)
            assert decoded(packed, coding, back)
            np.testing.assert_array_equal(back, numbers[:count])
        assert not decoded(packed[: rng.integers(len(packed))], coding, np.empty_like(numbers))
        noise = rng.integers(0, 256, 200).astype(np.uint8)
        assert not decoded(noise, coding, np.empty(10_000, numbers.dtype))
