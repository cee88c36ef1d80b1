"""A FITS file written again with light added to some of its images, all else as it was."""

import bz2
import gzip
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import numpy as np
from astropy.io import fits
from astropy.io.fits.hdu import BITPIX2DTYPE

from catalogs._fits_checksum import add_to_sum, encode
from catalogs.errors import InputError, one_line
from catalogs.fits_headers import UNREADABLE, check_headers
from catalogs.output import naming, written_whole
from lsbg_classifier.injection.compressed import Layout, pack, raise_integers, unpack
from lsbg_classifier.injection.render import Light

_BLOCK = 2880
_PIECE = 1 << 24
"""Bytes that are copied at a time."""

_ROWS = 256
"""Rows of uncompressed pixels that are changed at a time."""

Target = tuple[int, int | None]
"""An extension, and the plane of a cube."""


@dataclass(frozen=True)
class Added:
    """Light for one image.

    Attributes
    ----------
    light : Light
    counts : float
        What a nanomaggie is in the units of the image.
    """

    light: Light
    counts: float

    def of(self, rows: slice, columns: slice = slice(None)) -> np.ndarray:
        """Return the light in a section.

        Parameters
        ----------
        rows, columns : slice
            Pixels from 0; all columns unless given.

        Returns
        -------
        array of float64, shape (rows, columns)
            In the units of the image.
        """
        return self.light.pixels[rows, columns] * np.float64(self.counts)

    def is_dark(self, rows: slice, columns: slice = slice(None)) -> bool:
        """Tell whether a section gets no light.

        Parameters
        ----------
        rows, columns : slice
            Pixels from 0; all columns unless given.

        Returns
        -------
        bool
        """
        return not (self.light.rows[rows].any() and self.light.pixels[rows, columns].any())


def write_with_light(
    source: Path, target: Path, added: Mapping[Target, Added], history: str, seed: int
):
    """Write a FITS file again, with light added.

    Headers, compression, other extensions and pixels without light stay as they are; only what
    describes the bytes (size of the heap, checksums) follows, and each changed image gets a line
    of HISTORY. Pixels that are blank (not a number, or the exact 0 of compressed images, which
    means "no data") stay blank.

    Parameters
    ----------
    source, target : Path
        The target appears under its name only when it is whole.
    added : mapping of (int, int or None) to Added
        By extension and plane.
    history : str
        One line about the change.
    seed : int
        Of the rounding of light in images that hold integers.

    Raises
    ------
    InputError
        If the source cannot be read, or is compressed in a way that cannot be written.
    """
    generator = np.random.default_rng(seed)
    try:
        with written_whole(target) as partial, naming(target):
            if source.suffix in _PACKERS:
                _write_packed(source, partial, added, history, generator)
            else:
                _write_file(source, partial, added, history, generator)
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = one_line(error)
        raise InputError(f"{source}: light cannot be added to it ({reason})") from error


_PACKERS: Mapping[str, type[gzip.GzipFile] | type[bz2.BZ2File]] = {
    ".gz": gzip.GzipFile,
    ".bz2": bz2.BZ2File,
}
"""What opens files that are compressed as a whole, by the end of their name."""


def _write_packed(source, partial, added, history, generator):
    """Write a file that is compressed as a whole, by way of one that is not."""
    packer = _PACKERS[source.suffix]
    with TemporaryDirectory(dir=partial.parent, prefix=".lsbg-") as folder:
        old, new = Path(folder) / "old.fits", Path(folder) / "new.fits"
        with packer(source) as packed, open(old, "wb") as plain:
            shutil.copyfileobj(packed, plain, _PIECE)
        _write_file(old, new, added, history, generator)
        with open(new, "rb") as plain, open(partial, "wb") as file:
            with _packing(file, source.suffix) as packed:
                shutil.copyfileobj(plain, packed, _PIECE)


def _packing(file: BinaryIO, suffix: str) -> gzip.GzipFile | bz2.BZ2File:
    """Return what compresses into a file, the same bytes at any time and under any name."""
    if suffix == ".gz":
        return gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0)
    return bz2.BZ2File(file, mode="wb")


def _write_file(source, partial, added, history, generator):
    check_headers(source)
    with (
        fits.open(source, memmap=True, disable_image_compression=True) as hdus,
        open(source, "rb") as original,
        open(partial, "w+b") as written,
    ):
        _write_hdus(hdus, original, written, added, history, generator)


def _write_hdus(hdus, original, written, added, history, generator):
    for number, hdu in enumerate(hdus):
        info = hdu.fileinfo()
        end = info["datLoc"] + info["datSpan"]
        ours = {plane: light for (at, plane), light in added.items() if at == number}
        if not ours:
            original.seek(info["hdrLoc"])
            _copy(original, written, end - info["hdrLoc"])
            continue
        header = _header(original, info)
        header.add_history(history)
        if isinstance(hdu, fits.BinTableHDU):
            _write_compressed(hdu, header, original, written, ours, generator)
        else:
            _write_plain(info, header, original, written, ours, generator)
    original.seek(0, 2)
    if (rest := original.tell() - end) > 0:
        original.seek(end)
        _copy(original, written, rest)


