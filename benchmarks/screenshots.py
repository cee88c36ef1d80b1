"""Take the pictures of docs/report.md: summary, gallery, a candidate, labelling; light and dark,
and the gallery on a phone.

python -m benchmarks.screenshots scored_report docs/images
"""

import argparse
import shutil
import sys
from pathlib import Path

from PIL import Image

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
WIDTH, HEIGHT = 1200, 780
PHONE = {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True}
ROOM = 290_000


def main():
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("report", type=Path, help="a folder that lsbg report has written")
    parser.add_argument("images", type=Path, help="folder for report-*.png")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("screenshots: there is no chromium or google-chrome on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for scheme in ("light", "dark"):
            desk = browser.new_page(
                viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme
            )
            phone = browser.new_page(color_scheme=scheme, **PHONE)
            for page, views in ((desk, take), (phone, take_phone)):
                for name in views(page, arguments.report):
                    path = arguments.images / f"report-{name}-{scheme}.png"
                    page.screenshot(path=path, animations="disabled")
                    shrink(path)
        browser.close()


def take(page, report: Path):
    """Bring one view after the other on screen, and yield its name."""
    page.goto((report / "index.html").resolve().as_uri())
    page.wait_for_load_state("load")
    yield "summary"
    page.get_by_role("link", name="Gallery").click()
    page.locator("#cards .card").nth(24).locator("canvas.drawn").wait_for()
    yield "gallery"
    page.locator("#cards .card").nth(7).click()
    page.locator("#detail canvas.drawn").wait_for()
    page.keyboard.press("h")
    page.locator("#detail .heat").wait_for()
    yield "candidate"
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Label").click()
    page.get_by_label("Name", exact=True).fill("Vera")
    page.keyboard.press("Enter")
    for key in "laual":
        page.keyboard.press(key)
    page.locator("#label-picture canvas.drawn").wait_for()
    yield "labelling"


def take_phone(page, report: Path):
    """Bring the gallery on a small screen, and yield its name."""
    page.goto((report / "index.html").resolve().as_uri() + "#gallery")
    page.locator("#cards .card").nth(7).locator("canvas.drawn").wait_for()
    yield "phone"


def shrink(path: Path):
    """Write a picture again with as many colours as there is room for: noise makes PNGs large."""
    with Image.open(path) as image:
        original = image.convert("RGB")
    for colours in range(256, 64, -32):
        original.quantize(colours, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < ROOM:
            return


if __name__ == "__main__":
    main()
