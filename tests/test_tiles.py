"""Cutouts from tiles on disk: names, zero points, masks, edges, and one opening a tile."""

import json
import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier import load_classifier, open_source
from lsbg_classifier.cutouts import tile_cutter
from lsbg_classifier.cutouts.tile_index import TileIndex
from lsbg_classifier.cutouts.tile_memory import INDEX_NAME
from lsbg_classifier.reasons import take_reasons

SIZE = 400
CENTRE = (32.0, -40.0)


def tile_wcs(scale=0.263, centre=CENTRE, turn=0):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = centre
    wcs.wcs.crpix = [(SIZE + 1) / 2] * 2
    cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    wcs.wcs.cd = np.diag([-scale, scale]) @ [[cosine, sine], [-sine, cosine]] / 3600
    return wcs


def scene(rms=0.002, seed=0):
    """Sky in nanomaggies with a round galaxy in the middle, shape (SIZE, SIZE)."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    noise = np.random.default_rng(seed).normal(0, rms, (SIZE, SIZE))
    return (0.03 * np.exp(-np.hypot(x, y) / 12) + noise).astype(np.float32)


def write_des(
    folder, name="DES0208-4000", bands="grz", centre=CENTRE, turn=0, spoil=None, mask=None
):
    header = tile_wcs(centre=centre, turn=turn).to_header()
    for number, band in enumerate(bands):
        image = scene(seed=number) * 1000
        if spoil is not None:
            spoil(band, image)
        hdus = [fits.PrimaryHDU(), fits.ImageHDU(image, header, name="SCI")]
        if mask is not None:
            hdus.append(fits.ImageHDU(mask.astype(np.int16), header, name="MSK"))
        fits.HDUList(hdus).writeto(folder / f"{name}_r2590p01_{band}.fits")
    return folder


def fetch(folder, positions=(CENTRE,), **options):
    source = open_source(f"tiles:{folder}", **options)
    return source.fetch(np.array(positions, float))


@pytest.mark.slow
@pytest.mark.parametrize("others", ["u", "Y", "y", "uYy"])
def test_bands_that_no_cutout_needs_change_nothing(others, tmp_path):
    (tmp_path / "three").mkdir(), (tmp_path / "more").mkdir()
    expected, flags = fetch(write_des(tmp_path / "three"))
    found, found_flags = fetch(write_des(tmp_path / "more", bands=f"grz{others}"))
    assert (found == expected).all() and expected.any()
    assert (found_flags == flags).all() and (flags == 0).all()


def test_galaxy_is_in_the_middle_and_clean(tmp_path):
    cutouts, flags = fetch(write_des(tmp_path))
    assert cutouts.dtype == np.uint8 and cutouts.shape == (1, 64, 64, 3)
    assert flags.dtype == np.int16 and flags[0] == 0
    light = cutouts[0].sum(axis=2).astype(float)
    light -= np.median(light)
    assert light[28:36, 28:36].mean() > 5 * abs(light[:8].mean())
    y, x = np.mgrid[:64, :64]
    weight = np.clip(light - 60, 0, None)
    assert np.average(y, weights=weight) == pytest.approx(31.5, abs=0.3)
    assert np.average(x, weights=weight) == pytest.approx(31.5, abs=0.3)


def test_north_is_up_and_east_left(tmp_path):
    def spoil(band, image):
        image[SIZE // 2 + 20 : SIZE // 2 + 30, SIZE // 2 - 5 : SIZE // 2 + 5] = 300  # north
        image[SIZE // 2 - 5 : SIZE // 2 + 5, SIZE // 2 - 50 : SIZE // 2 - 40] = 300  # east

    cutout = fetch(write_des(tmp_path, spoil=spoil))[0][0].astype(int).sum(axis=2)
    assert cutout[16:22, 30:34].mean() > 300 and cutout[42:48, 30:34].mean() < 200
    assert cutout[30:34, 6:11].mean() > 300 and cutout[30:34, 53:58].mean() < 200


@pytest.mark.parametrize("turn", [19, -19, 180])
def test_north_is_up_from_turned_tiles(tmp_path, turn):
    x, y = tile_wcs(turn=turn).all_world2pix(CENTRE[0], CENTRE[1] + 8 / 3600, 0)
    rows, columns = np.mgrid[:SIZE, :SIZE]

    def spoil(band, image):
        image[:] += 300 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 20)

    cutouts, flags = fetch(write_des(tmp_path, turn=turn, spoil=spoil))
    brightest = np.unravel_index(cutouts[0].sum(axis=2, dtype=int).argmax(), (64, 64))
    assert flags == [0]
    np.testing.assert_allclose(brightest, (31.5 - 8 / (33.5 / 64), 31.5), atol=1.5)


def test_bands_become_colours(tmp_path):
    def spoil(band, image):
        image[:] = 0.5 + (200 if band == "z" else 0)

    cutout = fetch(write_des(tmp_path, spoil=spoil))[0][0]
    red, green, blue = cutout.reshape(-1, 3).mean(axis=0)
    assert red > 100 and green < red / 3 and blue < red / 3


def test_zero_point_and_names_of_hsc(tmp_path):
    header = tile_wcs(scale=0.168).to_header()
    mask_header = header.copy()
    mask_header["MP_BAD"], mask_header["HIERARCH MP_NO_DATA"] = 0, 8
    mask = np.zeros((SIZE, SIZE), np.int32)
    mask[:, :150] = 1 << 8
    mask[:, 150:] = 1 << 5  # DETECTED or the like: harmless
    for number, band in enumerate("GRZ"):
        hdus = [
            fits.PrimaryHDU(),
            fits.ImageHDU(scene(seed=number) * 10 ** (0.4 * 4.5), header, name="IMAGE"),
            fits.ImageHDU(mask, mask_header, name="MASK"),
            fits.ImageHDU(np.ones((SIZE, SIZE), np.float32), header, name="VARIANCE"),
        ]
        fits.HDUList(hdus).writeto(tmp_path / f"calexp-HSC-{band}-9813-4,5.fits")
    source = open_source(f"tiles:{tmp_path}")
    assert source.imaging.survey == "hsc"
    cutouts, flags = source.fetch(np.array([CENTRE]))
    assert flags[0] == Flag.PARTIAL_COVERAGE
    assert cutouts[0, 28:36, 36:40].mean() > 100  # HSC's stretch is five times DES's


def test_outside_every_tile(tmp_path):
    positions = [(CENTRE[0] + 1, CENTRE[1]), (212.0, 40.0), CENTRE]
    cutouts, flags = fetch(write_des(tmp_path), positions)
    assert flags.tolist() == [Flag.NO_COVERAGE, Flag.NO_COVERAGE, 0]
    assert not cutouts[:2].any() and cutouts[2].any()


def test_at_the_edge(tmp_path):
    position = (CENTRE[0], CENTRE[1] + (SIZE / 2 - 20) * 0.263 / 3600)
    cutouts, flags = fetch(write_des(tmp_path), [position])
    assert flags[0] == Flag.PARTIAL_COVERAGE
    assert np.unique(cutouts[0, 0]).tolist() == [32]


@pytest.mark.parametrize("bands", ["rz", "g"])
def test_missing_band_file(tmp_path, bands):
    """A tile that lacks a band is flagged; a folder in which all tiles lack one is refused."""
    write_des(tmp_path, bands=bands)
    with pytest.raises(InputError, match="no tile has all of the bands g, r, z: 1 tile has"):
        open_source(f"tiles:{tmp_path}")
    write_des(tmp_path, name="DES0308-4000", centre=(47.0, -40.0))
    assert fetch(tmp_path)[1].tolist() == [Flag.MISSING_BAND]
    missing = [band for band in "grz" if band not in bands]
    (reason,) = (reason for reason in take_reasons() if str(tmp_path) in reason.where)
    assert reason.what == f"its tile has no image in band {', '.join(missing)}"


def test_no_data_within_a_tile(tmp_path):
    def spoil(band, image):
        if band == "r":
            image[:, : SIZE // 2] = 0
        image[: SIZE // 4] = np.nan

    middle, south = CENTRE, (CENTRE[0], CENTRE[1] - 170 * 0.263 / 3600)
    flags = fetch(write_des(tmp_path, spoil=spoil), [middle, south])[1]
    assert flags.tolist() == [Flag.PARTIAL_COVERAGE, Flag.NO_COVERAGE]


def test_masked_pixels(tmp_path):
    mask = np.zeros((SIZE, SIZE))
    mask[180:220, 180:220] = 4
    assert fetch(write_des(tmp_path, mask=mask))[1][0] == Flag.MASKED_PIXELS


def test_overlapping_tiles_choose_the_deepest(tmp_path):
    shifted = (CENTRE[0], CENTRE[1] + 150 * 0.263 / 3600)
    write_des(tmp_path)
    write_des(tmp_path, name="DES0208-3959", centre=shifted)
    index = TileIndex.of_folder(tmp_path)
    names = [index.tiles[i].name for i in index.rank(np.array([CENTRE, shifted]))[:, 0]]
    assert names == ["DES0208-4000", "DES0208-3959"]
    assert fetch(tmp_path, [CENTRE, shifted])[1].tolist() == [0, 0]


def test_each_tile_is_opened_once(tmp_path, monkeypatch):
    source = open_source(f"tiles:{write_des(tmp_path)}")
    opened = []
    real_open = fits.open
    monkeypatch.setattr(fits, "open", lambda *a, **k: opened.append(a[0]) or real_open(*a, **k))
    offsets = np.random.default_rng(1).uniform(-30, 30, (50, 2)) / 3600
    source.fetch(np.array(CENTRE) + offsets)
    assert len(opened) == 3


@pytest.mark.slow
def test_strips_do_not_change_cutouts(tmp_path, monkeypatch):
    folder = write_des(tmp_path)
    positions = np.array(CENTRE) + np.random.default_rng(2).uniform(-35, 35, (20, 2)) / 3600
    whole = fetch(folder, positions)[0]
    monkeypatch.setattr(tile_cutter, "_STRIP_ROWS", 150)
    assert (fetch(folder, positions)[0] == whole).all()
    one_by_one = np.concatenate([fetch(folder, [position])[0] for position in positions])
    assert (one_by_one == whole).all()


def test_index_is_kept_and_follows_changes(tmp_path):
    write_des(tmp_path)
    write_des(tmp_path, name="DES0308-4000", centre=(47.0, -40.0))
    open_source(f"tiles:{tmp_path}")
    kept = json.loads((tmp_path / INDEX_NAME).read_text())["files"]
    assert len(kept) == 6
    (tmp_path / "DES0208-4000_r2590p01_z.fits").unlink()
    assert fetch(tmp_path)[1][0] == Flag.MISSING_BAND
    (tmp_path / INDEX_NAME).write_text("{damaged")
    assert fetch(tmp_path)[1][0] == Flag.MISSING_BAND


def test_an_index_that_cannot_be_written_does_no_harm(tmp_path, monkeypatch):
    expected = fetch(write_des(tmp_path))[0]
    (tmp_path / INDEX_NAME).unlink()
    (tmp_path / INDEX_NAME).mkdir()
    (tmp_path / "no_folder").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no_folder"))
    np.testing.assert_array_equal(fetch(tmp_path)[0], expected)
    assert not list(tmp_path.glob("*.partial"))


def test_bad_folders(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        open_source(f"tiles:{tmp_path / 'nowhere'}")
    with pytest.raises(InputError, match="no tiles"):
        open_source(f"tiles:{tmp_path}")
    (tmp_path / "DES0208-4000_r2590p01_g.fits").write_bytes(b"not an image")
    with pytest.raises(InputError, match=r"not a readable image .*DES0208-4000_r2590p01_g\.fits"):
        open_source(f"tiles:{tmp_path}")


def test_truncated_tile_is_refused_by_name(tmp_path):
    path = write_des(tmp_path) / "DES0208-4000_r2590p01_r.fits"
    path.write_bytes(path.read_bytes()[:200_000])
    with pytest.raises(InputError, match=r"p01_r\.fits.*truncated"):
        open_source(f"tiles:{tmp_path}")


def test_tile_lost_during_the_run_is_flagged(tmp_path):
    write_des(tmp_path)
    source = open_source(f"tiles:{tmp_path}")
    (tmp_path / "DES0208-4000_r2590p01_r.fits").unlink()
    assert source.fetch(np.array([CENTRE]))[1][0] == Flag.BAD_IMAGE


def test_two_surveys_in_one_folder(tmp_path):
    write_des(tmp_path)
    header = tile_wcs().to_header()
    fits.PrimaryHDU(scene(), header).writeto(tmp_path / "calexp-HSC-G-1-1,1.fits")
    with pytest.raises(InputError, match="several surveys"):
        open_source(f"tiles:{tmp_path}")


def test_unknown_option(tmp_path):
    write_des(tmp_path)
    with pytest.raises(InputError, match="url"):
        open_source(f"tiles:{tmp_path}", url="http://127.0.0.1")
    with pytest.raises(InputError, match="grz"):
        open_source(f"tiles:{tmp_path}", bands="xyz")


@pytest.mark.slow
def test_compressed_and_plain_tiles_agree(survey, tmp_path):
    for path in survey.tiles.glob("*.fz"):
        with fits.open(path) as hdus:
            plain = [fits.PrimaryHDU()]
            plain += [fits.ImageHDU(h.data, h.header, name=h.name) for h in hdus[1:3]]
            fits.HDUList(plain).writeto(tmp_path / path.name.removesuffix(".fz"))
    positions = fits.getdata(survey.candidates)
    positions = np.stack([positions["ALPHA_J2000"], positions["DELTA_J2000"]], axis=1)
    packed, packed_flags = fetch(survey.tiles, positions)
    plain, plain_flags = fetch(tmp_path, positions)
    assert (packed == plain).all() and (packed_flags == plain_flags).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "legacysurvey-0001m002-invvar-g.fits.fz",
        "legacysurvey-0001m002-maskbits.fits.fz",
        "DES0000+0209_r2590p01_det.fits.fz",
    ],
)
def test_what_lies_beside_the_coadds_is_not_one(survey, tmp_path, name):
    for path in survey.tiles.glob("*.fz"):
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / name).write_bytes(b"not looked at")
    candidates = fits.getdata(survey.candidates)[:3]
    positions = np.stack([candidates["ALPHA_J2000"], candidates["DELTA_J2000"]], axis=1)
    assert (fetch(tmp_path, positions)[0] == fetch(survey.tiles, positions)[0]).all()


def rewritten(survey, folder, change=lambda header, data: (header, data), name=str):
    """Write the survey's tiles again as plain FITS, the image alone, changed and renamed."""
    for path in survey.tiles.glob("*.fz"):
        with fits.open(path) as hdus:
            header = hdus["SCI"].header.copy(strip=True)
            header, data = change(header, np.array(hdus["SCI"].data))
        target = folder / name(path.name.removesuffix(".fz"))
        fits.PrimaryHDU(data, header).writeto(target)


