"""The journal keeps what was done, whatever happens to its last record, and refuses strangers."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogs.columns import DEFAULT_KEYS, OUTPUT_COLUMNS
from catalogs.errors import InputError
from pipeline.journal import VERSION, Journal, record_dtype

IDENTITY = {"input": "abc", "weights": "des", "date": "2026-01-01"}


def opened(folder, identity=IDENTITY, keys=DEFAULT_KEYS, **options):
    return Journal(folder, identity, record_dtype(keys), **options)


def results(journal):
    found = [
        (int(r["row"]), float(r["probability"]), int(r["flags"]))
        for record in journal.results()
        for r in record
    ]
    return found


def chunk(*rows):
    return np.array([(row, row / 100, row % 3) for row in rows], record_dtype())


def test_what_was_appended_is_read_back(tmp_path):
    journal = opened(tmp_path / "j", IDENTITY, resume=False)
    journal.append(chunk(3, 1, 2))
    journal.append(np.array([(9, np.nan, 2)], record_dtype()))
    assert [row for row, _, _ in results(journal)] == [3, 1, 2, 9]
    assert np.isnan(results(journal)[-1][1])
    journal.close()
    again = opened(tmp_path / "j", IDENTITY, resume=True)
    assert len(results(again)) == 4
    again.remove()
    assert not (tmp_path / "j").exists()


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(min_value=0, max_value=120), flip=st.booleans())
def test_a_damaged_end_costs_only_that_record(tmp_path_factory, cut, flip):
    folder = tmp_path_factory.mktemp("journal") / "j"
    journal = opened(folder, IDENTITY, resume=False)
    journal.append(chunk(0, 1, 2))
    whole = (folder / "results.log").stat().st_size
    journal.append(chunk(3, 4))
    journal.close()
    path = folder / "results.log"
    content = bytearray(path.read_bytes())
    second = len(content) - whole
    damaged = cut % second
    if flip:
        content[whole + damaged] ^= 0xFF
    else:
        content = content[: whole + damaged]
    path.write_bytes(content)
    again = opened(folder, IDENTITY, resume=True)
    assert [row for row, _, _ in results(again)] == [0, 1, 2]
    again.append(chunk(5))
    assert [row for row, _, _ in results(again)] == [0, 1, 2, 5]
    again.close()


def test_unfinished_run_needs_resume(tmp_path):
    opened(tmp_path / "j", IDENTITY, resume=False).close()
    with pytest.raises(InputError, match="--resume"):
        opened(tmp_path / "j", IDENTITY, resume=False)


def test_another_job_is_refused_and_another_day_is_not(tmp_path):
    opened(tmp_path / "j", IDENTITY, resume=False).close()
    with pytest.raises(InputError, match="another weights;"):
        opened(tmp_path / "j", IDENTITY | {"weights": "hsc"}, resume=True)
    later = opened(tmp_path / "j", IDENTITY | {"date": "2026-01-02"}, resume=True)
    assert later.identity()["date"] == "2026-01-01"
    later.close()


def test_the_record_follows_the_table_of_columns():
    assert record_dtype().descr == [("row", "<i8"), ("probability", "<f4"), ("flags", "<i2")]
    keys = [column.key for column in OUTPUT_COLUMNS]
    assert record_dtype(keys).names == ("row", *keys)


def test_every_column_is_read_back(tmp_path):
    keys = [column.key for column in OUTPUT_COLUMNS]
    records = np.array([(7, 0.5, 0.125, 4), (1 << 40, np.nan, np.nan, 1)], record_dtype(keys))
    journal = opened(tmp_path / "j", keys=keys, resume=False)
    journal.append(records)
    journal.close()
    again = opened(tmp_path / "j", keys=keys, resume=True)
    (read,) = again.results()
    assert read.dtype == record_dtype(keys) and read.tobytes() == records.tobytes()
    again.close()


@pytest.mark.parametrize("stored", [{}, {"version": VERSION + 1}, {"version": VERSION, "job": 3}])
def test_a_journal_of_another_version_is_refused_and_stays(tmp_path, stored):
    journal = opened(tmp_path / "j", resume=False)
    journal.append(chunk(0, 1))
    journal.close()
    started = tmp_path / "j" / "job.json"
    content = json.loads(started.read_text())
    old = IDENTITY if not stored else content | stored
    started.write_text(json.dumps(old))
    kept = {path.name: path.read_bytes() for path in (tmp_path / "j").iterdir()}
    with pytest.raises(InputError, match="j: was written by another version of this software"):
        opened(tmp_path / "j", resume=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "j").iterdir()} == kept


def test_a_journal_of_other_columns_is_refused(tmp_path):
    opened(tmp_path / "j", resume=False).close()
    with pytest.raises(InputError, match="another set of columns;"):
        opened(tmp_path / "j", keys=("probability", "spread", "flags"), resume=True)


def test_keys_are_named_in_words(tmp_path):
    opened(tmp_path / "j", resume=False).close()
    with pytest.raises(InputError, match="another telescope;"):
        other = IDENTITY | {"weights": "hsc"}
        opened(tmp_path / "j", other, resume=True, words={"weights": "telescope"})


def test_two_writers(tmp_path):
    first = opened(tmp_path / "j", IDENTITY, resume=False)
    with pytest.raises(InputError, match="another run"):
        opened(tmp_path / "j", IDENTITY, resume=True)
    first.close()
    opened(tmp_path / "j", IDENTITY, resume=True).close()


def test_damaged_identity(tmp_path):
    opened(tmp_path / "j", IDENTITY, resume=False).close()
    (tmp_path / "j" / "job.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        opened(tmp_path / "j", IDENTITY, resume=True)
