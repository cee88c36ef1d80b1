"""Every usable row is in exactly one unit, and rows that share an image stay together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogs.sphere import on_sphere
from pipeline import plan
from pipeline.plan import make_plan


class Table:
    def __init__(self, positions):
        self.row_count = len(positions)
        self._positions = positions

    def read_positions(self, start, stop):
        return self._positions[start:stop]


class Groups:
    def __init__(self, groups):
        self._groups = groups

    def group(self, positions):
        if self._groups is None:
            return None
        return self._groups[positions[:, 0].astype(int) % len(self._groups)]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(0, 300),
    chunk=st.integers(1, 80),
    grouped=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_units_partition_the_usable_rows(rows, chunk, grouped, seed):
    rng = np.random.default_rng(seed)
    positions = np.stack([rng.integers(0, 360, rows), rng.uniform(-90, 90, rows)], axis=1)
    positions = positions.astype(float)
    positions[rng.random(rows) < 0.2] = np.nan
    groups = rng.integers(-1, 12, 37).astype(np.int32) if grouped else None
    plan = make_plan(Table(positions), Groups(groups), chunk)
    units = [unit.rows for unit in plan.units()]
    found = np.concatenate([*units, np.array([], int)])
    assert sorted(found) == np.flatnonzero(np.isfinite(positions[:, 0])).tolist()
    if grouped:
        tile = [set(groups[positions[unit, 0].astype(int) % 37]) for unit in units]
        assert sum(len(names) for names in tile) == len(set().union(*tile, set()))
    else:
        assert all(len(unit) <= chunk for unit in units)


@given(groups=st.lists(st.integers(-1, 4), min_size=1, max_size=80), chunk=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_units_that_share_an_image_have_a_number_in_common(groups, chunk):
    groups = np.array(groups, np.int32)
    positions = np.stack([np.arange(len(groups)), np.zeros(len(groups))], axis=1).astype(float)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "_LARGEST_UNIT", 5)
        units = list(make_plan(Table(positions), Groups(groups), chunk).units())
    for one, (rows, _, number) in enumerate(units):
        shared = [
            other
            for other, (others, _, _) in enumerate(units)
            if other != one and set(groups[rows]) & set(groups[others]) - {-1}
        ]
        assert (number is None) == (not shared)
        assert all(units[other].image == number for other in shared)


class Draw:
    """A selection that was drawn beforehand."""

    def __init__(self, kept):
        self._kept = kept

    def keep(self, catalog, start, stop):
        return self._kept[start:stop]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(0, 300),
    share=st.sampled_from([0, 0.01, 0.5, 1]),
    chunk=st.integers(1, 80),
    grouped=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_what_is_not_selected_is_not_in_the_plan(rows, share, chunk, grouped, seed):
    rng = np.random.default_rng(seed)
    positions = np.stack([rng.uniform(0, 360, rows), rng.uniform(-90, 90, rows)], axis=1)
    positions[rng.random(rows) < 0.2] = np.nan
    kept = rng.random(rows) < share
    groups = Groups(rng.integers(-1, 5, 37).astype(np.int32) if grouped else None)
    plan = make_plan(Table(positions), groups, chunk, selection=Draw(kept))
    units = list(plan.units())
    found = np.concatenate([*(unit.rows for unit in units), np.array([], int)])
    assert all((unit.places == plan.places_of(unit.rows)).all() for unit in units)
    assert sorted(found) == np.flatnonzero(kept & np.isfinite(positions[:, 0])).tolist()
    assert len(plan.positions) == kept.sum() and plan.row_count == rows
    np.testing.assert_array_equal(plan.positions[plan.places_of(found)], positions[found])
    places, numbers = plan.selected_between(rows // 3, rows)
    assert (numbers == np.flatnonzero(kept[rows // 3 :]) + rows // 3).all()
    np.testing.assert_array_equal(plan.positions[places], positions[numbers])


def test_positions_off_the_sphere():
    given_positions = np.array(
        [[0, 90], [360, -90], [-1e-9, 0], [361, 0], [10, 90.1], [10, -91], [np.inf, 0], [5, np.nan]]
    )
    usable = np.isfinite(on_sphere(given_positions)[:, 0])
    assert usable.tolist() == [True] * 4 + [False] * 4
