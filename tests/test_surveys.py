"""Surveys described by a file of the user's: what it may say, and what cutouts then are."""

from pathlib import Path

import numpy as np
import pytest
from viewer import blobs, write_tile

from catalogs.errors import InputError
from lsbg_classifier import open_source
from lsbg_classifier.surveys import SURVEYS, read_survey, survey_named

GIVEN = """
name = "rubin"
title = "Rubin, first look"
pixel_scale = 0.2
zero_point = 31.4
layer = "rubin-dp1"
viewer_scale = 0.131
colour_scales = { gri = [9.0, 5.1, 4.5], grz = [6, 3.4, 2.2] }
"""

SHORT = 'name = "mine"\npixel_scale = 0.2\nzero_point = 27\n'


@pytest.fixture
def described(tmp_path):
    """Write a description of a survey; return its path as a text, as commands get it."""

    def write(text, name="mine.toml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def test_what_is_given_comes_back(described):
    survey = survey_named(described(GIVEN))
    assert (survey.name, survey.title, survey.layer) == ("rubin", "Rubin, first look", "rubin-dp1")
    assert (survey.pixel_scale, survey.zero_point, survey.viewer_scale) == (0.2, 31.4, 0.131)
    assert survey.colour_scales == {
        ("g", "r", "i"): (9.0, 5.1, 4.5),
        ("g", "r", "z"): (6, 3.4, 2.2),
    }
    assert survey.imaging(("g", "r", "i")).survey == "rubin"
    assert survey.imaging().pixel_scale == pytest.approx(4 * 0.131)


def test_what_may_be_left_out(described):
    survey = read_survey(Path(described(SHORT, "first-look.toml")))
    assert (survey.title, survey.layer) == ("first-look", "")
    assert survey.viewer_scale == pytest.approx(0.1)
    assert survey.colour_scales == SURVEYS["des"].colour_scales
    assert survey.imaging().pixel_scale == pytest.approx(0.4)


def test_bands_without_colours_are_refused(described):
    survey = survey_named(described(SHORT + "colour_scales.gri = [9, 5, 4]\n"))
    with pytest.raises(InputError, match="mine has no colours for the bands grz: choose gri"):
        survey.imaging()


@pytest.mark.parametrize("name", sorted(SURVEYS))
def test_known_surveys_need_no_file(name):
    assert survey_named(name) is SURVEYS[name]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match=r"'sdss': choose one of des, hsc, decals, .*\.toml"):
        survey_named("sdss")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('pixel_scale = 0.2\nzero_point = 27\n', "'name' is missing"),
        ('name = "mine"\nzero_point = 27\n', "'pixel_scale' is missing"),
        ('name = "mine"\npixel_scale = 0.2\n', "'zero_point' is missing"),
        (SHORT + "pixscale = 1\nbands = 3\n", "unknown keys bands, pixscale"),
        (SHORT.replace("mine", "des"), "the name des is taken"),
        (SHORT.replace("mine", ""), "'' is no name"),
        (SHORT.replace("mine", "a\\nb"), "is no name"),
        (SHORT.replace('"mine"', "7"), "7 is not a text"),
        (SHORT + "title = 7\n", "7 is not a text"),
        (SHORT + "layer = ['a']\n", "is not a text"),
        (SHORT.replace("0.2", "-0.2"), "-0.2 is not a positive number"),
        (SHORT.replace("0.2", "0"), "0 is not a positive number"),
        (SHORT.replace("0.2", "nan"), "nan is not a number"),
        (SHORT.replace("0.2", "inf"), "inf is not a number"),
        (SHORT.replace("0.2", '"0.2"'), "'0.2' is not a number"),
        (SHORT.replace("0.2", "true"), "True is not a number"),
        (SHORT.replace("0.2", "[0.2]"), "is not a number"),
        (SHORT.replace("0.2", "1" + "0" * 400), "too large"),
        (SHORT.replace("27", "nan"), "nan is not a number"),
        (SHORT.replace("27", "inf"), "inf is not a number"),
        (SHORT.replace("27", '"bright"'), "'bright' is not a number"),
        (SHORT.replace("27", "2000-01-01"), "is not a number"),
        (SHORT + "viewer_scale = 0\n", "0 is not a positive number"),
        (SHORT + "colour_scales = 3\n", "three bands need three factors"),
        (SHORT + "colour_scales = {}\n", "three bands need three factors"),
        (SHORT + "colour_scales.grz = 3\n", "three bands need three factors"),
        (SHORT + "colour_scales.grz = [1, 2]\n", "three bands need three factors"),
        (SHORT + "colour_scales.gr = [1, 2]\n", "three bands need three factors"),
        (SHORT + "colour_scales.grz = [1, 2, -3]\n", "-3 is not a positive number"),
        (SHORT + "colour_scales.grz = [1, 2, 'x']\n", "'x' is not a number"),
        ("this is no TOML\n", "not the description of a survey"),
        (SHORT + SHORT, "not the description of a survey"),
        ("", "'name' is missing"),
        (b"\x00\xff\xfe" * 300, "not the description of a survey"),
        ("a = " + "[" * 5000, "not the description of a survey"),
    ],
)  # fmt: skip
def test_a_bad_file_is_named_with_what_is_wrong(described, text, said):
    path = described(text)
    with pytest.raises(InputError) as caught:
        survey_named(path)
    assert str(caught.value).startswith(f"{path}: ") and said in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < len(path) + 300


