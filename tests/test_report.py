"""What a report holds: the right candidates, values and pictures, whole or not at all."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from reports import keep_cutouts, random_columns, random_scores, some_cutouts, write_annotated

from catalogs import InputError, open_catalog
from catalogs.flags import Flag
from lsbg_classifier import load_classifier, open_source
from lsbg_classifier.cutouts.kept import open_kept
from lsbg_classifier.training.evaluation import judge
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS
from pipeline import annotate
from pipeline.report import ReportOptions, write_report
from pipeline.report.candidates import Candidates, read_candidates
from pipeline.report.choice import choose
from pipeline.report.columns import chosen_columns, column_data
from pipeline.report.data import packed, visible, write_data
from pipeline.report.pictures import Pictures, write_sheets

QUICK = {"heat_maps": 0}
ROWS = 120
TELLING = ["COADD_OBJECT_ID", "MAG_AUTO_G", "FLUX_RADIUS_G", "MU_MEAN_MODEL_G", "TILENAME"]
"""Those of the made catalogs that are shown: all but the position and ours."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A catalog of 120 rows, some of them not scored, with the cutouts of the others."""
    folder = tmp_path_factory.mktemp("run")
    columns, (probability, flags) = random_columns(ROWS), random_scores(ROWS, seed=3)
    flags[5:8], probability[5:8] = Flag.NO_COVERAGE, np.nan
    path = write_annotated(folder / "annotated.fits", columns, probability, flags)
    scored = np.flatnonzero(np.isfinite(probability))
    positions = np.stack([columns["RA"], columns["DEC"]], axis=1)[scored]
    keep_cutouts(path, scored, positions, flags[scored], ROWS)
    return path


def candidates_of(probability, flags=None, label=None):
    """Candidates without a catalog."""
    count = len(probability)
    positions = np.stack([np.linspace(0, 359, count), np.linspace(-80, 80, count)], axis=1)
    flags = np.zeros(count, np.int16) if flags is None else flags
    return Candidates(None, np.asarray(probability, np.float32), flags, positions, label)


def received(path):
    """The name and the value that a file of the page's data hands over."""
    call = re.fullmatch(r"LSBG\.receive\(\.\.\.(\[.*\])\);\n", path.read_text("ascii"))
    return json.loads(call[1])


def unpacked(value):
    import base64

    kinds = {"Float32": "<f4", "Float64": "<f8", "Int32": "<i4", "Int16": "<i2", "Int8": "<i1"}
    return np.frombuffer(base64.b64decode(value[1]), kinds.get(value[0], "u1"))


# Which candidates


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 300),
    count=st.integers(1, 350),
    to_label=st.integers(0, 100),
    threshold=st.floats(0, 1),
    seed=st.integers(0, 9),
)
def test_a_choice_holds_what_it_says(rows, count, to_label, threshold, seed):
    probability, flags = random_scores(rows, seed)
    flags[::17], probability[::17] = Flag.NOT_SELECTED, np.nan
    candidates = candidates_of(probability, flags)
    choice = choose(candidates, count=count, to_label=to_label, threshold=threshold)
    possible = np.flatnonzero(flags & Flag.NOT_SELECTED == 0)
    assert len(choice.rows) == len({*choice.rows}) == min(count, len(possible))
    assert {*choice.rows} <= {*possible}
    assert choice.left_out == len(possible) - len(choice.rows)
    p = probability[choice.rows]
    scored = np.isfinite(p)
    assert (np.diff(p[scored]) <= 0).all() and not scored[np.count_nonzero(scored) :].any()
    labelled = choice.rows[choice.to_label]
    assert len({*labelled}) == len(labelled) == min(to_label, count, np.isfinite(probability).sum())
    assert choice.is_random.sum() == len(labelled) // 2
    distance = np.abs(probability[labelled].astype(float) - threshold)[~choice.is_random]
    assert (np.diff(distance) >= 0).all()
    others = np.setdiff1d(candidates.scored, labelled)
    if len(others) and len(distance):
        assert distance.max() <= np.abs(probability[others].astype(float) - threshold).min()


