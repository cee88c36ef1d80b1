"""The tasks for Rubin in a real Butler repository: ingested, run by pipetask, read back."""

import csv
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from astropy.table import Table

from catalogs import InputError, lsbg_columns
from catalogs.columns import OUTPUT_COLUMNS
from catalogs.flags import Flag
from lsbg_classifier.cores import THREADS, usable_cores
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS, find_weights
from pipeline import annotate

pytest.importorskip("lsst.ctrl.mpexec", reason="needs the extra rubin")
pytest.importorskip("lsst.daf.butler", reason="needs the extra rubin")

from lsst.daf.butler import Butler, DatasetRef, DatasetType, FileDataset
from lsst.pex.config import FieldValidationError
from lsst.pipe.base import InvalidQuantumError, Pipeline
from lsst.pipe.base.simple_pipeline_executor import SimplePipelineExecutor
from lsst.pipe.base.testUtils import lintConnections
from lsst.sphgeom import ConvexPolygon, HealpixPixelization, LonLat, UnitVector3d

from pipeline.stages import rubin
from pipeline.stages._butler_tables import check_storable
from pipeline.stages._weights_table import unpack_weights

BIN = Path(sys.executable).parent
STAGES = Path(rubin.__file__).parent
PAGE = (Path(__file__).parents[1] / "docs" / "pipelines.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## Rubin\n")[2].partition("\n## ")[0]
PIPETASK, INGEST, READ, WEIGHTS = re.findall(r"```text\n(.*?)```", SECTION, re.DOTALL)

pytestmark = [
    # Butler closes its SQLite connections when it is collected.
    pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning"),
]


def get_as_astropy(butler, ref):
    """Read a table with all its metadata; older Butlers know no parameter and always give them."""
    try:
        return butler.get(ref, parameters={"strip_astropy_meta_yaml": False})
    except KeyError:
        return butler.get(ref)


