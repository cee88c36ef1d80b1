"""What a card says of thresholds: counted right, refused when damaged, shown in plain words."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from catalogs.errors import InputError
from lsbg_classifier.weights.cards import Card
from lsbg_classifier.weights.registry import find_weights
from lsbg_classifier.weights.thresholds import (
    COLUMNS,
    MIXES,
    _percent,
    purity_of,
    threshold_table,
)
from pipeline.describe import describe_card

SHIPPED = ("des-real", "des-simulated")


def sample():
    """Four LSBGs, and 20 artifacts of which two are above 0.5."""
    probabilities = np.r_[0.95, 0.85, 0.65, 0.25, 0.75, 0.55, np.full(18, 0.05)]
    return np.repeat([1, 0], [4, 20]), probabilities


def test_a_table_counts_what_is_above_and_the_purity_that_follows():
    table = threshold_table(*sample())
    row = dict(zip(COLUMNS, (table[column][4] for column in COLUMNS), strict=True))
    assert row == {
        "threshold": 0.5,
        "completeness": 0.75,
        "artifacts_taken": 0.1,
        "purity_1_in_2": round(75 / 85, 3),
        "purity_1_in_5": round(150 / 230, 3),
        "purity_1_in_20": round(75 / 265, 3),
    }


def test_the_purity_is_that_of_a_sample_of_that_mix():
    labels, probabilities = sample()
    above = probabilities > 0.5
    assert purity_of(0.75, 0.1, 4 / 24) == pytest.approx(labels[above].mean())
    assert np.isnan(purity_of(0.0, 0.0, 0.5))


def test_a_threshold_above_all_candidates_has_no_row():
    labels, probabilities = sample()
    assert threshold_table(labels, probabilities / 2)["threshold"] == [0.1, 0.2, 0.3, 0.4]
    assert threshold_table(labels, probabilities / 20) == {}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_cards_have_thresholds_that_fit_their_scores(name):
    card = find_weights(name).card
    assert len(card.thresholds) == 2 and set(card.thresholds) <= set(card.scores)
    for sample_name, table in card.thresholds.items():
        scores, row = card.scores[sample_name], table["threshold"].index(card.threshold)
        assert table["completeness"][row] == pytest.approx(scores["completeness"], abs=0.0006)
        mix = scores["lsbgs"] / scores["count"]
        purity = purity_of(table["completeness"][row], table["artifacts_taken"][row], mix)
        assert purity == pytest.approx(scores["purity"], abs=0.006)
        for column, fraction in MIXES.items():
            follows = purity_of(table["completeness"][row], table["artifacts_taken"][row], fraction)
            assert table[column][row] == pytest.approx(follows, abs=0.02)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_card_shows_them_in_plain_words(name):
    shown = "\n".join(describe_card(name))
    for sample_name in find_weights(name).card.thresholds:
        assert f"\n  {sample_name}:\n    above  LSBGs kept  artifacts taken" in shown
    assert "thresholds, for probabilities without --prior" in shown


def test_what_is_not_quite_none_or_all_is_not_said_to_be(tmp_path, monkeypatch):
    monkeypatch.setenv("LSBG_WEIGHTS", str(tmp_path))
    labels = np.repeat([1, 0], 1000)
    table = threshold_table(labels, np.r_[np.full(1000, 0.15), [0.15], np.zeros(999)])
    card = replace(find_weights("des-real").card, name="mine", thresholds={"mine": table})
    card.write(tmp_path / "mine.json")
    (tmp_path / "mine.weights.h5").write_bytes(b"")
    assert "    0.1          100%              <1%  >99%  >99%   98%" in describe_card("mine")


@pytest.mark.parametrize(
    ("part", "text"),
    [(0, "0%"), (0.001, "<1%"), (0.005, "<1%"), (0.006, "1%"), (0.995, ">99%"), (1, "100%")],
)
def test_parts_are_rounded_but_never_to_none_or_all(part, text):
    assert _percent(part) == text


@pytest.mark.parametrize(
    "damage",
    [
        {"threshold": [0.5]},
        {column: [0.5] for column in COLUMNS} | {"purity_1_in_2": [0.5, 0.6]},
        {column: [1.5] for column in COLUMNS},
        {column: [] for column in COLUMNS},
        {column: ["0.5"] for column in COLUMNS},
        "all of it",
    ],
)
def test_a_damaged_table_is_refused(damage, tmp_path):
    card = asdict(find_weights("des-real").card) | {"thresholds": {"mine": damage}}
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="tables of thresholds by sample"):
        Card.read(tmp_path / "card.json")
