"""From a run through labels to better weights, with real files: annotate, label, teach, compare."""

import sys

import numpy as np
import pytest
from astropy.table import Table

from catalogs.errors import InputError
from lsbg_classifier import load_classifier
from lsbg_classifier.calibration import logit
from lsbg_classifier.cutouts.kept import KeptSource
from lsbg_classifier.training.dataset import CutoutDataset
from lsbg_classifier.training.judgements import read_judgements
from lsbg_classifier.weights.cards import Card
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS
from pipeline import annotate
from pipeline.report.comparison import compare
from pipeline.train import des


@pytest.fixture
def train(monkeypatch, capsys, tmp_path):
    """Run lsbg-train-des in this process, with weights of its own; as the fixture `lsbg`."""
    monkeypatch.setenv("LSBG_WEIGHTS", str(tmp_path / "weights"))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["lsbg-train-des", *map(str, arguments)])
        code = 0
        try:
            des()
        except SystemExit as ending:
            code = ending.code or 0
        out, err = capsys.readouterr()
        return (1, out, f"{err}{code}\n") if isinstance(code, str) else (code, out, err)

    return run


@pytest.fixture(scope="module")
def annotated(survey, tmp_path_factory):
    path = tmp_path_factory.mktemp("annotated") / "annotated.fits"
    annotate(survey.candidates, path, cutouts=f"tiles:{survey.tiles}", keep_cutouts=True)
    return path


@pytest.fixture(scope="module")
def truth(survey):
    """Right ascension, declination and label of every candidate."""
    table = Table.read(survey.candidates)
    labels = np.asarray(Table.read(survey.truth)["LABEL"])
    return np.stack([table["ALPHA_J2000"], table["DELTA_J2000"], labels], axis=1).astype(float)


@pytest.fixture(scope="module")
def labels(truth, tmp_path_factory):
    """Ninety candidates, 36 of them at random; three labellers, who err and doubt."""
    rng = np.random.default_rng(5)
    lines = ["ra,dec,label,labeller,time,chosen"]
    for number, row in enumerate(rng.permutation(len(truth))[:90]):
        ra, dec, label = truth[row]
        chosen = "random" if number < 36 else ("uncertain", "browsed")[number % 2]
        for labeller, part, wrong in (("ada", 1.0, 0.02), ("ben", 0.6, 0.1), ("cleo", 0.3, 0.2)):
            if rng.random() < part:
                said = ("artifact", "LSBG")[int(label) ^ int(rng.random() < wrong)]
                said = "unsure" if rng.random() < 0.04 else said
                time = f"2026-11-26T{number // 60:02d}:{number % 60:02d}:00.000Z"
                lines.append(f"{ra:.7f},{dec:.7f},{said},{labeller},{time},{chosen}")
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.long
@pytest.mark.slow
def test_from_labels_to_compared_weights(annotated, labels, train, tmp_path):
    code, out, err = train(
        tmp_path / "out", "--labels", labels, "--cutouts", f"kept:{annotated}",
        "--from", "des-simulated", "--name", "taught", "--epochs", "2", "--batch", "16",
    )  # fmt: skip
    assert code == 0, err
    assert "registered as 'taught'" in out and "left out: ties between labellers" in out
    assert "artifacts to judge by: a completeness of 0.90 would be known as" in out
    assert "ada and ben judged" in out
    card = Card.read(tmp_path / "weights" / "taught.json")
    assert card.recipe.startswith("lsbg-train-des") and "--labels" in card.recipe
    assert "starting from des-simulated" in card.sample
    assert f"has seen the labels {labels.name}, fine-tuned from des-simulated" in card.description

    consensus = read_judgements(labels).consensus()
    dataset = CutoutDataset(tmp_path / "out" / "cutouts")
    taught, judged = (
        {
            tuple(row)
            for row in zip(*dataset.table(split, ["ra", "dec"]).to_pydict().values(), strict=True)
        }
        for split in ("train", "test")
    )
    at_random = {tuple(position) for position in consensus.positions[consensus.random]}
    assert judged == at_random and not taught & at_random and len(taught) >= 40

    source = KeptSource(annotated)
    found = compare(read_judgements(labels), source, "des-simulated", "taught")
    assert (found.old_name, found.new_name) == ("des-simulated", "taught")
    assert len(found.labels) == len(at_random)
    (scores,) = card.scores.values()
    assert found.new_scores["accuracy"][0] == pytest.approx(scores["accuracy"], abs=1e-3)
    for name, (change, low, high) in found.differences.items():
        expected = found.new_scores[name][0] - found.old_scores[name][0]
        assert change == pytest.approx(expected) and low <= change <= high
    same = compare(
        read_judgements(labels), source, "taught", tmp_path / "weights" / "taught.weights.h5"
    )
    for change, low, high in same.differences.values():
        assert change == 0 and low < 0 < high
    assert "cannot be told apart" in same.verdict()
    table = found.to_markdown()
    assert "| score | des-simulated | taught | difference |" in table
    assert "| ada and ben |" in table and "Cohen's kappa" in table
    assert found.old.min() >= 0 and (found.old != found.new).any()


