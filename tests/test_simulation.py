"""The simulated survey looks like DES on disk, and its light, noise and truth are what they say."""

import re
import subprocess
import sys

import galsim
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from catalogs.errors import InputError
from lsbg_classifier.simulation.sky import Conditions, Sky, fluxes_of_magnitudes
from lsbg_classifier.simulation.survey import MATCH_RADIUS, simulate_survey

CONDITIONS = Conditions(
    noise=(2.0, 2.5, 7.0), seeing=(1.12, 0.96, 0.84), correlation=0.7, saturation=3e4
)
SIZE = 400
SCALE = 0.263
SMALL = {"tiles": 2, "tile_size": 300, "lsbgs": 300}


@pytest.fixture(scope="module")
def tiles(survey):
    """Header and data of every tile, by the name of the tile and the band."""
    found = {}
    for path in sorted(survey.tiles.glob("*.fits.fz")):
        with fits.open(path) as hdus:
            header = hdus["SCI"].header
            planes = {name: np.array(hdus[name].data) for name in ("SCI", "MSK", "WGT")}
        found[path.name.split("_")[0], path.name.split("_")[2][0]] = header, planes
    return found


@pytest.fixture(scope="module")
def candidates(survey):
    return Table.read(survey.candidates)


@pytest.fixture(scope="module")
def truth(survey):
    return Table.read(survey.truth)


@pytest.fixture(scope="module")
def is_lsbg(truth):
    return np.asarray(truth["LABEL"]) == 1


def distance_from(x, y, shape):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.hypot(columns - x, rows - y)


def magnitude(counts, zero_point=30.0):
    return zero_point - 2.5 * np.log10(counts)


def test_files_are_named_as_in_des(survey, tiles):
    names = [path.name for path in survey.tiles.glob("*.fz")]
    assert len(names) == 6
    assert all(re.fullmatch(r"DES\d{4}[+-]\d{4}_r\d{4}p\d\d_[grz]\.fits\.fz", n) for n in names)
    assert ("DES0208-4000", "g") in tiles  # 2h08m, -40 degrees
    header, _ = tiles["DES0208-4000", "g"]
    assert header["CRVAL1"] == pytest.approx(32.0) and header["CRVAL2"] == pytest.approx(-40.0)


def test_extensions_are_those_of_des(survey):
    for path in survey.tiles.glob("*.fz"):
        with fits.open(path) as hdus:
            assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", "MSK", "WGT"]
            assert hdus[0].data is None
            assert [hdu.data.dtype.kind + str(hdu.data.itemsize) for hdu in hdus[1:]] == [
                "f4",
                "i2",
                "f4",
            ]
            assert {hdu.shape for hdu in hdus[1:]} == {(1500, 1500)}
            assert all(isinstance(hdu, fits.CompImageHDU) for hdu in hdus[1:])


def test_headers_name_tile_band_zero_point_and_that_it_is_no_real_sky(tiles):
    for (name, band), (header, _) in tiles.items():
        assert (header["TILENAME"], header["BAND"], header["MAGZERO"]) == (name, band, 30.0)
        assert header["SIMULATD"] is True


def test_wcs_is_tan_north_up_east_left(tiles):
    for header, _ in tiles.values():
        wcs = WCS(header)
        assert list(wcs.wcs.ctype) == ["RA---TAN", "DEC--TAN"]
        assert proj_plane_pixel_scales(wcs) * 3600 == pytest.approx(SCALE)
        (west, middle, north) = wcs.all_pix2world([[800, 750], [750, 750], [750, 800]], 0)
        assert west[0] < middle[0] and north[1] > middle[1]


def test_no_data_is_masked_and_weighs_nothing(tiles):
    for _, planes in tiles.values():
        lost = planes["MSK"] != 0
        assert (planes["SCI"][lost] == 0).all() and (planes["WGT"][lost] == 0).all()
        assert (planes["WGT"][~lost] > 0).all() and np.isfinite(planes["SCI"]).all()
    assert any(planes["MSK"].any() for _, planes in tiles.values())


def test_weights_are_those_of_the_noise(tiles):
    for _, planes in tiles.values():
        seen = planes["MSK"] == 0
        in_units = planes["SCI"][seen] * np.sqrt(planes["WGT"][seen])
        below = np.median(in_units) - np.percentile(in_units, 15.87)  # sources are all above
        assert 0.95 < below < 1.3


