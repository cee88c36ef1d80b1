"""Which part of the candidates are LSBGs, from labels of some that were drawn at random."""

from dataclasses import dataclass

import numpy as np

from lsbg_classifier.training.judgements import Consensus

_FEWEST = 20
"""Labels drawn at random without which nothing is said of all candidates."""


@dataclass(frozen=True)
class EstimatedPrior:
    """The fraction of LSBGs among all candidates, and how well it is known.

    Attributes
    ----------
    lsbgs, count : int
        LSBGs among the labels drawn at random, and all of these.
    value : float
        Mean of the posterior, by Jeffreys' prior: never 0 or 1.
    low, high : float
        Ends of its 95% interval (Brown, Cai & DasGupta 2001, Stat. Sci. 16, 101, section 4.3).
    """

    lsbgs: int
    count: int
    value: float
    low: float
    high: float

    def __str__(self):
        """Say it in words, for a summary and a card."""
        return (
            f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f}), from {self.count} labels drawn "
            f"at random, {self.lsbgs} of them LSBGs"
        )


def estimate_prior(labels: np.ndarray) -> EstimatedPrior | None:
    """Estimate the fraction of LSBGs from labels of candidates drawn at random.

    Parameters
    ----------
    labels : array of int, shape (N,)
        1 = LSBG, 0 = artifact.

    Returns
    -------
    EstimatedPrior or None
        None where there are fewer than 20.

    Examples
    --------
    >>> import numpy as np
    >>> from lsbg_classifier.training.prior import estimate_prior
    >>> str(estimate_prior(np.repeat([1, 0], [6, 54])))
    '0.107 (0.043 to 0.195), from 60 labels drawn at random, 6 of them LSBGs'
    """
    from scipy.stats import beta

    lsbgs, count = int(np.sum(labels)), len(labels)
    if count < _FEWEST:
        return None
    posterior = beta(lsbgs + 0.5, count - lsbgs + 0.5)
    low = 0.0 if lsbgs == 0 else float(posterior.ppf(0.025))
    high = 1.0 if lsbgs == count else float(posterior.ppf(0.975))
    return EstimatedPrior(lsbgs, count, float(posterior.mean()), low, high)


def prior_notes(consensus: Consensus) -> list[str]:
    """Say which part of the candidates are LSBGs, or why that is not known."""
    drawn = consensus.labels[consensus.random]
    prior = estimate_prior(drawn)
    if prior is not None:
        return [f"prior: {prior}"]
    if not len(drawn):
        return []
    return [
        f"the prior is not taken from the {len(drawn)} labels drawn at random: at least {_FEWEST} "
        "are needed"
    ]