def run(folder, lines):
    """Run lines of the docs as a user does; gives what was said on standard error."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", lines],
        cwd=folder,
        env=os.environ | {"PATH": path, "XDG_CACHE_HOME": str(folder / "cache")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def filled(text, **names):
    """Put names in the place of REPO, RUN and FOLDER in a snippet of the docs."""
    for name, value in names.items():
        text = re.sub(rf"\b{name}\b", str(value), text)
    return text


@pytest.fixture(scope="module")
def tables(survey, tmp_path_factory):
    """Candidates of two tracts: as Rubin writes them, and as astropy does."""
    folder = tmp_path_factory.mktemp("tables")
    found = Table.read(survey.candidates)
    ra, dec = (np.array(found[name], np.float64) for name in ("ALPHA_J2000", "DELTA_J2000"))
    first = pa.table(
        {
            "objectId": pa.array(range(12), pa.int64()),
            "coord_ra": pa.array([*ra[:11], None]),
            "coord_dec": pa.array([*dec[:11], None]),
            "g_flux": pa.array([None, *range(11)], pa.float32()),
            "refBand": ["g", "r"] * 6,
        }
    )
    notes = [None, {"unit": "deg", "description": "right ascension"}, {"unit": "deg"}, None, None]
    fields = [field.with_metadata(note) for field, note in zip(first.schema, notes, strict=True)]
    first = first.cast(pa.schema(fields, {"run": "w_30"}))
    pq.write_table(first, folder / "1.parquet")
    second = Table({"objectId": np.arange(12), "coord_ra": ra[12:24], "coord_dec": dec[12:24]})
    second["coord_ra"].unit = second["coord_dec"].unit = "deg"
    second["coord_ra"].description = "right ascension"
    second.meta = {"SURVEY": "simulated", "LSST.BUTLER.ID": "of another dataset"}
    second.write(folder / "2.parquet")
    return folder


def square(ra, dec):
    corners = ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))
    return ConvexPolygon([UnitVector3d(LonLat.fromDegrees(ra + x, dec + y)) for x, y in corners])


@pytest.fixture(scope="module")
def repository(survey, tables, tmp_path_factory):
    """A repository with two tracts of candidates, one HEALPix pixel, weights and coadds."""
    root = tmp_path_factory.mktemp("butler") / "repo"
    Butler.makeRepo(root)
    with Butler.from_config(root, writeable=True, run="input") as butler:
        insert = butler.registry.insertDimensionData
        most = {"tract_max": 2, "patch_nx_max": 2, "patch_ny_max": 1}
        insert("skymap", {"name": "sky", "hash": bytes(20), **most})
        most_visits = {"visit_max": 1, "exposure_max": 1, "detector_max": 1}
        insert("instrument", {"name": "cam", "class_name": "none", **most_visits})
        for band in "ugrzy":
            insert("physical_filter", {"instrument": "cam", "name": band, "band": band})
        for tract in (1, 2):
            insert("tract", {"skymap": "sky", "id": tract, "region": square(32, -40)})
        for patch in (0, 1):
            for tract in (1, 2):
                place = {"id": patch, "cell_x": patch, "cell_y": 0}
                insert("patch", {"skymap": "sky", "tract": tract, **place})
        for name, dimensions, storage in (
            ("object_healpix", ("healpix6",), "ArrowAstropy"),
            ("deep_coadd", ("skymap", "tract", "patch", "band"), "ExposureF"),
        ):
            kind = DatasetType(name, dimensions, storage, universe=butler.dimensions)
            butler.registry.registerDatasetType(kind)
        ingest_coadds(butler, survey.tiles, root.parent)
        pixel = HealpixPixelization(6).index(UnitVector3d(LonLat.fromDegrees(32, -40)))
        where = butler.registry.expandDataId(healpix6=pixel)
        ref = DatasetRef(butler.get_dataset_type("object_healpix"), where, run="input")
        butler.ingest(FileDataset(tables / "1.parquet", ref), transfer="direct")
    with open(root.parent / "tracts.csv", "w", newline="") as file:
        rows = ((tables / f"{tract}.parquet", "sky", tract) for tract in (1, 2))
        csv.writer(file).writerows([("file", "skymap", "tract"), *rows])
    run(root.parent, filled(INGEST, REPO=root, RUN="input"))
    exec(filled(WEIGHTS, REPO=root, RUN="input"), {})
    return root


def ingest_coadds(butler, folder, others):
    """Tell the Butler where the tiles are; only Rubin's own stack has a formatter for them."""
    kind = butler.get_dataset_type("deep_coadd")
    paths = sorted(folder.glob("*.fits.fz"))
    names = sorted({path.name.partition("_")[0] for path in paths})
    formatter = "lsst.daf.butler.formatters.json.JsonFormatter"
    datasets = []
    for band in "uy":  # which no weights need: none of the files is opened
        for patch in (0, 1):
            where = butler.registry.expandDataId(skymap="sky", tract=1, patch=patch, band=band)
            ref = DatasetRef(kind, where, run="input")
            datasets.append(FileDataset(others / f"{band}{patch}.fits", ref, formatter=formatter))
            (others / f"{band}{patch}.fits").write_text("no image")
    where = butler.registry.expandDataId(skymap="sky", tract=2, patch=0, band="g")
    datasets.append(
        FileDataset(paths[0], DatasetRef(kind, where, run="input"), formatter=formatter)
    )
    for path in paths:
        patch, band = names.index(path.name.partition("_")[0]), path.name.removesuffix(".fits.fz")
        where = butler.registry.expandDataId(skymap="sky", tract=1, patch=patch, band=band[-1])
        datasets.append(
            FileDataset(path, DatasetRef(kind, where, run="input"), formatter=formatter)
        )
    butler.ingest(*datasets, transfer="direct")


@pytest.fixture(scope="module")
def by_tract(survey, repository):
    """What pipetask makes of both tracts in two processes; gives a Butler."""
    lines = filled(PIPETASK, REPO=repository, RUN="input", FOLDER=survey.tiles)
    said = run(repository.parent, lines)
    assert "12 candidates, 12 scored" in said and "distributed" not in said
    with Butler.from_config(repository, collections="tracts") as butler:
        yield butler


@pytest.fixture(scope="module")
def commands(survey, tables):
    """What the command makes of the same tables: the annotated table by tract."""
    annotated = {}
    for tract in (1, 2):
        output = tables / f"{tract}-command.parquet"
        annotate(
            tables / f"{tract}.parquet", output, cutouts=f"tiles:{survey.tiles}", style="rubin"
        )
        annotated[tract] = pq.read_table(output)
    return annotated


