"""The gallery's views in a real browser: table, sky map, likeness, two weight sets, many labels."""

import csv
import io
import re

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image
from reports import address, reload, until, values

from lsbg_classifier import load_classifier, open_source
from lsbg_classifier.cutouts.kept import open_kept
from lsbg_classifier.features import fit_projection
from pipeline import annotate
from pipeline.report import ReportOptions, write_report

pytestmark = pytest.mark.slow

ROWS = 60
FIRST = "LSBG.run.row[LSBG.gallery.order[0]]"


@pytest.fixture(scope="module")
def folder(survey, tmp_path_factory):
    """A report of 60 simulated candidates with all that a report can have but heat maps."""
    folder = tmp_path_factory.mktemp("views")
    Table.read(survey.candidates)[:ROWS].write(folder / "candidates.fits")
    Table.read(survey.truth)[:ROWS].write(folder / "truth.fits")
    source, annotated = f"tiles:{survey.tiles}", folder / "annotated.fits"
    options = {"weights": "des-simulated", "cutouts": source, "keep_cutouts": True}
    annotate(folder / "candidates.fits", annotated, **options)
    wanted = {"truth": folder / "truth.fits", "cutouts": source, "against": "des-real"}
    options = ReportOptions(**wanted, context=90, to_label=6, heat_maps=0)
    write_report(annotated, folder / "report", options)
    return folder


@pytest.fixture(scope="module")
def table(folder):
    return Table.read(folder / "annotated.fits")


@pytest.fixture(scope="module")
def cutouts(folder):
    images, have = open_kept(folder / "annotated.fits").read(np.arange(ROWS))
    assert have.all()
    return images


@pytest.fixture
def gallery(folder, new_page):
    """The gallery, open, with a name for labels."""

    def opened(state="", **options):
        page = new_page(**options)
        page.add_init_script("localStorage.setItem('lsbg-labeller', 'Vera')")
        page.goto(address(folder / "report", f"gallery{state}"))
        until(page, "LSBG.gallery.order.length > 0")
        return page

    return opened


def labels_of(page):
    return page.evaluate("LSBG.allJudgements().map((one) => one.label)")


# The table


@pytest.mark.long
def test_the_table_shows_every_value_and_sorts_by_its_columns(gallery, table):
    page = gallery()
    page.locator("#view").select_option("table")
    page.get_by_role("button", name=re.compile("^MAG_AUTO_G")).click()
    descending = np.argsort(-table["MAG_AUTO_G"], kind="stable").tolist()
    until(page, f"{FIRST} === {descending[0]}")
    assert values(page, "LSBG.run.row[i]") == descending
    header = page.get_by_role("columnheader", name=re.compile("^MAG_AUTO_G"))
    assert header.get_attribute("aria-sort") == "descending"
    page.get_by_role("button", name=re.compile("^MAG_AUTO_G")).click()
    until(page, f"{FIRST} === {descending[-1]}")
    assert header.get_attribute("aria-sort") == "ascending"
    assert page.locator("[aria-sort]").count() == 1

    names = page.locator("#table-names th").all_inner_texts()
    until(page, "!document.getElementById('table-rows').textContent.includes('…')")
    cells = page.locator("#table-rows [data-at='2']").locator("th, td").all_inner_texts()
    shown = dict(zip(names, (cell.strip() for cell in cells), strict=True))
    row = table[descending[-3]]
    assert shown["row"] == str(descending[-3])
    assert float(shown["probability"]) == pytest.approx(row["P_LSBG"], abs=5.1e-4)
    assert float(shown["MAG_AUTO_G (mag)"]) == pytest.approx(row["MAG_AUTO_G"], rel=1e-6)
    assert shown["TILENAME"] == row["TILENAME"].strip()
    reload(page)
    until(page, f"{FIRST} === {descending[-1]}")
    assert page.locator("#table").is_visible() and not page.locator("#cards").is_visible()


@pytest.mark.long
def test_the_table_draws_the_rows_in_view_and_goes_by_keys(gallery):
    page = gallery("?view=table")
    page.locator("#table-rows button").first.focus()
    page.keyboard.press("End")
    last = page.locator(f"#table-rows [data-at='{ROWS - 1}'] button")
    last.wait_for()
    assert page.evaluate("document.activeElement.closest('[data-at]').dataset.at") == str(ROWS - 1)
    assert page.locator("#table-rows [data-at]").count() < ROWS
    assert page.locator("#table table").get_attribute("aria-rowcount") == str(ROWS + 1)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_text(f"{ROWS - 1} of {ROWS}").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    until(page, "LSBG.allJudgements().length === 1")
    cell = page.locator(f"#table-rows [data-at='{ROWS - 2}']")
    assert "artifact" in cell.inner_text()


