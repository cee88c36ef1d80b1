"""``lsbg study``: the paper's studies on any labelled cutouts."""

from dataclasses import replace
from pathlib import Path

from catalogs.errors import InputError
from lsbg_classifier.backend import start_backend

STUDIES = {
    "splits": {"count"},
    "folds": {"count", "start", "beside"},
    "label-noise": {"fractions", "sides"},
    "transfer": {"start"},
    "three-classes": set(),
}
"""The studies by name, and the options that only they have."""

FRACTIONS, SIDES = "0.01,0.05,0.1,0.33", "both"
SPLITS, FOLDS = 6, 5
"""What studies do unless they are told otherwise."""


def run_study(
    name: str,
    cutouts: Path,
    folder: Path,
    *,
    recipe: str | None,
    overrides: dict,
    own: dict,
    seed: int,
    size: int | None,
    resume: bool,
    overwrite: bool,
    quiet: bool,
    figures: bool = False,
) -> list[str]:
    """Run a study, write it into a folder, and return its table and what was written.

    Parameters
    ----------
    name : str
        One of `STUDIES`.
    cutouts : Path
        Folder of a dataset, or of a training with one.
    folder : Path
    recipe : str, optional
        ``published``, ``robust`` or ``rehearsed``.
    overrides : dict
        Fields of the recipe to replace.
    own : dict
        Options of the one study: `count`; `fractions` and `sides`, separated by commas; `start`;
        `beside`, the folder of another dataset.
    seed, size, resume, overwrite, quiet, figures
        As in the command.
    """
    _check(name, folder, own, resume, overwrite)
    start_backend()
    from lsbg_classifier.training.dataset import open_dataset
    from lsbg_classifier.training.recipes import recipe_named
    from lsbg_classifier.training.studies import Trainer
    from pipeline.progress import show_progress

    dataset = open_dataset(cutouts)
    beside = open_dataset(own["beside"]) if "beside" in own else None
    usual = "published" if beside is None else "rehearsed"
    chosen = replace(recipe_named(recipe or usual, "start" in own), **overrides)
    folder.mkdir(parents=True, exist_ok=True)
    with show_progress("training steps", quiet=quiet) as progress:
        trainer = Trainer(dataset, chosen, folder, seed, size, resume, progress, beside)
        found = _run(name, trainer, own, seed)
    found.write(folder, pdf=figures)
    return [*found.to_markdown().splitlines(), "", f"wrote {folder}"]


def _check(name, folder, own, resume, overwrite):
    if name not in STUDIES:
        raise InputError(f"no study {name!r}: choose {', '.join(STUDIES)}")
    for option in own.keys() - STUDIES[name]:
        theirs = " and ".join(study for study, options in STUDIES.items() if option in options)
        said = {"start": "from"}.get(option, option)
        raise InputError(f"--{said} is for the study {theirs}, not for {name}; leave it out")
    if name == "transfer" and "start" not in own:
        raise InputError(
            "the study transfer needs the weights to start with; name them with --from"
        )
    if folder.exists() and any(folder.iterdir()) and not (resume or overwrite):
        raise InputError(
            f"{folder}: not empty; add --resume to go on with what is there, or --overwrite"
        )


def _run(name, trainer, own, seed):
    from lsbg_classifier.training import studies
    from lsbg_classifier.weights.registry import find_weights

    if name == "splits":
        count = own.get("count", SPLITS)
        return studies.split_study(trainer, range(seed + 1, seed + 1 + count))
    if name == "folds":
        start = find_weights(own["start"]) if "start" in own else None
        return studies.fold_study(trainer, start, own.get("count", FOLDS))
    if name == "label-noise":
        given = own.get("fractions", FRACTIONS)
        try:
            fractions = [float(fraction) for fraction in given.split(",")]
        except ValueError:
            raise InputError(f"--fractions: numbers separated by commas, not {given!r}") from None
        return studies.label_noise_study(trainer, fractions, own.get("sides", SIDES).split(","))
    if name == "transfer":
        return studies.transfer_study(trainer, find_weights(own["start"]))
    return studies.three_class_study(trainer)
