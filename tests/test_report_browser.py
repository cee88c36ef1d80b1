"""The report in a real browser: quick, complete by keyboard alone, and closed to the outside."""

import csv
import datetime
import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table
from PIL import Image
from reports import address, made_run, random_columns, reload, until, values, write_annotated

from catalogs import open_catalog
from catalogs.flags import Flag
from lsbg_classifier.cutouts.kept import open_kept
from lsbg_classifier.training.intervals import wilson
from pipeline import annotate
from pipeline.report import ReportOptions, write_report

ROWS = 20_000
LABELS = {"l": "LSBG", "a": "artifact", "u": "unsure"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A report of 20,000 candidates with their cutouts."""
    folder = tmp_path_factory.mktemp("large")
    write_report(made_run(folder, ROWS), folder / "report", ReportOptions(heat_maps=0))
    return folder / "report"


@pytest.fixture(scope="module")
def catalog(large):
    return Table.read(large.parent / "annotated.fits")


@pytest.fixture(scope="module")
def small(survey, tmp_path_factory):
    """A report of 60 simulated candidates, as the commands make it, with truth and heat maps."""
    folder = tmp_path_factory.mktemp("small")
    Table.read(survey.candidates)[:60].write(folder / "candidates.fits")
    Table.read(survey.truth)[:60].write(folder / "truth.fits")
    annotated = folder / "annotated.fits"
    annotate(
        folder / "candidates.fits", annotated, cutouts=f"tiles:{survey.tiles}", keep_cutouts=True
    )
    options = ReportOptions(truth=folder / "truth.fits", to_label=12)
    write_report(annotated, folder / "report", options)
    return folder / "report"


def start_labelling(page, report, name="Vera"):
    page.goto(address(report, "label"))
    page.get_by_label("Name", exact=True).fill(name)
    page.keyboard.press("Enter")
    page.get_by_text(re.compile("^Candidate 1 of")).wait_for()


def exported(page):
    with page.expect_download() as caught:
        page.get_by_role("button", name="Export CSV").click()
    assert caught.value.suggested_filename == "labels.csv"
    return caught.value.path().read_text()


def shown(page):
    return page.locator("#shown").text_content()


def test_the_first_pictures_are_there_within_three_seconds(large, new_page):
    page = new_page()
    page.goto(address(large, "gallery"))
    name = "lsbg-first-thumbnails"
    until(page, f"performance.getEntriesByName('{name}').length > 0")
    milliseconds = page.evaluate(f"performance.getEntriesByName('{name}')[0].startTime")
    assert milliseconds < 3000
    assert page.locator("#cards canvas.drawn").count() > 20
    assert shown(page) == "20,000 candidates, 1 to 200 on this page"


def test_pictures_come_as_they_are_scrolled_to(large, new_page):
    page = new_page()
    page.goto(address(large, "gallery"))
    page.locator("#cards canvas.drawn").first.wait_for()
    last = page.locator("#cards .card").last
    assert "drawn" not in last.locator("canvas").get_attribute("class")
    last.scroll_into_view_if_needed()
    last.locator("canvas.drawn").wait_for()


def test_a_picture_is_that_of_its_row(small, new_page):
    page = new_page()
    page.goto(address(small, "gallery"))
    page.locator("#cards .card").nth(33).click()
    page.get_by_role("dialog").get_by_label("Sharp pixels").check()
    picture = page.locator("#detail canvas.drawn")
    with Image.open(io.BytesIO(picture.screenshot(animations="disabled"))) as taken:
        seen = np.asarray(taken.convert("L").resize((64, 64), Image.Resampling.BOX)).astype(float)
    rows = np.array(values(page, "LSBG.run.row[i]"), int)
    cutouts, have = open_kept(small.parent / "annotated.fits").read(rows)
    difference = abs(cutouts.mean(axis=-1) - seen).mean(axis=(1, 2))
    assert have[33] and difference.argmin() == 33


@pytest.mark.long
def test_sorting_filtering_and_pages(large, catalog, new_page):
    page = new_page()
    page.goto(address(large, "gallery"))
    page.get_by_label("Probability from").fill("0.9")
    page.get_by_label("to", exact=True).fill("0.95")
    p = catalog["P_LSBG"]
    expected = np.count_nonzero((p >= np.float32(0.9)) & (p <= np.float32(0.95)))
    until(page, f"LSBG.gallery.order.length === {expected}")
    assert shown(page).startswith(f"{expected:,} of 20,000 candidates")

    page.get_by_role("button", name="Reset").click()
    page.locator("#flag").select_option(label="with MASKED_PIXELS")
    expected = np.count_nonzero(catalog["FLAGS_LSBG"] & Flag.MASKED_PIXELS)
    until(page, f"LSBG.gallery.order.length === {expected}")
    page.locator("#add-filter").select_option(label="MAG_AUTO_G")
    page.locator("#filters .from").fill("23")
    page.locator("#add-filter").select_option(label="TILENAME")
    page.locator("#filters .contains").fill("des0007")
    chosen = (
        (catalog["FLAGS_LSBG"] & Flag.MASKED_PIXELS != 0)
        & (catalog["MAG_AUTO_G"] >= 23)
        & (catalog["TILENAME"] == "DES0007-4000")
    )
    rows = np.flatnonzero(chosen)
    until(page, f"LSBG.gallery.order.length === {len(rows)}")
    page.locator("#sort").select_option(label="MAG_AUTO_G")
    page.locator("#descending").select_option("false")
    ascending = rows[np.argsort(catalog["MAG_AUTO_G"][rows])].tolist()
    first = f"LSBG.run.row[LSBG.gallery.order[0]] === {ascending[0]}"
    until(page, first)
    assert values(page, "LSBG.run.row[i]") == ascending

    page.get_by_role("button", name="Reset").click()
    until(page, f"LSBG.gallery.order.length === {ROWS}")
    page.get_by_role("button", name="Last").first.click()
    assert shown(page) == "20,000 candidates, 19,801 to 20,000 on this page"
    assert page.locator("#cards .card").last.get_attribute("aria-label").endswith("NO_COVERAGE")


def test_fifty_labels_by_keyboard_survive_a_reload(large, catalog, new_page, tmp_path):
    page = new_page(accept_downloads=True)
    start_labelling(page, large)
    keys = [("l", "a", "u")[n % 3] for n in range(50)]
    for key in keys:
        page.keyboard.press(key)
    reload(page)
    page.get_by_text("Candidate 51 of 400").wait_for()
    assert page.locator("#progress-text").text_content() == "50 of 400 labelled"
    text = exported(page)
    assert text.splitlines()[0] == "ra,dec,label,labeller,time,chosen,report,weights,blind"
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["label"] for row in rows] == [LABELS[key] for key in keys]
    assert {row["labeller"] for row in rows} == {"Vera"}
    assert {row["chosen"] for row in rows} == {"uncertain", "random"}
    now = datetime.datetime.now(datetime.UTC)
    for row in rows:
        assert re.fullmatch(r"\d+\.\d{7}", row["ra"]) and re.fullmatch(r"-?\d+\.\d{7}", row["dec"])
        assert row["time"].endswith("Z")
        assert abs(now - datetime.datetime.fromisoformat(row["time"])) < datetime.timedelta(hours=1)
    at = {(f"{one['RA']:.7f}", f"{one['DEC']:.7f}"): one for one in catalog}
    found = [at[row["ra"], row["dec"]] for row in rows]
    distance = [abs(one["P_LSBG"] - 0.5) for one in found]
    uncertain = [d for d, row in zip(distance, rows, strict=True) if row["chosen"] == "uncertain"]
    assert uncertain == sorted(uncertain) and uncertain[-1] < 0.02
    assert max(distance) > 0.3


@pytest.mark.long
def test_from_fifty_labels_by_keyboard_to_compared_weights(
    survey, new_page, lsbg, tmp_path, monkeypatch
):
    monkeypatch.setenv("LSBG_WEIGHTS", str(tmp_path / "weights"))
    annotated, labels = tmp_path / "annotated.fits", tmp_path / "labels.csv"
    options = {"weights": "des-simulated", "cutouts": f"tiles:{survey.tiles}"}
    annotate(survey.candidates, annotated, keep_cutouts=True, **options)
    write_report(annotated, tmp_path / "report", ReportOptions(to_label=50))
    is_lsbg = np.asarray(Table.read(survey.truth)["LABEL"]) == 1
    page = new_page(accept_downloads=True)
    start_labelling(page, tmp_path / "report")
    rows = page.evaluate("Array.from(LSBG.run.toLabel, (i) => LSBG.run.row[i])")
    for row in rows:
        page.keyboard.press("l" if is_lsbg[int(row)] else "a")
    reload(page)
    page.get_by_text("50 of 50 labelled").wait_for()
    labels.write_text(exported(page))
    command = [Path(sys.executable).parent / "lsbg-train-des", tmp_path / "taught"]
    command += ["--labels", labels, "--cutouts", f"kept:{annotated}", "--name", "taught"]
    done = subprocess.run(
        [*command, "--epochs", "2", "--batch", "16"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    arguments = ("report", annotated, tmp_path / "second", "--labels", labels)
    code, said, err = lsbg(*arguments, "--against", "taught")
    assert code == 0, err
    page.goto(address(tmp_path / "second"))
    summary = page.locator("main").text_content()
    assert "On 25 labels that were chosen at random" in summary and "taught" in summary
    assert "accuracy" in said


def test_several_labellers_meet_in_one_file(large, new_page, tmp_path):
    vera, henri = new_page(accept_downloads=True), new_page(accept_downloads=True)
    start_labelling(vera, large, "Vera")
    start_labelling(henri, large, 'Henri "H", fils')
    for key in "lall":
        vera.keyboard.press(key)
    for key in "laul":
        henri.keyboard.press(key)
    (tmp_path / "henri.csv").write_text(exported(henri), encoding="utf-8")
    vera.locator("#import").set_input_files(tmp_path / "henri.csv")
    vera.get_by_text("henri.csv: 4 labels, 4 of candidates in this report.").wait_for()
    assert vera.locator("#count-LSBG").text_content() == "3"
    rows = list(csv.DictReader(io.StringIO(exported(vera))))
    by_name = {}
    for row in rows:
        by_name.setdefault(row["labeller"], []).append((row["ra"], row["dec"], row["chosen"]))
    assert set(by_name) == {"Vera", 'Henri "H", fils'}
    assert sorted(by_name["Vera"]) == sorted(by_name['Henri "H", fils'])


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello\n", "no column ra, dec, label in its first line"),
        ("ra,dec,label,labeller,time,chosen\n1,2,galaxy,V,2026-01-01T00:00:00Z,random\n", "row 2"),
        ("ra,dec,label,labeller,time\n1,200,LSBG,V,2026-01-01T00:00:00Z\n", "no position"),
        ("ra,dec,label\n1,2,LSBG,V\n", "row 2 has more values than columns"),
        ("ra,dec,label\n1,5,2,5,LSBG\n", "decimal commas need semicolons"),
        ("ra,dec,label,labeller,time\n1,2,LSBG,V,yesterday\n", "no time"),
        ('ra,dec,label,labeller,time\n1,2,"LSBG,V,2026-01-01T00:00:00Z\n', "no end"),
    ],
)
def test_a_file_that_is_no_export_is_refused_whole(small, new_page, tmp_path, text, said):
    page = new_page()
    start_labelling(page, small)
    (tmp_path / "bad.csv").write_text(text)
    page.locator("#import").set_input_files(tmp_path / "bad.csv")
    page.get_by_text("bad.csv was not imported").wait_for()
    assert said in page.locator("#import-said").text_content()
    assert page.evaluate("LSBG.allJudgements().length") == 0


DOCS_EXAMPLE = """ra,dec,label,labeller,time,chosen
{0},LSBG,ada,2026-05-04T10:12:00Z,random
{1},artifact,ada,2026-05-04T10:12:04Z,uncertain
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "labeller"),
    [
        (DOCS_EXAMPLE, "ada"),
        ("ra,dec,label\n{0},LSBG\n{1},artifact\n", "near"),
        ("\ufeffra,dec,label,\r\n{0},1.0,\r\n{1},0.0,\r\n", "near"),
        ("RA;Dec;Label;Chosen\n{0},lsbg;Random\n{1},ARTIFACT;\n", "near"),
        ("ra;dec;label;labeller\n{0},1;ada\n{1},0;ada\n", "ada"),
    ],
)
def test_files_by_hand_and_of_spreadsheets_are_imported(small, new_page, tmp_path, text, labeller):
    page = new_page()
    start_labelling(page, small)
    positions = page.evaluate("[3, 5].map((i) => [LSBG.run.ra[i], LSBG.run.dec[i]])")
    places = [f"{ra:.7f},{dec:.7f}" for ra, dec in positions]
    if ";" in text:  # decimal commas, as they are beside semicolons
        places = [place.replace(",", ";").replace(".", ",") for place in places]
        text = re.sub(r"\{(\d)\},", r"{\1};", text)
    (tmp_path / "near.csv").write_text(text.format(*places), encoding="utf-8")
    page.locator("#import").set_input_files(tmp_path / "near.csv")
    page.get_by_text("near.csv: 2 labels, 2 of candidates in this report.").wait_for()
    said = page.evaluate(f"[3, 5].map((i) => LSBG.judgement(i, '{labeller}').label)")
    assert said == ["LSBG", "artifact"]


