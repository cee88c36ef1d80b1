"""What the commands on mocks say about their jobs, as lines of text."""

from pipeline.injection.inject import InjectJob, InjectOptions
from pipeline.injection.recover import RecoverJob


def describe_injection(job: InjectJob) -> list[str]:
    """Say what an injection would do; nothing is written.

    Parameters
    ----------
    job : InjectJob
    """
    what = "tiles" if job.options.stamp_side is None else f'stamps of {job.options.stamp_side:g}"'
    return [
        *_describe_mocks(job.tiles, job.options),
        f"output: {what} in {job.images}, and then {job.truth}",
        "no output was written",
    ]


def describe_recovery(job: RecoverJob) -> list[str]:
    """Say what a recovery would do; nothing is written.

    Parameters
    ----------
    job : RecoverJob
    """
    settings = job.recover.settings(job.weights.card.threshold)
    return [
        *_describe_mocks(job.tiles, job.inject),
        f"injections into each tile: {job.recover.repeats}, units of work: {len(job.units)}",
        f"selected by {job.recover.select or 'nothing: all sources are scored'}",
        *(line for line in job.assumptions() if line not in job.tiles.assumptions),
        f"weights: {job.weights.card.name}; recovered: probability above {settings.threshold:g}, "
        f'match within {settings.match_radius:g}"',
        f"output: truth, annotated detections and completeness in {job.output}",
        "no output was written",
    ]


def _describe_mocks(tiles, options: InjectOptions) -> list[str]:
    request = options.request()
    areas = [tile.width * tile.height * (tile.pixel_scale / 60) ** 2 for tile in tiles.tiles]
    count = sum(request.placement.count(area) for area in areas)
    psf = options.psf or (
        "copsf files beside the tiles, else keywords of headers, else stars in the images"
    )
    noise = "with Poisson noise where the gain is known" if options.noise else "without noise"
    return [
        f"tiles: {len(tiles.tiles)} in {tiles.folder}, bands {''.join(tiles.bands)}, "
        f"{sum(areas):.0f} square arcminutes",
        f"mocks: {options.mocks}, at most {count}, {options.density:g} per square arcminute, "
        f'at least {options.least_distance:g}" apart, {noise}, seed {options.seed}',
        f"point-spread function: {psf}",
        *tiles.assumptions,
    ]
