"""The completeness of catalogs whose outcome is known, against independent counts."""

import csv
import json

import numpy as np
import pytest
from astropy.table import Table

from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier.completeness.counts import fraction_of, in_bins, limit_of
from lsbg_classifier.completeness.matching import Sky, chance_rates, match
from lsbg_classifier.completeness.measure import Candidates, Mocks, Settings, measure
from lsbg_classifier.completeness.model import CompletenessModel, fit_model, load_completeness


def expected_completeness(brightness, radius):
    """Return a smooth function of brightness and size: half at 26 for 4 arcsec."""
    return 0.96 / (1 + np.exp(3 * (brightness - 26 - 0.5 * np.log10(radius / 4))))


def simulated(count=3000, seed=1):
    """Make mocks, and the catalog of those that come back, with some that are no mocks."""
    rng = np.random.default_rng(seed)
    positions = np.stack([rng.uniform(30, 32, count), rng.uniform(-1, 1, count)], axis=1)
    brightness, radius = rng.uniform(24, 28, count), rng.uniform(2.5, 12, count)
    back = rng.random(count) < expected_completeness(brightness, radius)
    properties = {
        "R_EFF": radius,
        "MU_MEAN_G": brightness,
        "MAG_G": brightness - 2.5 * np.log10(2 * np.pi * radius**2),
        "SERSIC_N": rng.uniform(0.5, 2, count),
        "ELLIPTICITY": rng.uniform(0, 0.7, count),
    }
    properties["MAG_R"] = properties["MAG_G"] - rng.normal(0.5, 0.1, count)
    return Mocks(Sky(positions), properties), back, rng


def catalog_of(mocks, back, rng, others=500):
    """Return an annotated catalog: mocks that are back with 0.9, some cut, some unscored."""
    moved = mocks.sky.positions + rng.normal(0, 0.3 / 3600, mocks.sky.positions.shape)
    extra = np.stack([rng.uniform(30, 32, others), rng.uniform(-1, 1, others)], axis=1)
    probability = np.where(back, 0.9, 0.2)
    probability = np.concatenate([probability, rng.uniform(0, 1, others)]).astype(np.float32)
    return Candidates(
        Sky(np.concatenate([moved, extra])), probability, np.zeros(len(probability), np.int16)
    )


@pytest.fixture(scope="module")
def measured():
    mocks, back, rng = simulated()
    return measure(mocks, catalog_of(mocks, back, rng), Settings()), mocks, back


@pytest.mark.slow
def test_fractions_are_the_counts(measured):
    result, mocks, back = measured
    above, _ = result.steps["above"]
    assert (above.mocks, above.recovered) == (len(back), int(back.sum()))
    cells = result.map
    brightness, radius = mocks.properties["MU_MEAN_G"], mocks.properties["R_EFF"]
    expected, _, _ = np.histogram2d(
        radius[back], brightness[back], [cells.radius_edges, cells.brightness_edges]
    )
    np.testing.assert_array_equal(cells.steps["above"][0], expected)
    assert cells.mocks.sum() == len(back)


def test_intervals_are_wilsons():
    recovered = np.arange(40) < 31
    part = fraction_of(recovered, 0.683)
    z, n, p = 1.0006418, 40, 31 / 40  # the normal quantile of (1 + 0.683) / 2
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (part.low, part.high) == pytest.approx((middle - half, middle + half), abs=1e-6)
    assert fraction_of(np.zeros(5, bool), 0.683).low == 0
    assert np.isnan(fraction_of(np.zeros(0, bool), 0.683).fraction)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(600):
        part = fraction_of(rng.random(50) < 0.8, 0.683)
        inside += part.low <= 0.8 <= part.high
    assert inside / 600 == pytest.approx(0.683, abs=0.08)


def test_limits_are_where_the_completeness_falls():
    mocks, back, _ = simulated(6000)
    brightness = mocks.properties["MU_MEAN_G"]
    here = mocks.properties["R_EFF"] < 5
    limit = limit_of(brightness[here], back[here], 0.5, 0.95)
    fine = np.linspace(24, 28, 4001)
    true = fine[np.argmin(abs(expected_completeness(fine, 3.75) - 0.5))]
    assert limit.low <= true <= limit.high
    assert limit.value == pytest.approx(true, abs=0.15)
    assert limit_of(brightness, np.ones(len(back), bool), 0.5, 0.95).reached == "beyond"
    assert limit_of(brightness, np.zeros(len(back), bool), 0.5, 0.95).reached == "never"