def test_rounded_positions_are_matched_within_what_rounding_can_do(small, new_page, tmp_path):
    page = new_page()
    start_labelling(page, small)
    positions = page.evaluate("[3, 5].map((i) => [LSBG.run.ra[i], LSBG.run.dec[i]])")
    rows = [f"{ra:.3f},{dec:.3f},LSBG" for ra, dec in positions]
    (tmp_path / "rounded.csv").write_text("\n".join(["ra,dec,label", *rows]))
    page.locator("#import").set_input_files(tmp_path / "rounded.csv")
    page.get_by_text('2 of candidates in this report, matched within 2.5" because').wait_for()
    assert page.evaluate("LSBG.judgement(5, 'rounded').label") == "LSBG"


def test_a_correction_in_the_gallery_keeps_the_set_it_was_drawn_for(small, new_page):
    page = new_page(accept_downloads=True)
    start_labelling(page, small)
    for _ in range(12):
        page.keyboard.press("a")
    before = {row["ra"]: row for row in csv.DictReader(io.StringIO(exported(page)))}
    assert {row["chosen"] for row in before.values()} == {"random", "taught"}
    page.get_by_role("link", name="Gallery").click()
    page.locator("#label-choice").select_option("artifact")
    until(page, "LSBG.gallery.order.length === 12")
    page.locator("#cards .card").first.click()
    for number in range(12):
        page.keyboard.press("l")
        until(page, f"LSBG.allJudgements().filter((one) => one.label === 'LSBG').length > {number}")
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Label").click()
    after = {row["ra"]: row for row in csv.DictReader(io.StringIO(exported(page)))}
    assert {row["label"] for row in after.values()} == {"LSBG"}
    assert {ra: row["chosen"] for ra, row in after.items()} == {
        ra: row["chosen"] for ra, row in before.items()
    }