@pytest.mark.slow
@pytest.mark.parametrize("tract", [1, 2])
def test_as_arrow_it_is_what_the_command_writes(by_tract, commands, tract):
    table = by_tract.get("object_lsbg", skymap="sky", tract=tract, storageClass="ArrowTable")
    assert table.equals(commands[tract])
    assert table["lsbgProbability"].null_count == (tract == 1)
    assert table["lsbgFlags"].to_pylist()[-1] == (Flag.NO_POSITION if tract == 1 else 0)
    metadata, expected = table.schema.metadata, commands[tract].schema.metadata
    ours = {key: value for key, value in expected.items() if key.startswith(b"lsbg.")}
    assert len(ours) >= 6 and ours.items() <= metadata.items()
    for field, same in zip(table.schema, commands[tract].schema, strict=True):
        assert field.equals(same, check_metadata=True)


@pytest.mark.slow
@pytest.mark.usefixtures("by_tract")
def test_it_is_read_as_the_page_says(repository, commands):
    found = {}
    exec(filled(READ, REPO=repository), found)
    found["butler"].close()
    expected = commands[1]["lsbgProbability"].to_numpy()
    np.testing.assert_array_equal(found["frame"]["lsbgProbability"].to_numpy(), expected)
    assert found["frame"]["lsbgFlags"].dtype == np.int16
    assert found["frame"]["refBand"].tolist() == ["g", "r"] * 6
    np.testing.assert_array_equal(np.ma.filled(found["table"]["lsbgProbability"], np.nan), expected)
    assert found["weights"] == DEFAULT_WEIGHTS.encode()


@pytest.mark.slow
@pytest.mark.parametrize("tract", [1, 2])
@pytest.mark.parametrize("get", [lambda butler, ref: butler.get(ref), get_as_astropy])
def test_as_astropy_units_and_descriptions_are_there(by_tract, tract, get):
    table = get(by_tract, by_tract.find_dataset("object_lsbg", skymap="sky", tract=tract))
    assert table["coord_ra"].unit == "deg" and table["coord_ra"].description == "right ascension"
    for column in lsbg_columns((), style="rubin"):
        assert table[column.name].description == column.description


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:No table..len:astropy.utils.exceptions.AstropyUserWarning")
@pytest.mark.parametrize("tract", [1, 2])
def test_astropy_finds_the_provenance_of_this_dataset(by_tract, tract):
    ref = by_tract.find_dataset("object_lsbg", skymap="sky", tract=tract)
    source = by_tract.find_dataset("object", skymap="sky", tract=tract, collections="input")
    path = by_tract.getURI(ref).ospath
    for table in (get_as_astropy(by_tract, ref), Table.read(path, format="parquet")):
        assert table.meta["lsbg.weights"] == DEFAULT_WEIGHTS
        assert table.meta["LSST.BUTLER.ID"] == str(ref.id)
        assert table.meta["LSST.BUTLER.INPUT.0.ID"] == str(source.id)
        assert table["lsbgFlags"].meta["ucd"] == "meta.code.qual"
        assert table.meta.get("SURVEY") == (None if tract == 1 else "simulated")


@pytest.mark.slow
def test_counts_are_in_the_metadata_of_the_task(by_tract):
    metadata = by_tract.get("classifyLsbg_metadata", skymap="sky", tract=1)
    assert (metadata["classifyLsbg.candidates"], metadata["classifyLsbg.scored"]) == (12, 11)


def execute(repository, output, name, label, **config):
    """Run a shipped pipeline in this process, as pipetask would."""
    butler = SimplePipelineExecutor.prep_butler(str(repository), inputs=["input"], output=output)
    pipeline = Pipeline.from_uri(f"resource://lsbg_classifier/stages/{name}")
    for key, value in config.items():
        if value is not None:
            pipeline.addConfigOverride(label, key, value)
    executor = SimplePipelineExecutor.from_pipeline(pipeline, butler=butler)
    executor.run(register_dataset_types=True)
    return butler


@pytest.mark.slow
def test_a_healpix_pixel_with_weights_from_the_butler(survey, tables, repository):
    butler = execute(
        repository, "pixels", "rubin_healpix.yaml", "classifyLsbgHealpix",
        cutouts=f"tiles:{survey.tiles}", weights_from_butler=True, healpix_order=6,
    )  # fmt: skip
    (ref,) = butler.query_datasets("object_healpix_lsbg")
    table = butler.get(ref, storageClass="ArrowTable")
    card = find_weights("des-simulated").card
    assert table.schema.metadata[b"lsbg.weights"] == b"des-simulated"
    assert table.schema.metadata[b"lsbg.weights_sha256"] == card.sha256.encode()
    annotate(
        tables / "1.parquet",
        tables / "tuned.parquet",
        cutouts=f"tiles:{survey.tiles}",
        weights="des-simulated",
        style="rubin",
    )
    assert table.equals(pq.read_table(tables / "tuned.parquet"))


