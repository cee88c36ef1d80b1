"""A HiPS as a source, through astroquery, against a hips2fits service on loopback."""

import gzip
import re
import time

import numpy as np
import pytest
from viewer import Viewer, blobs, fits_file, write_tile

from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier import open_source

CENTRE = np.array([0.35, 2.15])
BANDS = "hips:CDS/P/DES-DR2/{band}"
COLOURS = "hips:CDS/P/DES-DR2/ColorIRG"
BOTH = pytest.mark.parametrize("spec", [BANDS, COLOURS])


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """A tile where r ends in the west and z in the south."""
    images = blobs(seed=3)
    images["r"][:, 450:] = 0
    images["z"][:150] = 0
    return write_tile(tmp_path_factory.mktemp("tiles"), images)


@pytest.fixture(scope="module")
def positions():
    """Six positions whose cutouts are whole."""
    return CENTRE + np.random.default_rng(5).uniform(-15, 15, (6, 2)) / 3600


@pytest.fixture
def source_at():
    """Open a source on a server, and close it after the test."""
    opened = []

    def open_at(viewer, spec=BANDS, **options):
        opened.append(open_source(spec, url=viewer.hips_url, **options))
        return opened[-1]

    yield open_at
    for source in opened:
        source.close()


@pytest.mark.slow
def test_three_bands_give_the_cutouts_of_the_tiles(tiles, positions, source_at):
    local = open_source(f"tiles:{tiles}", finely=True)  # as a HiPS is sampled
    cut, cut_flags = local.fetch(positions)
    with Viewer(tiles) as viewer:
        source = source_at(viewer)
        served, flags = source.fetch(positions)
    assert source.imaging == local.imaging
    assert not flags.any() and not cut_flags.any()
    assert abs(served.astype(int) - cut).max() <= 1


@pytest.mark.slow
def test_north_is_up_and_east_is_left(tmp_path, source_at):
    """One source 8 arcsec north and 4 arcsec east of the position, in r only."""
    images = blobs(spots=0)
    y, x = np.mgrid[:600, :600]
    spot = np.exp(-((x - 299.5 + 4 / 0.263) ** 2 + (y - 299.5 - 8 / 0.263) ** 2) / 18)
    images["r"] += 0.05 * spot
    with Viewer(write_tile(tmp_path, images)) as viewer:
        for spec in (BANDS, COLOURS):
            (cutout,), _ = source_at(viewer, spec).fetch(CENTRE[None])
            row, column = np.unravel_index(cutout[..., 1].argmax(), (64, 64))
            assert abs(row - (31.5 - 8 / 0.524)) < 1.5
            assert abs(column - (31.5 - 4 / 0.524)) < 1.5


@pytest.mark.slow
def test_bands_that_end_or_are_missing(tiles, source_at):
    places = CENTRE + np.array([[-40, 0], [-62, 0], [0, -40], [0, 10]]) / 3600
    with Viewer(tiles) as viewer:
        cutouts, flags = source_at(viewer).fetch(np.concatenate([places, [[10.0, 10.0]]]))
    part, missing = Flag.PARTIAL_COVERAGE, Flag.MISSING_BAND
    assert flags.tolist() == [part, missing, part, 0, Flag.NO_COVERAGE]
    assert not cutouts[[1, 4]].any()


@pytest.mark.slow
def test_a_colour_hips_has_its_own_stretch(tiles, positions, source_at):
    with Viewer(tiles) as viewer:
        source = source_at(viewer, COLOURS)
        cutouts, flags = source.fetch(np.concatenate([positions[:2], [[10.0, 10.0]]]))
    assert flags.tolist() == [0, 0, Flag.NO_COVERAGE]
    assert cutouts[:2].any() and not cutouts[2].any()
    differences = source.imaging.differences(open_source("legacysurvey:des-dr1").imaging)
    assert [text.split()[0] for text in differences] == ["bands", "stretch"]
    assert source.imaging.bands == ("g", "r", "i")