# The sky


def test_the_sky_map_filters_by_a_drag_a_click_and_numbers(gallery, table):
    page = gallery()
    page.locator("#sky-map > summary").click()
    canvas = page.locator("#sky")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(middle[0] - 60, middle[1] - 70)
    page.mouse.down()
    page.mouse.move(middle[0] + 50, middle[1] + 40, steps=3)
    page.mouse.up()
    until(page, f"LSBG.gallery.order.length < {ROWS}")
    limits = [float(page.locator(f"#{name}").input_value()) for name in
              ("ra-from", "ra-to", "dec-from", "dec-to")]  # fmt: skip
    assert limits[0] < limits[1] and limits[2] < limits[3]
    ra, dec = table["ALPHA_J2000"], table["DELTA_J2000"]
    inside = (ra >= limits[0]) & (ra <= limits[1]) & (dec >= limits[2]) & (dec <= limits[3])
    assert 0 < inside.sum() < ROWS
    assert sorted(values(page, "LSBG.run.row[i]")) == np.flatnonzero(inside).tolist()
    place = page.url
    page.get_by_role("button", name="All of the sky").click()
    until(page, f"LSBG.gallery.order.length === {ROWS}")
    canvas.click()
    until(page, f"LSBG.gallery.order.length < {ROWS}")
    page.goto(place)
    until(page, f"LSBG.gallery.order.length === {inside.sum()}")
    page.locator("#dec-to").fill(str(float(np.median(dec[inside]))))
    until(page, f"LSBG.gallery.order.length < {inside.sum()}")


def test_right_ascensions_on_both_sides_of_zero(gallery):
    """From a higher to a lower one the range goes through 0, wherever the candidates are."""
    page = gallery()
    page.evaluate(
        "for (const [k, ra] of [359.9, 0.1, 180].entries()) LSBG.run.ra[k] = ra;"
        "document.getElementById('ra-from').value = '359';"
        "document.getElementById('ra-to').value = '1'; LSBG.showSelection()"
    )
    until(page, "LSBG.gallery.order.length === 2")
    assert values(page, "i") == [0, 1]


# Likeness


@pytest.mark.long
def test_more_like_this_is_the_order_of_distances_between_features(gallery, cutouts):
    page = gallery()
    rows = np.array(values(page, "LSBG.run.row[i]"), int)
    raw = load_classifier("des-simulated").features(cutouts[rows])
    kept = fit_projection(raw).apply(raw).astype(int)
    distances = np.hypot.reduce((kept - kept[7]).T.astype(float))
    page.locator("#cards .card").nth(7).click()
    page.get_by_role("button", name="More like this").click()
    until(page, f"{FIRST} === {rows[7]}")
    order = values(page, "LSBG.run.row.indexOf(LSBG.run.row[i])")
    assert np.all(np.diff(distances[order]) >= 0)
    assert f"sort=like+{rows[7]}" in page.url
    again = gallery(f"?sort=like+{rows[7]}")
    until(again, f"{FIRST} === {rows[7]}")
    assert page.locator("#sort option:checked").text_content() == f"likeness to row {rows[7]}"


def test_odd_ones_first(gallery, cutouts):
    page = gallery()
    odd = load_classifier("des-simulated").oddness(cutouts)
    page.locator("#sort").select_option("odd")
    until(page, f"{FIRST} === {odd.argmax()}")
    order = np.array(values(page, "LSBG.run.row[i]"), int)
    assert np.all(np.diff(odd[order]) <= 0)


# Two weight sets


def test_where_two_weight_sets_disagree(gallery, table, cutouts):
    page = gallery()
    new, card = load_classifier("des-real"), load_classifier("des-real").card
    old, other = np.asarray(table["P_LSBG"]), new.predict(cutouts)
    page.locator("#weights-choice").select_option("disagree")
    differ = (old > 0.5) != (other > card.threshold)
    until(page, f"LSBG.gallery.order.length === {differ.sum()}")
    for choice, chosen in (("old", differ & (old > 0.5)), ("new", differ & (old <= 0.5))):
        page.locator("#weights-choice").select_option(choice)
        until(page, f"LSBG.gallery.order.length === {chosen.sum()}")
        assert sorted(values(page, "LSBG.run.row[i]")) == np.flatnonzero(chosen).tolist()
    page.locator("#weights-choice").select_option("")
    page.locator("#sort").select_option("difference")
    first = int(abs(old - other).argmax())
    until(page, f"{FIRST} === {first}")
    caption = page.locator("#cards .card .number").first.text_content()
    assert caption == f"{old[first]:.3f} → {other[first]:.3f}"
    page.locator("#cards .card").first.click()
    dialog = page.get_by_role("dialog")
    assert f"With des-real\n{other[first]:.3f}" in dialog.inner_text()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Summary").click()
    said = page.get_by_alt_text(re.compile("^Probabilities with des-real against")).first
    same = int((~differ).sum())
    assert f"for {same} candidates they say the same" in said.get_attribute("alt")


