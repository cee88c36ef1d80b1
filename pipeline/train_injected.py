"""``--sample injected`` of the training commands: mocks in the user's own tiles."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalogs.errors import InputError
from lsbg_classifier.completeness.unknown import PUBLISHED_DENSITY
from lsbg_classifier.training.samples import FRACTIONS
from pipeline.console import ANY_PATH

if TYPE_CHECKING:  # these need GalSim, sep and Keras, which a command loads where it needs them
    from lsbg_classifier.training.dataset import CutoutDataset
    from lsbg_classifier.training.injected import InjectedPlan

_TILES = "tiles:"

_BYTES_OF_TILE = 1_500_000_000
"""Memory for one tile of 10,000 x 10,000 pixels in three bands."""

Mocks = Annotated[
    str | None,
    typer.Option(
        help="Draw the mocks of --sample injected from these distributions: des or hsc (as "
        "published samples are), uniform, or those of a .toml file.",
        metavar="des|hsc|uniform|FILE",
        show_default="those of the command's survey",
    ),
]
Density = Annotated[
    float,
    typer.Option(help="Inject this many mocks per square arcminute, with --sample injected."),
]
Repeats = Annotated[
    int,
    typer.Option(
        min=1,
        help="Inject into each tile this many times, each time other mocks, with --sample "
        "injected.",
    ),
]
Select = Annotated[
    str | None,
    typer.Option(
        help="Take mocks and real candidates of --sample injected that pass this cut: des, hsc, a "
        "file, an expression, or all (no cut).",
        metavar="des|hsc|FILE|EXPRESSION|all",
        show_default="that of the command's survey",
    ),
]
Psf = Annotated[
    str | None,
    typer.Option(
        help="Use this point-spread function for the mocks of --sample injected, as for lsbg "
        "inject."
    ),
]
Exclude = Annotated[
    Path | None,
    typer.Option(
        help="Leave the known LSBGs of this catalog out of the candidates with label 0 of --sample "
        "injected.",
        **ANY_PATH,
    ),
]
LsbgDensity = Annotated[
    float,
    typer.Option(
        min=0,
        help="Take this as the number of real LSBGs per square degree that pass the cut of "
        "--sample injected; the loss is corrected for those that --exclude does not name, which "
        "have the label 0. The default is that of DES as published.",
    ),
]
SimulatedShare = Annotated[
    float,
    typer.Option(
        min=0,
        max=0.99,
        help="Make this fraction of the candidates with label 0 of --sample injected simulated "
        "artifacts.",
    ),
]


@dataclass(frozen=True)
class InjectedOptions:
    """The options of a sample of mocks in one's own tiles; see the help of each option.

    Attributes
    ----------
    mocks, select : str, optional
        None: those of the command's survey.
    density : float
    repeats : int
    psf : str, optional
    exclude : Path, optional
    lsbg_density, simulated_share : float
    """

    mocks: str | None = None
    density: float = 0.5
    repeats: int = 1
    select: str | None = None
    psf: str | None = None
    exclude: Path | None = None
    lsbg_density: float = PUBLISHED_DENSITY
    simulated_share: float = 0.0

    def check_unused(self):
        """Refuse options that only ``--sample injected`` has.

        Raises
        ------
        InputError
            If one has another value than its default.
        """
        for name, value in vars(self).items():
            if value != getattr(InjectedOptions, name):
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is for --sample injected: add that, or leave it out")


def place_of_tiles(cutouts: str, source_options: dict, usual: str) -> tuple[Path, str | None]:
    """Return the folder of tiles, and the pattern of their names.

    ``--tiles`` is the folder; where ``--cutouts tiles:FOLDER`` names that, it is the pattern, as
    for other samples.

    Parameters
    ----------
    cutouts : str
        The value of ``--cutouts``.
    source_options : dict
        Options of the source.
    usual : str
        The default of ``--cutouts``.

    Returns
    -------
    folder : Path
    pattern : str or None
        None: names are read as they usually are.

    Raises
    ------
    InputError
        If neither names a folder.
    """
    tiles = source_options.get("tiles")
    if cutouts.startswith(_TILES):
        return Path(cutouts.removeprefix(_TILES)), tiles
    if cutouts != usual or tiles is None:
        raise InputError(
            "--sample injected needs a folder of tiles: name it with --tiles FOLDER, or with "
            "--cutouts tiles:FOLDER where --tiles is the pattern of their names"
        )
    return Path(tiles), None


def plan_of(wanted) -> "InjectedPlan":
    """Read distributions, cut and known LSBGs, and check the numbers.

    Parameters
    ----------
    wanted : WantedSample

    Returns
    -------
    InjectedPlan

    Raises
    ------
    InputError
        For anything that the user can fix.
    """
    from lsbg_classifier.injection.chain import Search
    from lsbg_classifier.injection.labels import KnownLsbgs
    from lsbg_classifier.training.injected import InjectedPlan
    from pipeline.injection.inject import InjectOptions

    options: InjectedOptions = wanted.injection
    folder, pattern = place_of_tiles(wanted.cutouts, wanted.source_options, wanted.usual_cutouts)
    inject = InjectOptions(
        options.mocks or wanted.survey,
        options.density,
        psf=options.psf,
        seed=wanted.seed,
        survey=wanted.source_options.get("survey"),
        tiles=pattern,
    )
    select = options.select or wanted.survey
    bands = wanted.source_options.get("bands", "grz")
    search = Search(inject.survey, pattern, None if select == "all" else select, bands)
    exclude = None if options.exclude is None else str(options.exclude)
    return InjectedPlan(
        folder,
        inject.request(),
        search,
        options.repeats,
        KnownLsbgs.read(exclude),
        options.lsbg_density,
        options.simulated_share,
        fractions=(1.0, 0.0, 0.0) if wanted.whole else FRACTIONS,
    )


def describe_plan(wanted) -> "InjectedPlan":
    """Check everything that such a sample needs, and say what is assumed; write nothing.

    Parameters
    ----------
    wanted : WantedSample

    Returns
    -------
    InjectedPlan

    Raises
    ------
    InputError
        As of `plan_of`, and if the tiles cannot be used.
    """
    from lsbg_classifier.tile_images import TileSet

    plan = plan_of(wanted)
    tiles = TileSet(plan.folder, plan.search.survey, plan.search.pattern)
    plan = plan.prepared(tiles)
    area = sum(t.width * t.height * (t.pixel_scale / 3600) ** 2 for t in tiles.tiles)
    known = sum(plan.known.in_tile(tile) for tile in tiles.tiles)
    expected = max(plan.density * area - known, 0)
    bands = "".join(tiles.bands)
    lines = [
        f"{len(tiles.tiles)} tiles in {bands}, {area:.4g} square degrees: {plan.repeats} x about "
        f"{plan.request.placement.per_square_arcminute * area * 3600:.0f} mocks "
        f"({plan.request.mocks.name}); the others are real candidates",
        f"{known} known LSBGs are left out; about {expected:.1f} unknown ones are expected among "
        f"the others ({plan.density:g} per square degree), and corrected for in the loss",
        *_share_line(plan),
        f"cut: {plan.search.select or 'none'}",
        *plan.search.assumptions(tiles),
    ]
    for line in lines:
        typer.echo(line)
    return plan


def _share_line(plan) -> list[str]:
    if not plan.simulated_share:
        return []
    return [f"{100 * plan.simulated_share:g}% of the others are simulated artifacts"]


def make_injected(wanted, folder: Path, *, quiet: bool) -> "CutoutDataset":
    """Make or continue the dataset, and say what it holds.

    Parameters
    ----------
    wanted : WantedSample
    folder : Path
    quiet : bool
        Show no progress.

    Returns
    -------
    CutoutDataset

    Raises
    ------
    InputError
        As of `lsbg_classifier.training.injected.injected_dataset`.
    """
    from lsbg_classifier.training.injected import injected_dataset
    from lsbg_classifier.training.label_noise import NOISE_FILE
    from pipeline.progress import show_progress

    plan = describe_plan(wanted)
    with show_progress("tiles", quiet=quiet) as progress:
        dataset = injected_dataset(folder, plan, processes=_processes(), progress=progress)
    content = json.loads((folder / NOISE_FILE).read_text(encoding="utf-8"))
    typer.echo(
        f"{content['mocks']} mocks, {content['real_candidates']} real candidates, "
        f"{content['simulated_artifacts']} simulated artifacts"
    )
    typer.echo(content["in_words"])
    return dataset


def _processes() -> int:
    """Return how many tiles fit into half of the memory, one a core at most."""
    from distributed.system import MEMORY_LIMIT

    return max(1, min(os.cpu_count() or 1, MEMORY_LIMIT // 2 // _BYTES_OF_TILE))


def limits_of_injected(folder: Path) -> str:
    """Say for a card what weights of such a sample are not good at.

    Parameters
    ----------
    folder : Path
        Of the dataset.
    """
    from lsbg_classifier.training.label_noise import NOISE_FILE

    content = json.loads((folder / NOISE_FILE).read_text(encoding="utf-8"))
    simulated, real = content["simulated_artifacts"], content["real_candidates"]
    return (
        f"its LSBGs are mocks, and what they do not look like is untested; its others are {real} "
        f"real candidates and {simulated} simulated artifacts, of which about "
        f"{content['expected_unknown_lsbgs']:.1f} ({100 * content['unlabelled_fraction']:.1f}%) "
        "are LSBGs without a label: the loss and the calibration are corrected for them, the "
        "scores count them as others"
    )