def test_positions_half_an_arcsecond_away_are_the_same_object(small, new_page, tmp_path):
    page = new_page()
    start_labelling(page, small)
    ra, dec = page.evaluate("[LSBG.run.ra[3], LSBG.run.dec[3]]")
    time = "2026-01-01T00:00:00Z"
    rows = [f"{ra},{dec + shift / 3600},{label},V,{time}" for shift, label in
            ((0.45, "artifact"), (20, "unsure"))]  # fmt: skip
    (tmp_path / "near.csv").write_text("\n".join(["ra,dec,label,labeller,time", *rows]))
    page.locator("#import").set_input_files(tmp_path / "near.csv")
    page.get_by_text("2 labels, 1 of candidates in this report").wait_for()
    assert page.evaluate("LSBG.judgement(3, 'V').label") == "artifact"


def test_back_undo_and_a_second_thought(small, new_page):
    page = new_page(accept_downloads=True)
    start_labelling(page, small)
    for key in ("l", "l", "Backspace", "Backspace", "a"):
        page.keyboard.press(key)
    assert page.locator("#place").text_content() == "Candidate 2 of 12"
    assert page.locator("#count-LSBG").text_content() == "1"
    page.keyboard.press("z")
    assert page.locator("#place").text_content() == "Candidate 1 of 12"
    assert page.locator("#count-LSBG").text_content() == "2"
    for key in "zz":
        page.keyboard.press(key)
    assert page.locator("#progress-text").text_content() == "0 of 12 labelled"
    reload(page)
    page.get_by_text("Candidate 1 of 12").wait_for()
    for key in "la" * 6:
        page.keyboard.press(key)
    page.get_by_role("heading", name="All done").wait_for()
    page.keyboard.press("l")
    assert len(list(csv.DictReader(io.StringIO(exported(page))))) == 12


