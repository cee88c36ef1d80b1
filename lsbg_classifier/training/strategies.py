"""In which order candidates are best labelled: the uncertain, the diverse, both, or any.

Each strategy returns an order of which every beginning is a set to label, so that whoever stops
early has labelled the best candidates of as many.

- ``uncertain``: closest to the threshold first (Lewis & Gale 1994, SIGIR, 3).
- ``diverse``: spread over the network's features, whatever the probability. The seeding of
  k-means++ (Arthur & Vassilvitskii 2007, SODA, 1027) draws each next candidate by its squared
  distance from those that were drawn, which is a softer form of the core-set of Sener & Savarese
  (2018, ICLR).
- ``both``: BADGE (Ash et al. 2020, ICLR). The same seeding on the gradients of the last layer,
  which are long where the network is uncertain and point where the features do.
- ``random``: drawn evenly.
"""

from dataclasses import dataclass

import numpy as np

from lsbg_classifier.calibration import logit

STRATEGIES = ("uncertain", "diverse", "both", "random")
"""Names that ``lsbg report --strategy`` takes."""

NEED_FEATURES = ("diverse", "both")
"""Those that look at the network's features, and so at cutouts."""

_POOL = 10
"""Candidates that are looked at to choose one, where features are needed."""


@dataclass(frozen=True)
class Pool:
    """Candidates that may be labelled.

    Attributes
    ----------
    probability : array of float, shape (N,)
    threshold : float
        Where a probability is most uncertain.
    features : array of float, shape (N, M), optional
        How the network sees them; needed by the strategies of `NEED_FEATURES`.
    """

    probability: np.ndarray
    threshold: float
    features: np.ndarray | None = None

    @property
    def doubt(self) -> np.ndarray:
        """How uncertain the network is: 0.5 at the threshold, 0 where it is sure; (N,)."""
        distance = logit(self.probability) - logit(np.array(self.threshold))
        return 1 / (1 + np.exp(np.abs(distance)))


def learning_order(strategy: str, pool: Pool, count: int, seed: int = 0) -> np.ndarray:
    """Choose what to label, the first first.

    Parameters
    ----------
    strategy : str
        One of `STRATEGIES`.
    pool : Pool
    count : int
        Candidates wanted, at most.
    seed : int
        Of what is drawn.

    Returns
    -------
    array of int64, shape (count,) or fewer
        Places in the pool, each once.

    Raises
    ------
    ValueError
        If there is no such strategy, or it needs features that the pool does not have.
    """
    count = min(count, len(pool.probability))
    if not count and strategy in STRATEGIES:
        return np.empty(0, np.int64)
    if strategy == "uncertain":
        return _most_uncertain(pool, count)
    if strategy == "random":
        return np.random.default_rng(seed).permutation(len(pool.probability))[:count]
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}, not {strategy!r}")
    if pool.features is None:
        raise ValueError(f"the strategy {strategy!r} needs features")
    vectors = np.asarray(pool.features, np.float64)
    vectors = vectors - vectors.mean(axis=0)
    if strategy == "both":
        vectors = _gradients(pool, vectors)
    return _spread(vectors, count, seed)


def looked_at(strategy: str, pool: Pool, count: int, seed: int = 0) -> np.ndarray:
    """Choose the candidates whose features a strategy needs to see.

    Of a catalog of millions nobody computes all features to choose a few hundred candidates: the
    most uncertain are looked at for ``both``, and any for ``diverse``, ten for each wanted.

    Parameters
    ----------
    strategy : str
        One of `NEED_FEATURES`.
    pool : Pool
        Without features.
    count : int
        Candidates wanted.
    seed : int
        Of what is drawn.

    Returns
    -------
    array of int64
        Places in the pool, ascending.
    """
    many = min(_POOL * count, len(pool.probability))
    usual = "uncertain" if strategy == "both" else "random"
    return np.sort(learning_order(usual, pool, many, seed))


def _most_uncertain(pool: Pool, count: int) -> np.ndarray:
    distance = np.abs(np.asarray(pool.probability, np.float64) - pool.threshold)
    return np.argsort(distance, kind="stable")[:count]


def _gradients(pool: Pool, vectors: np.ndarray) -> np.ndarray:
    """Return the gradient of the loss by the last layer, for the class that is likelier."""
    probability = np.asarray(pool.probability, np.float64)
    sign = np.where(probability > pool.threshold, -1.0, 1.0)
    with_bias = np.column_stack([vectors, np.full(len(vectors), vectors.std())])
    return (sign * pool.doubt)[:, None] * with_bias


def _spread(vectors: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Draw places one after the other, far from those drawn before; duplicates come last."""
    from sklearn.cluster import kmeans_plusplus

    different = len(np.unique(vectors, axis=0))
    _, places = kmeans_plusplus(vectors, min(count, different), random_state=seed)
    places = places[np.sort(np.unique(places, return_index=True)[1])]
    rest = np.setdiff1d(np.arange(len(vectors)), places)
    return np.concatenate([places, rest])[:count]