@pytest.mark.slow
def test_cutouts_from_coadds_that_the_butler_knows(commands, repository):
    butler = execute(
        repository, "coadds", "rubin.yaml", "classifyLsbg", coadds_from_butler=True, survey="des"
    )
    (ref,) = butler.query_datasets("object_lsbg")  # tract 2 has coadds of one band alone
    assert ref.dataId["tract"] == 1
    table = butler.get(ref, storageClass="ArrowTable")
    assert table.equals(commands[1])
    assert table.schema.metadata[b"lsbg.source"] == b"butler:deep_coadd"
    meta = get_as_astropy(butler, ref).meta
    assert (meta["lsbg.source"], meta["LSST.BUTLER.N_INPUTS"]) == ("butler:deep_coadd", 7)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ArrowTable", "ArrowNumpy", "DataFrame", "ArrowAstropy"])
def test_tables_are_read_whatever_they_are_stored_as(kind, survey, tables, commands, repository):
    name = f"as_{kind.lower()}"
    table = pq.read_table(tables / "2.parquet")
    with Butler.from_config(repository, writeable=True, run="input") as butler:
        dataset = DatasetType(name, ("skymap", "tract"), kind, universe=butler.dimensions)
        butler.registry.registerDatasetType(dataset)
        butler.put(butler.storageClasses.getStorageClass(kind).coerce_type(table), dataset,
                   skymap="sky", tract=2)  # fmt: skip
    butler = execute(
        repository, name, "rubin.yaml", "classifyLsbg", cutouts=f"tiles:{survey.tiles}",
        **{"connections.catalogName": name, "position_unit": "deg"},
    )  # fmt: skip
    found = butler.get(f"{name}_lsbg", skymap="sky", tract=2, storageClass="ArrowTable")
    for column in ("objectId", "coord_ra", "lsbgProbability", "lsbgFlags"):
        assert found[column].to_pylist() == commands[2][column].to_pylist()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"weights": "nobody"}, "unknown weights 'nobody'"),
        ({"cutouts": "tiles:/no/such/folder"}, "no such folder of tiles"),
        ({"cutouts": None, "coadds_from_butler": True, "survey": "none"}, "none"),
        ({"engine": "fast"}, "unknown engine 'fast'"),
    ],
)
def test_what_no_quantum_could_use_is_refused_with_the_graph(config, message, survey, repository):
    config = {"cutouts": f"tiles:{survey.tiles}"} | config
    with pytest.raises(InputError, match=message):
        execute(repository, "never", "rubin.yaml", "classifyLsbg", **config)


@pytest.mark.slow
def test_bad_data_is_an_invalid_quantum_and_is_not_scored(survey, repository, monkeypatch):
    path = repository.parent / "bad.parquet"
    bad = pa.table({"coord_ra": [32.0], "coord_dec": [-40.0], "shape": [{"a": 1.0}]})
    pq.write_table(bad, path)
    with Butler.from_config(repository, writeable=True, run="input") as butler:
        kind = DatasetType("bad", ("skymap", "tract"), "ArrowTable", universe=butler.dimensions)
        butler.registry.registerDatasetType(kind)
        where = butler.registry.expandDataId(skymap="sky", tract=1)
        butler.ingest(FileDataset(path, DatasetRef(kind, where, run="input")), transfer="direct")
    monkeypatch.setattr(rubin, "annotate", None)
    config = {"cutouts": f"tiles:{survey.tiles}", "connections.catalogName": "bad"}
    with pytest.raises(InvalidQuantumError, match=r"bad@.*the column shape of type struct"):
        execute(repository, "bad_run", "rubin.yaml", "classifyLsbg", **config)


@pytest.mark.slow
def test_the_engine_is_in_the_provenance(by_tract):
    metadata = by_tract.get("classifyLsbg_metadata", skymap="sky", tract=1)
    assert metadata["classifyLsbg.engine"] == f"onnxruntime {version('onnxruntime')}"
    packages = by_tract.get("packages")
    assert packages["onnxruntime"] == version("onnxruntime")


def test_a_quantum_uses_the_cores_that_it_is_given(monkeypatch):
    monkeypatch.delenv(THREADS, raising=False)
    before = usable_cores()
    with rubin._threads(5):
        assert usable_cores() == 5
    assert usable_cores() == before
    monkeypatch.setenv(THREADS, "3")
    with rubin._threads(5):
        assert usable_cores() == 3


