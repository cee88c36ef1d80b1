"""The stages for ceci: the shipped pipeline by ceci's launcher, and what a stage must not do."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from astropy.io import fits
from astropy.table import Table
from distributed import Client
from test_cluster import running_scheduler, running_worker, wait_for_workers

from catalogs import InputError
from catalogs.formats import FORMATS
from lsbg_classifier.cutouts.kept_files import kept_folder
from lsbg_classifier.weights.registry import at_path
from pipeline import annotate
from pipeline.job import journal_of

pytest.importorskip("ceci", reason="needs the extra ceci")

from pipeline.stages import ceci

BIN = Path(sys.executable).parent
PAGE = (Path(__file__).parents[1] / "docs" / "pipelines.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## ceci\n")[2].partition("\n## ")[0]
ROWS = 24


def blocks(kind):
    """Return the snippets of a kind in what the docs say of ceci."""
    return re.findall(rf"```{kind}\n(.*?)```", SECTION, re.DOTALL)


def execute(stage, **given):
    """Run a stage in this process, as ``python3 -m pipeline STAGE`` would."""
    command = [f"--{name}={value}" for name, value in given.items() if value is not True]
    command += [f"--{name}" for name, value in given.items() if value is True]
    stage.execute(stage.parse_command_line([stage.name, *command]))


@pytest.fixture(scope="module")
def candidates(survey, tmp_path_factory):
    """The first and the last candidates of the survey, which lie on two tiles."""
    path = tmp_path_factory.mktemp("candidates") / "candidates.fits"
    table = Table.read(survey.candidates)
    table[[*range(ROWS // 2), *range(-ROWS // 2, 0)]].write(path)
    return path


@pytest.fixture(scope="module")
def expected(survey, candidates, tmp_path_factory):
    """What the command makes of them: a FITS table."""
    output = tmp_path_factory.mktemp("expected") / "annotated.fits"
    annotate(candidates, output, cutouts=f"tiles:{survey.tiles}")
    return output


@pytest.fixture
def stage(survey, candidates, tmp_path):
    """The arguments of the stage that classifies."""
    return {
        "candidates": candidates,
        "annotated_candidates": tmp_path / "annotated.fits",
        "cutouts": f"tiles:{survey.tiles}",
    }


@pytest.fixture(scope="module")
def page(survey, tmp_path_factory):
    """What the docs' lines leave, where `make demo` ran before; its own pipeline on a cluster."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "demo").mkdir()
    (folder / "demo" / "survey").symlink_to(survey.tiles.parent)
    for text in blocks("yaml"):
        (folder / text.partition("\n")[0].removeprefix("# ")).write_text(text)
    with (
        running_scheduler(folder) as (address, _),
        running_worker(folder / "worker", address),
    ):
        wait_for_workers(address, 1)
        with open(folder / "own_config.yaml", "a") as file:
            file.write(f"  scheduler: {address}\n")
        for lines in blocks("console"):
            run_in_shell(folder, lines)
        with Client(address, set_as_default=False) as client:
            steps = client.run_on_scheduler(
                lambda dask_scheduler: dask_scheduler.transition_counter
            )
    return folder, steps


def run_in_shell(folder, lines):
    """Run lines as a user does; ceci finds python3 in the PATH."""
    done = subprocess.run(
        ["bash", "-euc", lines],
        cwd=folder,
        env=os.environ
        | {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(folder / "cache"),
        },
        capture_output=True,
        text=True,
        timeout=400,
    )
    said = "".join(path.read_text() for path in folder.glob("*/logs/*.out"))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{said}"
    return done.stdout