@pytest.mark.slow
def test_the_model_is_the_function_that_made_the_mocks(measured):
    result, _, _ = measured
    model = CompletenessModel.of_json(json.loads(json.dumps(result.model.to_json())))
    brightness, radius = np.meshgrid(np.linspace(24.5, 27.5, 13), np.linspace(3, 11, 9))
    predicted = model.predict(brightness, radius)
    assert np.abs(predicted - expected_completeness(brightness, radius)).mean() < 0.03
    assert np.isnan(model.predict(29.0, 4.0)) and np.isnan(model.predict(25.0, 40.0))
    assert model.predict(25.0, 4.0, sersic_n=1.0) == pytest.approx(
        model.predict(25.0, 4.0), abs=0.05
    )
    with pytest.raises(ValueError, match="choose sersic_n, ellipticity, g_r"):
        model.predict(25.0, 4.0, redshift=1)


@pytest.mark.slow
def test_the_model_is_calibrated(measured):
    for row in measured[0].calibration:
        error = np.sqrt(max(row["predicted"] * (1 - row["predicted"]), 0.01) / row["mocks"])
        assert abs(row["recovered"] - row["predicted"]) < 4 * error + 0.02


def test_few_mocks_have_no_model():
    mocks, back, _ = simulated(40)
    properties = {"MU_MEAN": mocks.properties["MU_MEAN_G"], "LOG_R_EFF": np.ones(40)}
    assert fit_model("g", properties, back) is None


def test_each_step_loses_what_it_should():
    count = 10
    positions = np.stack([np.linspace(10, 11, count), np.zeros(count)], axis=1)
    properties = {"R_EFF": np.full(count, 3.0), "MU_MEAN_G": np.full(count, 25.0)}
    properties["COVERED"] = np.arange(count) > 0
    flags = np.zeros(count - 1, np.int16)
    flags[1] = Flag.NOT_SELECTED
    flags[2] = Flag.NO_COVERAGE
    probability = np.full(count - 1, 0.9, np.float32)
    probability[[1, 2]] = np.nan
    probability[3] = 0.5  # not above
    catalog = Candidates(Sky(positions[:-1]), probability, flags)
    result = measure(Mocks(Sky(positions), properties), catalog, Settings())
    counts = {name: part.recovered for name, (part, _) in result.steps.items()}
    assert counts == {"covered": 9, "detected": 8, "selected": 7, "scored": 6, "above": 5}


def test_a_detection_belongs_to_one_mock_and_the_nearest_pairs_go_first():
    mocks = Sky(np.array([[10.0, 0.0], [10.0, 1.5 / 3600], [11.0, 0.0]]))
    detections = Sky(np.array([[10.0, 1.0 / 3600], [10.0, -1.2 / 3600], [np.nan, np.nan]]))
    number, distance = match(mocks, detections, 3.0)
    assert list(number) == [1, 0, -1]
    assert distance[:2] == pytest.approx([1.2, 0.5], abs=1e-6)


def test_only_the_same_injection_matches():
    positions = np.array([[10.0, 0.0], [10.0, 0.0]])
    mocks = Sky(positions, np.array([0, 1]))
    number, _ = match(mocks, Sky(positions, np.array([1, 2])), 3.0)
    assert list(number) == [-1, 0]


@pytest.mark.slow
def test_chance_matches_are_the_density_times_the_area():
    rng = np.random.default_rng(3)
    side, count = 0.5, 4000
    sky = Sky(rng.uniform(0, side, (count, 2)) + np.array([40, -0.25]))
    mocks = Sky(rng.uniform(0.1, 0.4, (2000, 2)) + np.array([40, -0.25]))
    density = count / (side * 3600) ** 2
    rates = chance_rates(
        mocks, sky, 3.0, {"any": np.ones(count, bool), "no": np.zeros(count, bool)}
    )
    assert rates["any"] == pytest.approx(1 - np.exp(-density * np.pi * 9), rel=0.15)
    assert rates["no"] == 0


def test_bins_hold_their_last_edge():
    values = np.array([1.0, 1.5, 2.0, 3.0, 3.1, np.nan, 0.9])
    assert list(in_bins(values, np.array([1.0, 2.0, 3.0]))) == [0, 0, 1, 1, -1, -1, -1]


