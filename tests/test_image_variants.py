"""Variants of images: masks, integers, frames, projections, packing, levels of the sky."""

import bz2
import gzip

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from painted_sky import PaintedSky, assert_same_cutout, header_of

from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier import open_source
from lsbg_classifier.cutouts.geometry import read_grid
from lsbg_classifier.cutouts.image_kinds import Kind, kind_of_word
from lsbg_classifier.tile_images import OpenImages, TileSet

SKY, SCALE, SIZE = PaintedSky(), 0.263, 300


@pytest.fixture(scope="module")
def images():
    """The image of each band in nanomaggies, with the noise of a sky."""
    header, rng = header_of(SKY.centre, SCALE, SIZE), np.random.default_rng(5)
    return {
        band: SKY.image(header, (SIZE, SIZE), band, SCALE**2) + rng.normal(0, 3e-4, (SIZE, SIZE))
        for band in "grz"
    }


def header(**cards):
    made = header_of(SKY.centre, SCALE, SIZE)
    made.update({"BUNIT": "nanomaggy"} | cards)
    return made


def save(folder, images, made=None, name="s_{}.fits"):
    for band, image in images.items():
        fits.writeto(folder / name.format(band), image.astype(np.float32), made or header())
    return folder


def fetch(folder, sky=SKY):
    (cutout,), (flag,) = open_source(f"tiles:{folder}", survey="des").fetch([sky.centre])
    return cutout, Flag(int(flag))


def check(folder, sky=SKY):
    cutout, flag = fetch(folder, sky)
    assert flag == 0
    assert_same_cutout(cutout, sky.cutout())


def refused(folder):
    with pytest.raises(InputError) as caught:
        open_source(f"tiles:{folder}", survey="des")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def some(bits):
    """A mask of some bits in the middle of an image."""
    mask = np.zeros((SIZE, SIZE))
    mask[110:190, 110:190] = bits
    return mask


@pytest.mark.parametrize("where", ["extension", "file"])
@pytest.mark.parametrize(
    ("mask", "blank"),
    [
        (some(1).astype(np.float32), None),
        (some(4).astype(np.float64), None),
        (some(0.25).astype(np.float32), None),
        (some(np.nan).astype(np.float32), None),
        (some(-1).astype(np.int16), -1),
    ],
    ids=["float", "double", "fractions", "nan", "blank integers"],
)
def test_masks_that_are_no_integers(tmp_path, images, mask, blank, where):
    for band, image in images.items():
        hdu = fits.ImageHDU(mask, header_of(SKY.centre, SCALE, SIZE))
        if blank is not None:
            hdu.header["BLANK"] = blank
        hdus = [fits.ImageHDU(image.astype(np.float32), header(), name="SCI")]
        if where == "extension":
            hdu.name = "MASK"
            hdus.append(hdu)
        else:
            fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / f"s_{band}.mask.fits")
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / f"s_{band}.fits")
    cutout, flag = fetch(tmp_path)
    assert flag == Flag.MASKED_PIXELS
    assert_same_cutout(cutout, SKY.cutout())
    (tile,) = TileSet(tmp_path, "des").tiles
    with OpenImages(tile) as opened:
        _, bad = opened.read("g", slice(0, SIZE), slice(0, SIZE))
    assert (bad == (mask != 0)).all()


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
@pytest.mark.parametrize("width", [96, 150])
def test_integers_that_are_filled_with_zeros(tmp_path, images, dtype, width):
    """Zeros that come from rounding are data; a part that is filled with them is not."""
    cards = {"BUNIT": "adu", "MAGZERO": 22.5 + 2.5 * np.log10(1e4)}
    for name, columns in (("whole", 0), ("filled", width)):
        (tmp_path / name).mkdir()
        for band, image in images.items():
            counts = np.round((image - 1e-3 * SCALE**2) * 1e4).astype(dtype)
            assert 0.02 < (counts == 0).mean() < 0.2
            counts[:, :columns] = 0
            fits.writeto(tmp_path / name / f"s_{band}.fits", counts, header(**cards))
    assert fetch(tmp_path / "whole")[1] == 0
    assert fetch(tmp_path / "filled")[1] == Flag.PARTIAL_COVERAGE


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("is_named", [True, False])
def test_blank_pixels_of_scaled_integers(tmp_path, images, bits, is_named):
    """The least integer stands for "no data", whether BLANK says so or not."""
    for band, image in images.items():
        path = tmp_path / f"s_{band}.fits"
        counts = np.round((image - 0.01) / 1e-4).astype(f"i{bits // 8}")
        counts[:, :150] = -(2 ** (bits - 1))
        fits.writeto(path, counts, header())
        with fits.open(path, mode="update", do_not_scale_image_data=True) as hdus:
            hdus[0].header.update(BSCALE=1e-4, BZERO=0.01)
            if is_named:
                hdus[0].header["BLANK"] = -(2 ** (bits - 1))
    cutout, flag = fetch(tmp_path)
    assert flag == Flag.PARTIAL_COVERAGE
    difference = cutout[:, 32:].astype(int) - SKY.cutout()[:, 32:]
    assert np.median(abs(difference)) <= 1


