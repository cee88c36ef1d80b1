"""Leave out what older releases of libraries cannot do, for `make test-oldest`."""

import astropy
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from packaging.version import Version

needs_nan_in_text = pytest.mark.skipif(
    Version(astropy.__version__) < Version("8"),
    reason="this astropy reads 0 where a FITS table of text has no value",
)


def write_if_possible(table: pa.Table, path, **options):
    """Write a Parquet file; skip the test where this pyarrow cannot write it and read it again."""
    if "_view" in str(table.schema) and Version(pa.__version__) < Version("24"):
        pytest.skip("this pyarrow cannot write a part of a column of views")
    try:
        pq.write_table(table, path, **options)
        pq.read_table(path)
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError, pa.ArrowInvalid) as error:
        pytest.skip(f"pyarrow {pa.__version__}: {error}")
