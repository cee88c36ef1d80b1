"""Simulated survey images, and the candidates that a search would find in them."""

from catalogs.extras import require

require("simulation", ("galsim", "sep"), "simulate")
