"""The figures of a run: right numbers and axes, readable in grey, on white and on black."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table
from matplotlib.colors import to_rgb
from PIL import Image

from catalogs import InputError, open_catalog
from catalogs.flags import Flag
from lsbg_classifier.training.evaluation import reliability
from lsbg_classifier.training.evaluation_figures import draw_evaluation, draw_history
from lsbg_classifier.training.figure_style import THEMES, write_figure
from pipeline.report import run_figures as figures
from pipeline.report.candidates import Candidates
from pipeline.report.quantities import Quantity, find_quantities


def candidates(ra, dec, *, labels=None, seed=1):
    """Candidates at these positions; some are not scored, some flagged."""
    rng = np.random.default_rng(seed)
    ra, dec = np.broadcast_arrays(np.asarray(ra, float), np.asarray(dec, float))
    probability = rng.beta(0.5, 0.8, len(ra)).astype(np.float32)
    flags = np.zeros(len(ra), np.int16)
    probability[7::20], flags[7::20] = np.nan, Flag.NO_COVERAGE
    flags[3::30] = Flag.PARTIAL_COVERAGE | Flag.UNLIKE_TRAINING
    positions = np.stack([ra % 360, dec], axis=1)
    return Candidates(None, probability, flags, positions, labels)


@pytest.fixture(scope="module")
def run():
    """600 candidates around right ascension 0, half of them labelled."""
    rng = np.random.default_rng(2)
    labels = np.full(600, -1)
    found = candidates(rng.uniform(-1, 1, 600), rng.uniform(-41, -40, 600))
    labels[:300] = rng.random(300) < np.nan_to_num(found.probability[:300], nan=0.5)
    return Candidates(None, found.probability, found.flags, found.positions, labels)


@pytest.fixture(scope="module")
def size(run):
    return Quantity("size", "half-light radius, g (pixels)", np.linspace(3, 30, 600))


def axes_of(figure):
    figure.draw_without_rendering()
    return figure.axes[0]


def test_probabilities_by_class(run):
    axes = axes_of(figures.probabilities(run, threshold=0.3))
    scored = np.isfinite(run.probability)
    counts = [int((scored & (run.label == value)).sum()) for value in (1, 0)]
    (legend,) = axes.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        f"all ({scored.sum()})", f"LSBG ({counts[0]})", f"other ({counts[1]})",
    ]  # fmt: skip
    _, lsbg, other = (patches for patches in axes.patches)
    assert lsbg.get_hatch() and not other.get_hatch()
    assert lsbg.get_linestyle() != other.get_linestyle()
    assert axes.get_xlabel() == "probability of LSBG" and axes.get_yscale() == "log"
    assert axes.texts[0].get_text() == "threshold 0.3"


def test_probabilities_without_labels(run):
    bare = Candidates(None, run.probability, run.flags, run.positions)
    figure = figures.probabilities(bare)
    assert len(axes_of(figure).patches) == 1 and not figure.legends


def test_flags(run):
    axes = axes_of(figures.flag_counts(run))
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["no flag", "NO_COVERAGE", "PARTIAL_COVERAGE", "UNLIKE_TRAINING"]
    expected = [(run.flags == 0).sum(), 30, 20, 20]
    assert [text.get_text() for text in axes.texts] == [f"{count:,}" for count in expected]
    hatched = [bool(bar.get_hatch()) for bar in axes.patches]
    assert sum(hatched) == 1 and axes.patches[hatched.index(True)].get_width() == 30


def test_right_ascension_grows_to_the_left_across_zero(run):
    axes = axes_of(figures.sky_map(run))
    left, right = axes.get_xlim()
    assert 1 < left % 360 < 1.2 and 358.8 < right % 360 < 359 and left - right < 2.3
    assert axes.get_aspect() == pytest.approx(1 / np.cos(np.radians(40.5)), rel=1e-3)
    shown = [label.get_text() for label in axes.get_xticklabels()]
    assert shown == ["358", "359", "0", "1", "2"] or {"0.0", "359.0"} <= {*shown}
    assert axes.get_xlabel() == "right ascension (deg)"
    assert axes.get_ylabel() == "declination (deg)"
    below, above = (line.get_marker() for line in axes.lines)
    assert below != above


def test_many_candidates_are_drawn_as_their_density():
    rng = np.random.default_rng(3)
    many = candidates(rng.uniform(100, 110, 5000), rng.uniform(50, 60, 5000))
    figure = figures.sky_map(many)
    axes = axes_of(figure)
    (mesh,) = axes.collections
    corners = mesh.get_coordinates()
    width, height = np.diff(corners[0, :, 0]), np.diff(np.sin(np.radians(corners[:, 0, 1])))
    areas = np.degrees(height)[:, None] * width[None]
    density = np.ma.filled(mesh.get_array(), 0).reshape(areas.shape)
    assert (density * areas).sum() == pytest.approx(5000)
    assert axes.get_title() == "all 5,000 candidates"
    assert any("deg$^{-2}$" in other.get_xlabel() for other in figure.axes)
    assert axes.get_xlim()[0] > axes.get_xlim()[1]


@pytest.mark.slow
@pytest.mark.parametrize("count", [500, 4000])
def test_a_wide_survey_is_drawn_with_equal_areas(count):
    rng = np.random.default_rng(4)
    wide = candidates(rng.uniform(300, 420, count), rng.uniform(-60, 5, count))
    axes = axes_of(figures.sky_map(wide))
    assert axes.name == "mollweide"
    ticks = axes.get_xticks()
    degrees = [int(label.get_text().rstrip("°")) for label in axes.get_xticklabels()]
    assert (np.diff(ticks) > 0).all()  # to the right
    assert set(np.diff(degrees) % 360) == {300}  # the right ascension falls


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        ([10.0], [89.9]),
        ([0.0, 180.0], [-90.0, -90.0]),
        ([5.0] * 4000, [0.0] * 4000),
        ([5.0], [np.nan]),
    ],
)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_odd_skies(ra, dec, theme, tmp_path):
    odd = candidates(ra, dec)
    if np.isnan(dec).all():
        with pytest.raises(ValueError, match="no candidate has a position"):
            figures.sky_map(odd)
        return
    figures.sky_map(odd, theme=theme).savefig(tmp_path / "sky.png")


def test_completeness(run, size):
    axes = axes_of(figures.completeness(run, size, threshold=0.4))
    (container,) = axes.containers
    points = container[0].get_xydata()
    chosen = (run.label == 1) & np.isfinite(run.probability)
    values, found = size.values[chosen], run.probability[chosen] > 0.4
    bins = np.array_split(np.argsort(values), len(points))
    np.testing.assert_allclose(points[:, 0], [np.median(values[rows]) for rows in bins])
    np.testing.assert_allclose(points[:, 1], [found[rows].mean() for rows in bins])
    bars = [segment[:, 1] for segment in container[2][1].get_segments()]
    np.testing.assert_allclose(bars, [wilson(found[rows].sum(), len(rows)) for rows in bins])
    assert min(len(rows) for rows in bins) >= 10
    assert axes.get_xlabel() == "half-light radius, g (pixels)"
    assert axes.get_title() == f"{len(values)} LSBGs, {found.mean():.3f} of them found"


def wilson(hits, count, z=1.959964):
    """Ends of the interval, by Wilson's formula."""
    centre = (hits + z**2 / 2) / (count + z**2)
    half = z / (count + z**2) * np.sqrt(hits * (count - hits) / count + z**2 / 4)
    return centre - half, centre + half


