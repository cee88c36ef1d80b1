"""Mock galaxies in images: the right flux at the right place, and nothing else changed."""

import bz2
import gzip
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import galsim
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from catalogs.errors import InputError
from lsbg_classifier.cutouts.colours import colours_of_fluxes
from lsbg_classifier.cutouts.tiles import TileSource
from lsbg_classifier.injection.compressed import Layout, pack, unpack
from lsbg_classifier.injection.mocks import SHIPPED, read_mocks
from lsbg_classifier.injection.placement import Placement
from lsbg_classifier.injection.profiles import shape_of
from lsbg_classifier.injection.psf import PsfChoice
from lsbg_classifier.injection.render import Light, Stamp
from lsbg_classifier.injection.rewrite import Added, write_with_light
from lsbg_classifier.injection.tiles import Request, draw_band, make_mocks, write_tile
from lsbg_classifier.injection.truth import describe
from lsbg_classifier.own_tables import read_table, write_table
from lsbg_classifier.tile_images import OpenImages, TileSet

BANDS = "grz"
SIZE = 700
SCALE = 0.263
ZERO_POINT = 30.0


def wcs_header(size=SIZE, scale=SCALE, turn=0.0, ra=359.99):
    """Return a TAN projection, turned by some degrees."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, -31.0]
    wcs.wcs.crpix = [(size + 1) / 2] * 2
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    wcs.wcs.cd = np.array([[-c, s], [s, c]]) * scale / 3600
    return wcs.to_header()


def noise(seed, size=SIZE):
    image = np.random.default_rng(seed).normal(0, 2.0, (size, size)).astype(np.float32)
    image[:40, :60] = 0  # a corner without data
    return image


def write(path, pixels, header, **compression):
    """Write one band as DES does: image, mask, weight."""
    make = fits.CompImageHDU if compression else fits.ImageHDU
    image = make(pixels, header, name="SCI", **compression)
    mask = fits.ImageHDU((pixels == 0).astype(np.int16), name="MSK")
    weight = fits.ImageHDU((pixels != 0).astype(np.float32), name="WGT")
    hdus = fits.HDUList([fits.PrimaryHDU(), image, mask, weight])
    hdus.writeto(path, checksum=True)


def folder_of_tiles(folder, size=SIZE, turn=0.0, name="DES0000-3100", ra=359.99, **compression):
    folder.mkdir(exist_ok=True)
    for number, band in enumerate(BANDS):
        header = wcs_header(size, turn=turn, ra=ra)
        header["MAGZERO"], header["GAIN"] = ZERO_POINT, 3.0
        header["PSF_FWHM"] = (1.1, "[arcsec]")
        header["OBSERVER"] = ("Vera", "kept")
        suffix = ".fz" if compression else ""
        path = folder / f"{name}_r1_{band}.fits{suffix}"
        write(path, noise(number, size), header, **compression)
    return folder


def request(**changes):
    options = {"placement": Placement(1.5, 45), "noise": False, "seed": 5} | changes
    return Request(options.pop("mocks", read_mocks("des")), **options)


def inject(folder, out, asked, repeat=0):
    """Inject into the first tile of a folder; returns mocks, and the tiles before and after."""
    out.mkdir()
    tile = TileSet(folder).tiles[0]
    injected = make_mocks(tile, asked, repeat)
    write_tile(tile, injected, out, asked)
    return injected, tile, TileSet(out).tiles[0]


def read(tile, band):
    with OpenImages(tile) as images:
        return images.read(band, slice(0, tile.height), slice(0, tile.width))[0].astype(float)


QUANTIZED = {"quantize_level": 16, "dither_seed": 11}
COMPRESSIONS = {
    "plain": {},
    "rice": {"compression_type": "RICE_1", "quantize_method": 2, **QUANTIZED},
    "rice_coarse": {"compression_type": "RICE_1", "quantize_level": 2, "quantize_method": 2},
    "rice_squares": {
        "compression_type": "RICE_1",
        "tile_shape": (64, 90),
        "quantize_method": 2,
        **QUANTIZED,
    },
    "gzip_1": {"compression_type": "GZIP_1", "quantize_method": 2, **QUANTIZED},
    "gzip_2_lossless": {"compression_type": "GZIP_2", "quantize_level": 0},
    "hcompress": {
        "compression_type": "HCOMPRESS_1",
        "tile_shape": (32, SIZE),
        "hcomp_scale": 2,
        "quantize_method": 1,
        **QUANTIZED,
    },
}


@pytest.fixture(params=COMPRESSIONS, scope="module")
def injection(request, tmp_path_factory):
    """Mocks in a tile of each compression; the original and the new images."""
    base = tmp_path_factory.mktemp(request.param)
    folder = folder_of_tiles(base / "tiles", **COMPRESSIONS[request.param])
    asked = Request(read_mocks("des"), Placement(1.5, 45), noise=False, seed=5)
    return inject(folder, base / "out", asked)


@pytest.mark.long
@pytest.mark.parametrize("band", BANDS)
def test_apertures_hold_the_flux_of_the_truth(injection, band):
    mocks, before, after = injection
    added = read(after, band) - read(before, band)
    rows, columns = np.indices(added.shape)
    measured = 0
    for mock in mocks.truth:
        x, y = mock["X_IMAGE"] - 1, mock["Y_IMAGE"] - 1
        radius = 22 / SCALE
        reach = shape_of(mock).reach + 3
        if min(x, y) < radius + 20 or max(x, y) > SIZE - radius or reach > 22:
            continue
        inside = np.hypot(columns - x, rows - y) < radius
        flux = added[inside].sum()
        assert flux == pytest.approx(10 ** (-0.4 * (mock[f"MAG_{band.upper()}"] - 22.5)), rel=0.01)
        centroid = [(added * c)[inside].sum() / flux for c in (columns, rows)]
        assert np.hypot(centroid[0] - x, centroid[1] - y) < 0.1
        measured += 1
    assert measured >= 3


@pytest.mark.long
@pytest.mark.parametrize("band", BANDS)
def test_pixels_without_light_keep_their_values_exactly(injection, band):
    mocks, before, after = injection
    dark = draw_band(before, mocks, band, request()).pixels == 0
    assert 0.05 < dark.mean() < 0.95
    np.testing.assert_array_equal(read(after, band)[dark], read(before, band)[dark])
    blank = np.isnan(read(before, band))
    lossy = b"HCOMPRESS" in before.bands[band].path.read_bytes()  # it keeps no exact zeros
    assert blank.any() or lossy
    np.testing.assert_array_equal(np.isnan(read(after, band)), blank)


@pytest.mark.slow
def test_headers_and_other_extensions_stay(injection):
    _, before, after = injection
    changed = {"HISTORY", "CHECKSUM", "DATASUM", "PCOUNT", "TFORM1", "TFORM2", ""}
    for band in BANDS:
        old_path, new_path = before.bands[band].path, after.bands[band].path
        with (
            fits.open(old_path, disable_image_compression=True) as old,
            fits.open(new_path, disable_image_compression=True) as new,
        ):
            assert [hdu.name for hdu in old] == [hdu.name for hdu in new]
            for number, (ours, theirs) in enumerate(zip(new, old, strict=True)):
                keys = [key for key in theirs.header if key not in changed]
                assert [ours.header[key] for key in keys] == [theirs.header[key] for key in keys]
                if number != 1:
                    np.testing.assert_array_equal(ours.data, theirs.data)
            assert "mock galaxies" in str(new[1].header["HISTORY"])


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_checksums_are_right(injection):
    for file in injection[2].bands.values():
        with fits.open(file.path, checksum=True, disable_image_compression=True) as hdus:
            assert [hdu.verify_checksum() for hdu in hdus] == [1] * len(hdus)
            assert [hdu.verify_datasum() for hdu in hdus] == [1] * len(hdus)


def test_blocks_with_bright_stars_are_packed_without_loss():
    """Sums over a block exceed 32 bits there, which HCOMPRESS must hold."""
    header = fits.Header({"ZCMPTYPE": "HCOMPRESS_1", "ZBITPIX": -32, "ZNAXIS": 2})
    header["ZNAXIS1"], header["ZNAXIS2"], header["ZTILE1"], header["ZTILE2"] = 64, 32, 64, 32
    layout, kind = Layout(header), np.dtype(">i4")
    numbers = np.random.default_rng(2).integers(-100, 100, (32, 64))
    numbers[10:20, 10:20] = 500_000_000
    packed = pack(numbers, layout, kind)
    np.testing.assert_array_equal(unpack(packed, layout, (32, 64), kind), numbers)


@pytest.mark.long
def test_coarse_quantization_keeps_faint_light(tmp_path):
    """Steps of half the noise would lose all light below a quarter of it."""
    folder = folder_of_tiles(tmp_path / "tiles", **COMPRESSIONS["rice_coarse"])
    mocks, before, after = inject(folder, tmp_path / "out", request())
    light = draw_band(before, mocks, "g", request()).pixels
    with fits.open(before.bands["g"].path, disable_image_compression=True) as hdus:
        step = np.median(hdus[1].data["ZSCALE"]) * 0.001
    faint = (light > 0) & (light < step / 4) & np.isfinite(read(before, "g"))
    added = (read(after, "g") - read(before, "g"))[faint].sum()
    assert added == pytest.approx(light[faint].sum(), rel=0.02)


def test_integers_with_a_scale(tmp_path):
    """Light goes into a 16-bit image in its own steps, and its blank pixels stay."""
    header = fits.Header()
    stored = np.random.default_rng(1).integers(-500, 500, (50, 80)).astype(np.int16)
    stored[3, 4] = -32768
    hdu = fits.PrimaryHDU(stored)
    hdu.header["BSCALE"], hdu.header["BZERO"], hdu.header["BLANK"] = 0.5, 10.0, -32768
    hdu.writeto(tmp_path / "a.fits")
    light = Light(50, 80)
    light.add(Stamp(np.full((20, 30), 0.7, np.float32), 2, 1))
    write_with_light(
        tmp_path / "a.fits", tmp_path / "b.fits", {(0, None): Added(light, 2.0)}, "h", 1
    )
    added = fits.getdata(tmp_path / "b.fits") - fits.getdata(tmp_path / "a.fits")
    assert np.isnan(added[3, 4])
    assert np.nansum(added) == pytest.approx(1.4 * (20 * 30 - 1), rel=0.01)
    assert np.nansum(added[:, 40:]) == 0
    assert header == fits.Header()


@pytest.mark.long
def test_the_same_seed_the_same_mocks(tmp_path):
    folder = folder_of_tiles(tmp_path / "tiles", **COMPRESSIONS["rice"])
    names = ["a", "b", "c", "d"]
    asked = [request(), request(), request(seed=6), request()]
    made = [
        inject(folder, tmp_path / name, one, repeat=int(name == "d"))
        for name, one in zip(names, asked, strict=True)
    ]
    contents = [[f.path.read_bytes() for f in one[2].bands.values()] for one in made]
    assert contents[0] == contents[1]
    assert contents[0] != contents[2] and contents[0] != contents[3]
    assert (made[0][0].truth["RA"] == made[1][0].truth["RA"]).all()


@pytest.mark.slow
def test_positions_follow_the_rules_and_the_sky(tmp_path):
    folder = folder_of_tiles(tmp_path / "tiles", turn=12.0)
    mocks, before, _ = inject(folder, tmp_path / "out", request(placement=Placement(12.0, 20)))
    truth = mocks.truth
    assert len(truth) < mocks.wanted  # there is no room for all
    x, y = truth["X_IMAGE"] - 1, truth["Y_IMAGE"] - 1
    distances = np.hypot(x[:, None] - x, y[:, None] - y) * SCALE
    assert distances[distances > 0].min() >= 20
    np.testing.assert_allclose(truth["MOCK_DISTANCE"], np.sort(distances)[:, 1])
    bad = np.isnan(read(before, "g"))
    rows, columns = np.indices(bad.shape)
    for mock, i, j in zip(truth, x, y, strict=True):
        assert not bad[np.hypot(columns - i, rows - j) < mock["R_EFF"] / SCALE].any()
    ra, dec = WCS(wcs_header(turn=12.0)).all_pix2world(x, y, 0)
    np.testing.assert_allclose([truth["RA"], truth["DEC"]], [ra, dec], atol=1e-9)
    everywhere = make_mocks(before, request(placement=Placement(12.0, 20, masked_share=1.0)))
    assert everywhere.truth["MASKED_SHARE"].max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("turn", [0.0, 12.0])
def test_position_angles_are_those_of_the_sky(tmp_path, turn):
    """The major axis of the added light, measured by its moments, has the truth's angle."""
    mocks_file = tmp_path / "long.toml"
    text = (read_mocks("des").text).replace("sersic = 0.5", "sersic = 1e5")
    mocks_file.write_text(text.replace("a = 2.0\nb = 4.0\nmaximum = 0.7", "a = 40\nb = 40"))
    folder = folder_of_tiles(tmp_path / "tiles", turn=turn)
    asked = request(mocks=read_mocks(mocks_file), psf=PsfChoice.of_text("0.6"))
    tile = TileSet(folder).tiles[0]
    mocks = make_mocks(tile, asked)
    light, wcs = draw_band(tile, mocks, "r", asked).pixels, WCS(wcs_header(turn=turn))
    rows, columns = np.indices(light.shape)
    measured = 0
    for mock in mocks.truth:
        x, y = mock["X_IMAGE"] - 1, mock["Y_IMAGE"] - 1
        if min(x, y) < 90 or max(x, y) > SIZE - 90 or shape_of(mock).reach > 22:
            continue
        measured += 1
        part = np.where(np.hypot(columns - x, rows - y) < 90, light, 0)
        dx, dy = columns - x, rows - y
        moments = [(part * a * b).sum() for a, b in ((dx, dx), (dx, dy), (dy, dy))]
        angle = 0.5 * np.arctan2(2 * moments[1], moments[0] - moments[2])
        ends = [x + 10 * np.cos(angle), x - 10 * np.cos(angle)]
        ends = wcs.all_pix2world(ends, [y + 10 * np.sin(angle), y - 10 * np.sin(angle)], 0)
        east = np.diff((ends[0] + 180) % 360)[0] * np.cos(np.radians(-31))
        on_sky = np.degrees(np.arctan2(east, np.diff(ends[1])[0]))
        assert abs((on_sky - mock["PA"] + 90) % 180 - 90) < 3
    assert measured >= 2


