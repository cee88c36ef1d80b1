"""Mock low-surface-brightness galaxies in the user's own images: drawn, placed, written."""

from catalogs.extras import require

require("injection", ("galsim", "sep"), "simulate")
