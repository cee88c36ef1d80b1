"""One table of options: the function, the command and the stages have these and no others."""

import inspect
import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from typer.main import get_command

from catalogs import InputError
from catalogs.columns import OUTPUT_COLUMNS
from pipeline import annotate
from pipeline.cli import app
from pipeline.commands.classify import classify
from pipeline.options import OPTIONS, Options, kind_of, option_named
from pipeline.train import DES, HSC, training_app

NOT_OF_THE_TABLE = {"input_path", "output", "source_options", "progress"}
NAMES = [option.name for option in OPTIONS]


def test_annotate_has_the_options_of_the_table():
    signature, hints = inspect.signature(annotate), get_type_hints(annotate)
    assert [name for name in signature.parameters if name not in NOT_OF_THE_TABLE] == NAMES
    assert NOT_OF_THE_TABLE < set(signature.parameters)
    for option in OPTIONS:
        parameter = signature.parameters[option.name]
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert (
            parameter.default is inspect.Parameter.empty
            if option.required
            else (parameter.default == option.default)
        )
        assert hints[option.name] == get_type_hints(Options)[option.name]
        assert kind_of(hints[option.name]) is option.kind


def test_annotate_describes_each_option():
    described = re.findall(r"^    (\w+(?:, \w+)*) : .+\n        \S", annotate.__doc__, re.MULTILINE)
    assert {*", ".join(described).split(", ")} == {*NAMES, *NOT_OF_THE_TABLE}
    for name in ("FITS", "Parquet", "HATS", "VOTable", "ECSV"):
        assert name in annotate.__doc__
    for source in ("tiles:", "legacysurvey:", "hips:", "kept:"):
        assert source in annotate.__doc__ and source in option_named("cutouts").help


def test_the_command_has_the_options_of_the_table():
    parameters = inspect.signature(classify).parameters
    assert set(parameters) == {"input_path", "output", "dry_run", "quiet", *NAMES}
    for option in OPTIONS:
        kind, info = get_args(parameters[option.name].annotation)[:2]
        assert (info.help, info.min, info.max) == (option.help, option.low, option.high)
        assert Path in (kind, *get_args(kind)) if option.is_path else kind_of(kind) is option.kind
        default = inspect.Parameter.empty if option.required else option.default
        assert parameters[option.name].default == default


VERBS = """
    Accept Add Append Apply Ask Build Check Choose Compare Compute Continue Copy Count
    Describe Detect Draw Fetch Fill Find Fine-tune Give Inject Judge Keep Leave List Make
    Match Measure Name Open Print Put Read Replace Run Score Send Show Simulate Start Take
    Train Use Write
    """.split()


def test_help_of_every_option_begins_with_a_verb_and_is_a_sentence():
    commands = dict(get_command(app).commands)
    commands |= {one.command: get_command(training_app(one)) for one in (DES, HSC)}
    options = [
        (f"{name} {parameter.opts[0]}", parameter.help)
        for name, command in commands.items()
        for parameter in command.params
        if parameter.param_type_name == "option" and parameter.name != "help"
    ]
    assert len(options) > 150
    wrong = [
        line for line, text in options if text.split()[0] not in VERBS or not text.endswith(".")
    ]
    assert not wrong


def test_an_unknown_option_is_answered_with_those_that_exist():
    with pytest.raises(TypeError, match="annotate has no option 'weight'; it has cutouts, weights"):
        annotate("a.fits", "b.fits", cutouts="tiles:x", weight="des")
    with pytest.raises(TypeError, match="cutouts"):
        annotate("a.fits", "b.fits")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"chunk_size": 0}, "chunk_size must be at least 1, not 0"),
        ({"workers": 0}, "workers must be at least 1, not 0"),
        ({"connections": 0}, "connections must be at least 1, not 0"),
        ({"threshold": 1.5}, r"threshold must be at most 1, not 1\.5"),
        ({"threshold": -0.1}, r"threshold must be at least 0, not -0\.1"),
        ({"engine": "tpu"}, "unknown engine 'tpu': choose one of auto, onnx, keras"),
        ({"workers": 1, "scheduler": "tcp://a:1"}, "exclude each other"),
        ({"scheduler_file": "a.json", "scheduler": "tcp://a:1"}, "exclude each other"),
        ({"adapt": (0, 2)}, "--adapt is for jobs of Slurm; name their file with --cluster"),
    ],
)
def test_values_out_of_range_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        Options("tiles:x", **wrong)


def test_options_of_the_source_are_taken_by_name_or_in_a_mapping():
    options = Options("hips:x", bands="gri", connections=3, source_options={"timeout": 5})
    assert options.of_source == {"timeout": 5, "bands": "gri", "connections": 3}
    assert Options("hips:x").of_source == {}


def test_the_columns_that_are_asked_for():
    assert Options("hips:x").column_keys == ("probability", "flags")
    asked = Options("hips:x", uncertainty=True).column_keys
    assert asked == tuple(column.key for column in OUTPUT_COLUMNS)


def test_the_stages_have_the_options_of_the_table_but_for_their_own():
    pytest.importorskip("ceci", reason="needs the extra ceci")
    pytest.importorskip("lsst.pipe.base", reason="needs the extra rubin")
    from pipeline.stages import _rubin_config, ceci

    def missing(options):
        assert all(option in OPTIONS for option in options)
        return {*NAMES} - {option.name for option in options}

    not_in_ceci = {"resume", "overwrite", "in_place", "only", "adapt"}
    assert missing(ceci.ClassifyLsbgStage.options) == not_in_ceci
    assert missing(ceci.ClassifyLsbgParquetStage.options) == not_in_ceci
    of_one_file = {"format", "table", "keep_cutouts", "log"}
    assert missing(_rubin_config.OPTIONS) == not_in_ceci | of_one_file


def test_the_step_for_lsdb_has_the_options_of_the_table_that_suit_a_partition():
    pytest.importorskip("lsdb", reason="needs the extra hats")
    from pipeline.stages.hats import PARTITION_OPTIONS

    of_whole_runs = {"format", "table", "scheduler", "workers", "cluster", "keep_cutouts", "resume"}
    of_whole_runs |= {"overwrite", "in_place", "only", "vo_metadata", "log"}
    of_whole_runs |= {"scheduler_file", "adapt"}
    assert {*NAMES} - {option.name for option in PARTITION_OPTIONS} == of_whole_runs | {"cutouts"}