@pytest.mark.slow
def test_half_the_light_is_within_the_effective_radius():
    mocks = read_mocks("des").draw(60, np.random.default_rng(3))
    rows, columns = (np.indices((1601, 1601)) - 800) * 0.05
    for kind in ("sersic", "nucleated", "irregular", "two-component"):
        mock = mocks[(mocks["KIND"] == kind) & (mocks["R_EFF"] < 4)][0]
        sharp = galsim.Convolve(shape_of(mock).profile, galsim.Gaussian(sigma=0.06))
        image = sharp.drawImage(nx=1601, ny=1601, scale=0.05, method="no_pixel").array
        angle = np.radians(90 + mock["PA"])
        along = columns * np.cos(angle) + rows * np.sin(angle)
        across = rows * np.cos(angle) - columns * np.sin(angle)
        ratio = np.sqrt(1 - mock["ELLIPTICITY"])
        within = np.hypot(along * ratio, across / ratio) < mock["R_EFF"]
        assert image.sum() == pytest.approx(1, abs=0.005)
        assert image[within].sum() == pytest.approx(0.5, abs=0.006)


@pytest.mark.slow
def test_colours_of_a_cutout_are_those_of_an_independent_drawing(tmp_path):
    """On empty images, the network's cutout equals one made of exact exponential discs."""
    folder = folder_of_tiles(tmp_path / "tiles")
    for path in folder.iterdir():
        with fits.open(path, mode="update") as hdus:
            hdus[1].data[:] = 1e-7
    mocks = tmp_path / "disc.toml"
    mocks.write_text(
        "radius = 4.0\nbrightness = 24.0\nindex = 1.0\nellipticity = 0.0\n[colours.blue]\n"
        '"g-r" = 0.45\n"r-z" = 0.3\n'
    )
    found, _, _ = inject(folder, tmp_path / "out", request(mocks=read_mocks(mocks)))
    middle = np.hypot(found.truth["X_IMAGE"] - SIZE / 2, found.truth["Y_IMAGE"] - SIZE / 2).argmin()
    mock = found.truth[middle]
    cutout, flags = TileSource(tmp_path / "out", bands="grz").fetch(
        np.array([[mock["RA"], mock["DEC"]]])
    )
    assert flags[0] == 0
    disc = galsim.Convolve(
        galsim.Exponential(half_light_radius=4.0), galsim.Moffat(beta=3.5, fwhm=1.1)
    )
    image = disc.drawImage(nx=64, ny=64, scale=0.131 * 4, method="sb").array
    magnitude = 24.0 - 2.5 * np.log10(2 * np.pi * 16)
    fluxes = [
        image * SCALE**2 * 10 ** (-0.4 * (m - 22.5))
        for m in (magnitude, magnitude - 0.45, magnitude - 0.75)
    ]
    expected = colours_of_fluxes(np.array(fluxes), (6.0, 3.4, 2.2))
    middle = slice(20, 44)
    difference = cutout[0, middle, middle].astype(int) - expected[middle, middle].astype(int)
    assert np.abs(difference).mean() < 2.5


