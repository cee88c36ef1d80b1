"""The paper's baselines: a support-vector machine and a random forest on SourceExtractor's columns.

Tanoglidis et al. 2021, section 3.4: standardised features, an RBF kernel with C = 1e4 and
gamma = 0.001, and 100 trees with at least 10 candidates to split.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from catalogs.errors import InputError
from lsbg_classifier.training.dataset import CutoutDataset
from lsbg_classifier.training.samples import balanced_rows

_PIXEL_SCALE = 0.263
"""Arcseconds per pixel of FLUX_RADIUS in DES."""

_PER_BAND = ("MAG_AUTO", "FLUX_RADIUS", "MU_MAX_MODEL", "MU_EFF_MODEL", "MU_MEAN_MODEL")
_GRID: Mapping[str, Mapping[str, Sequence[float]]] = {
    "support-vector machine": {"C": [1e2, 1e3, 1e4], "gamma": [1e-4, 1e-3, 1e-2]},
    "random forest": {"min_samples_split": [2, 10, 30]},
}


def features_of(columns: Mapping[str, np.ndarray]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Make the paper's features of the SourceExtractor columns that are there.

    Parameters
    ----------
    columns : mapping of str to array, shape (N,)
        With the names of DES, in any case; the bands are those that MAG_AUTO has.

    Returns
    -------
    features : array of float64, shape (N, M)
    names : tuple of str
        Ellipticity, colours, and in each band magnitude, radius in arcsec and surface brightnesses.

    Raises
    ------
    InputError
        If there is no shape or no magnitude.
    """
    columns = {name.upper(): np.asarray(values, float) for name, values in columns.items()}
    bands = [band for band in "GRIZ" if f"MAG_AUTO_{band}" in columns]
    if len(bands) < 2 or not {"A_IMAGE", "B_IMAGE"} <= columns.keys():
        raise InputError(
            "the baselines need the columns A_IMAGE, B_IMAGE and MAG_AUTO_G, _R, _I or _Z of two "
            "bands at least; train on a catalog that has them with --sample CATALOG"
        )
    features = {"ellipticity": 1 - columns["B_IMAGE"] / columns["A_IMAGE"]}
    for i, blue in enumerate(bands):
        for red in bands[i + 1 :]:
            name = f"{blue.lower()}-{red.lower()}"
            features[name] = columns[f"MAG_AUTO_{blue}"] - columns[f"MAG_AUTO_{red}"]
    for stem in _PER_BAND:
        scale = _PIXEL_SCALE if stem == "FLUX_RADIUS" else 1.0
        for band in bands:
            if f"{stem}_{band}" in columns:
                features[f"{stem}_{band}"] = scale * columns[f"{stem}_{band}"]
    return np.stack(list(features.values()), axis=1), tuple(features)


def features_of_table(table: pa.Table) -> np.ndarray:
    """Make the paper's features of the rows of a dataset; see `features_of`."""
    numbers = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    return features_of({name: table[name].to_numpy() for name in numbers})[0]


def baseline_probabilities(
    dataset: CutoutDataset, *, split: str = "test", seed: int = 1, search: bool = False
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Train both baselines on a dataset's training split and apply them to another.

    Parameters
    ----------
    dataset : CutoutDataset
        With SourceExtractor's columns; rows where one is missing are left out.
    split : str
    seed : int
        Of the forest and of the drawing of a training set with as many of each class.
    search : bool
        Choose the hyper-parameters by five-fold cross-validation on the validation split instead
        of taking the published ones.

    Returns
    -------
    dict of str to (labels, probabilities)
        By the name of the baseline; arrays of shape (N,).

    Raises
    ------
    InputError
        If the columns are not there.
    """
    from sklearn.model_selection import GridSearchCV

    train, labels = _table(dataset, "train")
    rows = balanced_rows(labels, np.random.default_rng(seed))
    test, truth = _table(dataset, split)
    probabilities = {}
    for name, model in _models(seed).items():
        if search:
            step = model.steps[-1][0]
            grid = {f"{step}__{key}": values for key, values in _GRID[name].items()}
            grid_search = GridSearchCV(model, grid, cv=5).fit(*_table(dataset, "validation"))
            model.set_params(**grid_search.best_params_)
        model.fit(train[rows], labels[rows])
        probabilities[name] = truth, _probability(model, test)
    return probabilities


def first_stage(
    features: np.ndarray, labels: np.ndarray, *, seed: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Train the classifier that sorts candidates before people or networks look at them.

    The support-vector machine above, with LSBGs weighing ten times as much as others, so that few
    are lost (Tanoglidis et al. 2021, ApJS 252, 18, section 3.3).

    Parameters
    ----------
    features : array of float64, shape (N, M)
    labels : array of int, shape (N,)
    seed : int

    Returns
    -------
    callable
        Takes features, shape (K, M); returns who passes, array of bool, shape (K,). Candidates
        with a feature that is not finite pass.
    """
    model = _models(seed)["support-vector machine"]
    model.set_params(svc__class_weight={0: 1, 1: 10})
    known = np.isfinite(features).all(axis=1)
    model.fit(features[known], labels[known])

    def passes(others: np.ndarray) -> np.ndarray:
        known = np.isfinite(others).all(axis=1)
        passed = ~known
        if known.any():
            passed[known] = model.predict(others[known]) == 1
        return passed

    return passes


def _probability(model, features: np.ndarray) -> np.ndarray:
    """Return the forest's votes, or the logistic function of the distance to the SVM's boundary."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(features)[:, 1]
    return 1 / (1 + np.exp(-model.decision_function(features)))


def _models(seed: int):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return {
        "support-vector machine": make_pipeline(StandardScaler(), SVC(C=1e4, gamma=1e-3)),
        "random forest": make_pipeline(
            StandardScaler(), RandomForestClassifier(100, min_samples_split=10, random_state=seed)
        ),
    }


def _table(dataset: CutoutDataset, split: str) -> tuple[np.ndarray, np.ndarray]:
    table = dataset.table(split)
    features = features_of_table(table)
    labels = table["label"].to_numpy()
    known = np.isfinite(features).all(axis=1)
    if len(np.unique(labels[known])) < 2:
        raise InputError(
            f"{dataset.folder}: the baselines need LSBGs and others with all columns in the split "
            f"{split}; it has {int(labels[known].sum())} and {int((labels[known] == 0).sum())}"
        )
    return features[known], labels[known]
