"""How quick the report's page is, and how large, with 100,000 candidates in a real browser.

    python -m benchmarks.page FOLDER [--rows 100000] [--rounds 3] [--page docs/report.md]

FOLDER gets a catalog of random values with a cutout of noise and a faint blob for each row, made
once: noise makes the largest pictures. Its report has all that the page can have: features, heat
maps of the first 1,000, and 30 columns. Measured in Chromium, the median of some rounds: from the
address to the first pictures on the screen, and from a click to the new order on the screen for a
filter, a sort by a column for the first time, and the order by likeness.
"""

import argparse
import shutil
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from astropy.table import Table

from benchmarks.screenshots import ARGUMENTS
from benchmarks.table import BEGIN, END, Row, markdown, write_into
from catalogs import lsbg_columns, open_catalog
from lsbg_classifier.cutouts.kept_files import KeptManifest, kept_folder, write_index, write_part
from lsbg_classifier.surveys import SURVEYS
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS, find_weights
from pipeline.report import ReportOptions, write_report

PART = 4096
COLUMNS = 30
FIRST = "lsbg-first-thumbnails"


def main():
    """Parse the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="folder for the catalog and its report")
    parser.add_argument("--rows", type=int, default=100_000, help="candidates")
    parser.add_argument("--rounds", type=int, default=3, help="times that each is measured")
    parser.add_argument("--page", type=Path, help=f"page with {BEGIN} and {END} to write into")
    wanted = parser.parse_args()
    if (chromium := shutil.which("chromium") or shutil.which("google-chrome")) is None:
        sys.exit("page: there is no chromium or google-chrome on the PATH")
    report = wanted.folder / f"report-{wanted.rows}"
    if not report.exists():
        write_report(made_run(wanted.folder, wanted.rows), report, ReportOptions())
    rows = [*sizes_of(report), *timed(report, chromium, wanted.rounds)]
    print(markdown(rows))
    if wanted.page is not None:
        write_into(wanted.page, rows)


def made_run(folder: Path, rows: int) -> Path:
    """Write an annotated catalog with cutouts beside it, in a folder that is made."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    columns = {
        "ID": np.arange(rows),
        "RA": 10 * rng.random(rows),
        "DEC": -40 + 10 * rng.random(rows),
    }
    for number in range(COLUMNS - 1):
        columns[f"MAG_APER_{number}"] = rng.normal(22, 1, rows).astype("f4")
    probability, flags = rng.beta(0.4, 0.6, rows).astype("f4"), np.zeros(rows, "i2")
    Table(columns).write(folder / "plain.fits", overwrite=True)
    catalog, path = open_catalog(folder / "plain.fits"), folder / f"annotated-{rows}.fits"
    card = find_weights(DEFAULT_WEIGHTS).card
    provenance = {"weights": card.name, "weights_sha256": card.sha256, "threshold": "0.5"}
    catalog.write_annotated(
        path,
        lsbg_columns(catalog.column_names),
        lambda start, stop: (probability[start:stop], flags[start:stop]),
        provenance,
    )
    keep_cutouts(path, np.stack([columns["RA"], columns["DEC"]], axis=1), rng)
    return path


def keep_cutouts(path: Path, positions: np.ndarray, rng: np.random.Generator):
    """Keep a cutout of noise and a blob beside the catalog for each of its rows."""
    rows, folder = len(positions), kept_folder(path)
    folder.mkdir()
    KeptManifest("tiles:made", SURVEYS["des"].imaging(), rows).write(folder)
    for number, start in enumerate(range(0, rows, PART)):
        part = np.arange(start, min(start + PART, rows))
        flags = np.zeros(len(part), "i2")
        name = folder / f"part-{number:06d}.parquet"
        write_part(name, part, positions[part], flags, made_cutouts(len(part), rng))
    write_index(folder)


def made_cutouts(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return noisy sky with a faint blob, uint8 (count, 64, 64, 3)."""
    y, x = np.mgrid[-32:32, -32:32]
    width = rng.uniform(3, 9, (count, 1, 1))
    blobs = (60 * np.exp(-(x**2 + y**2) / (2 * width**2))).astype(np.float32)
    sky = 9 * rng.standard_normal((count, 64, 64, 3), np.float32) + 35
    return np.clip(sky + blobs[..., None], 0, 255).astype(np.uint8)


def sizes_of(report: Path) -> list[Row]:
    """Measure the report's folder, and its heat maps alone."""
    whole, heat = megabytes_of(report), megabytes_of(report / "heat")
    return [
        Row("size of the folder, MB", f"{whole:.3g} MB", whole, 400, most=True),
        Row("of which heat maps of 1,000 candidates, MB", f"{heat:.2g} MB", heat, 1, most=True),
    ]


def megabytes_of(folder: Path) -> float:
    """Return the size of all files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def timed(report: Path, chromium: str, rounds: int) -> list[Row]:
    """Measure the page, each round in a browser that has not seen it."""
    from playwright.sync_api import sync_playwright

    measured: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        for _ in range(rounds):
            browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            for name, seconds in one_round(browser.new_page(), report):
                measured.setdefault(name, []).append(seconds)
            browser.close()
    rows = []
    for name, seconds in measured.items():
        middle, bar = statistics.median(seconds), 2.0 if name.startswith("first") else 0.5
        rows.append(Row(f"{name}, s", f"{middle:.2f} s", middle, bar, most=True))
    return rows


def one_round(page, report: Path):
    """Open the page and change what it shows; yields names and seconds."""
    page.set_default_timeout(120_000)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto((report / "index.html").resolve().as_uri() + "#gallery")
    _until(page, f"performance.getEntriesByName('{FIRST}').length > 0")
    name = f"performance.getEntriesByName('{FIRST}')[0].startTime"
    yield "first pictures on the screen", page.evaluate(name) / 1000
    row = int(page.evaluate("LSBG.run.row[LSBG.gallery.order[0]]"))
    choices = (
        ("filter by probability", "p-from", "0.9"),
        ("sort by a column, loaded for the first time", "sort", "column 7"),
        ("the same in the other direction", "descending", "false"),
        ("sort and filter, shown as a table", "view", "table"),
    )
    for name, control, value in choices:
        yield name, page.evaluate(_change(control, value))
    page.evaluate(_change("view", "pictures"))
    page.evaluate("document.getElementById('clear').click()")
    time.sleep(1)
    page.evaluate(f"LSBG.likenessOption({row})")
    yield "order by likeness", page.evaluate(_change("sort", f"like {row}"))


def _change(control: str, value: str) -> str:
    """Set a control; the promise gives the seconds until the pictures or rows are drawn anew."""
    return f"""(async () => {{
      const control = document.getElementById("{control}"), before = LSBG.gallery.order;
      const cards = document.getElementById("cards").firstChild, view = "{control}" === "view";
      const start = performance.now();
      control.value = "{value}";
      control.dispatchEvent(new Event("input", {{ bubbles: true }}));
      const isNew = () => view ? document.getElementById("table").hidden === ("{value}" !== "table")
        : document.getElementById("cards").firstChild !== cards && LSBG.gallery.order !== before;
      while (!isNew()) await new Promise((resolve) => setTimeout(resolve, 1));
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
      return (performance.now() - start) / 1000;
    }})()"""


def _until(page, condition: str):
    """Wait for a condition; Playwright's own way evaluates texts, which the page forbids."""
    look = f"() => ({condition}) ? resolve() : setTimeout(look, 5)"
    page.evaluate(f"new Promise((resolve) => {{ const look = {look}; look(); }})")


if __name__ == "__main__":
    main()
