"""Threads of the process do the work as they come, and no Dask is imported for them."""

import subprocess
import sys
import threading
from itertools import count

import pytest
from astropy.table import Table

from lsbg_classifier.cores import usable_cores
from pipeline.cluster import connect as connect_dask
from pipeline.dispatch import Threads, connect, in_order_of_completion


def calls(numbers):
    return ((None, (number,)) for number in numbers)


def test_results_come_as_they_are_done():
    last_begun = threading.Event()

    def double(number):
        if number == 0:
            assert last_begun.wait(30)
        if number == 5:
            last_begun.set()
        return 2 * number

    threads = Threads(3)
    results = list(threads.in_order_of_completion(double, calls(range(6))))
    threads.close()
    assert sorted(results) == [0, 2, 4, 6, 8, 10] and results.index(0) >= 3


def test_one_connection_serves_several_rounds():
    before = threading.active_count()
    with connect() as threads:
        for _ in range(3):
            results = list(in_order_of_completion(threads, abs, calls(range(-20, 0))))
            assert sorted(results) == list(range(1, 21))
    assert threading.active_count() == before


def test_few_calls_are_taken_in_advance():
    asked = []

    def numbers():
        for number in count():
            asked.append(number)
            yield number

    before = threading.active_count()
    threads = Threads(2)
    results = threads.in_order_of_completion(lambda number: number, calls(numbers()))
    for _ in range(10):
        next(results)
    assert len(asked) <= 10 + 4
    assert threading.active_count() == before + 2
    threads.close()
    assert threading.active_count() == before


def test_what_a_call_raises_is_raised_and_the_rest_is_dropped():
    done = []

    def fail(number):
        if number == 3:
            raise ValueError("third")
        done.append(number)

    with pytest.raises(ValueError, match="third"), connect() as threads:
        list(in_order_of_completion(threads, fail, calls(range(1000))))
    assert {*done} <= {*range(1000)} and len(done) < 1000
    assert not any(thread.name.startswith("lsbg-unit") for thread in threading.enumerate())


def test_an_interrupt_does_not_wait_for_a_server_that_hangs(monkeypatch):
    monkeypatch.setattr("pipeline.dispatch.INTERRUPT_SECONDS", 0.1)
    hangs, begun = threading.Event(), threading.Event()

    def wait(_):
        begun.set()
        hangs.wait(60)

    def work():
        with connect() as threads:
            results = in_order_of_completion(threads, wait, calls(range(1)))
            threads._start()
            threads._calls.put((wait, (0,)))
            begun.wait(30)
            del results
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    hangs.set()


def threads_of_a_task():
    with connect() as threads:
        return sum(threads.nthreads().values())


@pytest.mark.slow
def test_a_task_of_a_dask_worker_works_in_one_thread():
    """Else each of the worker's threads, as lsdb has them, would start one for every core."""
    assert threads_of_a_task() == usable_cores()
    with connect_dask(None) as client:
        assert client.submit(threads_of_a_task).result(60) == 1


_ANNOTATE = """
import sys
from lsbg_classifier import annotate
annotate(*sys.argv[1:3], cutouts=sys.argv[3])
heavy = ("distributed", "dask", "tensorflow", "keras", "matplotlib", "sklearn", "galsim")
sys.stdout.write(" ".join(name for name in heavy if name in sys.modules))
"""


@pytest.mark.slow
def test_a_run_in_threads_imports_no_cluster_and_no_keras(survey, tmp_path):
    Table.read(survey.candidates)[:10].write(tmp_path / "ten.fits")
    arguments = [tmp_path / "ten.fits", tmp_path / "out.fits", f"tiles:{survey.tiles}"]
    done = subprocess.run(
        [sys.executable, "-c", _ANNOTATE, *map(str, arguments)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert len(Table.read(tmp_path / "out.fits")) == 10
