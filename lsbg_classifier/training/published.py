"""The published samples: DeepShadows' lists of DES and HSC, downloaded once and checked.

Tanoglidis et al. 2021 (A&C 35, 100469) made them public; see `LISTS` for the files.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from astropy.table import Table
from scipy.spatial import cKDTree

from catalogs.errors import InputError
from catalogs.output import write_whole
from lsbg_classifier.folders import cache_folder
from lsbg_classifier.http import FetchError, get, new_session
from lsbg_classifier.training.samples import SPARE, SPLITS, Sample, balanced_split

LISTS_URL = "https://raw.githubusercontent.com/dtanoglidis/DeepShadows/main/Datasets"
"""Where DeepShadows publishes its lists."""

_LARGEST_LIST = 1 << 27
_TIMEOUT = 120.0
_MATCH_DEGREES = 1e-5
_DES_SIZES = {"train": 30_000, "validation": 5_000, "test": 5_000}
_HSC_SIZES = {"train": 320, "test": 960}


@dataclass(frozen=True)
class PublishedList:
    """A file, and the hash that it must have: its sha256, or its git blob id."""

    name: str
    sha256: str | None = None
    git_blob: str | None = None

    def check(self, content: bytes) -> bool:
        """Tell whether this is the published content."""
        if self.sha256 is not None:
            return hashlib.sha256(content).hexdigest() == self.sha256
        header = f"blob {len(content)}\0".encode()
        return hashlib.sha1(header + content, usedforsecurity=False).hexdigest() == self.git_blob


def _listed(*lists: PublishedList) -> Mapping[str, PublishedList]:
    return MappingProxyType({item.name: item for item in lists})


LISTS = _listed(
    PublishedList("random_LSBGs_all.csv", git_blob="9585426dc288fb72a32d303e67495ccb4fd9eb99"),
    PublishedList("random_negative_all_1.csv", git_blob="76e7a257326004f77a6dc93ffcfe7e77707e5e6d"),
    PublishedList("random_negative_all_2.csv", git_blob="6c33c21c6386bc613d9960a77914c93a82fd65f0"),
    PublishedList(
        "Baseline_training.csv",
        sha256="ca2df2edd23a7780b50a863a7f271e17136d66f6a8491f95551495a19d9b696e",
    ),
    PublishedList(
        "Baseline_validation.csv",
        sha256="813b9b06ddae2e618023523444bb1393c406bdc2de0878c4857bc55c0792c67e",
    ),
    PublishedList(
        "Baseline_test.csv",
        sha256="8463f5651e69b4edba71c3fe59d8d948db499fcfe4701031c18a2d02879cf9bd",
    ),
    PublishedList(
        "hsc_LSBGs.dat", sha256="ae90e138cf5c128c0ec888c2dd66de6930abfb588837089d60619e590338ae1a"
    ),
    PublishedList(
        "hsc_artifacts.csv",
        sha256="64d473a159786377c12f5f3aff75eae8965dca6dd26625e3c5e19fa9ba553e99",
    ),
)
"""The published files that are read, by name."""


class ListStore:
    """Published lists, from a folder of the user's or downloaded once into the cache.

    Parameters
    ----------
    folder : path, optional
        Where the lists are already; nothing is downloaded then.
    url : str
        Base address of a server that has them.
    lists : mapping of str to PublishedList
        What may be asked for.
    """

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        url: str = LISTS_URL,
        lists: Mapping[str, PublishedList] = LISTS,
    ):
        self._folder = None if folder is None else Path(folder)
        self._url = url
        self._lists = lists

    def path(self, name: str) -> Path:
        """Return a list's path, after checking its hash.

        Raises
        ------
        InputError
            If it is not there, cannot be downloaded, or has another hash.
        """
        if self._folder is not None:
            path = self._folder / name
            if not path.is_file():
                raise InputError(f"{path}: no such list; see {LISTS_URL}")
        else:
            path = cache_folder() / "lists" / name
            if not path.is_file():
                self._download(name, path)
        if not self._lists[name].check(path.read_bytes()):
            raise InputError(f"{path}: not the published file (its hash differs); delete it")
        return path

    def _download(self, name: str, path: Path):
        url = f"{self._url}/{name}"
        try:
            with new_session(1, _LARGEST_LIST) as session:
                content = get(session, url, {}, _TIMEOUT)
        except FetchError as error:
            raise InputError(
                f"{url}: cannot be downloaded ({error}); get it by other means and name its folder "
                "with --lists"
            ) from error
        if not self._lists[name].check(content):
            raise InputError(
                f"{url}: not the published file (its hash differs); get that by other means and "
                "name its folder with --lists"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)


def des_sample(
    store: ListStore,
    *,
    split: str = "baseline",
    seed: int = 1,
    positives: Table | None = None,
    type_1: bool = False,
) -> Sample:
    """Return the DES sample: 20,000 LSBGs and as many artifacts that failed visual inspection.

    Parameters
    ----------
    store : ListStore
    split : str
        ``baseline``: the published split, its labels found by matching positions to the lists of
        LSBGs and artifacts. ``random``: another balanced one, by `seed`.
    positives : astropy.table.Table, optional
        LSBGs with ``ra`` and ``dec``, instead of the list; of a random split.
    type_1 : bool
        With the artifacts that failed a classifier of features as spare rows of each split.

    Returns
    -------
    Sample

    Raises
    ------
    InputError
        If a list cannot be downloaded or read, or the baseline split is asked for with other LSBGs.
    """
    if positives is not None and split != "random":
        raise InputError("the baseline split has LSBGs of its own; take others with a random split")
    if positives is None:
        positives = _read_csv(store.path("random_LSBGs_all.csv"))
    negative = _read_csv(store.path("random_negative_all_2.csv"))
    if split == "random":
        sample = _random_des(positives, negative, seed)
    else:
        sample = _baseline_des(store, positives, negative)
    if type_1:
        return _with_type_1(sample, _read_csv(store.path("random_negative_all_1.csv")), seed)
    return sample


def _baseline_des(store, positive, negative) -> Sample:
    masters = [
        (positive, 1),
        (negative, 0),
        (_read_csv(store.path("random_negative_all_1.csv")), 0),
    ]
    known = np.concatenate([_positions(table) for table, _ in masters])
    known_labels = np.concatenate([np.full(len(table), label) for table, label in masters])
    features = _features([table for table, _ in masters])
    names = dict(zip(SPLITS, ("training", "validation", "test"), strict=True))
    tables = {split: _read_csv(store.path(f"Baseline_{name}.csv")) for split, name in names.items()}
    positions = np.concatenate([_positions(table) for table in tables.values()])
    splits = np.repeat(list(tables), [len(table) for table in tables.values()])
    match = match_positions(positions, known)
    is_listed = match >= 0
    unlisted = int((~is_listed).sum())
    return Sample(
        "DES, published baseline split",
        positions[is_listed],
        known_labels[match[is_listed]].astype(np.int8),
        splits[is_listed],
        {name: values[match[is_listed]] for name, values in features.items()},
        notes=(f"{unlisted} positions of the baseline are in no list of LSBGs or artifacts",)
        if unlisted
        else (),
    )


def _random_des(positive, negative, seed) -> Sample:
    positions = np.concatenate([_positions(positive), _positions(negative)])
    labels = np.repeat(np.array([1, 0], np.int8), [len(positive), len(negative)])
    splits = balanced_split(labels, _DES_SIZES, seed)
    in_split = splits != ""
    features = _features([positive, negative])
    return Sample(
        f"DES, random balanced split {seed}",
        positions[in_split],
        labels[in_split],
        splits[in_split],
        {name: values[in_split] for name, values in features.items()},
    )


def _with_type_1(sample: Sample, artifacts: Table, seed: int) -> Sample:
    """Add artifacts of type 1 as spare rows, in the proportions of the sample's splits."""
    new = match_positions(_positions(artifacts), sample.positions) < 0
    positions = _positions(artifacts)[new]
    rng = np.random.default_rng(seed)
    ranks = np.linspace(0, len(sample.splits) - 1, len(positions)).astype(int)
    splits = np.char.add(SPARE, rng.permutation(np.sort(sample.splits)[ranks]))
    known = _features([artifacts])
    unknown = np.full(len(artifacts), np.nan)
    features = {
        name: np.concatenate([values, known.get(name, unknown)[new]])
        for name, values in sample.features.items()
    }
    listed = match_positions(sample.positions, _positions(artifacts)) >= 0
    types = np.select([sample.labels == 1, listed], [0, 1], 2)
    return replace(
        sample,
        name=f"{sample.name}, with artifacts of type 1",
        positions=np.concatenate([sample.positions, positions]),
        labels=np.concatenate([sample.labels, np.zeros(len(positions), np.int8)]),
        splits=np.concatenate([sample.splits, splits]),
        features=features,
        artifact_types=np.concatenate([types, np.ones(len(positions), int)]).astype(np.int8),
    )