def test_completeness_needs_lsbgs(run, size):
    bare = Candidates(None, run.probability, run.flags, run.positions)
    with pytest.raises(ValueError, match="no labelled LSBG has"):
        figures.completeness(bare, size)
    with pytest.raises(ValueError, match="a probability and a label"):
        figures.reliability(bare)


def test_reliability(run):
    axes = axes_of(figures.reliability(run))
    (container,) = axes.containers
    points = container[0].get_xydata()
    assert len(points) == 10 and (np.diff(points[:, 0]) > 0).all()
    np.testing.assert_allclose(points[:, 0], points[:, 1], atol=0.3)
    assert axes.get_aspect() == 1


def test_roc_curves_differ_by_their_lines(run):
    judged = figures.labelled(run)
    names = {"old": judged, "_new$x$": (judged[0], 1 - judged[1])}
    axes = axes_of(figures.roc_curves(names))
    _, old, new = axes.lines
    assert old.get_linestyle() != new.get_linestyle()
    labels = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert labels[0].startswith("old, area 0.") and labels[1].startswith(r"new\$x\$, area")


@pytest.mark.slow
def test_all_that_the_candidates_allow(run, size):
    drawn = list(figures.draw_all(run, [size]))
    names = ["probabilities", "flags", "sky", "completeness_size", "reliability"]
    assert [one.name for one in drawn] == names
    for one in drawn:
        assert one.title and one.description.endswith(".")
    bare = Candidates(None, run.probability, run.flags, run.positions)
    assert [one.name for one in figures.draw_all(bare, [size])] == names[:3]
    one_class = Candidates(None, run.probability, run.flags, run.positions, np.zeros(600, int))
    assert [one.name for one in figures.draw_all(one_class, [size])] == names[:3]


