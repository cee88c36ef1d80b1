"""Writes datasets of HDF5 anew with other rows or columns, stored as they were."""

from collections.abc import Iterable
from dataclasses import dataclass

import h5py
import numpy as np

_TRANSIENT = {"DIMENSION_LIST", "REFERENCE_LIST"}
"""Attributes that point at other datasets."""


def create(
    group: h5py.Group, name: str, dtype: np.dtype, shape: tuple, storage: "Storage"
) -> h5py.Dataset:
    """Create a dataset.

    Parameters
    ----------
    group : h5py.Group
    name : str
    dtype : numpy.dtype
    shape : tuple of int
    storage : Storage
        Of another dataset; its chunks and limits of growth hold for as many axes as there are.

    Returns
    -------
    h5py.Dataset
    """
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_obj_track_times(False)
    limits = None
    if storage.chunks:
        rows = storage.most_rows
        limits = (h5py.h5s.UNLIMITED if rows is None else max(rows, shape[0]), *shape[1:])
        chunk = storage.chunks[0] if rows is None else min(storage.chunks[0], limits[0])
        settings.set_chunk((max(chunk, 1), *storage.chunks[1 : len(shape)]))
        for code, flags, values in storage.filters:
            if code == h5py.h5z.FILTER_SHUFFLE:
                settings.set_shuffle()
            else:
                settings.set_filter(code, flags, values)
    links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    links.set_char_encoding(h5py.h5t.CSET_UTF8)
    kind = h5py.h5t.py_create(dtype, logical=True)
    space = h5py.h5s.create_simple(shape, limits)
    return h5py.Dataset(h5py.h5d.create(group.id, name.encode(), kind, space, settings, links))


@dataclass(frozen=True)
class Storage:
    """How the values of a dataset are stored.

    Attributes
    ----------
    chunks : tuple of int
        Empty: all in one piece.
    most_rows : int or None
        To which it can grow; None: without limit.
    filters : tuple of (int, int, tuple of int)
        Code, flags and values of each.
    """

    chunks: tuple[int, ...]
    most_rows: int | None
    filters: tuple[tuple[int, int, tuple[int, ...]], ...]

    @classmethod
    def of(cls, dataset: h5py.Dataset) -> "Storage":
        """Return how a dataset is stored.

        Parameters
        ----------
        dataset : h5py.Dataset

        Returns
        -------
        Storage
        """
        settings = dataset.id.get_create_plist()
        filters = (settings.get_filter(number) for number in range(settings.get_nfilters()))
        return cls(dataset.chunks or (), dataset.maxshape[0], tuple(one[:3] for one in filters))


def replace(
    file: h5py.File, path: str, dtype: np.dtype, rows: int, blocks: Iterable[np.ndarray]
) -> h5py.Dataset:
    """Write a dataset anew, with its attributes.

    Parameters
    ----------
    file : h5py.File
        Opened to be changed.
    path : str
    dtype : numpy.dtype
    rows : int
    blocks : iterable of array
        Its values, in pieces; read from another file, for the old dataset is removed first.

    Returns
    -------
    h5py.Dataset
    """
    old = file[path]
    group, name = old.parent, path.rpartition("/")[2]
    attributes = [
        (key, old.attrs[key], old.attrs.get_id(key).dtype) for key in old.attrs
        if key not in _TRANSIENT
    ]  # fmt: skip
    shape, storage = (rows, *old.shape[1:]), Storage.of(old)
    del group[name], old  # so that its place in the file is used again
    made = create(group, name, dtype, shape, storage)
    for key, value, kind in attributes:
        made.attrs.create(key, value, dtype=kind)
    fill(made, blocks)
    return made


def fill(dataset: h5py.Dataset, blocks: Iterable[np.ndarray]):
    """Write values into a dataset, from its first row on.

    Parameters
    ----------
    dataset : h5py.Dataset
    blocks : iterable of array
    """
    row = 0
    for block in blocks:
        dataset[row : row + len(block)] = block
        row += len(block)


def widened(dtype: np.dtype, dropped: set[str], columns) -> np.dtype:
    """Return the type of rows with columns added; old ones keep their places where none is dropped.

    Parameters
    ----------
    dtype : numpy.dtype
    dropped : set of str
    columns : sequence of AddedColumn

    Returns
    -------
    numpy.dtype
    """
    names = [name for name in dtype.names or () if name not in dropped]
    kinds = [dtype[name] for name in names]
    fields: dict = dict(dtype.fields or {})
    places = [fields[name][1] for name in names]
    size = dtype.itemsize
    if dropped:
        ends = np.cumsum([0, *(kind.itemsize for kind in kinds)]).tolist()
        places, size = ends[:-1], ends[-1]
    for column in columns:
        names.append(column.name)
        kinds.append(np.dtype(f"<{column.dtype}"))
        places.append(size)
        size += kinds[-1].itemsize
    return np.dtype({"names": names, "formats": kinds, "offsets": places, "itemsize": size})
