"""How many rows of a catalog are in memory at a time."""

BLOCK_ROWS = 65_536
"""Rows that are read or written at a time, in all formats: some megabytes of a wide table."""