@pytest.mark.slow
def test_noise_of_the_light_has_the_variance_of_its_electrons(tmp_path):
    folder = folder_of_tiles(tmp_path / "tiles")
    tile = TileSet(folder).tiles[0]
    mocks = make_mocks(tile, request())
    light = draw_band(tile, mocks, "g", request()).pixels.astype(float)
    bright = light > 0.02
    excess = (draw_band(tile, mocks, "g", request(noise=True)).pixels - light)[bright]
    electrons = 3.0 / 0.001  # a nanomaggie is 1000 counts of 3 electrons
    assert (excess**2 * electrons / light[bright]).mean() == pytest.approx(1, abs=0.1)
    assert excess.mean() == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_distributions_are_within_their_ranges(name):
    table = read_mocks(name).draw(2000, np.random.default_rng(1))
    assert 2.5 <= table["R_EFF"].min() and table["R_EFF"].max() <= 14
    assert 23.7 <= table["MU_MEAN_G"].min() and table["MU_MEAN_G"].max() <= 28
    area = 2 * np.pi * table["R_EFF"] ** 2
    np.testing.assert_allclose(table["MU_MEAN_G"], table["MAG_G"] + 2.5 * np.log10(area))
    assert 0.25 < (table["SEQUENCE"] == "red").mean() < 0.41


