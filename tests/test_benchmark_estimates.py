"""What a survey takes is computed from measured rates by the benchmark of partitions."""

import pytest

from benchmarks.estimates import Rates, estimate, scoring_rate
from benchmarks.partitions import PAGE


def test_hours_follow_from_the_rates():
    """A rate of 1e9 / 3600 rows a second takes one hour for a billion rows."""
    one_hour = 1e9 / 3600
    narrow = Rates(40, 200, one_hour, one_hour / 2)
    wide = Rates(1000, 4000, one_hour / 5, one_hour / 554)
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in estimate([narrow, wide], scoring=250).splitlines()
    ]
    assert lines[0][1:] == ["40 columns", "1,000 columns"]
    assert {len(line) for line in lines} == {3}
    values = {line[0]: line[1:] for line in lines[2:]}
    assert values["size of the catalog"] == ["0.2 TB", "4 TB"]
    assert values["hashing and planning"] == ["1 h", "5 h"]
    assert values["scoring"] == ["3.3 h", "3.3 h"]
    assert values["writing"] == ["2 h", "550 h"]
    assert values["together, two workers"] == ["6.3 h", "560 h"]
    hundred = next(key for key in values if key.startswith("together, 100 workers"))
    assert values[hundred] == ["7.6 min", "11 h"]
    traffic = next(key for key in values if key.startswith("bytes"))
    # 3 x 0.2 TB in 3.6 minutes, and 3 x 4 TB in 11.2 hours
    assert values[traffic] == ["2.8 GB/s", "0.3 GB/s"]


def test_the_rate_of_scoring_is_that_of_the_page(tmp_path):
    assert 10 < scoring_rate(PAGE) < 10_000
    (tmp_path / "page.md").write_text("| another row | 1/s -> 2/s |")
    with pytest.raises(ValueError, match="no row of 1 -> 2 Dask"):
        scoring_rate(tmp_path / "page.md")
