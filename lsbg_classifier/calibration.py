"""Temperature and prior: probabilities closer to frequencies, in the same order.

Guo et al. 2017 (ICML 70, 1321): one number divides the network's logits.
"""

import numpy as np

from catalogs.errors import InputError
from lsbg_classifier.weights.cards import Card

_SMALLEST = 1e-6


def logit(probabilities: np.ndarray) -> np.ndarray:
    """Return log(p / (1 - p)), float64, finite for 0 and 1."""
    clipped = np.clip(np.asarray(probabilities, np.float64), _SMALLEST, 1 - _SMALLEST)
    return np.log(clipped) - np.log1p(-clipped)


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logits of probabilities by a temperature.

    Parameters
    ----------
    probabilities : array of float, shape (N,)
    temperature : float
        Above 1 the probabilities move towards 0.5, below 1 away from it.

    Returns
    -------
    array of float32, shape (N,)
    """
    return (1 / (1 + np.exp(-logit(probabilities) / temperature))).astype(np.float32)


def for_prior(probabilities: np.ndarray, before: float, now: float) -> np.ndarray:
    """Correct probabilities for candidates of which another fraction is LSBGs.

    Saerens, Latinne & Decaestecker 2002 (Neural Computation 14, 21, section 2.2): where both
    classes look as before, the odds change by the ratio of the odds of the two fractions. The
    order stays.

    Parameters
    ----------
    probabilities : array of float, shape (N,)
    before, now : float
        Fraction of LSBGs that the probabilities are for, and that of the candidates, both between
        0 and 1, ends excluded.

    Returns
    -------
    array of float32, shape (N,)

    Examples
    --------
    What is as likely as not where every second candidate is an LSBG is at 5% where one in twenty
    is:

    >>> float(for_prior(np.array([0.5]), 0.5, 0.05)[0].round(4))
    0.05
    """
    probabilities = np.asarray(probabilities, np.float64)
    lsbg, other = probabilities * (now / before), (1 - probabilities) * ((1 - now) / (1 - before))
    return (lsbg / (lsbg + other)).astype(np.float32)


def fit_temperature(
    labels: np.ndarray,
    probabilities: np.ndarray,
    fraction: float | None = None,
    unlabelled: float = 0.0,
) -> float:
    """Find the temperature under which the labels are most likely, between 0.05 and 20.

    Parameters
    ----------
    labels : array of int, shape (N,)
        1 = LSBG, 0 = not; of a validation set, never of the training set.
    probabilities : array of float, shape (N,)
    fraction : float, optional
        Of LSBGs, in (0, 1), that the probabilities are for, if it is not that of the labels.
    unlabelled : float
        Fraction of the others that are LSBGs nevertheless, in [0, 1): the labels are then as
        likely as the part of LSBGs that carries one makes them.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If only one class is present, or `fraction` is not above `unlabelled`.
    """
    from scipy.optimize import minimize_scalar  # it takes a quarter of a second to import

    labels = np.asarray(labels)
    if len(np.unique(labels)) != 2:
        raise InputError("a temperature needs a validation set with LSBGs and others")
    logits = logit(probabilities)
    own = labels.mean()
    lsbg_fraction = own + unlabelled * (1 - own) if fraction is None else fraction
    labelled = (lsbg_fraction - unlabelled) / (1 - unlabelled)  # of the weighted rows
    if not labelled > 0:
        raise InputError(
            f"a prior of {lsbg_fraction:g} is no more than the {unlabelled:.3g} of the others that "
            "are expected to be LSBGs; choose a larger --prior"
        )
    keep = labelled / lsbg_fraction
    weights = np.where(labels == 1, labelled / own, (1 - labelled) / (1 - own))

    def loss(log_temperature):
        scaled = logits / np.exp(log_temperature)
        # -log(keep p) and -log(1 - keep p) of p = 1 / (1 + exp(-scaled)), stable at both ends
        if_lsbg = np.logaddexp(0, -scaled) - np.log(keep)
        if_other = np.logaddexp(0, scaled)
        if keep < 1:
            if_other = if_other - np.logaddexp(0, scaled + np.log1p(-keep))
        return np.mean(weights * np.where(labels == 1, if_lsbg, if_other))

    minimum = minimize_scalar(loss, bounds=np.log([0.05, 20]), method="bounded")
    return float(np.exp(minimum.x))


def chosen_prior(card: Card, prior: float | None) -> float:
    """Return the fraction of LSBGs that probabilities are for: a given one, or that on the card.

    Parameters
    ----------
    card : Card
    prior : float or None

    Raises
    ------
    InputError
        If it is not between 0 and 1, or the card has none that can be changed.
    """
    if prior is None:
        return card.prior
    if not 0 < prior < 1:
        raise InputError(f"prior must be between 0 and 1, ends excluded, not {prior:g}")
    if not 0 < card.prior < 1:
        raise InputError(f"the weights {card.name} are for a prior of {card.prior:g} alone")
    return prior
