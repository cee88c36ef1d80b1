"""Edit the header of a FITS table card by card, so that untouched cards keep their 80 bytes."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from astropy.io import fits

from catalogs.columns import AddedColumn

BLOCK = 2880
"""FITS files consist of blocks of this many bytes."""

_CARD = 80
_OF_COLUMNS = (
    "TTYPE TFORM TUNIT TNULL TSCAL TZERO TDISP TDIM TBCOL TCOMM TDESC TUCD TUTYP TXTYP "
    "TDMIN TDMAX TDBIN TLMIN TLMAX TRPOS TCTYP TCUNI TCRVL TCDLT TCRPX TCROT TCNAM TCRD TCSY"
)
"""Keywords that a column's number follows: the FITS standard's and the conventions'."""

_INDEXED = re.compile(rf"({_OF_COLUMNS.replace(' ', '|')})([1-9]\d*)")
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
_FORMATS = {"f4": "E", "i2": "I"}
ASCII_FORMATS = {"f4": ("E15.8", 15), "i2": ("I6", 6)}
"""TFORM and bytes of each type of column that is added to an ASCII table."""

_BYTES = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8}
_BYTES |= {"C": 8, "M": 16, "P": 8, "Q": 16}
PROVENANCE = {
    "weights": ("LSBGWGT", "weights of the LSBG classifier"),
    "weights_sha256": ("LSBGSHA", "sha256 of the weights"),
    "source": ("LSBGSRC", "source of the cutouts"),
    "software": ("LSBGSOFT", "software that added the columns"),
    "engine": ("LSBGENG", "what ran the network"),
    "threshold": ("LSBGTHR", "probability called LSBG"),
    "prior": ("LSBGPRI", "fraction of LSBGs that probabilities are for"),
    "date": ("LSBGDATE", "date of the classification"),
    "select": ("LSBGSEL", "selection of the rows"),
    "mismatch": ("LSBGMIS", "how the images differ from those of the weights"),
}
"""Header keyword and comment of each item of provenance."""

NUMBERS = ("threshold", "prior")
"""Items of provenance that FITS holds as numbers."""


def column_bytes(form: str) -> int:
    """Return the bytes a row of a column takes, from its TFORM (FITS standard 4.0, table 18)."""
    match = re.match(r"\s*(\d*)([LXBIJKAEDCMPQ])", form)
    if match is None:
        raise ValueError(f"TFORM {form!r} is not one of the FITS standard")
    repeat = int(match[1]) if match[1] else 1
    return (repeat + 7) // 8 if match[2] == "X" else repeat * _BYTES[match[2]]


