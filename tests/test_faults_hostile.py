"""Damaged and hostile files of every kind that is read: a result, flags or one line, never more.

Each kind of input is fed to its real reader in a process of its own, with little memory to spare
and a limit on the time of each input, so that a crash of the interpreter, a hang or a
decompression bomb is seen as what it is.
"""

import bz2
import faulthandler
import gzip
import hashlib
import json
import lzma
import os
import pickle
import random
import re
import resource
import shutil
import struct
import subprocess
import sys
import traceback
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from PIL import Image
from viewer import blobs, write_tile

from catalogs import lsbg_columns, open_catalog
from catalogs.errors import InputError
from lsbg_classifier import open_source
from lsbg_classifier.cutouts.decode import decode_image
from lsbg_classifier.cutouts.tile_memory import INDEX_NAME
from lsbg_classifier.surveys import SURVEYS, read_survey
from lsbg_classifier.training.assessment import LabelledCutouts
from lsbg_classifier.training.dataset import open_dataset, store_cutouts
from lsbg_classifier.training.dataset_parts import replace_columns
from lsbg_classifier.weights.cards import Card
from lsbg_classifier.weights.registry import find_weights
from pipeline.journal import Journal, record_dtype

MEMORY = 1 << 30
"""Bytes of address space that reading may take, beyond what the process has when it begins."""

SECONDS = 30
"""For one input; a thousandth is usual."""

FILE = 1 << 28
"""Bytes of the largest file that may be written."""

PROVENANCE = dict.fromkeys(
    ("weights", "weights_sha256", "source", "software", "threshold", "date"), "0"
)
NUMBERS = (0, 1, -1, 7, 99, 2**31 - 1, 2**31, 2**40, 2**62, 2**63, 10**30, -(2**40), 0.5, 1e300)


