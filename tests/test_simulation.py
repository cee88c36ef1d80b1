"""A simulated survey looks like DES or HSC on disk; its light, noise and truth are as they say."""

import re
import subprocess
import sys
from dataclasses import dataclass, replace

import galsim
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from catalogs.errors import InputError
from catalogs.flags import NOT_SCORED
from lsbg_classifier import open_source
from lsbg_classifier.simulation import contaminants
from lsbg_classifier.simulation.coadds import plan_tiles
from lsbg_classifier.simulation.models import MODELS
from lsbg_classifier.simulation.sky import Conditions, Sky
from lsbg_classifier.simulation.survey import SimulatedSurvey, SurveyPlan, simulate_survey
from lsbg_classifier.simulation.truth import MATCH_RADIUS

TYPICAL = {
    name: Conditions(
        model.noise, model.seeing, correlation=0.7, saturation=model.saturation[0], model=model
    )
    for name, model in MODELS.items()
}
SIZE = 400
SMALL = SurveyPlan(tiles=2, tile_size=300, lsbgs=300)
HSC = SurveyPlan(tiles=2, tile_size=1000, lsbgs=500, seed=10)
EXTENSIONS = {"des": ["SCI", "MSK", "WGT"], "hsc": ["IMAGE", "MASK", "VARIANCE"]}
KINDS = {"des": ["f4", "i2", "f4"], "hsc": ["f4", "i4", "f4"]}
SCALES = {"des": 0.263, "hsc": 0.168}
ZERO_POINTS = {"des": 30.0, "hsc": 27.0}


@dataclass
class Made:
    """A simulated survey, read back."""

    name: str
    size: int
    folder: SimulatedSurvey
    candidates: Table
    truth: Table
    images: dict
    """Header, pixels, where there are data, and RMS of the sky; by names of tile and band."""

    @property
    def scale(self):
        return SCALES[self.name]

    @property
    def is_lsbg(self):
        return np.asarray(self.truth["LABEL"]) == 1

    def lsbgs(self):
        """Candidate and truth of every LSBG."""
        return zip(self.candidates[self.is_lsbg], self.truth[self.is_lsbg], strict=True)


def read_image(name, path):
    with fits.open(path) as hdus:
        image, mask, depth = (hdus[extension] for extension in EXTENSIONS[name])
        header, pixels, lost = image.header, np.array(image.data), np.array(mask.data)
        with np.errstate(divide="ignore"):
            rms = depth.data**-0.5 if name == "des" else depth.data**0.5
        bits = 1 if name == "des" else 1 << mask.header["MP_NO_DATA"]
    assert set(np.unique(lost)) <= {0, bits}
    return header, pixels, lost == 0, rms


def tile_and_band(name, path):
    if name == "des":
        match = re.fullmatch(r"(DES\d{4}[+-]\d{4})_r\d{4}p\d\d_([grz])\.fits\.fz", path.name)
        return match[1], match[2]
    match = re.fullmatch(r"calexp-HSC-([GRZ])-(9813-\d,\d)\.fits", path.name)
    return match[2], match[1].lower()


def read_survey(name, size, folder):
    paths = folder.tiles.glob("*.fits*")
    images = {tile_and_band(name, path): read_image(name, path) for path in sorted(paths)}
    candidates, truth = Table.read(folder.candidates), Table.read(folder.truth)
    return Made(name, size, folder, candidates, truth, images)


@pytest.fixture(scope="module")
def hsc(tmp_path_factory):
    return simulate_survey("hsc", tmp_path_factory.mktemp("hsc"), HSC)


@pytest.fixture(scope="module", params=["des", "hsc"])
def made(request):
    if request.param == "des":
        return read_survey("des", 1500, request.getfixturevalue("survey"))
    return read_survey("hsc", HSC.tile_size, request.getfixturevalue("hsc"))


@pytest.fixture(params=["des", "hsc"])
def conditions(request):
    """Those of a typical patch of each survey."""
    return TYPICAL[request.param]


def scale_of(conditions):
    return SCALES[conditions.model.survey.name]


def distance_from(x, y, shape):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.hypot(columns - x, rows - y)


def magnitude(counts, zero_point):
    return zero_point - 2.5 * np.log10(counts)


