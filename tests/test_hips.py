"""A HiPS as a source, through astroquery, against a hips2fits service on loopback."""

import numpy as np
import pytest
from astropy.table import Table
from viewer import running_viewer

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from lsbg_classifier import open_source


@pytest.fixture(scope="module")
def positions(survey):
    table = Table.read(survey.candidates)
    return np.stack([table["ALPHA_J2000"], table["DELTA_J2000"]], axis=1)[:8]


def test_three_bands_give_the_cutouts_of_the_tiles(survey, positions):
    cut, cut_flags = open_source(f"tiles:{survey.tiles}").fetch(positions)
    with running_viewer(survey.tiles) as viewer:
        source = open_source("hips:CDS/P/DES-DR2/{band}", url=viewer.hips_url)
        served, flags = source.fetch(positions)
    assert source.imaging == open_source(f"tiles:{survey.tiles}").imaging
    assert (flags & NOT_SCORED == cut_flags & NOT_SCORED).all()
    clean = cut_flags == 0
    assert clean.any()
    assert abs(served[clean].astype(int) - cut[clean].astype(int)).max() <= 1


def test_a_colour_hips_has_its_own_stretch(survey, positions):
    with running_viewer(survey.tiles) as viewer:
        source = open_source("hips:CDS/P/DES-DR2/ColorIRG", url=viewer.hips_url)
        cutouts, flags = source.fetch(positions)
        outside = source.fetch(np.array([[10.0, 10.0]]))[1]
    assert source.imaging.survey == "des"
    assert source.imaging.stretch == "CDS/P/DES-DR2/ColorIRG"
    assert (flags == 0).all() and cutouts.any()
    assert outside.tolist() == [Flag.NO_COVERAGE]


def test_asks_in_the_services_own_words(survey, positions):
    with running_viewer(survey.tiles) as viewer:
        open_source("hips:CDS/P/DES-DR2/ColorIRG", url=viewer.hips_url).fetch(positions[:1])
    (request,) = viewer.requests
    for word in ("hips=CDS%2FP%2FDES-DR2%2FColorIRG", "width=256", "projection=TAN", "format=jpg"):
        assert word in request
    assert viewer.agents.pop().startswith("lsbg_classifier/")


def test_failures(survey, positions):
    with running_viewer(survey.tiles, lambda *_: ("status", 404, {})) as viewer:
        with pytest.raises(InputError, match="HTTP 404"):
            open_source("hips:CDS/P/DES-DR2/{band}", url=viewer.hips_url).fetch(positions)
    with running_viewer(survey.tiles, lambda *_: "html") as viewer:
        for hips in ("CDS/P/DES-DR2/{band}", "CDS/P/DES-DR2/ColorIRG"):
            flags = open_source(f"hips:{hips}", url=viewer.hips_url).fetch(positions[:2])[1]
            assert flags.tolist() == [Flag.BAD_IMAGE] * 2


def test_survey_must_be_known():
    with pytest.raises(InputError, match="--survey"):
        open_source("hips:CDS/P/2MASS/color")
    assert open_source("hips:CDS/P/2MASS/color", survey="des").imaging.survey == "des"
    with pytest.raises(InputError, match="bands"):
        open_source("hips:CDS/P/DES-DR2/ColorIRG", bands="grz")
