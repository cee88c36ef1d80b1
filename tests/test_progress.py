"""Progress in a log, a terminal and a notebook, by real processes that write there."""

import os
import pty
import re
import subprocess
import sys
import threading
from itertools import pairwise

import pytest

SCRIPT = """
import sys, time
from pipeline import progress
progress._LOG_SECONDS = 0.05
with progress.show_progress("candidates", quiet={quiet}) as report:
    for done in range(0, 2001, 20):
        if report is not None:
            report(done, 2000)
        time.sleep(0.005)
sys.stderr.write("done\\n")
"""
PATIENCE = 60


def environment(**more):
    """Ours, without what would make rich colour anything."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FORCE", "TTY"))}
    return kept | {"TERM": "xterm-256color"} | more


def said_to_a_file(tmp_path, script, **more):
    with open(tmp_path / "log", "wb") as log:
        subprocess.run(
            [sys.executable, "-c", script],
            stderr=log, check=True, timeout=PATIENCE, env=environment(**more),
        )  # fmt: skip
    return (tmp_path / "log").read_bytes()


def said_to_a_terminal(script, **more):
    ours, theirs = pty.openpty()
    heard = []

    def listen():
        try:
            while part := os.read(ours, 4096):
                heard.append(part)
        except OSError:  # how Linux says that the other end is closed
            pass

    listener = threading.Thread(target=listen)
    listener.start()
    process = subprocess.Popen(
        [sys.executable, "-c", script], stderr=theirs, env=environment(**more)
    )
    os.close(theirs)
    assert process.wait(PATIENCE) == 0
    listener.join(PATIENCE)
    os.close(ours)
    return b"".join(heard)


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"FORCE_COLOR": "1"}])
def test_a_log_gets_plain_lines(tmp_path, more):
    said = said_to_a_file(tmp_path, SCRIPT.format(quiet=False), **more)
    assert not {*said} & ({*range(32), 127} - {10})
    *lines, last, done = said.decode("ascii").splitlines()
    assert done == "done" and len(lines) >= 3
    time_and_label = r"\d\d:\d\d:\d\d candidates: "
    for line in lines[1:]:
        rest = r"[\d,]+ of 2,000, [\d,]+/s, 0:00:\d\d left"
        assert re.fullmatch(time_and_label + rest, line), line
    assert re.fullmatch(time_and_label + r"2,000 of 2,000, [\d,]+/s", last)


@pytest.mark.slow
def test_a_terminal_gets_a_bar():
    said = said_to_a_terminal(SCRIPT.format(quiet=False)).decode()
    assert "\x1b[" in said and "candidates" in said
    assert re.search(r"2000/2000.*/s", said)
    assert said.endswith("done\r\n")


@pytest.mark.slow
def test_a_terminal_that_can_do_nothing_gets_lines():
    said = said_to_a_terminal(SCRIPT.format(quiet=False), TERM="dumb").decode("ascii")
    assert "\x1b" not in said and "2,000 of 2,000" in said


@pytest.mark.slow
def test_quiet_is_quiet(tmp_path):
    assert said_to_a_file(tmp_path, SCRIPT.format(quiet=True)) == b"done\n"


@pytest.mark.slow
def test_text_that_is_written_over(tmp_path):
    """What a notebook gets, here in a file."""
    script = SCRIPT.replace('progress.show_progress("candidates", quiet={quiet})', "shown()")
    shown = "from contextlib import contextmanager\nfrom pipeline import progress\n"
    shown += 'shown = contextmanager(lambda: progress._text_written_over("candidates"))\n'
    said = said_to_a_file(tmp_path, shown + script).decode("ascii")
    assert "\x1b" not in said and said.endswith("\ndone\n")
    texts = said.removesuffix("\ndone\n").split("\r")
    assert texts[0] == "" and texts[1].startswith("candidates: 0 of 2,000")
    assert texts[-1].rstrip().startswith("candidates: 2,000 of 2,000")
    assert all(len(after) >= len(before.rstrip()) for before, after in pairwise(texts))


CELL = """
from pipeline.progress import show_progress
with show_progress("candidates") as report:
    report(0, 20)
    report(20, 20)
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_real_notebook(tmp_path):
    why = "no Jupyter kernel is installed"
    client, nbformat = (pytest.importorskip(name, reason=why) for name in ("nbclient", "nbformat"))
    pytest.importorskip("ipykernel", reason=why)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    client.NotebookClient(notebook, timeout=PATIENCE, kernel_name="python3").execute()
    texts = "".join(output["text"] for output in notebook.cells[0].outputs)
    assert texts.startswith("\rcandidates: 0 of 20") and texts.endswith("\n")
    assert "\rcandidates: 20 of 20" in texts and "\x1b" not in texts


def test_rates_and_times():
    from pipeline.progress import _rate

    assert [_rate(value) for value in (12345, 10, 9.96, 1.5, 0.2)] == [
        "12,345/s", "10/s", "10.0/s", "1.5/s", "12.0/min",
    ]  # fmt: skip
