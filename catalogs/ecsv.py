"""ECSV tables: read positions, and write the file again with columns added.

The header is written anew from what it says; each row is the input's line with values at its end.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.table.meta import YamlParseError, get_header_from_yaml

from catalogs._astropy_yaml import described, provenance_of
from catalogs._whole import WholeCatalog
from catalogs.blocks import collected
from catalogs.columns import AddedColumn, already_there
from catalogs.details import ColumnDetail
from catalogs.errors import InputError, one_line
from catalogs.exact import ColumnKind, ExactValues, integers, logical, texts
from catalogs.packed import plain_file, written_packed
from catalogs.positions import ColumnInfo

_NUMBER = re.compile(r"u?int(8|16|32|64)|float(16|32|64|128)")
_VECTOR = re.compile(r"(?P<type>\w+)\[(?P<size>\d+|null)\]")
_LOGICAL = {"True": 1.0, "False": 0.0}
_NULL = '""'
_BLANKS = " \t\r\n"


class EcsvCatalog(WholeCatalog):
    """A catalog in astropy's Enhanced Character-Separated Values; see `catalogs.Catalog`."""

    format = "ecsv"

    def __init__(self, path: Path, *, table=None, ra=None, dec=None, position_unit=None):
        if table is not None:
            raise InputError(f"{path}: --table is for files with several tables, ECSV has one")
        super().__init__(path)
        try:
            text = plain_file(path, self).read_bytes().decode("utf-8-sig")
            self._lines = list(io.StringIO(text, newline="\n"))
            self._header = _read_header(self._lines)
            self._columns = self._header["datatype"]
            self.column_names = tuple(column["name"] for column in self._columns)
            names, *self._records = self._read_records()
        except (YamlParseError, ValueError, LookupError, TypeError, csv.Error) as error:
            reason = one_line(error) if str(error) else "its header is not YAML"
            raise InputError(f"{path}: not a readable ECSV file ({reason})") from error
        self._names = names
        self.row_count = len(self._records)
        infos = {column["name"]: _info(column) for column in self._columns}
        self._find_positions(infos, ra=ra, dec=dec, unit=position_unit)

    def _read_records(self) -> Iterator[tuple[list[str], list[int]]]:
        """Yield the fields of the line of names and of each row, and the lines they stand in."""
        used = [n for n, line in enumerate(self._lines) if not _is_comment(line)]
        stripped = (self._lines[n].strip(_BLANKS) + "\n" for n in used)
        reader = csv.reader(stripped, delimiter=self._delimiter, skipinitialspace=True, strict=True)
        first = 0
        for fields in reader:
            where = used[first : reader.line_num]
            first = reader.line_num
            if len(fields) != len(self._columns):
                raise ValueError(
                    f"line {where[0] + 1} has {len(fields)} values, "
                    f"but the header {len(self._columns)} columns"
                )
            yield fields, where
        if not first:
            raise ValueError("no line of names after the header")

    @property
    def _delimiter(self) -> str:
        return self._header.get("delimiter", " ")

    def _read_numbers(self, number: int) -> np.ndarray:
        """Return a column of numbers or logical values: float64, NaN where null."""
        column = self._columns[number]
        name, datatype = column["name"], column.get("datatype")
        if not (_is_number(column) or (datatype == "bool" and not column.get("subtype"))):
            raise InputError(f"{self.path}: {name} is not one real number a row")
        values = np.empty(self.row_count)
        for row, (fields, where) in enumerate(self._records):
            text = fields[number].strip()
            try:
                known = _LOGICAL[text] if text and datatype == "bool" else float(text or "nan")
            except (KeyError, ValueError):
                raise InputError(
                    f"{self.path}: {name} in line {where[0] + 1} is {text[:40]!r}, not a {datatype}"
                ) from None
            values[row] = known
        is_short = datatype in ("float16", "float32")
        with np.errstate(over="ignore"):
            return values.astype(datatype).astype(np.float64) if is_short else values

    def _kind(self, number: int) -> ColumnKind | None:
        """Return what a column holds; vectors are JSON in a text."""
        column = self._columns[number]
        vector = _VECTOR.fullmatch(str(column.get("subtype") or ""))
        if vector is not None:
            size = vector["size"]
            kind = _exact_kind(vector["type"])
            element_kind = kind and ColumnKind(kind, -1 if size == "null" else int(size))
            return element_kind or None
        kind = _exact_kind(str(column.get("datatype")))
        return ColumnKind(kind) if kind and not column.get("subtype") else None

    def _read_exact(self, number: int, element: int | None) -> ExactValues:
        """Return values of a column as they are, in all rows."""
        name = self.column_names[number]
        kind = self.column_kind(name).kind
        cells = [fields[number].strip() for fields, _ in self._records]
        try:
            if element is not None:
                return _of_vectors(
                    [json.loads(cell) if cell else [] for cell in cells], element, kind
                )
            if kind == "text":
                return texts(cells)
            if kind == "integer":
                return integers([int(cell) if cell else None for cell in cells])
        except (ValueError, TypeError, LookupError) as error:
            raise InputError(f"{self.path}: {name} has values of another type ({error})") from error
        numbers = self._read_numbers(number)
        return logical(numbers) if kind == "logical" else ExactValues(numbers)

    def describe_columns(self) -> list[ColumnDetail]:
        """List the columns with one value a row; see `catalogs.Catalog`."""
        kinds = {"i": "integer", "u": "integer", "f": "number", "b": "logical", "s": "text"}
        details = []
        for column in self._columns:
            kind = kinds.get(str(column.get("datatype"))[:1])
            if kind is not None and not column.get("subtype"):
                about = (str(column.get(key) or "") for key in ("unit", "description"))
                details.append(ColumnDetail(column["name"], kind, *about))
        return details

    def exact_values(self, detail: ColumnDetail, rows: np.ndarray) -> list:
        """Return integers or texts of ascending rows; see `catalogs.Catalog`."""
        number = self.column_names.index(detail.name)
        texts = [self._records[row][0][number] for row in rows.tolist()]
        if detail.kind == "text":
            return [text or None for text in texts]
        return [int(text) if text.strip() else None for text in texts]

    def provenance(self) -> dict[str, str]:
        """Return what the table says of our columns, by the keys of `write_annotated`."""
        return provenance_of(self._header)

    def write_annotated(
        self,
        output: Path,
        columns: Sequence[AddedColumn],
        values: Callable[[int, int], Sequence[np.ndarray]],
        provenance: Mapping[str, str],
        *,
        overwrite_columns: bool = False,
    ):
        """Write the file again with columns added; see `catalogs.Catalog`."""
        self.check_annotated(columns, overwrite_columns=overwrite_columns)
        dropped = set(already_there(columns, self.column_names))
        lines = described(self._header, dropped, columns, provenance)
        header = "".join(f"# {line}\n" for line in ["%ECSV 1.0", "---", *lines])
        remaining = [n for n, name in enumerate(self.column_names) if name not in dropped]
        first = self._names[1][0]
        added = collected(columns, values, 0, self.row_count)
        with written_packed(output) as partial, open(partial, "wb") as file:
            file.write(header.encode())
            place = first
            new = [column.name for column in columns]
            for (_, where), *cells in zip(
                [self._names, *self._records], *self._cells(new, added), strict=True
            ):
                file.write("".join(self._lines[place : where[0]]).encode())
                file.write(self._extended(where, remaining, cells).encode())
                place = where[-1] + 1
            file.write("".join(self._lines[place:]).encode())

    def write_rows(self, output: Path, keep: np.ndarray):
        """Write the file again with some of the rows; see `catalogs.Catalog`."""
        dropped = {
            line for (_, where), kept in zip(self._records, keep, strict=True) if not kept
            for line in where
        }  # fmt: skip
        with written_packed(output) as partial, open(partial, "wb") as file:
            for number, line in enumerate(self._lines):
                if number not in dropped:
                    file.write(line.encode())

    def _cells(self, names, added) -> list[list[str]]:
        """Return for each new column its name, and its values as text."""
        return [
            [name, *(_NULL if np.isnan(value) else str(value) for value in column)]
            for name, column in zip(names, added, strict=True)
        ]

    def _extended(self, where: list[int], remaining: list[int], cells: list[str]) -> str:
        """Return a row's text with values added at its end and columns left out."""
        text = "".join(self._lines[n] for n in where)
        body = text.rstrip(_BLANKS)
        if len(remaining) < len(self._columns):
            fields = _fields(body.lstrip(_BLANKS), self._delimiter)
            body = self._delimiter.join(fields[n] for n in remaining)
        ending = "\r\n" if text.endswith("\r\n") else "\n"
        return self._delimiter.join([*([body] if remaining else []), *cells]) + ending