def _header(original: BinaryIO, info) -> fits.Header:
    """Read a header as it is in the file, of compressed images too."""
    original.seek(info["hdrLoc"])
    return fits.Header.fromstring(original.read(info["datLoc"] - info["hdrLoc"]))


def _copy(original: BinaryIO, written: BinaryIO, size: int):
    while size > 0:
        piece = original.read(min(size, _PIECE))
        if not piece:
            raise ValueError("the file ends early")
        written.write(piece)
        size -= len(piece)


def _write_header(header: fits.Header, written: BinaryIO) -> int:
    start = written.tell()
    for key in ("CHECKSUM", "DATASUM"):
        if key in header:
            header[key] = "0" * 16 if key == "CHECKSUM" else "0"
    written.write(header.tostring(sep="", endcard=True, padding=True).encode("ascii"))
    return start


def _write_plain(info, header, original, written, ours, generator):
    """Write an uncompressed image: rows with light are changed, all others copied."""
    start = _write_header(header, written)
    dtype = np.dtype(BITPIX2DTYPE[header["BITPIX"]]).newbyteorder(">")
    shape = tuple(header[f"NAXIS{axis}"] for axis in range(header["NAXIS"], 0, -1))
    height, width = shape[-2:]
    row_bytes = width * dtype.itemsize
    original.seek(info["datLoc"])
    planes = int(np.prod(shape[:-2], dtype=int))
    for plane in range(planes):
        light = ours.get(plane, ours.get(None) if plane == 0 else None)
        for first in range(0, height, _ROWS):
            rows = slice(first, min(first + _ROWS, height))
            content = original.read((rows.stop - rows.start) * row_bytes)
            if light is not None and not light.is_dark(rows):
                pixels = np.frombuffer(content, dtype).reshape(-1, width)
                content = _brighter(pixels, light.of(rows), header, generator).tobytes()
            written.write(content)
    _copy(original, written, info["datSpan"] - planes * height * row_bytes)
    _update_checksums(header, written, start)


def _brighter(pixels, light, header, generator) -> np.ndarray:
    """Add light to stored pixels, floats or integers with their scale."""
    step = float(header.get("BSCALE", 1.0))
    if pixels.dtype.kind == "f":
        return _sum(pixels, light / step, pixels.dtype)
    blank = header.get("BLANK")
    raised = raise_integers(pixels, light / step, blank, generator)
    limits = np.iinfo(pixels.dtype)
    return np.clip(raised, limits.min, limits.max).astype(pixels.dtype)


