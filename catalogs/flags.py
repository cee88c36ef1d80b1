"""The flags beside each probability: one registry for the numbers, the docs and ``lsbg flags``."""

import enum


class Flag(enum.IntFlag):
    """Bits of the int16 flag column; 0 means scored, with nothing to say.

    Each member carries `description`, and `scored`: whether a candidate that has only this flag
    still gets a probability.

    Examples
    --------
    >>> from lsbg_classifier import Flag
    >>> Flag(20)
    <Flag.PARTIAL_COVERAGE|MASKED_PIXELS: 20>
    >>> Flag.FETCH_FAILED in Flag(33)
    True
    >>> Flag.NO_COVERAGE.scored, Flag.NO_COVERAGE.description
    (False, 'the images do not cover the position')
    """

    scored: bool
    description: str

    def __new__(cls, bit: int, scored: bool = True, description: str = ""):
        """Make a member from its bit; compositions of members have the defaults."""
        member = int.__new__(cls, bit)
        member._value_ = bit
        member.scored = scored
        member.description = description
        return member

    NO_POSITION = (1, False, "the position is missing, not finite or out of range")
    NO_COVERAGE = (2, False, "the images do not cover the position")
    PARTIAL_COVERAGE = (4, True, "part of the cutout has no data in at least one band")
    MISSING_BAND = (8, False, "a band has no data in the whole cutout, so its colours are wrong")
    MASKED_PIXELS = (16, True, "the survey's mask marks pixels near the centre of the cutout")
    FETCH_FAILED = (32, False, "the cutout could not be fetched; a later run may get it")
    BAD_IMAGE = (64, False, "what came back is not a readable image")
    UNLIKE_TRAINING = (128, True, "the cutout looks unlike those that the weights have seen")
    NOT_SELECTED = (256, False, "the selection did not keep the row; nothing else was looked at")


NOT_SCORED = Flag(sum(flag for flag in Flag if not flag.scored))
"""All the flags whose candidates get no probability."""