@pytest.mark.parametrize("order", ["images first", "in turns", "weights before"])
@pytest.mark.parametrize("lost", ["g", "z"])
def test_weights_of_a_file_belong_to_the_images_in_their_order(tmp_path, images, order, lost):
    science, weights = [], []
    for band, image in images.items():
        weight = np.ones((SIZE, SIZE), np.float32)
        weight[:, :150] = band != lost
        science.append(fits.ImageHDU(image.astype(np.float32), header(FILTER=band), name="SCI"))
        weights.append(fits.ImageHDU(weight, header_of(SKY.centre, SCALE, SIZE), name="WHT"))
    pairs = list(zip(science, weights, strict=True))
    hdus = {
        "images first": [*science, *weights],
        "in turns": [hdu for pair in pairs for hdu in pair],
        "weights before": [hdu for pair in pairs for hdu in pair[::-1]],
    }[order]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "object.fits")
    cutout, flag = fetch(tmp_path)
    assert flag == Flag.PARTIAL_COVERAGE
    brighter = cutout[:, :28].astype(float) - SKY.cutout()[:, :28]
    assert brighter.mean(axis=(0, 1)).argmin() == 2 - "grz".index(lost)


@pytest.mark.slow
@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2]], ids=["same", "turned", "fewer"])
@pytest.mark.parametrize("kind", ["weight", "mask"])
def test_weights_of_detectors_belong_to_the_images_of_their_place(tmp_path, kind, order):
    """The outer two of three detectors have no data, or bad pixels alone."""
    for band in "grz":
        images, sides = [], []
        for detector in range(3):
            place = SKY.centre[0] + 0.05 * (detector - 1), SKY.centre[1]
            made = header_of(place, SCALE, SIZE)
            fluxes = SKY.image(made, (SIZE, SIZE), band, SCALE**2).astype(np.float32)
            is_good = (detector == 1) == (kind == "weight")
            sides.append(fits.ImageHDU(np.full((SIZE, SIZE), is_good, np.int16), made))
            made["BUNIT"] = "nanomaggy"
            images.append(fits.ImageHDU(fluxes, made))
        chosen = [sides[number] for number in order]
        fits.HDUList([fits.PrimaryHDU(), *images]).writeto(tmp_path / f"s_{band}.fits")
        fits.HDUList([fits.PrimaryHDU(), *chosen]).writeto(tmp_path / f"s_{band}.{kind}.fits")
    check(tmp_path)


def of_1950():
    place = SkyCoord(*SKY.centre, unit="deg").transform_to("fk4")
    return {"CRVAL1": place.ra.deg, "CRVAL2": place.dec.deg}


