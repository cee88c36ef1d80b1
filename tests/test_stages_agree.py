"""The command and the stages of other pipelines: same options, and same scores to the bit."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from catalogs import InputError
from pipeline.commands.classify import classify
from pipeline.commands.report import report
from pipeline.commands.simulate import simulate
from pipeline.stages._options import options_of, report_options

pytest.importorskip("ceci", reason="needs the extra ceci")
pytest.importorskip("lsst.pipe.base", reason="needs the extra rubin")

from pipeline.stages import ceci, rubin
from pipeline.stages._rubin_config import OPTIONS, RENAMED

ROWS = 24


@pytest.fixture(scope="module")
def tables(survey, tmp_path_factory):
    """The same candidates as FITS and as Parquet."""
    folder = tmp_path_factory.mktemp("tables")
    table = Table.read(survey.candidates)[:ROWS]
    table.write(folder / "candidates.fits")
    columns = {name: pa.array(table[name].tolist()) for name in table.colnames}
    pq.write_table(pa.table(columns), folder / "candidates.parquet")
    return folder


@pytest.fixture
def of_the_command(survey, tables, lsbg, tmp_path):
    """Probabilities and flags by ``lsbg classify``."""
    output = tmp_path / "command.fits"
    arguments = (tables / "candidates.fits", output, "--cutouts", f"tiles:{survey.tiles}")
    code, _, err = lsbg("classify", *arguments, "--quiet")
    assert code == 0, err
    table = Table.read(output)
    assert np.isfinite(table["P_LSBG"]).sum() > ROWS / 2
    return np.array(table["P_LSBG"]), np.array(table["FLAGS_LSBG"])


def assert_same(table, expected, names):
    for name, column in zip(names, expected, strict=True):
        found = np.asarray(table[name].to_numpy() if isinstance(table, pa.Table) else table[name])
        native = found.astype(column.dtype.newbyteorder("="))
        np.testing.assert_array_equal(native, column)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["fits", "parquet"])
def test_the_ceci_stage_scores_as_the_command(survey, tables, of_the_command, suffix, tmp_path):
    kind = {"fits": ceci.ClassifyLsbgStage, "parquet": ceci.ClassifyLsbgParquetStage}[suffix]
    output = tmp_path / f"annotated.{suffix}"
    stage = kind.make_stage(
        candidates=str(tables / f"candidates.{suffix}"),
        annotated_candidates=str(output),
        cutouts=f"tiles:{survey.tiles}",
    )
    stage.run()
    stage.finalize()
    table = Table.read(output) if suffix == "fits" else pq.read_table(output)
    assert_same(table, of_the_command, ("P_LSBG", "FLAGS_LSBG"))


@pytest.mark.slow
def test_the_rubin_task_scores_as_the_command(survey, tables, of_the_command):
    config = rubin.ClassifyLsbgConfig()
    config.cutouts = f"tiles:{survey.tiles}"
    task = rubin.ClassifyLsbgTask(config=config)
    annotated = task.run(pq.read_table(tables / "candidates.parquet")).annotated
    assert_same(annotated, of_the_command, ("lsbgProbability", "lsbgFlags"))


def squeezed(text):
    return "".join(text.split())


@pytest.mark.parametrize("command", [classify, report, simulate], ids=lambda found: found.__name__)
def test_options_are_in_the_words_of_the_help(command, lsbg):
    code, out, _ = lsbg(command.__name__, "--help")
    assert code == 0
    text = squeezed(out)
    options = options_of(command)
    assert len(options) >= 7
    for option in options:
        said = squeezed(option.help)
        assert said in text
        if option.required:
            assert f"{said}[required]" in text
        elif option.kind is not bool and option.default is not None:
            assert f"{said}[default:{option.default}" in text
        if option.low is not None and option.high is not None:
            assert f"{option.low}<=x<={option.high}]" in text


@pytest.mark.parametrize(
    "stage",
    [
        *(ceci.ClassifyLsbgStage, ceci.ClassifyLsbgParquetStage, ceci.SimulateLsbgStage),
        *(ceci.ReportLsbgStage, ceci.TrainLsbgStage, ceci.TrainOnLabelsLsbgStage),
        ceci.TrainSimulatedLsbgStage,
    ],
)
def test_ceci_knows_every_option(stage):
    assert [option.name for option in stage.options] == list(stage.config_options)
    for option in stage.options:
        given = stage.config_options[option.name]
        assert (given.dtype, given.default, given.required, given.msg) == (
            *(option.kind, option.default, option.required, option.help),
        )
        assert f"{option.name}: " in stage.__doc__ and option.help in stage.__doc__


@pytest.mark.parametrize("config", [rubin.ClassifyLsbgConfig, rubin.ClassifyLsbgHealpixConfig])
def test_rubin_knows_every_option(config):
    for option in OPTIONS:
        field = config._fields[RENAMED.get(option.name, option.name)]
        assert (field.dtype, field.default, field.doc) == (option.kind, option.default, option.help)
        assert field.optional == (option.default is None)


def test_options_of_a_report_find_their_place():
    found = report_options(
        {"cutouts": "hips:x", "columns": "A, B", "ra": "R", "url": "U", "count": 5, "truth": None}
        | {"labellers": "ann, bob", "completeness": "c.json"}
    )
    assert (found.labellers, found.completeness) == (["ann", "bob"], Path("c.json"))
    assert (found.cutouts, found.columns, found.count) == ("hips:x", ["A", "B"], 5)
    assert (found.catalog_options, found.source_options) == ({"ra": "R"}, {"url": "U"})
    assert found.overwrite and found.truth is None


@pytest.mark.parametrize(
    ("framework", "module"), [("ceci", "_ceci_base"), ("lsst.pipe.base", "_lsst")]
)
def test_a_missing_framework_is_named_with_its_extra(framework, module, monkeypatch):
    name = f"pipeline.stages.{module}"
    monkeypatch.setitem(sys.modules, framework, None)
    monkeypatch.delitem(sys.modules, name)
    with pytest.raises(InputError, match=r"pip install 'lsbg-classifier\[(ceci|rubin)\]'$"):
        importlib.import_module(name)