def test_positions_are_those_of_the_pixels(candidates, tiles):
    for row in candidates:
        header, _ = tiles[row["TILENAME"], "g"]
        x, y = WCS(header).all_world2pix(row["ALPHA_J2000"], row["DELTA_J2000"], 1)
        assert (x, y) == pytest.approx((row["X_IMAGE"], row["Y_IMAGE"]), abs=1e-4)


def test_bright_candidates_are_where_the_light_is(candidates, tiles):
    offsets = []
    for row in candidates[np.argsort(candidates["MAG_AUTO_R"])[:20]]:
        header, planes = tiles[row["TILENAME"], "r"]
        x, y = WCS(header).all_world2pix(row["ALPHA_J2000"], row["DELTA_J2000"], 0)
        distance = distance_from(x, y, planes["SCI"].shape)
        rows, columns = np.nonzero(distance < 2 * row["A_IMAGE"])
        light = np.clip(planes["SCI"][rows, columns], 0, None)
        offsets.append(
            np.hypot(np.average(columns, weights=light) - x, np.average(rows, weights=light) - y)
        )
    assert np.median(offsets) < 1.0


def test_truth_has_the_rows_of_the_candidates(survey, candidates, truth, is_lsbg):
    assert list(truth["NUMBER"]) == list(candidates["NUMBER"])
    assert list(truth["NUMBER"]) == list(range(1, survey.candidate_count + 1))
    assert 10 < is_lsbg.sum() == survey.lsbg_count < survey.candidate_count - 10
    assert set(truth["LABEL"]) == {0, 1}
    assert (truth["NEAREST"][is_lsbg] == "lsbg").all()
    assert (truth["DISTANCE"][is_lsbg] < MATCH_RADIUS).all()
    assert len(set(truth["NEAREST"][~is_lsbg])) > 3


def test_lsbgs_are_measured_about_as_bright_and_large_as_they_are(candidates, truth, is_lsbg):
    measured, true = candidates[is_lsbg], truth[is_lsbg]
    assert abs(np.median(measured["MAG_AUTO_G"] - true["MAG_G_TRUE"])) < 0.3
    assert np.corrcoef(measured["MAG_AUTO_G"], true["MAG_G_TRUE"])[0, 1] > 0.5
    assert 0.8 < np.median(measured["FLUX_RADIUS_G"] * SCALE / true["R_EFF_TRUE"]) < 1.5


def test_pixels_on_disk_hold_the_light_of_the_lsbgs(candidates, truth, tiles, is_lsbg):
    differences = []
    for row, true in zip(candidates[is_lsbg], truth[is_lsbg], strict=True):
        header, planes = tiles[row["TILENAME"], "g"]
        x, y = WCS(header).all_world2pix(row["ALPHA_J2000"], row["DELTA_J2000"], 0)
        distance = distance_from(x, y, planes["SCI"].shape) * SCALE
        half = planes["SCI"][distance < true["R_EFF_TRUE"]].sum()
        differences.append(magnitude(2 * half, header["MAGZERO"]) - true["MAG_G_TRUE"])
    assert abs(np.median(differences)) < 0.3


@pytest.mark.parametrize(("index", "radius"), [(0.7, 3.0), (1.0, 2.5), (2.0, 2.0)])
def test_an_injected_galaxy_comes_back_with_its_magnitudes(index, radius):
    magnitudes = np.array([17.0, 16.4, 15.9])
    sky = Sky(SIZE, CONDITIONS)
    galaxy = galsim.Sersic(n=index, half_light_radius=radius)
    sky.place(galaxy, fluxes_of_magnitudes(magnitudes), 200.3, 190.7, 301)
    observed = sky.observe(np.ones((3, SIZE, SIZE)), np.random.default_rng(1))
    distance = distance_from(200.3, 190.7, (SIZE, SIZE))
    total = observed[:, distance < 90].sum(axis=1)
    assert magnitude(total) == pytest.approx(magnitudes, abs=0.03)
    within = observed[:, distance < np.hypot(radius, 0.6) / SCALE].sum(axis=1)
    assert within / total == pytest.approx([0.5] * 3, abs=0.04)


def test_an_object_lies_where_it_is_placed():
    sky = Sky(100, CONDITIONS)
    sky.place(galsim.Gaussian(fwhm=0.8), np.ones(3), 41.3, 57.8, 61)
    rows, columns = np.mgrid[:100, :100]
    for image in sky.images:
        assert np.average(columns, weights=image) == pytest.approx(41.3, abs=0.02)
        assert np.average(rows, weights=image) == pytest.approx(57.8, abs=0.02)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (99, 50), (-20, 50), (50, 130), (-500, -500)])
