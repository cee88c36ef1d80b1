"""Fit the check for cutouts unlike those trained on, by showing it wrongly made ones."""

from dataclasses import replace

import numpy as np
from PIL import Image
from scipy.optimize import minimize

from lsbg_classifier.cutouts.colours import colours_of_fluxes, scaled_fluxes_of_colours
from lsbg_classifier.cutouts.coverage import judge
from lsbg_classifier.likeness import STATISTICS, Likeness, standardised, statistics
from lsbg_classifier.surveys import CUTOUT_SIZE
from lsbg_classifier.training.batches import Augmentation

_FEWEST, _FEWEST_OF_ANOTHER, _MOST = 500, 80, 6000
"""Cutouts that the fit needs, that it makes do with for images that no check knows, and looks at.

Of 80 simulated HSC cutouts a fit called 1% of 221 others wrong, and 92% or more of those made
wrongly in each way; of 150, 0% and 100%.
"""

_STRETCH = 5.0
"""Factor between the colour scales of DES and HSC in the viewer."""

_FALSE_ALARMS = 0.02
"""Part of the right cutouts that may be taken for wrong ones."""

_PENALTY = 1e-4


def fit_likeness(images: np.ndarray, *, seed: int, other_images: bool = False) -> Likeness | None:
    """Fit the check to the cutouts that a network is trained on.

    Those with gaps are left aside. Half of the rest, and augmented ones, are set against the same
    made wrongly in each way of `wrongly_made`; the other half decides the threshold.

    Parameters
    ----------
    images : array of uint8, shape (N, 64, 64, 3)
        Fewer than 500 are too few: there is no check then.
    seed : int
    other_images : bool
        There is no other check for such images, so that 80 cutouts must do.

    Returns
    -------
    Likeness or None
        None where there are too few cutouts.
    """
    if len(images) < (_FEWEST_OF_ANOTHER if other_images else _FEWEST):
        return None
    rng = np.random.default_rng(seed)
    chosen = images[rng.permutation(len(images))[:_MOST]]
    chosen = chosen[[judge(image) == 0 for image in chosen]]
    fitted, held_out = chosen[::2], chosen[1::2]
    right = statistics(np.concatenate([fitted, _augmented(fitted, rng)]))
    wrong = statistics(np.concatenate(list(wrongly_made(_augmented(fitted, rng)).values())))
    centre, scale = right.mean(axis=0), right.std(axis=0) + 1e-3
    form = _quadratic_form(
        standardised(np.concatenate([right, wrong]), centre, scale),
        np.repeat([0.0, 1.0], [len(right), len(wrong)]),
    )
    check = Likeness(centre, scale, form, 0.0)
    scores = check.score(np.concatenate([held_out, _augmented(held_out, rng)]))
    return replace(check, threshold=float(np.quantile(scores, 1 - _FALSE_ALARMS)))


def wrongly_made(images: np.ndarray) -> dict[str, np.ndarray]:
    """Make cutouts as they should not be.

    Parameters
    ----------
    images : array of uint8, shape (N, 64, 64, 3), N at least 4

    Returns
    -------
    dict of str to array of uint8, shape (M, 64, 64, 3)
        ``brighter`` and ``fainter``: five times the fluxes, and a fifth, in the viewer's formula.
        ``swapped``: bands in the opposite order. ``wider``: twice the pixel scale, four cutouts in
        one. ``closer``: half the pixel scale.
    """
    return {
        "brighter": _stretched(images, _STRETCH),
        "fainter": _stretched(images, 1 / _STRETCH),
        "swapped": images[..., ::-1],
        "wider": _wider(images),
        "closer": _resized(images[:, 16:48, 16:48]),
    }


def _stretched(images, factor):
    fluxes = scaled_fluxes_of_colours(images.astype(np.float32))[..., ::-1] * factor
    planes = np.moveaxis(fluxes, -1, 1)
    coloured = [colours_of_fluxes(cutout, (1.0, 1.0, 1.0)) for cutout in planes]
    return np.stack(coloured).astype(np.uint8)


def _wider(images):
    """Put four cutouts side by side, and shrink them into one."""
    groups = len(images) // 4
    side = 2 * CUTOUT_SIZE
    fours = images[: 4 * groups].reshape(groups, 2, 2, CUTOUT_SIZE, CUTOUT_SIZE, 3)
    return _resized(fours.swapaxes(2, 3).reshape(groups, side, side, 3))


def _resized(images):
    size = (CUTOUT_SIZE, CUTOUT_SIZE)
    return np.stack(
        [
            np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
            for image in images
        ]
    )


def _augmented(images, rng):
    """Blur and roughen cutouts as training does."""
    scaled = images.astype(np.float32) / 255
    changed, _ = Augmentation(lost=0.0).apply(scaled, np.zeros(len(images)), rng)
    return np.round(changed * 255).astype(np.uint8)


def _quadratic_form(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Fit a logistic regression on all products of two entries; returns a symmetric matrix."""
    rows, columns = np.triu_indices(STATISTICS + 1)
    products = vectors[:, rows] * vectors[:, columns]
    size = products.std(axis=0)
    size[0] = 1.0  # the constant
    scaled = products / size
    weights = np.where(labels == 1, 0.5 / labels.mean(), 0.5 / (1 - labels.mean()))

    def loss(theta):
        logits = scaled @ theta
        error = weights * (1 / (1 + np.exp(-np.clip(logits, -50, 50))) - labels)
        value = weights @ (np.logaddexp(0, logits) - labels * logits)
        penalty = _PENALTY * len(labels) / 2
        slope = scaled.T @ error + 2 * penalty * np.append(0, theta[1:])
        return value + penalty * (theta[1:] ** 2).sum(), slope

    fitted = minimize(loss, np.zeros(len(rows)), jac=True, method="L-BFGS-B").x / size
    form = np.zeros((STATISTICS + 1,) * 2)
    form[rows, columns] = fitted / 2
    return form + form.T