@pytest.mark.slow
@pytest.mark.parametrize(
    "cards",
    [
        {"EQUINOX": "J2000.0", "RADESYS": "FK5"},
        {"EQUINOX": "2000.0"},
        {"RADESYS": "icrs"},
        {"RADESYS": "FK5 (J2000)", "EQUINOX": 2000.0},
        {"RADECSYS": "fk5"},
        {"EPOCH": 2012.5, "RADESYS": "ICRS"},
        {"EPOCH": 2012.5, "EQUINOX": 2000.0},
        {"EPOCH": "J2000"},
        of_1950() | {"EQUINOX": "1950.0"},
        of_1950() | {"EQUINOX": "B1950"},
        of_1950() | {"EQUINOX": "B1950.0", "RADESYS": "fk4"},
        of_1950() | {"RADESYS": "B1950"},
        of_1950() | {"EPOCH": 1950.0},
    ],
    ids=str,
)
def test_frames_that_are_spelt_in_other_ways(tmp_path, cards):
    frame = "fk4" if cards.get("CRVAL1") else None
    own = header_of(SKY.centre, SCALE, SIZE, frame=frame)
    if frame:
        own["EQUINOX"] = 1950.0
    images = {band: SKY.image(own, (SIZE, SIZE), band, SCALE**2) for band in "grz"}
    check(save(tmp_path, images, header(**cards)))


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({"RADESYS": "GAPPT"}, "RADESYS is 'GAPPT'; write ICRS, FK5 or FK4"),
        ({"EQUINOX": "mean of date"}, "EQUINOX is 'mean of date', not a year"),
        ({"EPOCH": 2012.5}, "EPOCH is 2012.5, which may be of the coordinates or of the obs"),
    ],
)
def test_frames_of_no_known_meaning(tmp_path, images, cards, said):
    assert said in refused(save(tmp_path, images, header(**cards)))


def test_pixels_of_another_area_far_from_where_the_projection_touches(tmp_path):
    """Of a plate carrée at declination 60 degrees, pixels are half as wide as at the equator."""
    sky = PaintedSky((150.0, 60.0))
    made = header_of(sky.centre, SCALE, SIZE)
    made["CTYPE1"], made["CTYPE2"], made["CRVAL2"] = "RA---CAR", "DEC--CAR", 0.0
    made["CRPIX2"] -= 60.0 / (SCALE / 3600)
    area = SCALE**2 * np.cos(np.radians(60.0))
    assert read_grid(made, SIZE, SIZE).pixel_scale() == pytest.approx(np.sqrt(area), rel=1e-3)
    images = {band: sky.image(made, (SIZE, SIZE), band, area) for band in "grz"}
    made["BUNIT"] = "nanomaggy"
    check(save(tmp_path, images, made), sky)


@pytest.mark.parametrize("terms", [{"PV1_1": 1.0}, {"PV2_1": 1.0}, {"PV1_0": 0.0}])
def test_tpv_without_its_terms_of_first_order(tmp_path, images, terms):
    """They are 1 where the header has none: these are tangent planes."""
    check(save(tmp_path, images, header(CTYPE1="RA---TPV", CTYPE2="DEC--TPV", **terms)))