def test_the_edge_cuts_an_object_and_nothing_else(x, y):
    whole, cut = Sky(300, CONDITIONS), Sky(100, CONDITIONS)
    for sky, offset in ((whole, 100), (cut, 0)):
        sky.place(galsim.Gaussian(fwhm=5), np.ones(3), x + offset, y + offset, 61)
    np.testing.assert_array_equal(cut.images, whole.images[:, 100:200, 100:200])


def test_noise_is_as_the_conditions_say():
    depth = np.ones((3, SIZE, SIZE), np.float32)
    depth[1, :, SIZE // 2 :] = 1.5
    observed = Sky(SIZE, CONDITIONS).observe(depth, np.random.default_rng(2))
    left, right = observed[:, :, : SIZE // 2], observed[:, :, SIZE // 2 :]
    assert left.std(axis=(1, 2)) == pytest.approx([2.0, 2.5, 7.0], rel=0.02)
    assert right.std(axis=(1, 2)) == pytest.approx([2.0, 3.75, 7.0], rel=0.02)
    assert abs(observed.mean(axis=(1, 2))).max() < 0.05
    neighbours = [np.corrcoef(o[:, 1:].ravel(), o[:, :-1].ravel())[0, 1] for o in observed]
    assert neighbours == pytest.approx([np.exp(-1 / (4 * 0.7**2))] * 3, abs=0.03)


def test_seeing_is_as_the_conditions_say():
    star = Sky(100, CONDITIONS).draw(galsim.DeltaFunction(), 101)
    distance = distance_from(50, 50, (101, 101)) * SCALE
    for image, fwhm in zip(star, CONDITIONS.seeing, strict=True):
        core = fwhm / (2 * np.sqrt(2 ** (1 / 3.5) - 1))
        for radius in (2 * fwhm, 4 * fwhm):
            within = 1 - (1 + (radius / core) ** 2) ** (1 - 3.5)
            assert image[distance < radius].sum() == pytest.approx(within, abs=0.02)
        half = np.count_nonzero(image > image.max() / 2)
        assert 2 * np.sqrt(half / np.pi) * SCALE == pytest.approx(fwhm, rel=0.15)


def test_conditions_scatter_around_those_of_des():
    rng = np.random.default_rng(3)
    drawn = [Conditions.draw(rng) for _ in range(400)]
    noise = np.median([conditions.noise for conditions in drawn], axis=0)
    seeing = np.median([conditions.seeing for conditions in drawn], axis=0)
    assert noise == pytest.approx([1.8, 2.1, 6.8], rel=0.1)
    assert seeing == pytest.approx([1.12, 0.96, 0.84], rel=0.03)


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


@pytest.mark.slow
def test_the_seed_decides_everything_and_the_number_of_processes_nothing(tmp_path):
    first, again, other = (
        contents(simulate_survey("des", tmp_path / name, seed=seed, processes=processes, **SMALL))
        for name, seed, processes in (("first", 5, 2), ("again", 5, 1), ("other", 6, 2))
    )
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)


@pytest.mark.slow
def test_what_an_earlier_simulation_left_is_replaced_on_demand_only(tmp_path):
    calls = []
    options = {"tiles": 1, "tile_size": 300, "processes": 1}
    simulate_survey("des", tmp_path, progress=lambda *done: calls.append(done), **options)
    assert calls == [(1, 1)]
    before = contents_of_folder(tmp_path)
    with pytest.raises(InputError, match="--overwrite"):
        simulate_survey("des", tmp_path, **options)
    assert contents_of_folder(tmp_path) == before
    (tmp_path / "tiles" / ".lsbg_tiles.json").write_text("{}")
    cut_off = next((tmp_path / "tiles").glob("*_g.fits.fz"))
    cut_off.write_bytes(cut_off.read_bytes()[:1000])
    simulate_survey("des", tmp_path, overwrite=True, **options)
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
        simulate_survey("des", tmp_path, overwrite=True, **SMALL)
    assert path.exists()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("hsc", {}, "choose des"),
        ("des", {"tiles": 0}, "at least 1 tile"),
        ("des", {"tile_size": 299}, "at least 300 pixels"),
    ],
)
def test_what_cannot_be_simulated(name, options, said, tmp_path):
    with pytest.raises(InputError, match=said):
        simulate_survey(name, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


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
    assert re.fullmatch(rf"lsbg: .*{package}.*pip install .*\[simulate\].*\n", done.stderr)
    assert not (tmp_path / "out").exists()
