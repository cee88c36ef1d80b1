"""Images of any projection, distortion, rotation and frame, against a sky that is known."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from painted_sky import PaintedSky, assert_same_cutout, header_of

from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier import open_source
from lsbg_classifier.reasons import take_reasons

SCALE = 0.263
SIP = {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 4e-6, "A_0_2": -3e-6, "A_1_1": 2e-6, "B_2_0": -3e-6}
SIP |= {"B_0_2": 4e-6, "B_1_1": 2e-6}
TPV = {"PV1_0": 0.0, "PV1_1": 1.004, "PV1_2": 0.002, "PV1_4": 0.08, "PV1_7": -0.3}
TPV |= {"PV2_0": 0.0, "PV2_1": 0.996, "PV2_2": -0.002, "PV2_4": -0.05, "PV2_10": 0.3}


def write(folder, sky, header, size=300, area=SCALE**2, compressed=False):
    for band in "grz":
        image = sky.image(header, (size, size), band, area).astype(np.float32)
        header["BUNIT"] = "nanomaggy"
        path = folder / f"s_{band}.fits"
        if compressed:
            hdu = fits.CompImageHDU(image, header, quantize_level=0, compression_type="GZIP_2")
            fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
        else:
            fits.writeto(path, image, header)
    return folder


def check(folder, sky, capfd):
    capfd.readouterr()  # what this test's own WCS says
    source = open_source(f"tiles:{folder}", survey="des")
    assert source.group(np.array([sky.centre])).tolist() == [0]
    cutouts, flags = source.fetch([sky.centre])
    assert flags.tolist() == [0]
    assert_same_cutout(cutouts[0], sky.cutout())
    out, err = capfd.readouterr()
    assert "astropy" not in out + err and "INFO" not in out + err


@pytest.mark.slow
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", ["-SIP", ""])
def test_sip(tmp_path, capfd, suffix, compressed):
    """The image is a corner of a large one, where distortion moves by 15 pixels."""
    sky = PaintedSky()
    header = header_of(sky.centre, SCALE, moved=(1700, 1500))
    header.update(SIP)
    for axis, name in ((1, "RA---TAN"), (2, "DEC--TAN")):
        header[f"CTYPE{axis}"] = name + suffix
    sky.centre = centre_of(header)
    write(tmp_path, sky, header, area=area_of(header), compressed=compressed)
    check_distorted(tmp_path, sky, capfd, header)


@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")  # of this test's own WCS
@pytest.mark.parametrize("ctype", ["TPV", "TAN"])
def test_tpv(tmp_path, capfd, ctype):
    """As SCAMP writes it, under either name."""
    sky = PaintedSky()
    header = header_of(sky.centre, SCALE, moved=(1700, 1500))
    header.update(TPV)
    header["CTYPE1"], header["CTYPE2"] = f"RA---{ctype}", f"DEC--{ctype}"
    sky.centre = centre_of(header)
    write(tmp_path, sky, header, area=area_of(header))
    check_distorted(tmp_path, sky, capfd, header)


def check_distorted(folder, sky, capfd, header):
    """Without the distortion the cutout would be elsewhere."""
    check(folder, sky, capfd)
    plain = header.copy()
    for card in (*SIP, *TPV):
        plain.remove(card, ignore_missing=True)
    for axis, name in ((1, "RA---TAN"), (2, "DEC--TAN")):
        plain[f"CTYPE{axis}"] = name
    apart = np.array(centre_of(plain)) - sky.centre
    assert 2 < np.hypot(*apart) * 3600 / SCALE < 60


def centre_of(header, size=300):
    middle = (size - 1) / 2
    return tuple(float(each) for each in WCS(header, naxis=2).all_pix2world(middle, middle, 0))


def area_of(header):
    """Square arcseconds of the survey's pixels that these fluxes are converted to."""
    from astropy.wcs import WCS

    wcs = WCS(header, naxis=2)
    sky = SkyCoord(*wcs.all_pix2world([150, 151, 150], [150, 150, 151], 0), unit="deg")
    offsets = [sky[0].spherical_offsets_to(sky[n]) for n in (1, 2)]
    return abs(np.linalg.det([[each.arcsec for each in offset] for offset in offsets]))


@pytest.mark.slow
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("turn", [0, 5, 19, 30, 45, 90, 135, 180, 270])
def test_turned_and_mirrored(tmp_path, capfd, turn, flip):
    sky = PaintedSky()
    write(tmp_path, sky, header_of(sky.centre, SCALE, turn=turn, flip=flip))
    check(tmp_path, sky, capfd)


@pytest.mark.slow
@pytest.mark.parametrize("centre", [(10.0, 89.999), (200.0, -89.99), (0.001, 0.0), (359.999, 60)])
def test_near_the_poles_and_across_zero(tmp_path, capfd, centre):
    """The image's own centre is elsewhere, so that north turns within it."""
    sky = PaintedSky(centre)
    header = header_of(
        (
            centre[0] + 70 * (abs(centre[1]) > 80),
            np.sign(centre[1]) * 89.998 if abs(centre[1]) > 80 else centre[1],
        ),
        SCALE,
        size=700,
    )
    write(tmp_path, sky, header, size=700)
    check(tmp_path, sky, capfd)