BROKEN = {
    "radius = -1": "radius: -1 is outside 0.3 to 60 arcsec",
    'radius = {distribution="uniform", minimum=5, maximum=2}': "minimum 5 is larger",
    'radius = {distribution="cauchy"}': "must be one of uniform",
    'radius = {distribution="normal", mean=3}': "normal needs the key sigma",
    'radius = {distribution="normal", mean=900, sigma=1}': "no values between",
    'radius = {distribution="uniform", minimum=1, maximum=90}': "90 is outside",
    "radius = true": "must be a number",
    "radius = 4\nwidth = 3": "unknown key width",
    "": "radius is missing",
    "radius = ": "Invalid value",
}


@pytest.mark.parametrize(("line", "words"), BROKEN.items())
def test_distributions_that_make_no_sense(tmp_path, line, words):
    path = tmp_path / "mocks.toml"
    rest = 'brightness = 25\nindex = 1\nellipticity = 0.2\n[colours.blue]\n"g-r" = 0.4\n'
    path.write_text(f"{line}\n{rest}")
    with pytest.raises(InputError, match=words) as raised:
        read_mocks(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_a_band_without_a_colour_is_named(tmp_path):
    path = tmp_path / "mocks.toml"
    path.write_text(
        'radius = 3\nbrightness = 25\nindex = 1\nellipticity = 0.2\n[colours.blue]\n"g-r" = 0.4\n'
    )
    folder = folder_of_tiles(tmp_path / "tiles")
    with pytest.raises(InputError, match='band z of tile DES0000-3100; add one such as "g-z"'):
        make_mocks(TileSet(folder).tiles[0], request(mocks=read_mocks(path)))


def test_without_psf_and_stars_it_says_so(tmp_path):
    folder = folder_of_tiles(tmp_path / "tiles")
    for path in folder.glob("*_r.fits"):
        with fits.open(path, mode="update") as hdus:
            del hdus[1].header["PSF_FWHM"]
    with pytest.raises(InputError, match=r"band r: no point-spread function.*0 stars.*--psf"):
        make_mocks(TileSet(folder).tiles[0], request())


@pytest.mark.slow
def test_truth_as_fits_and_parquet(tmp_path):
    folder = folder_of_tiles(tmp_path / "tiles")
    truth = describe(make_mocks(TileSet(folder).tiles[0], request()).truth)
    for name in ("truth.fits", "truth.parquet"):
        write_table(truth, tmp_path / name, "TRUTH", {"seed": 5, "mocks": "des"})
        again = read_table(tmp_path / name)
        assert again.colnames == truth.colnames
        for column in truth.colnames:
            np.testing.assert_array_equal(again[column], truth[column])
    assert fits.getheader(tmp_path / "truth.fits", 1)["SEED"] == 5
    assert Table.read(tmp_path / "truth.fits")["R_EFF"].unit == "arcsec"


@pytest.mark.parametrize("ending", [".gz", ".bz2"])
def test_files_that_are_compressed_as_a_whole_stay_so(tmp_path, ending):
    """Their content is that of the plain file with the same light."""
    open_packed = {".gz": gzip.open, ".bz2": bz2.open}[ending]
    pixels = np.random.default_rng(1).normal(0, 1, (60, 90)).astype(np.float32)
    fits.PrimaryHDU(pixels).writeto(tmp_path / "a.fits")
    with open_packed(tmp_path / f"a.fits{ending}", "wb") as packed:
        packed.write((tmp_path / "a.fits").read_bytes())
    light = Light(60, 90)
    light.add(Stamp(np.full((20, 30), 0.7, np.float32), 2, 1))
    for end in ("", ending):
        target = tmp_path / f"b.fits{end}"
        added = {(0, None): Added(light, 2.0)}
        write_with_light(tmp_path / f"a.fits{end}", target, added, "a line", 1)
    with open_packed(tmp_path / f"b.fits{ending}") as packed:
        assert packed.read() == (tmp_path / "b.fits").read_bytes()
    added = fits.getdata(tmp_path / "b.fits") - pixels
    np.testing.assert_allclose(added[1:21, 2:32], 1.4, atol=1e-6)


@pytest.mark.slow
def test_weights_and_masks_beside_the_images_come_along(tmp_path):
    """A KiDS tile: the weight says where there are data, in the copy as in the original."""
    folder = tmp_path / "tiles"
    folder.mkdir()
    for number, band in enumerate("gri"):
        header = wcs_header(scale=0.2)
        header["PSF_RAD"] = 0.8
        stem = f"KiDS_DR4.0_180.0_0.5_{band}"
        fits.PrimaryHDU(noise(number) * 1e-11, header).writeto(folder / f"{stem}_sci.fits")
        weight = np.ones((SIZE, SIZE), np.float32)
        weight[:, :200] = 0
        fits.PrimaryHDU(weight, header).writeto(folder / f"{stem}_wei.fits")
    asked = request(psf=PsfChoice.of_text("0.8"))
    mocks, before, after = inject(folder, tmp_path / "out", asked)
    assert {path.name for path in (tmp_path / "out").glob("*.fits")} == {
        path.name for path in folder.glob("*.fits")
    }
    assert before.bands["g"].nanomaggies == pytest.approx(1e9)
    assert np.isnan(read(after, "r")[:, :200]).all()
    assert (mocks.truth["X_IMAGE"] > 200).all()


@pytest.mark.slow
def test_threads_read_hcompressed_images_right(tmp_path):
    """Astropy's code for them keeps its state in static variables."""
    folder = folder_of_tiles(tmp_path / "tiles", **COMPRESSIONS["hcompress"])
    tile = TileSet(folder).tiles[0]
    expected = {band: fits.getdata(tile.bands[band].path, 1) * 0.001 for band in BANDS}
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(partial(_read_in_strips, tile), BANDS))
    finally:
        sys.setswitchinterval(before)
    for band, image in zip(BANDS, found, strict=True):
        seen = np.isfinite(image)
        np.testing.assert_allclose(image[seen], expected[band][seen], rtol=1e-6)


def _read_in_strips(tile, band):
    with OpenImages(tile) as images:
        strips = [slice(start, min(start + 32, SIZE)) for start in range(0, SIZE, 32)]
        return np.concatenate(
            [images.read(band, rows, slice(0, SIZE))[0].copy() for rows in strips]
        )
