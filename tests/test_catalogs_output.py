"""Small files are whole or not there, and what killed writers have left goes."""

import os

import pytest

from catalogs import output
from catalogs.output import write_whole


@pytest.mark.parametrize(
    ("content", "expected"), [(b"\x00bytes", b"\x00bytes"), ("é\n", b"\xc3\xa9\n")]
)
def test_bytes_and_text(tmp_path, content, expected):
    (tmp_path / "file").write_bytes(b"before")
    write_whole(tmp_path / "file", content)
    assert (tmp_path / "file").read_bytes() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    (tmp_path / "file").write_bytes(b"before")
    monkeypatch.setattr(output, "_sync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_whole(tmp_path / "file", b"after")
    assert caught.value.filename == str(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_killed_writers_left_goes_only_where_nobody_else_writes(tmp_path):
    names = {".file.123.partial", ".other.123.partial", f".file.{os.getpid() + 1}.partial"}
    for name in names:
        (tmp_path / name).touch()
    write_whole(tmp_path / "file", b"")
    assert {path.name for path in tmp_path.iterdir()} == names | {"file"}
    write_whole(tmp_path / "file", b"", alone=True)
    assert {path.name for path in tmp_path.iterdir()} == {".other.123.partial", "file"}
