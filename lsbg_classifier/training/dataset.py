"""Labelled cutouts on disk: fetched once, resumable, the same for every training."""

import csv
import hashlib
import json
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED, Flag
from catalogs.output import write_whole
from catalogs.urls import masked
from lsbg_classifier.cutouts import CutoutSource
from lsbg_classifier.cutouts.source import fetch_usable
from lsbg_classifier.surveys import CUTOUT_SIZE, Imaging
from lsbg_classifier.training.dataset_parts import part_columns, part_path, read_table, write_part
from lsbg_classifier.training.samples import SPARE, SPLITS, Sample

_PART_ROWS = 128
_IMAGE_BYTES = CUTOUT_SIZE**2 * 3
_VERSION = 1


@dataclass(frozen=True)
class Manifest:
    """What a dataset is made of; stored as ``manifest.json`` in its folder.

    Attributes
    ----------
    sample, sample_sha256 : str
        Name and hash of the labelled positions.
    source : str
        Where the cutouts come from.
    imaging : Imaging
        What they show.
    parts : int
        Files of the whole dataset.
    version : int
        Of this layout.
    """

    sample: str
    sample_sha256: str
    source: str
    imaging: Imaging
    parts: int
    version: int = _VERSION

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read a manifest, or raise `InputError` that says what is wrong with it."""
        path = folder / "manifest.json"
        try:
            content = dict(json.loads(path.read_text()))
            imaging = dict(content.pop("imaging"))
            imaging["bands"] = tuple(imaging["bands"])
            manifest = cls(imaging=Imaging(**imaging), **content)
            _check_kinds(manifest)
        except OSError as error:
            raise InputError(
                f"{folder}: not a dataset of cutouts (manifest.json: {error.strerror}); name the "
                "folder of a training"
            ) from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{folder}: not a dataset of cutouts ({error})") from error
        if manifest.version != _VERSION:
            raise InputError(f"{folder}: a dataset of another version; make it again")
        return manifest


def _check_kinds(manifest: Manifest):
    """Raise TypeError where a manifest holds what none of ours does."""
    imaging = manifest.imaging
    texts: tuple[str, ...] = (manifest.sample, manifest.sample_sha256, manifest.source)
    texts += (imaging.survey, imaging.stretch, *imaging.bands)
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise TypeError("a name in it is no text")
    if len(imaging.bands) != 3 or not isinstance(imaging.pixel_scale, float):
        raise TypeError("no three bands, or no pixel scale")
    if not (imaging.pixel_scale > 0 and math.isfinite(imaging.pixel_scale)):
        raise TypeError("no pixel scale")
    if type(manifest.parts) is not int or manifest.parts < 1:
        raise TypeError("no number of parts")


class CutoutDataset:
    """Cutouts with labels, in a folder of Parquet files with a manifest.

    Columns: ``row`` (of the sample), ``ra``, ``dec`` (degrees), ``label``, ``split``, ``flags``,
    ``image`` (64x64x3 bytes, RGB, row by row from the top) and the sample's features; where the
    sample knows it ``artifact_type``: 2 passed a classifier of features, 1 did not, 0 is an LSBG.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        self.manifest = Manifest.read(self.folder)
        numbers = range(self.manifest.parts)
        if not all(part_path(self.folder, number).exists() for number in numbers):
            raise InputError(f"{folder}: cutouts are missing; make the dataset again to fetch them")

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns."""
        return part_columns(self._parts()[0])

    def _parts(self) -> list[Path]:
        return [part_path(self.folder, number) for number in range(self.manifest.parts)]

    def load(
        self, split: str | None = None, *, spare: bool = False, labels: str = "label"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the usable cutouts of a split, or all of the sample.

        Parameters
        ----------
        split : str, optional
            None: all splits.
        spare : bool
            Also those that were labelled with a split, but are not of the sample.
        labels : str
            Column to return beside the images.

        Returns
        -------
        images : array of uint8, shape (N, 64, 64, 3)
        labels : array, shape (N,)
            Values of the column; int8 for ``label``.

        Raises
        ------
        InputError
            If a part is damaged, or lacks the column or the images.
        """
        values = self.table(split, [labels], spare=spare)[labels].to_numpy()
        images = np.empty((len(values), CUTOUT_SIZE, CUTOUT_SIZE, 3), np.uint8)
        start = 0
        for path in self._parts():
            chunks = read_table(path, ["image"], _usable(split, spare))["image"]
            if chunks.type != pa.binary(_IMAGE_BYTES) or chunks.null_count:
                raise InputError(f"{path}: holds no cutouts of 64x64x3; make the dataset again")
            for chunk in filter(len, chunks.chunks):
                flat = np.frombuffer(chunk.buffers()[1], np.uint8)
                first = chunk.offset * _IMAGE_BYTES
                part = flat[first : first + len(chunk) * _IMAGE_BYTES]
                images[start : start + len(chunk)] = part.reshape(-1, *images.shape[1:])
                start += len(chunk)
        return images, values

    def table(
        self,
        split: str | None = None,
        columns: list[str] | None = None,
        *,
        spare: bool = False,
    ) -> pa.Table:
        """Return columns of the usable cutouts of a split, or of all, in the order of `load`.

        Parameters
        ----------
        split : str, optional
            None: all splits.
        columns : list of str, optional
            None: all columns, images too.
        spare : bool
            Also those that were labelled with a split, but are not of the sample.

        Returns
        -------
        pyarrow.Table
            One row a cutout.

        Raises
        ------
        InputError
            If a part is damaged, or lacks a column.
        """
        return self._joined(columns, _usable(split, spare))

    def failed(self) -> list[tuple[int, float, float, str]]:
        """List the positions without a usable cutout: row, ra, dec, names of the flags."""
        unusable = pc.bit_wise_and(pc.field("flags"), int(NOT_SCORED)) != 0
        columns = ["row", "ra", "dec", "flags"]
        return [
            (row["row"], row["ra"], row["dec"], Flag(row["flags"]).name or "")
            for row in self._joined(columns, unusable).to_pylist()
        ]

    def _joined(self, columns: list[str] | None, filters: pc.Expression) -> pa.Table:
        tables = [read_table(path, columns, filters) for path in self._parts()]
        try:
            return pa.concat_tables(tables)
        except pa.ArrowException as error:
            raise InputError(
                f"{self.folder}: its parts have different columns; make the dataset again"
            ) from error


