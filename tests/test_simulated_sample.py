"""The sample from simulated sky: whole surveys a split, sorted in two stages, resumed."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from catalogs import InputError
from lsbg_classifier.training import simulated
from lsbg_classifier.training.baselines import baseline_probabilities
from lsbg_classifier.training.dataset_parts import part_path, read_part
from lsbg_classifier.training.samples import SPARE, SPLITS
from lsbg_classifier.training.simulated import SEARCH, SIZES, SamplePlan, simulated_dataset

pytestmark = pytest.mark.long

PLAN = SamplePlan("des", surveys=5, tiles=1, tile_size=900, seed=1000)
OF_PART = [SEARCH, "train", "train", "validation", "test"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return simulated_dataset(tmp_path_factory.mktemp("sample"), PLAN)


@pytest.fixture(scope="module")
def parts(dataset):
    return [read_part(part_path(dataset.folder, number)) for number in range(PLAN.surveys)]


def column(part, name):
    return np.array(part[name].to_pylist())


def test_whole_surveys_make_up_each_split(parts):
    for split, part in zip(OF_PART, parts, strict=True):
        wanted = {SEARCH} if split == SEARCH else {split, SPARE + split}
        assert set(part["split"].to_pylist()) <= wanted
        assert split in part["split"].to_pylist()
    assert not any((part["split"].to_numpy() == SEARCH).any() for part in parts[1:])


def test_splits_have_as_many_lsbgs_as_artifacts_of_type_2(dataset):
    for split in SPLITS:
        _, labels = dataset.load(split)
        assert len(labels) and (labels == 1).sum() == (labels == 0).sum()
        _, types = dataset.load(split, labels="artifact_type")
        np.testing.assert_array_equal(types, np.where(labels == 1, 0, 2))


def test_spare_rows_are_what_a_balanced_split_cannot_take(parts):
    for split, part in zip(OF_PART[3:], parts[3:], strict=True):
        label, types, of_row = (column(part, name) for name in ("label", "artifact_type", "split"))
        np.testing.assert_array_equal(types == 0, label == 1)
        spare = of_row == SPARE + split
        assert (spare[types == 1]).all() and (types == 1).any()
        taken = [(~spare & (types == kind)).sum() for kind in (0, 2)]
        assert taken[0] == taken[1] > 0
        assert not (spare & (types == 2)).any() or (types == 2).sum() > taken[1]


def test_spare_rows_are_loaded_when_asked_for(dataset, parts):
    images, labels = dataset.load("train", spare=True)
    assert (
        len(images) == len(labels) == len(parts[1]) + len(parts[2]) > len(dataset.load("train")[1])
    )
    assert len(dataset.load()[1]) == sum(len(dataset.load(split)[1]) for split in SPLITS)
    assert dataset.failed() == []


def test_images_show_what_the_labels_say(dataset):
    """Galaxies of low surface brightness lie in the middle of their cutouts."""
    images, labels = dataset.load("train", spare=True)
    middle = images[labels == 1][:, 26:38, 26:38].mean() - images[labels == 1][:, :8].mean()
    assert middle > 3
    assert images.std(axis=(1, 2, 3)).min() > 0


def test_baselines_run_on_it(dataset):
    for labels, probabilities in baseline_probabilities(dataset).values():
        assert len(labels) == len(dataset.load("test")[1])
        assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_a_second_call_makes_nothing_again(dataset, parts):
    paths = [part_path(dataset.folder, number) for number in range(PLAN.surveys)]
    before, told = [path.stat().st_mtime_ns for path in paths], []
    again = simulated_dataset(dataset.folder, PLAN, progress=lambda *done: told.append(done))
    assert told == [] and [path.stat().st_mtime_ns for path in paths] == before
    assert again.manifest == dataset.manifest
    assert all(read_part(path).equals(part) for path, part in zip(paths, parts, strict=True))


@pytest.mark.long
def test_parts_that_are_lost_are_made_again_the_same(dataset, parts):
    for number in (OF_PART.index(SEARCH), 3):
        part_path(dataset.folder, number).unlink()
    told = []
    simulated_dataset(dataset.folder, PLAN, progress=lambda *done: told.append(done))
    assert told == [(4, 5), (5, 5)]
    for made, part in enumerate(parts):
        assert read_part(part_path(dataset.folder, made)).equals(part)
    assert not list(dataset.folder.glob("scratch-*"))


@pytest.mark.parametrize("change", [{"seed": 7}, {"tile_size": 901}, {"tiles": 2}])
def test_another_sample_is_not_mixed_in(dataset, change):
    with pytest.raises(InputError, match="another sample or source"):
        simulated_dataset(dataset.folder, replace(PLAN, **change))


@pytest.mark.parametrize("survey", SIZES)
@pytest.mark.parametrize("count", [3, 4, 7, 47, 200])
def test_surveys_are_shared_out_in_order(survey, count):
    splits = simulated._survey_splits(survey, count)
    order = [SPLITS.index(split) for split in splits]
    assert len(splits) == count and all(one <= other for one, other in pairwise(order))
    wanted = {split for split, size in SIZES[survey].items() if size}
    assert set(splits) == wanted
