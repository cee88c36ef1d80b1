"""The sky viewer as a source, against a real server on loopback, kind and unkind."""

import io
import struct
import time

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image
from viewer import running_viewer

from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier import open_source


@pytest.fixture(scope="module")
def positions(survey):
    table = Table.read(survey.candidates)
    return np.stack([table["ALPHA_J2000"], table["DELTA_J2000"]], axis=1)[:45]


def source_at(viewer, **options):
    return open_source("legacysurvey:des-dr1", url=viewer.url, **options)


def test_same_cutout_as_from_the_tiles(survey, positions):
    with running_viewer(survey.tiles) as viewer:
        served, served_flags = source_at(viewer).fetch(positions)
    cut, cut_flags = open_source(f"tiles:{survey.tiles}").fetch(positions)
    both = (served_flags | cut_flags) == 0
    assert both.sum() > 0.6 * len(positions)
    difference = abs(served[both].astype(int) - cut[both].astype(int))
    assert np.median(difference) <= 2
    assert np.median(difference, axis=(1, 2, 3)).max() <= 3
    offset = served[both].astype(int) - cut[both].astype(int)
    assert abs(offset.mean()) < 0.5


def test_asks_for_what_the_network_was_trained_on(survey, positions):
    with running_viewer(survey.tiles) as viewer:
        source_at(viewer).fetch(positions[:1])
    assert viewer.requests == [
        f"/viewer/jpeg-cutout?ra={positions[0, 0]:.7f}&dec={positions[0, 1]:.7f}"
        "&layer=des-dr1&size=256&zoom=15"
    ]
    assert len(viewer.agents) == 1 and viewer.agents.pop().startswith("lsbg_classifier/")


def test_never_more_than_the_given_connections(survey, positions):
    with running_viewer(survey.tiles, lambda *_: ("delay", 0.05)) as viewer:
        source_at(viewer, connections=3).fetch(positions[:20])
    assert viewer.most_at_once == 3


def test_outside_the_footprint(survey, positions):
    with running_viewer(survey.tiles) as viewer:
        cutouts, flags = source_at(viewer).fetch(np.array([[200.0, 10.0], positions[0]]))
    assert flags[0] == Flag.NO_COVERAGE and not cutouts[0].any()
    assert not flags[1] & Flag.NO_COVERAGE


def test_passing_failures_are_tried_again(survey, positions):
    seen = {}

    def faults(number, path):
        seen[path] = seen.get(path, 0) + 1
        first = seen[path] == 1
        return [None, ("status", 503, {}), "truncate", "html"][number % 4] if first else None

    with running_viewer(survey.tiles) as viewer:
        clean, _ = source_at(viewer).fetch(positions[:12])
    with running_viewer(survey.tiles, faults) as viewer:
        cutouts, flags = source_at(viewer).fetch(positions[:12])
    assert (flags & (Flag.FETCH_FAILED | Flag.BAD_IMAGE) == 0).all()
    assert (cutouts == clean).all()
    assert len(viewer.requests) < 2.5 * 12


def test_waits_as_long_as_it_is_told(survey, positions):
    def faults(number, _):
        return ("status", 429, {"Retry-After": "1"}) if number == 1 else None

    with running_viewer(survey.tiles, faults) as viewer:
        start = time.monotonic()
        flags = source_at(viewer).fetch(positions[:1])[1]
    assert not flags[0] & Flag.FETCH_FAILED
    assert 1 <= time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("fault", "flag"),
    [
        ("html", Flag.BAD_IMAGE),
        ("truncate", Flag.BAD_IMAGE),
        (("status", 400, {}), Flag.FETCH_FAILED),
        (("status", 302, {"Location": "http://127.0.0.1:9/"}), Flag.FETCH_FAILED),
    ],
)
def test_one_bad_row_harms_no_other(survey, positions, fault, flag):
    bad = f"ra={positions[1, 0]:.7f}"
    with running_viewer(survey.tiles, lambda _, path: fault if bad in path else None) as viewer:
        cutouts, flags = source_at(viewer).fetch(positions[:3])
    assert flags[1] == flag and not cutouts[1].any()
    assert not (flags[[0, 2]] & (Flag.FETCH_FAILED | Flag.BAD_IMAGE)).any()


def huge_jpeg():
    """A small file whose header claims 60000x60000 pixels."""
    buffer = io.BytesIO()
    Image.new("RGB", (256, 256)).save(buffer, "JPEG")
    content = bytearray(buffer.getvalue())
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", 60000, 60000)
    return bytes(content)


def test_a_huge_image_is_not_decoded(survey, positions):
    with running_viewer(survey.tiles, lambda *_: ("body", huge_jpeg())) as viewer:
        start = time.monotonic()
        assert source_at(viewer).fetch(positions[:2])[1].tolist() == [Flag.BAD_IMAGE] * 2
    assert time.monotonic() - start < 5


def test_an_endless_answer_is_cut(survey, positions):
    with running_viewer(survey.tiles, lambda *_: ("body", b"\0" * (5 << 20))) as viewer:
        with pytest.raises(InputError, match="too large"):
            source_at(viewer).fetch(positions[:1])


def test_a_server_that_refuses_everything(survey, positions):
    with running_viewer(survey.tiles, lambda *_: ("status", 403, {})) as viewer:
        with pytest.raises(InputError, match=r"HTTP 403.*--resume") as caught:
            source_at(viewer).fetch(positions)
    assert "\n" not in str(caught.value)
    assert len(viewer.requests) < 40


def test_a_server_that_is_not_there(positions):
    with running_viewer() as viewer:
        pass
    start = time.monotonic()
    with pytest.raises(InputError, match=r"refused") as caught:
        open_source("legacysurvey:des-dr1", url=viewer.url).fetch(positions[:3])
    assert "\n" not in str(caught.value)
    assert time.monotonic() - start < 15


def test_a_slow_server_times_out(survey, positions):
    slow = f"ra={positions[1, 0]:.7f}"

    def faults(_, path):
        return ("delay", 4) if slow in path else None

    with running_viewer(survey.tiles, faults) as viewer:
        flags = source_at(viewer, timeout=2).fetch(positions[:2])[1]
    assert flags[1] == Flag.FETCH_FAILED


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "127.0.0.1:80", "file:///etc/passwd"])
def test_other_addresses_are_refused(url):
    with pytest.raises(InputError, match="not an http address"):
        open_source("legacysurvey:des-dr1", url=url)


def test_layers_and_options():
    assert open_source("legacysurvey:des-dr1").imaging.survey == "des"
    assert open_source("legacysurvey:hsc2").imaging.pixel_scale == pytest.approx(0.336)
    assert open_source("legacysurvey:unwise-neo7").imaging.survey == "unwise-neo7"
    with pytest.raises(InputError, match="bands"):
        open_source("legacysurvey:des-dr1", bands="grz")
    with pytest.raises(InputError, match="unknown cutout source 'nowhere:x'"):
        open_source("nowhere:x")
