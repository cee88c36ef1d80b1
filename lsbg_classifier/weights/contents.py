"""Check a file of weights before Keras reads it: no links to other files, no huge arrays."""

from pathlib import Path

from catalogs.errors import one_line

_LARGEST = 1 << 28
"""Bytes that all arrays of a file may take together; the network's take 17 million as float32."""


def check_contents(path: Path):
    """Refuse a file of weights that refers to other files, or declares arrays that are too large.

    HDF5 can name other files, in links, in external storage and in virtual datasets, and h5py
    would read them.

    Raises
    ------
    ValueError
        If it does, is larger than 256 MiB unpacked, or is no HDF5 file.
    """
    import h5py  # commands that list weights start without it

    sizes = []

    def leads_out(name, item):
        """Return the name of an item that lies in another file, which ends the visit."""
        if isinstance(item, h5py.Dataset):
            sizes.append(item.nbytes)
            return name if item.external or item.is_virtual else None
        return None if isinstance(item, h5py.Group | h5py.HardLink) else name

    try:
        with h5py.File(path) as file:
            outside = file.visititems_links(leads_out) or file.visititems(leads_out)
    except (OSError, RuntimeError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(one_line(error)) from error
    if outside:
        raise ValueError(f"{outside} lies in another file")
    if sum(sizes) > _LARGEST:
        raise ValueError(f"{sum(sizes)} bytes of arrays")
