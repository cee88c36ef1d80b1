"""One table describes the columns that are added; names, order and leftovers follow from it."""

import pytest
from astropy.io.votable.ucd import check_ucd

from catalogs import InputError, find_lsbg_columns, lsbg_columns
from catalogs.columns import (
    DEFAULT_KEYS,
    NAMING_STYLES,
    OUTPUT_COLUMNS,
    already_there,
    check_free,
    columns_of,
)

NAMES = {
    "upper": ["P_LSBG", "P_LSBG_ERR", "FLAGS_LSBG"],
    "lower": ["p_lsbg", "p_lsbg_err", "flags_lsbg"],
    "rubin": ["lsbgProbability", "lsbgProbabilityErr", "lsbgFlags"],
}
ALL = tuple(column.key for column in OUTPUT_COLUMNS)


@pytest.mark.parametrize("style", NAMING_STYLES)
def test_the_names_and_their_order(style):
    assert [column.name for column in lsbg_columns((), style, keys=ALL)] == NAMES[style]
    by_default = [column.name for column in lsbg_columns((), style)]
    assert by_default == [NAMES[style][0], NAMES[style][2]]


def test_the_columns_are_well_described():
    for column in OUTPUT_COLUMNS:
        assert check_ucd(column.ucd, check_controlled_vocabulary=True, has_colon=False)
        assert column.description and set(column.names) == set(NAMING_STYLES)
        assert column.nullable == (column.dtype == "f4")
    assert DEFAULT_KEYS == ("probability", "flags")


def test_keys_that_do_not_exist_are_refused():
    with pytest.raises(InputError, match="choose from flags, probability, spread"):
        columns_of(("probability", "speed"))


@pytest.mark.parametrize("style", NAMING_STYLES)
def test_our_columns_are_found(style):
    probability, spread, flags = NAMES[style]
    found = find_lsbg_columns(["RA", *NAMES[style]], "t.fits")
    assert found == {"probability": probability, "spread": spread, "flags": flags}
    assert list(found) == list(ALL)
    without = find_lsbg_columns([flags, probability, "other"], "t.fits")
    assert without == {"probability": probability, "flags": flags}


@pytest.mark.parametrize("existing", [["RA"], ["P_LSBG"], [*NAMES["upper"], *NAMES["lower"]]])
def test_no_or_several_sets_of_columns_are_refused(existing):
    with pytest.raises(InputError, match=r"t\.fits: no single set"):
        find_lsbg_columns(existing, "t.fits")


def test_an_old_spread_does_not_stay_beside_a_new_probability():
    existing = ["RA", "p_lsbg_err", "lsbgFlags", "MAG"]
    assert already_there(lsbg_columns(existing), existing) == ["p_lsbg_err", "lsbgFlags"]
    with pytest.raises(InputError, match="already has the column p_lsbg_err"):
        check_free(lsbg_columns(existing), existing, "t.fits")