@pytest.mark.slow
def test_files_are_named_as_in_the_survey(made):
    first = {"des": "DES0208-4000", "hsc": "9813-0,0"}[made.name]  # 2h08m, -40 degrees
    assert len(made.images) == 6 and {band for _, band in made.images} == set("grz")
    header = made.images[first, "g"][0]
    assert header["CRVAL1"] == pytest.approx(32.0) and header["CRVAL2"] == pytest.approx(-40.0)
    names = {path.name for path in made.folder.tiles.iterdir()}
    known = {"des": "DES0208-4000_r2590p01_g.fits.fz", "hsc": "calexp-HSC-G-9813-0,0.fits"}
    assert known[made.name] in names


@pytest.mark.parametrize("name", sorted(MODELS))
def test_no_two_tiles_have_one_name_or_lie_on_each_other(name):
    tiles = plan_tiles(name, 12, 300, seed=1)
    assert len({tile.name for tile in tiles}) == 12
    for number, tile in enumerate(tiles):
        for other in tiles[:number]:
            x, y = other.wcs().all_world2pix(tile.ra, tile.dec, 0)
            assert max(abs(x - 149.5), abs(y - 149.5)) > 299


@pytest.mark.slow
def test_extensions_are_those_of_the_survey(made):
    for path in made.folder.tiles.glob("*.fits*"):
        with fits.open(path) as hdus:
            assert [hdu.name for hdu in hdus] == ["PRIMARY", *EXTENSIONS[made.name]]
            assert hdus[0].data is None
            kinds = [hdu.data.dtype.kind + str(hdu.data.itemsize) for hdu in hdus[1:]]
            assert kinds == KINDS[made.name]
            assert {hdu.shape for hdu in hdus[1:]} == {(made.size, made.size)}
            assert all(isinstance(hdu, fits.CompImageHDU) for hdu in hdus[1:])


@pytest.mark.slow
def test_headers_say_tile_band_zero_point_and_that_it_is_no_real_sky(made):
    for (name, band), (header, *_) in made.images.items():
        assert header["SIMULATD"] is True
        if made.name == "des":
            said = header["TILENAME"], header["BAND"], header["MAGZERO"]
            assert said == (name, band, 30.0)
        else:
            assert header["FILTER"] == f"HSC-{band.upper()}"


@pytest.mark.slow
def test_wcs_is_tan_north_up_east_left(made):
    middle = made.size // 2
    points = [[middle + 50, middle], [middle, middle], [middle, middle + 50]]
    for header, *_ in made.images.values():
        wcs = WCS(header)
        assert list(wcs.wcs.ctype) == ["RA---TAN", "DEC--TAN"]
        assert proj_plane_pixel_scales(wcs) * 3600 == pytest.approx(made.scale)
        west, centre, north = wcs.all_pix2world(points, 0)
        assert west[0] < centre[0] and north[1] > centre[1]


@pytest.mark.slow
def test_no_data_is_masked_and_zero_and_nowhere_else(made):
    for _, pixels, seen, rms in made.images.values():
        assert np.isfinite(pixels).all() and (pixels[~seen] == 0).all()
        assert (pixels[seen] != 0).mean() > 0.999
        assert np.isfinite(rms[seen]).all() and (rms[seen] > 0).all()
        if made.name == "des":  # no data weighs nothing
            assert np.isinf(rms[~seen]).all()
    assert any(not seen.all() for _, _, seen, _ in made.images.values())


@pytest.mark.slow
def test_the_noise_is_the_one_on_disk(made):
    """In the quietest parts of the image: a deep one has sources nearly everywhere."""
    for _, pixels, seen, rms in made.images.values():
        apart = (pixels[:, 4:] - pixels[:, :-4]) / np.hypot(rms[:, 4:], rms[:, :-4])
        apart[~(seen[:, 4:] & seen[:, :-4])] = np.nan
        blocks = apart[:980, :980].reshape(49, 20, 49, 20).std(axis=(1, 3))
        assert 0.9 < np.nanpercentile(blocks, 15) < 1.15


@pytest.mark.slow
def test_positions_are_those_of_the_pixels(made):
    for row in made.candidates:
        header = made.images[row["TILENAME"], "g"][0]
        x, y = WCS(header).all_world2pix(row["ALPHA_J2000"], row["DELTA_J2000"], 1)
        assert (x, y) == pytest.approx((row["X_IMAGE"], row["Y_IMAGE"]), abs=1e-4)


@pytest.mark.slow
def test_bright_candidates_are_where_the_light_is(made):
    offsets = []
    for row in made.candidates[np.argsort(made.candidates["MAG_AUTO_R"])[:20]]:
        header, pixels, *_ = made.images[row["TILENAME"], "r"]
        x, y = WCS(header).all_world2pix(row["ALPHA_J2000"], row["DELTA_J2000"], 0)
        rows, columns = np.nonzero(distance_from(x, y, pixels.shape) < 2 * row["A_IMAGE"])
        light = np.clip(pixels[rows, columns], 0, None)
        offsets.append(
            np.hypot(np.average(columns, weights=light) - x, np.average(rows, weights=light) - y)
        )
    assert np.median(offsets) * made.scale < 0.5


