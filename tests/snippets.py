"""The blocks of code in a page of the documentation."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    *sorted(
        str(path.relative_to(ROOT))
        for path in (ROOT / "docs").rglob("*.md")
        if not {"generated", "_build", "jupyter_execute"} & set(path.parts)
    ),
]
"""README and all pages of the documentation that people write."""

_BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FILE_NAME = re.compile(r"# ([\w./-]+\.\w+)")


@dataclass(frozen=True)
class Block:
    """One block: its language, its text, and the file that its first line names, if it does."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        named = _FILE_NAME.fullmatch(self.text.partition("\n")[0].strip())
        return named[1] if named else None

    def commands(self) -> list[str]:
        """The command lines of the block; lines that end with a backslash go on."""
        lines = re.sub(r"\\\n\s*", " ", self.text).splitlines()
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def blocks_of(page: str) -> list[Block]:
    """All blocks of a page, in their order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [Block(*found) for found in _BLOCK.findall(text)]


def words(command: str) -> list[str]:
    """A command line's words, without what only explains it."""
    return shlex.split(re.split(r"\s{3,}", command)[0], comments=True)
