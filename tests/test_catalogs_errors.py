"""An error of a library becomes one line, and an InputError gives no secret away."""

import pytest

from catalogs.errors import InputError, one_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("two\n  lines\tand a tab "), "two lines and a tab"),
        (ValueError(), "ValueError"),
        (ValueError("x" * 300), "x" * 200),
        ("a text\nof a program", "a text of a program"),
        ("", ""),
    ],
)
def test_one_line(error, line):
    assert one_line(error) == line


def test_it_can_be_cut_shorter():
    assert one_line(ValueError("x" * 300), 50) == "x" * 50


def test_secrets_are_masked():
    told = str(InputError("https://me:hunter2@host/file?key=secret: no such file"))
    assert "hunter2" not in told and "secret" not in told
