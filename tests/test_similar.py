"""Candidates like one, and odd ones: features computed once, searched in little memory."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from reports import PROVENANCE, keep_cutouts, random_columns, random_scores, write_annotated
from scipy.spatial import cKDTree

from catalogs.errors import InputError
from lsbg_classifier import load_classifier
from lsbg_classifier.cutouts.kept import open_kept
from lsbg_classifier.features import DIMENSIONS, STEP, fit_projection
from lsbg_classifier.weights.registry import find_weights
from pipeline.feature_file import FeatureFile, Features, features_path, writing_features
from pipeline.similar import most_similar, oddest

ROWS = 300


def made(folder, ending="fits"):
    """An annotated catalog of real weights with its cutouts; rows 7 and 20 have none."""
    columns, (probability, flags) = random_columns(ROWS), random_scores(ROWS)
    probability[:30] = np.linspace(0.1, 0.9, 30)
    sha256 = find_weights("des-simulated").card.sha256
    path = write_annotated(
        folder / f"annotated.{ending}",
        columns,
        probability,
        flags,
        PROVENANCE | {"weights_sha256": sha256},
    )
    rows = np.setdiff1d(np.flatnonzero(np.isfinite(probability)), [7, 20])
    positions = np.stack([columns["RA"], columns["DEC"]], axis=1)[rows]
    keep_cutouts(path, rows, positions, flags[rows], ROWS)
    return path


@pytest.fixture(scope="module")
def annotated(tmp_path_factory):
    return made(tmp_path_factory.mktemp("similar"))


@pytest.fixture(scope="module")
def kept(annotated):
    """Rows, cutouts and what the network sees in them."""
    rows = open_kept(annotated).rows
    cutouts, _ = open_kept(annotated).read(rows)
    return rows, cutouts, load_classifier("des-simulated").features(cutouts)


@pytest.fixture
def searched(lsbg, annotated, tmp_path):
    """Search a copy of the catalog; gives what the command gives, and the copy's path."""
    path = tmp_path / annotated.name
    shutil.copy(annotated, path)
    shutil.copytree(f"{annotated}.cutouts", f"{path}.cutouts")
    return lambda *more: (*lsbg("similar", path, *more), path)


@pytest.mark.long
@pytest.mark.slow
def test_neighbours_are_those_of_the_network_s_features(searched, kept):
    from sklearn.decomposition import PCA

    code, out, err, path = searched("--row", 3, "--count", 25)
    assert code == 0, err
    rows, _, features = kept
    whitened = PCA(DIMENSIONS, whiten=True).fit_transform(features.astype(float))
    whitened *= np.sqrt((len(rows) - 1) / len(rows))  # scikit-learn divides by N - 1
    place = int(np.flatnonzero(rows == 3)[0])
    exact = np.linalg.norm(whitened - whitened[place], axis=1)
    table = Table.read(path.with_name("annotated_similar_3.fits"))
    found = table["COADD_OBJECT_ID"]
    ids = np.asarray(Table.read(path)["COADD_OBJECT_ID"])
    places = np.searchsorted(rows, [int(np.flatnonzero(ids == one)[0]) for one in found])
    # bytes round each of 16 values by at most half a step
    assert np.abs(table["DISTANCE_LSBG"] - exact[places]).max() < STEP * np.sqrt(DIMENSIONS)
    assert 3 not in rows[places] and len(table) == 25
    assert exact[places].max() <= np.sort(exact)[26] + 2 * STEP * np.sqrt(DIMENSIONS)
    stored = FeatureFile(features_path(path)).read()
    numbers = stored.features.astype(float)
    (one,) = np.flatnonzero(stored.rows == 3)
    distances, _ = cKDTree(numbers).query(numbers[one], 26)
    assert np.allclose(np.sort(table["DISTANCE_LSBG"]), distances[1:] * STEP, atol=1e-5)
    nearest = next(line for line in out.splitlines() if line.startswith("row "))
    assert nearest.endswith(
        f"oddness {table['ODDNESS_LSBG'][np.argmin(table['DISTANCE_LSBG'])]:.1f}"
    )


@pytest.mark.slow
def test_the_catalog_of_matches_is_the_catalog(searched):
    """Columns of the catalog, units and provenance are there; a search in a search works."""
    code, _, err, path = searched("--row", 3, "--count", 4)
    assert code == 0, err
    whole, some = Table.read(path), Table.read(path.with_name("annotated_similar_3.fits"))
    assert some.colnames == [*whole.colnames, "DISTANCE_LSBG", "ODDNESS_LSBG"]
    rows = [
        int(np.flatnonzero(whole["COADD_OBJECT_ID"] == one)[0]) for one in some["COADD_OBJECT_ID"]
    ]
    for name in whole.colnames:
        np.testing.assert_array_equal(np.asarray(whole[name][rows]), np.asarray(some[name]))
    code, out, err, _ = searched("--odd", "--count", 3)
    assert code == 0, err
    odd = Table.read(path.with_name("annotated_odd.fits"))
    stored = FeatureFile(features_path(path)).read()
    assert np.allclose(np.sort(odd["ODDNESS_LSBG"]), np.sort(stored.oddness)[-3:])
    assert np.ma.getmaskarray(odd["DISTANCE_LSBG"]).all() and "distance" not in out


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["parquet"])
def test_other_formats(lsbg, tmp_path, ending):
    path = made(tmp_path, ending)
    code, _, err = lsbg("similar", path, tmp_path / f"out.{ending}", "--row", 3, "--count", 5, "-q")
    assert code == 0, err
    table = pq.read_table(tmp_path / f"out.{ending}")
    assert table.num_rows == 5 and table.column_names[-2:] == ["DISTANCE_LSBG", "ODDNESS_LSBG"]


