"""Which cutouts a weight set has seen in training: their hashes, in the file of the weights."""

import hashlib
from pathlib import Path

import h5py
import numpy as np

from catalogs.errors import InputError, one_line

_NAME = "seen_cutouts"


def cutout_hashes(cutouts: np.ndarray) -> np.ndarray:
    """Return a hash of each cutout, by which it is recognised.

    Parameters
    ----------
    cutouts : array of uint8, shape (N, 64, 64, 3)

    Returns
    -------
    array of uint64, shape (N,)
        The first 64 bits of the BLAKE2 hash of their pixels.
    """
    digests = [hashlib.blake2b(one.tobytes(), digest_size=8).digest() for one in cutouts]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def save_seen(path: Path, hashes: np.ndarray):
    """Add the hashes of cutouts to a file of weights.

    Parameters
    ----------
    path : Path
        The ``.weights.h5`` file.
    hashes : array of uint64, shape (N,)
        In any order; see `cutout_hashes`.
    """
    with h5py.File(path, "a") as file:
        file.create_dataset(_NAME, data=np.unique(hashes.astype(np.uint64)))


def load_seen(path: Path) -> np.ndarray | None:
    """Read the hashes from a file of weights: uint64, ascending; None where there are none.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    try:
        with h5py.File(path) as file:
            if _NAME not in file:
                return None
            return np.asarray(file[_NAME][()], np.uint64).reshape(-1)
    except (OSError, KeyError, ValueError, TypeError) as error:
        reason = one_line(error)
        raise InputError(f"{path}: the record of cutouts seen is damaged ({reason})") from error
