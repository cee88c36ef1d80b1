"""`--sample injected`: mocks in real sky, real candidates, simulated artifacts; ends in weights."""

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table
from test_train import history, run

from catalogs import InputError, open_catalog
from lsbg_classifier.injection.chain import Search
from lsbg_classifier.injection.labels import KnownLsbgs
from lsbg_classifier.injection.mocks import read_mocks
from lsbg_classifier.injection.placement import Placement
from lsbg_classifier.injection.tiles import Request
from lsbg_classifier.training.dataset_parts import part_path
from lsbg_classifier.training.injected import InjectedPlan, injected_dataset
from lsbg_classifier.training.label_noise import NOISE_FILE, unlabelled_fraction
from lsbg_classifier.training.samples import SPLITS
from lsbg_classifier.training.sky_splits import _counts, _of_sky
from lsbg_classifier.weights.cards import Card

pytestmark = pytest.mark.long

SHARE = 0.25


@pytest.fixture(scope="module")
def plan(small_survey):
    placement = Placement(1.5, 35.0)
    return InjectedPlan(
        small_survey.tiles,
        Request(read_mocks("des"), placement, seed=4),
        Search(),
        repeats=2,
        known=KnownLsbgs.read(str(small_survey.placed)),
        density=2000.0,
        simulated_share=SHARE,
        artifact_tiles=600,
    )


@pytest.fixture(scope="module")
def dataset(plan, tmp_path_factory):
    return injected_dataset(tmp_path_factory.mktemp("sample") / "cutouts", plan)


def test_rows_are_mocks_real_candidates_and_artifacts(dataset, small_survey):
    content = json.loads((dataset.folder / NOISE_FILE).read_text())
    table = dataset.table(spare=True).to_pandas()
    counts = [
        int(((table["label"] == label) & (table["simulated"] == simulated)).sum())
        for label, simulated in ((1, 0), (0, 0), (0, 1))
    ]
    assert counts == [content[key] for key in ("mocks", "real_candidates", "simulated_artifacts")]
    assert min(counts) >= 5
    assert counts[2] / (counts[1] + counts[2]) == pytest.approx(SHARE, abs=0.02)
    known = Table.read(small_survey.placed)
    real = table[(table["label"] == 0) & (table["simulated"] == 0)]
    for ra, dec in zip(real["ra"], real["dec"], strict=True):
        north = (known["DEC"] - dec) * 3600
        east = (known["RA"] - ra) * 3600 * np.cos(np.radians(dec))
        assert np.hypot(east, north).min() > 10
    expected = 2000 * content["square_degrees"] - content["known_lsbgs"]
    assert content["known_lsbgs"] == len(known)
    assert content["expected_unknown_lsbgs"] == pytest.approx(max(expected, 0))
    assert content["unlabelled_fraction"] == pytest.approx(
        content["expected_unknown_lsbgs"] / (counts[1] + counts[2])
    )
    assert unlabelled_fraction(dataset.folder) == content["unlabelled_fraction"]
    covered = 2 * (900 * 0.263 / 3600) ** 2
    assert 0.8 * covered < content["square_degrees"] <= covered * 1.001


def test_splits_share_no_sky_and_are_balanced(dataset):
    table = dataset.table(columns=["split", "label", "simulated"]).to_pandas()
    for split in SPLITS:
        here = table[table["split"] == split]
        assert (here["label"] == 1).sum() == (here["label"] == 0).sum()
    train = table[(table["split"] == "train") & (table["label"] == 0)]
    assert train["simulated"].mean() == pytest.approx(SHARE, abs=0.1)


def test_lost_parts_are_made_again_the_same(dataset, plan):
    paths = [part_path(dataset.folder, number) for number in range(dataset.manifest.parts)]
    before, told = [path.read_bytes() for path in paths], []
    for path in (paths[1], paths[-1]):
        path.unlink()
    noise = (dataset.folder / NOISE_FILE).read_text()
    for name in ("label-noise-00000.json", "label-noise-00002.json", "label-noise-00003.json"):
        (dataset.folder / name).write_text(json.dumps({"square_degrees": 0.0, "known": 0}))
    (dataset.folder / NOISE_FILE).unlink()
    injected_dataset(dataset.folder, plan, progress=lambda *done: told.append(done))
    assert told == [(4, 4)]
    assert [path.read_bytes() for path in paths] == before
    (dataset.folder / NOISE_FILE).write_text(noise)
    with pytest.raises(InputError, match="another sample or source"):
        injected_dataset(dataset.folder, replace(plan, density=1.0))


