"""The command is killed at twenty moments while two workers write partitions, and resumed.

One process imports everything once and forks a child for each attempt; the child kills itself at
the event that it is told. The workers belong to a scheduler that goes on.
"""

import json
import subprocess
import sys
from contextlib import ExitStack

import numpy as np
import pytest
from astropy.io import fits
from folders import contents, write_folder
from test_cluster import running_scheduler, running_worker, wait_for_workers

from pipeline import annotate

MOMENTS = [
    *(("examined", 1), ("examined", 4), ("begun", 1), ("journaled", 1), ("journaled", 3)),
    *(("planned", 1), ("asked to write", 1), ("asked to write", 2), ("written", 1), ("noted", 1)),
    *(("retained", 1), ("journaled", 2), ("written", 2), ("noted", 2), ("planned", 2)),
    *(("asked to write", 1), ("retained", 1), ("rest", 1), ("whole", 1), ("in place", 1)),
]
"""An event, and at which time that it happens in a run the command is killed."""

PROGRAM = """
import json, os, signal, sys

from pipeline import annotate
from pipeline.journal import Journal
from pipeline.partitions import recorder, run, survey
from pipeline.partitions.dispatcher import Dispatcher
from pipeline.partitions.records import WrittenParts
import catalogs.fits_folder as folder

survey.PORTION_ROWS = 8
source, output, cutouts, scheduler, moments = json.loads(sys.stdin.readline())


def die_at(event, count):
    left = [count]

    def happened(name):
        if name == event:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    def before(owner, name, event):
        function = getattr(owner, name)
        def call(*arguments, **options):
            happened(event)
            return function(*arguments, **options)
        setattr(owner, name, call)

    def after(owner, name, event):
        function = getattr(owner, name)
        def call(*arguments, **options):
            result = function(*arguments, **options)
            happened(event)
            return result
        setattr(owner, name, call)

    each = Dispatcher.each
    def noting(dispatcher, function, calls):
        names = {"write": ("asked to write", "written"), "examine": (None, "examined")}
        ask, answer = names.get(function.__name__, (None, None))
        def asked():
            for call in calls:
                yield call
                happened(ask)
        for result in each(dispatcher, function, asked()):
            happened(answer)
            yield result
    Dispatcher.each = noting
    after(recorder, "opened_journal", "begun")
    after(Journal, "append", "journaled")
    after(recorder, "plan_of", "planned")
    after(WrittenParts, "add", "noted")
    after(Journal, "retain", "retained")
    before(folder.FitsFolderCatalog, "write_rest", "rest")
    after(WrittenParts, "note_whole", "whole")
    after(recorder, "put_in_place", "in place")


def attempt(event, count):
    child = os.fork()
    if not child:
        if event:
            die_at(event, count)
        try:
            options = {"cutouts": cutouts, "scheduler": scheduler, "chunk_size": 4}
            annotate(source, output, resume=True, **options)
            os._exit(0)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


for event, count in moments:
    code = attempt(event, count)
    print(json.dumps([event, code, os.path.exists(output)]), flush=True)
print(json.dumps(["end", attempt(None, 0), os.path.exists(output)]), flush=True)
"""


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_twenty_moments_while_workers_write(survey, tmp_path):
    table = np.array(fits.getdata(survey.candidates))[:64]
    folder = write_folder("fits", tmp_path / "in", table, 16)
    cutouts = f"tiles:{survey.tiles}"
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with ExitStack() as processes:  # all of which start at the same time
        command = [sys.executable, "-c", PROGRAM]
        program = processes.enter_context(subprocess.Popen(command, text=True, **pipes))
        processes.callback(program.kill)
        address, _ = processes.enter_context(running_scheduler(tmp_path))
        for name in ("first", "second"):
            processes.enter_context(running_worker(tmp_path / name, address))
        wait_for_workers(address, 2)
        job = [str(folder), str(tmp_path / "out"), cutouts, address, MOMENTS]
        out, err = program.communicate(json.dumps(job) + "\n")
    said = [json.loads(line) for line in out.splitlines()]
    assert [line for line in said[:-1] if line[1] != -9] == [], err
    assert [line[2] for line in said[:-2]] == [False] * 19
    assert said[-1] == ["end", 0, True], err
    annotate(folder, tmp_path / "undisturbed", cutouts=cutouts)
    assert contents(tmp_path / "out") == contents(tmp_path / "undisturbed")
    assert not list(tmp_path.glob("*.journal")) and not list(tmp_path.glob(".*"))