def test_all_labellers_see_the_same_random_ones_whatever_the_weights_say():
    probability, _ = random_scores(5000)
    scored = np.isfinite(probability)
    other = np.where(scored, np.random.default_rng(8).random(5000), np.nan)
    chosen = [
        choose(candidates_of(p), count=5000, to_label=400, threshold=0.5)
        for p in (probability, other)
    ]
    first, second = ({*one.rows[one.to_label[one.is_random]]} for one in chosen)
    assert first == second and len(first) == 200


def test_random_ones_are_like_all_and_stand_everywhere():
    probability = np.random.default_rng(1).random(20_000)
    choice = choose(candidates_of(probability), count=20_000, to_label=2000, threshold=0.5)
    random = probability[choice.rows[choice.to_label[choice.is_random]]]
    assert abs(random.mean() - 0.5) < 0.03 and random.min() < 0.02 < 0.98 < random.max()
    places = np.flatnonzero(choice.is_random)
    assert abs(places.mean() - 1000) < 50
    halves = choice.is_random[:1000].sum(), choice.is_random[1000:].sum()
    assert min(halves) > 400


def test_a_gallery_that_is_too_small_has_the_best_and_some_of_the_rest():
    probability = np.random.default_rng(2).random(3000)
    choice = choose(candidates_of(probability), count=1000, to_label=100, threshold=0.5)
    best = np.argsort(-probability)[:700]
    assert {*best} <= {*choice.rows}
    low = np.count_nonzero(probability[choice.rows] < 0.3)
    assert 10 < low < 120


# Which columns


def test_the_usual_columns_are_all_but_the_position_and_ours(run):
    names = [column.name for column in chosen_columns(read_candidates(run, None, {}))]
    assert names == [
        "COADD_OBJECT_ID",
        "MAG_AUTO_G",
        "FLUX_RADIUS_G",
        "MU_MEAN_MODEL_G",
        "TILENAME",
    ]


def test_of_many_columns_those_that_tell(tmp_path):
    columns = {f"FLAG_{n}": np.zeros(2) for n in range(60)} | random_columns(2)
    path = write_annotated(tmp_path / "wide.fits", columns, np.ones(2, "f4"), np.zeros(2, "i2"))
    candidates = read_candidates(path, None, {})
    names = [column.name for column in chosen_columns(candidates)]
    assert names == [
        "COADD_OBJECT_ID",
        "MAG_AUTO_G",
        "FLUX_RADIUS_G",
        "MU_MEAN_MODEL_G",
        "TILENAME",
    ]
    asked = chosen_columns(candidates, ["flag_7", "RA", "FLAG_7"])
    assert [column.name for column in asked] == ["FLAG_7", "RA"]


def test_a_column_that_cannot_be_shown(tmp_path):
    columns = random_columns(2) | {"VIGNET": np.zeros((2, 5))}
    path = write_annotated(tmp_path / "a.fits", columns, np.ones(2, "f4"), np.zeros(2, "i2"))
    candidates = read_candidates(path, None, {})
    with pytest.raises(InputError, match="VIGNET has not one number or text a row"):
        chosen_columns(candidates, ["VIGNET"])
    with pytest.raises(InputError, match="no column NOPE; it has COADD_OBJECT_ID, RA"):
        chosen_columns(candidates, ["NOPE"])


