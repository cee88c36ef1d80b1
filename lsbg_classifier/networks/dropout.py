"""Monte Carlo dropout (Gal & Ghahramani 2016, ICML 48, 1050): how a network's answer spreads.

The network is run many times on one cutout, with other values dropped each time, as in training.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from catalogs.errors import InputError
from lsbg_classifier.networks.steps import Step, crossing, dependents

PASSES = 32
"""Runs of a cutout: the spread then has an error of an eighth of itself, 1 / sqrt(2 (n - 1))."""

_KINDS = ("Dropout", "SpatialDropout2D")


@dataclass(frozen=True)
class RandomPart:
    """What dropout changes in a network; what comes before is run once a cutout.

    Attributes
    ----------
    names : frozenset of str
        Steps from the first dropouts to the output.
    inputs : tuple of str
        Steps before, whose outputs the random part takes.
    dropouts : tuple of Step
        In order.
    shapes : tuple of tuple of int
        Of what each of them drops from, without the batch.
    """

    names: frozenset[str]
    inputs: tuple[str, ...]
    dropouts: tuple[Step, ...]
    shapes: tuple[tuple[int, ...], ...]


def random_part(steps: list[Step], shape_of: Callable[[str], tuple[int, ...]]) -> RandomPart:
    """Find the part of a network that dropout changes.

    Parameters
    ----------
    steps : list of Step
    shape_of : callable
        Gives the shape of a step's output, without the batch, by its name.

    Returns
    -------
    RandomPart

    Raises
    ------
    InputError
        If the network drops nothing.
    """
    dropouts = [step for step in steps if step.kind in _KINDS and step.config["rate"] > 0]
    if not dropouts:
        raise InputError(
            "the network of these weights has no dropout, from which the spread of a probability "
            "is made; leave the spread out, or choose other weights"
        )
    starts = {step.name for step in dropouts}
    names = starts | dependents(steps, starts)
    return RandomPart(
        names=frozenset(names),
        inputs=tuple(crossing(steps, names)),
        dropouts=tuple(dropouts),
        shapes=tuple(tuple(shape_of(step.name)) for step in dropouts),
    )


def random_masks(part: RandomPart, row: int, seed: int) -> list[np.ndarray]:
    """Draw what each pass drops: factors of 0, or of 1 / (1 - rate) for what stays.

    Parameters
    ----------
    part : RandomPart
    row, seed : int
        The key of the random numbers (Philox), 64 bits each: nothing else decides them.

    Returns
    -------
    list of array of float32, shape (PASSES, *shape)
        One a dropout.
    """
    key = np.array([row, seed]).astype(np.int64).view(np.uint64)
    rng = np.random.Generator(np.random.Philox(key=key))
    masks = []
    for step, shape in zip(part.dropouts, part.shapes, strict=True):
        rate = np.float32(step.config["rate"])
        drawn = _drawn_shape(step, shape)
        stays = rng.random((PASSES, *drawn), np.float32) >= rate
        factors = stays * (1 / (1 - rate))
        masks.append(np.broadcast_to(factors, (PASSES, *shape)).astype(np.float32))
    return masks


def _drawn_shape(step: Step, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the numbers drawn; whole channels share one in spatial dropout."""
    if step.kind == "SpatialDropout2D":
        return (1, 1, shape[-1])
    noise = step.config.get("noise_shape")
    if noise is None:
        return shape
    return tuple(
        full if size is None else size for full, size in zip(shape, noise[1:], strict=True)
    )