def hsc_sample(store: ListStore, *, seed: int = 1, positives: Table | None = None) -> Sample:
    """Return the HSC sample: 640 LSBGs and 640 artifacts, 320 of all to train on.

    Parameters
    ----------
    store : ListStore
    seed : int
        Of the split.
    positives : astropy.table.Table, optional
        LSBGs with ``ra`` and ``dec`` in degrees, instead of the published list (Greco et al. 2018).

    Returns
    -------
    Sample
        With fewer rows where there are fewer LSBGs or artifacts than that.

    Raises
    ------
    InputError
        If a list cannot be downloaded or read, or there are too few LSBGs or artifacts for the
        training split.
    """
    artifacts = _read_csv(store.path("hsc_artifacts.csv"))
    if positives is None:
        listed = Table.read(store.path("hsc_LSBGs.dat"), format="ascii.no_header")
        galaxies = np.stack([listed["col2"], listed["col3"]], axis=1)
    else:
        galaxies = _positions(positives)
    positions = np.concatenate([galaxies, _positions(artifacts)])
    labels = np.repeat(np.array([1, 0], np.int8), [len(galaxies), len(artifacts)])
    splits = balanced_split(labels, _HSC_SIZES, seed)
    in_split = splits != ""
    return Sample(f"HSC, split {seed}", positions[in_split], labels[in_split], splits[in_split])


