"""Pieces of a VOTable as text, and putting them into one."""

from collections.abc import Iterable, Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from catalogs.columns import AddedColumn

DATATYPES = {"f4": "float", "i2": "short"}
"""VOTable's type of each column that is added."""

Edit = tuple[int, int, bytes]
"""What replaces the bytes [start, stop)."""


def field_text(name: str, datatype: str, *, prefix: str = "", **notes: str) -> str:
    """Return a FIELD.

    Parameters
    ----------
    name, datatype : str
    prefix : str
        Stands before names of elements, such as ``vot:``.
    notes
        ``arraysize``, ``unit``, ``ucd``, ``utype``, ``xtype`` and ``description``; empty: none.

    Returns
    -------
    str
        One XML element.
    """
    return _element("FIELD", {"name": name, "datatype": datatype}, prefix, notes)


def param_text(
    name: str,
    value: str,
    *,
    prefix: str = "",
    datatype: str = "unicodeChar",
    description: str = "",
) -> str:
    """Return a PARAM.

    Parameters
    ----------
    name, value : str
    prefix : str
        Stands before names of elements, such as ``vot:``.
    datatype : str
        ``unicodeChar`` of any length, or a type of numbers.
    description : str
        Empty: none.

    Returns
    -------
    str
        One XML element.
    """
    size = {"arraysize": "*"} if datatype == "unicodeChar" else {}
    attributes = {"name": name, "datatype": datatype, **size, "value": value}
    return _element("PARAM", attributes, prefix, {"description": description})


def _element(kind: str, attributes: dict[str, str], prefix: str, notes: dict[str, str]) -> str:
    """Return a FIELD or PARAM, with its description inside if it has one."""
    description = notes.pop("description", "")
    all_attributes = attributes | {key: value for key, value in notes.items() if value}
    start = f"<{prefix}{kind} {_attributes(all_attributes)}"
    if not description:
        return f"{start}/>"
    inner = f"<{prefix}DESCRIPTION>{escape(_printable(description))}</{prefix}DESCRIPTION>"
    return f"{start}>{inner}</{prefix}{kind}>"


def added_fields(columns: Sequence[AddedColumn], prefix: str = "") -> list[str]:
    """Return a FIELD for each column that is added.

    Parameters
    ----------
    columns : sequence of AddedColumn
    prefix : str
        Stands before names of elements, such as ``vot:``.

    Returns
    -------
    list of str
        XML elements, in the order of the columns.
    """
    return [
        field_text(
            column.name,
            DATATYPES[column.dtype],
            prefix=prefix,
            unit=column.unit,
            ucd=column.ucd,
            description=column.description,
        )
        for column in columns
    ]


def encoded(text: str) -> bytes:
    """Return text for a document in any encoding that agrees with ASCII."""
    return text.encode("ascii", "xmlcharrefreplace")


def indent_before(content: bytes, start: int) -> str:
    """Return the line break and blanks that stand before a tag, if it begins a line.

    Parameters
    ----------
    content : bytes
        The file.
    start : int
        Byte at which the tag begins.

    Returns
    -------
    str
        Empty if something else stands before the tag in its line.
    """
    before = content[max(start - 200, 0) : start].decode("latin-1")
    blanks = before[len(before.rstrip()) :]
    return blanks[blanks.rfind("\n") :] if "\n" in blanks else ""


def cut(content: bytes, start: int, stop: int) -> Edit:
    """Take an element out, with the line break before it.

    Parameters
    ----------
    content : bytes
        The file.
    start, stop : int
        Bytes of the element.

    Returns
    -------
    Edit
        For `edited`.
    """
    return start - len(indent_before(content, start)), stop, b""


def edited(content: bytes, edits: Iterable[Edit]) -> Iterator[bytes]:
    """Yield the pieces of a file in which some spans are replaced.

    Parameters
    ----------
    content : bytes
        The file.
    edits : iterable of Edit
        (start, stop, new bytes), in any order; the spans must not overlap.

    Yields
    ------
    bytes
    """
    place = 0
    for start, stop, new in sorted(edits):
        yield content[place:start]
        yield new
        place = stop
    yield content[place:]


def _attributes(attributes: dict[str, str]) -> str:
    return " ".join(f"{key}={quoteattr(_printable(value))}" for key, value in attributes.items())


def _printable(text: str) -> str:
    """Return text without the characters that XML has no place for."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
