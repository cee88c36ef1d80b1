"""`lsbg inject`, `detect` and `inject-recover`: real tiles, real kills, one line for errors."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from test_injection import COMPRESSIONS, folder_of_tiles

from catalogs import find_selection, open_catalog
from lsbg_classifier.detection import tiles as detection_tiles
from lsbg_classifier.detection.spread import spread_model
from lsbg_classifier.detection.tiles import DetectionRequest, detect_in_tile
from lsbg_classifier.injection.mocks import read_mocks
from lsbg_classifier.injection.tiles import Request, make_mocks
from lsbg_classifier.own_tables import read_table
from lsbg_classifier.tile_images import OpenImages, TileSet

pytestmark = pytest.mark.long

LSBG = Path(sys.executable).with_name("lsbg")


@pytest.fixture
def tiles(tmp_path):
    """Three small tiles with a keyword for the point-spread function."""
    folder = tmp_path / "tiles"
    for name, ra in (("DES0000-3100", 359.99), ("DES0001-3100", 0.3), ("DES0002-3100", 0.6)):
        folder_of_tiles(folder, name=name, ra=ra, **COMPRESSIONS["rice"])
    return folder


def contents(folder):
    """Return the bytes of all files below a folder, but the date of the run."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".lsbg")
    }


def test_inject_writes_copies_and_the_truth(lsbg, tiles, tmp_path):
    code, out, err = lsbg("inject", tiles, tmp_path / "out", "--density", "1", "--seed", "3")
    assert code == 0, err
    assert "point-spread function from PSF_FWHM in its header" in err
    names = {path.name for path in tiles.iterdir() if not path.name.startswith(".")}
    assert {path.name for path in (tmp_path / "out" / "tiles").iterdir()} == names
    truth = read_table(tmp_path / "out" / "truth.fits")
    assert f"{len(truth)} mocks in 3 tiles" in out
    assert set(truth["TILE"]) == {"DES0000-3100", "DES0001-3100", "DES0002-3100"}
    assert len(set(truth["RA"])) == len(truth) > 10  # other mocks in each tile
    assert not (tmp_path / "out.journal").exists()
    assert fits.getheader(tmp_path / "out" / "truth.fits", 1)["SEED"] == 3


def test_inject_asks_before_it_replaces(lsbg, tiles, tmp_path):
    arguments = ("inject", tiles, tmp_path / "out", "-q", "--density", "0.2")
    assert lsbg(*arguments) == (0, "", "")
    before = contents(tmp_path / "out")
    code, _, err = lsbg(*arguments)
    assert (code, err.count("\n")) == (1, 1) and "add --overwrite" in err
    assert lsbg(*arguments, "--overwrite") == (0, "", "")
    assert contents(tmp_path / "out") == before
    (tmp_path / "out" / "mine.txt").write_text("keep me")
    code, _, err = lsbg(*arguments, "--overwrite")
    assert code == 1 and "mine.txt: not written by this command" in err
    assert (tmp_path / "out" / "tiles").is_dir()


def test_folders_of_others_are_not_taken_for_an_earlier_run(lsbg, tiles, tmp_path):
    mine = tmp_path / "out" / "tiles" / "mine_g.fits"
    mine.parent.mkdir(parents=True)
    mine.write_text("keep me")
    for command in ("inject", "inject-recover"):
        code, _, err = lsbg(command, tiles, tmp_path / "out", "-q", "--overwrite")
        assert code == 1 and "out/tiles: not of an earlier run" in err
        assert mine.read_text() == "keep me"


def test_dry_runs_write_nothing(lsbg, tiles, tmp_path):
    code, out, err = lsbg("inject", tiles, tmp_path / "out", "--dry-run")
    assert (code, err) == (0, "")
    assert "tiles: 3" in out and "no output was written" in out
    code, out, err = lsbg("inject-recover", tiles, tmp_path / "out", "--dry-run")
    assert (code, err) == (0, "")
    assert "MAG_AUTO_I is the mean of r and z" in out
    code, out, _ = lsbg("detect", tiles, tmp_path / "out.fits", "--dry-run")
    assert code == 0 and "3 tiles in grz" in out
    assert [path.name for path in tmp_path.iterdir()] == ["tiles"]