def test_labelling_is_blind_unless_asked(small, new_page):
    page = new_page()
    start_labelling(page, small)
    view = page.locator("#label")
    probability = page.evaluate("LSBG.probabilityText(LSBG.run.toLabel[0])")
    assert probability not in view.inner_text()
    assert probability not in view.evaluate("(element) => element.outerHTML")
    page.get_by_label("Blind").uncheck()
    assert f"probability {probability}" in view.inner_text()


@pytest.mark.long
def test_two_open_pages_lose_nothing(small, new_page):
    one = new_page()
    start_labelling(one, small)
    two = new_page(one.context)
    two.goto(address(small, "label"))
    two.get_by_text("Candidate 1 of 12").wait_for()
    one.keyboard.press("l")
    two.locator("#count-LSBG").get_by_text("1").wait_for()
    two.keyboard.press("ArrowRight")
    two.keyboard.press("a")
    one.locator("#count-artifact").get_by_text("1").wait_for()
    reload(one)
    assert one.evaluate("LSBG.allJudgements().length") == 2


def test_a_browser_that_keeps_nothing_says_so(small, new_page):
    page = new_page(accept_downloads=True)
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no'); }})"
    )
    start_labelling(page, small)
    page.get_by_role("alert").get_by_text("export your labels").wait_for()
    page.keyboard.press("l")
    assert len(list(csv.DictReader(io.StringIO(exported(page))))) == 1


def test_a_browser_that_is_full_says_so(small, new_page):
    page = new_page(accept_downloads=True)
    start_labelling(page, small)
    page.evaluate(
        "for (let size = 1 << 22; size >= 1; size >>= 1) {"
        "  try { while (true) localStorage.setItem(`x${Math.random()}`, 'x'.repeat(size)); }"
        "  catch {} }"
    )
    page.keyboard.press("l")
    page.get_by_role("alert").get_by_text("no more room").wait_for()
    assert len(list(csv.DictReader(io.StringIO(exported(page))))) == 1


def test_labels_given_in_the_gallery_are_browsed(small, new_page):
    page = new_page(accept_downloads=True)
    page.goto(address(small, "gallery"))
    page.locator("#cards .card").nth(2).click()
    page.keyboard.press("a")
    page.get_by_label("Name", exact=True).fill("Vera")
    page.keyboard.press("Enter")
    page.get_by_text("Labelled artifact").wait_for()
    page.keyboard.press("Escape")
    assert "labelled artifact" in page.locator("#cards .card").nth(2).get_attribute("aria-label")
    page.locator("#label-choice").select_option("artifact")
    until(page, "LSBG.gallery.order.length === 1")
    page.goto(address(small, "label"))
    (row,) = csv.DictReader(io.StringIO(exported(page)))
    assert (row["label"], row["chosen"]) == ("artifact", "browsed")


