"""What a report says of the completeness that mocks have measured."""

from collections.abc import Iterator
from pathlib import Path

from lsbg_classifier.training.score_tables import Section
from pipeline.report.run_figures import Drawn

_STEPS = {
    "covered": "on sound pixels",
    "detected": "detected",
    "selected": "kept by the cut",
    "scored": "scored",
    "above": "recovered",
}
_UNREACHED = {"never": "not reached", "beyond": "fainter than all mocks"}


def completeness_sections(path: Path | None) -> list[Section]:
    """Return the section of a completeness, none where there is no file.

    Parameters
    ----------
    path : Path or None
        ``completeness.json`` of ``lsbg completeness`` or ``lsbg inject-recover``.
    """
    if path is None:
        return []
    from lsbg_classifier.completeness.saved import SavedCompleteness

    saved = SavedCompleteness.read(path)
    settings = saved.settings
    above = saved.steps["above"]
    lines = [
        f"{saved.mocks:,} mock galaxies; recovered: probability above {settings.threshold:g}. "
        f"Intervals hold {100 * settings.level:.0f}%. Matches within "
        f'{settings.match_radius:g}"; {100 * above["by_chance"]:.1f}% of the mocks would be '
        "recovered by chance.",
        *(
            f"{_STEPS[name]}: {_fraction(step)}"
            for name, step in saved.steps.items()
            if name in _STEPS
        ),
    ]
    header = (
        "effective radius",
        "mocks",
        f"mean surface brightness in {settings.band} of 50%",
        "of 90%",
    )
    rows = [
        (
            f'{limit["r_eff_low"]:g}" to {limit["r_eff_high"]:g}"',
            f"{limit['mocks']:,}",
            _limit(limit["mu_50"]),
            _limit(limit["mu_90"]),
        )
        for limit in saved.limits
    ]
    return [Section("Completeness", lines, header, rows)]


def _fraction(step: dict) -> str:
    return f"{step['fraction']:.3f} ({step['low']:.3f} to {step['high']:.3f})"


def _limit(limit: dict) -> str:
    if limit["reached"] != "yes":
        return _UNREACHED.get(limit["reached"], limit["reached"])
    return f"{limit['value']:.2f} ({limit['low']:.2f} to {limit['high']:.2f}) mag/arcsec2"


def draw_completeness(path: Path | None, theme: str = "light") -> Iterator[Drawn]:
    """Draw the map of a completeness, nothing where there is no file.

    Parameters
    ----------
    path : Path or None
        As of `completeness_sections`.
    theme : str
        ``light`` or ``dark``.

    Yields
    ------
    Drawn
    """
    if path is None:
        return
    from lsbg_classifier.completeness.figures import draw_map
    from lsbg_classifier.completeness.saved import SavedCompleteness

    saved = SavedCompleteness.read(path)
    cells = saved.map
    yield Drawn(
        "completeness",
        "Completeness",
        f"Fraction of {saved.mocks:,} mock galaxies that were recovered, in "
        f"{cells.mocks.shape[1]} bins of mean surface brightness and {cells.mocks.shape[0]} of "
        f"effective radius: {_fraction(saved.steps['above'])} of all.",
        draw_map(saved, theme),
    )
