"""The journal keeps what was done, whatever happens to its last record, and refuses strangers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogs.errors import InputError
from pipeline.journal import Journal

IDENTITY = {"input": "abc", "weights": "des", "date": "2026-01-01"}


def results(journal):
    found = [
        (int(r["row"]), float(r["probability"]), int(r["flags"]))
        for record in journal.results()
        for r in record
    ]
    return found


def chunk(*rows):
    rows = np.array(rows)
    return rows, (rows / 100).astype(np.float32), (rows % 3).astype(np.int16)


def test_what_was_appended_is_read_back(tmp_path):
    journal = Journal(tmp_path / "j", IDENTITY, resume=False)
    journal.append(*chunk(3, 1, 2))
    journal.append(np.array([9]), np.array([np.nan], np.float32), np.array([2], np.int16))
    assert [row for row, _, _ in results(journal)] == [3, 1, 2, 9]
    assert np.isnan(results(journal)[-1][1])
    journal.close()
    again = Journal(tmp_path / "j", IDENTITY, resume=True)
    assert len(results(again)) == 4
    again.remove()
    assert not (tmp_path / "j").exists()


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(min_value=0, max_value=120), flip=st.booleans())
def test_a_damaged_end_costs_only_that_record(tmp_path_factory, cut, flip):
    folder = tmp_path_factory.mktemp("journal") / "j"
    journal = Journal(folder, IDENTITY, resume=False)
    journal.append(*chunk(0, 1, 2))
    whole = (folder / "results.log").stat().st_size
    journal.append(*chunk(3, 4))
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
    again = Journal(folder, IDENTITY, resume=True)
    assert [row for row, _, _ in results(again)] == [0, 1, 2]
    again.append(*chunk(5))
    assert [row for row, _, _ in results(again)] == [0, 1, 2, 5]
    again.close()


def test_unfinished_run_needs_resume(tmp_path):
    Journal(tmp_path / "j", IDENTITY, resume=False).close()
    with pytest.raises(InputError, match="--resume"):
        Journal(tmp_path / "j", IDENTITY, resume=False)


def test_another_job_is_refused_and_another_day_is_not(tmp_path):
    Journal(tmp_path / "j", IDENTITY, resume=False).close()
    with pytest.raises(InputError, match="another weights"):
        Journal(tmp_path / "j", IDENTITY | {"weights": "hsc"}, resume=True)
    later = Journal(tmp_path / "j", IDENTITY | {"date": "2026-01-02"}, resume=True)
    assert later.identity()["date"] == "2026-01-01"
    later.close()


def test_two_writers(tmp_path):
    first = Journal(tmp_path / "j", IDENTITY, resume=False)
    with pytest.raises(InputError, match="another run"):
        Journal(tmp_path / "j", IDENTITY, resume=True)
    first.close()
    Journal(tmp_path / "j", IDENTITY, resume=True).close()


def test_damaged_identity(tmp_path):
    Journal(tmp_path / "j", IDENTITY, resume=False).close()
    (tmp_path / "j" / "job.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        Journal(tmp_path / "j", IDENTITY, resume=True)