@pytest.mark.long
@pytest.mark.slow
def test_the_shipped_pipeline_runs_from_the_sky_to_the_report(page):
    folder, _ = page
    out = folder / "lsbg"
    assert {path.name for path in out.iterdir()} == {
        *("candidates.fits", "truth.fits", "coadd_tiles", "logs"),
        *("annotated_candidates.fits", "lsbg_report"),
    }
    annotate(
        out / "candidates.fits", folder / "expected.fits", cutouts=f"tiles:{out / 'coadd_tiles'}"
    )
    assert_same(out / "annotated_candidates.fits", folder / "expected.fits")
    assert (out / "lsbg_report" / "index.html").is_file()
    assert " of them LSBGs" in (out / "logs" / "SimulateLsbgStage.out").read_text()
    assert " scored, " in (out / "logs" / "ClassifyLsbgStage.out").read_text()


@pytest.mark.long
@pytest.mark.slow
def test_a_pipeline_of_ones_own_uses_the_scheduler_it_is_given(page, survey):
    folder, steps = page
    cutouts, select = f"tiles:{survey.tiles}", "FLUX_RADIUS_G * 0.263 > 2.5"
    annotate(survey.candidates, folder / "own.fits", cutouts=cutouts, select=select)
    assert_same(folder / "own" / "annotated_candidates.fits", folder / "own.fits")
    assert steps > 0


@pytest.mark.long
@pytest.mark.slow
def test_what_is_there_is_not_made_again(page):
    folder, _ = page
    before = (folder / "own" / "annotated_candidates.fits").stat()
    assert "Executing" not in run_in_shell(folder, "ceci own.yaml")
    assert (folder / "own" / "annotated_candidates.fits").stat() == before


@pytest.mark.slow
def test_a_second_stage_of_the_same_kind_has_a_name_and_aliases(survey, candidates, tmp_path):
    stage, options = re.findall(r"`(.*name: deep.*)`", SECTION)
    tiles = f"tiles:{survey.tiles}"
    pipeline = yaml.safe_load(blocks("yaml")[0])
    pipeline["stages"].append(yaml.safe_load(stage))
    pipeline |= {"inputs": {"candidates": str(candidates)}, "config": "options.yaml"}
    options = yaml.safe_load(options.replace("tiles:demo/survey/tiles", tiles))
    options["ClassifyLsbgStage"] = {"cutouts": tiles, "threshold": 0.9}
    (tmp_path / "two.yaml").write_text(yaml.dump(pipeline))
    (tmp_path / "options.yaml").write_text(yaml.dump(options))
    run_in_shell(tmp_path, "ceci two.yaml")
    names = ("annotated_candidates.fits", "deep_candidates.fits")
    assert [fits.getheader(tmp_path / "own" / name, 1)["LSBGTHR"] for name in names] == [0.9, 0.5]


def assert_same(annotated, expected):
    """All data to the bit; the headers hold the times of two runs."""
    with fits.open(annotated) as found, fits.open(expected) as right:
        assert len(found) == len(right)
        for one, other in zip(found[1:], right[1:], strict=True):
            assert one.columns.names == other.columns.names
            assert one.data.tobytes() == other.data.tobytes()


@pytest.mark.slow
def test_a_stage_that_was_stopped_goes_on(stage, expected):
    working = stage["annotated_candidates"].with_name("inprogress_annotated.fits")
    stopped_at = []

    def stop(done, total):
        stopped_at.append(done)
        if done:
            raise KeyboardInterrupt

    arguments = {"cutouts": stage["cutouts"], "chunk_size": 4}
    with pytest.raises(KeyboardInterrupt):
        annotate(stage["candidates"], working, progress=stop, **arguments)
    log = journal_of(working) / "results.log"
    assert 0 < stopped_at[-1] < ROWS and log.stat().st_size
    execute(ceci.ClassifyLsbgStage, **stage, chunk_size=4)
    assert_same(stage["annotated_candidates"], expected)
    assert not working.exists() and not log.parent.exists()