@pytest.mark.parametrize(
    "texts",
    [
        {"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", "PV1_0": "0.01", "PV1_1": "1", "PV2_1": "1.0"},
        {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": "2", "B_ORDER": 2}
        | {"A_2_0": "1e-5", "B_0_2": "1.0E-5"},
    ],
    ids=["TPV", "SIP"],
)
def test_distortions_that_are_written_as_texts(texts):
    numbers = {
        key: float(value) if "_" in key and isinstance(value, str) else value
        for key, value in texts.items()
    }
    numbers |= {key: 2 for key in ("A_ORDER", "B_ORDER") if key in texts}
    expected = WCS(header(**numbers), naxis=2).all_pix2world(10.0, 280.0, 0)
    made = read_grid(header(**texts), SIZE, SIZE).sky_of(np.array([10.0]), np.array([280.0]))
    np.testing.assert_allclose(made[0], expected, atol=1e-9)
    plain = WCS(header(), naxis=2).all_pix2world(10.0, 280.0, 0)
    assert np.hypot(*np.subtract(plain, expected)) > 0.1 * SCALE / 3600


SCAMP = {"PV1_0": 1e-4, "PV1_1": 1.001, "PV1_2": 2e-4, "PV2_0": -2e-4, "PV2_1": 0.999}
SIP = {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-5, "B_0_2": 2e-5}


@pytest.mark.parametrize(
    ("cards", "projection", "unused"),
    [
        (SCAMP, "TAN", {}),
        (SCAMP | {"PV1_7": 0.01}, "TAN", {}),
        (SCAMP | {"PV1_7": 0.01}, "TAN", SIP),
        (SIP, "TAN-SIP", SCAMP),
        (SIP, "TAN-SIP", SCAMP | {"PV1_7": 0.01}),
        ({}, "TAN", {"PV1_1": 0.0, "PV1_2": 90.0, "PV1_3": 180.0}),
    ],
    ids=["first order", "third order", "with SIP", "SIP with", "SIP with third", "none"],
)
def test_terms_of_scamp_in_a_tangent_plane(capfd, cards, projection, unused):
    """They are those of TPV; beside those of SIP, CTYPE says which are meant."""
    meant = "TPV" if "PV1_0" in cards else projection
    x, y = np.array([0.0, 299.0]), np.array([280.0, 10.0])
    types = {"CTYPE1": f"RA---{meant}", "CTYPE2": f"DEC--{meant}"}
    expected = np.transpose(WCS(header(**cards | types), naxis=2).all_pix2world(x, y, 0))
    types = {"CTYPE1": f"RA---{projection}", "CTYPE2": f"DEC--{projection}"}
    made = read_grid(header(**cards | types | unused), SIZE, SIZE)
    np.testing.assert_allclose(made.sky_of(x, y), expected, atol=1e-9)
    assert capfd.readouterr() == ("", "")


def turned_header(**cards):
    """A header with CDELT alone, to which a rotation is added."""
    made = header(CDELT1=-SCALE / 3600, CDELT2=SCALE / 3600, **cards)
    for key in [key for key in made if key.startswith("CD") and "_" in key]:
        del made[key]
    return made


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (header(PC1_1=1.0), "its CD and PC matrices contradict each other; remove the wrong one"),
        (header(PC001001=1.0, CDELT1=-SCALE / 1800), "its CD and PC matrices contradict"),
        (turned_header(PC1_1=1.0, CROTA2=30.0), "CROTA2 and the PC matrix contradict each other;"),
        (turned_header(CROTA1=30.0), "CROTA1 and CROTA2 contradict each other; write the rota"),
    ],
    ids=["PC", "PC001001", "CROTA2", "CROTA1"],
)
def test_rotations_that_contradict_themselves(tmp_path, images, made, said):
    assert said in refused(save(tmp_path, images, made))


def test_a_rotation_that_is_said_twice():
    """In CROTA2, rounded, and in a PC matrix, of pixels that are no squares."""
    made, x = turned_header(CROTA2=30.0), np.array([0.0, 299.0])
    made["CDELT2"] *= 1.3
    expected = np.transpose(WCS(made, naxis=2).all_pix2world(x, x, 0))
    matrix = {"PC1_1": 0.8660254, "PC1_2": 0.65, "PC2_1": -0.5 / 1.3, "PC2_2": 0.8660254}
    made.update(matrix | {"CROTA2": 29.9})
    np.testing.assert_allclose(read_grid(made, SIZE, SIZE).sky_of(x, x), expected, atol=1e-8)


@pytest.mark.parametrize(
    "cards",
    [
        {"PC1_1": 1.0, "PC2_2": 1.0, "CDELT1": -SCALE / 3600, "CDELT2": SCALE / 3600},
        {"CDELT1": 1.0, "CDELT2": 1.0, "CROTA2": 30.0},
    ],
    ids=["PC", "CROTA2"],
)
def test_what_is_said_beside_a_cd_matrix(tmp_path, images, cards):
    """The same again in a PC matrix, and what does not count beside it."""
    check(save(tmp_path, images, header(**cards)))