def test_values_come_to_the_page_as_they_are(tmp_path):
    columns = {
        "ra": [1.0, 2.0, 3.0],
        "dec": [0.0, 0.0, 0.0],
        "id": pa.array([2**60 + 1, None, 2**60 + 3], pa.int64()),
        "count": pa.array([3, None, 5], pa.int32()),
        "mag": pa.array([0.1, 0.2, None], pa.float64()),
        "r": pa.array([0.1, 0.2, None], pa.float32()),
        "name": ["b", None, "a"],
    }
    path = write_annotated(tmp_path / "a.parquet", columns, np.ones(3, "f4"), np.zeros(3, "i2"))
    candidates = read_candidates(path, None, {})
    rows = np.array([2, 0, 1])
    data = {c.name: column_data(candidates, c, rows) for c in chosen_columns(candidates)}
    assert data["id"]["texts"] == [str(2**60 + 1), str(2**60 + 3)]
    assert unpacked(data["id"]["codes"]).tolist() == [1, 0, -1]
    assert data["count"]["numbers"][0] == "Float32" and data["mag"]["numbers"][0] == "Float64"
    np.testing.assert_array_equal(unpacked(data["count"]["numbers"]), [5, 3, np.nan])
    np.testing.assert_array_equal(unpacked(data["mag"]["numbers"]), [np.nan, 0.1, 0.2])
    np.testing.assert_array_equal(unpacked(data["r"]["numbers"]), np.float32([np.nan, 0.1, 0.2]))
    assert data["name"]["texts"] == ["a", "b"]
    assert unpacked(data["name"]["codes"]).tolist() == [0, 1, -1]