def test_asks_in_the_services_own_words(tiles, positions, source_at):
    with Viewer(tiles) as viewer:
        source_at(viewer, COLOURS).fetch(positions[:1])
    (request,) = viewer.requests
    for word in (
        "hips=CDS%2FP%2FDES-DR2%2FColorIRG",
        "width=256&height=256",
        "projection=TAN",
        "coordsys=icrs",
        "format=jpg",
    ):
        assert word in request
    assert float(re.search("fov=([0-9.]+)", request)[1]) == pytest.approx(33.536 / 3600)
    assert viewer.agents.pop().startswith("lsbg_classifier/")


@pytest.mark.slow
def test_never_more_than_the_given_connections(tiles, positions, source_at):
    with Viewer(tiles, lambda *_: ("delay", 0.05)) as viewer:
        assert not source_at(viewer, connections=3).fetch(positions)[1].any()
    assert viewer.most_at_once == 3
    assert len(viewer.requests) == 3 * len(positions) and len(viewer.ports) <= 3


@pytest.mark.slow
@BOTH
def test_passing_failures_are_tried_again(tiles, positions, source_at, spec):
    seen = set()

    def faults(number, path):
        if path in seen:
            return None
        seen.add(path)
        return ["break", ("status", 503, {}), "truncate", "html"][number % 4]

    with Viewer(tiles) as viewer:
        clean, _ = source_at(viewer, spec).fetch(positions[:4])
    with Viewer(tiles, faults) as viewer:
        cutouts, flags = source_at(viewer, spec).fetch(positions[:4])
    assert not flags.any() and (cutouts == clean).all()


@pytest.mark.long
@BOTH
@pytest.mark.parametrize(
    ("fault", "flag"),
    [
        ("html", Flag.BAD_IMAGE),
        ("truncate", Flag.BAD_IMAGE),
        (("status", 404, {}), Flag.FETCH_FAILED),
        (("status", 302, {"Location": "http://127.0.0.1:9/"}), Flag.FETCH_FAILED),
        (("body", fits_file(np.zeros((8, 8)))), Flag.BAD_IMAGE),
        (("body", b"SIMPLE  =  nonsense".ljust(2880)), Flag.BAD_IMAGE),
        (("body", gzip.compress(bytes(1 << 24))), Flag.BAD_IMAGE),
        (("drip", 1000), Flag.FETCH_FAILED),
    ],
    ids=[*"abcdefgh"],
)
def test_one_bad_row_harms_no_other(tiles, positions, source_at, spec, fault, flag):
    bad = f"ra={positions[1, 0]}"
    with Viewer(tiles, lambda _, path: fault if bad in path else None) as viewer:
        cutouts, flags = source_at(viewer, spec, timeout=1).fetch(positions[:3])
    assert flags.tolist() == [0, flag, 0]
    assert not cutouts[1].any()


@pytest.mark.slow
@BOTH
def test_a_server_that_refuses_everything(tiles, positions, source_at, spec):
    with Viewer(tiles, lambda *_: ("status", 403, {})) as viewer:
        with pytest.raises(InputError, match="HTTP 403"):
            source_at(viewer, spec).fetch(positions)
    start = time.monotonic()
    with pytest.raises(InputError, match="refused"):
        source_at(viewer, spec).fetch(positions)
    assert time.monotonic() - start < 10


def test_survey_must_be_known():
    with pytest.raises(InputError, match="--survey"):
        open_source("hips:CDS/P/2MASS/color")
    other = open_source("hips:CDS/P/2MASS/color", survey="des").imaging
    assert other.survey == "des" and other.bands == ("?", "?", "?")
    assert open_source("hips:CDS/P/HSC/{band}").imaging.pixel_scale == pytest.approx(0.336)
    assert open_source("hips:CDS/P/DECaLS/DR5/color").imaging.survey == "decals"


def test_options_that_make_no_sense():
    for wrong, told in (
        ({"bands": "grz"}, "bands; choose from"),
        ({"survey": "sdss"}, "unknown survey"),
        ({"url": "ftp://x"}, "http"),
        ({"connections": 0}, "at least 1"),
    ):
        with pytest.raises(InputError, match=told):
            open_source(COLOURS, **wrong)
