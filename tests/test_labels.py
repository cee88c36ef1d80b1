"""Labels given by eye: reading judgements, the consensus, how labellers agree, what is taught."""

import numpy as np
import pytest

from catalogs.errors import InputError
from catalogs.matching import KnownPositions
from lsbg_classifier.training.judgements import cohen_kappa, read_judgements
from lsbg_classifier.training.label_matching import match_judgements
from lsbg_classifier.training.teaching import sample_of_labels

HEADER = "ra,dec,label,labeller,time,chosen"


@pytest.fixture
def file(tmp_path):
    def write(*lines, header=HEADER, name="labels.csv"):
        path = tmp_path / name
        path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        return path

    return write


def test_what_a_file_says(file):
    path = file(
        "10.0,-5.0,LSBG,ada,2026-01-01T10:00:00Z,random",
        "20.0,-5.0,artifact,ada,2026-01-01T10:01:00Z,uncertain",
        "30.0,-5.0,unsure,ada,2026-01-01T10:02:00Z,browsed",
        "40.0,-5.0,1,ada,2026-01-01T10:03:00Z,",
        "50.0,-5.0,0,ada,2026-01-01T10:04:00Z,browsed",
        "60.0,-5.0,,ada,2026-01-01T10:05:00Z,browsed",
    )
    found = read_judgements(path)
    assert found.verdicts["ada"].tolist() == [1, 0, -1, 1, 0, -1]
    consensus = found.consensus()
    assert consensus.positions[:, 0].tolist() == [10, 20, 40, 50]
    assert consensus.labels.tolist() == [1, 0, 1, 0]
    assert consensus.random.tolist() == [True, False, False, False]
    assert (consensus.unsure, consensus.ties) == (2, 0)
    assert consensus.notes() == ("2 left out: unsure",)


def test_three_columns_are_enough(file):
    path = file("10,1,lsbg", "", "20,1,ARTIFACT", header="RA, Dec ,Label")
    consensus = read_judgements(path).consensus()
    assert consensus.labels.tolist() == [1, 0] and not consensus.random.any()


def test_a_file_of_a_spreadsheet(tmp_path):
    """With a byte order mark, quotes and the line ends of another system."""
    path = tmp_path / "labels.csv"
    path.write_bytes('\ufeffra,dec,label,labeller\r\n"10","1","LSBG","a, b"\r\n'.encode())
    assert list(read_judgements(path).verdicts) == ["a, b"]


SEMICOLONS = """\ufeffra;dec;label;labeller;time;chosen
32,4044970;-39,8931559;artifact;Vera;2026-01-01T10:00:00Z;random
31,9227317;-39,9695043;LSBG;Vera;2026-01-01T10:01:00Z;uncertain
"""


@pytest.mark.parametrize(
    "text",
    [
        SEMICOLONS,
        SEMICOLONS.replace("32,", "32.").replace("31,", "31.").replace("39,", "39."),
        SEMICOLONS.replace(",", ".").replace(";", "\t"),
        SEMICOLONS.replace(",", ".").replace(";", ",").replace("\n", ",,\r\n"),
        SEMICOLONS.replace(",", ".")
        .replace(";", ",")
        .replace("artifact", "0.0")
        .replace("LSBG", "1.0"),
        SEMICOLONS.replace("artifact", "0,0").replace("LSBG", "1"),
    ],
)
def test_files_of_spreadsheets(tmp_path, text):
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8", newline="")
    consensus = read_judgements(tmp_path / "labels.csv").consensus()
    expected = [[32.404497, -39.8931559], [31.9227317, -39.9695043]]
    np.testing.assert_allclose(consensus.positions, expected, atol=1e-9)
    assert consensus.labels.tolist() == [0, 1] and consensus.random.tolist() == [True, False]


def test_an_older_spreadsheet_writes_names_in_its_own_alphabet(tmp_path):
    (tmp_path / "labels.csv").write_bytes("ra,dec,label,labeller\n1,2,1,Jürgen\n".encode("cp1252"))
    assert list(read_judgements(tmp_path / "labels.csv").verdicts) == ["Jürgen"]


