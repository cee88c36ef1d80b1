"""A Dask cluster that is there already, with workers of its own, does the work as threads do."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster, get_worker
from viewer import Viewer

from catalogs.errors import InputError
from pipeline import annotate, cluster, plan, schedulers

DASK = Path(sys.executable).with_name("dask")


@contextmanager
def dask(folder, *arguments):
    """Run a Dask command in a folder of its own, and end it.

    On a machine that is busy an idle worker would take what another was chosen for.
    """
    folder.mkdir()
    home = {
        "DASK_TEMPORARY_DIRECTORY": str(folder),
        "DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING": "False",
    }
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [DASK, *arguments], cwd=folder, env=os.environ | home, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def running_scheduler(folder):
    """A scheduler on a free port of loopback; gives its address and its process."""
    file = folder / "scheduler.json"
    options = ["--host=127.0.0.1", "--port=0", "--no-dashboard", "--dashboard-address=127.0.0.1:0"]
    with dask(folder / "scheduler", "scheduler", *options, f"--scheduler-file={file}") as process:
        deadline = time.monotonic() + 60
        while not (file.exists() and file.read_text().endswith("}")):  # it may be half-written
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        yield json.loads(file.read_text())["address"], process


def running_worker(folder, address):
    options = ["--no-nanny", "--no-dashboard", "--nthreads=1", "--host=127.0.0.1"]
    return dask(folder, "worker", address, *options, f"--name={folder.name}")


def wait_for_workers(address, count):
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The address of a scheduler with two workers."""
    folder = tmp_path_factory.mktemp("dask")
    with ExitStack() as processes:
        address, _ = processes.enter_context(running_scheduler(folder))
        for name in ("first", "second"):
            processes.enter_context(running_worker(folder / name, address))
        wait_for_workers(address, 2)
        yield address


@pytest.fixture(scope="module")
def catalog(survey, tmp_path_factory):
    """Every third candidate of the survey, and one outside its tiles."""
    path = tmp_path_factory.mktemp("catalog") / "in.fits"
    table = fits.BinTableHDU(np.array(fits.getdata(survey.candidates))[::3])
    table.data["DELTA_J2000"][4] += 1
    table.writeto(path)
    return path


@pytest.fixture
def run(survey, catalog):
    def run(output, **options):
        return annotate(catalog, output, cutouts=f"tiles:{survey.tiles}", chunk_size=1, **options)

    return run


def processes_that_loaded_the_network(address):
    with Client(address, set_as_default=False) as client:
        return sum(client.run(lambda: "onnxruntime" in sys.modules).values())


@pytest.mark.long
@pytest.mark.slow
def test_workers_elsewhere_give_the_same_bytes(run, scheduler, tmp_path):
    assert processes_that_loaded_the_network(scheduler) == 0
    summary = run(tmp_path / "cluster.fits", scheduler=scheduler)
    assert processes_that_loaded_the_network(scheduler) > 0
    run(tmp_path / "threads.fits")
    assert summary.flags["NO_COVERAGE"] == 1 < 30 < summary.scored
    assert (tmp_path / "cluster.fits").read_bytes() == (tmp_path / "threads.fits").read_bytes()


def note_opened_tiles(address):
    """Have the workers note which tiles they open from now on."""

    def note(dask_worker):
        opened = dask_worker.opened = set()

        def hook(event, arguments):
            if event == "open" and str(arguments[0]).endswith(".fits.fz"):
                opened.add(str(arguments[0]).rpartition("/")[2])

        sys.addaudithook(hook)

    with Client(address, set_as_default=False) as client:
        client.run(note)


def read_tiles(names):
    """Tiles of which images in all bands are among these; for the noise, one is looked at alone."""
    bands = Counter(name.partition("_")[0] for name in names)
    return {tile for tile, count in bands.items() if count == 3}


def ask_workers(address, question):
    with Client(address, set_as_default=False) as client:
        return list(client.run(question).values())


@pytest.mark.long
@pytest.mark.slow
def test_a_tile_is_read_by_one_worker_which_loads_the_network_once(
    run, survey, scheduler, tmp_path
):
    run(tmp_path / "before.fits", scheduler=scheduler)  # the footprints are remembered now
    note_opened_tiles(scheduler)
    run(tmp_path / "out.fits", scheduler=scheduler)
    first, second = map(read_tiles, ask_workers(scheduler, lambda dask_worker: dask_worker.opened))
    assert not first & second
    assert first | second == read_tiles(path.name for path in survey.tiles.glob("*.fits.fz"))
    loaded = ask_workers(
        scheduler, lambda: sys.modules["pipeline.worker"]._classifier.cache_info().misses
    )
    assert max(loaded) == 1