def in_words(projection):
    """A distortion as IRAF writes it: polynomials in texts."""
    surface = "3. 4. 4. 2. -0.3 0.3 -0.3 0.3 0.001 0.002 0.003 0.001 0.002 0.001 0.003 0.001"
    cards = {"CTYPE1": f"RA---{projection}", "CTYPE2": f"DEC--{projection}"}
    cards["WAT0_001"] = "system=image"
    for axis, sky, name in (("1", "ra", "lng"), ("2", "dec", "lat")):
        text = f'wtype=tnx axtype={sky} {name}cor = "{surface} 0.002 0.001 "'
        cards |= {f"WAT{axis}_{n + 1:03}": text[n * 68 :][:68] for n in range(len(text) // 68 + 1)}
    return cards


@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")  # of this test's own WCS
def test_a_distortion_in_words(tmp_path):
    made = header(**in_words("TNX"))
    middle = (SIZE - 1) / 2
    ra, dec = WCS(made, naxis=2).all_pix2world(middle, middle, 0)
    sky = PaintedSky((float(ra), float(dec)))
    assert np.hypot(ra - SKY.centre[0], dec - SKY.centre[1]) * 3600 > 3
    images = {band: sky.image(made, (SIZE, SIZE), band, SCALE**2) for band in "grz"}
    check(save(tmp_path, images, made), sky)


def test_a_distortion_that_is_not_read_is_refused(tmp_path, images):
    line = refused(save(tmp_path, images, header(**in_words("ZPX"))))
    assert "the distortion in its WAT keywords is not read; resample the image" in line


def packed(folder, images, pack, name):
    for path in save(folder, images).glob("*.fits"):
        content = path.read_bytes()
        path.unlink()
        (folder / name.format(path.stem)).write_bytes(pack(content))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pack", "name"),
    [
        (gzip.compress, "{}.fits"),
        (bz2.compress, "{}.fits"),
        (bytes, "{}.fits.gz"),
        (gzip.compress, "{}.fits.bz2"),
    ],
    ids=["gzip", "bzip2", "unpacked", "gzip for bzip2"],
)
def test_files_that_are_not_packed_as_their_names_say(tmp_path, images, pack, name):
    check(packed(tmp_path, images, pack, name))


@pytest.mark.parametrize(("magnitude", "said"), [(22.0, "0.11"), (25.5, "0.0044")])
def test_a_sky_that_is_not_subtracted_is_said(tmp_path, images, magnitude, said):
    """As much a square arcsecond as the dark sky is bright, and a pedestal of less."""
    sky = 10 ** (-0.4 * (magnitude - 22.5)) * SCALE**2
    folder = save(tmp_path, {band: image + sky for band, image in images.items()})
    (line,) = open_source(f"tiles:{folder}", survey="des").assumptions()
    assert line.startswith("the sky of s_g.fits and of 2 more is hardly subtracted: its level")
    assert f"would be {said} nanomaggies a pixel" in line
    assert line.endswith("subtract the background")


def test_a_galaxy_in_the_middle_is_no_sky(tmp_path, images):
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    galaxy = 3 * np.exp(-np.hypot(x, y) / 20)
    folder = save(tmp_path, {band: image + galaxy for band, image in images.items()})
    assert not open_source(f"tiles:{folder}", survey="des").assumptions()


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("err1", Kind.OTHER),
        ("rmsimage", Kind.OTHER),
        ("bkgmap", Kind.OTHER),
        ("diff", Kind.OTHER),
        ("weight2", Kind.WEIGHT),
        ("conf", Kind.WEIGHT),
        ("STAT", Kind.OTHER),
        ("wimg", None),
        ("maskimg", Kind.MASK),
        ("dqmask", Kind.MASK),
        ("objmask", Kind.OTHER),
        ("template", Kind.UNSURE),
        ("sci1", Kind.SCIENCE),
        ("skymap", Kind.UNSURE),
        ("det11", None),
        ("exp3", None),
    ],
)
def test_words_with_an_ending(word, kind):
    assert kind_of_word(word) == kind