def test_by_keyboard_alone(small, new_page):
    page = new_page()
    page.goto(address(small))
    focused = "document.activeElement"
    visible = f"getComputedStyle({focused}).outlineStyle !== 'none'"
    page.keyboard.press("Tab")
    assert page.evaluate(f"{focused}.textContent") == "Skip to the content"
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate(f"{focused}.textContent") == "Label" and page.evaluate(visible)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.locator("#cards .card").first.wait_for()
    for _ in range(40):
        page.keyboard.press("Tab")
        assert page.evaluate(visible), page.evaluate(f"{focused}.outerHTML")
        if page.evaluate(f"{focused}.matches('.card')"):
            break
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(f"{focused}.dataset.at") == "2"
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    page.keyboard.press("ArrowRight")
    assert "4 of 60" in dialog.inner_text()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert page.evaluate(f"{focused}.dataset.at") == "3" and page.evaluate(visible)


def test_everything_known_of_a_candidate(small, new_page):
    page = new_page()
    page.goto(address(small, "gallery"))
    page.locator("#flag").select_option("none")
    page.locator("#cards .card").first.click()
    dialog = page.get_by_role("dialog")
    row = int(page.evaluate("LSBG.run.row[LSBG.gallery.order[0]]"))
    candidate = Table.read(small.parent / "annotated.fits")[row]
    page.get_by_role("row", name=re.compile("^TILENAME")).wait_for()
    text = dialog.inner_text()
    assert f"{candidate['P_LSBG']:.3f}" in text
    assert f"{candidate['ALPHA_J2000']:.6f}°, {candidate['DELTA_J2000']:.6f}°" in text
    position = SkyCoord(candidate["ALPHA_J2000"], candidate["DELTA_J2000"], unit="deg")
    alpha = position.ra.to_string("hour", sep=":", precision=3, pad=True)
    delta = position.dec.to_string(sep=":", precision=2, pad=True, alwayssign=True)
    assert f"{alpha} {delta}" in text
    line = page.get_by_role("row", name=re.compile("^MAG_AUTO_G")).inner_text().split()
    assert line[0] == "MAG_AUTO_G" and line[2] == "mag"
    assert float(line[1]) == pytest.approx(candidate["MAG_AUTO_G"], rel=1e-6)
    links = dialog.get_by_role("link")
    hosts = ["www.legacysurvey.org", "simbad.cds.unistra.fr", "aladin.cds.unistra.fr"]
    hosts += ["ned.ipac.caltech.edu"]
    for link, host in zip(links.all(), hosts, strict=True):
        assert link.get_attribute("href").startswith(f"https://{host}/")
        assert f"{candidate['ALPHA_J2000']:.6f}" in link.get_attribute("href")
        assert link.get_attribute("rel") == "noopener noreferrer"
        assert link.get_attribute("target") == "_blank"


def test_the_heat_map_lies_over_the_picture_on_demand(small, new_page):
    page = new_page()
    page.goto(address(small, "gallery"))
    page.locator("#cards .card").first.click()
    assert page.locator(".heat").count() == 0
    page.keyboard.press("h")
    page.locator("#detail .heat").wait_for()
    opaque = (
        "LSBG.loadHeatMap(LSBG.gallery.order[0]).then(() => {"
        "  const canvas = document.querySelector('.heat');"
        "  const {data} = canvas.getContext('2d').getImageData(0, 0, 16, 16);"
        "  return Array.from(data).filter((value, n) => n % 4 === 3 && value > 50).length; })"
    )
    assert 0 < page.evaluate(opaque) < 256
    page.keyboard.press("h")
    assert page.locator(".heat").count() == 0


def test_the_opacity_of_the_heat_map_changes_what_is_drawn(small, new_page):
    """By as much as the slider says, pixel by pixel; the legend has the map's own colours."""
    page = new_page()
    page.goto(address(small, "gallery"))
    page.locator("#cards .card").first.click()
    dialog = page.get_by_role("dialog")
    dialog.locator("canvas.drawn").wait_for()

    def seen():
        taken = dialog.locator("canvas.drawn").screenshot(animations="disabled")
        with Image.open(io.BytesIO(taken)) as image:
            return np.asarray(image.convert("RGB"))[10:-10, 10:-10].astype(float)

    plain = seen()
    assert not page.locator("#detail-legend").is_visible()
    dialog.get_by_role("checkbox", name="Heat map").check()
    until(page, "document.querySelector('#detail .heat').getContext('2d')"
                ".getImageData(0, 0, 16, 16).data.some((value) => value > 0)")  # fmt: skip
    whole = seen() - plain
    assert abs(whole).max() > 40
    dialog.get_by_label("Opacity").fill("0.3")
    np.testing.assert_allclose(seen() - plain, 0.3 * whole, atol=2)

    assert page.locator("#detail-legend").inner_text().split("\n")[0].startswith("none")
    assert "most in this picture" in page.locator("#detail-legend").inner_text()
    scale = (
        "Array.from(document.querySelector('#detail-legend canvas').getContext('2d')"
        ".getImageData(0, 0, 64, 1).data)"
    )
    legend = np.reshape(page.evaluate(scale), (64, 4))
    assert (np.diff(legend[:, 3]) >= 0).all() and legend[0, 3] < 40 and legend[-1, 3] > 140
    painted = np.reshape(page.evaluate(scale.replace("-legend canvas", " .heat")
                                       .replace("64, 1", "16, 16")), (-1, 4))  # fmt: skip
    highest = painted[painted[:, 1].argmax()]  # the yellowest
    np.testing.assert_allclose(highest, legend[-1], atol=2)