# --- Mutations -----------------------------------------------------------------------------------


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Cut, flip, insert, remove, repeat or overwrite somewhere."""
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        at = rng.randrange(len(content) + 1)
        length = min(rng.choice((1, 2, 4, 8, 80, 2880)), len(content) - at)
        match rng.randrange(7):
            case 0:
                del content[at:]
            case 1:
                for place in range(at, at + length):
                    content[place] ^= 1 << rng.randrange(8)
            case 2:
                content[at:at] = rng.randbytes(length)
            case 3:
                del content[at : at + length]
            case 4:
                content[at:at] = content[at : at + length]
            case 5:
                content[at : at + length] = bytes([rng.choice((0, 0x20, 0x7F, 0xFF))]) * length
            case 6:
                order = rng.choice("<>")
                number = rng.choice([n for n in NUMBERS if isinstance(n, int) and 0 <= n < 2**64])
                content[at : at + 8] = struct.pack(f"{order}Q", number)
    return bytes(content)


def with_hostile_card(content: bytes, rng: random.Random) -> bytes:
    """Let one card of a FITS header say something else; half the time just damage it."""
    if rng.random() < 0.4:
        return damaged(content, rng)
    cards = [
        match.start()
        for match in re.finditer(rb"[A-Z][A-Z0-9_-]{1,7} *= ", content)
        if match.start() % 80 == 0
    ]
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.choice(cards)
        keyword = content[at : at + 8]
        if keyword.startswith((b"TFORM", b"ZFORM")) and rng.random() < 0.8:
            form = rng.choice(("D", "9D", "0D", "-1D", "999999999999D", "PD(99)", "QE", "X", "1"))
            value = f"'{form:8}'"
        elif rng.random() < 0.7:
            value = f"{rng.choice(NUMBERS)!s:>20}"
        else:
            value = rng.choice(
                ("'x       '", "''", "T", "NaN", "'../../x.fits'", "(1,2)", "' \xff     '", "")
            )
        card = keyword + b"= " + value.encode("latin-1")
        content = content[:at] + card.ljust(80)[:80] + content[at + 80 :]
    return content


def with_hostile_marker(content: bytes, rng: random.Random) -> bytes:
    """Let a JPEG be of another size, or a segment of another length; else damage it."""
    if rng.random() < 0.5:
        return damaged(content, rng)
    segments = [at for at in range(600) if content[at] == 0xFF and 0xC0 <= content[at + 1] < 0xFF]
    at = rng.choice(segments)
    if content[at + 1] == 0xC0 and rng.random() < 0.7:
        size = struct.pack(">HH", *rng.choices((0, 1, 255, 256, 257, 60000, 65535), k=2))
        return content[: at + 5] + size + content[at + 9 :]
    value = struct.pack(">H", rng.choice((0, 1, 2, 3, 255, 65535)))
    return content[: at + 2] + value + content[at + 4 :]


def with_hostile_value(content: bytes, rng: random.Random) -> bytes:
    """Put something else into the place of a value or a key of JSON; else damage it."""
    if rng.random() < 0.3:
        return damaged(content, rng)
    root = [json.loads(content)]
    places = []

    def look(container):
        keys = container if isinstance(container, dict) else range(len(container))
        for key in keys:
            places.append((container, key))
            if isinstance(container[key], dict | list):
                look(container[key])

    look(root)
    deep = json.loads("[" * 500 + "]" * 500)
    hostile = (None, True, "", "x", "../../x", "/x", "é\x00", [], {}, [[]], {"x": 1}, deep)
    container, key = rng.choice(places)
    if isinstance(container, dict) and rng.random() < 0.2:
        del container[key]
    else:
        container[key] = rng.choice(hostile + NUMBERS + (float("inf"), float("nan")))
    text = json.dumps(root[0]).encode()
    return text if rng.random() < 0.95 else b"[" * 10**5 + text


# --- What is damaged, and who reads it ------------------------------------------------------------


class Kind:
    """Makes a small whole file in a folder, and reads a damaged one in its place."""

    mutate = staticmethod(damaged)

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = self.make()
        self.whole = self.path.read_bytes()

    def feed(self, content: bytes):
        self.path.write_bytes(content)
        self.read()


class Catalog(Kind):
    """Opened, positions read, written again with our columns."""

    def read(self):
        catalog = open_catalog(self.path)
        rows = catalog.row_count
        assert 0 <= rows <= 10 * len(self.whole)
        for start in range(0, rows, 65_536):
            stop = min(start + 65_536, rows)
            assert catalog.read_positions(start, stop).shape == (stop - start, 2)
        catalog.fingerprint()
        output = self.folder / f"out{self.path.suffix}"
        try:
            catalog.write_annotated(
                output, lsbg_columns(catalog.column_names), self.values, PROVENANCE
            )
        except InputError:
            assert not output.exists()
            raise
        output.unlink()

    def values(self, start, stop):
        return np.zeros(stop - start, np.float32), np.zeros(stop - start, np.int16)


class FitsCatalog(Catalog):
    mutate = staticmethod(with_hostile_card)

    def make(self):
        path = self.folder / "in.fits"
        rows = 7
        columns = [
            fits.Column("RA", "D", "deg", array=np.linspace(0, 300, rows)),
            fits.Column("DEC", "D", "deg", array=np.linspace(-80, 80, rows)),
            fits.Column("N", "J", null=-99, array=np.arange(rows)),
            fits.Column("MAG_APER", "3E", array=np.ones((rows, 3))),
            fits.Column("NAME", "5A", array=np.array(["abc"] * rows)),
            fits.Column("OK", "L", array=np.ones(rows, bool)),
            fits.Column("V", "PJ()", array=np.array([np.arange(n) for n in range(rows)], object)),
        ]
        table = fits.BinTableHDU.from_columns(columns, name="OBJECTS")
        table.add_checksum()
        image = fits.ImageHDU(np.zeros((3, 4), np.int16), name="EXTRA")
        fits.HDUList([fits.PrimaryHDU(), image, table]).writeto(path)
        return path


class GzippedCatalog(FitsCatalog):
    """The same, gzipped."""

    mutate = staticmethod(damaged)

    def make(self):
        plain = super().make()
        path = plain.with_suffix(".fits.gz")
        path.write_bytes(gzip.compress(plain.read_bytes(), 1))
        return path


class ParquetCatalog(Catalog):
    compression = "snappy"

    def make(self):
        path = self.folder / "in.parquet"
        rows = 9
        table = pa.table(
            {
                "ra": pa.array(np.linspace(0, 300, rows)),
                "dec": pa.array([None, *np.linspace(-80, 80, rows - 1)]),
                "name": pa.array(["abc"] * rows).dictionary_encode(),
                "mag": pa.array([[1.0, 2.0]] * rows, pa.list_(pa.float32(), 2)),
                "many": pa.array([[{"a": n}] * n for n in range(rows)]),
                "when": pa.array(range(rows), pa.timestamp("ns", "UTC")),
            }
        )
        pq.write_table(
            table, path, row_group_size=4, compression=self.compression, write_page_index=True
        )
        return path


class PlainParquetCatalog(ParquetCatalog):
    compression = "none"


class Jpeg(Kind):
    mutate = staticmethod(with_hostile_marker)

    def make(self):
        noise = np.random.default_rng(9).integers(0, 255, (256, 256, 3), np.uint8)
        Image.fromarray(noise).save(self.folder / "in.jpg", quality=90)
        return self.folder / "in.jpg"

    def feed(self, content):
        try:
            image = decode_image(content)
        except ValueError as error:
            raise InputError(" ".join(str(error).split())) from error
        assert image.shape == (256, 256, 3) and image.dtype == np.uint8


POSITIONS = np.array([[0.35, 2.15], [0.352, 2.147], [0.34, 2.16], [200.0, 10.0]])


class Tile(Kind):
    """A folder of three bands, of which one is damaged; the index is made anew."""

    mutate = staticmethod(with_hostile_card)
    compress = True

    def make(self):
        write_tile(self.folder, blobs(300, spots=9), compress=self.compress)
        return next(self.folder.glob("*_r.fits*"))

    def read(self):
        (self.folder / INDEX_NAME).unlink(missing_ok=True)
        self.fetch()

    def fetch(self):
        source = open_source(f"tiles:{self.folder}")
        source.group(POSITIONS)
        cutouts, flags = source.fetch(POSITIONS)
        assert cutouts.shape == (4, 64, 64, 3) and flags.shape == (4,)
        return cutouts, flags


class PlainTile(Tile):
    compress = False


class TileLostLater(Tile):
    """The tile is whole when it is indexed, and damaged when it is read."""

    def feed(self, content):
        self.path.write_bytes(self.whole)
        source = open_source(f"tiles:{self.folder}")
        self.path.write_bytes(content)
        cutouts, flags = source.fetch(POSITIONS)
        assert cutouts.shape == (4, 64, 64, 3) and flags.shape == (4,)


class Index(Tile):
    """What is remembered of the tiles."""

    mutate = staticmethod(with_hostile_value)

    def make(self):
        super().make()
        self.fetch()
        return self.folder / INDEX_NAME

    def read(self):
        self.fetch()

    def band(self, band):
        """Name the file of a band."""
        (name,) = (path.name for path in self.folder.glob(f"*_{band}.fits*"))
        return name


class Weights(Kind):
    """Weights whose sha256 is on the card, whatever they are."""

    def make(self):
        found = find_weights("des-simulated")
        self.card = json.loads(found.path.with_name("des-simulated.json").read_text())
        return Path(shutil.copy(found.path, self.folder / "mine.weights.h5"))

    def mutate(self, content, rng):
        """Mostly where the structure is: at the two ends, and where names are."""
        if rng.random() < 0.3:
            return damaged(content, rng)
        size = rng.choice((200, 3000, 30_000))
        if rng.random() < 0.5:
            return damaged(content[:size], rng) + content[size:]
        return content[:-size] + damaged(content[-size:], rng)

    def read(self):
        from lsbg_classifier import load_classifier

        sha256 = hashlib.sha256(self.path.read_bytes()).hexdigest()
        card = json.dumps(self.card | {"name": "mine", "sha256": sha256})
        (self.folder / "mine.json").write_text(card)
        load_classifier(str(self.path))


class Cards(Kind):
    mutate = staticmethod(with_hostile_value)

    def make(self):
        found = find_weights("des-simulated")
        return Path(shutil.copy(found.path.with_name("des-simulated.json"), self.folder))

    def read(self):
        Card.read(self.path)


IDENTITY = {"input": "abc", "position": ["RA", "DEC", "deg"], "table": None, "date": "d"}


class JobFile(Kind):
    mutate = staticmethod(with_hostile_value)
    name = "job.json"

    def make(self):
        journal = Journal(self.folder / "j", IDENTITY, record_dtype(), resume=False)
        for rows in (np.arange(3), np.arange(3, 9)):
            journal.append(np.array([(row, row, row) for row in rows], record_dtype()))
        journal.close()
        return self.folder / "j" / self.name

    def read(self):
        journal = Journal(self.folder / "j", IDENTITY, record_dtype(), resume=True)
        try:
            assert journal.identity()["input"] == "abc"
            for record in journal.results():
                assert record.dtype.names == ("row", "probability", "flags")
        finally:
            journal.close()


class Log(JobFile):
    mutate = staticmethod(damaged)
    name = "results.log"


class Description(Kind):
    """The .toml of a survey."""

    def make(self):
        path = self.folder / "mine.toml"
        path.write_text(
            'name = "mine"\ntitle = "Mine"\npixel_scale = 0.2\nzero_point = 27.0\n'
            "viewer_scale = 0.131\n[colour_scales]\ngrz = [30.0, 17.0, 11.0]\n"
        )
        return path

    def mutate(self, content, rng):
        if rng.random() < 0.4:
            return damaged(content, rng)
        hostile = ("nan", "1e999", "-1", "10" * 3000, "'x'", "[" * 3000, "{}", "[[]]", "1979-05-27")
        values = [match.span() for match in re.finditer(rb'"\w+"|[\d.]+', content)]
        start, stop = rng.choice(values)
        return content[:start] + rng.choice(hostile).encode() + content[stop:]

    def read(self):
        assert read_survey(self.path).pixel_scale > 0


class ManifestFile(Kind):
    mutate = staticmethod(with_hostile_value)
    name = "manifest.json"

    def make(self):
        images = np.random.default_rng(1).integers(0, 255, (4, 64, 64, 3), np.uint8)
        splits = np.array(["test", "test", "train", "train"])
        imaging = SURVEYS["des"].imaging()
        store_cutouts(self.folder, "s", images, np.array([0, 1, 0, 1]), splits, imaging)
        return self.folder / self.name

    def read(self):
        images, labels = open_dataset(self.folder).load("test")
        assert images.shape == (len(labels), 64, 64, 3)
        open_dataset(self.folder).failed()


class DatasetPart(ManifestFile):
    mutate = staticmethod(damaged)
    name = "part-00000.parquet"


class Npy(Kind):
    def make(self):
        (self.folder / "labels.csv").write_text("index,label\n0,1\n2,0\n")
        np.save(self.folder / "in.npy", np.zeros((3, 64, 64, 3), np.uint8))
        return self.folder / "in.npy"

    def mutate(self, content, rng):
        if rng.random() < 0.3:
            return damaged(content, rng)
        head = damaged(content[:128], rng)
        if rng.random() < 0.5:
            shape = rng.choice((b"(9999999999999,64)", b"(-1,)", b"((((", b"()", b"(1e9,)"))
            head = content[:128].replace(b"(3, 64, 64, 3)", shape.ljust(14)[:14])
        return head + content[128:]

    def read(self):
        LabelledCutouts.read(self.path, self.folder / "labels.csv")


class LabelFile(Npy):
    mutate = staticmethod(damaged)

    def make(self):
        return super().make().with_name("labels.csv")

    def read(self):
        LabelledCutouts.read(self.folder / "in.npy", self.path)


GROUPS = {
    "catalogs": {FitsCatalog: 1800, GzippedCatalog: 100, ParquetCatalog: 600},
    "images": {Jpeg: 1400, Tile: 200, PlainTile: 150, TileLostLater: 100, Index: 150},
    "descriptions": {
        Cards: 400,
        JobFile: 300,
        Log: 300,
        Description: 400,
        ManifestFile: 300,
        DatasetPart: 250,
        Npy: 200,
        LabelFile: 100,
    },
    "weights": {Weights: 60},
}
"""Kinds of input that share a process -> how many."""


def run_group(group: str, folder: Path):
    """Feed all inputs of a group, with limits; print what came out, leave with 1 if it is wrong."""
    warnings.simplefilter("ignore")
    kinds = []
    for kind, count in GROUPS[group].items():
        own = folder / kind.__name__
        own.mkdir()
        kinds.append((kind(own), count))
        kinds[-1][0].feed(kinds[-1][0].whole)  # loads what is loaded at first use
    used = int(re.search(r"VmSize:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
    wrong = {}
    for kind, count in kinds:
        outcomes = Counter(feed_one(kind, number, wrong) for number in range(count))
        print(json.dumps([type(kind).__name__, outcomes]), flush=True)
    for where, what in wrong.items():
        print("WRONG", *where, *what)
    sys.exit(bool(wrong))


def feed_one(kind: Kind, number: int, wrong: dict) -> str:
    """Feed the n-th input of a kind: read, refused, or wrong, and then why."""
    name = type(kind).__name__
    content = kind.mutate(kind.whole, random.Random(f"{name} {number}"))
    print(name, number, file=sys.stderr, flush=True)  # the last before a crash is seen
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    try:
        kind.feed(content)
    except InputError as error:
        said = str(error)
        if "\n" in said or len(said) > 1000:
            wrong.setdefault((name, "not one line"), (number, said[:1000]))
            return "wrong"
        return "refused"
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        wrong.setdefault((name, repr(last)), (number, traceback.format_exc()))
        return "wrong"
    finally:
        faulthandler.cancel_dump_traceback_later()
    return "read"


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_a_result_or_one_line(group, tmp_path):
    """No other exception, no crash, no hang, no more memory than a gigabyte."""
    here = Path(__file__)
    path = os.pathsep.join([str(here.parent), str(here.parents[1])])
    done = subprocess.run(
        [sys.executable, here, group, tmp_path],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    outcomes = {name: counts for name, counts in map(json.loads, done.stdout.splitlines())}
    assert {kind.__name__: count for kind, count in GROUPS[group].items()} == {
        name: sum(counts.values()) for name, counts in outcomes.items()
    }
    refused = sum(counts.get("refused", 0) for counts in outcomes.values())
    assert refused > 0.1 * sum(GROUPS[group].values())


def test_there_are_thousands():
    assert sum(sum(kinds.values()) for kinds in GROUPS.values()) >= 5000


# --- What was found, and what must not be followed ------------------------------------------------


def refused(call, *arguments) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


DEEP = b"[" * 10**5


@pytest.mark.parametrize("content", [b"[]", b"'x'", b'"x"', b"3", DEEP, b"{}", b"\xff"])
def test_a_job_that_is_something_else(tmp_path, content):
    job = JobFile(tmp_path)
    line = refused(job.feed, content)
    assert "delete the folder to start again" in line
    assert job.path.read_bytes() == content


@pytest.mark.parametrize(
    "change",
    [
        {"parts": 10**12},
        {"parts": "1"},
        {"parts": 0},
        {"parts": True},
        {"imaging": "x"},
        {"sample": ["x"]},
        {"sample": "a\nb"},
    ],
    ids=str,
)
def test_a_manifest_that_makes_no_sense(tmp_path, change):
    dataset = ManifestFile(tmp_path)
    content = json.loads(dataset.whole) | change
    assert str(tmp_path) in refused(dataset.feed, json.dumps(content).encode())


@pytest.mark.parametrize("content", [b'"x"', b"3", DEEP])
def test_a_manifest_that_is_something_else(tmp_path, content):
    assert "not a dataset" in refused(ManifestFile(tmp_path).feed, content)


def test_a_part_without_cutouts(tmp_path):
    part = DatasetPart(tmp_path)
    assert "damaged" in refused(part.feed, part.whole[:-100])
    part.path.write_bytes(part.whole)
    replace_columns(part.path, {"image": np.arange(4)})
    assert "no cutouts of 64x64x3" in refused(part.read)


@pytest.mark.parametrize("shape", [b"((((", b"(9999999999999,64)", b"(-1,)"])
def test_an_array_with_a_hostile_header(tmp_path, shape):
    array = Npy(tmp_path)
    content = array.whole.replace(b"(3, 64, 64, 3)", shape.ljust(14)[:14])
    assert "not cutouts and their labels" in refused(array.feed, content)


def with_card(content: bytes, keyword: str, value) -> bytes:
    """Change the first card of that keyword behind the primary header."""
    at = content.index(keyword.ljust(8).encode(), 2880)
    return content[:at] + f"{keyword:8}= {value!s:>20}".ljust(80).encode() + content[at + 80 :]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "keyword"), [(PlainTile, "NAXIS"), (Tile, "ZNAXIS"), (Tile, "TFIELDS")]
)
@pytest.mark.parametrize("count", [1000, 2**31, -1])
def test_headers_that_count_for_ever(tmp_path, kind, keyword, count):
    tile = kind(tmp_path)
    line = refused(tile.feed, with_card(tile.whole, keyword, count))
    assert f"{tile.path}: not a readable image ({keyword} is {count})" in line


def test_a_tile_without_coordinates(tmp_path):
    """wcslib says in four lines what is wrong with these."""
    tile = PlainTile(tmp_path)
    assert "not a readable image" in refused(tile.feed, with_card(tile.whole, "CDELT2", 0.0))


@pytest.mark.slow
@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_a_tile_is_unpacked_whatever_its_name(tmp_path, compress):
    tile = PlainTile(tmp_path)
    expected = tile.fetch()
    tile.path.write_bytes(compress(tile.whole))
    (tile.folder / INDEX_NAME).unlink()
    for values, wanted in zip(tile.fetch(), expected, strict=True):
        np.testing.assert_array_equal(values, wanted)


@pytest.mark.slow
def test_a_tile_that_is_packed_in_another_way_is_not_unpacked(tmp_path):
    """astropy would, whatever comes out of it."""
    tile = PlainTile(tmp_path)
    assert "does not begin as a FITS file" in refused(tile.feed, lzma.compress(tile.whole))


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"path": "../outside_g.fits"},
        {"extension": "1"},
        {"shape": [2**40, 2**40]},
        {"band": ["g"]},
        {"grid": 3},
        {"outline": [["x"]]},
        {"pixel_scale": 0.0},
        {"more": 1},
    ],
    ids=str,
)
def test_a_wrong_index_is_made_again(tmp_path, change):
    """What it says of files is believed only if it is to the letter what was written."""
    index = Index(tmp_path)
    content = json.loads(index.whole)
    file = content["files"][index.band("g")]
    content["files"]["../outside_g.fits"] = file
    file["content"]["images"][0] |= change
    cutouts, flags = index.fetch()
    index.path.write_text(json.dumps(content))
    again, flags_again = index.fetch()
    np.testing.assert_array_equal(again, cutouts)
    np.testing.assert_array_equal(flags_again, flags)
    assert json.loads(index.path.read_bytes()) == json.loads(index.whole)


def in_another_file(file, name, elsewhere):
    values = file[name][()]
    del file[name]
    values.tofile(elsewhere)
    file.create_dataset(
        name, values.shape, values.dtype, external=[(elsewhere, 0, h5py.h5f.UNLIMITED)]
    )


def by_a_link(file, name, elsewhere):
    with h5py.File(elsewhere, "w") as other:
        other["x"] = file[name][()]
    del file[name]
    file[name] = h5py.ExternalLink(elsewhere, "x")


def as_a_view(file, name, elsewhere):
    values = file[name][()]
    with h5py.File(elsewhere, "w") as other:
        other["x"] = values
    layout = h5py.VirtualLayout(values.shape, values.dtype)
    layout[...] = h5py.VirtualSource(elsewhere, "x", values.shape)
    del file[name]
    file.create_virtual_dataset(name, layout)


def as_a_bomb(file, name, elsewhere):
    del file[name]
    file.create_dataset(name, (1 << 20, 1 << 20), "f4", chunks=(1024, 1024))


@pytest.mark.parametrize("name", ["layers/dense_1/vars/0", "likeness/form"])
@pytest.mark.parametrize("change", [in_another_file, by_a_link, as_a_view, as_a_bomb])
def test_weights_that_lead_out_of_their_file(tmp_path, change, name):
    weights = Weights(tmp_path)
    with h5py.File(weights.path, "r+") as file:
        change(file, name, str(tmp_path / "elsewhere"))
    assert "not weights of this network" in refused(weights.read)


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.fixture
def trap(tmp_path):
    """A pickle that works, and never shall."""
    trace = tmp_path / "trace"
    pickle.loads(pickle.dumps(Trap(trace)))
    trace.unlink()
    yield Trap(trace)
    assert not trace.exists()


@pytest.mark.long
def test_cutouts_that_are_a_pickle(lsbg, trap, tmp_path):
    (tmp_path / "labels.csv").write_text("index,label\n0,1\n1,0\n")
    np.save(tmp_path / "objects.npy", np.array([trap, trap], object), allow_pickle=True)
    (tmp_path / "bare.npy").write_bytes(pickle.dumps(trap))
    np.savez(tmp_path / "packed.npz", np.array([trap], object), allow_pickle=True)
    (tmp_path / "packed.npz").rename(tmp_path / "packed.npy")
    for name in ("objects", "bare", "packed"):
        path, labels = tmp_path / f"{name}.npy", tmp_path / "labels.csv"
        arguments = ["evaluate", "des-simulated", path, tmp_path / "out", "--labels", labels]
        code, said, errors = lsbg(*arguments)
        assert (code, said) == (1, "") and errors.count("\n") == 1
        assert "not cutouts and their labels" in errors
    command = [Path(sys.executable).with_name("lsbg-train-des"), tmp_path / "trained", "--dry-run"]
    command += ["--sample", tmp_path / "objects.npy", "--label", tmp_path / "labels.csv"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "not cutouts and their labels" in done.stderr


@pytest.mark.filterwarnings("ignore:pickle-based deserialization")
@pytest.mark.parametrize("where", ["pandas", "extension", "yaml"])
def test_a_table_with_a_pickle(trap, tmp_path, where):
    """pandas' notes, and Arrow's types that were pickles once, stay what they are: bytes."""
    field, notes, content = pa.field("x", pa.int32()), {}, pickle.dumps(trap)
    match where:
        case "pandas":
            notes = {b"pandas": content}
        case "yaml":
            bomb = f"datatype: !!python/object/apply:pathlib.Path.touch [{trap.trace}]"
            notes = {b"table_meta_yaml": bomb.encode()}
        case "extension":
            field = field.with_metadata(
                {
                    b"ARROW:extension:name": b"arrow.py_extension_type",
                    b"ARROW:extension:metadata": content,
                }
            )
    schema = pa.schema([("ra", "f8"), ("dec", "f8"), field], notes)
    table = pa.table([[1.0], [2.0], [3]], schema=schema)
    pq.write_table(table, tmp_path / "in.parquet")
    catalog = open_catalog(tmp_path / "in.parquet")
    assert catalog.read_positions(0, 1).tolist() == [[1, 2]]
    values = lambda start, stop: (np.zeros(1, np.float32), np.zeros(1, np.int16))  # noqa: E731
    output = tmp_path / "out.parquet"
    catalog.write_annotated(output, lsbg_columns(catalog.column_names), values, PROVENANCE)
    written = pq.read_schema(output)
    assert all(written.metadata[key] == value for key, value in notes.items())


def test_weights_that_are_an_archive_with_code(trap, tmp_path):
    """Keras' own format may hold functions; it is not read, whatever it is called."""
    weights = Weights(tmp_path)
    with zipfile.ZipFile(weights.path, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Lambda"}))
        archive.writestr("model.weights.h5", weights.whole)
        archive.writestr("data.pkl", pickle.dumps(trap))
    assert "not weights of this network" in refused(weights.read)


if __name__ == "__main__":
    run_group(sys.argv[1], Path(sys.argv[2]))