def luminance(colour):
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(first, second):
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_what_is_drawn_stands_out(run, theme):
    look = THEMES[theme]
    assert contrast(look.ink, look.background) > 7
    assert min(contrast(colour, look.background) for colour in (look.lsbg, look.other)) > 3
    figure = figures.probabilities(run, theme=theme)
    assert figure.get_facecolor()[:3] == to_rgb(look.background)
    assert figure.axes[0].xaxis.label.get_color() == look.ink


def test_an_unknown_theme(run):
    with pytest.raises(ValueError, match="theme must be light or dark, not 'sepia'"):
        figures.probabilities(run, theme="sepia")


@pytest.mark.long
def test_figures_for_papers(run, size, tmp_path):
    written = figures.save_figures(
        tmp_path / "one", run, [size], panel=lambda: draw_history(EPOCHS)
    )
    names = ["probabilities", "flags", "sky", "completeness_size", "reliability", "best_and_worst"]
    expected = {f"{name}.{kind}" for name in names for kind in ("png", "pdf")}
    assert {path.name for path in written} == expected
    assert {path.name for path in (tmp_path / "one").iterdir()} == expected
    for path in written:
        start = b"%PDF" if path.suffix == ".pdf" else b"\x89PNG"
        assert path.read_bytes().startswith(start)
    figures.save_figures(tmp_path / "two", run, [size])
    for path in (tmp_path / "two").iterdir():
        assert path.read_bytes() == (tmp_path / "one" / path.name).read_bytes()
    with Image.open(tmp_path / "one" / "sky.png") as image:
        assert image.width >= 800


def test_no_folder_for_figures(run, tmp_path):
    (tmp_path / "figures").touch()
    with pytest.raises(InputError, match="figures: is a file; name a folder"):
        figures.save_figures(tmp_path / "figures", run)


EPOCHS = [
    {"epoch": epoch, "loss": 1 / epoch, "accuracy": 1 - 0.5 / epoch, "val_loss": 2 / epoch,
     "val_accuracy": 1 - 0.7 / epoch}
    for epoch in (1, 2, 3)
]  # fmt: skip


@pytest.mark.slow
def test_figures_of_trainings_for_papers(tmp_path):
    write_figure(draw_history(EPOCHS), tmp_path / "curves.png")
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]
    write_figure(draw_history(EPOCHS), tmp_path / "curves.png", pdf=True)
    assert (tmp_path / "curves.pdf").read_bytes().startswith(b"%PDF")


