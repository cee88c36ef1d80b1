"""In which order candidates are best labelled, and who of several labellers sees what."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogs.errors import InputError
from lsbg_classifier.training.strategies import (
    NEED_FEATURES,
    STRATEGIES,
    Pool,
    learning_order,
    looked_at,
)
from pipeline.report.queue import EVERYBODY, QueuePlan, check_queue


def clusters(sizes=(400, 30, 30, 30), seed=1):
    """Candidates in groups far from each other; the first is by far the largest."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    features = 20 * np.eye(8)[group] + rng.normal(0, 0.5, (len(group), 8))
    return Pool(rng.uniform(0.02, 0.98, len(group)), 0.5, features), group


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_order_is_of_different_candidates_and_repeats(strategy):
    pool, _ = clusters()
    order = learning_order(strategy, pool, 60, seed=4)
    assert len(set(order.tolist())) == 60 and order.min() >= 0 and order.max() < 490
    assert np.array_equal(order, learning_order(strategy, pool, 60, seed=4))
    everything = learning_order(strategy, pool, 10_000, seed=4)
    assert np.array_equal(np.sort(everything), np.arange(490))


def test_the_uncertain_come_in_the_order_of_their_distance_from_the_threshold():
    probability = np.array([0.9, 0.31, 0.28, 0.6, 0.02])
    assert learning_order("uncertain", Pool(probability, 0.3), 3).tolist() == [1, 2, 4]


def test_the_diverse_are_of_all_kinds_at_once():
    """Four of the diverse are of four groups, of which chance seldom finds the small ones."""
    pool, group = clusters()
    groups = {
        strategy: [
            len(set(group[learning_order(strategy, pool, 4, seed)].tolist())) for seed in range(20)
        ]
        for strategy in ("diverse", "both", "random")
    }
    assert np.mean(groups["diverse"]) > 3.9
    assert np.mean(groups["both"]) > np.mean(groups["random"]) + 0.5


def test_both_are_uncertain_as_well():
    pool, _ = clusters(sizes=(490,))
    doubts = {
        strategy: np.mean(
            [pool.doubt[learning_order(strategy, pool, 40, s)].mean() for s in range(5)]
        )
        for strategy in STRATEGIES
    }
    assert doubts["uncertain"] > doubts["both"] > doubts["random"] + 0.03
    assert abs(doubts["diverse"] - doubts["random"]) < 0.05


def test_doubt_is_greatest_at_the_threshold():
    pool = Pool(np.array([0.0, 0.1, 0.3, 0.6, 1.0]), 0.3)
    assert pool.doubt[2] == 0.5 and np.argmax(pool.doubt) == 2
    assert (pool.doubt[[0, 4]] < 1e-5).all()


@pytest.mark.parametrize("strategy", NEED_FEATURES)
def test_few_are_looked_at(strategy):
    pool, _ = clusters()
    rows = looked_at(strategy, pool, 10)
    assert len(rows) == 100 and np.array_equal(rows, np.unique(rows))
    assert len(looked_at(strategy, pool, 400)) == 490


def test_the_same_cutout_many_times_is_no_obstacle():
    pool = Pool(np.full(50, 0.4), 0.5, np.zeros((50, 3)))
    for strategy in NEED_FEATURES:
        assert len(set(learning_order(strategy, pool, 20).tolist())) == 20
    empty = Pool(np.empty(0), 0.5, np.empty((0, 3)))
    assert not any(len(learning_order(strategy, empty, 5)) for strategy in STRATEGIES)


@pytest.mark.parametrize(("strategy", "features"), [("none", np.eye(3)), ("both", None)])
def test_what_cannot_be_ordered(strategy, features):
    with pytest.raises(ValueError, match="strategy"):
        learning_order(strategy, Pool(np.full(3, 0.5), 0.5, features), 2)


@given(
    people=st.integers(1, 6), overlap=st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]),
    each=st.integers(0, 400),
)  # fmt: skip
def test_each_labeller_gets_as_many_and_shares_as_many(people, overlap, each):
    names = tuple("abcdef"[:people])
    plan = QueuePlan(labellers=names, overlap=overlap)
    owners = plan.owners(plan.size(each), each)
    shared = np.count_nonzero(owners == EVERYBODY)
    assert abs(shared - overlap * each) <= 1
    for number in range(people):
        assert abs(np.count_nonzero(owners == number) + shared - each) <= 1
    if each >= 200 and overlap == 0.2:  # nobody has to wait for the shared ones
        beginning = owners[: len(owners) // 4]
        assert abs(np.count_nonzero(beginning == EVERYBODY) - shared / 4) <= 2


def test_without_names_everybody_sees_all():
    plan = QueuePlan()
    assert plan.size(40) == 40 and (plan.owners(40, 40) == EVERYBODY).all()


@pytest.mark.parametrize(
    ("strategy", "labellers", "overlap"),
    [
        ("best", (), 0.2),
        ("both", ("ann", "Ann"), 0.2),
        ("both", ("ann", ""), 0.2),
        ("both", ("ann", "bob"), 1.5),
    ],
)
def test_options_that_make_no_sense(strategy, labellers, overlap):
    with pytest.raises(InputError, match="--"):
        check_queue(strategy, labellers, overlap)
