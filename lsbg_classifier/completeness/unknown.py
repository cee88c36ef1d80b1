"""How many LSBGs that nobody knows are among the real candidates of some tiles."""

from dataclasses import dataclass

from catalogs.errors import InputError

PUBLISHED_DENSITY = 4.8
"""LSBGs per square degree, 23,790 in about 5,000 (Tanoglidis et al. 2021, ApJS 252, 18)."""

_MOST = 0.5
"""Part of the others above which a sample of them is none."""


@dataclass(frozen=True)
class UnknownLsbgs:
    """The expected number of unknown LSBGs among the real candidates that pass a cut.

    The known ones are left out of the candidates, so that what is expected is what a square degree
    holds less what is known.

    Attributes
    ----------
    density : float
        LSBGs per square degree that such a cut keeps.
    area : float
        Square degrees in which there are data.
    known : int
        LSBGs in this area that were left out.
    others : int
        Real candidates.

    Examples
    --------
    >>> from lsbg_classifier.completeness.unknown import UnknownLsbgs
    >>> unknown = UnknownLsbgs(density=4.8, area=0.5, known=1, others=70)
    >>> round(unknown.expected, 2), round(unknown.fraction, 3)
    (1.4, 0.02)
    """

    density: float
    area: float
    known: int
    others: int

    @property
    def expected(self) -> float:
        """How many of the candidates are LSBGs; never more than there are candidates."""
        return min(max(self.density * self.area - self.known, 0.0), float(self.others))

    @property
    def fraction(self) -> float:
        """Which part of the candidates that is."""
        return self.expected / self.others if self.others else 0.0

    def check(self):
        """Refuse a density by which most of the candidates would be LSBGs.

        Raises
        ------
        InputError
            If they would be; the message says what to change.
        """
        if self.fraction > _MOST:
            raise InputError(
                f"{self.density:g} LSBGs per square degree would be {self.expected:.0f} of the "
                f"{self.others} real candidates: use a wider cut, more tiles, or a lower "
                "--lsbg-density"
            )

    def describe(self) -> str:
        """Say it in one line."""
        known = f", less {self.known} known ones" if self.known else ""
        return (
            f"of {self.others} real candidates about {self.expected:.1f} are LSBGs that nobody has "
            f"labelled, {100 * self.fraction:.1f}%: {self.density:g} per square degree in "
            f"{self.area:.4g} square degrees{known}"
        )
