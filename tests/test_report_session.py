"""Several labellers, a session that goes on elsewhere, and how a label was given: in a browser."""

import csv
import io
import json

import numpy as np
import pytest
from reports import PROVENANCE, address, made_run, open_browser, reload

from lsbg_classifier.training.judgements import read_judgements
from pipeline.report import ReportOptions, write_report

pytestmark = pytest.mark.slow

EACH = 20
NAMES = ("Ann", "bob")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report of 200 candidates for two labellers, who share half of their sets."""
    folder = tmp_path_factory.mktemp("session")
    options = ReportOptions(heat_maps=0, to_label=EACH, labellers=NAMES, overlap=0.5)
    write_report(made_run(folder, 200), folder / "report", options)
    return folder / "report"


@pytest.fixture(scope="module")
def browser():
    with open_browser() as opened:
        yield opened


@pytest.fixture
def start(browser):
    """Open the labelling page under a name, in a browser of its own; nothing may go wrong."""
    contexts, errors = [], []

    def begin(report, name):
        context = browser.new_context(accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.goto(address(report, "label"))
        page.get_by_label("Name", exact=True).fill(name)
        page.keyboard.press("Enter")
        page.locator("#place", has_text="Candidate 1 of").wait_for()
        return page

    yield begin
    for context in contexts:
        context.close()
    assert errors == []


def saved(page, button):
    with page.expect_download() as caught:
        page.get_by_role("button", name=button).click()
    return caught.value.path().read_text(encoding="utf-8")


def queue(page):
    """Rows of the set that the page's labeller sees, and which of them are random."""
    return page.evaluate(
        "LSBG.queue().map((i) => [LSBG.run.row[i], "
        "LSBG.run.isRandom[LSBG.run.toLabel.indexOf(i)] === 1])"
    )


@pytest.mark.long
def test_each_labeller_has_a_set_and_shares_a_part(report, start):
    pages = {name: start(report, name) for name in ("ann", "bob", "somebody else")}
    sets = {name: {row for row, _ in queue(page)} for name, page in pages.items()}
    assert len(sets["ann"]) == len(sets["bob"]) == EACH
    assert len(sets["ann"] & sets["bob"]) == EACH // 2
    assert sets["somebody else"] == sets["ann"] | sets["bob"]
    for name in ("ann", "bob"):
        at_random = [is_random for _, is_random in queue(pages[name])]
        assert abs(sum(at_random) - EACH / 2) <= 1
        assert pages[name].locator("#place").text_content() == f"Candidate 1 of {EACH}"
    shared = {row for row, is_random in queue(pages["bob"]) if is_random} & sets["ann"]
    assert 4 <= len(shared) <= 6  # labellers can be compared on random ones too


def test_a_label_knows_how_it_was_given(report, start, tmp_path):
    page = start(report, "ann")
    page.keyboard.press("l")
    page.get_by_label("Blind").uncheck()
    page.keyboard.press("a")
    reload(page)
    page.locator("#place", has_text="Candidate 3 of").wait_for()
    rows = list(csv.DictReader(io.StringIO(saved(page, "Export CSV"))))
    assert [row["blind"] for row in rows] == ["1", "0"]
    assert {row["report"] for row in rows} == {page.evaluate("LSBG.run.id")}
    assert {row["weights"] for row in rows} == {f"{PROVENANCE['weights']} 00000000"}
    (tmp_path / "labels.csv").write_text(saved(page, "Export CSV"))
    entries = read_judgements(tmp_path / "labels.csv").entries
    assert [entry.blind for entry in entries] == [True, False]
    page.goto(address(report, "gallery"))
    page.evaluate("LSBG.judge(0, 'LSBG', 'browsed')")
    (browsed,) = page.evaluate("LSBG.allJudgements().filter((one) => one.chosen === 'browsed')")
    assert browsed["blind"] is False


def test_a_session_goes_on_on_another_machine(report, start, tmp_path):
    here = start(report, "ann")
    for key in ("l", "a", "ArrowRight", "ArrowRight", "u", "ArrowLeft", "ArrowLeft", "ArrowLeft"):
        here.keyboard.press(key)
    place = here.locator("#place").text_content()
    assert place == f"Candidate 3 of {EACH}"
    text = saved(here, "Save session")
    (tmp_path / "session.json").write_text(text, encoding="utf-8")
    there = start(report, "guest")
    there.locator("#import").set_input_files(tmp_path / "session.json")
    there.get_by_text("session.json: 3 labels, 3 of candidates in this report.").wait_for()
    assert there.locator("#place").text_content() == place
    assert there.locator("#labeller").text_content() == "ann"
    assert there.locator("#progress-text").text_content() == f"3 of {EACH} labelled"
    for page in (here, there):
        page.keyboard.press("l")
    said = [
        page.evaluate("LSBG.allJudgements().map((one) => [one.ra, one.label, one.blind])")
        for page in (here, there)
    ]
    assert said[0] == said[1] and len(said[0]) == 4
    # the same file is one of labels to the commands
    judgements = read_judgements(tmp_path / "session.json")
    assert sorted(judgements.verdicts["ann"].tolist()) == [-1, 0, 1]
    assert {entry.blind for entry in judgements.entries} == {True}


def test_sessions_of_others_are_labels_and_no_place(report, start, tmp_path):
    page = start(report, "ann")
    session = json.loads(saved(page, "Save session"))
    ra, dec = page.evaluate("[LSBG.run.ra[7], LSBG.run.dec[7]]")
    session["report"], session["row"] = "another", 7
    session["labels"] = [{"ra": ra, "dec": dec, "label": "LSBG", "labeller": "eve"}]
    (tmp_path / "other.json").write_text(json.dumps(session))
    page.locator("#import").set_input_files(tmp_path / "other.json")
    page.get_by_text("other.json: 1 labels, 1 of candidates").wait_for()
    assert page.locator("#place").text_content() == f"Candidate 1 of {EACH}"
    for content, said in (("{", "it is damaged"), ('{"kind": 1}', "it is no session of labels")):
        (tmp_path / "bad.json").write_text(content)
        page.locator("#import").set_input_files(tmp_path / "bad.json")
        page.get_by_text(f"bad.json was not imported: {said}").wait_for()


@pytest.mark.long
@pytest.mark.parametrize(("decimals", "here"), [(7, 2), (4, 2), (2, 0)])
def test_positions_that_are_too_coarse_are_of_no_candidate(report, start, tmp_path, decimals, here):
    page = start(report, "ann")
    positions = np.array(
        page.evaluate("[3, 5].map((i) => [LSBG.run.ra[i] - 360, LSBG.run.dec[i]])")
    )
    rows = [f"{ra:.{decimals}f},{dec:.{decimals}f},LSBG" for ra, dec in positions]
    (tmp_path / "by_hand.csv").write_text("\n".join(["ra,dec,label", *rows]))
    page.locator("#import").set_input_files(tmp_path / "by_hand.csv")
    page.get_by_text(f"2 labels, {here} of candidates in this report.").wait_for()