def test_a_folder_or_nothing_is_no_description(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    for name in ("folder.toml", "nothing.toml"):
        with pytest.raises(InputError, match=rf"{name}: not the description of a survey"):
            survey_named(str(tmp_path / name))


@pytest.fixture
def tiles(tmp_path):
    (tmp_path / "tiles").mkdir()
    return write_tile(tmp_path / "tiles", blobs(400, spots=30))


DES_BY_ANOTHER_NAME = 'name = "twin"\npixel_scale = 0.263\nzero_point = 30\nviewer_scale = 0.131\n'


@pytest.mark.slow
def test_tiles_of_a_survey_that_a_file_describes(tiles, described):
    """Colours, zero point and field are the file's: those of DES, then twice as bright or wide."""
    places = np.array([[0.35, 2.15], [0.351, 2.149]])
    plain, flags = open_source(f"tiles:{tiles}").fetch(places)

    def fetch(text):
        source = open_source(f"tiles:{tiles}", survey=described(text))
        assert (
            source.imaging.survey == "twin" and source.fetch(places)[1].tolist() == flags.tolist()
        )
        return source

    twin = fetch(DES_BY_ANOTHER_NAME)
    assert (twin.fetch(places)[0] == plain).all()
    brighter = fetch(DES_BY_ANOTHER_NAME.replace("= 30", f"= {30 - 2.5 * np.log10(2)}"))
    scales = "colour_scales.grz = [12.0, 6.8, 4.4]\n"
    recoloured = fetch(DES_BY_ANOTHER_NAME + scales)
    difference = brighter.fetch(places)[0].astype(int) - recoloured.fetch(places)[0]
    assert abs(difference).max() <= 1
    assert recoloured.fetch(places)[0].mean() > 1.02 * plain.mean()
    wider = fetch(DES_BY_ANOTHER_NAME.replace("0.131", "0.262"))
    assert wider.imaging.pixel_scale == pytest.approx(1.048)
    middle = wider.fetch(places)[0][:, 16:48, 16:48].astype(float)
    shrunk = plain.reshape(-1, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    assert np.corrcoef(middle.ravel(), shrunk.ravel())[0, 1] > 0.95


def test_tiles_in_bands_that_the_file_has_no_colours_for(tiles, described):
    path = described(DES_BY_ANOTHER_NAME + "colour_scales.gri = [9, 5, 4]\n")
    with pytest.raises(InputError, match="no colours for the bands grz"):
        open_source(f"tiles:{tiles}", survey=path)