def test_several_files_count_as_one(file):
    """Of labels without a name those of each file have the name of the file."""
    ada = file("10,1,LSBG,,2026-01-01,random", "20,1,LSBG,,2026-01-01,random", name="ada.csv")
    ben = file("10,1,artifact,,2026-01-02,browsed", "30,1,1,cleo,,", name="ben.csv")
    found = read_judgements(ada, ben)
    assert set(found.verdicts) == {"ada", "ben", "cleo"}
    consensus = found.consensus()
    assert consensus.ties == 1 and consensus.labels.tolist() == [1, 1]
    assert found.agreement_notes() == ("ada and ben judged 1 of the same: 0% agreed, kappa 0.00",)


def test_files_of_the_same_name_are_of_two_labellers(file, tmp_path):
    paths = [tmp_path / who / "labels.csv" for who in ("ada", "ben")]
    for path, label in zip(paths, ("LSBG", "artifact"), strict=True):
        path.parent.mkdir()
        path.write_text(f"ra,dec,label\n10,1,{label}\n")
    found = read_judgements(*paths)
    assert len(found.verdicts) == 2 and found.consensus().ties == 1
    assert all(name.endswith(("ada/labels", "ben/labels")) for name in found.verdicts)
    assert set(read_judgements(paths[0], paths[0]).verdicts) == {"labels"}


RNG = np.random.default_rng(8)
CATALOG = np.stack([RNG.uniform(10, 11, 400), RNG.uniform(-41, -40, 400)], axis=1)


@pytest.mark.parametrize(("decimals", "radius"), [(7, None), (4, None), (3, "2.5")])
def test_rounded_positions_have_a_radius_that_is_said(file, decimals, radius):
    rows = [f"{ra:.{decimals}f},{dec:.{decimals}f},LSBG" for ra, dec in CATALOG[:50]]
    matched = match_judgements(
        read_judgements(file(*rows, header="ra,dec,label")), CATALOG, "a.fits"
    )
    positions = matched.judgements.positions
    places = KnownPositions(CATALOG).match(positions)
    assert (0 <= places).all() and (places < 50).all()
    if radius is not None:
        np.testing.assert_array_equal(positions, CATALOG[places])
    assert len(set(places)) >= 48
    said = " ".join(matched.notes)
    assert (f'within {radius}"' in said) if radius else not matched.notes


@pytest.mark.parametrize("decimals", [0, 1, 2])
def test_what_rounding_moved_too_far_is_no_label_of_a_neighbour(file, decimals):
    """Positions of a field of 400 in a square degree, each with a neighbour within an arcminute."""
    rows = [f"{ra:.{decimals}f},{dec:.{decimals}f},LSBG" for ra, dec in CATALOG[:50]]
    path = file(*rows, header="ra,dec,label")
    moved = {0: 2546, 1: 255, 2: 25}[decimals]
    neighbours = np.unique(np.add(np.round(CATALOG[:50], decimals), (0, 3 / 3600)), axis=0)
    for catalog in (CATALOG, neighbours):
        message = rf'positions with {decimals} decimals are up to {moved}" off.*give 4 decimals'
        with pytest.raises(InputError, match=message):
            match_judgements(read_judgements(path), catalog, "a.fits")


def test_whole_numbers_that_are_the_positions_count(file):
    path = file("10,1,LSBG", "20.5,-2,artifact", header="ra,dec,label")
    matched = match_judgements(read_judgements(path), np.array([[10.0, 1], [20.5, -2]]), "a.fits")
    assert matched.judgements.positions.tolist() == [[10.0, 1.0], [20.5, -2.0]]


def test_right_ascensions_below_0_are_of_the_same_sky(file):
    positions = read_judgements(file("-10,1,LSBG", "350,1,LSBG,ben", "360,2,LSBG")).positions
    assert positions.tolist() == [[350, 1], [0, 2]]


def test_too_few_labels_say_where_the_others_are(file):
    rows = [f"{number},1,{('LSBG', 'artifact')[who == 'ben']},{who},,browsed"
            for number in range(30) for who in ("ada", "ben")]  # fmt: skip
    rows += [f"{number},1,unsure,ada,,browsed" for number in range(40, 44)]
    path = file(*rows)
    with pytest.raises(InputError) as error:
        sample_of_labels(path, seed=1, left_out=["7 left out: too far"])
    assert (
        "0 LSBGs and 0 artifacts to train on (7 left out: too far; 4 left out: unsure; 30 left "
        "out: ties between labellers), but at least 5" in str(error.value)
    )


