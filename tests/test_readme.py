"""The tables of README and docs are those of the code; commands are run by test_docs.py."""

import re
from pathlib import Path

from catalogs.columns import NAMING_STYLES, OUTPUT_COLUMNS
from catalogs.flags import Flag
from lsbg_classifier.surveys import survey_named
from lsbg_classifier.weights.registry import find_weights

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COLUMNS = (ROOT / "docs/columns.md").read_text(encoding="utf-8")
OWN_SURVEY = (ROOT / "docs/howto/own-survey.md").read_text(encoding="utf-8")


def test_the_flags_are_the_registrys():
    for flag in Flag:
        scored = "yes" if flag.scored else "no"
        link = f"[`{flag.name}`](howto/flags.md#{flag.name.lower()})"
        assert f"| {int(flag)} | {link} | {scored} | {flag.description} |" in COLUMNS


def test_the_columns_are_the_codes():
    types = {"f4": "float32", "i2": "int16"}
    rows = re.findall(r"^\| [^|]+ \| (`\w+` \| `\w+` \| `\w+` \| \w+) \|", COLUMNS, re.MULTILINE)
    assert rows == [
        " | ".join([*(f"`{column.names[style]}`" for style in NAMING_STYLES), types[column.dtype]])
        for column in OUTPUT_COLUMNS
    ]


def test_the_scores_are_the_cards():
    for weights in ("des-real", "des-simulated"):
        for sample, scores in find_weights(weights).card.scores.items():
            row = f"| `{weights}` | {sample} | {scores['count']:.0f} |" + "".join(
                f" {scores[name]:.3f} ({scores[f'{name}_low']:.3f}-{scores[f'{name}_high']:.3f}) |"
                for name in ("accuracy", "completeness", "purity", "auc")
            )
            assert row in README


def test_the_survey_in_a_file_is_one(tmp_path):
    (block,) = re.findall(r"```toml\n(.*?)```", OWN_SURVEY, re.DOTALL)
    (tmp_path / "kids.toml").write_text(block)
    survey = survey_named(str(tmp_path / "kids.toml"))
    assert survey.name == "kids" and survey.imaging(tuple("gri")).bands == ("g", "r", "i")