def near_the_middle(survey, count=6):
    candidates = fits.getdata(survey.candidates)
    inside = (abs(candidates["X_IMAGE"] - 750) < 500) & (abs(candidates["Y_IMAGE"] - 750) < 500)
    chosen = candidates[inside][:count]
    return np.stack([chosen["ALPHA_J2000"], chosen["DELTA_J2000"]], axis=1)


@pytest.mark.slow
def test_the_survey_gives_the_zero_point_that_a_header_lacks(survey, tmp_path):
    def without(header, data):
        header.remove("MAGZERO")
        return header, data

    rewritten(survey, tmp_path, without, lambda name: name.replace("DES", "my").replace("_r", "-r"))
    positions = near_the_middle(survey)
    expected, _ = fetch(survey.tiles, positions)
    cutouts, _ = fetch(tmp_path, positions, survey="des")
    np.testing.assert_array_equal(cutouts, expected)


@pytest.mark.slow
def test_larger_pixels_do_not_change_the_colours(survey, tmp_path):
    def rebinned(header, data):
        half = data.reshape(750, 2, 750, 2).sum(axis=(1, 3))
        for i in (1, 2):
            header[f"CRPIX{i}"] = (header[f"CRPIX{i}"] - 0.5) / 2 + 0.5
            header[f"CDELT{i}"] = header.get(f"CDELT{i}", 1) * 2
        return header, half

    rewritten(survey, tmp_path, rebinned)
    positions = near_the_middle(survey)
    expected, _ = fetch(survey.tiles, positions)
    cutouts, _ = fetch(tmp_path, positions)
    assert abs(cutouts.astype(float).mean() - expected.mean()) < 2


