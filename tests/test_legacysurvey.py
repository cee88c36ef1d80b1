"""The sky viewer as a source, against a real server on loopback, kind and unkind."""

import io
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image
from viewer import Viewer, blobs, write_tile

from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier import http, open_source
from lsbg_classifier.cutouts.decode import decode_image

CENTRE = np.array([0.35, 2.15])


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    return write_tile(tmp_path_factory.mktemp("tiles"), blobs())


@pytest.fixture(scope="module")
def positions():
    """30 positions well inside the tile."""
    return CENTRE + np.random.default_rng(5).uniform(-50, 50, (30, 2)) / 3600


@pytest.fixture
def source_at():
    """Open a source on a server, and close it after the test."""
    opened = []

    def open_at(viewer, layer="des-dr1", **options):
        opened.append(open_source(f"legacysurvey:{layer}", url=viewer.url, **options))
        return opened[-1]

    yield open_at
    for source in opened:
        source.close()


def at(position):
    """How a request names a position."""
    return f"ra={position[0]:.7f}&dec={position[1]:.7f}"


@pytest.mark.slow
def test_same_cutout_as_from_the_tiles(tiles, positions, source_at):
    with Viewer(tiles) as viewer:
        served, flags = source_at(viewer).fetch(positions[:16])
    cut, cut_flags = open_source(f"tiles:{tiles}", jpeg=True).fetch(positions[:16])
    assert not flags.any() and not cut_flags.any()
    difference = served.astype(int) - cut
    assert abs(difference).max() <= 12 and np.median(abs(difference)) == 0
    assert abs(difference.mean()) < 0.05


@pytest.mark.slow
def test_north_is_up_and_east_is_left(tmp_path, source_at):
    """One source 8 arcsec north and 4 arcsec east of the position, in r only."""
    images = blobs(spots=0)
    y, x = np.mgrid[:600, :600]
    spot = np.exp(-((x - 299.5 + 4 / 0.263) ** 2 + (y - 299.5 - 8 / 0.263) ** 2) / 18)
    images["r"] += 0.05 * spot
    with Viewer(write_tile(tmp_path, images, compress=True)) as viewer:
        (cutout,), _ = source_at(viewer).fetch(CENTRE[None])
    row, column = np.unravel_index(cutout[..., 1].argmax(), (64, 64))
    assert abs(row - (31.5 - 8 / 0.524)) < 1.5 and abs(column - (31.5 - 4 / 0.524)) < 1.5
    assert cutout[row, column].argmax() == 1


@pytest.mark.slow
def test_asks_for_what_the_network_was_trained_on(tiles, positions, source_at):
    with Viewer(tiles) as viewer:
        source_at(viewer).fetch(positions[:1])
    assert viewer.requests == [
        f"/viewer/jpeg-cutout?ra={positions[0, 0]:.7f}&dec={positions[0, 1]:.7f}"
        "&layer=des-dr1&size=256&zoom=15"
    ]
    assert len(viewer.agents) == 1 and viewer.agents.pop().startswith("lsbg_classifier/")


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 4])
def test_never_more_than_the_given_connections(tiles, positions, source_at, threads):
    with Viewer(tiles, lambda *_: ("delay", 0.05)) as viewer:
        source = source_at(viewer, connections=3)
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(source.fetch, np.array_split(positions[:16], threads)))
        assert viewer.most_at_once == 3
        assert len(viewer.requests) == 16 and len(viewer.ports) <= 3
        alone = source.fetch(positions[:16])[0]
    assert (np.concatenate([cutouts for cutouts, _ in parts]) == alone).all()


@pytest.mark.slow
def test_a_band_that_ends_or_is_missing(tmp_path, source_at):
    images = blobs(seed=2)
    images["r"][:, :300] = 0
    images["z"][:200] = 0
    with Viewer(write_tile(tmp_path, images)) as viewer:
        places = CENTRE + np.array([[0, 0], [30, 0], [30, -55], [-30, 40]]) / 3600
        flags = source_at(viewer).fetch(places)[1]
    none, part, missing = Flag(0), Flag.PARTIAL_COVERAGE, Flag.MISSING_BAND
    assert flags.tolist() == [part, missing, missing, none]


def test_outside_the_footprint(tiles, positions, source_at):
    with Viewer(tiles) as viewer:
        cutouts, flags = source_at(viewer).fetch(np.array([[200.0, 10.0], positions[0]]))
    assert flags.tolist() == [Flag.NO_COVERAGE, 0]
    assert not cutouts[0].any() and cutouts[1].any()


@pytest.mark.slow
def test_passing_failures_are_tried_again(tiles, positions, source_at):
    seen = {}

    def faults(number, path):
        seen[path] = seen.get(path, 0) + 1
        first = seen[path] == 1
        return ["break", ("status", 503, {}), "truncate", "html"][number % 4] if first else None

    with Viewer(tiles) as viewer:
        clean, _ = source_at(viewer).fetch(positions[:8])
    with Viewer(tiles, faults) as viewer:
        cutouts, flags = source_at(viewer).fetch(positions[:8])
    assert not flags.any()
    assert (cutouts == clean).all()
    assert 8 < len(viewer.requests) <= 16