@pytest.mark.slow
@given(text=st.text())
def test_any_text_survives_in_a_script_that_it_cannot_end(text, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "text.js"
    write_data(path, "name", {"text": text, "array": packed(np.arange(3, dtype=np.int32))})
    content = path.read_bytes()
    assert b"<" not in content and content.isascii()
    name, value = received(path)
    assert (name, value["text"]) == ("name", text)
    assert unpacked(value["array"]).tolist() == [0, 1, 2]


@pytest.mark.slow
@given(text=st.text())
def test_nothing_in_a_text_stays_unseen(text):
    seen = visible(text)
    assert seen.isprintable() or not text.isprintable()
    assert not re.search("[\x00-\x1f\x7f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]", seen)
    assert visible(seen) == seen.encode("utf-8").decode()


# Pictures


def test_a_sheet_holds_its_cutouts_in_their_order(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (57, 1, 1, 3), np.uint8)
    cutouts = np.broadcast_to(colours, (57, 64, 64, 3))
    write_sheets(cutouts, tmp_path / "thumbnails")
    assert sorted(path.name for path in (tmp_path / "thumbnails").iterdir()) == [
        "0.jpg",
        "1.jpg",
        "2.jpg",
    ]
    for i, colour in enumerate(colours[:, 0, 0].astype(int)):
        with Image.open(tmp_path / "thumbnails" / f"{i // 25}.jpg") as sheet:
            top, left = 64 * (i % 25 // 5), 64 * (i % 5)
            part = np.asarray(sheet)[top : top + 64, left : left + 64].astype(int)
        assert abs(part - colour).max() <= 6


def bytes_each(cutouts, folder):
    write_sheets(cutouts, folder)
    return sum(path.stat().st_size for path in folder.iterdir()) / len(cutouts)


HEAT_BYTES, COLUMN_BYTES, COLUMNS, CORE_BYTES = 256 * 4 / 3, 8 * 4 / 3, 30, (36 + 24) * 4 / 3
OTHER_BYTES = HEAT_BYTES + COLUMNS * COLUMN_BYTES + CORE_BYTES


@pytest.mark.slow
def test_a_hundred_thousand_take_less_than_400_mb(survey, tmp_path):
    table = Table.read(survey.candidates)[:200]
    positions = np.stack([table["ALPHA_J2000"], table["DELTA_J2000"]], axis=1)
    cutouts, _ = open_source(f"tiles:{survey.tiles}").fetch(positions)
    noisy = np.random.default_rng(0).normal(40, 12, cutouts.shape).clip(0, 255).astype(np.uint8)
    for number, some in enumerate((cutouts, some_cutouts(200), noisy)):
        each = bytes_each(some, tmp_path / str(number)) + OTHER_BYTES
        assert 100_000 * each < 400e6


def test_real_cutouts_take_no_more(shared, tmp_path):
    cutouts = np.load(shared / "real_cutouts" / "des_y6_cutouts.npy")
    assert 1000 < bytes_each(cutouts, tmp_path / "real") < 400e6 / 100_000 - OTHER_BYTES


def test_kept_cutouts_come_first_and_a_source_gives_the_rest(run, survey):
    candidates = read_candidates(run, None, {})
    pictures = Pictures.open(candidates, None, {})
    rows = np.array([7, 100, 3])
    cutouts, have = pictures.read(rows)
    assert have.tolist() == [False, True, True]
    kept, _ = open_kept(run).read(rows)
    np.testing.assert_array_equal(cutouts, kept)
    assert pictures.imaging == open_kept(run).imaging


@pytest.mark.slow
def test_pictures_of_a_source_alone(survey, tmp_path):
    table = Table.read(survey.candidates)[:40]
    probability = np.linspace(0, 1, 40).astype("f4")
    columns = {name: np.asarray(table[name]) for name in table.colnames}
    columns["ALPHA_J2000"] = columns["ALPHA_J2000"].copy()
    columns["ALPHA_J2000"][[3, 9]] = [200.0, np.nan]
    path = write_annotated(tmp_path / "a.fits", columns, probability, np.zeros(40, "i2"))
    candidates = read_candidates(path, None, {})
    source = f"tiles:{survey.tiles}"
    pictures = Pictures.open(candidates, source, {})
    rows = np.arange(40)[::-1]
    seen = []
    cutouts, have = pictures.collect(rows, tmp_path / "cutouts", lambda *done: seen.append(done))
    assert np.flatnonzero(~have).tolist() == [39 - 9, 39 - 3]
    assert seen[-1] == (40, 40)
    expected, _ = open_source(source).fetch(candidates.positions[rows[have]])
    np.testing.assert_array_equal(cutouts[have], expected)


# The whole folder


def folder_of(run, folder, **options):
    lines = write_report(run, folder, ReportOptions(**QUICK | options))
    return lines, received(folder / "data" / "run.js")[1]


@pytest.mark.slow
def test_what_a_report_holds(run, tmp_path):
    lines, data = folder_of(run, tmp_path / "report")
    table = Table.read(run)
    scored = np.isfinite(table["P_LSBG"])
    assert lines[0] == f"{scored.sum()} of {ROWS} candidates have a probability"
    assert lines[-1] == f"wrote {tmp_path / 'report' / 'index.html'}"
    rows = unpacked(data["row"]).astype(int)
    for name, column in (("ra", "RA"), ("dec", "DEC"), ("probability", "P_LSBG")):
        np.testing.assert_array_equal(unpacked(data[name]), np.asarray(table[column])[rows])
    np.testing.assert_array_equal(unpacked(data["flags"]), table["FLAGS_LSBG"][rows])
    np.testing.assert_array_equal(unpacked(data["have"]), scored[rows])
    shown = [column["name"] for column in data["columns"]]
    for number, name in enumerate(shown):
        kind, (place, values) = received(tmp_path / "report" / "data" / f"column-{number}.js")
        assert (kind, place) == ("column", number)
        if "numbers" in values:
            np.testing.assert_array_equal(unpacked(values["numbers"]), table[name][rows])
        else:
            got = np.array(values["texts"])[unpacked(values["codes"])]
            np.testing.assert_array_equal(got, table[name][rows])
    assert len(list((tmp_path / "report" / "thumbnails").iterdir())) == -(-ROWS // 25)
    assert not (tmp_path / "report" / "heat").exists()


class _Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href", "srcset")]
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs)


@pytest.mark.slow
def test_a_small_gallery_has_no_more_heat_maps_than_candidates(annotated, tmp_path):
    _, data = folder_of(annotated, tmp_path / "report", count=7, heat_maps=20, to_label=3)
    assert data["heatMaps"] == 7 and len(unpacked(data["row"])) == 7


@pytest.mark.slow
def test_the_page_is_complete_and_asks_nobody(run, tmp_path):
    folder_of(run, tmp_path / "report")
    text = (tmp_path / "report" / "index.html").read_text("utf-8")
    links = [link for link in _Links(text).found if not link.startswith("#")]
    assert links and all((tmp_path / "report" / link).is_file() for link in links)
    assert "default-src 'none'" in text
    for said in ("des-simulated", "0" * 64, "tiles:survey/tiles", "lsbg_classifier", "2026-01-01"):
        assert said in text
    for path in (tmp_path / "report").rglob("*.js"):
        addresses = {*re.findall(r"https?://([\w.]+)", path.read_text("utf-8"))}
        assert addresses <= {
            "www.legacysurvey.org",
            "simbad.cds.unistra.fr",
            "aladin.cds.unistra.fr",
            "ned.ipac.caltech.edu",
        }


@pytest.mark.slow
def test_the_same_run_gives_the_same_bytes(run, tmp_path):
    for name in ("a", "b"):
        folder_of(run, tmp_path / name)
    files = [path.relative_to(tmp_path / "a") for path in sorted((tmp_path / "a").rglob("*.*"))]
    assert len(files) > 20
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


@pytest.mark.slow
def test_labels_are_kept_under_the_runs_own_name(run, tmp_path):
    _, data = folder_of(run, tmp_path / "a")
    assert folder_of(run, tmp_path / "b", columns=["RA"])[1]["id"] == data["id"]
    table = Table.read(run)
    table["P_LSBG"][0] /= 2
    table.write(tmp_path / "other.fits")
    assert folder_of(tmp_path / "other.fits", tmp_path / "c")[1]["id"] != data["id"]


@pytest.fixture(scope="module")
def annotated(survey, tmp_path_factory):
    """A part of the simulated survey, annotated, its cutouts kept, and the truth of the same."""
    folder = tmp_path_factory.mktemp("annotated")
    Table.read(survey.candidates)[:80].write(folder / "candidates.fits")
    Table.read(survey.truth)[:80].write(folder / "truth.fits")
    path = folder / "annotated.fits"
    annotate(folder / "candidates.fits", path, cutouts=f"tiles:{survey.tiles}", keep_cutouts=True)
    return path


@pytest.mark.long
@pytest.mark.slow
def test_with_truth_figures_and_heat_maps(annotated, tmp_path, lsbg):
    truth = annotated.with_name("truth.fits")
    report = tmp_path / "report"
    code, out, err = lsbg(
        "report", annotated, report, "--truth", truth, "--threshold", 0.6, "--heat-maps", 30,
        "--figures",
    )  # fmt: skip
    assert (code, err.startswith("lsbg:")) == (0, False)
    label, table = Table.read(truth)["LABEL"], Table.read(annotated)
    scores = judge(np.asarray(label), np.asarray(table["P_LSBG"]), 0.6)
    assert f"above 0.6: accuracy {scores.accuracy:.3f} (" in out
    assert f"completeness {scores.completeness:.3f} (" in out
    assert f"average precision {scores.average_precision:.3f} (" in out
    figures = {path.name for path in (report / "figures").iterdir()}
    assert {
        "best_and_worst.png",
        "probabilities.pdf",
        "sky.pdf",
        "completeness_size.pdf",
    } <= figures
    data = received(report / "data" / "run.js")[1]
    rows = unpacked(data["row"]).astype(int)
    np.testing.assert_array_equal(unpacked(data["truth"]), label[rows])
    assert data["heatMaps"] == 30
    name, (number, maps) = received(report / "heat" / "0.js")
    maps = unpacked(maps).reshape(-1, 16, 16)
    assert (name, number, len(maps)) == ("heat", 0, 30)
    cutouts, _ = open_kept(annotated).read(rows[:30])
    expected = load_classifier().contribution_maps(cutouts)
    expected = 255 * expected / expected.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(maps, expected, atol=0.51)


@pytest.mark.long
@pytest.mark.slow
def test_labels_are_shown_and_weights_compared_on_the_random_ones(annotated, tmp_path, lsbg):
    table, label = Table.read(annotated), Table.read(annotated.with_name("truth.fits"))["LABEL"]
    lines = ["ra,dec,label,labeller,time,chosen"]
    for n, (row, is_lsbg) in enumerate(zip(table, label, strict=True)):
        for name in ("Vera", "<b>Henri</b>"):
            word = "LSBG" if is_lsbg != (name != "Vera" and n % 10 == 0) else "artifact"
            chosen = ("random", "uncertain")[n % 2]
            place = f"{row['ALPHA_J2000']:.7f},{row['DELTA_J2000']:.7f}"
            lines.append(f"{place},{word},{name},2026-01-01T00:00:00Z,{chosen}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    report = tmp_path / "report"
    code, out, err = lsbg(
        "report", annotated, report, "--labels", tmp_path / "labels.csv",
        "--against", "des-simulated", "--heat-maps", 0,
    )  # fmt: skip
    assert code == 0, err
    assert f"des-simulated and {DEFAULT_WEIGHTS} cannot be told apart" in out or "is better" in out
    assert (report / "plots" / "roc_old_and_new-dark.svg").is_file()
    text = (report / "index.html").read_text("utf-8")
    for said in ("Old and new weights", "area under ROC", "Cohen", "&lt;b&gt;Henri"):
        assert said in text
    data = received(report / "data" / "run.js")[1]
    known = unpacked(data["truth"])
    rows = unpacked(data["row"]).astype(int)
    # Where the two disagree, in every tenth row, there is no label; half of the rest is random.
    expected = np.where((rows % 2 == 0) & (rows % 10 != 0), np.asarray(label)[rows], -1)
    np.testing.assert_array_equal(known, expected)


# What is refused


@pytest.fixture
def refused(run, tmp_path):
    """A call that must be refused in one line, with nothing left behind or changed."""

    def call(catalog=run, folder="report", **options):
        before = {path: path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))}
        with pytest.raises(InputError) as caught:
            write_report(catalog, tmp_path / folder, ReportOptions(**QUICK | options))
        after = {path: path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))}
        assert before == after
        line = str(caught.value)
        assert "\n" not in line
        return line

    return call


