"""Remote catalogs and tiles: over HTTP from a real server, and in fsspec's file systems."""

import gc
import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from elsewhere import FileServer

from catalogs import InputError, open_catalog, remote
from catalogs.columns import DEFAULT_KEYS
from catalogs.flags import Flag
from catalogs.urls import is_url, masked
from lsbg_classifier import open_source
from pipeline import annotate
from pipeline.job import prepare
from pipeline.options import Options
from pipeline.worker import WorkerSettings

fsspec = pytest.importorskip("fsspec", reason="remote files are an extra")

SECRETS = ("me", "hunter2", "abc123")


@pytest.fixture(scope="module")
def folder(survey, tmp_path_factory):
    """A folder to be served: the survey's tiles, and every twelfth candidate in two formats."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "tiles").symlink_to(survey.tiles)
    rows = np.array(fits.getdata(survey.candidates))[::12]
    fits.BinTableHDU(rows, name="CANDIDATES").writeto(folder / "in.fits")
    native = {name: rows[name].astype(rows[name].dtype.newbyteorder("=")) for name in
              ("ALPHA_J2000", "DELTA_J2000")}  # fmt: skip
    pq.write_table(pa.table(native), folder / "in.parquet")
    return folder


@pytest.fixture
def server(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "_WAITS", (0.01, 0.01))
    with FileServer(folder) as server:
        yield server


@pytest.fixture
def memory():
    """fsspec's file system in memory, which all threads share, emptied afterwards."""
    system = fsspec.filesystem("memory")
    yield system
    system.rm("/", recursive=True)


def positions_in(path):
    table = fits.getdata(path)
    return np.stack([table["ALPHA_J2000"], table["DELTA_J2000"]], axis=1).astype(float)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:hunter2@host/in.fits", "https://***@host/in.fits"),
        ("tiles:https://me:p@ss@host:80/t", "tiles:https://***@host:80/t"),
        ("https://host/in.fits?token=abc123&x=1: gone", "https://host/in.fits?***: gone"),
        ("cannot read 'S3://host/x?Signature=a%2F'; stop", "cannot read 'S3://host/x?***'; stop"),
        ("(https://host/a?b=c), or https://host/d", "(https://host/a?***), or https://host/d"),
        ("tiles/what?.fits, me@host", "tiles/what?.fits, me@host"),
    ],
)
def test_secrets_are_masked(text, shown):
    assert masked(text) == str(InputError(text)) == shown


@pytest.mark.parametrize(
    ("name", "expected"),
    [("https://h/a", True), ("memory://a", True), ("a://b", False), ("c:/x", False), ("/a", False),
     (Path("https://h/a"), False), ("tiles:https://h", False)],
)  # fmt: skip
def test_what_is_a_url(name, expected):
    assert is_url(name) == expected


