"""Catalogs in folders: their files are read, planned and written one by one, by the workers.

A run goes through three steps. `examine` hashes each file and counts its selected rows. Then the
files are taken in portions of about two million selected rows: a portion is planned, scored and
journaled as a whole catalog is, and its files are written. At last the command adds what describes
the whole, and gives the output its name.
"""

from pipeline.partitions.run import run_partitions

__all__ = ["run_partitions"]