@pytest.mark.long
@pytest.mark.slow
def test_oddness_is_what_flags_unlike_training(kept, searched):
    rows, cutouts, _ = kept
    classifier = load_classifier("des-simulated")
    stretched = np.concatenate([cutouts[:40], cutouts[:40, ..., ::-1], cutouts[:40] // 4])
    odd = classifier.oddness(stretched)
    flagged = classifier.unlike_training(stretched)
    assert ((odd > 0) == flagged).all() and flagged.any() and not flagged.all()
    *_, path = searched()
    stored = FeatureFile(features_path(path)).read()
    assert np.array_equal(stored.rows, rows)
    assert np.array_equal(stored.oddness, classifier.oddness(cutouts))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--row", 300), "no row 300: it has rows 0 to 299"),
        (("--row", 7), "row 7 has no cutout"),
        (("--row", 3, "--odd"), "--row and --odd: give one of them"),
        (("--page", "page"), "need --row N or --odd"),
        (("--row", 3, "--weights", "none-such"), "none-such"),
    ],
)
def test_mistakes_are_one_line(searched, more, message):
    code, _, err, path = searched(*more, "-q")
    assert code == 1 and message in err and err.count("\n") == 1
    assert not list(path.parent.glob("*similar*"))


@pytest.mark.long
@pytest.mark.slow
def test_what_is_there_is_not_replaced(searched):
    assert searched("--row", 3, "-q")[0] == 0
    code, _, err, path = searched("--row", 3, "-q")
    assert code == 1 and "exists already; add --overwrite" in err
    assert searched("--row", 3, "--overwrite", "-q")[0] == 0
    # features of other weights than the catalog's are not taken for its own
    assert searched("--weights", "des-real", "--overwrite", "-q")[0] == 0
    code, _, err, _ = searched("--row", 4)
    assert code == 1 and "made of another run (weights differ)" in err
    features_path(path).write_bytes(b"no Parquet")
    code, _, err, _ = searched("--row", 4)
    assert code == 1 and "no file of features" in err and err.count("\n") == 1
    assert searched("--row", 4, "--overwrite", "-q")[0] == 0


@pytest.mark.slow
def test_without_cutouts(lsbg, tmp_path):
    path = made(tmp_path)
    shutil.rmtree(f"{path}.cutouts")
    code, _, err = lsbg("similar", path, "--row", 3)
    assert code == 1 and "need" in err and "--cutouts" in err and err.count("\n") == 1


@pytest.mark.long
@pytest.mark.slow
def test_a_page_of_the_matches_alone(searched, tmp_path):
    page = tmp_path / "page"
    code, out, err, _ = searched("--row", 3, "--count", 6, "--page", page)
    assert code == 0, err and "wrote" in out
    assert (page / "index.html").exists()
    size = sum(file.stat().st_size for file in page.rglob("*") if file.is_file())
    assert size < 1_000_000 and len(list((page / "thumbnails").iterdir())) == 1


@pytest.mark.slow
def test_a_large_file_is_searched_part_by_part(tmp_path):
    rng = np.random.default_rng(3)
    features = rng.integers(-60, 60, (200_000, DIMENSIONS), np.int8)
    oddness = rng.normal(-5, 1, 200_000).astype(np.float32)
    rows = rng.permutation(300_000)[:200_000]
    with writing_features(tmp_path / "f.parquet", {"rows": 300_000}) as writer:
        for part in np.split(np.arange(200_000), 10):
            writer.add(Features(rows[part], features[part], oddness[part]))
    file = FeatureFile(tmp_path / "f.parquet")
    matches = most_similar(file, int(rows[77]), 9)
    distance, places = cKDTree(features.astype(float)).query(features[77].astype(float), 10)
    assert np.allclose([one.distance for one in matches], distance[1:] * STEP, atol=1e-4)
    assert {one.row for one in matches} == set(rows[places[1:]].tolist())
    assert [one.row for one in oddest(file, 5)] == rows[np.argsort(-oddness)[:5]].tolist()


def test_features_are_looked_up_by_row():
    stored = Features(np.array([5, 2, 9]), np.eye(3, 16, dtype=np.int8), np.arange(3, dtype="f4"))
    features, oddness, have = stored.at(np.array([9, 4, 5, 11]))
    assert have.tolist() == [True, False, True, False]
    assert (features[0] == stored.features[2]).all() and oddness[2] == 0 and np.isnan(oddness[1])


def test_no_candidate_is_odd_without_the_check(tmp_path):
    with writing_features(tmp_path / "f.parquet", {}) as writer:
        writer.add(Features(np.arange(2), np.zeros((2, 16), np.int8), np.full(2, np.nan, "f4")))
    with pytest.raises(InputError, match="without the check"):
        oddest(FeatureFile(tmp_path / "f.parquet"), 1)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_candidates_have_fewer_directions(count):
    features = np.random.default_rng(1).random((count, 40)).astype(np.float32)
    values = fit_projection(features).apply(features)
    assert values.shape == (count, DIMENSIONS) and not values[:, max(count - 1, 0) :].any()


def test_a_foreign_file_is_refused(tmp_path):
    pq.write_table(pa.table({"row": [1]}), tmp_path / "f.parquet")
    with pytest.raises(InputError, match="no file of features"):
        FeatureFile(tmp_path / "f.parquet")


@pytest.mark.slow
def test_both_engines_see_the_same(kept):
    _, cutouts, features = kept
    other = load_classifier("des-simulated", "keras").features(cutouts[:70])
    assert np.allclose(features[:70], other, atol=1e-4)