def test_fits_cutouts_of_the_viewer_keep_their_fluxes_at_any_scale(tmp_path):
    """They hold nanomaggies per pixel of the survey: the mark BAND0 in the header tells them."""
    flux = np.full((SIZE, SIZE), 0.02, np.float32)
    means = {}
    for scale in (0.262, 0.131):
        folder = tmp_path / str(scale)
        folder.mkdir()
        for band in "grz":
            header = tile_wcs(scale).to_header()
            header["BANDS"] = header["BAND0"] = band
            fits.PrimaryHDU(flux, header).writeto(folder / f"cutout_{band}.fits")
        means[scale] = fetch(folder)[0].mean()
    assert means[0.131] == pytest.approx(means[0.262], abs=0.5)


@pytest.mark.slow
def test_bands_on_other_grids_are_cut_each_by_its_own(survey, tmp_path):
    """The image of r lies three columns further on; what it shows is where it was."""

    def shifted(header, data):
        if header["BAND"] == "r":
            header["CRPIX1"] += 3
            data = np.roll(data, 3, axis=1)
        return header, data

    rewritten(survey, tmp_path, shifted)
    positions = near_the_middle(survey)
    cutouts, flags = fetch(tmp_path, positions)
    expected, _ = fetch(survey.tiles, positions)
    assert not flags.any()
    assert abs(cutouts.astype(int) - expected).max() <= 1