@pytest.mark.long
@pytest.mark.slow
def test_a_tile_in_several_units_outlives_its_worker(run, scheduler, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "_LARGEST_UNIT", 4)
    with running_worker(tmp_path / "doomed", scheduler) as doomed:
        wait_for_workers(scheduler, 3)
        run(
            tmp_path / "cluster.fits",
            scheduler=scheduler,
            progress=lambda done, total: doomed.kill() if done else None,
        )
    run(tmp_path / "threads.fits")
    assert (tmp_path / "cluster.fits").read_bytes() == (tmp_path / "threads.fits").read_bytes()


MEETING = threading.Barrier(4)


def meet(others_come):
    """Return at once, or when four calls are under way at the same time."""
    if others_come:
        MEETING.wait(30)
    return others_come


@pytest.mark.slow
def test_workers_that_come_later_get_work(monkeypatch):
    monkeypatch.setattr(cluster, "_LOOK_SECONDS", 0)
    calls = ((None, (number > 1,)) for number in range(6))
    local = {"protocol": "tcp", "host": "127.0.0.1", "processes": False, "threads_per_worker": 1}
    with (
        LocalCluster(n_workers=1, dashboard_address="127.0.0.1:0", **local) as few,
        Client(few, set_as_default=False) as client,
    ):
        results = cluster.in_order_of_completion(client, meet, calls)
        assert next(results) is False
        few.scale(4)
        client.wait_for_workers(4, timeout=60)
        assert list(results) == [False, True, True, True, True]


@pytest.mark.long
def test_worker_processes_divide_the_cores():
    """They would else compute the network on all cores each."""
    with cluster.connect(None, 2) as client:
        shares = client.run(
            lambda: (os.environ["LSBG_THREADS"], os.environ["TF_NUM_INTRAOP_THREADS"])
        )
    assert len(shares) == 2
    assert set(shares.values()) == {(str(max(1, CPU_COUNT // 2)),) * 2}


@pytest.mark.slow
def test_a_client_of_the_user_s_stays_open(run, scheduler, tmp_path):
    """Given as it is, as the one that is open, and by the file of its scheduler."""
    with pytest.raises(InputError, match="no Dask client is open"):
        run(tmp_path / "none.fits", scheduler="current")
    with Client(scheduler, set_as_default=True) as client:
        run(tmp_path / "given.fits", scheduler=client)
        run(tmp_path / "current.fits", scheduler="current")
        assert client.status == "running" and client.submit(abs, -1).result() == 1
        threads = client.run(lambda: sys.modules["lsbg_classifier.cores"].usable_cores())
    assert set(threads.values()) == {1}, "each of these workers has one thread"
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": scheduler}))
    run(tmp_path / "file.fits", scheduler_file=file)
    run(tmp_path / "threads.fits")
    expected = (tmp_path / "threads.fits").read_bytes()
    for name in ("given", "current", "file"):
        assert (tmp_path / f"{name}.fits").read_bytes() == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), ("{", "not the file of a Dask"), ("[1]", "not the file of a Dask")],
)
def test_a_wrong_scheduler_file_is_one_line(run, tmp_path, content, message):
    if content is not None:
        (tmp_path / "s.json").write_text(content)
    with pytest.raises(InputError, match=f"s.json: .*{message}"):
        run(tmp_path / "out.fits", scheduler_file=tmp_path / "s.json")


@pytest.mark.slow
def test_clients_that_cannot_be_used(run, tmp_path):
    with pytest.raises(InputError, match="scheduler must be an address or a Client, not a int"):
        run(tmp_path / "out.fits", scheduler=3)
    local = {"protocol": "tcp", "host": "127.0.0.1", "processes": False}
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", **local) as few,
        Client(few, set_as_default=False) as client,
    ):
        client.close()
        with pytest.raises(InputError, match="this Dask client is closed; open another"):
            run(tmp_path / "out.fits", scheduler=client)


