"""A catalog in, the same catalog out with a probability and a flag beside every candidate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS
from pipeline.options import Options, lists_its_options
from pipeline.progress import Report, show_progress
from pipeline.summary import Summary


@lists_its_options
def annotate(
    input_path: str | Path,
    output: str | Path | None = None,
    *,
    cutouts: str,
    weights: str = DEFAULT_WEIGHTS,
    threshold: float | None = None,
    prior: float | None = None,
    uncertainty: bool = False,
    engine: str = "auto",
    format: str | None = None,
    table: str | None = None,
    ra: str | None = None,
    dec: str | None = None,
    position_unit: str | None = None,
    select: str | None = None,
    pixel_scale: float | None = None,
    style: str = "auto",
    bands: str | None = None,
    survey: str | None = None,
    tiles: str | None = None,
    url: str | None = None,
    connections: int | None = None,
    source_options: Mapping[str, object] | None = None,
    scheduler: str | Any | None = None,
    scheduler_file: str | Path | None = None,
    workers: int | None = None,
    cluster: str | Path | None = None,
    adapt: tuple[int, int] | None = None,
    chunk_size: int = 256,
    keep_cutouts: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    in_place: bool = False,
    only: str | None = None,
    overwrite_columns: bool = False,
    vo_metadata: bool = False,
    allow_mismatch: bool = False,
    log: str | Path | None = None,
    progress: Report | bool | None = None,
) -> Summary:
    """Write the catalog again, with a probability and a flag beside every candidate.

    Parameters
    ----------
    input_path : path or URL
        Candidates: a table in FITS, Parquet, Arrow, HDF5, VOTable, ECSV, CSV or SourceExtractor's
        text formats, a folder of them, or a HATS catalog; see the page "Formats of catalogs".
    output : path, optional
        Written in the same format, under this name only when it is whole. By default beside the
        input, with ``_lsbg`` added to the stem of its name: of ``cat.fits`` it is
        ``cat_lsbg.fits``; of a URL, in the working folder.
    cutouts : str
        Where the images come from: ``tiles:FOLDER`` (coadd tiles on disk, or by URL),
        ``legacysurvey:LAYER`` (the sky viewer, such as ``legacysurvey:des-dr1``), ``hips:ID``
        (cut by hips2fits, such as ``hips:CDS/P/DES-DR2/{band}``), ``kept:OUTPUT`` (those that an
        earlier run kept), or a source of a plug-in.
    weights : str
        Trained weights: a registered name (``lsbg weights`` lists them) or the path of a file.
    threshold : float, optional
        Probability above which the summary counts a candidate, between 0 and 1; by default the
        threshold of the weights.
    prior : float, optional
        Fraction of LSBGs among the candidates that the probabilities are for, between 0.001 and
        0.999; by default the one on the card of the weights. The order of candidates stays.
    uncertainty : bool
        Add a column with the spread of the probability: its standard deviation when parts of the
        network are dropped at random, 32 times.
    engine : str
        ``onnx`` (ONNX Runtime), ``keras``, or ``auto``: Keras where this machine has a GPU, or
        where ONNX Runtime cannot run the network, else ONNX Runtime. Workers use what this process
        has chosen.
    format : str, optional
        Name of the input's format in `catalogs.formats`, where its content does not say it.
    table : str, optional
        FITS extension or VOTable table, by name or number, or path of a table in HDF5, where
        several have positions.
    ra, dec : str, optional
        Columns of the right ascension and declination, where their names are not known ones.
    position_unit : str, optional
        ``deg``, ``rad`` or ``hourangle`` (right ascension in hours), whatever the table says.
    select : str, optional
        Score only the rows that this keeps: a published cut (``des``, ``hsc``), a file with a
        condition a line, or an expression; see `catalogs.find_selection`. The other rows get no
        score, and the flag NOT_SELECTED alone.
    pixel_scale : float, optional
        Arcseconds: the pixels in which FLUX_RADIUS was measured, for a published cut; by default
        those of the image whose header a catalog of FITS_LDAC keeps, of the tiles, of `survey`,
        or of the cut's own survey, in this order.
    style : str
        Names of the new columns: ``auto`` (as the input's own), ``upper``, ``lower``, ``rubin``.
    bands : str, optional
        Bands of tiles, blue to red: ``grz`` or ``gri``.
    survey : str, optional
        Survey whose colours and scale the cutouts get, where names of files do not tell it: a
        name, or a ``.toml`` file.
    tiles : str, optional
        How files of images are named, such as ``{tile}/{band}-{kind}.fits``, where their names
        are not known ones.
    url : str, optional
        Another server with the interface of the source.
    connections : int, optional
        Simultaneous requests to a server, at least 1; 8 by default.
    source_options : mapping, optional
        Further options of the source, such as those of a plug-in.
    scheduler : str or distributed.Client, optional
        Address of a running Dask scheduler, such as ``tcp://host:8786``; or a client of one, which
        stays open; or ``"current"``: the client that is open in this process.
    scheduler_file : path, optional
        File that describes a running scheduler, as ``dask scheduler --scheduler-file`` writes it.
    workers : int, optional
        Worker processes to start instead of threads, at least 1.
    cluster : path, optional
        TOML file that says how jobs of Slurm are started as workers; see `pipeline.slurm`.
        Of `scheduler`, `scheduler_file`, `workers` and `cluster` at most one may be used.
    adapt : tuple of int, optional
        The least and the largest number of jobs of `cluster`: as many run as the work needs, and
        jobs that end are replaced.
    chunk_size : int
        Candidates in a unit of work, at least 1; those of one tile stay together, up to 4096.
    keep_cutouts : bool
        Keep the cutouts of all scored rows in the folder ``OUTPUT.cutouts``; see
        `lsbg_classifier.cutouts.kept.open_kept`.
    resume : bool
        Continue an unfinished run of the same job, if there is one.
    overwrite : bool
        Replace an output that exists.
    in_place : bool
        Replace the input, a single local file, in one step when the new file is whole.
    only : str, optional
        Write the rows for which this condition is true as well, in the same format, as
        ``OUTPUT_only``: an expression over all columns, those that are added among them.
    overwrite_columns : bool
        Replace columns of ours that the input already has.
    vo_metadata : bool
        Describe the columns of Parquet in a VOTable without data too, as VOParquet does.
    allow_mismatch : bool
        Score although the weights were made for other images than the source gives.
    log : path, optional
        File to which a line is appended for all that happens: assumptions, each reason for a
        missing image and how many candidates it concerns, counts, errors.
    progress : callable or bool, optional
        Called with (rows done, rows in all), of those that are selected. True: shown as
        `pipeline.progress.show_progress` does, in a terminal, a notebook or a log.

    Returns
    -------
    Summary
        Counts of rows, flags, scores and reasons, and where the time went.

    Raises
    ------
    InputError
        For anything that the user can fix, in one line: an unreadable input, no position column,
        an output that exists, unknown weights or source, weights for other images, a source that
        refuses everything. The output is not written; what was scored is stored for a resume.
    TypeError
        For an option that does not exist; the message lists those that do.

    Examples
    --------
    >>> from lsbg_classifier import annotate, open_catalog
    >>> summary = annotate(
    ...     "demo/survey/candidates.fits", "scored.fits", cutouts="tiles:demo/survey/tiles"
    ... )
    >>> 0 < summary.scored <= summary.rows
    True
    >>> open_catalog("scored.fits").column_names[-2:]
    ('P_LSBG', 'FLAGS_LSBG')
    """
    values = dict(locals())
    from pipeline.run import prepare_and_run  # commands that score nothing start without Dask

    shown = values.pop("progress")
    del values["input_path"], values["output"]
    options = Options(**values | {"source_options": source_options or {}})
    if not isinstance(shown, bool):
        return prepare_and_run(input_path, output, options, shown)
    with show_progress("candidates", quiet=not shown) as callback:
        return prepare_and_run(input_path, output, options, callback)
