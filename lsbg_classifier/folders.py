"""Where the user's files of this software lie (XDG Base Directory Specification 0.8)."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder of what can be made or fetched again."""
    return _folder("XDG_CACHE_HOME", "~/.cache")


def data_folder() -> Path:
    """Return the folder of what must be kept."""
    return _folder("XDG_DATA_HOME", "~/.local/share")


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or os.path.expanduser(default)) / "lsbg_classifier"
