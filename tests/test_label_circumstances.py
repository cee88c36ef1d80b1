"""Labels know how they were given; the prior is taken from those drawn at random."""

import json

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom

from catalogs.errors import InputError
from lsbg_classifier.training.judgements import read_judgements
from lsbg_classifier.training.label_circumstances import circumstance_notes
from lsbg_classifier.training.prior import estimate_prior, prior_notes
from lsbg_classifier.training.teaching import sample_of_labels

HEADER = "ra,dec,label,labeller,time,chosen,report,weights,blind"


def write(path, *rows, header=HEADER):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture
def labels(tmp_path):
    """Thirty drawn at random, two of them in sight of the probability; thirty others."""
    rows = [
        f"{10 + number / 10:.5f},1,{('artifact', 'LSBG')[number % 3 == 0]},ada,,"
        f"{('taught', 'random')[number < 30]},f00d,des-real 2916199a,"
        f"{int(number not in (3, 9, 44))}"
        for number in range(60)
    ]
    return write(tmp_path / "labels.csv", *rows, "20,1,LSBG,ada,,browsed,,,")


def test_labels_know_how_they_were_given(labels):
    judgements = read_judgements(labels)
    entry = judgements.entries[0]
    assert (entry.report, entry.weights, entry.blind) == ("f00d", "des-real 2916199a", True)
    assert judgements.entries[3].blind is False and judgements.entries[-1].blind is None
    assert circumstance_notes(judgements) == (
        "57 labels were given blind, 3 with the probability shown, of 1 it is not known",
        "2 labels of candidates drawn at random were given with the probability shown, which can "
        "lead the eye: scores against them flatter the weights that gave it",
        "labels were given in 1 report of the weights des-real 2916199a",
    )
    notes = sample_of_labels(labels, seed=1).notes
    assert set(circumstance_notes(judgements)) <= set(notes)


def test_what_was_chosen_to_teach_is_trained_on(labels):
    sample = sample_of_labels(labels, seed=1)
    assert sample.count("test") == (10, 20) and sample.count("train") == (11, 20)


def test_files_that_do_not_know_say_nothing(tmp_path):
    path = write(tmp_path / "old.csv", "10,1,LSBG", header="ra,dec,label")
    assert circumstance_notes(read_judgements(path)) == ()


@pytest.mark.parametrize(("text", "blind"), [("1", True), ("true", True), ("0", False), ("", None)])
def test_blind_in_all_its_words(tmp_path, text, blind):
    path = write(tmp_path / "labels.csv", f"10,1,LSBG,,,,,,{text}")
    assert read_judgements(path).entries[0].blind is blind


def test_a_word_that_is_none_of_them(tmp_path):
    path = write(tmp_path / "labels.csv", "10,1,LSBG,,,,,,perhaps")
    with pytest.raises(InputError, match="line 2: blind must be 1 or 0, not 'perhaps'"):
        read_judgements(path)


def session(path, **changes):
    label = {
        "ra": 10, "dec": -1.25, "label": "LSBG", "labeller": "ada", "chosen": "random",
        "time": "2026-05-04T10:12:00.000Z", "blind": True, "report": "f00d", "weights": "des",
    }  # fmt: skip
    content = {"kind": "lsbg labelling session", "labels": [label | changes]}
    path.write_text(json.dumps(content))
    return path


def test_a_session_is_a_file_of_labels(tmp_path):
    (entry,) = read_judgements(session(tmp_path / "session.json")).entries
    assert entry.position == (10, -1.25) and entry.blind is True and entry.decimals == 7
    assert (entry.labeller, entry.chosen, entry.report) == ("ada", "random", "f00d")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"labels": 3}', "no labelling session"),
        ('{"labels": [[1, 2]]}', "no labelling session"),
        ('{"kind": "other"}', "no labelling session"),
        ("{", "no labelling session"),
    ],
)
def test_what_is_no_session(tmp_path, content, message):
    (tmp_path / "session.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_judgements(tmp_path / "session.json")
    with pytest.raises(InputError, match="label 1: label must be"):
        read_judgements(session(tmp_path / "session.json", label="LSB"))


@pytest.mark.parametrize(("lsbgs", "count"), [(0, 20), (1, 30), (6, 60), (29, 30), (30, 30)])
def test_the_interval_is_that_of_the_posterior(lsbgs, count):
    """Integrated anew: the likelihood times Jeffreys' prior, p^(-1/2) (1 - p)^(-1/2)."""
    prior = estimate_prior(np.repeat([1, 0], [lsbgs, count - lsbgs]))

    def density(angle):  # p = sin^2(angle) takes the ends of Jeffreys' prior away
        return binom.pmf(lsbgs, count, np.sin(angle) ** 2)

    def part(low, high):
        ends = np.arcsin(np.sqrt([low, high]))
        return quad(density, *ends, limit=200)[0]

    whole = part(0, 1)
    assert part(0, prior.low) / whole == pytest.approx(0 if lsbgs == 0 else 0.025, abs=1e-6)
    assert part(prior.high, 1) / whole == pytest.approx(0 if lsbgs == count else 0.025, abs=1e-6)
    mean = quad(lambda angle: np.sin(angle) ** 2 * density(angle), 0, np.pi / 2)[0] / whole
    assert prior.value == pytest.approx(mean, abs=1e-6)
    assert 0 < prior.value < 1 and str(prior).startswith(f"{prior.value:.3f} (")


def test_too_few_say_nothing_of_all(tmp_path):
    assert estimate_prior(np.ones(19, int)) is None
    rows = [f"{10 + number},1,{number % 2},a,,{'random'}" for number in range(6)]
    path = write(tmp_path / "few.csv", *rows, header="ra,dec,label,labeller,time,chosen")
    (note,) = prior_notes(read_judgements(path).consensus())
    assert note == (
        "the prior is not taken from the 6 labels drawn at random: at least 20 are needed"
    )
    path = write(tmp_path / "none.csv", "10,1,LSBG", header="ra,dec,label")
    assert prior_notes(read_judgements(path).consensus()) == []
