"""Images of candidates from the pixels of a tile: fluxes, resampling, colours, one after the other.

All steps run in one compiled pass, so that the pixels stay in the processor's cache. Machine code
that an earlier run has stored is compiled again only if this file has changed: whoever changes
`count_blank_zeros` in `no_data` must save this file too.
"""

import numpy as np

from lsbg_classifier.compiled import compiled, prefetch
from lsbg_classifier.cutouts.no_data import LARGEST_COUNT, count_blank_zeros
from lsbg_classifier.cutouts.pixel_layout import Course, Lines
from lsbg_classifier.surveys import VIEWER_SIZE

_LARGEST = np.finfo(np.float32).max
"""The largest finite flux."""

_LARGEST_COUNT = np.float32(LARGEST_COUNT)

_AHEAD, _CACHE_LINE = 4, 64
"""How many rows memory is asked for in advance, and the bytes of one line of the cache."""

_FIRST, _SECOND, _THIRD = np.uint64(0xFF), np.uint64(0xFF00), np.uint64(0xFF0000)
_8, _24 = np.uint64(8), np.uint64(24)
"""Masks of the bytes of a number, and by how many bits they are shifted to swap them."""

Q = 20.0
"""Softening of the arcsinh stretch."""

M = 0.03
"""Offset of the sky above black, in scaled flux."""

_PART = 512
"""Pixels that are coloured at a time; their intermediate values fit into the cache."""

_ROOT_HALF = 0x3F3504F3
"""Bits of the float32 nearest to sqrt(1/2)."""

REACH = 3
"""Pixels that the kernel reaches to each side."""

_TOGETHER, _MOST_DRIFT = 32, 0.16
"""Neighbouring samples are made together, with weights that are computed once for all bands: at
most so many samples, whose drift (see `Course`) adds up to at most so many pixels."""

_CLOSE = 0.7
"""Samples that are closer than this, in pixels, are made in several sets; see `resample`."""

_DEGREE = 8
"""Degree of the polynomials that give the weights to 1e-5."""


def _polynomials() -> tuple[tuple[np.float32, ...], ...]:
    """Fit the weights of the first three of six pixels; those of the others are mirror images.

    They depend on where between the third and the fourth pixel the sample is, from the middle.
    """
    farthest = (1 + _MOST_DRIFT) / 2
    place = farthest * np.cos(np.pi * (np.arange(200) + 0.5) / 200)
    offset = place[:, None] + 0.5 - np.arange(1 - REACH, REACH + 1)
    kernel = np.sinc(offset) * np.sinc(offset / REACH)
    weights = kernel / kernel.sum(axis=1, keepdims=True)
    fitted = np.polynomial.polynomial.polyfit(place, weights[:, :REACH], _DEGREE)
    return tuple(tuple(column) for column in fitted.T.astype(np.float32))


OUTER, MIDDLE, INNER = _polynomials()
"""Coefficients of the weights of the pixels third, second and next to a sample."""


@compiled
def render(bands, corners, affines, scales, patch, images):
    """Make colour images of some candidates. Compiled code.

    Parameters
    ----------
    bands : tuple of Band
        Three of a strip of a tile, blue to red, all of the same types.
    corners : array of int, shape (N, 2)
        Pixels x and y of the strip that the images' patches begin with; they may be partly or
        wholly outside.
    affines : array of float, shape (N, 2, 3)
        Map the viewer's grid into each patch; see `resample`.
    scales : array of float32, shape (3,)
        The survey's colour scale of each band.
    patch : array of float32, shape (3, height, width)
        Memory for one patch.
    images : Images
        Its arrays are filled.
    """
    side = images.colours.shape[2]
    samples = np.empty((3, side, side), np.float32)
    planes = samples.reshape(3, side * side)
    for number in range(len(corners)):
        x, y = corners[number]
        images.masked[number] = fill_patch(bands, x, y, patch, images.gaps[number])
        resample(patch, affines[number], samples)
        colour(planes, scales, images.colours[number].reshape(3, side * side))


