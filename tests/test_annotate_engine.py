"""Which engine runs the network: one in a run, said in dry run and provenance, kept by resume."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from catalogs.errors import InputError
from lsbg_classifier.engines import choice
from lsbg_classifier.weights.registry import find_weights
from pipeline import annotate
from pipeline.describe import describe_job
from pipeline.job import prepare
from pipeline.options import Options


@pytest.fixture(scope="module")
def candidates(survey, tmp_path_factory):
    path = tmp_path_factory.mktemp("engine") / "in.fits"
    fits.BinTableHDU(np.array(fits.getdata(survey.candidates))[:20]).writeto(path)
    return path


@pytest.fixture
def annotated(survey, candidates, tmp_path):
    def annotate_with(engine):
        annotate(candidates, tmp_path / engine, cutouts=f"tiles:{survey.tiles}", engine=engine)
        return fits.getdata(tmp_path / engine, 1), fits.getheader(tmp_path / engine, 1)

    return annotate_with


@pytest.mark.slow
def test_engines_agree_and_provenance_names_them(annotated):
    (auto, header), (onnx, _), (keras, other) = map(annotated, ("auto", "onnx", "keras"))
    assert np.array_equal(auto["P_LSBG"], onnx["P_LSBG"], equal_nan=True)
    np.testing.assert_allclose(onnx["P_LSBG"], keras["P_LSBG"], rtol=0, atol=1e-5)
    assert header["LSBGENG"].startswith("onnxruntime 1.")
    assert other["LSBGENG"].startswith("keras 3.") and "tensorflow 2." in other["LSBGENG"]
    for one, two in ((auto, onnx), (onnx, keras)):
        assert (one["FLAGS_LSBG"] == two["FLAGS_LSBG"]).all()


def lines_of(survey, candidates, folder, **options):
    wanted = Options(cutouts=f"tiles:{survey.tiles}", **options)
    return describe_job(prepare(candidates, folder / "out.fits", wanted))


def test_the_dry_run_says_which_engine_and_why(survey, candidates, tmp_path, monkeypatch):
    (line,) = [
        line for line in lines_of(survey, candidates, tmp_path) if line.startswith("engine: ")
    ]
    assert line.startswith("engine: onnxruntime") and line.endswith("(there is no GPU)")
    monkeypatch.setattr(choice, "_has_gpu", lambda: True)
    lines = lines_of(survey, candidates, tmp_path)
    assert any(line.startswith("engine: keras") and "there is a GPU" in line for line in lines)


def test_an_unfinished_run_is_not_resumed_with_another_engine(survey, candidates, tmp_path):
    spec = f"tiles:{survey.tiles}"
    identities = [
        prepare(candidates, tmp_path / "out", Options(cutouts=spec, engine=engine)).identity()
        for engine in ("onnx", "keras", "auto")
    ]
    assert identities[0] == identities[2]
    assert identities[0]["engine"] != identities[1]["engine"]


@pytest.mark.slow
def test_what_onnx_cannot_run_is_refused_before_anything_is_read(survey, candidates, tmp_path):
    weights = find_weights("des-simulated")
    path = tmp_path / "other.weights.h5"
    path.write_bytes(weights.path.read_bytes())
    replace(weights.card, architecture="residual").write(tmp_path / "other.json")
    options = {"cutouts": f"tiles:{survey.tiles}", "weights": str(path)}
    with pytest.raises(InputError, match="without a description of their network"):
        annotate(candidates, tmp_path / "out.fits", engine="onnx", **options)
    assert not (tmp_path / "out.fits").exists()
    with pytest.raises(InputError, match="not weights of this network, residual"):
        annotate(candidates, tmp_path / "out.fits", **options)
