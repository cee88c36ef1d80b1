"""The description of our columns for tables without a place for notes: a file beside them.

Its name and form are those of "CSV on the Web" (https://www.w3.org/TR/tabular-metadata/):
``OUTPUT-metadata.json``.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from catalogs.errors import InputError
from catalogs.output import written_whole
from catalogs.text.catalog import TextCatalog

_OURS = "lsbg."


class Described(TextCatalog):
    """Part of the catalogs whose output has such a file beside it."""

    def write_annotated(
        self, output, columns, values, provenance, *, overwrite_columns: bool = False
    ):
        """Write the file again with columns added; see `catalogs.Catalog`."""
        self.check_annotated(columns, overwrite_columns=overwrite_columns)
        about = _free_path(output)
        added = {column.name for column in columns}
        names = [name for name in self.column_names if name not in added]
        with written_whole(about) as partial:
            metadata = _metadata(output, names, columns, provenance)
            partial.write_text(json.dumps(metadata, indent=1) + "\n")
            super().write_annotated(
                output, columns, values, provenance, overwrite_columns=overwrite_columns
            )

    def write_rows(self, output: Path, keep: np.ndarray):
        """Write the file again with some of the rows; see `catalogs.Catalog`.

        If it is described, so is the new one.
        """
        if not self.provenance():
            super().write_rows(output, keep)
            return
        metadata = json.loads(metadata_path(self.path).read_bytes())
        metadata["url"] = Path(output).name
        with written_whole(_free_path(output)) as partial:
            partial.write_text(json.dumps(metadata, indent=1) + "\n")
            super().write_rows(output, keep)

    def provenance(self) -> dict[str, str]:
        """Return what the file beside this one says, by the keys of `write_annotated`."""
        return _ours(metadata_path(self.path))


def metadata_path(table: Path | str) -> Path:
    """Return the file that describes a table of CSV, by the rule of "CSV on the Web"."""
    table = Path(table)
    return table.with_name(f"{table.name}-metadata.json")


def _free_path(output: Path) -> Path:
    """Return the file that will describe an output; refuse to replace one that is not ours."""
    about = metadata_path(output)
    if about.exists() and not _ours(about):
        raise InputError(f"{about}: exists and was not written by lsbg; move it away")
    return about


def _ours(about: Path) -> dict[str, str]:
    """Return the provenance that a description says; none if it is not one that we wrote."""
    try:
        metadata = json.loads(about.read_bytes())
        notes = {key: value for note in metadata["notes"] for key, value in note.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    return {
        key.removeprefix(_OURS): str(value) for key, value in notes.items() if key.startswith(_OURS)
    }


def _metadata(output: Path, names, columns, provenance: Mapping[str, str]) -> dict:
    """Return the description of an annotated table."""
    added = [
        {"titles": column.name, "dc:description": column.description, "lsbg.ucd": column.ucd}
        for column in columns
    ]
    return {
        "@context": "http://www.w3.org/ns/csvw",
        "url": Path(output).name,
        "tableSchema": {"columns": [*({"titles": name} for name in names), *added]},
        "notes": [{f"{_OURS}{key}": value} for key, value in provenance.items()],
    }
