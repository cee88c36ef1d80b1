"""How pixels and samples lie in memory: what the compiled code of `pixels` takes and fills."""

from typing import NamedTuple

import numpy as np


class Pixels(NamedTuple):
    """Pixels as they lie in memory, for compiled code, which knows the machine's types alone.

    Attributes
    ----------
    values : array of unsigned int
        From the first pixel to the last, whatever lies between rows included.
    kind : array of shape (0,)
        Of the pixels' own type, in the machine's order of bytes.
    swap : bool
        Whether the bytes are in the other order.
    stride, height, width : int
        In pixels.
    """

    values: np.ndarray
    kind: np.ndarray
    swap: bool
    stride: int
    height: int
    width: int


class Band(NamedTuple):
    """A band of a strip, for compiled code.

    Attributes
    ----------
    image, mask, weight : Pixels
    scale : float32
        Nanomaggies a count.
    no_data, bad : int
        Bits of the mask, in its type.
    has_weight : bool
        Whether a weight tells which pixels have data: those where it is positive, exact zeros too.
    is_integer : bool
        Whether it is an image of integers.
    lowest : float32
        Counts from here downwards have no data.
    blanks : array of float32, shape (4,)
        Counts that stand for "no data".
    """

    image: Pixels
    mask: Pixels
    weight: Pixels
    scale: np.float32
    no_data: np.integer
    bad: np.integer
    has_weight: np.bool_
    is_integer: np.bool_
    lowest: np.float32
    blanks: np.ndarray


class Images(NamedTuple):
    """Memory for the images of some candidates and their quality, which compiled code fills.

    Attributes
    ----------
    colours : array of uint8, shape (N, 3, side, side)
        Red, green and blue, north up.
    gaps : array of float, shape (N, 3)
        Fractions of each band without data.
    masked : array of float, shape (N,)
        Fractions of bad pixels in the central quarter.
    """

    colours: np.ndarray
    gaps: np.ndarray
    masked: np.ndarray


class Lines(NamedTuple):
    """How `_sample` walks through a flat image, line by line.

    Attributes
    ----------
    line_count : int
        Lines to sample.
    step : int
        Elements of the image from a line to the next.
    pixel_step : int
        Elements from a pixel to the next of the six that are summed: 1 along a row, the row's
        length along a column.
    moves : int
        1 if the six pixels move on by one element with each sample, as along a row; 0 if each
        sample of a line has the same six, as when a row of samples is made from six rows.
    length : int
        Pixels in the direction of the sum.
    """

    line_count: int
    step: int
    pixel_step: int
    moves: int
    length: int


class Course(NamedTuple):
    """Where the samples of all lines lie, in pixels in the direction of the sum.

    Attributes
    ----------
    start : float
        Place of the first sample of the first line.
    slant : float
        How much farther the first sample of each next line lies.
    drift : float
        How much farther each next sample of a line lies than `Lines.moves` pixels.
    """

    start: float
    slant: float
    drift: float