def test_a_neighbour_is_never_taken_for_the_candidate(file):
    """Two candidates within the radius: the label of a rounded position is left out."""
    catalog = np.array([[10.0001, 0.0001], [10.0003, 0.0001], [10.2, 0.2]])
    path = file("10.000,0.000,LSBG", "10.200,0.200,LSBG", header="ra,dec,label")
    matched = match_judgements(read_judgements(path), catalog, "a.fits")
    assert matched.judgements.positions.tolist() == [[10.2, 0.2]]
    assert '1 left out: several candidates lie within 2.5"' in matched.notes


@pytest.mark.parametrize("times", [(1, 2), (2, 1)])
def test_the_later_judgement_replaces_the_earlier(file, times):
    rows = [
        f"10,1,{label},ada,2026-01-01T10:0{time}:00Z,random"
        for label, time in zip(("LSBG", "artifact"), times, strict=True)
    ]
    expected = [0] if times == (1, 2) else [1]
    assert read_judgements(file(*rows)).consensus().labels.tolist() == expected


def test_without_times_the_order_counts(file):
    path = file("10,1,LSBG,ada,2026-05-01,random", "10,1,artifact,ada,,random")
    assert read_judgements(path).consensus().labels.tolist() == [0]


def test_times_of_several_zones(file):
    path = file(
        "10,1,LSBG,ada,2026-01-01T10:00:00+02:00,random",
        "10,1,artifact,ada,2026-01-01T09:00:00Z,random",
    )
    assert read_judgements(path).consensus().labels.tolist() == [0]


@pytest.mark.parametrize(("shift", "candidates"), [(0.4, 1), (0.6, 2)])
@pytest.mark.parametrize("ra", [10.0, 0.00001, 359.99999])
def test_positions_within_half_an_arcsecond_are_one(file, shift, candidates, ra):
    other = (ra + shift / 3600 / np.cos(np.radians(60))) % 360
    path = file(f"{ra:.8f},60,LSBG,ada,,", f"{other:.8f},60,LSBG,ben,,random")
    consensus = read_judgements(path).consensus()
    assert len(consensus.labels) == candidates
    assert consensus.random.sum() == 1


def test_the_majority_counts_and_ties_are_left_out(file):
    votes = {10: "LLA", 20: "LA", 30: "AAL", 40: "LU", 50: "UU", 60: "LLAA"}
    names = {"L": "LSBG", "A": "artifact", "U": "unsure"}
    path = file(
        *(
            f"{ra},1,{names[vote]},labeller {number},,random"
            for ra, said in votes.items()
            for number, vote in enumerate(said)
        )
    )
    consensus = read_judgements(path).consensus()
    assert dict(zip(consensus.positions[:, 0], consensus.labels, strict=True)) == {
        10: 1, 30: 0, 40: 1,
    }  # fmt: skip
    assert (consensus.unsure, consensus.ties) == (1, 2)


def test_how_labellers_agree(file):
    rng = np.random.default_rng(1)
    truth = rng.random(60) < 0.4
    said = {
        "ada": np.where(rng.random(60) < 0.1, ~truth, truth),
        "ben": np.where(rng.random(60) < 0.2, ~truth, truth),
    }
    path = file(
        *(
            f"{row},1,{'LSBG' if label else 'artifact'},{name},,random"
            for name, labels in said.items()
            for row, label in enumerate(labels)
            if name == "ada" or row >= 20
        ),
        "7,1,artifact,cleo,,browsed",
        "59,1,unsure,cleo,,browsed",
    )
    first, second = (labels[20:] for labels in said.values())
    ada_and_ben, ada_and_cleo = read_judgements(path).agreements()
    assert (ada_and_ben.first, ada_and_ben.second, ada_and_ben.count) == ("ada", "ben", 40)
    assert ada_and_ben.agreed == pytest.approx((first == second).mean())
    metrics = pytest.importorskip("sklearn.metrics")
    assert ada_and_ben.kappa == pytest.approx(metrics.cohen_kappa_score(first, second))
    assert ada_and_cleo.count == 1


@pytest.mark.parametrize(
    ("first", "second", "kappa"),
    [([1, 0, 1, 0], [1, 0, 1, 0], 1), ([1, 1, 0, 0], [1, 0, 1, 0], 0), ([1, 0], [0, 1], -1)],
)
def test_kappa_of_extremes(first, second, kappa):
    assert cohen_kappa(np.array(first), np.array(second)) == pytest.approx(kappa)