@pytest.mark.slow
def test_kept_cutouts_move_with_the_catalog_and_go_with_it(stage):
    place = kept_folder(stage["annotated_candidates"])
    execute(ceci.ClassifyLsbgStage, **stage, keep_cutouts=True)
    assert place.is_dir() and Table.read(stage["annotated_candidates"])["P_LSBG"][0] >= 0
    execute(ceci.ClassifyLsbgStage, **stage)
    assert sorted(path.name for path in place.parent.iterdir()) == ["annotated.fits"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunk_sise": 3}, "no option chunk_sise; did you mean chunk_size"),
        ({"threshold": 2.0}, "threshold must be at most 1, not 2"),
        ({"connections": 0}, "connections must be at least 1, not 0"),
        ({"weights": "nobody"}, "unknown weights 'nobody'"),
    ],
)
def test_what_is_wrong_in_the_configuration_is_said(stage, options, message, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.dump({"ClassifyLsbgStage": options}))
    with pytest.raises(InputError, match=message):
        execute(ceci.ClassifyLsbgStage, **stage, config=config)
    assert not stage["annotated_candidates"].exists()


@pytest.mark.slow
def test_unknown_options_are_refused_where_no_other_stage_can_mean_them(stage, tmp_path, expected):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.dump({"ClassifyLsbgStage": {"colour": 3}}))
    with pytest.raises(InputError, match="ClassifyLsbgStage has no option colour; it has cutouts,"):
        execute(ceci.ClassifyLsbgStage, **stage, config=config)
    config.write_text(yaml.dump({"global": {"colour": 3}, "ClassifyLsbgStage": {"threshold": 2}}))
    execute(ceci.ClassifyLsbgStage, **stage, config=config, threshold=0.5)  # here, not in the file
    assert_same(stage["annotated_candidates"], expected)
    assert fits.getheader(stage["annotated_candidates"], 1)["LSBGTHR"] == 0.5
    with pytest.raises(SystemExit):
        execute(ceci.ClassifyLsbgStage, **stage, colour=3)


@pytest.mark.parametrize("section", ["global", "ClassifyLsbgStage"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"uncertainty": "no"}, "uncertainty must be true or false, not 'no'"),
        ({"overwrite_columns": 0}, "overwrite_columns must be true or false, not 0"),
        ({"workers": 1.5}, "workers must be a whole number, not 1.5"),
        ({"threshold": "high"}, "threshold must be a number, not 'high'"),
        ({"threshold": True}, "threshold must be a number, not True"),
        ({"weights": ["a", "b"]}, r"weights must be one text, not \['a', 'b'\]"),
        (None, "has no options in the file of options; leave it out there"),
    ],
)
def test_values_of_another_kind_are_refused(stage, section, options, message, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.dump({section: options}))
    with pytest.raises(InputError, match=message):
        execute(ceci.ClassifyLsbgStage, **stage, config=config)


