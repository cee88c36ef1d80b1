"""Every example of docs/selection.md keeps the rows that the page says; its grammar is complete."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogs import InputError, find_selection, open_catalog
from catalogs._expression_operations import FUNCTIONS

PAGE = (Path(__file__).parent.parent / "docs" / "selection.md").read_text()


def section(name):
    """The cells of a table on the page, without its head."""
    body = re.search(f"<!-- {name}: begin -->\n(.*)<!-- {name}: end -->", PAGE, re.DOTALL)[1]
    rows = [line.strip("|\n").split(" |") for line in body.splitlines()]
    return [[cell.strip() for cell in row] for row in rows if not row[0].startswith("---")]


HEAD, *ROWS = section("rows")


def plain(text):
    """The text of a code span, which has two backquotes where it holds one."""
    return text[3:-3] if text.startswith("`` ") else text[1:-1]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    cells = {name: [row[n] or None for row in ROWS] for n, name in enumerate(HEAD)}
    columns = {"RA": np.ones(len(ROWS)), "DEC": np.ones(len(ROWS))}
    for name, texts in cells.items():
        if name in ("row", "ID", "FLAGS"):
            columns[name] = pa.array([text and int(text) for text in texts], pa.int64())
        elif name == "GOOD":
            columns[name] = pa.array([text and text == "true" for text in texts], pa.bool_())
        elif name == "MAG_APER":
            columns[name] = pa.array([[float(n) for n in text.split()] for text in texts])
        elif name == "TILENAME":
            columns[name] = pa.array(texts)
        else:
            columns[name] = pa.array([text and float(text) for text in texts], pa.float64())
    path = tmp_path_factory.mktemp("page") / "in.parquet"
    pq.write_table(pa.table(columns), path)
    return open_catalog(path)


def test_there_are_enough_examples():
    assert len(section("examples")) - 1 >= 20


@pytest.mark.parametrize(("text", "keep"), section("examples")[1:])
def test_an_example(catalog, text, keep):
    kept = find_selection(plain(text), catalog).keep(catalog, 0, len(ROWS))
    assert (np.flatnonzero(kept) + 1).tolist() == [int(row) for row in keep.split()]


def test_the_grammar_lists_every_function():
    grammar = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)[1]
    rules = re.search(r"function +=(.*?)number +=", grammar, re.DOTALL)[1]
    words = set(re.findall(r'"(\w+)"', rules))
    assert sorted(words) == sorted(FUNCTIONS)


def test_the_error_that_the_page_shows(catalog):
    shown = re.search(r"`--select, (at '.*?' \(character \d+\): not a function); \.\.\.`", PAGE)[1]
    with pytest.raises(InputError, match=re.escape(shown)):
        find_selection("ID > 1 + foo(ID) > 1", catalog)