@pytest.mark.parametrize("kind", [pa.struct({"a": pa.int8()}), pa.list_(pa.string()), pa.null()])
def test_columns_that_cannot_be_stored_are_named(kind):
    with pytest.raises(InputError, match=r"^the column odd of type .* cannot be stored"):
        check_storable(pa.schema({"good": pa.list_(pa.float32(), 3), "odd": kind}))


def configured(task, **values):
    config = task.ConfigClass()
    config.update(**values)
    return config


@pytest.mark.parametrize(
    ("task", "values", "field"),
    [
        (rubin.ClassifyLsbgTask, {}, "cutouts"),
        (rubin.ClassifyLsbgTask, {"cutouts": "hips:x", "coadds_from_butler": True}, "cutouts"),
        (rubin.ClassifyLsbgTask, {"coadds_from_butler": True}, "survey"),
        (
            rubin.ClassifyLsbgHealpixTask,
            {"coadds_from_butler": True, "survey": "des"},
            "coadds_from_butler",
        ),
    ],
)
def test_what_makes_no_sense_together_is_refused(task, values, field):
    with pytest.raises(FieldValidationError, match=f"Field '{field}'"):
        configured(task, **values).validate()


@pytest.mark.parametrize(
    "values", [{"threshold": 1.5}, {"chunk_size": 0}, {"workers": 0}, {"weights": 3}]
)
def test_values_are_of_the_commands_kind_and_range(values):
    with pytest.raises(FieldValidationError, match=f"Field '{next(iter(values))}'"):
        configured(rubin.ClassifyLsbgTask, **values)


def test_the_connections_are_sound():
    lintConnections(rubin.ClassifyLsbgConnections)
    lintConnections(rubin.ClassifyLsbgHealpixConnections)


def test_the_new_names_follow_connections():
    config = configured(rubin.ClassifyLsbgTask, cutouts="hips:x")
    config.connections.catalogName = "candidates"
    connections = rubin.ClassifyLsbgConnections(config=config)
    assert connections.catalog.name == "candidates"
    assert connections.annotated.name == "candidates_lsbg"


def test_a_table_in_memory_that_cannot_be_scored_is_refused_by_name(tmp_path):
    config = configured(rubin.ClassifyLsbgTask, cutouts=f"tiles:{tmp_path / 'none'}")
    table = pa.table({"coord_ra": [32.0], "coord_dec": [-40.0]})
    with pytest.raises(InputError, match="no such folder of tiles"):
        rubin.ClassifyLsbgTask(config=config).run(table.slice(0, 0))


def test_columns_of_ours_are_refused_by_what_the_catalog_is(survey):
    config = configured(rubin.ClassifyLsbgTask, cutouts=f"tiles:{survey.tiles}")
    table = pa.table({"coord_ra": [32.0], "coord_dec": [-40.0], "lsbgFlags": [0]})
    with pytest.raises(InputError, match=r"^the catalog: already has the column lsbgFlags"):
        rubin.ClassifyLsbgTask(config=config).run(table)


def test_weights_travel_whole(tmp_path):
    table = rubin.weights_table("des-simulated")
    found, original = unpack_weights(table, tmp_path), find_weights("des-simulated")
    assert found.card == original.card
    assert found.path.read_bytes() == original.path.read_bytes()


@pytest.mark.parametrize("change", ["bytes", "rows", "columns"])
def test_damaged_weights_are_refused(change, tmp_path):
    table = rubin.weights_table("des-simulated")
    if change == "bytes":
        data = bytearray(table["weights"][0].as_py())
        data[len(data) // 2] ^= 1
        table = table.set_column(1, "weights", pa.array([bytes(data)]))
    elif change == "rows":
        table = pa.concat_tables([table, table])
    else:
        table = table.drop_columns("card")
    with pytest.raises(InputError, match="sha256 differs" if change == "bytes" else "not a table"):
        unpack_weights(table, tmp_path)


def test_the_fragment_of_the_schema_describes_the_columns():
    schema = yaml.safe_load((STAGES / "rubin_columns.yaml").read_text())
    (table,) = schema["tables"]
    datatypes = {"f4": "float", "i2": "short"}
    for described, column in zip(table["columns"], OUTPUT_COLUMNS, strict=True):
        assert described == {
            "name": column.names["rubin"],
            "@id": f"{table['@id']}.{column.names['rubin']}",
            "datatype": datatypes[column.dtype],
            "nullable": column.nullable,
            "description": column.description,
            "ivoa:ucd": column.ucd,
        }
