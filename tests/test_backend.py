"""The start of the network's backend, and the end of a command that started it."""

import re
import subprocess
import sys

import pytest

_START = """
import gc, os, sys
{before}
collects, stderr, frozen = gc.isenabled(), os.fstat(2), gc.get_freeze_count() > 0
from lsbg_classifier.backend import start_backend
start_backend()
assert "keras" in sys.modules
assert gc.isenabled() == collects
assert os.fstat(2) == stderr
assert (gc.get_freeze_count() > 0) == frozen
"""

_COMMAND = """
import gc, sys
from lsbg_classifier.backend import start_backend
from pipeline.program import new_app, run_app
app = new_app("")
@app.command()
def work():
    start_backend()
    gc.set_debug(gc.DEBUG_STATS)
run_app(app, "work")
"""


def _python(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.long
@pytest.mark.parametrize("before", ["", "gc.disable()", "gc.freeze()"])
def test_start_leaves_the_process_as_it_was(before):
    assert _python(_START.format(before=before)) == ""


@pytest.mark.long
def test_command_does_not_search_all_that_was_imported_when_it_ends():
    """Python's collector does so else, several times, which takes a second."""
    searches = re.findall(r"in each generation: (\d+) (\d+) (\d+)", _python(_COMMAND))
    assert searches
    assert max(sum(map(int, counts)) for counts in searches) < 50_000
