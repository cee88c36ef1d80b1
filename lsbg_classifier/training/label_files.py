"""Read files of labels as people have them: from the page, by hand, or out of a spreadsheet.

Columns: ``ra``, ``dec`` (ICRS degrees), ``label`` (``LSBG``, ``artifact`` or ``unsure``; also 1, 0
and empty), ``labeller``, ``time`` (ISO 8601), ``chosen``, why the candidate was shown
(``uncertain``, ``taught``, ``random`` or ``browsed``), ``report`` and ``weights``, what was shown,
and ``blind``, whether the probability was hidden (1 or 0). All but the first three may be missing.
Values are separated by commas, semicolons or tabs; where it is not by commas, decimal commas are
read too. A session that the page saved, JSON with the same names, is read as well.
"""

import csv
import datetime
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from catalogs.errors import InputError, one_line

LSBG, ARTIFACT, UNSURE = 1, 0, -1

_VERDICTS = {"lsbg": LSBG, "artifact": ARTIFACT, "unsure": UNSURE, "": UNSURE}

CHOSEN = ("random", "uncertain", "taught", "browsed")
"""Why a candidate was shown; where labellers differ, the first of these holds."""

_DELIMITERS = (",", ";", "\t")
_NEEDED = ("ra", "dec", "label")
_OPTIONAL = ("labeller", "time", "chosen", "report", "weights", "blind")
_HEADER = "ra,dec,label or ra,dec,label,labeller,time,chosen"
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True)
class Judgement:
    """What one labeller said of one candidate.

    Attributes
    ----------
    position : (float, float)
        ICRS degrees.
    verdict : int
        `LSBG`, `ARTIFACT` or `UNSURE`.
    labeller : str
        Empty where the file does not say.
    time : datetime, optional
    chosen : str
        One of `CHOSEN`.
    decimals : int
        Digits after the point that the position, or most of its file, was written with.
    """

    position: tuple[float, float]
    verdict: int
    labeller: str
    time: datetime.datetime | None
    chosen: str
    decimals: int
    report: str = ""
    weights: str = ""
    blind: bool | None = None


def read_label_file(path: Path) -> list[Judgement]:
    """Read the judgements of a file, in its order.

    Raises
    ------
    InputError
        If it is no such file, with the number of the line that is wrong and the cause.
    """
    try:
        text = _text(path)
        if text.lstrip().startswith("{"):
            return list(_of_session(path, text))
        return list(_judgements(path, text.splitlines(keepends=True)))
    except OSError as error:
        raise InputError(f"{path}: labels cannot be read ({error.strerror})") from error
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV file of labels ({one_line(error)})") from error


def _text(path: Path) -> str:
    """Return the text of a file: UTF-8, or else the Western alphabet of older spreadsheets."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if b"\x00" in content:
            raise InputError(
                f"{path}: not a CSV file of labels (not text in UTF-8); save it as CSV UTF-8"
            ) from error
        return content.decode("cp1252", "replace")


def _judgements(path: Path, lines: list[str]) -> Iterator[Judgement]:
    reader = csv.reader(lines, delimiter=_delimiter(lines))
    names = _names(path, next(reader, []))
    commas = reader.dialect.delimiter == ","
    for values in reader:
        if not any(value.strip() for value in values):
            continue
        try:
            yield _judgement(_row(names, values, commas))
        except ValueError as error:
            raise InputError(f"{path}: line {reader.line_num}: {error}") from None


def _delimiter(lines: list[str]) -> str:
    """Return what separates the names in the first line: that by which most columns are known."""
    known = (*_NEEDED, *_OPTIONAL)
    names = {
        delimiter: [name.strip().strip('"').lower() for name in (lines or [""])[0].split(delimiter)]
        for delimiter in _DELIMITERS
    }
    return max(_DELIMITERS, key=lambda one: sum(name in known for name in names[one]))


def _names(path: Path, header: list[str]) -> list[str]:
    names = [name.strip().lower() for name in header]
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise InputError(
            f"{path}: line 1: no column {' and '.join(missing)}; the header must be {_HEADER}"
        )
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        raise InputError(f"{path}: line 1: the column {twice[0]} occurs twice; remove one")
    return names


def _row(names: list[str], values: list[str], commas: bool) -> dict[str, str]:
    """Return the values by their names, or raise ValueError."""
    if any(value.strip() for value in values[len(names) :]):
        advice = "; decimal commas need semicolons between the values" if commas else ""
        raise ValueError(f"more values than columns{advice}")
    values = [*values, *[""] * len(names)]
    return {name: value.strip() for name, value in zip(names, values, strict=False)}


def _judgement(text: dict[str, str]) -> Judgement:
    """Read one row, or raise ValueError that says what is wrong."""
    chosen = text.get("chosen", "").lower() or "browsed"
    if chosen not in CHOSEN:
        raise ValueError(f"chosen must be one of {', '.join(CHOSEN)}, not {chosen[:40]!r}")
    ra, dec = (_with_point(text[name]) for name in ("ra", "dec"))
    return Judgement(
        (_degrees("ra", ra, -360, 360) % 360, _degrees("dec", dec, -90, 90)),
        _verdict(text["label"]),
        _name(text.get("labeller", "")),
        _time(text.get("time", "")),
        chosen,
        max(_decimals(ra), _decimals(dec)),
        report=_name(text.get("report", "")),
        weights=_name(text.get("weights", "")),
        blind=_blind(text.get("blind", "")),
    )


def _name(text: str) -> str:
    return "".join(filter(str.isprintable, text))[:60]


def _blind(text: str) -> bool | None:
    words = {"": None, "1": True, "1.0": True, "true": True, "0": False, "0.0": False}
    words["false"] = False
    if text.lower() not in words:
        raise ValueError(f"blind must be 1 or 0, not {text[:40]!r}")
    return words[text.lower()]


def _of_session(path: Path, text: str) -> Iterator[Judgement]:
    """Read the labels of a session that the page saved."""
    try:
        rows = json.loads(text)["labels"]
        texts = [{str(name): _cell(value) for name, value in row.items()} for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: no labelling session ({one_line(error)})") from error
    for number, row in enumerate(texts, 1):
        try:
            yield _judgement({name: row.get(name, "") for name in (*_NEEDED, *_OPTIONAL)})
        except ValueError as error:
            raise InputError(f"{path}: label {number}: {error}") from None


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int | float):
        return f"{value:.7f}"
    return "" if value is None else str(value).strip()


def _verdict(text: str) -> int:
    """Return the verdict of a word, or of 1 and 0 as any program writes them."""
    if text.lower() in _VERDICTS:
        return _VERDICTS[text.lower()]
    try:
        number = float(_with_point(text))
    except ValueError:
        number = None
    if number not in (LSBG, ARTIFACT):
        raise ValueError(f"label must be LSBG, artifact or unsure, not {text[:40]!r}")
    return int(number)


def _with_point(text: str) -> str:
    """Write a number with a decimal comma with a point."""
    return text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text


def _decimals(text: str) -> int:
    """Count the digits after the point; many where a number is written with an exponent."""
    if "e" in text.lower():
        return 9
    return len(text.partition(".")[2])


def _degrees(name: str, text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        advice = "; give decimal degrees" if ":" in text else ""
        raise ValueError(f"{name} is not a number, but {text[:40]!r}{advice}") from None
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high} degrees, not {text[:40]}")
    return value


def _time(text: str) -> datetime.datetime | None:
    if not text:
        return None
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"time must be in ISO 8601, not {text[:40]!r}") from None
    return time if time.tzinfo else time.replace(tzinfo=datetime.UTC)