@pytest.mark.slow
def test_a_cluster_that_adapts_from_no_worker(monkeypatch):
    """Work that waits starts the first worker, and more of them."""
    monkeypatch.setattr(cluster, "_LOOK_SECONDS", 0)
    local = {"protocol": "tcp", "host": "127.0.0.1", "processes": False, "threads_per_worker": 1}
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", **local) as empty,
        Client(empty, set_as_default=False) as client,
    ):
        empty.adapt(minimum=0, maximum=3, interval="100 ms", target_duration="100 ms")
        assert not client.nthreads()
        with cluster.connect(client) as same:
            assert same is client
            calls = ((None, (number, 0.2)) for number in range(30))
            results = list(cluster.in_order_of_completion(client, named_worker, calls))
        assert sorted(number for number, _ in results) == list(range(30))
        assert len({worker for _, worker in results}) > 1


def named_worker(number, seconds):
    """Take some time, and say who took it."""
    time.sleep(seconds)
    return number, get_worker().address


@pytest.mark.slow
def test_the_cluster_stays_for_its_owner(run, scheduler, tmp_path):
    for name in ("once.fits", "again.fits"):
        run(tmp_path / name, scheduler=scheduler)
    assert (tmp_path / "once.fits").read_bytes() == (tmp_path / "again.fits").read_bytes()
    with Client(scheduler, set_as_default=False) as client:
        assert len(client.scheduler_info()["workers"]) == 2


@pytest.mark.slow
def test_what_a_worker_cannot_read_is_said_here(survey, catalog, scheduler, tmp_path):
    tiles = tmp_path / "tiles"
    tiles.symlink_to(survey.tiles)
    with pytest.raises(InputError, match="tiles: no such folder"):
        annotate(
            catalog,
            tmp_path / "out.fits",
            cutouts=f"tiles:{tiles}",
            scheduler=scheduler,
            progress=lambda done, total: tiles.unlink(missing_ok=True),
        )
    assert not any(tmp_path.iterdir())


@pytest.mark.long
@pytest.mark.slow
def test_a_killed_worker_harms_nothing(survey, catalog, scheduler, tmp_path):
    with Viewer(survey.tiles) as viewer, running_worker(tmp_path / "doomed", scheduler) as doomed:
        wait_for_workers(scheduler, 3)
        source = {
            "cutouts": "legacysurvey:des-dr1",
            "source_options": {"url": viewer.url},
            "chunk_size": 2,
        }
        annotate(
            catalog,
            tmp_path / "cluster.fits",
            scheduler=scheduler,
            progress=lambda done, total: doomed.kill() if done else None,
            **source,
        )
        annotate(catalog, tmp_path / "threads.fits", **source)
    assert (tmp_path / "cluster.fits").read_bytes() == (tmp_path / "threads.fits").read_bytes()


@pytest.mark.long
@pytest.mark.slow
def test_a_lost_scheduler_is_said_and_resumed_from(run, tmp_path):
    output = tmp_path / "out.fits"
    with (
        running_scheduler(tmp_path) as (address, process),
        running_worker(tmp_path / "worker", address),
        pytest.raises(InputError, match=f"{address}.*lost.*--resume"),
    ):
        run(
            output,
            scheduler=address,
            progress=lambda done, total: process.kill() if done else None,
        )
    run(output, resume=True)
    run(tmp_path / "undisturbed.fits")
    assert output.read_bytes() == (tmp_path / "undisturbed.fits").read_bytes()


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.slow
@pytest.mark.parametrize("address", [None, "127.0.0.1", "carrier-pigeon://127.0.0.1:1"])
def test_no_scheduler_there(run, tmp_path, monkeypatch, address):
    monkeypatch.setattr(schedulers, "_CONNECT_SECONDS", 1)
    address = address or closed_port()
    started = time.monotonic()
    message = f"no Dask scheduler.*{address}.*check" if "://" in address else "not the address"
    with pytest.raises(InputError, match=message) as caught:
        run(tmp_path / "out.fits", scheduler=address)
    assert "\n" not in str(caught.value) and time.monotonic() - started < 10
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_scheduler_without_workers(run, tmp_path, monkeypatch):
    monkeypatch.setattr(schedulers, "_WORKER_SECONDS", 1)
    (tmp_path / "out").mkdir()
    with (
        running_scheduler(tmp_path) as (address, _),
        pytest.raises(InputError, match=f"{address} has no workers; start some"),
    ):
        run(tmp_path / "out" / "annotated.fits", scheduler=address)
    assert not any((tmp_path / "out").iterdir())