def test_positions_are_copied_and_pictures_are_zoomed(small, new_page):
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto(address(small, "gallery"))
    page.locator("#cards .card").first.click()
    dialog = page.get_by_role("dialog")
    row = int(page.evaluate("LSBG.run.row[LSBG.gallery.order[0]]"))
    candidate = Table.read(small.parent / "annotated.fits")[row]
    expected = SkyCoord(candidate["ALPHA_J2000"], candidate["DELTA_J2000"], unit="deg")
    for name, unit, sign in (("degrees", "deg", "."), ("hours", ("hourangle", "deg"), ":")):
        dialog.get_by_role("button", name=f"Copy {name}").click()
        said = "document.getElementById('detail-said').textContent"
        until(page, f"/^Copied: \\d+[{sign}]/.test({said})")
        copied = SkyCoord(page.evaluate("navigator.clipboard.readText()"), unit=unit)
        assert copied.separation(expected).arcsec < 0.02

    def seen():
        picture = dialog.locator(".picture")
        with Image.open(io.BytesIO(picture.screenshot(animations="disabled"))) as taken:
            return taken.convert("L")

    dialog.locator("canvas.drawn").wait_for()
    usual = seen()
    dialog.get_by_label("Zoom").select_option("2")
    width, height = usual.size
    middle = (width // 4, height // 4, width - width // 4, height - height // 4)
    zoomed, enlarged, plain = (
        np.asarray(image.resize((32, 32), Image.Resampling.BOX)).astype(float)
        for image in (seen(), usual.crop(middle), usual)
    )
    # the cross at the middle of the picture keeps its size
    assert np.median(abs(zoomed - enlarged)) < 0.3 * np.median(abs(plain - enlarged))


@pytest.mark.parametrize(
    ("ra", "dec", "text"),
    [
        (0, 0, "00:00:00.000 +00:00:00.00"),
        (359.9999999, -89.9999999, "00:00:00.000 -90:00:00.00"),
        (14.9999999, 0.9999999, "01:00:00.000 +01:00:00.00"),
        (180.5, -0.25, "12:02:00.000 -00:15:00.00"),
    ],
)
def test_sexagesimal_positions_have_no_part_of_sixty(small, new_page, ra, dec, text):
    page = new_page()
    page.goto(address(small))
    assert page.evaluate(f"LSBG.sexagesimal({ra}, {dec})") == text


@pytest.mark.long
def test_the_address_says_what_the_gallery_shows(large, new_page):
    """Reload, Back, and an address that is opened elsewhere."""
    page = new_page()
    page.goto(address(large, "gallery"))
    page.get_by_label("Probability from").fill("0.3")
    page.locator("#sort").select_option(label="MAG_AUTO_G")
    page.locator("#add-filter").select_option(label="TILENAME")
    page.locator("#filters .contains").fill("DES000")
    until(page, "LSBG.gallery.order.length < 5000 && LSBG.gallery.order.length > 200")
    rows = values(page, "LSBG.run.row[i]")
    page.get_by_role("button", name="Next").first.click()
    page.locator("#cards .card").nth(4).click()
    page.keyboard.press("ArrowRight")
    row = rows[205]
    assert f"row={int(row)}" in page.url and "page=2" in page.url
    elsewhere = new_page()
    elsewhere.goto(page.url)
    for one in (page, elsewhere):
        reload(one)
        one.get_by_role("dialog").get_by_text(f"Row {int(row):,}").wait_for()
        assert values(one, "LSBG.run.row[i]") == rows
        assert one.get_by_label("Probability from").input_value() == "0.3"
        assert one.locator("#filters .contains").input_value() == "DES000"
    page.go_back()
    page.get_by_role("dialog").wait_for(state="hidden")
    until(page, "LSBG.gallery.page === 1")
    page.go_back()
    until(page, "LSBG.gallery.page === 0")
    assert values(page, "LSBG.run.row[i]") == rows


@pytest.mark.parametrize(
    "hash", ["?sort=column+NOPE&flag=x&page=99&row=-3", "?from=x&page=y", "?&="]
)
def test_an_address_that_says_nonsense_shows_the_gallery(small, new_page, hash):
    page = new_page()
    page.goto(address(small, f"gallery{hash}"))
    until(page, "LSBG.gallery.order.length === 60")


def test_a_threshold_says_what_it_implies(small, new_page):
    page = new_page()
    page.goto(address(small, "gallery"))
    table, truth = (Table.read(small.parent / name) for name in ("annotated.fits", "truth.fits"))
    is_lsbg = np.asarray(truth["LABEL"]) == 1
    probability = np.ma.filled(np.ma.masked_invalid(table["P_LSBG"]), -1)
    for threshold in (0.25, 0.9):
        page.locator("#threshold").fill(str(threshold))
        above = probability > np.float32(threshold)
        scored = probability >= 0
        right, lsbgs = (above & is_lsbg).sum(), (scored & is_lsbg).sum()
        said = page.locator("#threshold-said").text_content()
        assert f"{above.sum()} candidates of the catalog are above {threshold:.2f};" in said
        ends = [wilson(right, count) for count in (lsbgs, above.sum())]
        for name, count, (low, high) in zip(
            ("completeness", "purity"), (lsbgs, above.sum()), ends, strict=True
        ):
            assert f"{name} {right / count:.3f} ({low:.3f} to {high:.3f})" in said
    page.get_by_role("button", name="Show those above").click()
    until(page, f"LSBG.gallery.order.length === {int(above.sum())}")


def test_the_look_of_pictures_changes_and_is_reset(small, new_page):
    page = new_page()
    page.goto(address(small, "gallery"))
    picture = page.locator("#cards canvas.drawn").first
    picture.wait_for()

    def seen():
        taken = picture.screenshot(animations="disabled")
        with Image.open(io.BytesIO(taken)) as image:
            inner = np.asarray(image.convert("RGB"))[10:-10, 10:-10]  # without the card's corners
            return inner.astype(float)

    usual = seen()
    page.locator("#gallery [data-look=softening]").fill("10")
    stretched = seen()
    assert abs(stretched - usual).max() > 20
    page.locator("#gallery [data-look=negative]").check()
    np.testing.assert_allclose(seen(), 255 - stretched, atol=3)
    page.locator("#gallery [data-look=band]").select_option(label="z")
    grey = seen()
    np.testing.assert_allclose(grey[..., 0], grey[..., 2], atol=1)
    np.testing.assert_allclose(grey[..., 0], 255 - stretched[..., 0], atol=12)
    page.locator("#gallery [data-look=brightness]").fill("3")
    page.locator("#thumb-size").fill("192")
    page.get_by_label("Sharp pixels").first.check()
    page.get_by_role("button", name="Reset").click()
    page.locator("#cards canvas.drawn").first.wait_for()
    np.testing.assert_allclose(seen(), usual, atol=1)
    assert page.locator("#gallery [data-look=brightness]").input_value() == "1"
    assert not page.get_by_label("Sharp pixels").first.is_checked()


@pytest.mark.long
def test_a_candidate_is_found_by_row_and_by_identifier(large, catalog, new_page):
    page = new_page()
    page.goto(address(large, "gallery"))
    page.locator("#goto-value").fill("12345")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_text("Row 12,345").wait_for()
    page.keyboard.press("Escape")
    page.locator("#goto-column").select_option(label="COADD_OBJECT_ID")
    page.locator("#goto-value").fill(str(catalog["COADD_OBJECT_ID"][678]))
    page.get_by_role("button", name="Open").click()
    page.get_by_role("dialog").get_by_text("Row 678").wait_for()
    page.keyboard.press("Escape")
    page.locator("#goto-value").fill("77")
    page.keyboard.press("Enter")
    page.get_by_text("COADD_OBJECT_ID 77 is not in this report.").wait_for()


def test_the_selection_is_taken_along(small, new_page, tmp_path):
    """As CSV with the catalog's columns, and by a command that makes a catalog of it."""
    page = new_page(accept_downloads=True)
    page.goto(address(small, "gallery"))
    page.get_by_label("Probability from").fill("0.2")
    until(page, "LSBG.gallery.order.length < 60")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Export selection").click()
    caught.value.save_as(tmp_path / "selection.csv")
    shown = [int(row) for row in values(page, "LSBG.run.row[i]")]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "selection.csv").read_text())))
    table = Table.read(small.parent / "annotated.fits")
    assert [int(row["row"]) for row in rows] == shown
    for row in rows:
        one = table[int(row["row"])]
        assert float(row["probability"]) == pytest.approx(one["P_LSBG"], rel=1e-6)
        assert float(row["MAG_AUTO_G"]) == pytest.approx(one["MAG_AUTO_G"], rel=1e-6)
        assert row["TILENAME"] == one["TILENAME"].strip()
    page.get_by_role("button", name="Copy command").click()
    until(page, "document.getElementById('export-said').textContent.startsWith('Copied')")
    command = page.locator("#export-said").text_content().removeprefix("Copied: ")
    command = command.replace("python", sys.executable, 1)
    (tmp_path / "annotated.fits").symlink_to(small.parent / "annotated.fits")
    subprocess.run(["sh", "-c", command], check=True, cwd=tmp_path, timeout=120)
    chosen = Table.read(tmp_path / "chosen.fits")
    assert chosen["NUMBER"].tolist() == table["NUMBER"][shown].tolist()


