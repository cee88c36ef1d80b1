"""The bytes in the STREAM of a VOTable: base64, perhaps of what gzip has compressed."""

import base64
import binascii
import gzip
import zlib

from catalogs._votable_scan import ScannedTable

_GZIP = "gzip"


def decoded(content: bytes, table: ScannedTable) -> bytes:
    """Return the rows of a table in BINARY or BINARY2.

    Parameters
    ----------
    content : bytes
        The file.
    table : ScannedTable

    Returns
    -------
    bytes
        Empty if it has no STREAM.

    Raises
    ------
    ValueError
        If the STREAM is not what it says.
    """
    text = b"".join(content[slice(*table.stream)].split())
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"its STREAM is not base64 ({error})") from error
    if table.encoding != _GZIP or not raw:
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"its STREAM is not gzip ({error})") from error


def encoded_stream(rows: bytes, table: ScannedTable) -> bytes:
    """Return rows as the text of the table's STREAM.

    Parameters
    ----------
    rows : bytes
    table : ScannedTable

    Returns
    -------
    bytes
        The same for the same rows.
    """
    packed = gzip.compress(rows, mtime=0) if table.encoding == _GZIP else rows
    return base64.b64encode(packed)


def with_plain_stream(content: bytes, table: ScannedTable, rows: bytes) -> bytes:
    """Return a file whose STREAM is not compressed, for astropy reads no other within the file.

    Parameters
    ----------
    content : bytes
    table : ScannedTable
    rows : bytes
        As of `decoded`.

    Returns
    -------
    bytes
        The same content if it is not compressed.
    """
    if table.encoding != _GZIP:
        return content
    begin, stop = table.stream
    tag = content.rfind(b"<", 0, begin)
    plain_tag = content[tag:begin].replace(b"gzip", b"base64").replace(b"GZIP", b"base64")
    return content[:tag] + plain_tag + base64.b64encode(rows) + content[stop:]