@pytest.mark.slow
def test_tiles_in_folders_within_folders(survey, folder, tmp_path, monkeypatch, memory):
    """A folder a band, on a server and in another file system."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for path in survey.tiles.glob("*.fz"):
        below = tmp_path / "served" / "south" / path.stem[-6]
        below.mkdir(parents=True, exist_ok=True)
        (below / path.name).symlink_to(path)
        memory.pipe_file(f"/south/{path.stem[-6]}/{path.name}", path.read_bytes())
    positions = positions_in(folder / "in.fits")[:5]
    expected = open_source(f"tiles:{survey.tiles}").fetch(positions)
    with FileServer(tmp_path / "served") as server:
        for url in (server.url, "memory://south"):
            cutouts, flags = open_source(f"tiles:{url}").fetch(positions)
            np.testing.assert_array_equal(cutouts, expected[0])
            np.testing.assert_array_equal(flags, expected[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["in.fits", "in.parquet"])
def test_the_same_over_http(folder, server, tmp_path, name):
    server.authorization = "Basic bWU6aHVudGVyMg=="  # me:hunter2
    url = server.url.replace("//", "//me:hunter2@")
    there = annotate(
        f"{url}/{name}?token=abc123", tmp_path / f"there_{name}", cutouts=f"tiles:{url}/tiles"
    )
    here = annotate(folder / name, tmp_path / f"here_{name}", cutouts=f"tiles:{folder / 'tiles'}")
    assert there.scored == here.scored > 8 and there.flags == here.flags
    one, other = (open_catalog(tmp_path / f"{where}_{name}") for where in ("there", "here"))
    names, count = one.column_names[-2:], other.row_count
    np.testing.assert_array_equal(
        one.read_columns(names, 0, count), other.read_columns(names, 0, count)
    )
    written = (tmp_path / f"there_{name}").read_bytes()
    assert b"://***@127.0.0.1" in written
    assert not any(f"{secret}".encode() in written for secret in SECRETS[1:])


@pytest.mark.slow
def test_only_what_is_needed_is_fetched(folder, server):
    source = open_source(f"tiles:{server.url}/tiles")
    positions = positions_in(folder / "in.fits")
    tile_of = source.group(positions)
    size = {path.name: path.stat().st_size for path in (folder / "tiles").glob("*.fz")}
    assert len(server.requests) < 4 * len(size)
    assert sum(sent for *_, sent in server.requests) < 0.2 * sum(size.values())
    server.requests.clear()
    cutouts, flags = source.fetch(positions[tile_of == 0][:1])
    assert cutouts.any() and not flags.any()
    fetched = {path for _, path, _ in server.requests}
    assert len(fetched) == 3
    assert sum(sent for *_, sent in server.requests) < 0.4 * sum(size.values()) / 2


@pytest.mark.slow
def test_footprints_are_remembered(server):
    spec = f"tiles:{server.url}/tiles"
    first = open_source(spec)
    server.requests.clear()
    again = open_source(spec)
    assert not any(path.endswith(".fz") for _, path, _ in server.requests)
    assert again.fingerprint() == first.fingerprint()


@pytest.mark.slow
def test_another_image_changes_the_fingerprint(folder, server, tmp_path):
    copy = tmp_path / "tiles"
    shutil.copytree(folder / "tiles", copy)
    with FileServer(tmp_path) as other:
        spec = f"tiles:{other.url}/tiles"
        before = open_source(spec).fingerprint()
        image = next(copy.glob("*_r.fits.fz"))
        image.write_bytes(image.read_bytes() + bytes(2880))
        assert open_source(spec).fingerprint() != before


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "gzip", "cube"])
def test_any_kind_of_image(survey, memory, tmp_path, kind):
    """Uncompressed images and those that only astropy reads; cut at a tile's edge too."""
    name = sorted(survey.tiles.glob("*_g.fits.fz"))[0].name
    planes = {}
    for band in "grz":
        with fits.open(survey.tiles / name.replace("_g.", f"_{band}.")) as hdus:
            image = next(hdu for hdu in hdus if hdu.is_image and len(hdu.shape) == 2)
            planes[band] = (image.data[:700, :900], image.header.copy(strip=True))
    header = planes["g"][1]
    if kind == "cube":
        header["BANDS"], cube = "grz", np.stack([planes[band][0] for band in "grz"])
        fits.PrimaryHDU(cube, header).writeto(tmp_path / "sky.fits")
    for band, (data, head) in planes.items() if kind != "cube" else ():
        hdu = fits.PrimaryHDU(data, head)
        if kind == "gzip":
            hdu = fits.CompImageHDU(data, head, compression_type="GZIP_1", quantize_level=0)
        fits.HDUList(
            [hdu] if kind == "plain" else [fits.PrimaryHDU(), hdu]
        ).writeto(tmp_path / name.replace("_g.fits.fz", f"_{band}.fits"))  # fmt: skip
    for path in tmp_path.glob("*.fits"):
        memory.pipe(f"/sky/{path.name}", path.read_bytes())
    options = {"survey": "des"}
    here, there = (open_source(f"tiles:{at}", **options) for at in (tmp_path, "memory://sky"))
    positions = positions_in(survey.candidates)
    positions = positions[here.group(positions) >= 0]
    expected, flags = here.fetch(positions)
    got, got_flags = there.fetch(positions)
    assert expected.any() and len(positions) > 5
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(got_flags, flags)


@pytest.mark.slow
def test_a_folder_of_parquet(folder, memory):
    table = pq.read_table(folder / "in.parquet")
    for number in range(2):
        with memory.open(f"/table/part{number}.parquet", "wb") as file:
            pq.write_table(table.slice(5 * number, 5), file)
    memory.pipe("/table/readme.txt", b"not ours")
    catalog = open_catalog("memory://table")
    np.testing.assert_array_equal(
        catalog.read_positions(0, 10), open_catalog(folder / "in.parquet").read_positions(0, 10)
    )
    copy = catalog._copy
    assert copy.is_dir() and not (copy / "readme.txt").exists()
    del catalog
    gc.collect()
    assert not copy.parent.exists()


@pytest.mark.slow
def test_secrets_stay_out_of_the_journal_and_of_workers_logs(folder, server, tmp_path):
    url = server.url.replace("//", "//me:hunter2@")
    spec = f"tiles:{url}/tiles?abc123"
    options = Options(spec, survey="des")
    job = prepare(f"{url}/in.fits?token=abc123", tmp_path / "out.fits", options)
    identity = json.dumps(job.identity())
    secret = (("url", "http://me:hunter2@host"),)
    settings = repr(WorkerSettings("run", spec, secret, "path", "sha", "auto", DEFAULT_KEYS))
    assert "hunter2" not in identity + settings and "abc123" not in identity + settings
    assert job.source.spec == spec


