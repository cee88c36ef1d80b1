"""Draw the picture of docs/architecture.md: ``python docs/_ext/architecture_picture.py``."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

OUT = Path(__file__).parents[1] / "images" / "architecture.svg"
FLOORS = (
    ("pipeline", "a catalog in, the annotated catalog out: Dask, resume, commands, reports", 6.0),
    ("lsbg_classifier", "one position, one cutout, one probability; trainings", 3.3),
    ("catalogs", "tables on disk: positions, and columns that join", 0.6),
)
COLOURS = ("#dbe9f6", "#e3f1df", "#f8ecd8")
ROOMS = {
    "commands": (0.6, 6.25, "commands/\nstages/"),
    "options": (2.5, 6.25, "options\njob"),
    "plan": (4.4, 6.25, "plan\npartitions/"),
    "worker": (7.2, 6.25, "dispatch\nworker"),
    "recorder": (11.0, 6.25, "recorder\njournal"),
    "report": (12.9, 6.25, "report/\ninjection/\ntrain"),
    "cutouts": (5.3, 3.55, "cutouts/\nsources"),
    "scoring": (7.2, 3.55, "scoring"),
    "engines": (9.1, 3.55, "engines/\nnetworks/"),
    "training": (12.9, 3.55, "training/\nsimulation/\nweights/"),
    "detection": (1.0, 3.55, "detection/\ninjection/\ncompleteness/"),
    "formats": (3.45, 0.85, "formats\npositions"),
    "selection": (5.35, 0.85, "selection"),
    "columns": (7.25, 0.85, "columns\nflags"),
    "output": (11.0, 0.85, "output"),
}
WIDTH, HEIGHT = 1.5, 0.95
WAY = (
    ("commands", "options", "1"),
    ("options", "formats", "2"),
    ("formats", "plan", "3"),
    ("plan", "worker", "4"),
    ("worker", "scoring", "5"),
    ("scoring", "cutouts", "6"),
    ("scoring", "engines", "7"),
    ("worker", "recorder", "8"),
    ("recorder", "output", "9"),
)


def draw():
    """Draw the floors, the rooms and one row's way, and write the picture."""
    plt.rcParams |= {"svg.hashsalt": "architecture", "font.size": 9, "svg.fonttype": "none"}
    figure, axes = plt.subplots(figsize=(10, 6))
    for (name, text, bottom), colour in zip(FLOORS, COLOURS, strict=True):
        axes.add_patch(
            FancyBboxPatch((0.2, bottom), 14.5, 2.1, boxstyle="round,pad=0.05", fc=colour, ec="0.6")
        )
        axes.text(0.4, bottom + 1.72, name, weight="bold", size=11)
        behind = {"fc": colour, "ec": "none", "pad": 2}
        axes.text(14.5, bottom + 1.74, text, color="0.25", ha="right", bbox=behind, zorder=5)
    for x, y, text in ROOMS.values():
        axes.add_patch(
            FancyBboxPatch((x, y), WIDTH, HEIGHT, boxstyle="round,pad=0.03", fc="white", ec="0.4")
        )
        axes.text(x + WIDTH / 2, y + HEIGHT / 2, text, ha="center", va="center", color="0.1")
    for start, end, number in WAY:
        _step(axes, start, end, number)
    axes.set(xlim=(0, 14.9), ylim=(0.4, 8.3))
    axes.axis("off")
    figure.tight_layout(pad=0.2)
    figure.savefig(OUT, metadata={"Date": None})


def _step(axes, start: str, end: str, number: str):
    (x0, y0), (x1, y1) = _centre(start), _centre(end)
    if abs(y0 - y1) < 0.1:
        side = WIDTH / 2 if x1 > x0 else -WIDTH / 2
        x0, x1 = x0 + side, x1 - side
    else:
        side = HEIGHT / 2 if y1 > y0 else -HEIGHT / 2
        y0, y1 = y0 + side, y1 - side
    arrow = FancyArrowPatch(
        (x0, y0), (x1, y1), arrowstyle="-|>", mutation_scale=12, color="#c2410c", lw=1.6
    )
    axes.add_patch(arrow)
    axes.text(
        (x0 + x1) / 2,
        (y0 + y1) / 2,
        number,
        ha="center",
        va="center",
        size=8,
        color="white",
        bbox={"boxstyle": "circle,pad=0.2", "fc": "#c2410c", "ec": "none"},
    )


def _centre(room: str) -> tuple[float, float]:
    x, y, _ = ROOMS[room]
    return x + WIDTH / 2, y + HEIGHT / 2


if __name__ == "__main__":
    draw()
