"""LSBGs that are labelled as others: what the loss and the calibration must know of them.

Where the LSBGs of a sample are mocks, and its others the real candidates of a survey, some of the
others are LSBGs that nobody has labelled. With a fraction u of the others, a true LSBG of the
sample carries the label 1 with the probability

    keep = f / (f + u (1 - f)),

where f is the labelled fraction of LSBGs; a true other never carries it. So the probability of the
label is ``keep`` times that of the truth, and the network, which is to give the second, is trained
by the cross-entropy of the first: the forward correction of Patrini et al. 2017 (CVPR, 2233,
theorem 2), whose optimum is that of clean labels. For positive and unlabelled samples ``keep`` is
the constant c of Elkan & Noto 2008 (KDD, 213). It supposes that unlabelled LSBGs look like mocks.
"""

import json
from pathlib import Path

from catalogs.errors import InputError

NOISE_FILE = "label-noise.json"
"""In the folder of a dataset, where its labels have such noise."""


def labelled_part(lsbgs: float, unlabelled: float) -> float:
    """Return which part of the true LSBGs of a sample carries the label.

    Parameters
    ----------
    lsbgs : float
        Fraction of the sample that is labelled as LSBG, in (0, 1].
    unlabelled : float
        Fraction of the others that are LSBGs nevertheless, in [0, 1).

    Returns
    -------
    float
        ``keep``; 1 without such noise.

    Examples
    --------
    >>> from lsbg_classifier.training.label_noise import labelled_part
    >>> round(labelled_part(0.5, 0.25), 3)
    0.8
    """
    return lsbgs / (lsbgs + unlabelled * (1 - lsbgs))


def true_fraction(lsbgs: float, unlabelled: float) -> float:
    """Return the fraction of true LSBGs in a sample.

    Parameters
    ----------
    lsbgs, unlabelled : float
        As for `labelled_part`.

    Returns
    -------
    float
    """
    return lsbgs + unlabelled * (1 - lsbgs)


def unlabelled_fraction(folder: Path) -> float:
    """Return the fraction of a dataset's others that are expected to be LSBGs.

    Parameters
    ----------
    folder : Path
        Of the dataset.

    Returns
    -------
    float
        0 where the dataset says nothing of it.

    Raises
    ------
    InputError
        If what it says cannot be read.
    """
    path = folder / NOISE_FILE
    if not path.exists():
        return 0.0
    try:
        fraction = float(json.loads(path.read_text(encoding="utf-8"))["unlabelled_fraction"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: damaged; make the dataset again") from error
    if not 0 <= fraction < 1:
        raise InputError(f"{path}: {fraction:g} is no fraction; make the dataset again")
    return fraction