class Cards:
    """The cards of a header as they stand in the file.

    Parameters
    ----------
    raw : bytes
        The header's blocks.
    is_table : bool
        Whether it must be that of a table.

    Raises
    ------
    ValueError
        If it has no end, or says not once how many columns the table has.
    """

    def __init__(self, raw: bytes, *, is_table: bool = True):
        cards = [raw[start : start + _CARD] for start in range(0, len(raw), _CARD)]
        if b"END".ljust(_CARD) not in cards:
            raise ValueError("its header has no end")
        self._cards = cards[: cards.index(b"END".ljust(_CARD))]
        self._fields = 0
        if not is_table:
            return
        fields = [card for card in self._cards if _keyword(card) == "TFIELDS"]
        if len(fields) != 1:
            raise ValueError(f"{len(fields)} cards TFIELDS")
        self._fields = fits.Card.fromstring(fields[0]).value

    def to_bytes(self) -> bytes:
        """Return whole blocks, with END."""
        text = b"".join(self._cards) + b"END".ljust(_CARD)
        return text.ljust(-(-len(text) // BLOCK) * BLOCK)

    def has(self, keyword: str) -> bool:
        """Tell whether the header has a keyword."""
        return any(_keyword(card) == keyword for card in self._cards)

    def set(self, keyword: str, value):
        """Change a value in place, keeping the comment; nothing if the keyword does not exist.

        Parameters
        ----------
        keyword : str
        value : bool, int, float or str
            Anything that `astropy.io.fits.Card` can write.
        """
        for i, card in enumerate(self._cards):
            if _keyword(card) == keyword:
                comment = fits.Card.fromstring(card).comment
                if set(comment) - set(_PRINTABLE):
                    comment = ""
                self._cards[i] = fits.Card(keyword, value, comment).image.encode("ascii")
                return

    def drop_column(self, number: int):
        """Remove a column's cards and renumber those of the columns behind it."""
        cards, dropping = [], False
        for card in self._cards:
            index = self._column_number(card)
            if not (card.startswith(b"CONTINUE") and dropping):
                dropping = index == number
            if dropping:
                continue
            if index is None or index <= number:
                cards.append(card)
            else:
                cards.append(_renumbered(card, index - 1))
        self._cards = cards

    def add_columns(
        self, columns: Sequence[AddedColumn], first: int, *, ascii_start: int | None = None
    ):
        """Describe new columns after the last one.

        Parameters
        ----------
        columns : sequence of AddedColumn
        first : int
            Number of the first of them.
        ascii_start : int, optional
            Byte of the row that they begin at, in an ASCII table.
        """
        new = []
        for number, column in enumerate(columns, first):
            new += _images(f"TTYPE{number}", column.name)
            if ascii_start is None:
                new += _images(f"TFORM{number}", _FORMATS[column.dtype])
            else:
                form, width = ASCII_FORMATS[column.dtype]
                new += _images(f"TBCOL{number}", ascii_start + 2)
                new += _images(f"TFORM{number}", form)
                if column.dtype.startswith("f"):
                    new += _images(f"TNULL{number}", " " * 8)  # else a blank field means 0
                ascii_start += width + 1
            new += _images(f"TUNIT{number}", column.unit) if column.unit else []
            new += _images(f"TCOMM{number}", column.description)
            new += _images(f"TUCD{number}", column.ucd)
        at = self._after_last_column()
        self._cards[at:at] = new

    def _after_last_column(self) -> int:
        indexed = [i for i, card in enumerate(self._cards) if self._column_number(card)]
        indexed += [i for i, card in enumerate(self._cards) if _keyword(card) == "TFIELDS"]
        at = max(indexed) + 1
        while at < len(self._cards) and self._cards[at].startswith(b"CONTINUE"):
            at += 1
        return at

    def _column_number(self, card: bytes) -> int | None:
        """Return the number of the column that a card describes (TTYPE3: 3)."""
        match = _INDEXED.fullmatch(_keyword(card))
        return int(match[2]) if match and int(match[2]) <= self._fields else None

    def set_provenance(self, provenance: Mapping[str, str]):
        """Write where the new columns come from, in place of what an earlier run wrote.

        Characters that a FITS header cannot hold are percent-encoded.
        """
        ours = {keyword for keyword, _ in PROVENANCE.values()}
        cards, dropping = [], False
        for card in self._cards:
            if not (card.startswith(b"CONTINUE") and dropping):
                dropping = _keyword(card) in ours
            if not dropping:
                cards.append(card)
        for name, value in provenance.items():
            keyword, comment = PROVENANCE[name]
            encoded = quote(value, _PRINTABLE, errors="surrogateescape")
            cards += _images(keyword, float(value) if name in NUMBERS else encoded, comment)
        self._cards = cards


def _keyword(card: bytes) -> str:
    return card[:8].rstrip().decode("ascii", "replace")


def _renumbered(card: bytes, number: int) -> bytes:
    stem = _keyword(card).rstrip("0123456789")
    return f"{stem}{number}".ljust(8).encode("ascii") + card[8:]


def _images(keyword: str, value, comment: str = "") -> list[bytes]:
    """Format a card, or several where a long text needs CONTINUE."""
    if 10 + max(20, len(str(value)) + 2) + 3 + len(comment) > _CARD:
        comment = ""
    image = fits.Card(keyword, value, comment or None).image.encode("ascii")
    return [image[start : start + _CARD] for start in range(0, len(image), _CARD)]