def test_axes_in_the_other_order(tmp_path, capfd):
    """Declination first; the image is turned by a right angle with it."""
    sky = PaintedSky()
    header = header_of(sky.centre, SCALE)
    for key in ("CTYPE", "CRVAL"):
        header[f"{key}1"], header[f"{key}2"] = header[f"{key}2"], header[f"{key}1"]
    upright = header_of(sky.centre, SCALE)
    for band in "grz":
        image = sky.image(upright, (300, 300), band, SCALE**2)
        header["BUNIT"], header["CD1_1"] = "nanomaggy", SCALE / 3600
        fits.writeto(tmp_path / f"s_{band}.fits", image.T[::-1].astype(np.float32), header)
    check(tmp_path, sky, capfd)


@pytest.mark.slow
@pytest.mark.parametrize("frame", ["galactic", "fk4"])
def test_other_frames(tmp_path, capfd, frame):
    sky = PaintedSky()
    header = header_of(sky.centre, SCALE, frame=frame)
    if frame == "fk4":
        header["EQUINOX"] = 1950.0
    write(tmp_path, sky, header)
    check(tmp_path, sky, capfd)


@pytest.mark.slow
@pytest.mark.parametrize("projection", ["SIN", "ZEA", "STG", "ARC", "CAR", "AIT"])
def test_other_projections(tmp_path, capfd, projection):
    """Centred near the image, so that a cutout is no more bent than 0.1 pixel."""
    sky = PaintedSky((150.0, 0.01))
    header = header_of((150.0, 0.0), SCALE, size=500)
    header["CTYPE1"], header["CTYPE2"] = f"RA---{projection}", f"DEC--{projection}"
    write(tmp_path, sky, header, size=500)
    check(tmp_path, sky, capfd)


def test_a_cutout_that_would_be_bent_is_refused(tmp_path):
    sky = PaintedSky()
    header = header_of(sky.centre, SCALE)
    header.update({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"})
    header.update({"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 2e-4})
    for band in "grz":
        fits.writeto(tmp_path / f"s_{band}.fits", np.ones((300, 300), np.float32), header)
    cutouts, flags = open_source(f"tiles:{tmp_path}", survey="des").fetch([sky.centre])
    assert flags.tolist() == [Flag.BAD_IMAGE] and not cutouts.any()
    assert any("distorted too much within a cutout" in reason.what for reason in take_reasons())


def test_pixels_that_are_squeezed_near_the_pole_are_refused(tmp_path):
    """A plate carrée: the pixels' area on the sky falls as the cosine of the declination."""
    header = header_of((150.0, 0.0), SCALE, size=40_000)
    header["CTYPE1"], header["CTYPE2"] = "RA---CAR", "DEC--CAR"
    header["CRPIX1"], header["CRPIX2"] = 2000, 150 - 89.9 / (SCALE / 3600)
    for band in "grz":
        fits.writeto(tmp_path / f"s_{band}.fits", np.ones((300, 4000), np.float32), header)
    side = SCALE * np.sqrt(np.cos(np.radians(89.9)))
    with pytest.raises(InputError, match=f"pixels of {side:.2g} arcsec, but those of"):
        open_source(f"tiles:{tmp_path}", survey="des")


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({"CD1_1": -SCALE * 10 / 3600, "CD2_2": SCALE * 10 / 3600}, "pixels of 2.63 arcsec"),
        ({"CD1_1": -SCALE / 5 / 3600, "CD2_2": SCALE / 5 / 3600}, "pixels of 0.0526 arcsec"),
        ({"CTYPE1": "ELON-TAN", "CTYPE2": "ELAT-TAN"}, "coordinates ELON are not known"),
        ({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"}, "it has no coordinates on the sky"),
    ],
    ids=str,
)
def test_what_cannot_be_right_is_refused(tmp_path, cards, said):
    header = header_of((150.0, 2.0), SCALE)
    header.update(cards)
    for band in "grz":
        fits.writeto(tmp_path / f"s_{band}.fits", np.ones((300, 300), np.float32), header)
    with pytest.raises(InputError) as caught:
        open_source(f"tiles:{tmp_path}", survey="des")
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_bands_that_differ_by_a_column_and_a_shift(tmp_path, capfd):
    sky = PaintedSky()
    for number, band in enumerate("grz"):
        shape = (300 + number, 301 - number)
        header = header_of(sky.centre, SCALE, turn=20 * number, moved=(0.3 * number, -2.6 * number))
        header["BUNIT"] = "nanomaggy"
        image = sky.image(header, shape, band, SCALE**2).astype(np.float32)
        fits.writeto(tmp_path / f"s_{band}.fits", image, header)
    check(tmp_path, sky, capfd)
