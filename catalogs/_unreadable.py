"""Why a file is of no known format, as far as its beginning shows it."""

from itertools import islice

_DELIMITERS = {b",": "commas", b"\t": "tabs", b";": "semicolons", b"|": "bars"}


def why_no_table(beginning: bytes) -> str:
    """Return the beginning of a sentence that says why a file is no table; empty: nothing is known.

    Parameters
    ----------
    beginning : bytes
        The first bytes of the file.
    """
    if not beginning:
        return "empty, and so "
    if b"\0" in beginning:
        line = beginning[: beginning.index(b"\0")].count(b"\n") + 1
        return f"with a NUL byte in line {line}, so no text, and "
    lines = (line for line in beginning.splitlines() if line.strip() and line[:1] != b"#")
    first_lines = list(islice(lines, 2))
    for delimiter, title in _DELIMITERS.items():
        counts = [line.count(delimiter) + 1 for line in first_lines]
        if len(counts) == 2 and counts[1] > 1 and counts[0] != counts[1]:
            return (
                f"with {counts[0]} values between {title} in its first line but {counts[1]} in the "
                "next, and so "
            )
    return ""
