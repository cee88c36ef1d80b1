"""Annotated catalogs of any size with their kept cutouts, made in a moment; and a browser."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from catalogs import lsbg_columns, open_catalog
from catalogs.flags import Flag
from lsbg_classifier.cutouts.kept_files import KeptManifest, kept_folder, write_index, write_part
from lsbg_classifier.surveys import SURVEYS

PROVENANCE = {
    "weights": "des-simulated",
    "weights_sha256": "0" * 64,
    "source": "tiles:survey/tiles",
    "software": "lsbg_classifier 0.1.0",
    "threshold": "0.5",
    "date": "2026-01-01",
}


def random_columns(rows, seed=0):
    """Columns such as a search's catalog has, of candidates in a field of 10 degrees."""
    rng = np.random.default_rng(seed)
    return {
        "COADD_OBJECT_ID": rng.permutation(rows) + 1_000_000_000,
        "RA": (355 + 10 * rng.random(rows)) % 360,
        "DEC": -40 + 10 * rng.random(rows),
        "MAG_AUTO_G": rng.normal(22, 1, rows).astype("f4"),
        "FLUX_RADIUS_G": rng.gamma(4, 1.5, rows).astype("f4"),
        "MU_MEAN_MODEL_G": rng.normal(25.5, 0.7, rows).astype("f4"),
        "TILENAME": np.array([f"DES{n % 40:04d}-4000" for n in range(rows)]),
    }


def random_scores(rows, seed=1):
    """Probabilities, mostly near 0 and 1, and a few flags; some rows are not scored."""
    rng = np.random.default_rng(seed)
    probability = rng.beta(0.4, 0.6, rows).astype("f4")
    flags = np.where(rng.random(rows) < 0.05, Flag.MASKED_PIXELS, 0).astype("i2")
    lost = rng.random(rows) < 0.01
    flags[lost] = Flag.NO_COVERAGE
    return np.where(lost, np.float32(np.nan), probability), flags


def write_annotated(path, columns, probability, flags, provenance=PROVENANCE):
    """Write a catalog with our columns, in the format that the name says."""
    plain = path.with_name(f"plain-{path.name}")
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table(columns), plain)
    else:
        Table(columns).write(plain)
    catalog = open_catalog(plain)
    catalog.write_annotated(
        path,
        lsbg_columns(catalog.column_names),
        lambda start, stop: (probability[start:stop], flags[start:stop]),
        provenance,
    )
    plain.unlink()
    return path


def some_cutouts(count, seed=2):
    """Noisy sky with a faint blob, uint8 (count, 64, 64, 3); 32 different ones."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-32:32, -32:32]
    blobs = 60 * np.exp(-(x**2 + y**2) / (2 * rng.uniform(3, 9, 32)[:, None, None] ** 2))
    sky = rng.normal(35, 9, (32, 64, 64, 3)) + blobs[..., None]
    return np.clip(sky, 0, 255).astype(np.uint8)[np.arange(count) % 32]


def keep_cutouts(path, rows, positions, flags, row_count):
    """Leave cutouts beside an annotated catalog, as ``lsbg classify --keep-cutouts`` does."""
    folder = kept_folder(path)
    folder.mkdir()
    KeptManifest("tiles:survey/tiles", SURVEYS["des"].imaging(), row_count).write(folder)
    for number, start in enumerate(range(0, len(rows), 4096)):
        part = slice(start, start + 4096)
        cutouts = some_cutouts(len(rows[part]))
        write_part(
            folder / f"part-{number:06d}.parquet", rows[part], positions[part], flags[part], cutouts
        )
    write_index(folder)


def made_run(folder, rows):
    """An annotated FITS catalog of so many rows, with its cutouts kept."""
    columns, (probability, flags) = random_columns(rows), random_scores(rows)
    path = write_annotated(folder / "annotated.fits", columns, probability, flags)
    scored = np.flatnonzero(np.isfinite(probability))
    positions = np.stack([columns["RA"], columns["DEC"]], axis=1)[scored]
    keep_cutouts(path, scored, positions, flags[scored], rows)
    return path


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-background-networking --no-first-run "
    "--disable-component-update --disable-sync"
).split()


@contextmanager
def open_browser():
    """Give a headless Chromium; skip the test where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright drives the browser")
    if CHROMIUM is None:
        pytest.skip("there is no chromium or google-chrome on the PATH")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def address(folder: Path, view=""):
    return (folder / "index.html").as_uri() + (f"#{view}" if view else "")


def until(page, condition, seconds=30):
    """Wait for a condition; Playwright's own way evaluates texts, which the page forbids."""
    look = f"() => ({condition}) ? resolve() : now() > end ? reject() : setTimeout(look, 20)"
    clock = f"const now = () => performance.now(), end = now() + {1000 * seconds}"
    promise = f"new Promise((resolve, reject) => {{ {clock}; const look = {look}; look(); }})"
    assert page.evaluate(f"{promise}.then(() => true, () => false)"), f"never: {condition}"


def reload(page):
    """Reload a page after a second, in which Chromium hands what it stores to another process."""
    page.wait_for_timeout(1000)
    page.reload()


def values(page, expression):
    """What the page's own data say of the candidates on show."""
    return page.evaluate(f"Array.from(LSBG.gallery.order, (i) => {expression})")