def _usable(split: str | None, spare: bool) -> pc.Expression:
    """Select the rows of a split, or of all, that have a cutout."""
    names = list(SPLITS) if split is None else [split]
    names += [SPARE + name for name in names] * spare
    has_cutout = pc.bit_wise_and(pc.field("flags"), int(NOT_SCORED)) == 0
    return has_cutout & pc.field("split").isin(names)


def open_dataset(path: Path | str) -> CutoutDataset:
    """Open the dataset in a folder, or in the folder of a training."""
    path = Path(path)
    own = path / "cutouts"
    return CutoutDataset(own if own.is_dir() else path)


def build_dataset(
    folder: Path | str,
    sample: Sample,
    source: CutoutSource,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> CutoutDataset:
    """Fetch the cutouts of a sample; what is in the folder already is not fetched again.

    Parameters
    ----------
    folder : path
        Made if missing. Parts appear in it when they are whole.
    sample : Sample
    source : CutoutSource
    progress : callable, optional
        Called with (positions done, positions in all).

    Returns
    -------
    CutoutDataset

    Raises
    ------
    InputError
        If the folder holds another sample's cutouts, or the source gives nothing at all.
    """
    folder = Path(folder)
    units = _units(sample, source)
    claim(
        folder,
        Manifest(sample.name, sample.sha256(), masked(source.spec), source.imaging, len(units)),
    )
    missing = {
        path: rows
        for number, rows in enumerate(units)
        if not (path := part_path(folder, number)).exists()
    }
    done = len(sample.labels) - sum(len(rows) for rows in missing.values())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = {
            pool.submit(_fetch_part, path, sample, rows, source): len(rows)
            for path, rows in missing.items()
        }
        try:
            for future in as_completed(futures):
                future.result()
                done += futures[future]
                if progress is not None:
                    progress(done, len(sample.labels))
        finally:
            pool.shutdown(cancel_futures=True)
    return finished(folder)


def store_cutouts(
    folder: Path | str,
    name: str,
    images: np.ndarray,
    labels: np.ndarray,
    splits: np.ndarray,
    imaging: Imaging,
) -> CutoutDataset:
    """Make a dataset of cutouts that are there already, without positions.

    Parameters
    ----------
    folder : path
        Made if missing.
    name : str
        Of the sample.
    images : array of uint8, shape (N, 64, 64, 3)
    labels : array of int, shape (N,)
    splits : array of str, shape (N,)
    imaging : Imaging
        What they show.

    Returns
    -------
    CutoutDataset

    Raises
    ------
    InputError
        If the folder holds another dataset.
    """
    folder = Path(folder)
    digest = hashlib.sha256()
    for content in (images, np.asarray(labels, np.int8), "\n".join(splits.tolist()).encode()):
        digest.update(content if isinstance(content, bytes) else content.tobytes())
    claim(folder, Manifest(name, digest.hexdigest(), "cutouts", imaging, 1))
    if not part_path(folder, 0).exists():
        columns = {
            "row": np.arange(len(labels)),
            "ra": np.full(len(labels), np.nan),
            "dec": np.full(len(labels), np.nan),
            "label": np.asarray(labels, np.int8),
            "split": splits.astype(object),
            "flags": np.zeros(len(labels), np.int16),
        }
        write_part(part_path(folder, 0), columns, images)
    return finished(folder)


def claim(folder: Path, manifest: Manifest):
    """Write the manifest into a folder, or compare it with the one that the folder has.

    Parameters
    ----------
    folder : Path
        Made if missing.
    manifest : Manifest

    Raises
    ------
    InputError
        If the folder holds another dataset.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "manifest.json"
    if not path.exists():
        write_whole(path, json.dumps(asdict(manifest), indent=2), alone=True)
    elif Manifest.read(folder) != manifest:
        raise InputError(
            f"{folder}: holds the cutouts of another sample or source; choose another folder"
        )


def finished(folder: Path) -> CutoutDataset:
    """Open a dataset that has all its parts, and list what failed in ``failed.csv``."""
    dataset = CutoutDataset(folder)
    with open(folder / "failed.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "ra", "dec", "flags"])
        writer.writerows(dataset.failed())
    return dataset


def _units(sample: Sample, source: CutoutSource) -> list[np.ndarray]:
    """Divide the rows into parts, those that share an image together."""
    groups = source.group(sample.positions)
    rows = np.arange(len(sample.labels)) if groups is None else np.argsort(groups, kind="stable")
    return np.split(rows, range(_PART_ROWS, len(rows), _PART_ROWS))


def _fetch_part(path: Path, sample: Sample, rows: np.ndarray, source: CutoutSource):
    images, flags = fetch_usable(source.fetch, sample.positions[rows])
    columns = {
        "row": rows,
        "ra": sample.positions[rows, 0],
        "dec": sample.positions[rows, 1],
        "label": sample.labels[rows].astype(np.int8),
        "split": sample.splits[rows].astype(object),
        "flags": flags,
        **{name: values[rows] for name, values in sample.features.items()},
    }
    if sample.artifact_types is not None:
        columns["artifact_type"] = sample.artifact_types[rows]
    write_part(path, columns, images)