@pytest.mark.slow
def test_truth_has_the_rows_of_the_candidates(made):
    truth, is_lsbg = made.truth, made.is_lsbg
    assert list(truth["NUMBER"]) == list(made.candidates["NUMBER"])
    assert list(truth["NUMBER"]) == list(range(1, made.folder.candidate_count + 1))
    assert 10 < is_lsbg.sum() == made.folder.lsbg_count < made.folder.candidate_count - 10
    assert set(truth["LABEL"]) == {0, 1}
    assert (truth["NEAREST"][is_lsbg] == "lsbg").all()
    assert (truth["DISTANCE"][is_lsbg] < MATCH_RADIUS).all()
    assert len(set(truth["NEAREST"][~is_lsbg])) > 2


@pytest.mark.slow
def test_lsbgs_are_measured_about_as_bright_and_large_as_they_are(made):
    measured, true = made.candidates[made.is_lsbg], made.truth[made.is_lsbg]
    assert abs(np.median(measured["MAG_AUTO_G"] - true["MAG_G_TRUE"])) < 0.3
    assert np.corrcoef(measured["MAG_AUTO_G"], true["MAG_G_TRUE"])[0, 1] > 0.5
    assert 0.8 < np.median(measured["FLUX_RADIUS_G"] * made.scale / true["R_EFF_TRUE"]) < 1.5


@pytest.mark.slow
def test_pixels_on_disk_hold_the_light_of_the_lsbgs(made):
    """With the zero point that a reader knows, for HSC's headers do not say it."""
    differences = []
    for row, true in made.lsbgs():
        header, pixels, *_ = made.images[row["TILENAME"], "g"]
        x, y = WCS(header).all_world2pix(row["ALPHA_J2000"], row["DELTA_J2000"], 0)
        distance = distance_from(x, y, pixels.shape) * made.scale
        half = pixels[distance < true["R_EFF_TRUE"]].sum()
        differences.append(magnitude(2 * half, ZERO_POINTS[made.name]) - true["MAG_G_TRUE"])
    assert abs(np.median(differences)) < 0.3


@pytest.mark.long
def test_cutouts_of_the_tiles_are_the_surveys(made):
    source = open_source(f"tiles:{made.folder.tiles}")
    assert source.imaging.survey == made.name
    assert source.imaging.pixel_scale == pytest.approx({"des": 0.524, "hsc": 0.336}[made.name])
    positions = np.stack([made.candidates["ALPHA_J2000"], made.candidates["DELTA_J2000"]], axis=1)
    cutouts, flags = source.fetch(positions)
    whole = flags & NOT_SCORED == 0
    assert whole.mean() > 0.8
    middle = cutouts[whole & made.is_lsbg][:, 28:36, 28:36].mean()
    assert middle > cutouts[whole & made.is_lsbg][:, :8, :8].mean() + 10


def test_hsc_is_two_magnitudes_deeper_than_des():
    depths = {
        name: magnitude(np.array(model.noise) / SCALES[name], ZERO_POINTS[name])
        for name, model in MODELS.items()
    }
    assert depths["hsc"] - depths["des"] == pytest.approx([2.0] * 3, abs=0.1)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("made", ["hsc"], indirect=True)
def test_plain_tiles_show_the_same_sky_and_the_same_candidates(made, tmp_path):
    plain = simulate_survey("hsc", tmp_path, replace(HSC, compressed=False))
    assert plain.candidates.read_bytes() == made.folder.candidates.read_bytes()
    assert plain.truth.read_bytes() == made.folder.truth.read_bytes()
    for path in plain.tiles.iterdir():
        with fits.open(path) as hdus:
            assert [hdu.name for hdu in hdus[1:]] == EXTENSIONS["hsc"]
            assert not any(isinstance(hdu, fits.CompImageHDU) for hdu in hdus)
        _, pixels, seen, rms = read_image("hsc", path)
        _, quantised, also_seen, also_rms = made.images[tile_and_band("hsc", path)]
        assert (seen == also_seen).all() and ((pixels == 0) == (quantised == 0)).all()
        assert abs((pixels - quantised) / rms).max() < 0.1
        np.testing.assert_allclose(rms, also_rms, rtol=0.03)


