"""What an annotated catalog says once about its new columns."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Provenance:
    """Where the new columns of a catalog come from.

    Attributes
    ----------
    weights : str
        Name of the weights.
    weights_sha256 : str
    source : str
        The cutout source, without passwords.
    software : str
        Name and version.
    engine : str
        Name and version of what ran the network.
    date : str
        Day on which the run was started, in UTC, as ``2026-11-29``; a resume does not change it.
    threshold : str
        Probability above which a candidate counts as an LSBG.
    prior : str or None
        Fraction of LSBGs among the candidates that the probabilities are for.
    select : str or None
        The selection; None: all rows were looked at.
    mismatch : str or None
        In what the images differ from those that the weights were made for, which is allowed by
        ``--allow-mismatch`` alone; None: in nothing.
    """

    weights: str
    weights_sha256: str
    source: str
    software: str
    engine: str
    date: str
    threshold: str
    prior: str | None = None
    select: str | None = None
    mismatch: str | None = None

    def as_mapping(self) -> dict[str, str]:
        """Return what is known, as `catalogs.Catalog.write_annotated` takes it."""
        return {key: value for key, value in asdict(self).items() if value is not None}