def match_positions(positions: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Find each position in a list of known ones.

    Parameters
    ----------
    positions : array of float, shape (N, 2)
        Right ascension and declination in degrees.
    known : array of float, shape (M, 2)
        The same; at least one.

    Returns
    -------
    array of int, shape (N,)
        Index of the nearest known position within 1e-5 degrees in each coordinate; -1 for none.
    """
    distance, index = cKDTree(known).query(positions, p=np.inf)
    return np.where(distance <= _MATCH_DEGREES, index, -1)


def _read_csv(path: Path) -> Table:
    try:
        return Table.read(path, format="ascii.csv", guess=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a list of positions ({error})") from error


def _positions(table: Table) -> np.ndarray:
    return np.stack([np.asarray(table["ra"], float), np.asarray(table["dec"], float)], axis=1)


def _features(tables: list[Table]) -> dict[str, np.ndarray]:
    """Join the columns of numbers that all tables have, but for positions and indices."""
    shared = [
        name
        for name in tables[0].colnames
        if all(name in table.colnames for table in tables)
        and all(table[name].dtype.kind in "fi" for table in tables)
        and name.lower() not in ("ra", "dec", "col0", "index", "label")
    ]
    return {name: np.concatenate([np.asarray(t[name], float) for t in tables]) for name in shared}
