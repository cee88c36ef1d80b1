"""What a run found, and where its time went."""

from dataclasses import dataclass, field

import numpy as np

from catalogs.flags import Flag


@dataclass
class Summary:
    """Counts and times of one run.

    Attributes
    ----------
    rows, scored, above_threshold : int
        Candidates in the catalog, with a probability, and with one above `threshold`.
    threshold : float
    flags : dict of str to int
        Rows that carry each flag.
    fetch_seconds, network_seconds : float
        Time that workers spent in fetching cutouts and in the network, all threads added up.
    total_seconds : float
        Time on the clock.
    """

    threshold: float
    rows: int = 0
    scored: int = 0
    above_threshold: int = 0
    flags: dict[str, int] = field(default_factory=lambda: {flag.name: 0 for flag in Flag})
    fetch_seconds: float = 0.0
    network_seconds: float = 0.0
    total_seconds: float = 0.0

    def count(self, probability: np.ndarray, flags: np.ndarray):
        """Add some rows: float32 with NaN where not scored, and int16."""
        self.rows += len(flags)
        self.scored += int(np.count_nonzero(~np.isnan(probability)))
        self.above_threshold += int(np.count_nonzero(probability > self.threshold))
        for flag in Flag:
            self.flags[flag.name] += int(np.count_nonzero(flags & flag))

    def lines(self) -> list[str]:
        """Say it in lines for a terminal or a log."""
        selected = self.rows - self.flags[Flag.NOT_SELECTED.name]
        lost = selected and self.flags[Flag.NO_COVERAGE.name] == selected
        hint = ["no candidate lies on these images: are the positions in degrees?"] if lost else []
        if self.rows and not selected:
            hint = ["the selection kept no row: are its columns in the units that it supposes?"]
        flagged = [f"  {name}: {count}" for name, count in self.flags.items() if count]
        return [
            f"{self.rows} candidates, {self.scored} scored, "
            f"{self.above_threshold} above {self.threshold:g}",
            *(["flags:", *flagged] if flagged else ["no flags"]),
            *hint,
            f"{self.total_seconds:.1f} s in all; {self.fetch_seconds:.1f} s fetching cutouts and "
            f"{self.network_seconds:.1f} s in the network, all threads together",
        ]