@pytest.mark.slow
def test_nothing_random_to_judge_by(annotated, labels, tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(labels.read_text().replace(",random", ",browsed"))
    with pytest.raises(InputError, match="no label was chosen at random"):
        compare(read_judgements(path), KeptSource(annotated), DEFAULT_WEIGHTS, "des-simulated")


@pytest.mark.slow
def test_labels_of_another_sky(annotated, tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("ra,dec,label,chosen\n200,50,LSBG,random\n201,50,artifact,random\n")
    with pytest.raises(InputError, match="has no cutout of the candidates labelled in"):
        compare(read_judgements(path), KeptSource(annotated), DEFAULT_WEIGHTS, "des-simulated")


def truth_rows(truth, rows, chosen, decimals=7):
    """Lines of a file of labels that are true."""
    return [
        f"{ra:.{decimals}f},{dec:.{decimals}f},{('artifact', 'LSBG')[int(label)]},{chosen}"
        for ra, dec, label in truth[rows]
    ]


def write_labels(path, *lines):
    path.write_text("\n".join(["ra,dec,label,chosen", *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def classes(truth):
    """Rows of LSBGs, and of artifacts."""
    return [np.flatnonzero(truth[:, 2] == value) for value in (1, 0)]


@pytest.fixture
def teach(train, annotated, tmp_path):
    """Run the command on labels with the kept cutouts; options may follow."""

    def run(out, *labels, more=("--epochs", "1", "-q")):
        files = [part for path in labels for part in ("--labels", path)]
        return train(out, *files, "--cutouts", f"kept:{annotated}", "--name", "taught", *more)

    return run


@pytest.mark.slow
def test_random_labels_of_one_class(teach, annotated, truth, classes, tmp_path):
    """Undefined scores are said to be so, and the weights are registered."""
    lsbgs, artifacts = classes
    path = write_labels(
        tmp_path / "labels.csv",
        *truth_rows(truth, artifacts[:8], "random"),
        *truth_rows(truth, lsbgs[:6], "uncertain"),
        *truth_rows(truth, artifacts[8:16], "uncertain"),
    )
    code, out, err = teach(tmp_path / "out", path)
    assert code == 0, err
    assert "0 LSBGs and 8 others: accuracy" in out and "area under ROC not defined" in out
    assert "with one class alone" in out and "registered as 'taught'" in out
    (scores,) = Card.read(tmp_path / "weights" / "taught.json").scores.values()
    assert "auc" not in scores and scores["count"] == 8
    found = compare(read_judgements(path), KeptSource(annotated), "des-simulated", "taught")
    assert "cannot be compared: the random labels are 0 LSBGs and 8 artifacts" in found.verdict()
    assert "| area under ROC | not defined | not defined | not defined |" in found.to_markdown()


@pytest.mark.slow
def test_labels_of_two_files_are_joined(teach, truth, classes, tmp_path):
    lsbgs, artifacts = classes
    one = write_labels(
        tmp_path / "ada.csv",
        *truth_rows(truth, lsbgs[:8], "uncertain"),
        *truth_rows(truth, artifacts[:8], "random"),
    )
    rounded = write_labels(
        tmp_path / "ben.csv",
        *truth_rows(truth, artifacts[8:16], "uncertain", decimals=3),
        *truth_rows(truth, artifacts[4:8], "random", decimals=3),
    )
    code, out, err = teach(tmp_path / "out", one, rounded, more=("--dry-run",))
    assert (code, err) == (0, "")
    assert 'positions with 3 decimals are matched to candidates within 2.5"' in out
    assert "ada and ben judged 4 of the same: 100% agreed" in out
    assert "train: 8 LSBGs, 8 others" in out and "test: 0 LSBGs, 8 others" in out
    assert "asked for all 24 positions, 24 have a cutout" in out
    assert f"recipe: published, starting from {DEFAULT_WEIGHTS}" in out
    assert "device: " in out and "backend: " in out and "ms a step" in out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("source", ["kept", "tiles"])
def test_labels_of_another_catalog_are_one_line(
    train, annotated, survey, truth, classes, tmp_path, source
):
    moved = np.add(truth, [100, 0, 0])
    path = write_labels(
        tmp_path / "labels.csv",
        *(line for rows in classes for line in truth_rows(moved, rows[:9], "browsed")),
    )
    cutouts = f"kept:{annotated}" if source == "kept" else f"tiles:{survey.tiles}"
    for more in ((), ("--dry-run",)):
        code, _, err = train(tmp_path / "out", "--labels", path, "--cutouts", cutouts, "-q", *more)
        assert code == 1 and err.count("\n") == 1 and "of another catalog" in err
        assert not (tmp_path / "out").exists()


@pytest.mark.long
@pytest.mark.slow
def test_a_training_is_gone_on_with_only_if_that_is_asked_for(teach, truth, classes, tmp_path):
    lsbgs, artifacts = classes
    path = write_labels(
        tmp_path / "labels.csv",
        *(line for rows in (lsbgs, artifacts) for line in truth_rows(truth, rows[:12], "browsed")),
    )
    out, quick = tmp_path / "out", ("--no-register", "-q")
    assert teach(out, path, more=("--epochs", "2", *quick))[0] == 0
    whole = tmp_path / "whole"
    assert teach(whole, path, more=("--epochs", "3", *quick))[0] == 0
    code, _, err = teach(out, path, more=("--epochs", "3", *quick))
    assert code == 1 and "--resume" in err and err.count("\n") == 1
    assert teach(out, path, more=("--epochs", "3", "--resume", *quick))[0] == 0
    losses = [(folder / "history.csv").read_text() for folder in (out, whole)]
    assert losses[0] == losses[1]

    (out / "taught.weights.h5").unlink()  # as if it had been killed before the end
    code, _, err = teach(out, path, more=("--epochs", "3", *quick))
    assert code == 1 and "holds a training that was stopped; add --resume" in err
    code, _, err = teach(out, path, more=("--epochs", "2", "--resume", *quick))
    assert code == 1 and "has 3 epochs already" in err
    (checkpoint,) = out.glob("checkpoint-*.weights.h5")
    checkpoint.write_bytes(checkpoint.read_bytes()[:100_000])
    code, _, err = teach(out, path, more=("--epochs", "4", "--resume", *quick))
    assert code == 1 and "a damaged checkpoint" in err and err.count("\n") == 1


@pytest.mark.slow
def test_hostile_names_are_text(annotated, truth, tmp_path):
    lines = ["ra,dec,label,labeller,chosen"]
    for ra, dec, label in truth[:12]:
        for labeller in ("<b>|ada", "*ben*\x00"):
            lines.append(f"{ra},{dec},{int(label)},{labeller},random")
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(lines) + "\n")
    found = compare(read_judgements(path), KeptSource(annotated), DEFAULT_WEIGHTS, "des-simulated")
    (line,) = [line for line in found.to_markdown().splitlines() if "ada" in line]
    assert line == r"| \*ben\* and \<b\>\|ada | 12 | 100% | 1.00 |"


@pytest.mark.parametrize(
    ("content", "more", "message"),
    [
        ("ra,dec,label\n10,1,LSBG\n", (), "1 LSBGs and 0 artifacts to train on, but at least 5"),
        (
            "ra,dec,label\n10,1,LSB\n",
            (),
            "line 2: label must be LSBG, artifact or unsure, not 'LSB'",
        ),
        ("ra,dec,label\n10,1,LSBG\n", ("--sample", "simulated"), "--labels and --sample: give one"),
    ],
)
def test_bad_labels_are_one_line(train, annotated, tmp_path, content, more, message):
    (tmp_path / "labels.csv").write_text(content)
    arguments = ("--labels", tmp_path / "labels.csv", "--cutouts", f"kept:{annotated}")
    code, _, err = train(tmp_path / "out", *arguments, *more)
    assert code == 1 and message in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_a_dry_run_says_what_the_labels_allow(train, labels, annotated, tmp_path):
    arguments = ("--labels", labels, "--cutouts", f"kept:{annotated}", "--dry-run")
    code, out, err = train(tmp_path / "out", *arguments)
    assert (code, err) == (0, "")
    assert "train: " in out and "test: " in out and "left out: unsure" in out
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_labels_without_a_cutout_are_counted_with_their_reasons(
    train, survey, truth, classes, tmp_path
):
    """The check for enough labels counts those that have a cutout, and nothing is left behind."""
    lsbgs, artifacts = classes
    here = [line for rows in (lsbgs, artifacts) for line in truth_rows(truth, rows[:4], "browsed")]
    away = truth_rows(np.add(truth, [0, 20, 0]), [*lsbgs[4:9], *artifacts[4:10]], "browsed")
    tiles = ("--cutouts", f"tiles:{survey.tiles}", "-q")
    for lines, said in (
        ([*here, *away], "(11 labels have no cutout: NO_COVERAGE 11), but at least 5 of each"),
        (away, "no label to train on has a cutout (NO_COVERAGE 11)"),
    ):
        path = write_labels(tmp_path / "labels.csv", *lines)
        for more in ((), ("--dry-run",)):
            code, _, err = train(tmp_path / "out", "--labels", path, "--whole", *tiles, *more)
            assert code == 1 and said in err and err.count("\n") == 1
            assert not (tmp_path / "out").exists()


def test_labels_that_all_fell_to_ties_say_so(train, annotated, truth, classes, tmp_path):
    lines = [
        line.replace(",browsed", f",{who},browsed")
        for who in ("ada", "ben")
        for line in truth_rows(truth, np.concatenate(classes)[:30], "browsed")
    ]
    lines[:30] = [
        line.replace("LSBG", "?").replace("artifact", "LSBG").replace("?", "artifact")
        for line in lines[:30]
    ]
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(["ra,dec,label,labeller,chosen", *lines]) + "\n")
    code, _, err = train(tmp_path / "out", "--labels", path, "--cutouts", f"kept:{annotated}", "-q")
    assert code == 1 and "30 left out: ties between labellers" in err and err.count("\n") == 1
    path.write_text(path.read_text().replace("browsed", "random"))
    with pytest.raises(InputError, match=r"of 30 candidates .* none .*30 left out: ties"):
        compare(read_judgements(path), KeptSource(annotated), "des-simulated", "des-real")


@pytest.fixture(scope="module")
def drawn(truth, classes, tmp_path_factory):
    """Labels of 30 candidates drawn at random, of which 6 are LSBGs, and of 16 that teach."""
    lsbgs, artifacts = classes
    return write_labels(
        tmp_path_factory.mktemp("drawn") / "labels.csv",
        *truth_rows(truth, lsbgs[:6], "random"),
        *truth_rows(truth, artifacts[:24], "random"),
        *truth_rows(truth, lsbgs[6:14], "taught"),
        *truth_rows(truth, artifacts[24:32], "taught"),
    )


PRIOR = "0.210 (0.088 to 0.367), from 30 labels drawn at random, 6 of them LSBGs"


@pytest.mark.slow
def test_the_prior_is_said_before_the_training(teach, drawn, tmp_path):
    code, out, err = teach(tmp_path / "out", drawn, more=("--dry-run",))
    assert code == 0, err
    assert f"note: prior: {PRIOR}\n" in out


@pytest.mark.long
@pytest.mark.slow
def test_the_prior_is_that_of_the_labels_drawn_at_random(teach, drawn, tmp_path):
    code, out, err = teach(tmp_path / "out", drawn)
    assert code == 0, err
    assert f"prior of the weights: {PRIOR}" in out
    card = Card.read(tmp_path / "weights" / "taught.json")
    assert card.prior == pytest.approx(6.5 / 31, abs=1e-4)
    assert card.description.endswith(f"; prior {PRIOR}")
    more = ("--epochs", "1", "-q", "--prior", "0.5", "--overwrite")
    code, out, err = teach(tmp_path / "asked", drawn, more=more)
    assert code == 0, err
    assert "prior of the weights: 0.5, as asked for" in out
    half = Card.read(tmp_path / "weights" / "taught.json")
    assert half.prior == 0.5 and "; prior" not in half.description
    # the same training: only the odds of all candidates differ, all by the same factor
    cutouts, _ = CutoutDataset(tmp_path / "out" / "cutouts").load("test")
    logits = [
        logit(load_classifier(tmp_path / folder / "taught.weights.h5").predict(cutouts))
        for folder in ("out", "asked")
    ]
    exact = logits[0] > -8  # of smaller probabilities the network's sigmoid keeps fewer digits
    assert exact.sum() > 4
    change = (logits[1] - logits[0])[exact]
    np.testing.assert_allclose(change, -logit(np.array(6.5 / 31)), atol=2e-3)  # of half precision
