"""Damaged and hostile tables of text: rows or one line, in little time, never more."""

import random
import time

import numpy as np
import pytest
from astropy.io import ascii, fits
from astropy.table import Table

from catalogs import InputError, lsbg_columns, open_catalog

HEAD = "#   1 NUMBER   Running number\n#   2 ALPHA_J2000  RA  [deg]\n#   3 DELTA_J2000 Dec [deg]\n"
SKYCAT = "QueryResult\n\n# Config\n\nid\tra\tdec\n------\n1 \t 2.0 \t 3.0\n4 \t 5.0 \t 6.0\n[EOD]"
SECONDS = 20


def a_table(rows=9):
    n = np.arange(rows)
    return Table({"ra": n * 1.5, "dec": n * 0.5, "name": [f"a,b {i}" for i in n], "id": n + 2**60})


def whole(kind, path):
    """A small whole file."""
    if kind == "ascii-head":
        path.write_text(HEAD + "".join(f"{n:10d} {n * 1.5:10.4f} {-n:10.4f}\n" for n in range(9)))
    elif kind == "skycat":
        path.write_text(SKYCAT)
    elif kind == "fits-ascii":
        columns = [fits.Column(name, "F10.4", array=np.arange(9.0)) for name in ("RA", "DEC")]
        fits.TableHDU.from_columns(columns).writeto(path)
    else:
        ascii.write(a_table(), path, format=kind)
    return path.read_bytes()


def damaged(content, rng):
    """Cut, flip, insert, remove, repeat; put in what text formats are made of."""
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(content) + 1)
        length = min(rng.choice((1, 2, 4, 30)), len(content) - at)
        match rng.randrange(6):
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
                content[at:at] = content[at : at + length] * rng.choice((1, 50))
            case 5:
                words = (b'"', b"\n", b"\r", b"\t", b",", b"#", b"|", b"\\", b"\0", b"1e999", b"-")
                content[at:at] = rng.choice(words) * rng.choice((1, 2, 1000))
    return bytes(content)


def read_and_write(path, output):
    catalog = open_catalog(path)
    positions = catalog.read_positions(0, catalog.row_count)
    assert positions.shape == (catalog.row_count, 2)
    catalog.describe_columns()
    columns = lsbg_columns(catalog.column_names)

    def values(start, stop):
        return np.zeros(stop - start, np.float32), np.zeros(stop - start, np.int16)

    try:
        catalog.write_annotated(output, columns, values, {"weights": "w"})
    except InputError:
        assert not output.exists()
        raise
    return catalog.row_count


KINDS = (
    "csv", "tab", "rdb", "ipac", "mrt", "basic", "commented_header", "ascii-head", "skycat",
    "fits-ascii",
)  # fmt: skip


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_rows_or_one_line(kind, tmp_path):
    path, output = tmp_path / "in.txt", tmp_path / "out.txt"
    content, refused, read = whole(kind, path), 0, 0
    assert read_and_write(path, output) > 1
    rng = random.Random(kind)
    for number in range(120):
        path.write_bytes(damaged(content, rng))
        output.unlink(missing_ok=True)
        started = time.monotonic()
        try:
            rows = read_and_write(path, output)
        except InputError as error:
            assert "\n" not in str(error) and str(path) in str(error), str(error)
            refused += 1
        else:
            assert rows <= len(path.read_bytes())
            read += 1
        assert time.monotonic() - started < SECONDS, number
    assert refused > 3 and read > 3