@pytest.mark.parametrize(("index", "radius"), [(0.7, 3.0), (1.0, 2.5), (2.0, 2.0)])
def test_an_injected_galaxy_comes_back_with_its_magnitudes(index, radius, conditions):
    magnitudes, scale = np.array([17.0, 16.4, 15.9]), scale_of(conditions)
    sky = Sky(SIZE, conditions)
    galaxy = galsim.Sersic(n=index, half_light_radius=radius)
    sky.place(galaxy, sky.fluxes(magnitudes), 200.3, 190.7, 351)
    observed = sky.observe(np.ones((3, SIZE, SIZE)), np.random.default_rng(1))
    distance = distance_from(200.3, 190.7, (SIZE, SIZE))
    total = observed[:, distance < 24 / scale].sum(axis=1)
    assert magnitude(total, ZERO_POINTS[conditions.model.survey.name]) == pytest.approx(
        magnitudes, abs=0.03
    )
    within = observed[:, distance < np.hypot(radius, conditions.seeing[1] * 0.6) / scale].sum(
        axis=1
    )
    assert within / total == pytest.approx([0.5] * 3, abs=0.04)


def test_an_object_lies_where_it_is_placed():
    sky = Sky(100, TYPICAL["des"])
    sky.place(galsim.Gaussian(fwhm=0.8), np.ones(3), 41.3, 57.8, 61)
    rows, columns = np.mgrid[:100, :100]
    for image in sky.images:
        assert np.average(columns, weights=image) == pytest.approx(41.3, abs=0.02)
        assert np.average(rows, weights=image) == pytest.approx(57.8, abs=0.02)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (99, 50), (-20, 50), (50, 130), (-500, -500)])
def test_the_edge_cuts_an_object_and_nothing_else(x, y):
    whole, cut = Sky(300, TYPICAL["des"]), Sky(100, TYPICAL["des"])
    for sky, offset in ((whole, 100), (cut, 0)):
        sky.place(galsim.Gaussian(fwhm=5), np.ones(3), x + offset, y + offset, 61)
    np.testing.assert_array_equal(cut.images, whole.images[:, 100:200, 100:200])