def test_an_evaluation_shows_what_was_counted():
    """Four panels: a band that has width without any mistake, intervals, and all four counts."""
    labels = np.repeat([1, 0], [6, 14])
    probabilities = np.where(labels == 1, np.linspace(0.6, 0.99, 20), np.linspace(0.01, 0.4, 20))
    roc, distribution, calibration, matrix = draw_evaluation(labels, probabilities).axes
    band = roc.collections[0].get_paths()[0].get_extents()
    assert band.y1 == 1 and band.y0 < 0.6
    for axes in (roc, distribution, calibration):
        legend = axes.get_legend()
        inside = axes.get_window_extent().padded(1)
        assert inside.containsx(legend.get_window_extent().x0) and legend.axes is axes
    (bars,) = calibration.containers
    (sticks,) = bars.lines[2]
    mean, fraction, count = reliability(labels, probabilities)
    for stick, *group in zip(sticks.get_segments(), mean, fraction, count, strict=True):
        assert stick[:, 0] == pytest.approx(group[0])
        assert stick[:, 1] == pytest.approx(wilson(group[1] * group[2], group[2]))
    texts = [text.get_text() for text in matrix.texts]
    assert texts == ["6\n100.0%", "0\n0.0%", "0\n0.0%", "14\n100.0%"]


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("option", [(), ("--figures",)])
def test_an_evaluation_for_papers(lsbg, tmp_path, option):
    rng = np.random.default_rng(1)
    np.save(tmp_path / "cutouts.npy", rng.integers(0, 255, (24, 64, 64, 3), np.uint8))
    rows = [f"{row},{row % 2}" for row in range(24)]
    (tmp_path / "labels.csv").write_text("\n".join(["index,label", *rows]) + "\n")
    code, _, err = lsbg(
        "evaluate", "des-simulated", tmp_path / "cutouts.npy", tmp_path / "out",
        "--labels", tmp_path / "labels.csv", *option,
    )  # fmt: skip
    assert code == 0, err
    found = {path.name for path in (tmp_path / "out").glob("*.p*")}
    pngs, pdfs = {"evaluation.png", "gradcam.png"}, {"evaluation.pdf", "gradcam.pdf"}
    assert found == (pngs | pdfs if option else pngs)


def catalog_of(tmp_path: Path, *columns):
    table = Table({"RA": [1.0, 2.0], "DEC": [0.0, 0.0]})
    for number, name in enumerate(columns):
        table[name] = [20.0 + number, np.nan]
    table.write(tmp_path / "a.fits")
    return open_catalog(tmp_path / "a.fits")


@pytest.mark.parametrize(
    ("columns", "labels"),
    [
        (
            ("FLUX_RADIUS_R", "MU_MEAN_MODEL_G", "FLUX_RADIUS_G", "MU_MAX_MODEL_G"),
            [r"mean surface brightness, g (mag arcsec$^{-2}$)", "half-light radius, g (pixels)"],
        ),
        (
            ("mu_0", "r_eff"),
            [r"central surface brightness (mag arcsec$^{-2}$)", "effective radius (arcsec)"],
        ),
        (("MU_MAX",), [r"peak surface brightness (mag arcsec$^{-2}$)"]),
        (("P_LSBG",), []),
    ],
)
def test_the_columns_of_surveys_are_found(tmp_path, columns, labels):
    found = find_quantities(catalog_of(tmp_path, *columns))
    assert [quantity.label for quantity in found] == labels
    for quantity in found:
        assert np.isfinite(quantity.values).tolist() == [True, False]


def test_the_truth_of_a_simulation_counts_more(survey):
    catalog = open_catalog(survey.candidates)
    brightness, radius = find_quantities(catalog, survey.truth)
    truth = Table.read(survey.truth)
    np.testing.assert_allclose(radius.values, truth["R_EFF_TRUE"])
    half = 10 ** (-0.4 * truth["MAG_G_TRUE"]) / 2
    expected = -2.5 * np.log10(half / (np.pi * truth["R_EFF_TRUE"] ** 2))
    np.testing.assert_allclose(brightness.values, expected, rtol=1e-6)
    short = SimpleNamespace(row_count=3, column_names=())
    assert find_quantities(short, survey.truth) == []