# Wider fields and the look


def test_the_wider_field_shows_what_lies_around_the_cutout(gallery, folder, survey, table):
    page = gallery()
    page.locator("#cards .card").nth(4).click()
    page.keyboard.press("w")
    image = page.locator("#detail .wide-field img")
    image.wait_for()
    assert "90 arcseconds" in image.get_attribute("alt")
    at = int(values(page, "i")[4])
    row = int(page.evaluate(f"LSBG.run.row[{at}]"))
    source = open_source(f"tiles:{survey.tiles}")
    with Image.open(folder / "report" / "wide" / f"{at}.jpg") as wide:
        pixels = np.asarray(wide.convert("RGB")).astype(int)
    side = round(90 / source.imaging.pixel_scale)
    assert pixels.shape == (side, side, 3)
    cutout, _ = source.fetch([(table["ALPHA_J2000"][row], table["DELTA_J2000"][row])])
    edge = (side - 64) // 2
    middle = pixels[edge : edge + 64, edge : edge + 64]
    shifts = [np.roll(middle, step, axis) for axis in (0, 1) for step in (-6, 6)]

    def apart(one):
        return np.abs(one - cutout[0].astype(int))[8:-8, 8:-8].mean()

    assert apart(middle) < 0.7 * min(map(apart, shifts))
    frame = page.locator("#detail .frame").bounding_box()
    part = frame["width"] / page.locator("#detail .wide-field").bounding_box()["width"]
    assert part == pytest.approx(64 * source.imaging.pixel_scale / 90, abs=0.01)
    page.keyboard.press("ArrowRight")
    page.locator("#detail .wide-field img").wait_for()
    page.keyboard.press("w")
    page.locator("#detail canvas.drawn").wait_for()


def test_smoothing_takes_noise_away_and_keeps_the_brightness(gallery):
    page = gallery()
    page.locator("#cards .card").first.click()
    picture = page.locator("#detail canvas.drawn")
    picture.wait_for()

    def seen():
        with Image.open(io.BytesIO(picture.screenshot(animations="disabled"))) as image:
            return np.asarray(image.convert("L").resize((64, 64))).astype(float)[8:-8, 8:-8]

    usual = seen()
    page.locator("#detail [data-look=smoothing]").fill("2")
    smooth = seen()
    noise = [np.abs(np.diff(one, axis=1)).mean() for one in (usual, smooth)]
    assert noise[1] < noise[0] / 2
    assert smooth.mean() == pytest.approx(usual.mean(), rel=0.1)


# Labels and notes for many


def test_marked_candidates_are_labelled_together_and_undone(gallery, table):
    page = gallery(accept_downloads=True)
    cards = page.locator("#cards .card")
    cards.nth(1).focus()
    page.keyboard.press("x")
    cards.nth(4).focus()
    page.keyboard.press("Shift+X")
    page.get_by_text("4 marked.").wait_for()
    cards.nth(0).click(modifiers=["Control"])
    page.locator("#cards li").nth(2).hover()
    page.get_by_role("checkbox", name=f"Mark row {int(values(page, 'LSBG.run.row[i]')[2])}").click()
    page.get_by_text("4 marked.").wait_for()
    assert page.locator("#cards .marked").count() == 4
    page.get_by_role("button", name="Label 4 marked").click()
    dialog = page.get_by_role("dialog", name="The 4 marked candidates")
    dialog.get_by_label("Note").fill('stripes, "ghost"')
    dialog.get_by_role("button", name="Artifact").click()
    page.get_by_text("Labelled artifact: 4 candidates.").wait_for()
    assert labels_of(page) == ["artifact"] * 4
    reload(page)
    until(page, "LSBG.gallery.order.length > 0")
    assert labels_of(page) == ["artifact"] * 4
    page.locator("#label-choice").select_option("note")
    until(page, "LSBG.gallery.order.length === 4")
    page.goto(page.url.partition("#")[0] + "#label")
    with page.expect_download() as caught:
        page.get_by_role("button", name="Export CSV").click()
    rows = list(csv.DictReader(io.StringIO(caught.value.path().read_text())))
    assert {(row["label"], row["note"], row["chosen"]) for row in rows} <= {
        ("artifact", 'stripes, "ghost"', chosen) for chosen in ("browsed", "random", "taught")
    }
    assert len(rows) == 4