@pytest.mark.slow
def test_waits_as_long_as_it_is_told(tiles, positions, source_at):
    def faults(number, _):
        return ("status", 429, {"Retry-After": "1"}) if number == 1 else None

    with Viewer(tiles, faults) as viewer:
        start = time.monotonic()
        flags = source_at(viewer).fetch(positions[:1])[1]
    assert flags.tolist() == [0]
    assert 1 <= time.monotonic() - start < 5


@pytest.mark.slow
@pytest.mark.parametrize("hostile", ["86400", "9" * 5000, "soon", "-5"])
def test_but_not_for_ever(tiles, positions, source_at, hostile, monkeypatch):
    monkeypatch.setattr(http, "_LONGEST_WAIT", 0.2)

    def faults(number, _):
        return ("status", 503, {"Retry-After": hostile}) if number == 1 else None

    with Viewer(tiles, faults) as viewer:
        start = time.monotonic()
        assert source_at(viewer).fetch(positions[:1])[1].tolist() == [0]
    assert time.monotonic() - start < 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "flag"),
    [
        ("html", Flag.BAD_IMAGE),
        ("truncate", Flag.BAD_IMAGE),
        ("break", Flag.FETCH_FAILED),
        ("hang", Flag.FETCH_FAILED),
        (("drip", 1000), Flag.FETCH_FAILED),
        (("body", b""), Flag.BAD_IMAGE),
        (("status", 400, {}), Flag.FETCH_FAILED),
        (("status", 404, {}), Flag.FETCH_FAILED),
        (("status", 302, {"Location": "http://127.0.0.1:9/"}), Flag.FETCH_FAILED),
        (("status", 302, {"Location": "http://["}), Flag.FETCH_FAILED),
        (("status", 302, {"Location": "/viewer/jpeg-cutout?"}), Flag.FETCH_FAILED),
    ],
    ids=str,
)
def test_one_bad_row_harms_no_other(tiles, positions, source_at, fault, flag):
    bad = at(positions[1])
    start = time.monotonic()
    with Viewer(tiles, lambda _, path: fault if bad in path else None) as viewer:
        cutouts, flags = source_at(viewer, timeout=1).fetch(positions[:3])
    assert flags.tolist() == [0, flag, 0]
    assert cutouts[[0, 2]].any(axis=(1, 2, 3)).all() and not cutouts[1].any()
    assert time.monotonic() - start < 10


def test_redirects_on_the_same_host_are_followed(tiles, positions, source_at):
    def faults(_, path):
        moved = path.replace("/old/", "/viewer/")
        return ("status", 301, {"Location": moved}) if "/old/" in path else None

    with Viewer(tiles, faults) as viewer:
        viewer.url = viewer.url.replace("/viewer", "/old")
        assert source_at(viewer).fetch(positions[:1])[1].tolist() == [0]


def test_bytes_that_are_no_image():
    """Whatever comes, it is a ValueError or an image."""
    rng = np.random.default_rng(9)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (256, 256, 3), np.uint8)).save(buffer, "JPEG")
    for _ in range(300):
        content = bytearray(buffer.getvalue())
        content[rng.integers(2, 700)] = rng.integers(256)
        content = content[: rng.integers(2, len(content))]
        try:
            assert decode_image(bytes(content)).shape == (256, 256, 3)
        except ValueError:
            pass


def huge_jpeg():
    """A small file whose header claims 60000x60000 pixels."""
    buffer = io.BytesIO()
    Image.new("RGB", (256, 256)).save(buffer, "JPEG")
    content = bytearray(buffer.getvalue())
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", 60000, 60000)
    return bytes(content)


def test_a_huge_image_is_not_decoded(tiles, positions, source_at):
    with Viewer(tiles, lambda *_: ("body", huge_jpeg())) as viewer:
        start = time.monotonic()
        assert source_at(viewer).fetch(positions[:2])[1].tolist() == [Flag.BAD_IMAGE] * 2
    assert time.monotonic() - start < 5


def test_an_endless_answer_is_cut(tiles, positions, source_at):
    with Viewer(tiles, lambda *_: ("body", b"\0" * (5 << 20))) as viewer:
        with pytest.raises(InputError, match="too large"):
            source_at(viewer).fetch(positions[:1])


@pytest.mark.parametrize("count", [3, 30])
def test_a_server_that_refuses_everything(tiles, positions, source_at, count):
    with Viewer(tiles, lambda *_: ("status", 403, {})) as viewer:
        with pytest.raises(InputError, match=r"viewer: .*HTTP 403.*--resume") as caught:
            source_at(viewer).fetch(positions[:count])
    assert "\n" not in str(caught.value)
    assert len(viewer.requests) < 30


def test_a_server_that_sends_no_images(tiles, positions, source_at):
    with Viewer(tiles, lambda *_: "html") as viewer:
        source = source_at(viewer)
        assert source.fetch(positions[:3])[1].tolist() == [Flag.BAD_IMAGE] * 3
        with pytest.raises(InputError, match="no readable images"):
            source.fetch(positions)


