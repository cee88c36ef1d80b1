"""``lsbg study``: the paper's studies on any labelled cutouts."""

from dataclasses import dataclass, replace
from pathlib import Path

from catalogs.errors import InputError
from lsbg_classifier.backend import start_backend
from lsbg_classifier.networks.registry import DEFAULT_NETWORK, check_architecture

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


@dataclass(frozen=True)
class StudyRequest:
    """The options of a study.

    Attributes
    ----------
    name : str
        One of `STUDIES`.
    cutouts : Path
        Folder of a dataset, or of a training with one.
    folder : Path
        Gets the trainings and the table.
    recipe : str, optional
        ``published``, ``robust`` or ``rehearsed``.
    overrides : dict
        Fields of the recipe to replace.
    own : dict
        Options of the one study: `count`; `fractions` and `sides`, separated by commas; `start`;
        `beside`, the folder of another dataset.
    architecture : str, optional
        Network to train from scratch; None: the default one, or that of the weights in `own`.
    seed, size, resume, overwrite, quiet, figures
        As in the command.
    """

    name: str
    cutouts: Path
    folder: Path
    recipe: str | None
    overrides: dict
    own: dict
    architecture: str | None
    seed: int
    size: int | None
    resume: bool
    overwrite: bool
    quiet: bool
    figures: bool = False


def run_study(request: StudyRequest) -> list[str]:
    """Run a study, write it into a folder, and return its table and what was written.

    Raises
    ------
    InputError
        If there is no such study, an option is of another, or the folder is not empty.
    """
    _check(request)
    start_backend()
    from lsbg_classifier.training.dataset import open_dataset
    from lsbg_classifier.training.recipes import recipe_named
    from lsbg_classifier.training.trainer import Trainer
    from pipeline.progress import show_progress

    own, folder, seed = request.own, request.folder, request.seed
    dataset = open_dataset(request.cutouts)
    beside = open_dataset(own["beside"]) if "beside" in own else None
    usual = "published" if beside is None else "rehearsed"
    recipe = replace(recipe_named(request.recipe or usual, "start" in own), **request.overrides)
    folder.mkdir(parents=True, exist_ok=True)
    with show_progress("training steps", quiet=request.quiet) as progress:
        trainer = Trainer(
            dataset,
            recipe,
            folder,
            seed,
            request.size,
            request.resume,
            progress,
            beside,
            request.architecture or DEFAULT_NETWORK,
        )
        study = _run(request.name, trainer, own, seed)
    study.write(folder, pdf=request.figures)
    return [*study.to_markdown().splitlines(), "", f"wrote {folder}"]


def _check(request: StudyRequest):
    name, folder, own = request.name, request.folder, request.own
    if name not in STUDIES:
        raise InputError(f"no study {name!r}: choose {', '.join(STUDIES)}")
    for option in own.keys() - STUDIES[name]:
        others = " and ".join(study for study, options in STUDIES.items() if option in options)
        word = {"start": "from"}.get(option, option)
        raise InputError(f"--{word} is for the study {others}, not for {name}; leave it out")
    if name == "transfer" and "start" not in own:
        raise InputError(
            "the study transfer needs the weights to start with; name them with --from"
        )
    if request.architecture is not None:
        check_architecture(request.architecture)
    if request.architecture is not None and "start" in own:
        raise InputError(
            "the weights named with --from have a network already; leave out --architecture"
        )
    if folder.exists() and any(folder.iterdir()) and not (request.resume or request.overwrite):
        raise InputError(
            f"{folder}: not empty; add --resume to go on with its trainings, or --overwrite"
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
        text = own.get("fractions", FRACTIONS)
        try:
            fractions = [float(fraction) for fraction in text.split(",")]
        except ValueError:
            raise InputError(f"--fractions: numbers separated by commas, not {text!r}") from None
        return studies.label_noise_study(trainer, fractions, own.get("sides", SIDES).split(","))
    if name == "transfer":
        return studies.transfer_study(trainer, find_weights(own["start"]))
    return studies.three_class_study(trainer)