BAD = {
    ("--density", "0"): "the density must be",
    ("--mocks", "sdss"): "no mocks of this name; choose des, hsc, uniform",
    ("--psf", "g=20"): "a FWHM must be",
    ("--psf", "nowhere.psf"): "nowhere.psf: no readable point-spread function",
    ("--masked-share", "2"): "masked share",
    ("--stamps", "3"): "side of stamps",
    ("--gain", "-1"): "gain must be positive",
}


@pytest.mark.parametrize("options", BAD, ids=" ".join)
def test_what_cannot_be_injected_is_one_line(lsbg, tiles, tmp_path, options):
    code, out, err = lsbg("inject", tiles, tmp_path / "out", "-q", *options)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert BAD[options] in err
    assert not (tmp_path / "out" / "truth.fits").exists()
    assert not (tmp_path / "out.journal").exists()


def test_outputs_among_the_tiles_are_refused(lsbg, tiles):
    assert "overlaps the folder of tiles" in lsbg("inject", tiles, tiles / "out")[2]
    assert "lies among the tiles" in lsbg("detect", tiles, tiles / "found.fits")[2]
    assert "name it .fits or .parquet" in lsbg("detect", tiles, tiles.parent / "found.txt")[2]


def test_a_killed_injection_resumes_to_the_same_bytes(lsbg, tiles, tmp_path):
    arguments = ("inject", tiles, tmp_path / "out", "-q", "--workers", "1")
    running = subprocess.Popen([LSBG, *map(str, arguments)], start_new_session=True)
    deadline = time.monotonic() + 100
    while not list(tmp_path.glob("out.journal/truth-*.fits")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not (tmp_path / "out" / "truth.fits").exists()
    (tmp_path / "out" / "tiles" / ".a.fits.7.partial").write_text("half")
    code, _, err = lsbg("inject", tiles, tmp_path / "out", "-q")
    assert (code, err.count("\n")) == (1, 1) and "--resume" in err
    code, _, err = lsbg("inject", tiles, tmp_path / "out", "-q", "--seed", "9", "--resume")
    assert code == 1 and "another seed" in err
    assert lsbg("inject", tiles, tmp_path / "out", "-q", "--resume") == (0, "", "")
    assert lsbg("inject", tiles, tmp_path / "again", "-q") == (0, "", "")
    assert contents(tmp_path / "out") == contents(tmp_path / "again")


def test_a_full_disk_leaves_nothing_half_written(tiles, tmp_path):
    """A compressed band of these tiles takes about 900 kB."""
    limited = ["sh", "-c", 'ulimit -f 1000 && exec "$0" "$@"']
    command = [LSBG, "inject", tiles, tmp_path / "out", "-q"]
    done = subprocess.run([*limited, *command], capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stdout) == (1, "")
    message = r"lsbg: \S+/out/tiles/DES\S+\.fits\.fz: File too large; make room, then .*--resume\n"
    assert re.fullmatch(message, done.stderr), done.stderr
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_stamps_hold_the_pixels_of_the_tile(lsbg, tiles, tmp_path):
    common = ("--density", "0.3", "-q", "--no-noise")
    assert lsbg("inject", tiles, tmp_path / "whole", *common) == (0, "", "")
    assert lsbg("inject", tiles, tmp_path / "small", *common, "--stamps", "40") == (0, "", "")
    truth = read_table(tmp_path / "small" / "truth.fits")
    stamps = TileSet(tmp_path / "small" / "stamps", "des").tiles
    assert len(stamps) == len(truth)
    whole = {tile.name: tile for tile in TileSet(tmp_path / "whole" / "tiles").tiles}
    for stamp in stamps[::3]:
        path = stamp.bands["g"].path
        header = fits.getheader(path, 1)
        mock = truth[list(truth["MOCK_ID"]).index(header["MOCK_ID"])]
        x, y = stamp.grid.pixels_of(np.array([mock["RA"]]), np.array([mock["DEC"]]))[:, 0]
        assert abs(x - stamp.width / 2) < 1 and abs(y - stamp.height / 2) < 1
        at = [round(float(mock[n])) - 1 - stamp.width // 2 for n in ("X_IMAGE", "Y_IMAGE")]
        low, high = np.maximum(at, 0), np.minimum(np.array(at) + stamp.width, 700)
        section = slice(low[1], high[1]), slice(low[0], high[0])
        inside = [slice(s.start - a, s.stop - a) for s, a in zip(section, at[::-1], strict=True)]
        with OpenImages(stamp) as small, OpenImages(whole[mock["TILE"]]) as large:
            for band in "grz":
                ours = np.nan_to_num(small.read(band, *inside)[0])
                theirs = np.nan_to_num(large.read(band, *section)[0])
                assert np.abs(ours - theirs).max() < 0.002 / 4  # an eighth of the noise


def test_detection_finds_the_mocks_and_measures_them(lsbg, survey, tmp_path):
    """In a simulated survey: positions, magnitudes and sizes of bright mocks."""
    bright = tmp_path / "bright.toml"
    text = read_mocks("des").text
    text = text.replace("offset = 24.2\nmaximum = 26.8", "offset = 24.2\nmaximum = 24.6")
    bright.write_text(text)
    options = ("--mocks", bright, "--density", "0.7", "-q")
    assert lsbg("inject", survey.tiles, tmp_path / "out", *options) == (0, "", "")
    found_path = tmp_path / "found.parquet"
    code, out, err = lsbg("detect", tmp_path / "out" / "tiles", found_path, "--estimate-i")
    assert code == 0, err
    found, truth = read_table(found_path), read_table(tmp_path / "out" / "truth.fits")
    assert f"{len(found)} sources in 2 tiles" in out
    matched, magnitudes = 0, []
    for mock in truth:
        east = (found["ALPHA_J2000"] - mock["RA"]) * np.cos(np.radians(mock["DEC"]))
        distance = np.hypot(east, found["DELTA_J2000"] - mock["DEC"]) * 3600
        if distance.min() < 2:
            matched += 1
            magnitudes.append(found["MAG_AUTO_G"][distance.argmin()] - mock["MAG_G"])
    assert matched > 0.7 * len(truth) > 8
    assert abs(np.median(magnitudes)) < 0.4  # in a crowded field
    catalog = open_catalog(found_path)
    kept = find_selection("des", catalog).keep(catalog, 0, len(found))
    assert 10 < kept.sum() < len(found)
    average = (found["MAG_AUTO_R"] + found["MAG_AUTO_Z"]) / 2
    there = found["MAG_AUTO_I"] < 90
    np.testing.assert_allclose(found["MAG_AUTO_I"][there], average[there], rtol=1e-5)


def test_sections_of_a_tile_join_without_a_seam(survey, monkeypatch):
    tile = TileSet(survey.tiles).tiles[0]
    whole = detect_in_tile(tile, DetectionRequest())
    monkeypatch.setattr(detection_tiles, "_CORE", 800)
    parts = detect_in_tile(tile, DetectionRequest())
    assert len(list(detection_tiles._windows(tile))) == 4
    assert abs(len(parts) - len(whole)) < 0.05 * len(whole)
    bright = whole[whole["MAG_AUTO_R"] < 22]
    for source in bright:
        near = np.hypot(parts["X_IMAGE"] - source["X_IMAGE"], parts["Y_IMAGE"] - source["Y_IMAGE"])
        assert np.count_nonzero(near < 1.5) <= 1  # none twice
    assert list(parts["NUMBER"]) == list(range(1, len(parts) + 1))


@pytest.mark.parametrize("radius", [0.0, 3.0, 12.0])
def test_spread_model_is_its_definition_in_an_independent_drawing(radius):
    import galsim

    psf = galsim.Moffat(beta=3.5, fwhm=4.0)
    disc = galsim.Convolve(psf, galsim.Exponential(scale_radius=4 / 16))
    shape = psf
    if radius:
        shape = galsim.Convolve(psf, galsim.Exponential(half_light_radius=radius))
    placing = {"scale": 1, "method": "no_pixel", "offset": (0.3, -0.2)}
    image = shape.withFlux(1000).drawImage(nx=101, ny=101, **placing).array
    star, blurred = (p.drawImage(nx=25, ny=25, **placing).array for p in (psf, disc))
    part = image[38:63, 38:63]
    expected = (blurred * part).sum() / (star * part).sum()
    expected -= (blurred * star).sum() / (star * star).sum()
    spread, error = spread_model(image, 1.0, np.array([50.3]), np.array([49.8]), 4.0)
    assert spread[0] == pytest.approx(expected, abs=1e-4)
    assert (spread[0] > 0.007) == (radius > 0) and 0 < error[0] < 0.01


def test_the_error_of_spread_model_is_its_scatter():
    rng = np.random.default_rng(4)
    from scipy import ndimage

    star = np.zeros((41, 41))
    star[20, 20] = 300
    star = ndimage.gaussian_filter(star, 1.7)
    measured = [
        spread_model(star + rng.normal(0, 1, star.shape), 1.0, *np.full((2, 1), 20.0), 4.0)
        for _ in range(300)
    ]
    spreads, errors = np.array(measured)[:, :, 0].T
    assert np.median(errors) == pytest.approx(spreads.std(), rel=0.2)


def test_the_chain_measures_a_completeness_and_resumes(lsbg, survey, tmp_path):
    arguments = ("inject-recover", survey.tiles, tmp_path / "out", "--repeats", "2", "--seed", "4")
    code, out, err = lsbg(*arguments, "--density", "1", "--mocks", "des")
    assert code == 0, err
    assert "MAG_AUTO_I is the mean" in err and "pass the cut" in err
    content = json.loads((tmp_path / "out" / "completeness.json").read_text())
    truth = Table.read(tmp_path / "out" / "truth.fits")
    detections = Table.read(tmp_path / "out" / "detections.fits")
    assert content["mocks"] == len(truth) and set(truth["REPEAT"]) == {0, 1}
    above = content["steps"]["above"]
    assert above["recovered"] / above["mocks"] == pytest.approx(above["fraction"])
    assert above["fraction"] > 0.4 > content["steps"]["above"]["by_chance"]
    steps = [content["steps"][name]["recovered"] for name in content["steps"]]
    assert steps == sorted(steps, reverse=True)
    kept = (detections["FLAGS_LSBG"] & 2**7) == 0
    assert f"above 0.5: {above['fraction']:.3f}" in out
    assert np.isfinite(detections["P_LSBG"]).sum() <= len(detections)
    assert kept.any()
    code, _, err = lsbg(
        "completeness",
        tmp_path / "out" / "truth.fits",
        tmp_path / "out" / "detections.fits",
        tmp_path / "again",
        "-q",
    )
    assert code == 0, err
    names = ("completeness.csv", "completeness.json", "limits.csv", "mocks.csv")
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_the_point_spread_function_is_measured_from_stars(survey):
    """Within 6% of that of the simulation, seen through the pixels."""
    from lsbg_classifier.simulation.coadds import plan_tiles
    from lsbg_classifier.simulation.sky import Conditions

    tiles = {tile.name: tile for tile in TileSet(survey.tiles).tiles}
    for planned in plan_tiles("des", 2, 1500, 77):
        seeing = Conditions.draw(planned.model, np.random.default_rng(planned.seed)).seeing
        made = make_mocks(tiles[planned.name], Request(read_mocks("des")))
        for band, fwhm in zip("grz", seeing, strict=True):
            psf = made.psfs[band]
            assert "stars: Moffat" in psf.origin
            assert psf.fwhm == pytest.approx(np.hypot(fwhm, 0.6 * 0.263), rel=0.06)


def test_the_stage_of_ceci_measures_what_the_command_does(lsbg, survey, tmp_path):
    ceci = pytest.importorskip("pipeline.stages.ceci", exc_type=ImportError)
    stage = ceci.InjectRecoverLsbgStage
    outputs = {
        "mock_truth": tmp_path / "truth.fits",
        "mock_detections": tmp_path / "detections.fits",
        "lsbg_completeness": tmp_path / "measured",
    }
    options = {"coadd_tiles": survey.tiles, **outputs, "density": 0.3, "seed": 8}
    command = [f"--{name}={value}" for name, value in options.items()]
    stage.execute(stage.parse_command_line([stage.name, *command]))
    same = ("inject-recover", survey.tiles, tmp_path / "out", "-q", "--density", "0.3")
    assert lsbg(*same, "--seed", "8")[0] == 0
    name = "completeness.json"
    assert (tmp_path / "measured" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    ours, theirs = (
        Table.read(p) for p in (outputs["mock_detections"], tmp_path / "out" / "detections.fits")
    )
    assert list(ours["ALPHA_J2000"]) == list(theirs["ALPHA_J2000"])


def test_a_sample_holds_mocks_and_real_candidates_with_their_labels():
    """Pieces of mocks, known LSBGs and real candidates of later injections are left out."""
    from lsbg_classifier.injection.labels import KnownLsbgs, labels_of
    from pipeline.injection.sample import sample_table

    step = 1 / 3600
    places = {"mock": 0.5, "piece": 6, "far piece": 11, "other": 40, "known": 80}
    found = Table(
        {"ALPHA_J2000": [10.0] * 5, "DELTA_J2000": [north * step for north in places.values()]}
    )
    truth = Table({"RA": [10.0], "DEC": [0.0], "R_EFF": [6.0]})
    known = KnownLsbgs(np.array([[10.0, 81 * step]]))
    assert list(labels_of(found, truth, known, 0)) == [1, -1, -1, 0, -1]
    assert list(labels_of(found, truth, known, 1)) == [1, -1, -1, -1, -1]
    cutouts = {row: np.full((64, 64, 3), row, np.uint8) for row in range(5)}
    labels, flags = labels_of(found, truth, known, 0), np.zeros(5, np.int16)
    table = sample_table(found, labels, flags, cutouts)
    assert list(table["label"]) == [1, 0]
    assert list(table["cutout"][:, 0]) == [0, 3]


def test_a_kept_sample_can_be_trained_on(lsbg, survey, tmp_path):
    """Its images are those that the network has scored, its labels those of mocks and others."""
    from lsbg_classifier import load_classifier
    from lsbg_classifier.training.assessment import LabelledCutouts

    arguments = ("inject-recover", survey.tiles, tmp_path / "out", "--mocks", "des")
    exclude = ("--exclude", survey.truth.with_name("placed.fits"))
    code, _, err = lsbg(*arguments, "--keep-sample", *exclude)
    assert code == 0, err
    content = json.loads((tmp_path / "out" / "sample.json").read_text())
    sample = LabelledCutouts.read(tmp_path / "out" / "sample.npy", tmp_path / "out" / "sample.csv")
    assert (sample.labels == 1).sum() == content["mocks"] > 5
    assert (sample.labels == 0).sum() == content["others"] > 5
    area = 2 * (1500 * 0.263 / 3600) ** 2
    assert 0.8 * area < content["square_degrees"] <= area * 1.001
    known = len(Table.read(survey.placed))
    assert content["known_lsbgs"] == known and content["expected_unknown_lsbgs"] == 0.0
    assert "sample to train on" in err
    scores = load_classifier().predict(sample.images)
    assert scores[sample.labels == 1].mean() > scores[sample.labels == 0].mean() + 0.3
    code, _, err = lsbg(*arguments, "--overwrite", *exclude)
    assert code == 1 and "--exclude is for --keep-sample" in err


def test_a_simulated_survey_lists_all_its_lsbgs(survey):
    placed, truth = Table.read(survey.placed), Table.read(survey.truth)
    candidates = Table.read(survey.candidates)
    assert len(placed) > survey.lsbg_count > 0
    lsbgs = candidates[truth["LABEL"] == 1]
    for candidate, true in zip(lsbgs, truth[truth["LABEL"] == 1], strict=True):
        north = placed["DEC"] - candidate["DELTA_J2000"]
        east = (placed["RA"] - candidate["ALPHA_J2000"]) * np.cos(np.radians(placed["DEC"]))
        nearest = np.hypot(north, east).argmin()
        assert np.hypot(north, east)[nearest] * 3600 < 3
        assert placed["MAG_G"][nearest] == pytest.approx(true["MAG_G_TRUE"], abs=1e-4)
        assert placed["R_EFF"][nearest] == pytest.approx(true["R_EFF_TRUE"], abs=1e-4)