def _is_comment(line: str) -> bool:
    text = line.strip(_BLANKS)
    return not text or text.startswith("#")


def _read_header(lines: list[str]) -> dict:
    """Return what the comments before the line of names say, checked as far as it is needed."""
    comments = []
    for line in lines:
        if line.strip(_BLANKS) and not _is_comment(line):
            break
        if line.strip(_BLANKS):
            comments.append(line.strip().removeprefix("#"))
    header = get_header_from_yaml(comments)
    if not isinstance(header, dict) or not isinstance(header.get("datatype"), list):
        raise ValueError("its header names no columns")
    for column in header["datatype"]:
        if not isinstance(column, dict) or not isinstance(column.get("name"), str):
            raise ValueError("its header has a column without a name")
    if header.get("delimiter", " ") not in (" ", ","):
        raise ValueError("its delimiter is neither a blank nor a comma")
    return header


def _fields(body: str, delimiter: str) -> list[str]:
    """Split a row into its values as they are written, quotes and all."""
    one = rf'(?:"(?:[^"]|"")*"|[^{delimiter}"\s][^{delimiter}]*|)'
    pattern = rf" *({one})" + (" *" if delimiter == " " else " *(?:,|$)")
    return [match[1] for match in re.finditer(pattern, body) if match[0]]


def _exact_kind(datatype: str) -> str | None:
    """Return what values of a type are; None: nothing that can be compared."""
    if _NUMBER.fullmatch(datatype):
        return "number" if datatype.startswith("float") else "integer"
    return {"bool": "logical", "string": "text"}.get(datatype)


def _of_vectors(vectors: list[list], element: int, kind: str) -> ExactValues:
    """Return one element of each vector, missing where there is none."""
    elements = [vector[element] if len(vector) > element else None for vector in vectors]
    if kind == "text":
        return texts(elements)
    if kind == "integer":
        return integers(elements)
    numbers = np.array(
        [np.nan if value is None else float(value) for value in elements], np.float64
    )
    return logical(numbers) if kind == "logical" else ExactValues(numbers)


def _is_number(column: dict) -> bool:
    return bool(_NUMBER.fullmatch(str(column.get("datatype")))) and not column.get("subtype")


def _info(column: dict) -> ColumnInfo:
    is_text = column.get("datatype") == "string" and not column.get("subtype")
    unit, meta = str(column.get("unit") or "").strip() or None, column.get("meta")
    ucd = str(meta.get("ucd") or "") if isinstance(meta, dict) else None
    return ColumnInfo(_is_number(column), is_text, unit, ucd)
