"""Reasons are logged once, counted exactly, and take a bounded room."""

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from catalogs.flags import Flag
from lsbg_classifier import reasons
from lsbg_classifier.reasons import Reason, give_reason, take_reasons


@pytest.fixture(autouse=True)
def a_new_process(monkeypatch):
    take_reasons()
    monkeypatch.setattr(reasons, "_logged", set())
    yield
    take_reasons()


def test_logged_once_and_counted_until_taken(caplog):
    with caplog.at_level(logging.WARNING, logger="lsbg_classifier"):
        for count in (3, 4):
            give_reason(Flag.BAD_IMAGE, "tile_r.fits", "row 1500\n is damaged", count)
    expected = Reason(Flag.BAD_IMAGE, "tile_r.fits", "row 1500 is damaged")
    assert caplog.messages == ["tile_r.fits: row 1500 is damaged (BAD_IMAGE)"]
    assert take_reasons() == {expected: 7}
    assert take_reasons() == {}


@pytest.mark.slow
def test_counts_are_exact_from_many_threads():
    with ThreadPoolExecutor(8) as pool:
        for number in range(4000):
            pool.submit(give_reason, Flag.FETCH_FAILED, f"tile {number % 4}", "gone")
    assert sorted(take_reasons().values()) == [1000] * 4


def test_memory_is_bounded_for_those_who_never_take_them(monkeypatch):
    """One reason a position, as a hostile server may give; all are counted."""
    monkeypatch.setattr(reasons, "_MOST_KNOWN", 50)
    for number in range(1000):
        flag = Flag.FETCH_FAILED if number % 2 else Flag.BAD_IMAGE
        give_reason(flag, "http://host", f"error {number}", 2)
    assert len(reasons._logged) <= 52
    counts = take_reasons()
    assert len(counts) <= 52 and sum(counts.values()) == 2000
    others = [reason for reason in counts if "too many to list" in reason.what]
    assert {reason.flag for reason in others} == {Flag.FETCH_FAILED, Flag.BAD_IMAGE}
    assert counts[others[0]] > 500
