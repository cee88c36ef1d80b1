"""What only some reports have: other weights, wider fields, and features by which all are alike."""

import shutil

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from PIL import Image
from reports import keep_cutouts, random_columns, write_annotated
from test_report import received, unpacked
from viewer import Viewer, blobs, write_tile

from catalogs import InputError
from lsbg_classifier import load_classifier, open_source
from lsbg_classifier.cutouts.kept import KeptSource, open_kept
from lsbg_classifier.features import fit_projection, fitted_rows
from lsbg_classifier.training.strategies import Pool, learning_order
from lsbg_classifier.weights.registry import find_weights
from pipeline.feature_file import Features, writing_features
from pipeline.make_features import make_features
from pipeline.report import ReportOptions, write_report
from pipeline.report.candidates import read_candidates
from pipeline.report.likeness import write_likeness
from pipeline.report.other_weights import OtherWeights, agreement
from pipeline.report.pictures import Pictures
from pipeline.report.queue import _SEED, plan_queue
from pipeline.report.wide import check_wide, shifted, write_wide

ROWS = 40
CENTRE = np.array([0.35, 2.15])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A catalog of 40 rows annotated by the weights that ship, 36 of them with a cutout."""
    folder = tmp_path_factory.mktemp("run")
    columns, probability = random_columns(ROWS), np.linspace(0.9, 0.1, ROWS).astype("f4")
    card = find_weights("des-simulated").card
    provenance = {"weights": card.name, "weights_sha256": card.sha256, "threshold": "0.5"}
    flags = np.zeros(ROWS, "i2")
    path = write_annotated(folder / "annotated.fits", columns, probability, flags, provenance)
    rows = np.arange(36)
    positions = np.stack([columns["RA"], columns["DEC"]], axis=1)[rows]
    keep_cutouts(path, rows, positions, flags[rows], ROWS)
    return path


@pytest.fixture(scope="module")
def report(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "report"
    write_report(run, folder, ReportOptions(heat_maps=0, against="des-real"))
    return folder


@pytest.fixture(scope="module")
def images(run):
    return open_kept(run).read(np.arange(36))[0]


@pytest.mark.long
@pytest.mark.slow
def test_features_of_all_that_have_a_cutout_in_sixteen_bytes(report, images):
    data = received(report / "data" / "run.js")[1]
    assert (data["features"], data["odd"]) == (16, True)
    name, values = received(report / "data" / "features.js")
    features = unpacked(values).view(np.int8).reshape(ROWS, 16)
    raw = load_classifier("des-simulated").features(images)
    np.testing.assert_array_equal(features[:36], fit_projection(raw).apply(raw))
    assert name == "features" and not features[36:].any() and features[:36].any(axis=1).all()
    odd = unpacked(received(report / "data" / "odd.js")[1])
    np.testing.assert_array_equal(odd[:36], load_classifier("des-simulated").oddness(images))
    assert np.isnan(odd[36:]).all()


@pytest.mark.slow
def test_the_other_weights_are_asked_without_labels_too(report, images):
    data = received(report / "data" / "run.js")[1]
    card = find_weights("des-real").card
    names = {"name": "des-real", "oldName": "des-simulated"}
    assert data["other"] == names | {"threshold": card.threshold}
    other = unpacked(received(report / "data" / "other.js")[1])
    expected = load_classifier("des-real").predict(images)
    np.testing.assert_array_equal(other[:36], expected)
    assert np.isnan(other[36:]).all()
    page = (report / "index.html").read_text("utf-8")
    old = np.linspace(0.9, 0.1, ROWS).astype("f4")[:36]
    same = np.count_nonzero((old > 0.5) == (expected > card.threshold))
    assert f"for {same} candidates they say the same" in page
    assert (report / "plots" / "old_and_new_weights-dark.svg").is_file()


@pytest.mark.slow
def test_what_teaches_is_uncertain_and_diverse_where_cutouts_were_kept(run, report, images):
    candidates = read_candidates(run, None, {})
    pictures = Pictures.open(candidates, None, {})
    rows = np.arange(36)
    chosen = plan_queue(None, (), 0.2, candidates, pictures).teaching(candidates, rows, 8, 0.5)
    pool = Pool(
        candidates.probability[rows], 0.5, load_classifier("des-simulated").features(images)
    )
    assert chosen.tolist() == learning_order("both", pool, 8, _SEED).tolist()
    assert set(chosen.tolist()) != set(np.argsort(abs(pool.probability - 0.5))[:8].tolist())
    assert "20 uncertain and diverse, 20 random" in (report / "index.html").read_text("utf-8")
    assert received(report / "data" / "run.js")[1]["teachAs"] == "taught"


def test_no_image_is_fetched_to_choose_what_teaches_unless_asked(run):
    candidates = read_candidates(run, None, {})
    fetched = Pictures(None, KeptSource(run), candidates.positions)
    nothing = Pictures(None, None, candidates.positions)
    for pictures in (fetched, nothing):
        plan = plan_queue(None, (), 0.2, candidates, pictures)
        assert (plan.strategy, plan.read_features, plan.notes) == ("uncertain", None, ())
    assert plan_queue("both", (), 0.2, candidates, fetched).strategy == "both"
    (note,) = plan_queue("both", (), 0.2, candidates, nothing).notes
    assert "--strategy both: there are no cutouts" in note


def test_agreement_counts_by_the_threshold_of_each():
    other = OtherWeights("des-real", "old")
    other.threshold = 0.8
    other.probability = np.array([0.9, 0.7, 0.9, 0.1, np.nan, 0.9], np.float32)
    old = np.array([0.6, 0.6, 0.4, 0.4, 0.6, np.nan], np.float32)
    assert agreement(old, other, 0.5) == (2, 1, 1)


def test_weights_for_other_images_are_said_to_be():
    other = OtherWeights("des-real", "des-real")
    assert other.name == "des-real"
    imaging = find_weights("des-real").card.imaging
    assert other.mismatch(imaging) is None
    from lsbg_classifier.surveys import SURVEYS

    assert "made for other images: survey is 'hsc'" in other.mismatch(SURVEYS["hsc"].imaging())


@pytest.mark.slow
def test_without_the_weights_the_page_has_no_likeness_and_says_why(tmp_path):
    columns, probability = random_columns(4), np.linspace(0, 1, 4).astype("f4")
    flags = np.zeros(4, "i2")
    path = write_annotated(tmp_path / "a.fits", columns, probability, flags)  # sha256 of zeros
    positions = np.stack([columns["RA"], columns["DEC"]], axis=1)
    keep_cutouts(path, np.arange(4), positions, flags, 4)
    lines = write_report(path, tmp_path / "report")
    assert any("no order by likeness: the weights des-simulated" in line for line in lines)
    assert "features" not in received(tmp_path / "report" / "data" / "run.js")[1]


@pytest.mark.parametrize("count", [1, 8192, 8193, 100_000])
def test_the_sample_of_features_is_spread_over_all(count):
    rows = 3 * np.random.default_rng(2).permutation(count)
    chosen = fitted_rows(rows)
    assert len(chosen) == len({*chosen}) == min(count, 8192)
    assert {*chosen} <= {*rows} and np.array_equal(chosen, fitted_rows(np.sort(rows)))
    if count > 8192:
        assert chosen[0] < 0.01 * rows.max() and chosen[-1] > 0.99 * rows.max()


@pytest.mark.slow
def test_the_page_and_lsbg_similar_order_alike(run, report, images, tmp_path):
    """The page takes what is beside the catalog, and computes the same where nothing is."""
    path = tmp_path / run.name
    shutil.copy(run, path)
    shutil.copytree(f"{run}.cutouts", f"{path}.cutouts")
    candidates = read_candidates(path, None, {})
    file = make_features(candidates, Pictures.open(candidates, None, {}))
    features, odd, have = file.read().at(np.arange(ROWS))
    for name, values in (("features", features.reshape(-1)), ("odd", odd)):
        kept = unpacked(received(report / "data" / f"{name}.js")[1]).view(values.dtype)
        np.testing.assert_array_equal(kept, values)
    with writing_features(file.path, file.made_of) as writer:  # other values, to be told apart
        writer.add(Features(np.arange(ROWS), -features, odd))
    shown = Pictures.open(candidates, None, {}).read(np.arange(ROWS))
    write_likeness("des-simulated", candidates, np.arange(ROWS), *shown, tmp_path)
    kept = unpacked(received(tmp_path / "features.js")[1]).view(np.int8)
    np.testing.assert_array_equal(kept, -features.reshape(-1))
    with writing_features(file.path, file.made_of) as writer:  # not of all: of no use
        writer.add(Features(np.arange(9), -features[:9], odd[:9]))
    write_likeness("des-simulated", candidates, np.arange(ROWS), *shown, tmp_path)
    kept = unpacked(received(tmp_path / "features.js")[1]).view(np.int8)
    np.testing.assert_array_equal(kept, features.reshape(-1))
    assert have.sum() == len(images)


# Wider fields


@pytest.mark.parametrize("dec", [-89.5, -40, 0, 75])
def test_shifted_positions_are_those_of_a_tangent_plane(dec):
    east, north = np.random.default_rng(3).uniform(-0.05, 0.05, (2, 50))
    moved = shifted(np.array([[359.99, dec]]), east, north)
    plane = WCS(naxis=2)
    plane.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    plane.wcs.crval, plane.wcs.crpix, plane.wcs.cdelt = [359.99, dec], [1, 1], [1, 1]
    expected = SkyCoord(*plane.all_pix2world(east, north, 0), unit="deg")
    apart = SkyCoord(*moved.T, unit="deg").separation(expected)
    assert apart.arcsec.max() < 1e-6


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    return write_tile(tmp_path_factory.mktemp("tiles"), blobs())


@pytest.mark.slow
def test_a_field_put_together_is_that_of_the_viewer(tiles, tmp_path):
    """Written without any of the package's image code, the viewer gives the same field at once."""
    positions = CENTRE + np.array([[0, 0], [20, -15], [np.nan, 0]]) / 3600
    places, fields = np.arange(3), {}
    with Viewer(tiles) as viewer:
        served = open_source("legacysurvey:des-dr1", url=viewer.url)
        for name, source in (("tiles", open_source(f"tiles:{tiles}")), ("viewer", served)):
            check_wide(source, 80)
            have = write_wide(source, positions, places, 80, tmp_path / name)
            assert have.tolist() == [True, True, False]
            opened = [Image.open(tmp_path / name / f"{place}.jpg") for place in (0, 1)]
            fields[name] = np.stack([np.asarray(one.resize((64, 64), 5)) for one in opened])
        served.close()
    ours, theirs = fields["tiles"].astype(float), fields["viewer"].astype(float)
    assert ours.std() > 10
    difference = abs(ours - theirs).mean()
    assert difference < 3 < abs(ours - theirs[:, :, ::-1]).mean()
    assert difference < 0.5 * abs(ours - np.roll(theirs, 3, axis=1)).mean()


def test_a_server_that_fails_leaves_out_the_field(tiles, tmp_path):
    with Viewer(tiles) as viewer:
        source = open_source("legacysurvey:des-dr1", url=viewer.url)
        source.fetch_wide = lambda *_: (_ for _ in ()).throw(ValueError("no image"))
        have = write_wide(source, CENTRE[None], np.arange(1), 80, tmp_path / "wide")
        source.close()
    assert not have.any() and not list((tmp_path / "wide").iterdir())


def test_wider_fields_that_cannot_be_had(run, tiles, tmp_path):
    with pytest.raises(InputError, match="name their source with --cutouts"):
        write_report(run, tmp_path / "report", ReportOptions(context=120))
    source = open_source(f"tiles:{tiles}")
    for arcsec in (20, 601, float("nan")):
        with pytest.raises(InputError, match=r"more than a cutout's 33.5 arcseconds and at most"):
            check_wide(source, arcsec)
    hips = open_source("hips:CDS/P/DES-DR2/ColorIRG")
    with pytest.raises(InputError, match="gives no wider fields"):
        check_wide(hips, 120)
    hips.close()
    assert not (tmp_path / "report").exists()