@compiled
def fill_patch(bands, x, y, patch, gaps):
    """Fill in a patch of some bands in nanomaggies, zero where there are no data. Compiled code.

    Parameters
    ----------
    bands : tuple of Band
    x, y : int
        Where in the strip the patch begins; it may be partly or wholly outside.
    patch : array of float32, shape (bands, height, width)
        Gets the fluxes.
    gaps : array of float, shape (bands,)
        Gets the fractions without data.

    Returns
    -------
    float
        Fraction of bad pixels in the central quarter.
    """
    _, height, width = patch.shape
    bad = np.zeros((height, width), np.bool_)
    for number in range(len(bands)):
        with_data = _fill(bands[number], x, y, patch[number], bad)
        gaps[number] = 1 - with_data / (height * width)
    bad_pixels = 0
    for row in range(height // 4, height - height // 4):
        for column in range(width // 4, width - width // 4):
            bad_pixels += bad[row, column]
    return bad_pixels / ((height - height // 4 * 2) * (width - width // 4 * 2))


@compiled
def _fill(band, x, y, fluxes, bad):
    """Fill in one band, mark bad pixels, and count those with data."""
    height, width = fluxes.shape
    image, mask, weight = band.image, band.mask, band.weight
    # Memory for one row of each image: as the bytes are stored, and as numbers.
    image_line = np.empty(width, image.values.dtype)
    mask_line = np.empty(width, mask.values.dtype)
    weight_line = np.empty(width, weight.values.dtype)
    counts, bits = image_line.view(image.kind.dtype), mask_line.view(mask.kind.dtype)
    weights = weight_line.view(weight.kind.dtype)
    b0, b1, b2, b3 = band.blanks[0], band.blanks[1], band.blanks[2], band.blanks[3]
    sound_pixels = np.empty((height, width), np.uint8)
    first, last = _inside(x, width, image.width)
    bottom, top = _inside(y, height, image.height)
    # Unsigned indices spare the check whether an index counts from the end.
    begin, count, sound_total, lit_total = np.uint64(first), last - first, 0, 0
    if count * (top - bottom) < width * height:
        fluxes[:] = 0
        sound_pixels[:] = 0
    for row in range(bottom - _AHEAD, top):
        if row + _AHEAD < top:
            _ask_for(image.values, (y + row + _AHEAD) * image.stride + x + first, count)
            _ask_for(mask.values, (y + row + _AHEAD) * mask.stride + x + first, count)
            if band.has_weight:
                _ask_for(weight.values, (y + row + _AHEAD) * weight.stride + x + first, count)
        if row < bottom:
            continue
        place = (y + row) * image.stride + x + first
        _read_line(image.values, place, count, image.swap, image_line)
        place = (y + row) * mask.stride + x + first
        _read_line(mask.values, place, count, mask.swap, mask_line)
        for n in range(np.uint64(count)):
            value = np.float32(counts[n])
            flux = value * band.scale
            sound = (abs(flux) <= _LARGEST) & (abs(value) <= _LARGEST_COUNT)
            sound &= (value > band.lowest) & ((bits[n] & band.no_data) == 0)
            sound &= (value != b0) & (value != b1) & (value != b2) & (value != b3)
            fluxes[row, begin + n] = flux if sound else np.float32(0)
            sound_pixels[row, begin + n] = sound
        if band.has_weight:
            place = (y + row) * weight.stride + x + first
            _read_line(weight.values, place, count, weight.swap, weight_line)
            positive = np.int32(0)
            for n in range(np.uint64(count)):
                positive += np.int32(weights[n] > 0)
            if positive < count:
                for n in range(np.uint64(count)):
                    sound = weights[n] > 0
                    flux = fluxes[row, begin + n]
                    fluxes[row, begin + n] = flux if sound else np.float32(0)
                    sound_pixels[row, begin + n] &= sound
        # Loops that do one thing each are compiled to vector instructions.
        sound_count, lit_count = np.int32(0), np.int32(0)
        for n in range(np.uint64(count)):
            sound_count += np.int32(sound_pixels[row, begin + n])
            lit_count += np.int32(fluxes[row, begin + n] != 0)
        if height // 4 <= row < height - height // 4:  # where bad pixels count
            for n in range(np.uint64(count)):
                bad[row, begin + n] |= (bits[n] & band.bad) != 0
        sound_total += sound_count
        lit_total += lit_count
    if lit_total == 0:  # a band of zeros has no data
        return 0
    if sound_total > lit_total and not band.has_weight:
        sound_total -= count_blank_zeros(fluxes, sound_pixels, band.is_integer)
    return sound_total


@compiled
def _inside(start, size, length_of_image):
    """Return which of `size` pixels from `start` on lie in an image: the first, and the end."""
    first = min(size, max(0, -start))
    return first, max(first, min(size, length_of_image - start))


@compiled
def _ask_for(values, start, count):
    """Ask memory for a part of a row that is used some rows later."""
    for n in range(0, count, _CACHE_LINE // values.itemsize):
        prefetch(values, start + n)
    prefetch(values, start + count - 1)


@compiled
def _read_line(values, start, count, swap, line):
    """Copy a part of a row to the beginning of a line, in the machine's order of bytes."""
    start, count = np.uint64(start), np.uint64(count)
    size = line.itemsize if swap else 1
    if size == 1:
        for n in range(count):
            line[n] = values[start + n]
    elif size == 2:
        for n in range(count):
            value = values[start + n]
            line[n] = (value << _8) | (value >> _8)
    elif size == 4:
        for n in range(count):
            value = values[start + n]
            inner = ((value << _8) & _THIRD) | ((value >> _8) & _SECOND)
            line[n] = (value << _24) | inner | (value >> _24)
    else:
        for n in range(count):
            value, swapped = np.uint64(values[start + n]), np.uint64(0)
            for _ in range(8):
                swapped = (swapped << _8) | (value & _FIRST)
                value >>= _8
            line[n] = swapped


@compiled
def resample(patch, affine, sampled):
    """Sample a patch on the viewer's 256x256 grid, or on a coarser one of the same field.

    The affine map is applied in two passes, first along rows and then along columns, which is
    exact for band-limited images. Compiled code.

    Parameters
    ----------
    patch : array of float32, shape (bands, height, width)
        Part of a coadd, in the coadd's own row order.
    affine : array of float, shape (2, 3)
        ``[[x0, xu, xv], [y0, yu, yv]]``: where in the patch the centre of the grid falls, and how
        far a step of one grid pixel to the right (u) and up (v) moves in x and y. Rotations must
        be small: |xv| and |yu| well below |xu| and |yv|.
    sampled : array of float32, shape (bands, side, side)
        Gets the samples, row 0 at the top (north). A side of 128 means one sample at the middle of
        every 2x2 of the viewer's pixels.

    Raises
    ------
    ValueError
        If the patch does not hold the grid and the three pixels around it that the kernel reaches.
    """
    bands, height, width = patch.shape
    side = sampled.shape[2]
    x0, xu, xv = affine[0]
    y0, yu, yv = affine[1]
    check_room(width, x0, xu, xv)
    check_room(height, y0, yu, yv)
    size = VIEWER_SIZE / side
    top = (size - VIEWER_SIZE) / 2
    step, slant = xu - xv * yu / yv, xv / yv
    # Samples of one set are about a pixel apart, so that neighbours take neighbouring pixels and
    # `_sample` can make many of them in one vectorised loop. The sets are then interleaved.
    sets = 1
    while sets * size * abs(step) < _CLOSE and sets < side:
        sets *= 2
    columns = side // sets
    pixels = patch.reshape(bands, height * width)
    narrow = np.empty((bands, height * columns), np.float32)
    samples = sampled.reshape(bands, side * side)
    part = samples if sets == 1 else np.empty((bands, side * columns), np.float32)
    for first in range(sets):
        left = top + first * size
        across = Course(x0 - slant * y0 + step * left, slant, step * size * sets - 1)
        down = Course(y0 + yu * left - yv * top, -yv * size, yu * size * sets)
        _sample(pixels, Lines(height, width, 1, 1, width), across, narrow)
        _sample(narrow, Lines(side, 0, columns, 0, height), down, part)
        if sets > 1:
            for band in range(bands):
                for n in range(side * columns):
                    samples[band, first + n * sets] = part[band, n]


@compiled
def check_room(length, centre, right, up):
    """Refuse a patch that does not hold the grid along one axis.

    Parameters
    ----------
    length : int
        Pixels of the patch along the axis.
    centre, right, up : float
        A row of the affine map; see `resample`.

    Raises
    ------
    ValueError
        If the grid, or the pixels that the kernel reaches, lie outside.
    """
    half = (abs(right) + abs(up)) * (VIEWER_SIZE - 1) / 2
    if not (centre - half >= REACH - 1 and centre + half <= length - 1 - REACH):
        raise ValueError("a patch must hold the grid and the pixels that the kernel reaches")


@compiled
def _sample(pixels, lines, course, sampled):
    """Sample lines of images, `Lines`, along a `Course`; both images are flat, shape (bands, n)."""
    to_pixel, moves = lines.pixel_step, lines.moves
    samples = sampled.shape[1] // lines.line_count
    drift = course.drift
    together = _TOGETHER
    while together > 1 and together * abs(drift) > _MOST_DRIFT:
        together //= 2
    weights = np.empty((2 * REACH, _TOGETHER), np.float32)
    ahead = np.uint64(to_pixel)  # unsigned, so that no index can count from the end
    for line in range(lines.line_count):
        for start in range(0, samples, together):
            count = min(together, samples - start)
            # `begin` is the place of the first sample. The weights are computed from where a sample
            # lies between the third and the fourth of its six pixels; the third is chosen for the
            # middle one of these samples, and so that all pixels lie in the image.
            begin = course.start + course.slant * line + drift * start
            third = int(np.floor(begin + drift * (together - 1) / 2))
            last = lines.length - 1 - REACH - moves * (start + count - 1)
            third = min(max(third, REACH - 1 - moves * start), last)
            _weigh(begin - third - 0.5, drift, count, weights)
            # The six pixels of the first sample, from left to right or from bottom to top.
            a = np.uint64(line * lines.step + start + (third + 1 - REACH) * to_pixel)
            b, c = a + ahead, a + ahead + ahead
            d, e, f = c + ahead, c + ahead + ahead, c + ahead + ahead + ahead
            target = np.uint64(line * samples + start)
            for band in range(len(pixels)):
                for n in range(np.uint64(count)):
                    near = weights[2, n] * pixels[band, c + n] + weights[3, n] * pixels[band, d + n]
                    far = weights[1, n] * pixels[band, b + n] + weights[4, n] * pixels[band, e + n]
                    ends = weights[0, n] * pixels[band, a + n] + weights[5, n] * pixels[band, f + n]
                    sampled[band, target + n] = near + far + ends


@compiled
def _weigh(place, drift, count, weights):
    """Compute the weights of six pixels for some neighbouring samples."""
    place, drift = np.float32(place), np.float32(drift)
    for n in range(count):
        x = place + drift * np.float32(np.int32(n))
        weights[0, n], weights[5, n] = weigh_pair(x, OUTER)
        weights[1, n], weights[4, n] = weigh_pair(x, MIDDLE)
        weights[2, n], weights[3, n] = weigh_pair(x, INNER)


@compiled
def weigh_pair(x, c):
    """Return a polynomial at x and at -x.

    Parameters
    ----------
    x : float32
    c : tuple of float32
        Nine coefficients, that of the constant first.

    Returns
    -------
    float32, float32
    """
    x2 = x * x
    even = c[0] + x2 * (c[2] + x2 * (c[4] + x2 * (c[6] + x2 * c[8])))
    odd = x * (c[1] + x2 * (c[3] + x2 * (c[5] + x2 * c[7])))
    return even + odd, even - odd


@compiled
def colour(planes, scales, coloured):
    """Turn planes of fluxes into a colour image. Compiled code.

    The formula is that of `lsbg_classifier.cutouts.colours`. The work goes by parts that stay in
    the processor's cache, in loops that use its vector units: of the logarithm in
    arcsinh x = log(x + sqrt(x^2 + 1)), the power of two is taken from the bits of the number, and
    the rest from the series of the area tangent.

    Parameters
    ----------
    planes : array of float32, shape (3, n)
        Nanomaggies, blue to red.
    scales : array of float32, shape (3,)
        The survey's colour scale of each band.
    coloured : array of uint8, shape (3, n)
        Gets red, green and blue.
    """
    offset, full = np.float32(M), np.float32(255)
    zero, one, third = np.float32(0), np.float32(1), np.float32(1 / 3)
    softening = np.float32(Q)
    gain = np.float32(255 / np.sqrt(Q))
    intensity, factor = np.empty(_PART, np.float32), np.empty(_PART, np.float32)
    number = np.empty(_PART, np.float32)
    bits = number.view(np.int32)
    root_half, shift = np.int32(_ROOT_HALF), np.int32(23)
    blue, green, red = scales[0], scales[1], scales[2]
    for start in range(0, planes.shape[1], _PART):
        part = slice(start, start + _PART)
        b, g, r = planes[0, part], planes[1, part], planes[2, part]
        for n in range(len(b)):
            total = max(b[n] * blue + offset, zero) + max(g[n] * green + offset, zero)
            total += max(r[n] * red + offset, zero)
            intensity[n] = min(max(total * third, np.float32(1e-6)), np.float32(1e15))
            x = softening * intensity[n]
            number[n] = x + np.sqrt(x * x + one)
        for n in range(len(b)):
            power = np.int32(np.int32(bits[n] - root_half) >> shift)
            bits[n] = np.int32(bits[n] - np.int32(power << shift))
            factor[n] = np.float32(power) * np.float32(0.6931471805599453)
        for n in range(len(b)):
            t = (number[n] - one) / (number[n] + one)
            t2 = t * t
            series = np.float32(1 / 7) + t2 * np.float32(1 / 9)
            series = third + t2 * (np.float32(1 / 5) + t2 * series)
            logarithm = factor[n] + np.float32(2) * t * (one + t2 * series)
            factor[n] = gain * logarithm / intensity[n]
        for band in range(3):
            fluxes, scale = planes[band, part], scales[band]
            target = coloured[2 - band, part]
            for n in range(len(fluxes)):
                value = (fluxes[n] * scale + offset) * factor[n]
                target[n] = np.uint8(min(max(value, zero), full))
