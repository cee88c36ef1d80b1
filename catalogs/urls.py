"""URLs of remote files: how they are told from paths, and how secrets in them are masked."""

import os
import re

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_USER = re.compile(r"([a-z][a-z0-9+.-]+://)[^/\s]*@", re.IGNORECASE)
_QUERY = re.compile(
    r"([a-z][a-z0-9+.-]+://[^\s?#'\"]*)[?#][^\s'\"]*?(?=[:;,.)\]]*(?:[\s'\"]|$))", re.IGNORECASE
)


def is_url(name: str | os.PathLike) -> bool:
    """Tell whether this names a remote file, such as ``https://host/file``, and not a path."""
    return isinstance(name, str) and _URL.match(name) is not None


def masked(text: str) -> str:
    """Replace what may be secret in the URLs of a text: user, password and all of a query."""
    return _QUERY.sub(r"\1?***", _USER.sub(r"\1***@", text))
