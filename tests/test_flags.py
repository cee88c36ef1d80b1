"""One registry of flags: bits that fit the column, words for each, and whether it is scored."""

import re
from pathlib import Path

import numpy as np
import pytest

from catalogs.flags import NOT_SCORED, Flag
from pipeline.describe import describe_flags


def test_each_flag_is_one_bit_of_an_int16():
    bits = [int(flag) for flag in Flag]
    assert len(set(bits)) == len(bits)
    assert all(bit > 0 and bit.bit_count() == 1 for bit in bits)
    assert sum(bits) <= np.iinfo(np.int16).max


def test_what_is_in_catalogs_already_keeps_its_meaning():
    known = {flag.name: (int(flag), flag.scored) for flag in Flag}
    assert (
        known.items()
        >= {
            "NO_POSITION": (1, False),
            "NO_COVERAGE": (2, False),
            "PARTIAL_COVERAGE": (4, True),
            "MISSING_BAND": (8, False),
            "MASKED_PIXELS": (16, True),
            "FETCH_FAILED": (32, False),
            "BAD_IMAGE": (64, False),
            "UNLIKE_TRAINING": (128, True),
            "NOT_SELECTED": (256, False),
        }.items()
    )


@pytest.mark.parametrize("flag", Flag)
def test_each_flag_is_described_in_one_line(flag):
    assert 10 < len(flag.description) < 100 and flag.description.isprintable()
    (line,) = describe_flags(int(flag))
    number, name, *_ = line.split()
    assert (number, name) == (str(int(flag)), flag.name)
    assert flag.description in line
    assert ("not scored" in line) is not flag.scored


def test_not_scored_is_what_takes_the_probability_away():
    assert {flag for flag in Flag if flag & NOT_SCORED} == {f for f in Flag if not f.scored}


def test_arrays_of_flags_stay_int16():
    flags = np.zeros(3, np.int16)
    flags[1] |= Flag.NO_COVERAGE
    flags[2] |= Flag.PARTIAL_COVERAGE | Flag.MASKED_PIXELS
    assert flags.dtype == np.int16 and flags.tolist() == [0, 2, 20]
    assert ((flags & NOT_SCORED) != 0).tolist() == [False, True, False]


def test_a_value_is_taken_apart():
    names = [line.split()[1] for line in describe_flags(1 + 4 + 64)]
    assert names == ["NO_POSITION", "PARTIAL_COVERAGE", "BAD_IMAGE"]


def test_all_flags_and_none():
    assert len(describe_flags()) == len(Flag)
    assert describe_flags(0) == ["0: scored, nothing to say"]


def test_the_documentation_says_what_to_do_about_each_flag():
    page = (Path(__file__).parents[1] / "docs/howto/flags.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\w+)\n\n\*(.+?)\*", page, re.MULTILINE))
    assert sections == {
        flag.name: f"{int(flag)}: {'scored' if flag.scored else 'not scored'}." for flag in Flag
    }