@pytest.mark.slow
def test_a_server_that_goes_and_comes_back(tiles, positions, source_at):
    """What came before a break stays; the same source works when the server is back."""
    gone = [False]
    with Viewer(tiles, lambda *_: ("status", 403, {}) if gone[0] else None) as viewer:
        source = source_at(viewer)
        assert not source.fetch(positions[:4])[1].any()
        gone[0] = True
        assert source.fetch(positions[:4])[1].tolist() == [Flag.FETCH_FAILED] * 4
        with pytest.raises(InputError, match=r"2\d cutouts in a row"):
            source.fetch(positions)
        gone[0] = False
        assert not source.fetch(positions[:22])[1].any()


@pytest.mark.slow
def test_a_server_that_is_not_there(positions, source_at):
    with Viewer() as viewer:
        pass
    start = time.monotonic()
    with pytest.raises(InputError, match="refused") as caught:
        source_at(viewer).fetch(positions)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - start < 10


def test_no_positions(source_at):
    with Viewer() as viewer:
        cutouts, flags = source_at(viewer).fetch(np.empty((0, 2)))
    assert cutouts.shape == (0, 64, 64, 3) and flags.shape == (0,)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "127.0.0.1:80", "file:///etc/passwd"])
def test_other_addresses_are_refused(url):
    with pytest.raises(InputError, match="not an http address"):
        open_source("legacysurvey:des-dr1", url=url)


def test_layers_and_options():
    assert open_source("legacysurvey:des-dr1").imaging.survey == "des"
    assert open_source("legacysurvey:hsc2").imaging.pixel_scale == pytest.approx(0.336)
    assert open_source("legacysurvey:ls-dr10-grz").imaging.survey == "decals"
    assert open_source("legacysurvey:unwise-neo7").imaging.survey == "unwise-neo7"
    with pytest.raises(InputError, match=r"bands.*connections, survey, timeout, url"):
        open_source("legacysurvey:des-dr1", bands="grz")
    for wrong in ({"connections": 0}, {"timeout": 0}):
        with pytest.raises(InputError, match="at least 1"):
            open_source("legacysurvey:des-dr1", **wrong)
    with pytest.raises(InputError, match="unknown cutout source 'nowhere:x'"):
        open_source("nowhere:x")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("survey", "name", "asked", "scale"),
    [
        ("mine.toml", "mine", "pixscale=0.1", 0.4),
        ("hsc", "hsc", "pixscale=0.084", 0.336),
        ("des", "des", "pixscale=0.131", 0.524),
        ("of_the_layer.toml", "other", "zoom=15", 0.524),
    ],
)
def test_a_layer_shows_the_survey_that_is_named(
    tiles, positions, source_at, tmp_path, monkeypatch, survey, name, asked, scale
):
    """Its name, bands and scale; what is asked for is what the imaging says."""
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text('name = "mine"\npixel_scale = 0.2\nzero_point = 27\n')
    Path("of_the_layer.toml").write_text(
        'name = "other"\npixel_scale = 0.262\nzero_point = 27\nlayer = "new-layer"\n'
    )
    with Viewer(tiles) as viewer:
        source = source_at(viewer, "new-layer", survey=survey)
        assert (source.fetch(positions[:2])[1] == 0).all()
    assert source.imaging.survey == name
    assert source.imaging.bands == ("g", "r", "z")
    assert source.imaging.pixel_scale == pytest.approx(scale)
    assert all(f"&layer=new-layer&size=256&{asked}" in request for request in viewer.requests)


@pytest.mark.parametrize(
    ("survey", "said"),
    [("sdss", "unknown survey 'sdss'"), ("nothing.toml", "nothing.toml: not the description")],
)
def test_a_survey_that_there_is_not(survey, said):
    with pytest.raises(InputError, match=said):
        open_source("legacysurvey:des-dr1", survey=survey)


def test_the_viewer_of_these_tests_is_like_the_real_one(tiles):
    where = {"ra": CENTRE[0], "dec": CENTRE[1]}
    with Viewer(tiles) as viewer:
        refused = requests.get(f"{viewer.url}/jpeg-cutout", {"ra": 1}, timeout=10)
        wide = requests.get(
            f"{viewer.url}/jpeg-cutout", {**where, "width": 90, "height": 60}, timeout=10
        )
        cube = requests.get(
            f"{viewer.url}/fits-cutout", {**where, "size": 50, "bands": "gz"}, timeout=10
        )
    assert (refused.status_code, refused.text) == (400, "Need ra,dec keywords")
    assert Image.open(io.BytesIO(wide.content)).size == (90, 60)
    with fits.open(io.BytesIO(cube.content)) as hdus:
        assert hdus[0].shape == (2, 50, 50) and hdus[0].data.any()
        assert [hdus[0].header[key] for key in ("BANDS", "BAND0", "BAND1")] == ["gz", "g", "z"]
        scales = WCS(hdus[0].header).celestial.proj_plane_pixel_scales()
    assert scales[0].to_value("arcsec") == pytest.approx(0.262)
