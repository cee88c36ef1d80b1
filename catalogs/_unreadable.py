"""Why a file is of no known format, as far as its beginning shows it."""

from itertools import islice

_DELIMITERS = {b",": "commas", b"\t": "tabs", b";": "semicolons", b"|": "bars"}


def why_no_table(beginning: bytes) -> str:
    """Return why a file is no table, as the end of a sentence; empty: nothing is known.

    Parameters
    ----------
    beginning : bytes
        The first bytes of the file.
    """
    if not beginning:
        return "it is empty"
    if b"\0" in beginning:
        return _with_nul(beginning)
    lines = (line for line in beginning.splitlines() if line.strip() and line[:1] != b"#")
    first_lines = list(islice(lines, 2))
    for delimiter, title in _DELIMITERS.items():
        counts = [line.count(delimiter) + 1 for line in first_lines]
        if len(counts) == 2 and counts[1] > 1 and counts[0] != counts[1]:
            between = f"{_values(counts[0])} between {title} in its first line but {counts[1]} in"
            return f"it has {between} the next; {_remedy(first_lines, delimiter, counts)}"
    return ""


def _with_nul(beginning: bytes) -> str:
    """Return what is wrong with a file that has NUL bytes: it may be text in UTF-16."""
    start = beginning[:2000]
    encoding = "UTF-16LE" if start[1::2].count(0) > start[::2].count(0) else "UTF-16BE"
    letters = start.decode(encoding, "replace")
    latin = sum(letter < "\u0100" for letter in letters)
    if latin > len(letters) * 2 / 3 and all(map(_is_of_text, letters)):
        return f"it is text in {encoding}; convert it: iconv -f {encoding} -t UTF-8 FILE > NEW"
    line = beginning[: beginning.index(b"\0")].count(b"\n") + 1
    return f"it has a NUL byte in line {line}, so it is no text; fetch it again"


def _is_of_text(letter: str) -> bool:
    return letter.isprintable() or letter.isspace()


def _values(count: int) -> str:
    return f"{count} value{'' if count == 1 else 's'}"


def _remedy(lines: list[bytes], delimiter: bytes, counts: list[int]) -> str:
    """Say what to do about two lines with different numbers of values."""
    ends = [line.rstrip(b" \r\n").endswith(delimiter) for line in lines]
    if ends[0] != ends[1] and abs(counts[0] - counts[1]) == 1:
        number = "second" if ends[1] else "first"
        return f"the {number} ends in a delimiter: remove it, or add one to the others"
    if counts[0] == 1:
        return "remove what stands above the line of names, or mark it with #"
    return "make them alike"