def test_kappa_of_one_label_only():
    assert np.isnan(cohen_kappa(np.ones(5), np.ones(5)))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "10,1,maybe,ada,,random",
            "label must be LSBG, artifact or unsure, not 'maybe'",
        ),
        ("ten,1,LSBG,ada,,random", "ra is not a number, but 'ten'"),
        ("10,91,LSBG,ada,,random", "dec must be from -90 to 90 degrees, not 91"),
        ("nan,1,LSBG,ada,,random", "ra must be from -360 to 360 degrees, not nan"),
        ("10,1,LSBG,ada,yesterday,random", "time must be in ISO 8601, not 'yesterday'"),
        (
            "10,1,LSBG,ada,,often",
            "chosen must be one of random, uncertain, taught, browsed, not 'often'",
        ),
        (
            "10,1,LSBG,ada,,random,more",
            "more values than columns; decimal commas need semicolons between the values",
        ),
        ("10", "dec is not a number, but ''"),
    ],
)
def test_bad_lines_are_named(file, row, message):
    path = file("20,1,LSBG,ada,,random", row)
    with pytest.raises(InputError) as error:
        read_judgements(path)
    assert str(error.value) == f"{path}: line 3: {message}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: no column ra and dec and label"),
        (b"ra,dec\n1,2\n", "line 1: no column label"),
        (b"ra,dec,label\n", "holds no labels"),
        (b"\xff\xfe\x00\x01", "not a CSV file of labels"),
        (b"SIMPLE  =                    T" * 90, "line 1: no column"),
    ],
)
def test_other_files_are_one_line(tmp_path, content, message):
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"labels\.csv") as error:
        read_judgements(tmp_path / "labels.csv")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"labels\.csv: labels cannot be read \(No such file"):
        read_judgements(tmp_path / "labels.csv")


def rows_of(count, chosen, start=0, lsbgs=0.5):
    """So many candidates, the first of them LSBGs."""
    return [
        f"{start + row},1,{'LSBG' if row < lsbgs * count else 'artifact'},ada,,{chosen}"
        for row in range(count)
    ]


def test_what_was_chosen_at_random_is_the_test(file):
    path = file(
        *rows_of(120, "random"), *rows_of(100, "uncertain", 120), *rows_of(100, "browsed", 230)
    )
    sample = sample_of_labels(path, seed=1)
    at_random = sample.positions[:, 0] < 120
    assert (sample.splits[at_random] == "test").all()
    assert sample.count("train") == (85, 85) and sample.count("validation") == (15, 15)
    assert sample.notes == (
        "60 LSBGs and 60 artifacts to judge by: a completeness of 0.90 would be known as 0.80 to "
        "0.95; label more at random to tell weights apart",
    )
    again = sample_of_labels(path, seed=1)
    assert sample.sha256() == again.sha256() != sample_of_labels(path, seed=2).sha256()
    whole = sample_of_labels(path, seed=1, whole=True)
    assert whole.count("train") == (160, 160) and whole.notes == ("no labels to judge by",)


def test_fifty_labels(file):
    path = file(*rows_of(20, "random"), *rows_of(30, "uncertain", 20, lsbgs=0.2))
    sample = sample_of_labels(path, seed=1)
    assert sample.count("train") == (6, 24) and sample.count("test") == (10, 10)
    (note,) = sample.notes
    assert note.startswith(
        "10 LSBGs and 10 artifacts to judge by: a completeness of 0.90 would be known as 0.60 to"
    )


def test_none_chosen_at_random(file):
    sample = sample_of_labels(file(*rows_of(80, "browsed")), seed=1)
    assert sample.count("test") == (10, 10) and sample.count("train") == (30, 30)
    assert "no labels were chosen at random, so 25% of them are held back" in sample.notes[0]


def test_a_test_of_one_class_says_so(file):
    path = file(*rows_of(8, "random", lsbgs=0), *rows_of(20, "browsed", 8))
    assert (
        "0 LSBGs and 8 artifacts to judge by: with one class alone"
        in sample_of_labels(path, seed=1).notes[0]
    )


@pytest.mark.parametrize("rows", [rows_of(40, "browsed", lsbgs=0.1), rows_of(40, "random")])
def test_too_few_of_a_class(file, rows):
    path = file(*rows, *rows_of(1, "random", 90))
    with pytest.raises(InputError, match=r"\d LSBGs and \d+ artifacts to train on, but at least 5"):
        sample_of_labels(path, seed=1)