def _write_compressed(hdu, header, original, written, ours, generator):
    """Write a compressed image: blocks with light are encoded again, all others copied."""
    layout = Layout(header)
    rows = _table_rows(hdu, original)
    base = hdu.fileinfo()["datLoc"]
    heap = base + header.get("THEAP", header["NAXIS1"] * header["NAXIS2"])
    header.pop("THEAP", None)  # the heap follows the table at once
    for key in ("ZHECKSUM", "ZDATASUM"):
        header.pop(key, None)  # they are of the image before it was compressed
    names = rows.dtype.names or ()
    sizes = {name: _item_size(header, name) for name in _VARIABLE if name in names}
    start = _write_header(header, written)
    table = written.tell()
    written.seek(table + rows.nbytes)
    size = 0
    for number, window in enumerate(layout.windows()):
        light = _light_of(ours, window)
        blocks = _stored(rows[number], original, heap, sizes)
        if light is not None:
            blocks = _raised(blocks, rows[number], layout, window, light, generator)
        for name, item in sizes.items():
            content = blocks.get(name, b"")
            written.write(content)
            rows[name][number] = (len(content) // item, size if content else 0)
            size += len(content)
    end = written.tell()
    written.write(b"\0" * (-(end - table) % _BLOCK))
    _finish_table(header, rows, written, start, table, size)


_VARIABLE = ("COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA")
"""Columns that hold the bytes of blocks: as the algorithm does it, and where it did not suit."""


def _table_rows(hdu, original) -> np.ndarray:
    """Read the rows of the table without the heap, descriptors as they are stored."""
    original.seek(hdu.fileinfo()["datLoc"])
    dtype = hdu.columns.dtype.newbyteorder(">")
    count = hdu.header["NAXIS2"]
    return np.frombuffer(original.read(dtype.itemsize * count), dtype).copy()


def _stored(row, original, heap, sizes) -> dict[str, bytes]:
    """Return the bytes of a block by column; one of the columns has any."""
    blocks = {}
    for name, item in sizes.items():
        count, offset = map(int, row[name])
        if count > 0:
            original.seek(heap + offset)
            content = original.read(count * item)
            if len(content) < count * item:
                raise ValueError("truncated: blocks lie beyond the end of the file")
            blocks[name] = content
    return blocks


def _item_size(header, name) -> int:
    """Return the bytes of an item of a column of variable length: TFORM is such as 1PB(1234)."""
    for number in range(1, header["TFIELDS"] + 1):
        if header[f"TTYPE{number}"].strip() == name:
            form = re.fullmatch(r"\s*\d?[PQ]([A-Z]).*", header[f"TFORM{number}"])
            if form is None:
                raise ValueError(f"column {name} is not of variable length")
            letter = form[1]
            return {"B": 1, "I": 2, "J": 4, "K": 8, "E": 4, "D": 8}[letter]
    raise ValueError(f"no column {name}")


def _light_of(ours, window) -> np.ndarray | None:
    """Return the light of a block, shape of the block; None if there is none."""
    *planes, rows, columns = window
    each = []
    for plane in range(planes[0].start, planes[0].stop) if planes else [None]:
        light = ours.get(plane)
        dark = light is None or light.is_dark(rows, columns)
        each.append(None if dark else light.of(rows, columns))
    if all(light is None for light in each):
        return None
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    filled = [np.zeros(shape) if light is None else light for light in each]
    return np.stack(filled) if planes else filled[0]


def _raised(blocks, row, layout, window, light, generator) -> dict[str, bytes]:
    """Return the bytes of a block with light."""
    shape = tuple(part.stop - part.start for part in window)
    name, content = next(iter(blocks.items()), (None, b""))
    if name is None:
        return blocks
    names = row.dtype.names
    if layout.bits < 0 and (name != "COMPRESSED_DATA" or "ZSCALE" not in names):
        return {name: _raised_floats(name, content, layout, shape, light)}
    quantized = layout.bits < 0
    step = float(row["ZSCALE"]) if quantized else float(layout.header.get("BSCALE", 1.0))
    if name != "COMPRESSED_DATA":
        raise ValueError("integers outside of COMPRESSED_DATA")
    kind = layout.integers(quantized)
    numbers = unpack(content, layout, shape, kind)
    blank = int(row["ZBLANK"]) if "ZBLANK" in names else layout.header.get("ZBLANK")
    if not quantized:
        blank = layout.header.get("BLANK", blank)
    if not step > 0:
        return blocks
    raised = raise_integers(numbers, light / step, blank, generator)
    limits = np.iinfo(kind)
    return {name: pack(np.clip(raised, limits.min, limits.max), layout, kind)}


def _raised_floats(name, content, layout, shape, light) -> bytes:
    """Add light to floats that are stored without loss."""
    kind = np.dtype({-32: ">f4", -64: ">f8"}[layout.bits])
    if name == "COMPRESSED_DATA":
        return pack(_sum(unpack(content, layout, shape, kind), light, kind), layout, kind)
    raw = content if name == "UNCOMPRESSED_DATA" else gzip.decompress(content)
    pixels = _sum(np.frombuffer(raw, kind).reshape(shape), light, kind)
    raw = pixels.tobytes()
    return raw if name == "UNCOMPRESSED_DATA" else gzip.compress(raw, 1, mtime=0)


def _sum(pixels, light, kind) -> np.ndarray:
    """Add light where there are data: neither NaN nor exactly 0."""
    return np.where(pixels == 0, pixels, pixels + light).astype(kind)


def _finish_table(header, rows, written, start, table, heap_size):
    """Write rows and header of a compressed image anew, now that the heap is known."""
    header["PCOUNT"] = heap_size
    for number in range(1, header["TFIELDS"] + 1):
        name = header[f"TTYPE{number}"].strip()
        if name in _VARIABLE:
            longest = int(rows[name][:, 0].max(initial=0))
            form = re.sub(r"\(\d*\)", "", header[f"TFORM{number}"].strip())
            header[f"TFORM{number}"] = f"{form}({longest})"
    end = written.tell()
    written.seek(start)
    _write_header(header, written)
    if written.tell() != table:
        raise ValueError("its header has no room for the size of the heap")
    written.write(rows.tobytes())
    written.seek(end)
    _update_checksums(header, written, start)


def _update_checksums(header, written, start):
    """Set CHECKSUM and DATASUM, where the extension has them, in the file."""
    end = written.tell()
    if "DATASUM" in header or "CHECKSUM" in header:
        size = len(header.tostring(sep="", endcard=True, padding=True))
        total = 0
        written.seek(start + size)
        for piece in _pieces(written, end - start - size):
            total = add_to_sum(total, piece)
        if "DATASUM" in header:
            header["DATASUM"] = str(total)
        if "CHECKSUM" in header:
            header["CHECKSUM"] = "0" * 16
            plain = header.tostring(sep="", endcard=True, padding=True).encode("ascii")
            header["CHECKSUM"] = encode(add_to_sum(total, plain))
        written.seek(start)
        written.write(header.tostring(sep="", endcard=True, padding=True).encode("ascii"))
    written.seek(end)


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0:
        piece = file.read(min(size, _PIECE))
        if not piece:
            return
        yield piece
        size -= len(piece)