def write_catalogs(folder, count=300):
    mocks, back, rng = simulated(count)
    catalog = catalog_of(mocks, back, rng, others=50)
    ra, dec = mocks.sky.positions.T
    Table(
        {"ra": ra, "dec": dec, "kind": ["sersic"] * count}
        | {name.lower(): values for name, values in mocks.properties.items() if name != "MU_MEAN_G"}
    ).write(folder / "truth.fits")
    ra, dec = catalog.sky.positions.T
    columns = {"RA": ra, "DEC": dec, "P_LSBG": catalog.probability, "FLAGS_LSBG": catalog.flags}
    Table(columns).write(folder / "annotated.fits")
    return back


@pytest.mark.long
def test_the_command_writes_tables_and_figures(lsbg, tmp_path):
    """The surface brightness follows from magnitude and size, where the truth has none."""
    back = write_catalogs(tmp_path)
    paths = (tmp_path / "truth.fits", tmp_path / "annotated.fits", tmp_path / "out")
    code, out, err = lsbg("completeness", *paths)
    assert (code, err) == (0, "")
    assert f"above 0.5: {back.mean():.3f}" in out
    content = json.loads((tmp_path / "out" / "completeness.json").read_text())
    assert content["steps"]["above"]["recovered"] == int(back.sum())
    assert load_completeness(tmp_path / "out" / "completeness.json").predict(24.5, 4.0) > 0.5
    with open(tmp_path / "out" / "completeness.csv") as file:
        rows = list(csv.DictReader(file))
    assert sum(int(row["above"]) for row in rows) == int(back.sum())
    with open(tmp_path / "out" / "mocks.csv") as file:
        assert [row["above"] == "1" for row in csv.DictReader(file)] == list(back)
    for name in ("map", "steps"):
        assert (tmp_path / "out" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / "out" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    code, _, err = lsbg("completeness", *paths)
    assert (code, err.count("\n")) == (1, 1) and "add --overwrite" in err
    assert lsbg("completeness", *paths, "--overwrite", "-q") == (0, "", "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--band", "z"], "no column MU_MEAN_Z"),
        (["--match-radius", "0"], "match radius"),
        (["--level", "1.5"], "level must be between 0 and 1"),
    ],
)
def test_what_cannot_be_measured(lsbg, tmp_path, change, words):
    write_catalogs(tmp_path)
    paths = (tmp_path / "truth.fits", tmp_path / "annotated.fits", tmp_path / "out")
    code, out, err = lsbg("completeness", *paths, *change)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert words in err
    assert not (tmp_path / "out").exists()


def test_catalogs_of_other_kinds_are_refused(lsbg, tmp_path):
    write_catalogs(tmp_path)
    paths = (tmp_path / "annotated.fits", tmp_path / "annotated.fits", tmp_path / "out")
    assert "no column R_EFF" in lsbg("completeness", *paths)[2]
    paths = (tmp_path / "truth.fits", tmp_path / "truth.fits", tmp_path / "out")
    assert "annotate" in lsbg("completeness", *paths)[2]
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(InputError, match="not a measured completeness"):
        load_completeness(tmp_path / "bad.json")


@pytest.mark.long
def test_the_report_shows_a_completeness(lsbg, tmp_path):
    write_catalogs(tmp_path)
    truth, annotated = tmp_path / "truth.fits", tmp_path / "annotated.fits"
    assert lsbg("completeness", truth, annotated, tmp_path / "out", "-q")[0] == 0
    measured = tmp_path / "out" / "completeness.json"
    code, out, err = lsbg("report", annotated, tmp_path / "page", "--completeness", measured)
    assert code == 0, err
    content = json.loads(measured.read_text())
    assert f"recovered: {content['steps']['above']['fraction']:.3f}" in out
    page = (tmp_path / "page" / "index.html").read_text()
    assert "Completeness" in page and "mean surface brightness in g of 50%" in page
    for theme in ("light", "dark"):
        assert (tmp_path / "page" / "plots" / f"completeness-{theme}.svg").is_file()
    code, _, err = lsbg("report", annotated, tmp_path / "no", "--completeness", truth)
    assert code == 1 and "not a measured completeness" in err
    assert not (tmp_path / "no").exists()


def test_limits_are_those_of_the_faint_side_where_a_cut_drops_bright_galaxies():
    rng = np.random.default_rng(5)
    brightness = rng.uniform(24, 28, 3000)
    back = (brightness > 24.4) & (rng.random(3000) < 1 / (1 + np.exp(6 * (brightness - 26))))
    assert limit_of(brightness, back, 0.9, 0.683).value == pytest.approx(25.63, abs=0.25)
    assert limit_of(brightness, back, 0.5, 0.683).value == pytest.approx(26.0, abs=0.1)
