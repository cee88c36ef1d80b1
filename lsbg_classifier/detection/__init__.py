"""Candidates found in images by SEP, SourceExtractor's methods as a library."""

from catalogs.extras import require

require("detection", ("sep",), "simulate")
