"""The page's data: scripts that hand JSON to it, for a page on disk can read nothing else.

Whatever a catalog holds, these files are plain ASCII and hold nothing that ends a script.
"""

import base64
import json
import unicodedata
from pathlib import Path

import numpy as np

_KINDS = {"f4": "Float32", "f8": "Float64"}
_KINDS |= {"i4": "Int32", "i2": "Int16", "i1": "Int8", "u1": "Uint8"}
"""Names of JavaScript's typed arrays."""


def packed(values: np.ndarray) -> list[str]:
    """Return an array as the kind of JavaScript's typed array and its bytes in base 64."""
    little = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
    return [_KINDS[values.dtype.str[1:]], base64.b64encode(little.tobytes()).decode("ascii")]


def write_data(path: Path, name: str, value: object):
    """Write a file that hands `value`, as JSON, to the page under `name`.

    Parameters
    ----------
    path : Path
        A script in ASCII; an earlier one is replaced.
    name : str
        The name by which the page's scripts ask for the value.
    value : object
        Anything that JSON can hold.

    Raises
    ------
    ValueError
        If a number is NaN or infinite, which JSON cannot hold.
    """
    text = json.dumps([name, value], ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c")
    path.write_text(f"LSBG.receive(...{text});\n", encoding="ascii")


def visible(text: object) -> str:
    """Return a text whose control characters can be seen, and which any file can hold."""
    text = str(text).encode("utf-8", "backslashreplace").decode()
    return "".join(_picture(character) for character in text)


def _picture(character: str) -> str:
    if character < " ":
        return chr(0x2400 + ord(character))
    if character == "\x7f":
        return "\u2421"
    if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp"):
        return f"\\u{ord(character):04x}"
    return character