def test_noise_is_as_the_conditions_say(conditions):
    depth = np.ones((3, SIZE, SIZE), np.float32)
    depth[1, :, SIZE // 2 :] = 1.5
    observed = Sky(SIZE, conditions).observe(depth, np.random.default_rng(2))
    observed /= np.array(conditions.noise)[:, None, None]
    left, right = observed[:, :, : SIZE // 2], observed[:, :, SIZE // 2 :]
    assert left.std(axis=(1, 2)) == pytest.approx([1.0] * 3, rel=0.02)
    assert right.std(axis=(1, 2)) == pytest.approx([1.0, 1.5, 1.0], rel=0.02)
    assert abs(observed.mean(axis=(1, 2))).max() < 0.02
    neighbours = [np.corrcoef(o[:, 1:].ravel(), o[:, :-1].ravel())[0, 1] for o in observed]
    assert neighbours == pytest.approx([np.exp(-1 / (4 * 0.7**2))] * 3, abs=0.03)


def test_seeing_is_as_the_conditions_say(conditions):
    star = Sky(150, conditions).draw(galsim.DeltaFunction(), 151)
    distance = distance_from(75, 75, (151, 151)) * scale_of(conditions)
    for image, fwhm in zip(star, conditions.seeing, strict=True):
        core = fwhm / (2 * np.sqrt(2 ** (1 / 3.5) - 1))
        for radius in (2 * fwhm, 4 * fwhm):
            within = 1 - (1 + (radius / core) ** 2) ** (1 - 3.5)
            assert image[distance < radius].sum() == pytest.approx(within, abs=0.02)
        half = np.count_nonzero(image > image.max() / 2)
        assert 2 * np.sqrt(half / np.pi) * scale_of(conditions) == pytest.approx(fwhm, rel=0.15)


@pytest.mark.parametrize(
    ("name", "noise", "seeing"),
    [
        ("des", [1.8, 2.1, 6.8], [1.12, 0.96, 0.84]),
        ("hsc", [0.0115, 0.0134, 0.0434], [0.68, 0.62, 0.6]),
    ],
)
def test_conditions_scatter_around_those_of_the_survey(name, noise, seeing):
    rng = np.random.default_rng(3)
    drawn = [Conditions.draw(MODELS[name], rng) for _ in range(400)]
    assert np.median([c.noise for c in drawn], axis=0) == pytest.approx(noise, rel=0.1)
    assert np.median([c.seeing for c in drawn], axis=0) == pytest.approx(seeing, rel=0.03)
    low, high = MODELS[name].saturation
    assert all(low <= c.saturation <= high for c in drawn)


def contents(survey):
    """Headers and pixels of all tiles, and the catalogs byte by byte."""
    found = {path.name: path.read_bytes() for path in (survey.candidates, survey.truth)}
    for path in sorted(survey.tiles.iterdir()):
        with fits.open(path) as hdus:
            found[path.name] = [
                (hdu.header.tostring(), None if hdu.data is None else hdu.data.tobytes())
                for hdu in hdus
            ]
    return found


@pytest.mark.long
@pytest.mark.slow
def test_the_seed_decides_everything_and_the_number_of_processes_nothing(tmp_path):
    first, again, other = (
        contents(
            simulate_survey("des", tmp_path / name, replace(SMALL, seed=seed), processes=processes)
        )
        for name, seed, processes in (("first", 5, 2), ("again", 5, 1), ("other", 6, 2))
    )
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)


@pytest.mark.long
@pytest.mark.slow
def test_what_an_earlier_simulation_left_is_replaced_on_demand_only(tmp_path):
    calls = []
    plan = SurveyPlan(tiles=1, tile_size=300)
    simulate_survey("des", tmp_path, plan, progress=lambda *done: calls.append(done))
    assert calls == [(1, 1)]
    before = contents_of_folder(tmp_path)
    with pytest.raises(InputError, match="--overwrite"):
        simulate_survey("des", tmp_path, plan)
    assert contents_of_folder(tmp_path) == before
    (tmp_path / "tiles" / ".lsbg_tiles.json").write_text("{}")
    cut_off = next((tmp_path / "tiles").glob("*_g.fits.fz"))
    cut_off.write_bytes(cut_off.read_bytes()[:1000])
    simulate_survey("des", tmp_path, plan, overwrite=True)
    after = contents_of_folder(tmp_path)
    assert after.keys() == before.keys()
    assert after["candidates.fits"] == before["candidates.fits"]


def contents_of_folder(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", ["notes.txt", "DES0208-4000_r2590p01_g.fits.fz"])
def test_what_is_not_simulated_is_never_removed(name, tmp_path):
    (tmp_path / "tiles").mkdir()
    path = tmp_path / "tiles" / name
    fits.HDUList(
        [fits.PrimaryHDU(), fits.CompImageHDU(np.random.default_rng(0).normal(size=(200, 200)))]
    ).writeto(path)
    with pytest.raises(InputError, match=re.escape(str(path))):
        simulate_survey("des", tmp_path, SMALL, overwrite=True)
    assert path.exists()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("decals", {}, "choose des or hsc"),
        ("des", {"tiles": 0}, "at least 1 tile"),
        ("des", {"tile_size": 299}, "at least 300 pixels"),
    ],
)
def test_what_cannot_be_simulated(name, options, said, tmp_path):
    with pytest.raises(InputError, match=said):
        simulate_survey(name, tmp_path / "out", SurveyPlan(**options))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("package", ["galsim", "sep"])
def test_a_missing_package_is_named_with_the_command_that_installs_it(package, tmp_path):
    code = (
        f"import sys; sys.modules[{package!r}] = None; from pipeline.cli import main;"
        "sys.argv = ['lsbg', 'simulate', 'des', 'out']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0 and done.stdout == ""
    command = r"pip install 'lsbg-classifier\[simulate\]'"
    assert re.fullmatch(rf"lsbg: .*{package}.*{command}\n", done.stderr)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_faint_patches_are_in_the_deep_survey_alone(made):
    kinds = set(np.asarray(made.truth["NEAREST"]).astype(str))
    assert ("wisp" in kinds) == (made.name == "hsc")


def test_a_patch_is_as_large_and_as_faint_as_it_says():
    sky = Sky(1200, TYPICAL["hsc"])
    (placed,) = contaminants.add_wisps(sky, 1, np.random.default_rng(4))
    image, zero_point = sky.images[0], ZERO_POINTS["hsc"]
    assert magnitude(image.sum(), zero_point) == pytest.approx(placed.magnitude, abs=0.1)
    distance = distance_from(placed.x, placed.y, image.shape) * sky.pixel_scale
    assert 0.35 < image[distance < placed.radius].sum() / image.sum() < 0.75
    area = 2 * np.pi * placed.radius**2
    assert 25.7 <= placed.magnitude + 2.5 * np.log10(area) <= 27.4
