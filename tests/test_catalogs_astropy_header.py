"""What astropy keeps in the metadata of a Parquet file, and that it can read what we write."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from astropy.table import MaskedColumn, Table
from astropy.time import Time

from catalogs import lsbg_columns, open_catalog
from catalogs.astropy_header import describe_for_astropy


def forget(meta):
    meta.pop("LSST.BUTLER.ID", None)


@pytest.mark.filterwarnings("ignore:ERFA function:erfa.ErfaWarning")
def test_what_astropy_has_said_of_a_table_stays(tmp_path):
    before = Table({"a": [1, 2], "when": Time([58849.0, 58850.0], format="mjd"), "s": ["x", "yy"]})
    before["a"].info.unit, before["a"].info.format, before["a"].info.meta = (
        "nJy",
        "%03d",
        {"k": [1]},
    )
    before.meta = {"nested": {"x": {"y": 2}}, "LSST.BUTLER.ID": "old"}
    before.write(tmp_path / "table.parquet")
    table = pq.read_table(tmp_path / "table.parquet")
    field = pa.field("new", pa.float32(), metadata={"ucd": "phot.mag", "unit": "mag"})
    table = table.append_column(field, pa.array([1, None], pa.float32()))
    schema = describe_for_astropy(table.schema, {"n": 1}, forget)
    pq.write_table(table.replace_schema_metadata(schema.metadata), tmp_path / "table.parquet")
    after = Table.read(tmp_path / "table.parquet")
    assert after.meta == {"nested": {"x": {"y": 2}}, "n": 1}
    assert after["when"].mjd.tolist() == [58849.0, 58850.0]
    assert (after["a"].unit, after["a"].format, after["a"].meta) == ("nJy", "%03d", {"k": [1]})
    assert (after["new"].unit, after["new"].meta) == ("mag", {"ucd": "phot.mag"})


@pytest.mark.parametrize(
    "header",
    ["- 1", "a: [", "datatype: 3\nmeta: 4", "datatype: [1, {name: a, meta: 3, unit: [2]}, {}]"],
)
def test_a_damaged_description_is_made_anew(header):
    table = pa.table({"a": [1], "nested": [[1]]}).replace_schema_metadata(
        {"table_meta_yaml": header}
    )
    found = describe_for_astropy(table.schema, {"n": 1}, forget)
    text = found.metadata[b"table_meta_yaml"].decode()
    assert yaml.safe_load(text)["meta"] == {"n": 1}
    assert "name: a," in text and "name: nested," in text and found.equals(table.schema)


def test_astropy_reads_its_own_table_annotated(tmp_path):
    before = Table({"ra": [10.0, 11.0], "dec": [-1.0, -2.0], "name": ["x", "yy"]})
    before["ra"].unit = before["dec"].unit = "deg"
    before["flux"] = MaskedColumn([1.0, 2.0], mask=[False, True], unit="nJy")
    before.meta["survey"] = "mine"
    before.write(tmp_path / "in.parquet")
    catalog = open_catalog(tmp_path / "in.parquet")
    columns = lsbg_columns(before.colnames)
    scores = [np.array([0.25, np.nan], np.float32), np.array([0, 1], np.int16)]
    catalog.write_annotated(
        tmp_path / "out.parquet",
        columns,
        lambda start, stop: [score[start:stop] for score in scores],
        {"weights": "some"},
    )
    after = Table.read(tmp_path / "out.parquet")
    assert after.colnames == [*before.colnames, "p_lsbg", "flags_lsbg"]
    assert after.meta["survey"] == "mine" and after["ra"].unit == "deg"
    assert after["flux"].unit == "nJy" and after["flux"].mask.tolist() == [False, True]
    assert after["p_lsbg"][0] == 0.25 and np.isnan(after["p_lsbg"][1])
    assert after["p_lsbg"].description == columns[0].description