def test_thumbnails_are_labelled_by_keys(small, new_page):
    page = new_page(accept_downloads=True)
    page.goto(address(small, "gallery"))
    page.locator("#cards .card").nth(1).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("l")
    page.get_by_label("Name", exact=True).fill("Vera")
    page.keyboard.press("Enter")
    cards = page.locator("#cards .card")
    cards.nth(2).locator('.mark[data-label="LSBG"]').wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("u")
    cards.nth(3).locator('.mark[data-label="unsure"]').wait_for()
    page.keyboard.press("u")
    until(page, "LSBG.allJudgements().length === 1")


def test_all_keys_are_shown_by_the_question_mark(small, new_page):
    page = new_page()
    page.goto(address(small, "gallery"))
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    dialog.wait_for()
    assert {"L, A, U", "Backspace, ←", "?"} <= set(dialog.locator("kbd").all_text_contents())
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    page.locator("#goto-value").fill("")
    page.keyboard.type("?")
    assert page.locator("#goto-value").input_value() == "?"


HOSTILE = [
    "<script>window.hacked = 1</script>",
    "</script><img src=x onerror='window.hacked = 2'>",
    "\"'`&amp;<!--",
    "right \u202eto left\u2066",
    "nul \x00 and \u2028 and \u2029",
    "${window.hacked = 3}",
    "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    "javascript:window.hacked=4",
]
SHOWN = {"\u202e": "\\u202e", "\u2066": "\\u2066", "\x00": "\u2400", "\u2028": "\\u2028",
         "\u2029": "\\u2029"}  # fmt: skip