def test_a_catalog_that_was_not_annotated(refused, survey):
    assert "annotate the catalog" in refused(survey.candidates)


@pytest.mark.slow
def test_without_probabilities_there_is_a_set_to_label(tmp_path):
    """Half of it is random, so that the first weights can be judged."""
    columns = random_columns(30)
    columns["RA"][3] = np.nan
    rows = columns, np.full(30, np.nan, "f4"), np.full(30, Flag.NO_COVERAGE, "i2")
    path = write_annotated(tmp_path / "none.fits", *rows)
    lines = write_report(path, tmp_path / "report", ReportOptions(to_label=12, figures=True))
    assert "0 of 30 candidates have a probability" in lines
    data = received(tmp_path / "report" / "data" / "run.js")[1]
    to_label, is_random = unpacked(data["toLabel"]), unpacked(data["isRandom"])
    assert len(set(to_label.tolist())) == 12 and is_random.sum() == 6
    assert 3 not in unpacked(data["row"])[to_label]
    page = (tmp_path / "report" / "index.html").read_text("utf-8")
    assert "No candidate has a probability." in page


def test_no_rows(refused, tmp_path):
    rows = random_columns(0), np.empty(0, "f4"), np.empty(0, "i2")
    assert "nothing to show" in refused(write_annotated(tmp_path / "empty.fits", *rows))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"count": 0}, "at least one"),
        ({"to_label": -1}, "fewer than none"),
        ({"against": "no-such"}, "no-such"),
        ({"context": 120.0}, "--cutouts"),
        ({"cutouts": "tiles:/nowhere"}, "nowhere"),
        ({"columns": ["NOPE"]}, "no column NOPE"),
        ({"heat_maps": 5}, "des-simulated"),
    ],
)
def test_options_that_make_no_sense(refused, options, said):
    assert said in refused(**options)


