"""`lsbg completeness` on catalogs as Rubin's source_injection and its pipelines write them."""

import json

import numpy as np
import pyarrow as pa
import pytest
from astropy.table import Table
from pyarrow import parquet

from pipeline.injection.completeness import read_candidates, read_mocks_table

COUNT = 120


def injected(seed=1):
    """The sources of the documentation's example, at a density of real injections."""
    rng = np.random.default_rng(seed)
    return Table(
        {
            "injection_id": np.arange(COUNT),
            "ra": 149.9 + 0.01 * (np.arange(COUNT) % 12),
            "dec": 2.1 + 0.01 * (np.arange(COUNT) // 12),
            "source_type": np.where(np.arange(COUNT) % 10 == 9, "Star", "Sersic"),
            "mag": rng.uniform(18.5, 21.5, COUNT),
            "n": rng.choice([0.5, 1.0, 1.5], COUNT),
            "half_light_radius": rng.choice([3.0, 4.0, 6.0], COUNT),
            "q": rng.uniform(0.5, 1.0, COUNT),
            "beta": rng.uniform(0, 180, COUNT),
        }
    )


def write_parquet(table, path, **metadata):
    columns = {name: pa.array(np.asarray(table[name]).tolist()) for name in table.colnames}
    parquet.write_table(pa.table(columns), path)
    return path


def object_table(path, truth, is_recovered):
    """Objects of the deblended tract, annotated by the task of this package."""
    rows = np.flatnonzero(is_recovered)
    step = 0.4 / 3600
    ra, dec = np.asarray(truth["ra"])[rows], np.asarray(truth["dec"])[rows]
    parent = rows[:5]  # parents of blends lie nearer than their children
    count = len(rows) + len(parent)
    columns = {
        "objectId": 3_400_000_000_000_000_000 + np.arange(count),
        "coord_ra": [*(ra + step), *np.asarray(truth["ra"])[parent]],
        "coord_dec": [*dec, *np.asarray(truth["dec"])[parent]],
        "detect_isPrimary": [True] * len(rows) + [False] * len(parent),
        "g_cModelFlux": np.full(count, 900.0),
        "lsbgProbability": np.float32([*np.where(rows % 4 == 0, 0.2, 0.9), *[0.1] * len(parent)]),
        "lsbgFlags": np.zeros(count, np.int16),
    }
    return write_parquet(Table(columns), path)


def catalog_of(kind):
    """What went in, what was injected into one band, or the bands of a tract; and rows to use."""
    truth = injected()
    used = np.asarray(truth["source_type"]) == "Sersic"
    if kind != "catalog":
        truth["injection_flag"] = np.where(np.arange(COUNT) < 6, 4, 0).astype(np.int32)
        truth["injection_draw_size"] = np.full(COUNT, 200, np.int32)
        used &= np.arange(COUNT) >= 6
    if kind == "consolidated":
        truth["g_mag"], truth["r_mag"] = truth["mag"], truth["mag"] - 0.45
        truth.remove_column("mag")
        truth["injected_id"] = np.arange(COUNT)
        truth["injected_isPrimary"] = np.arange(COUNT) < 110
        used &= np.arange(COUNT) < 110
    return truth, used


def brightness_of(truth):
    return np.asarray(truth["mag"] + 2.5 * np.log10(2 * np.pi * truth["half_light_radius"] ** 2))


@pytest.mark.parametrize("kind", ["catalog", "injected", "consolidated"])
def test_catalogs_of_source_injection_are_the_truth(tmp_path, kind):
    truth, used = catalog_of(kind)
    mocks = read_mocks_table(write_parquet(truth, tmp_path / "truth.parquet"), "g")
    np.testing.assert_allclose(mocks.properties["MU_MEAN_G"], brightness_of(injected())[used])
    np.testing.assert_allclose(mocks.properties["R_EFF"], truth["half_light_radius"][used])
    np.testing.assert_allclose(mocks.properties["ELLIPTICITY"], 1 - truth["q"][used])
    np.testing.assert_array_equal(mocks.properties["SERSIC_N"], truth["n"][used])
    np.testing.assert_allclose(mocks.sky.positions[:, 0], truth["ra"][used])
    assert ("MAG_R" in mocks.properties) == (kind == "consolidated")


def test_a_magnitude_without_a_band_is_that_of_the_option(tmp_path):
    path = write_parquet(injected(), tmp_path / "truth.parquet")
    assert "MU_MEAN_I" in read_mocks_table(path, "i").properties


@pytest.mark.slow
def test_the_command_counts_primary_objects_against_injected_galaxies(lsbg, tmp_path):
    truth, used = catalog_of("consolidated")
    brightness, galaxies = brightness_of(injected()), np.asarray(truth["source_type"]) == "Sersic"
    is_recovered = galaxies & (brightness < np.median(brightness[galaxies]))
    path = write_parquet(truth, tmp_path / "truth.parquet")
    objects = object_table(tmp_path / "objects.parquet", truth, is_recovered)
    assert len(read_candidates(objects).sky) == is_recovered.sum()
    code, _, err = lsbg("completeness", path, objects, tmp_path / "out")
    assert code == 0, err
    assert "12 rows are left out: they are no galaxies" in err
    assert "objects are primary (detect_isPrimary)" in err
    content = json.loads((tmp_path / "out" / "completeness.json").read_text())
    assert content["mocks"] == used.sum()
    above = is_recovered & (np.arange(COUNT) % 4 != 0)
    for step, wanted in (("detected", is_recovered), ("above", above)):
        fraction = content["steps"][step]["fraction"]
        assert fraction == pytest.approx((used & wanted).sum() / used.sum())