def test_hostile_texts_are_shown_as_texts(new_page, tmp_path):
    count = len(HOSTILE)
    columns = random_columns(count) | {"</script><b>NAME": HOSTILE, "constructor": HOSTILE}
    probability = np.linspace(0.9, 0.1, count).astype("f4")
    path = tmp_path / "<img src=x onerror=alert(1)>&'.parquet"
    provenance = {"weights": "<script>window.hacked=5</script>", "source": 'x" onclick="y'}
    write_annotated(path, columns, probability, np.zeros(count, "i2"), provenance)
    write_report(path, tmp_path / "report", ReportOptions(heat_maps=0))
    page = new_page()
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto(address(tmp_path / "report"))
    summary = page.locator("#summary").inner_text()
    assert path.name in summary and "<script>window.hacked=5</script>" in summary
    page.goto(address(tmp_path / "report", "gallery"))
    page.locator("#add-filter").select_option(label="</script><b>NAME")
    page.locator("#filters .contains").fill("<SCRIPT>")
    until(page, "LSBG.gallery.order.length === 1")
    page.get_by_role("button", name="Reset").click()
    until(page, f"LSBG.gallery.order.length === {count}")
    page.locator("#cards .card").first.click()
    for text in HOSTILE:
        for character, picture in SHOWN.items():
            text = text.replace(character, picture)
        cells = page.get_by_role("row").get_by_text(text, exact=True)
        cells.first.wait_for()
        assert cells.count() == 2
        page.keyboard.press("ArrowRight")
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert page.locator("#detail img, #detail script, #detail b").count() == 0


def test_without_pictures_the_page_says_how_to_get_them(new_page, tmp_path):
    columns, probability = random_columns(30), np.linspace(0, 1, 30).astype("f4")
    write_annotated(tmp_path / "a.fits", columns, probability, np.zeros(30, "i2"))
    write_report(tmp_path / "a.fits", tmp_path / "report")
    page = new_page()
    page.goto(address(tmp_path / "report"))
    page.get_by_text("lsbg classify --keep-cutouts").wait_for()
    page.get_by_role("link", name="Gallery").click()
    assert page.locator("#cards .missing").count() == 30
    page.locator("#cards .card").first.click()
    page.get_by_role("img", name="No image").wait_for()


@pytest.mark.long
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 400)])
def test_axe_finds_nothing_serious(small, new_page, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = new_page(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})

    def check(state):
        found = axe.run(page, options={"preload": False}).response["violations"]
        bad = [
            (state, one["id"], node["html"], node.get("failureSummary"))
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
        assert bad == []

    page.goto(address(small))
    check("summary")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="Gallery").click()
    page.locator("#cards canvas.drawn").first.wait_for()
    if not page.locator("#add-filter").is_visible():  # folded, on a phone
        page.get_by_text("Sort and filter", exact=True).click()
    page.locator("#add-filter").select_option(label="MAG_AUTO_G")
    check("gallery")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#cards .card").first.click()
    check("detail")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Label").click()
    check("who")
    page.get_by_label("Name", exact=True).fill("Vera")
    page.keyboard.press("Enter")
    page.keyboard.press("l")
    page.get_by_label("Blind").uncheck()
    check("label")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_pictures_have_texts_with_their_numbers(small, new_page):
    page = new_page()
    page.goto(address(small))
    images = page.locator("#summary img").all()
    assert len(images) >= 5
    for image in images:
        assert re.search(r"\d", image.get_attribute("alt"))
        assert image.evaluate("(image) => image.complete && image.naturalWidth > 100")
    annotated = open_catalog(small.parent / "annotated.fits")
    assert f"{annotated.row_count} candidates" in images[0].get_attribute("alt")
