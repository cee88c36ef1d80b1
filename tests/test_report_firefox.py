"""The report in a second browser, Firefox: the same page shows, filters and keeps labels."""

import pytest
from firefox import open_firefox
from reports import address, made_run

from pipeline.report import ReportOptions, write_report

pytestmark = pytest.mark.slow

ROWS = 300


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("firefox")
    write_report(made_run(folder, ROWS), folder / "report", ReportOptions(heat_maps=0))
    return folder / "report"


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    with open_firefox(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def choose(control, value):
    """Set a control as a person does, in JavaScript."""
    return (
        f"[document.getElementById('{control}')].map((one) => {{ one.value = '{value}';"
        "  one.dispatchEvent(new Event('input', { bubbles: true })); })"
    )


SHOWN = "document.getElementById('shown').textContent"


def test_the_gallery_shows_filters_and_sorts(report, firefox):
    firefox.open(address(report, "gallery"))
    firefox.until("document.querySelectorAll('#cards canvas.drawn').length > 10")
    assert firefox.run(SHOWN) == f"{ROWS} candidates, 1 to 200 on this page"
    firefox.run(choose("p-from", "0.9"))
    firefox.until(f"{SHOWN}.includes(' of {ROWS} candidates')")
    assert "from=0.9" in firefox.run("location.hash")
    firefox.run(choose("view", "table"))
    firefox.until("document.querySelectorAll('#table-rows [data-at]').length > 5")
    cells = "[...document.querySelectorAll('#table-rows [data-at] td:nth-child(4)')]"
    probabilities = firefox.run(f"{cells}.map((one) => Number(one.textContent))")
    assert probabilities == sorted(probabilities, reverse=True) and min(probabilities) >= 0.9
    firefox.run("document.getElementById('clear').click()")
    firefox.until(f"{SHOWN}.startsWith('{ROWS} candidates')")


def test_labels_by_keys_survive_a_reload(report, firefox):
    firefox.open(address(report, "gallery"))
    firefox.until("document.querySelectorAll('#cards canvas.drawn').length > 10")
    firefox.run("document.querySelector('#cards .card').focus()")
    firefox.press("l")
    firefox.until("document.getElementById('who').open")
    firefox.run("document.getElementById('who-name').value = 'Vera'")
    firefox.run("document.querySelector('#who button[value=ok]').click()")
    mark = "document.querySelector('#cards .card .mark').textContent"
    firefox.until(f"{mark} === 'L'")
    firefox.command("WebDriver:Refresh", {})
    firefox.until(f"document.querySelector('#cards .card') && {mark} === 'L'")
    firefox.run("document.querySelector('#cards .card').click()")
    firefox.until("document.getElementById('detail').open")
    firefox.until("document.querySelector('#detail canvas.drawn') !== null")
    pressed = "document.querySelector('#detail-labels [aria-pressed=true]').value"
    assert firefox.run(pressed) == "LSBG"
