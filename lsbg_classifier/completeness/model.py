"""A smooth model of the completeness, which can be evaluated for any galaxy."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalogs.errors import InputError

_SHAPE = ("MU_MEAN", "LOG_R_EFF")
_DEGREE = 3
_FOLDS = 5
_CALIBRATION_BINS = 10
_LEAST = 50
"""Mocks, and at least 5 of each outcome, that a model needs."""

_STRENGTH = 1.0
"""Inverse strength of the penalty on squares of coefficients, as scikit-learn has it."""


@dataclass(frozen=True)
class CompletenessModel:
    """Logistic regression on polynomials of brightness and size, and lines in other properties.

    Attributes
    ----------
    band : str
        Of the mean surface brightness.
    others : tuple of str
        Names of the other properties.
    middle, width : mapping of str to float
        Mean and standard deviation of each property, by which it is standardised.
    lowest, highest : mapping of str to float
        The range of the mocks.
    powers : tuple of (int, int)
        Of surface brightness and of the logarithm of the radius, a term each.
    coefficients : tuple of float
        Of these terms, and then of the other properties.
    intercept : float
    """

    band: str
    others: tuple[str, ...]
    middle: Mapping[str, float]
    width: Mapping[str, float]
    lowest: Mapping[str, float]
    highest: Mapping[str, float]
    powers: tuple[tuple[int, int], ...]
    coefficients: tuple[float, ...]
    intercept: float

    def predict(self, mu_mean, r_eff, **others) -> np.ndarray:
        """Return the completeness for galaxies of some brightness and size.

        Parameters
        ----------
        mu_mean : array-like of float
            Mean surface brightness within the effective radius, in mag/arcsec2, in `band`.
        r_eff : array-like of float
            Effective radius along the geometric mean of the axes, in arcseconds.
        **others : array-like of float
            Other properties by the names of `others`, in lower case; left out, they have the
            mean of the mocks.

        Returns
        -------
        array of float64
            Between 0 and 1, of the shape of the parameters together; NaN outside of the range of
            brightness and size of the mocks, for which nothing is known.

        Raises
        ------
        ValueError
            If a property is unknown, or the shapes do not fit together.

        Examples
        --------
        A model of two terms, which falls from 1 to 0 at 26 mag/arcsec2:

        >>> from lsbg_classifier.completeness.model import CompletenessModel
        >>> names = ("MU_MEAN", "LOG_R_EFF")
        >>> model = CompletenessModel(
        ...     band="g",
        ...     others=(),
        ...     middle={"MU_MEAN": 26.0, "LOG_R_EFF": 0.6},
        ...     width=dict.fromkeys(names, 1.0),
        ...     lowest={"MU_MEAN": 24.0, "LOG_R_EFF": 0.4},
        ...     highest={"MU_MEAN": 28.0, "LOG_R_EFF": 1.1},
        ...     powers=((1, 0), (0, 1)),
        ...     coefficients=(-4.0, 0.0),
        ...     intercept=0.0,
        ... )
        >>> model.predict(mu_mean=[25.0, 26.0, 27.0, 29.0], r_eff=4.0).round(2)
        array([0.98, 0.5 , 0.02,  nan])
        """
        values = {"MU_MEAN": np.asarray(mu_mean, float)}
        with np.errstate(invalid="ignore", divide="ignore"):
            values["LOG_R_EFF"] = np.log10(np.asarray(r_eff, float))
        for name, value in others.items():
            if name.upper() not in self.others:
                choices = ", ".join(name.lower() for name in self.others)
                raise ValueError(f"the model has no property {name}: choose {choices}")
            values[name.upper()] = np.asarray(value, float)
        for name in self.others:
            values.setdefault(name, np.asarray(self.middle[name]))
        linear = self.intercept + sum(
            c * t for c, t in zip(self.coefficients, self._terms(values), strict=True)
        )
        known = np.ones((), bool)
        for name in _SHAPE:
            known = known & (values[name] >= self.lowest[name])
            known = known & (values[name] <= self.highest[name])
        return np.where(known, 1 / (1 + np.exp(-np.clip(linear, -500, 500))), np.nan)

    def _terms(self, values) -> list[np.ndarray]:
        z = {n: (values[n] - self.middle[n]) / self.width[n] for n in (*_SHAPE, *self.others)}
        shape = [z["MU_MEAN"] ** i * z["LOG_R_EFF"] ** j for i, j in self.powers]
        return [*shape, *(z[name] for name in self.others)]

    def to_json(self) -> dict:
        """Return it as JSON values; see `of_json`."""
        return {key: _plain(value) for key, value in vars(self).items()}

    @classmethod
    def of_json(cls, content: Mapping) -> "CompletenessModel":
        """Return the model that `to_json` has described."""
        content = dict(content)
        for key in ("others", "coefficients"):
            content[key] = tuple(content[key])
        content["powers"] = tuple((int(i), int(j)) for i, j in content["powers"])
        return cls(**content)


def _plain(value):
    if isinstance(value, Mapping):
        return {key: float(number) for key, number in value.items()}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def fit_model(
    band: str, properties: Mapping[str, np.ndarray], recovered: np.ndarray
) -> tuple[CompletenessModel, list[dict]] | None:
    """Fit a model, and compare it with what came back.

    Parameters
    ----------
    band : str
        Of the surface brightness.
    properties : mapping of str to array of float, shape (mocks,)
        ``MU_MEAN``, ``LOG_R_EFF`` and others; mocks with a value that is not finite are left out.
    recovered : array of bool, shape (mocks,)

    Returns
    -------
    model : CompletenessModel
    calibration : list of dict
        In ten bins of the prediction, by cross-validation in five folds: ``mocks``, ``predicted``
        (the mean) and ``recovered`` (the fraction).
        None instead of both: there are fewer than 50 mocks, or 5 of either outcome.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    names = [*_SHAPE, *(name for name in properties if name not in _SHAPE)]
    values = np.stack([np.asarray(properties[name], float) for name in names], axis=1)
    usable = np.isfinite(values).all(axis=1)
    values, recovered = values[usable], np.asarray(recovered)[usable]
    if len(values) < _LEAST or min(recovered.sum(), (~recovered).sum()) < _FOLDS:
        return None
    model = _empty_model(band, names, values)
    terms = np.stack(model._terms(dict(zip(names, values.T, strict=True))), axis=1)
    regression = LogisticRegression(C=_STRENGTH, max_iter=5000)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=1)
    predicted = cross_val_predict(regression, terms, recovered, cv=folds, method="predict_proba")
    regression.fit(terms, recovered)
    fitted = vars(model) | {
        "coefficients": tuple(map(float, regression.coef_[0])),
        "intercept": float(regression.intercept_[0]),
    }
    return CompletenessModel(**fitted), _calibration(predicted[:, 1], recovered)