@pytest.mark.parametrize("said", ["much", "nan", "7"])
def test_a_threshold_that_is_none(refused, tmp_path, said):
    rows = random_columns(3), np.ones(3, "f4"), np.zeros(3, "i2"), {"threshold": said}
    assert "give --threshold" in refused(write_annotated(tmp_path / "a.parquet", *rows))


def test_a_folder_that_is_no_report(refused, run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years")
    (tmp_path / "file").write_text("mine")
    assert "is no report" in refused(folder="mine")
    assert "is no report" in refused(folder="mine", overwrite=True)
    assert "is a file" in refused(folder="file", overwrite=True)
    assert "does not exist" in refused(folder="nowhere/report")
    assert "overlaps" in refused(folder=run.parent, overwrite=True)


@pytest.mark.slow
def test_a_report_is_replaced_on_demand_only(refused, run, tmp_path):
    report = tmp_path / "report"
    folder_of(run, report)
    assert "--overwrite" in refused()
    (report / "labels.csv").write_text("hours of work")
    assert "labels.csv" in refused(overwrite=True)
    (report / "labels.csv").unlink()
    folder_of(run, report, columns=["RA"], overwrite=True)
    assert len(list((report / "data").iterdir())) == 2
    (tmp_path / "empty").mkdir()
    folder_of(run, tmp_path / "empty")
    assert (tmp_path / "empty" / "index.html").is_file()


@pytest.mark.slow
def test_a_report_that_fails_midway_leaves_the_old_one(run, tmp_path):
    report = tmp_path / "report"
    folder_of(run, report)
    before = (report / "index.html").read_bytes()
    damaged = tmp_path / "damaged.fits"
    damaged.write_bytes(run.read_bytes())
    kept, broken = run.with_name(f"{run.name}.cutouts"), tmp_path / "damaged.fits.cutouts"
    broken.mkdir()
    for path in kept.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    (part,) = broken.glob("part-*.parquet")
    part.write_bytes(part.read_bytes()[:-2000])
    options = ReportOptions(**QUICK, overwrite=True)
    with pytest.raises(InputError, match="damaged"):
        write_report(damaged, report, options)
    assert (report / "index.html").read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".partial")]