def test_tiles_end_in_weights(small_survey, tmp_path):
    """A survey without labels: its tiles alone, by the command, and what the card says."""
    arguments = ("out", "--sample", "injected", "--tiles", small_survey.tiles, "--density", "1.5")
    arguments += ("--lsbg-density", "1500", "--recipe", "published", "--epochs", "2")
    planned = run(tmp_path, "lsbg-train-des", *arguments, "--dry-run")
    assert (planned.returncode, planned.stderr) == (0, "")
    assert "about 13.0 unknown ones are expected" in planned.stdout
    assert "MAG_AUTO_I is the mean of r and z" in planned.stdout
    assert not (tmp_path / "out").exists()
    done = run(tmp_path, "lsbg-train-des", *arguments)
    assert done.returncode == 0, done.stderr
    assert "registered as 'my-injected-des'" in done.stdout
    assert "are LSBGs that nobody has labelled" in done.stdout
    card = Card.read(tmp_path / "weights" / "my-injected-des.json")
    assert card.survey == "des"
    assert "mocks (des) in real sky of tiles" in card.sample
    assert "its LSBGs are mocks" in card.limitations and "corrected" in card.limitations
    assert card.recipe.startswith("lsbg-train-des out --sample injected --tiles")
    noise = unlabelled_fraction(tmp_path / "out" / "cutouts")
    assert noise > 0 and card.prior == pytest.approx(0.5 + noise / 2, abs=1e-3)
    assert [row["epoch"] for row in history(tmp_path / "out")] == [1, 2]
    options = (small_survey.candidates, "scored.fits", "--cutouts", f"tiles:{small_survey.tiles}")
    scored = run(tmp_path, "lsbg", "classify", *options, "--weights", "my-injected-des")
    assert scored.returncode == 0, scored.stderr
    assert np.isfinite(open_catalog(tmp_path / "scored.fits").read_column("P_LSBG", 0, 20)).any()
    made = sorted((tmp_path / "out" / "cutouts").glob("part-*"))
    before = [path.stat().st_mtime_ns for path in made]
    more = ("--resume", "--epochs", "3")
    again = run(tmp_path, "lsbg-train-des", *arguments[:-2], *more)
    assert again.returncode == 0, again.stderr
    assert [path.stat().st_mtime_ns for path in made] == before
    assert [row["epoch"] for row in history(tmp_path / "out")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--sample", "injected"), "name it with --tiles FOLDER"),
        (("--sample", "injected", "--tiles", "nowhere"), "nowhere"),
        (("--sample", "simulated", "--repeats", "3"), "--repeats is for --sample injected"),
        (("--sample", "injected", "--tiles", ".", "--mocks", "none"), "no mocks of this name"),
        (("--sample", "injected", "--tiles", ".", "--simulated-share", "1"), "0.99"),
        (("--sample", "injected", "--tiles", ".", "--exclude", "none.fits"), "none.fits"),
    ],
)
def test_what_cannot_be_made_is_said(monkeypatch, capsys, tmp_path, arguments, words):
    import sys

    from pipeline import train

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lsbg-train-des", "out", *arguments])
    with pytest.raises(SystemExit) as ending:
        train.des()
    said = capsys.readouterr().err + str(ending.value.code)
    assert ending.value.code not in (0, None) and words in said
    assert not (tmp_path / "out").exists()


def test_artifacts_keep_their_share_of_the_others():
    assert _counts(100, 300, 100, 0.25) == (100, 75, 25)
    assert _counts(100, 30, 10, 0.25) == (40, 30, 10)
    assert _counts(100, 60, 0, 0.0) == (60, 60, 0)
    assert _counts(0, 60, 20, 0.25) == (0, 0, 0)


def test_a_cell_of_the_sky_is_in_one_split():
    rng = np.random.default_rng(3)
    columns = {
        "tile": np.repeat(["a", "b"], 500),
        "x": rng.uniform(0, 2600, 1000),
        "y": rng.uniform(0, 2600, 1000),
        "simulated": np.zeros(1000, np.int8),
    }
    splits = _of_sky(columns, (0.75, 0.125, 0.125), rng)
    parts = [np.mean(splits == split) for split in SPLITS]
    assert np.abs(np.array(parts) - [0.75, 0.125, 0.125]).max() < 0.06
    xy = np.stack([columns["x"], columns["y"]], axis=1)
    a = np.flatnonzero(columns["tile"] == "a")
    apart = np.hypot(*(xy[a, None] - xy[None, a]).transpose(2, 0, 1))
    near = apart < 20  # most neighbours share a cell of about 470 arcsec
    assert (splits[a][:, None] == splits[a][None])[near].mean() > 0.95