@pytest.mark.slow
def test_bands_of_one_name_but_other_places_are_refused(survey, tmp_path):
    def elsewhere(header, data):
        header["CRVAL2"] += 1 * (header["BAND"] == "r")
        return header, data

    rewritten(survey, tmp_path, elsewhere)
    with pytest.raises(
        InputError, match=r"_g\.fits and .*_r\.fits: named as bands of tile DES.* 60"
    ):
        fetch(tmp_path, near_the_middle(survey))


@pytest.mark.slow
def test_two_releases_of_a_tile_are_refused(survey, tmp_path):
    rewritten(survey, tmp_path)
    one = next(tmp_path.glob("*_g.fits"))
    shutil.copy(one, tmp_path / one.name.replace("r2590p01", "r4907p01"))
    with pytest.raises(InputError, match="keep one of them"):
        fetch(tmp_path, near_the_middle(survey))


@pytest.mark.slow
def test_a_cube_of_one_plane(survey, tmp_path):
    rewritten(survey, tmp_path, lambda header, data: (header, data[None]))
    positions = near_the_middle(survey)
    cutouts, flags = fetch(tmp_path, positions)
    np.testing.assert_array_equal(cutouts, fetch(survey.tiles, positions)[0])
    assert not flags.any()


@pytest.mark.slow
def test_the_fingerprint_tells_changed_files(survey, tmp_path):
    rewritten(survey, tmp_path)
    before = open_source(f"tiles:{tmp_path}").fingerprint()
    assert open_source(f"tiles:{tmp_path}").fingerprint() == before
    next(tmp_path.glob("*_g.fits")).unlink()
    assert open_source(f"tiles:{tmp_path}").fingerprint() != before


@pytest.mark.slow
def test_sampling_as_coarsely_as_the_pixels_loses_nothing(survey):
    positions = near_the_middle(survey, count=40)
    cutouts, flags = fetch(survey.tiles, positions)
    expected, expected_flags = fetch(survey.tiles, positions, finely=True)
    difference = abs(cutouts.astype(int) - expected)
    assert (flags == expected_flags).all()
    assert difference.any() and difference.mean() < 0.5 and np.percentile(difference, 99) <= 1
    one, other = (load_classifier().predict(images) for images in (cutouts, expected))
    assert abs(one - other).max() < 0.01


@pytest.mark.parametrize(("scale", "is_fine"), [(0.263, False), (0.168, True)])
def test_finer_pixels_are_sampled_as_finely_as_the_viewer_does(tmp_path, scale, is_fine):
    header = tile_wcs(scale=scale).to_header()
    for number, band in enumerate("grz"):
        path = tmp_path / f"DES0208-4000_r2590p01_{band}.fits"
        fits.writeto(path, scene(rms=50, seed=number), header)
    usual, finest = (fetch(tmp_path, survey="des", finely=finely)[0] for finely in (False, True))
    assert (usual == finest).all() == is_fine