TRUTHS = {
    "another length": lambda n: [0, 1],
    "two in a row": lambda n: np.zeros((n, 2), int),
    "three classes": lambda n: np.arange(n) % 3,
    "not a number": lambda n: np.full(n, np.nan),
    "texts": lambda n: np.full(n, "LSBG"),
}


@pytest.mark.parametrize("truth", TRUTHS)
def test_a_truth_that_does_not_fit(refused, truth, tmp_path):
    path = tmp_path / "truth.fits"
    Table({"LABEL": TRUTHS[truth](ROWS)}).write(path)
    assert str(path) in refused(truth=path)


@pytest.mark.parametrize("content", [None, b"", b"hello", b"SIMPLE  =                    T"])
def test_a_truth_that_is_no_table(refused, content, tmp_path):
    path = tmp_path / "truth.fits"
    if content is not None:
        path.write_bytes(content)
    assert str(path) in refused(truth=path)


@pytest.mark.slow
def test_odd_names_and_no_provenance(tmp_path):
    columns = random_columns(10)
    columns["X1"], columns["X2"] = columns.pop("RA"), columns.pop("DEC")
    columns["P_LSBG"], columns["FLAGS_LSBG"] = random_scores(10, seed=4)
    path = tmp_path / "caf\udce9 <1>.fits"
    Table(columns).write(tmp_path / "plain.fits")
    (tmp_path / "plain.fits").rename(path)
    options = ReportOptions(**QUICK, catalog_options={"ra": "X1", "dec": "X2"})
    write_report(path, tmp_path / "report", options)
    text = (tmp_path / "report" / "index.html").read_text("utf-8")
    assert "caf\\udce9 &lt;1&gt;.fits" in text


@pytest.mark.slow
def test_the_command_needs_neither_tensorflow_nor_a_display(run, tmp_path):
    code = (
        "import sys; sys.argv = ['lsbg', 'report', *sys.argv[1:]]; from pipeline.cli import main\n"
        "main()\n"
    )
    wrapped = (
        "import atexit, sys; atexit.register(lambda: sys.stderr.write('TF' if 'tensorflow' in "
        f"sys.modules else 'no TF'))\n{code}"
    )
    done = subprocess.run(
        [sys.executable, "-c", wrapped, run, tmp_path / "report", "--heat-maps", "0"],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": "", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("no TF")
    assert open_catalog(run).row_count == ROWS and (tmp_path / "report" / "index.html").is_file()
