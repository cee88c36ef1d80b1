"""The file of features beside an annotated catalog: how the network sees each candidate.

``ANNOTATED.features.parquet`` has the columns ``row`` (of the catalog, from 0), ``features`` (16
values of one byte, see `lsbg_classifier.features`) and ``oddness`` (how unlike the cutout is to
those that the weights were trained on; above 0: flagged UNLIKE_TRAINING).
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalogs.errors import InputError, one_line
from catalogs.output import remove_partials, written_whole
from lsbg_classifier.features import DIMENSIONS, STEP

_KEY = b"lsbg_features"
_VERSION = 1

_SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("features", pa.list_(pa.int8(), DIMENSIONS), nullable=False),
        pa.field("oddness", pa.float32(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Features:
    """How the network sees some candidates.

    Attributes
    ----------
    rows : array of int64, shape (N,)
        Of the catalog.
    features : array of int8, shape (N, 16)
        In units of 1/16 of the spread of the catalog's candidates.
    oddness : array of float32, shape (N,)
        NaN where the weights came without this check.
    """

    rows: np.ndarray
    features: np.ndarray
    oddness: np.ndarray

    def at(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Look up rows of the catalog.

        Parameters
        ----------
        rows : array of int64, shape (K,)
            Each once.

        Returns
        -------
        features : array of int8, shape (K, 16)
            Zero where there are none.
        oddness : array of float32, shape (K,)
            NaN where there is none.
        have : array of bool, shape (K,)
        """
        _, mine, places = np.intersect1d(self.rows, rows, assume_unique=True, return_indices=True)
        features = np.zeros((len(rows), DIMENSIONS), np.int8)
        oddness = np.full(len(rows), np.nan, np.float32)
        have = np.zeros(len(rows), np.bool_)
        features[places], oddness[places], have[places] = (
            self.features[mine],
            self.oddness[mine],
            True,
        )
        return features, oddness, have


def features_path(annotated: Path | str) -> Path:
    """Return where the features of an annotated catalog are."""
    annotated = Path(annotated)
    return annotated.with_name(f"{annotated.name}.features.parquet")


class FeatureFile:
    """A file of features, read part by part.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    path : Path
    count : int
        Candidates in it.
    made_of : dict
        What the features were made of: weights, and the rows, positions and probabilities of the
        catalog.

    Raises
    ------
    InputError
        If it is no such file.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            metadata = pq.read_metadata(path)
            schema, self.count = metadata.schema.to_arrow_schema(), int(metadata.num_rows)
            content = json.loads((schema.metadata or {})[_KEY])
            self.made_of = dict(content["made_of"])
            if content["version"] != _VERSION or not schema.equals(_SCHEMA):
                raise ValueError("of another version")
        except (OSError, KeyError, ValueError, TypeError, pa.ArrowException) as error:
            raise _damaged(path, error) from error

    def check(self, made_of: Mapping[str, object]):
        """Refuse features of other weights or of another run than those that are named."""
        different = sorted(
            name
            for name in {*made_of, *self.made_of}
            if made_of.get(name) != self.made_of.get(name)
        )
        if different:
            raise InputError(
                f"{self.path}: made of another run ({', '.join(different)} differ); add "
                "--overwrite to make it again"
            )

    def blocks(self) -> Iterator[Features]:
        """Give the features, some thousand candidates at a time."""
        try:
            with pq.ParquetFile(self.path) as file:
                for group in range(file.num_row_groups):
                    yield _block(file.read_row_group(group))
        except (OSError, ValueError, pa.ArrowException) as error:
            raise _damaged(self.path, error) from error

    def read(self) -> Features:
        """Return all features at once: 28 bytes a candidate."""
        blocks = list(self.blocks()) or [_block(_SCHEMA.empty_table())]
        parts = zip(*((one.rows, one.features, one.oddness) for one in blocks), strict=True)
        return Features(*map(np.concatenate, parts))


@contextmanager
def writing_features(path: Path, made_of: Mapping[str, object]) -> Iterator["_Writer"]:
    """Write a file of features, whole or not at all.

    Parameters
    ----------
    path : Path
        An earlier one is replaced.
    made_of : mapping
        For `FeatureFile.check`; values of JSON.

    Yields
    ------
    writer
        With the method ``add(Features)``.
    """
    about = {"version": _VERSION, "step": STEP, "made_of": dict(made_of)}
    schema = _SCHEMA.with_metadata({_KEY: json.dumps(about)})
    remove_partials(path)
    with written_whole(path) as partial, pq.ParquetWriter(partial, schema) as writer:
        yield _Writer(writer, schema)


class _Writer:
    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema):
        self._writer, self._schema = writer, schema

    def add(self, block: Features):
        flat = pa.array(np.ascontiguousarray(block.features).reshape(-1), pa.int8())
        columns = [
            pa.array(block.rows, pa.int64()),
            pa.FixedSizeListArray.from_arrays(flat, DIMENSIONS),
            pa.array(block.oddness, pa.float32()),
        ]
        self._writer.write_table(pa.table(columns, schema=self._schema))


def _block(table: pa.Table) -> Features:
    features = table["features"].combine_chunks()
    flat = features.flatten().to_numpy(zero_copy_only=False)
    return Features(
        table["row"].to_numpy(),
        flat.reshape(-1, DIMENSIONS).astype(np.int8, copy=False),
        table["oddness"].to_numpy(),
    )


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: no file of features ({one_line(error)}); add --overwrite to lsbg similar to make "
        "it again"
    )