def _empty_model(band: str, names: Sequence[str], values: np.ndarray) -> CompletenessModel:
    def by_name(numbers):
        return {name: float(number) for name, number in zip(names, numbers, strict=True)}

    powers = [(i, n - i) for n in range(1, _DEGREE + 1) for i in range(n, -1, -1)]
    return CompletenessModel(
        band,
        tuple(names[2:]),
        by_name(values.mean(axis=0)),
        by_name(np.maximum(values.std(axis=0), 1e-9)),
        by_name(values.min(axis=0)),
        by_name(values.max(axis=0)),
        tuple(powers),
        (),
        0.0,
    )


def _calibration(predicted: np.ndarray, recovered: np.ndarray) -> list[dict]:
    number = np.clip((predicted * _CALIBRATION_BINS).astype(int), 0, _CALIBRATION_BINS - 1)
    rows = []
    for bin_ in range(_CALIBRATION_BINS):
        here = number == bin_
        if here.any():
            rows.append(
                {
                    "mocks": int(here.sum()),
                    "predicted": float(predicted[here].mean()),
                    "recovered": float(recovered[here].mean()),
                }
            )
    return rows


def load_completeness(path: str | Path) -> CompletenessModel:
    """Load the model in a ``completeness.json`` of `lsbg completeness` or `lsbg inject-recover`.

    Parameters
    ----------
    path : str or path
        ``completeness.json`` in the folder that the command wrote.

    Returns
    -------
    CompletenessModel
        Its ``predict(mu_mean, r_eff)`` gives the completeness for galaxies of these mean surface
        brightnesses (mag/arcsec2) and effective radii (arcseconds).

    Raises
    ------
    InputError
        If the file is not readable, or holds no model, as when there were too few mocks.

    Examples
    --------
    >>> from lsbg_classifier import InputError, load_completeness
    >>> try:
    ...     load_completeness("no-such-run/completeness.json")
    ... except InputError as error:
    ...     print(error)
    no-such-run/completeness.json: not a measured completeness (No such file or directory)
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        model = content["model"]
        return CompletenessModel.of_json(model["parameters"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "no model in it"
        raise InputError(f"{path}: not a measured completeness ({reason})") from error