def test_all_that_pass_the_filters_are_labelled_after_a_question(gallery):
    page = gallery()
    page.locator("#cards .card").nth(2).focus()
    page.keyboard.press("u")
    until(page, "LSBG.allJudgements().length === 1")
    page.get_by_role("button", name="Label all shown").click()
    dialog = page.get_by_role("dialog", name=f"All {ROWS} candidates that pass the filters")
    dialog.get_by_role("button", name="Cancel").click()
    assert labels_of(page) == ["unsure"]
    page.get_by_role("button", name="Label all shown").click()
    dialog.get_by_role("button", name="LSBG").click()
    until(page, f"LSBG.allJudgements().length === {ROWS}")
    assert set(labels_of(page)) == {"LSBG"}
    page.get_by_role("button", name="Undo").click()
    page.get_by_text(f"Undone: {ROWS} candidates.").wait_for()
    assert labels_of(page) == ["unsure"]
    page.locator("#cards .card").nth(2).focus()
    page.keyboard.press("z")
    until(page, "LSBG.allJudgements().length === 0")


def test_a_note_is_written_on_a_thumbnail_and_in_the_candidate(gallery):
    page = gallery()
    page.locator("#cards .card").nth(5).focus()
    page.keyboard.press("n")
    page.get_by_role("dialog").get_by_label("Note").fill("a ring?")
    page.get_by_role("button", name="Keep the note alone").click()
    card = page.locator("#cards .card").nth(5)
    page.get_by_text("Note kept for 1 candidate.").wait_for()
    assert "note: a ring?" in card.get_attribute("aria-label")
    assert labels_of(page) == []
    card.click()
    field = page.get_by_role("dialog").get_by_label("Note")
    assert field.input_value() == "a ring?"
    field.fill("a ring, and llama")  # keys that label elsewhere are letters here
    field.press("Tab")
    page.keyboard.press("Escape")
    assert "note: a ring, and llama" in card.get_attribute("aria-label")
    assert labels_of(page) == []
    reload(page)
    until(page, "LSBG.gallery.order.length > 0")
    assert page.evaluate("LSBG.noteOf(LSBG.gallery.order[5])") == "a ring, and llama"


def test_what_is_marked_is_exported_alone(gallery, tmp_path, table):
    page = gallery(accept_downloads=True)
    for at in (3, 9):
        page.locator("#cards .card").nth(at).click(modifiers=["Control"])
    shown = [int(row) for row in values(page, "LSBG.run.row[i]")]
    with page.expect_download() as caught:
        page.get_by_role("button", name="Export 2 marked").click()
    rows = list(csv.DictReader(io.StringIO(caught.value.path().read_text())))
    assert [int(row["row"]) for row in rows] == [shown[3], shown[9]]
    assert float(rows[0]["probability_des-real"]) == pytest.approx(
        page.evaluate("LSBG.otherProbability(LSBG.gallery.order[3])"), rel=1e-6
    )


# For everybody


@pytest.mark.long
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_serious_in_the_views(gallery, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = gallery(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})

    def check(state):
        found = axe.run(page, options={"preload": False}).response["violations"]
        bad = [
            (state, one["id"], node["html"], node.get("failureSummary"))
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
        assert bad == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), state

    for summary in page.locator("details > summary").all():
        if summary.is_visible() and not summary.evaluate("(one) => one.parentNode.open"):
            summary.click()
    page.locator("#cards .card").nth(1).focus()
    page.keyboard.press("x")
    page.keyboard.press("l")
    until(page, "LSBG.allJudgements().length === 1")
    check("gallery")
    page.get_by_role("button", name="Label 1 marked").click()
    check("many")
    page.keyboard.press("Escape")
    page.locator("#view").select_option("table")
    page.locator("#table-rows .drawn").first.wait_for()
    check("table")
    page.locator("#table-rows button").first.click()
    page.keyboard.press("w")
    check("wide")


def test_on_a_phone_pictures_come_first(folder, new_page):
    page = new_page(is_mobile=True, has_touch=True)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address(folder / "report", "gallery"))
    page.locator("#cards canvas.drawn").first.wait_for()
    assert page.locator("#cards .card").first.bounding_box()["y"] < 844
    assert not page.locator("#sort").is_visible()
    page.get_by_text("Sort and filter", exact=True).click()
    assert page.locator("#sort").is_visible()