@pytest.mark.slow
def test_a_dry_run_says_no_secret(server, tmp_path, lsbg):
    url = server.url.replace("//", "//me:hunter2@")
    code, out, err = lsbg(
        "classify", f"{url}/in.fits?abc123", tmp_path / "o.fits", "--cutouts", f"tiles:{url}/tiles",
        "--dry-run",
    )  # fmt: skip
    assert code == 0, err
    assert f"input: {server.url.replace('//', '//***@')}/in.fits?***" in out
    assert "hunter2" not in out + err and "abc123" not in out + err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.fits", "gone.fits: no such file"),
        ("in.fits?x=abc123", r"in.fits\?\*\*\*: cannot be read \(HTTP 401\)"),
    ],
)
def test_what_cannot_be_had(server, tmp_path, name, message):
    if "401" in message:
        server.authorization = "Basic me"
    with pytest.raises(InputError, match=message) as caught:
        annotate(f"{server.url}/{name}", tmp_path / "out.fits", cutouts="tiles:x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nothing://host/in.fits", "nothing"),
        ("simplecache::https://host/in.fits", "not followed|no such file"),
        ("https://host/a::b.fits", "URLs within URLs are not followed"),
    ],
)
def test_urls_that_nobody_knows(url, message):
    with pytest.raises(InputError, match=message):
        open_catalog(url)


@pytest.mark.parametrize(
    ("protocol", "package"), [("s3", "s3fs"), ("gs", "gcsfs"), ("abfs", "adlfs")]
)
def test_a_missing_package_is_named_with_the_command(protocol, package):
    if find_spec(package):
        pytest.skip(f"{package} is installed")
    with pytest.raises(InputError, match=f"{protocol}://.* pip install {package}$"):
        open_catalog(f"{protocol}://bucket/in.parquet")


def test_a_damaged_catalog_is_named_by_its_url(memory):
    memory.pipe("/bad.fits", b"SIMPLE  = nothing")
    with pytest.raises(InputError, match=r"^memory://bad.fits: not a readable FITS file"):
        open_catalog("memory://bad.fits")


def test_protocols_may_be_in_capitals(folder, server):
    catalog = open_catalog(f"{server.url.replace('http', 'HTTP')}/in.fits")
    np.testing.assert_array_equal(
        catalog.read_positions(0, 5), positions_in(folder / "in.fits")[:5]
    )


def test_the_output_is_here(folder, tmp_path):
    with pytest.raises(InputError, match=r"s3://bucket/out.fits: the output must be a local"):
        annotate(folder / "in.fits", "s3://bucket/out.fits", cutouts=f"tiles:{folder / 'tiles'}")


def test_a_server_that_sends_no_parts(server):
    server.ranges = False
    with pytest.raises(InputError, match=r"does not send parts of files \(HTTP Range\)"):
        open_source(f"tiles:{server.url}/tiles")


@pytest.mark.slow
def test_a_server_that_stumbles_is_asked_again(folder, server):
    seen = set()

    def once(path):
        return None if path in seen else seen.add(path) or 503

    server.refuse = once
    source = open_source(f"tiles:{server.url}/tiles")
    seen.clear()
    _, flags = source.fetch(positions_in(folder / "in.fits")[:2])
    assert not flags.any()


@pytest.mark.slow
def test_a_tile_that_is_lost_is_flagged_and_a_lost_server_is_said(folder, server):
    source = open_source(f"tiles:{server.url}/tiles")
    positions = positions_in(folder / "in.fits")
    tile_of = source.group(positions)
    lost = sorted((folder / "tiles").glob("*.fz"))[0].name
    server.refuse = lambda path: 404 if path.endswith(lost) else None
    _, flags = source.fetch(positions)
    assert {*flags[tile_of == 0]} == {Flag.FETCH_FAILED} and not flags[tile_of == 1].any()
    server.refuse = lambda path: 503
    with pytest.raises(InputError, match=r"cannot be read \(HTTP 503\)"):
        for _ in range(3):
            source.fetch(positions[:1])


def test_links_that_lead_elsewhere_are_left_alone(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tiles = tmp_path / "tiles"
    (tmp_path / "other").mkdir()
    tiles.mkdir()
    names = [path.name for path in sorted((folder / "tiles").glob("*.fz"))]
    for name in names:
        shutil.copy(folder / "tiles" / name, tiles if name in names[:3] else tmp_path / "other")
    with FileServer(tmp_path) as server:
        links = [*names[:3], f"../other/{names[3]}", f"{server.url}/other/{names[4]}",
                 f"..%2Fother%2F{names[5]}", f"sub/{names[3]}", f"{names[3]}?x"]  # fmt: skip
        page = "".join(f'<a href="{link}">a</a>' for link in links)
        (tiles / "index.html").write_text(f"<html>{page}</html>")
        source = open_source(f"tiles:{server.url}/tiles")
        asked = {path for _, path, _ in server.requests if path.endswith(".fz")}
    assert asked == {f"/tiles/{name}" for name in names[:3]}
    assert len(source.group(np.array([[0.0, 0.0]]))) == 1