def test_texts_that_are_numbers_are_taken(stage, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("ClassifyLsbgStage: {threshold: 1e-1, workers: 2.0, table: 1}")  # in YAML 1.1
    names = {key: str(value) for key, value in stage.items()}
    values = ceci.ClassifyLsbgStage.make_stage(**names, config=str(config)).values()
    assert (values["threshold"], values["workers"], values["table"]) == (0.1, 2, "1")


def test_options_on_the_command_line_of_ceci_are_refused(monkeypatch):
    files = ({"candidates": "in.fits"}, "config.yaml", {"annotated_candidates": "out.fits"})
    words = ["ceci", "own.yaml", "output_dir=own", "ClassifyLsbgStage.threshold=0.9"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(InputError, match=r"^ClassifyLsbgStage\.threshold=0\.9: ceci gives no "):
        ceci.ClassifyLsbgStage.generate_command(*files)
    command = ceci.ClassifyLsbgStage.generate_command(*files, instance_name="deep")
    assert "--name=deep" in command


def test_messages_name_the_output_of_the_user(stage):
    table = Table.read(stage["candidates"])
    table["P_LSBG"] = 0.5
    table.write(stage["candidates"].with_name("scored.fits"), overwrite=True)
    stage["candidates"] = stage["candidates"].with_name("scored.fits")
    with pytest.raises(InputError, match=r"scored\.fits: already has the column P_LSBG") as error:
        execute(ceci.ClassifyLsbgStage, **stage)
    assert "inprogress" not in str(error.value)
    stage_of = ceci.ClassifyLsbgStage.make_stage(**{key: str(text) for key, text in stage.items()})
    said = stage_of._by_final_names(f"{stage_of.get_output('annotated_candidates')}.journal: full")
    assert said == f"{stage['annotated_candidates']}.journal: full"


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_hats_catalogs_are_taken_by_a_stage_of_an_alias(survey, candidates, expected, tmp_path):
    lsdb = pytest.importorskip("lsdb", reason="needs the extra hats")
    table = Table.read(candidates)
    table["NUMBER"] = range(ROWS)
    frame = table.to_pandas()
    catalog = lsdb.from_dataframe(frame, ra_column="ALPHA_J2000", dec_column="DELTA_J2000")
    catalog.write_catalog(tmp_path / "in.hats", as_collection=False, progress_bar=False)
    stage = {"candidates": tmp_path / "in.hats", "annotated_candidates": tmp_path / "out.hats"}
    config = tmp_path / "config.yaml"
    config.write_text(yaml.dump({"deep": {"cutouts": f"tiles:{survey.tiles}"}}))
    for _ in range(2):  # an output that is there is replaced
        execute(ceci.ClassifyLsbgHatsStage, **stage, name="deep", config=config)
    found = lsdb.open_catalog(tmp_path / "out.hats", columns="all").compute(progress_bar=False)
    found = found.sort_values("NUMBER")["P_LSBG"].astype("f4").fillna(float("nan"))
    right = Table.read(expected)["P_LSBG"]
    assert found.to_numpy("f4").tobytes() == right.astype("f4").tobytes()


@pytest.mark.slow
def test_hdf5_is_taken(survey, candidates, expected, tmp_path):
    if "hdf5" not in {known.name for known in FORMATS}:
        pytest.skip("this version does not read HDF5")
    Table.read(candidates).write(tmp_path / "in.hdf5", path="candidates", serialize_meta=True)
    stage = {"candidates": tmp_path / "in.hdf5", "annotated_candidates": tmp_path / "out.hdf5"}
    execute(ceci.ClassifyLsbgHdf5Stage, **stage, cutouts=f"tiles:{survey.tiles}")
    found, right = (Table.read(path)["P_LSBG"] for path in (tmp_path / "out.hdf5", expected))
    assert found.astype("f4").tobytes() == right.astype("f4").tobytes()


def test_processes_that_ceci_asks_for_are_workers_of_the_first(stage, monkeypatch):
    given = {}
    monkeypatch.setattr(ceci.ClassifyLsbgStage, "finalize", lambda _: None)
    monkeypatch.setattr(ceci.ClassifyLsbgStage, "work", lambda self: given.update(self.values()))
    arguments = [f"--{name}={value}" for name, value in stage.items()]
    for rank in (1, 0):
        monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "3")
        monkeypatch.setenv("OMPI_COMM_WORLD_RANK", str(rank))
        monkeypatch.setattr(sys, "argv", ["x", "ClassifyLsbgStage", *arguments, "--mpi"])
        assert ceci.main() == 0
        assert given.get("workers") == (None if rank else 3)
    monkeypatch.setattr(sys, "argv", ["x", "SimulateLsbgStage", "--mpi"])
    with pytest.raises(SystemExit, match="SimulateLsbgStage: this stage is one process; leave out"):
        ceci.main()


def test_a_missing_source_of_cutouts_is_said(stage):
    del stage["cutouts"]
    with pytest.raises(InputError, match="Missing configuration option cutouts"):
        execute(ceci.ClassifyLsbgStage, **stage)


def test_the_command_says_in_one_line_what_is_wrong(stage, monkeypatch):
    stage["cutouts"] = "nonsense"
    arguments = [f"--{name}={value}" for name, value in stage.items()]
    monkeypatch.setattr(sys, "argv", ["pipeline", "ClassifyLsbgStage", *arguments])
    with pytest.raises(SystemExit) as ending:
        ceci.main()
    assert str(ending.value).startswith("ClassifyLsbgStage: unknown cutout source 'nonsense'")


def test_mpi_is_refused(stage):
    with pytest.raises(ValueError, match="cannot be run in parallel"):
        execute(ceci.ClassifyLsbgStage, **stage, mpi=True)


@pytest.fixture
def labelled(survey, tmp_path):
    """Candidates with their labels as a column."""
    table = Table.read(survey.candidates)
    table["IS_LSBG"] = Table.read(survey.truth)["LABEL"]
    table.write(tmp_path / "labelled.fits")
    return tmp_path / "labelled.fits"


@pytest.fixture
def terminations():
    """The command that trains takes SIGTERM for Ctrl-C; give it back afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.usefixtures("terminations")
def test_weights_are_trained_on_labelled_candidates(survey, labelled, tmp_path, capsys):
    execute(
        ceci.TrainLsbgStage,
        labelled_candidates=labelled,
        trained_weights=tmp_path / "ours",
        weights_name="ours",
        label="IS_LSBG",
        cutouts=f"tiles:{survey.tiles}",
        epochs=1,
        batch=16,
        **{"no-register": True},
    )
    card = at_path(tmp_path / "ours" / "ours.weights.h5").card
    assert card.name == "ours" and card.recipe.startswith("lsbg-train-des ")
    assert "--label=IS_LSBG" in card.recipe and "--epochs=1" in card.recipe
    assert "accuracy" in capsys.readouterr().out


@pytest.mark.usefixtures("terminations")
def test_a_training_that_fails_ends_the_stage(tmp_path, labelled, survey):
    with pytest.raises(InputError, match="IS_NOTHING"):
        execute(
            ceci.TrainLsbgStage,
            labelled_candidates=labelled,
            trained_weights=tmp_path / "ours",
            label="IS_NOTHING",
            cutouts=f"tiles:{survey.tiles}",
            **{"no-register": True},
        )


@pytest.mark.usefixtures("terminations")
def test_labels_of_a_report_are_what_is_trained_on(tmp_path):
    (tmp_path / "labels.csv").write_text("nothing,of,this\n1,2,3\n")
    with pytest.raises(InputError, match=r"labels\.csv"):
        execute(
            ceci.TrainOnLabelsLsbgStage,
            labels=tmp_path / "labels.csv",
            trained_weights=tmp_path / "ours",
            **{"no-register": True},
        )


@pytest.mark.usefixtures("terminations")
def test_a_simulated_sample_takes_the_weights_to_start_from(tmp_path):
    options = {"from": "nobody", "surveys": 4, "no-register": True}
    with pytest.raises(InputError, match="unknown weights 'nobody'"):
        execute(ceci.TrainSimulatedLsbgStage, trained_weights=tmp_path / "ours", **options)


@pytest.mark.parametrize("name", [name for name in ceci.__all__ if name.endswith("Stage")])
def test_the_page_has_a_row_for_every_stage(name):
    (row,) = (line for line in SECTION.splitlines() if line.startswith(f"| `{name}` |"))
    stage = getattr(ceci, name)
    for tag in (*stage.input_tags(), *stage.output_tags()):
        assert f"`{tag}`" in row


@pytest.mark.parametrize("kind", [ceci.FitsCatalog, ceci.ParquetCatalog, ceci.CsvTable])
def test_tables_are_opened_for_reading_and_writing(kind, tmp_path):
    path = tmp_path / kind.make_name("table")
    assert path.suffix == f".{kind.suffix}"
    with kind(path, "w") as table:
        table.file.write(b"some bytes")
    with kind(path, "r") as table:
        assert table.file.read() == b"some bytes"


def test_a_folder_is_made_and_must_be_there(tmp_path):
    with pytest.raises(NotADirectoryError):
        ceci.Folder(tmp_path / "none", "r")
    with ceci.Folder(tmp_path / ceci.Folder.make_name("some"), "w") as folder:
        assert folder.file == tmp_path / "some" and folder.file.is_dir()
