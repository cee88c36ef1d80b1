"""What servers answer: the image that was asked for, or a flag with a reason, in one line."""

import gzip
import io
import ssl
import time

import numpy as np
import pytest
import requests
from astropy.io import fits
from PIL import Image
from urllib3.exceptions import MaxRetryError, SSLError
from viewer import Viewer, blobs, fits_file, write_tile

from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier import open_source
from lsbg_classifier.cutouts.decode import WrongImageError, decode_image, read_plane
from lsbg_classifier.cutouts.legacysurvey import LegacySurveySource
from lsbg_classifier.http import reason
from lsbg_classifier.reasons import take_reasons

CENTRE = np.array([[0.35, 2.15]])
VIEWER, BANDS, COLOURS = (
    "legacysurvey:des-dr1",
    "hips:CDS/P/DES-DR2/{band}",
    "hips:CDS/P/DES-DR2/ColorIRG",
)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    return write_tile(tmp_path_factory.mktemp("tiles"), blobs(seed=3))


@pytest.fixture(autouse=True)
def no_reasons_of_others():
    take_reasons()


@pytest.fixture
def fetch():
    """Fetch the centre, or positions, from a server; gives cutouts, flags and reasons."""

    def fetch(viewer, positions=CENTRE, spec=VIEWER, **options):
        url = viewer.url if spec == VIEWER else viewer.hips_url
        source = open_source(spec, **{"url": url, "timeout": 5, **options})
        try:
            cutouts, flags = source.fetch(positions)
        finally:
            source.close()
        reasons = {(each.flag, each.what): count for each, count in take_reasons().items()}
        return cutouts, flags, reasons

    return fetch


def saved(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


COLOUR = Image.fromarray(np.random.default_rng(1).integers(0, 256, (256, 256, 3), np.uint8))
PALETTE = COLOUR.quantize(200)
EDGE = Image.new("L", (256, 256), 255)
EDGE.putpixel((3, 3), 0)
TRANSPARENT = COLOUR.copy()
TRANSPARENT.putalpha(EDGE)

RIGHT = {
    "PNG": (saved(COLOUR, "PNG"), COLOUR),
    "PNG with alpha": (saved(COLOUR.convert("RGBA"), "PNG"), COLOUR),
    "PNG with a palette": (saved(PALETTE, "PNG"), PALETTE.convert("RGB")),
    "JPEG in gzip": (gzip.compress(saved(COLOUR, "JPEG", quality=100)), None),
    "progressive JPEG": (saved(COLOUR, "JPEG", quality=100, progressive=True), None),
}

WRONG = {
    "grey": (saved(COLOUR.convert("L"), "JPEG"), "a grey image, not one in red, green and blue"),
    "grey PNG": (saved(COLOUR.convert("L"), "PNG"), "a grey image, not one in red, green and"),
    "grey as RGB": (saved(COLOUR.convert("L").convert("RGB"), "JPEG"), "a grey image: red, green"),
    "CMYK": (saved(COLOUR.convert("CMYK"), "JPEG"), "a CMYK image, not one in red, green and blue"),
    "16 bits": (saved(COLOUR.convert("L").convert("I;16"), "PNG"), "a I"),
    "transparent": (saved(TRANSPARENT, "PNG"), "an image with transparent pixels"),
    "small": (saved(COLOUR.resize((255, 256)), "JPEG"), "an image of 255x256 pixels, not 256x256"),
    "large": (saved(COLOUR.resize((512, 512)), "PNG"), "an image of 512x512 pixels, not 256x256"),
    "GIF": (saved(COLOUR, "GIF"), "not an image"),
    "page": (b"<!DOCTYPE html><html>Sorry</html>", "a web page, not an image"),
    "nothing": (b"", "an empty answer"),
    "half a PNG": (saved(COLOUR, "PNG")[:20000], "a damaged image: "),
    "half of gzip": (gzip.compress(saved(COLOUR, "JPEG"))[:5000], "a damaged gzip file: it is cut"),
    "bomb": (gzip.compress(bytes(1 << 25)), "a damaged gzip file: it is too large"),
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("spec", [VIEWER, COLOURS])
def test_images_in_colour_are_decoded(fetch, name, spec):
    content, expected = RIGHT[name]
    if expected is None:
        packed = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        expected = Image.open(io.BytesIO(packed)).convert("RGB")
    np.testing.assert_array_equal(decode_image(content), np.asarray(expected))
    with Viewer(faults=lambda *_: ("body", content)) as viewer:
        (cutout,), (flag,), reasons = fetch(viewer, spec=spec)
    assert (flag, reasons) == (0, {})
    # Pillow shrinks as the published code did; see tests/test_resample.py
    small = np.asarray(expected.resize((64, 64), Image.Resampling.BICUBIC))
    assert abs(cutout.astype(int) - small).max() <= 1


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("spec", [VIEWER, COLOURS])
def test_other_images_are_flagged_with_the_reason(fetch, name, spec):
    content, told = WRONG[name]
    with Viewer(faults=lambda *_: ("body", content)) as viewer:
        (cutout,), (flag,), reasons = fetch(viewer, spec=spec)
        wrong = told.startswith(("a grey", "a CMYK", "a I", "an image"))
        assert len(viewer.requests) == (1 if wrong else 2)  # only what may pass is asked for again
    assert flag == Flag.BAD_IMAGE and not cutout.any()
    ((bad, what),) = reasons
    assert bad == Flag.BAD_IMAGE and what.startswith(told)
    assert "\n" not in what and what[-1] not in ".'\","


def as_fits(plane, kind):
    """One plane of FITS in a layout that services use."""
    if kind == "plain":
        return fits_file(plane)
    if kind == "gzip":
        return gzip.compress(fits_file(plane))
    if kind == "cube":
        return fits_file(plane[None])
    buffer = io.BytesIO()
    table = fits.BinTableHDU.from_columns([fits.Column("A", "D", array=np.arange(900.0))])
    image = fits.ImageHDU(plane.astype(np.float32))
    between = [table] if kind == "after a table" else []
    fits.HDUList([fits.PrimaryHDU(), *between, image]).writeto(buffer)
    return buffer.getvalue()


LAYOUTS = ("plain", "gzip", "cube", "extension", "after a table")


@pytest.mark.parametrize("kind", LAYOUTS)
def test_layouts_of_fits_give_the_same_plane(kind):
    plane = np.random.default_rng(2).normal(size=(256, 256)).astype(np.float32)
    np.testing.assert_array_equal(read_plane(as_fits(plane, kind)), plane[::-1])


@pytest.mark.slow
@pytest.mark.parametrize("kind", LAYOUTS)
def test_layouts_of_fits_give_the_same_cutout(tiles, fetch, kind):
    def faults(_, path):
        plane = fits.getdata(io.BytesIO(viewer.answer(path)[2]))
        return ("body", as_fits(plane, kind))

    with Viewer(tiles) as viewer:
        expected, _, _ = fetch(viewer, spec=BANDS)
    with Viewer(tiles, faults) as viewer:
        cutouts, flags, reasons = fetch(viewer, spec=BANDS)
    assert flags.tolist() == [0] and reasons == {}
    np.testing.assert_array_equal(cutouts, expected)
    assert cutouts.any()


EMPTY = io.BytesIO()
fits.HDUList([fits.PrimaryHDU()]).writeto(EMPTY)

WRONG_PLANES = {
    "size": (fits_file(np.zeros((8, 8))), "an image of 8x8 pixels, not 256x256"),
    "cube": (fits_file(np.zeros((3, 256, 256))), "an image of 256x256x3 pixels, not 256x256"),
    "line": (fits_file(np.zeros(256)), "an image of 256 pixels"),
    "no image": (EMPTY.getvalue(), "a FITS file without an image"),
    "half": (fits_file(np.zeros((256, 256)))[:9000], "a damaged FITS file: it is cut off"),
    "header": (b"SIMPLE  =  nonsense".ljust(2880), "a damaged FITS file: "),
    "page": (b"<html></html>", "a web page, not an image"),
    "JPEG": (saved(COLOUR, "JPEG"), "a damaged image: not a FITS file"),
}


@pytest.mark.parametrize("name", WRONG_PLANES)
def test_other_fits_files_are_flagged_with_the_reason(fetch, name):
    content, told = WRONG_PLANES[name]
    with Viewer(faults=lambda *_: ("body", content)) as viewer:
        cutouts, (flag,), reasons = fetch(viewer, spec=BANDS)
    assert flag == Flag.BAD_IMAGE and not cutouts.any()
    ((_, what),) = reasons
    assert what.startswith(told)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")
def test_any_bytes_are_an_image_or_a_value_error():
    rng = np.random.default_rng(3)
    plane = rng.normal(size=(256, 256)).astype(np.float32)
    originals = [*(as_fits(plane, kind) for kind in LAYOUTS), *(item[0] for item in RIGHT.values())]
    for content in originals:
        for _ in range(40):
            damaged = bytearray(content)
            damaged[rng.integers(min(3000, len(content)))] = rng.integers(256)
            for decode in (decode_image, read_plane):
                try:
                    assert decode(bytes(damaged)).shape[:2] == (256, 256)
                except ValueError as error:
                    assert str(error)


def test_the_words_of_a_refusal_are_passed_on_once(fetch):
    """The real viewer says so of a request without position."""
    fault = ("text", 400, "text/plain", b"Need ra,dec\nkeywords.\x1b[31m")
    with Viewer(faults=lambda *_: fault) as viewer, pytest.raises(InputError) as caught:
        fetch(viewer, np.repeat(CENTRE, 4, axis=0))
    told = str(caught.value)
    assert told.count("HTTP 400: Need ra,dec keywords. [31m") == 1 and "\x1b" not in told
    ((_, what),) = {(each.flag, each.what) for each in take_reasons()}
    assert what == "HTTP 400: Need ra,dec keywords. [31m"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("text/html", b"<html><head><title>Bad &amp; ugly.</title>", "HTTP 404: Bad & ugly"),
        ("text/html", b"<html>" + b"x" * 9999, "HTTP 404"),
        ("image/jpeg", b"\xff\xd8\xff", "HTTP 404"),
        ("text/plain", b"no such layer: x" * 50, f"HTTP 404: {('no such layer: x' * 50)[:100]}..."),
        ("text/plain", b"", "HTTP 404"),
        ("application/json", b'{"error": "no\\n layer"}', 'HTTP 404: {"error": "no\\n layer"}'),
    ],
)
def test_other_words_of_servers(tiles, fetch, kind, body, told):
    positions = CENTRE + np.array([[0, 0], [0.001, 0]])
    bad = f"ra={positions[1, 0]:.7f}"
    fault = ("text", 404, kind, body)
    with Viewer(tiles, lambda _, path: fault if bad in path else None) as viewer:
        _, flags, reasons = fetch(viewer, positions)
    assert flags.tolist() == [0, Flag.FETCH_FAILED]
    assert reasons == {(Flag.FETCH_FAILED, told): 1}


@pytest.mark.slow
@pytest.mark.parametrize("spec", [VIEWER, BANDS])
def test_a_loop_of_redirects_is_cut(tiles, fetch, spec):
    positions = CENTRE + np.array([[0, 0], [0.001, 0]])
    bad = f"ra={positions[1, 0]}"

    def faults(_, path):
        here = path.partition("#")[0]
        return ("status", 302, {"Location": here}) if bad in path else None

    with Viewer(tiles, faults) as viewer:
        _, flags, reasons = fetch(viewer, positions, spec=spec)
    assert flags.tolist() == [0, Flag.FETCH_FAILED]
    assert reasons == {(Flag.FETCH_FAILED, "more than 3 redirects"): 1}
    assert sum(bad in path for path in viewer.requests) == 4


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["", "/", "/jpeg-cutout", "/jpeg-cutout/", "/fits-cutout", " "])
def test_the_address_of_a_viewer_in_all_its_forms(tiles, fetch, ending):
    with Viewer(tiles) as viewer:
        _, flags, _ = fetch(viewer, url=f"{viewer.url}{ending}")
    assert flags.tolist() == [0]
    assert all(path.startswith("/viewer/jpeg-cutout?ra=") for path in viewer.requests)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://[::1/viewer", r"not an http address \(Invalid IPv6 URL\); give --url"),
        ("http://host:99999/viewer", r"not an http address \(Port out of range 0-65535\)"),
        ("http://:80/viewer", "not an http address; give --url"),
        ("http://", "not an http address; give --url"),
        ("viewer", "not an http address; give --url"),
        ("http://host/viewer/jpeg-cutout?ra=1&dec=2", "without the question mark and all after it"),
    ],
)
def test_addresses_that_are_none(lsbg, survey, tmp_path, url, told):
    with pytest.raises(InputError, match=told):
        LegacySurveySource("des-dr1", url=url)
    code, out, err = lsbg(
        "classify", survey.candidates, tmp_path / "out.fits", "--cutouts", VIEWER, "--url", url
    )
    assert code == 1 and out == "" and err.count("\n") == 1 and "Traceback" not in err
    if "?" not in url:
        with pytest.raises(InputError, match=told):
            open_source(BANDS, url=url)


@pytest.mark.slow
def test_places_without_images_have_reasons(tmp_path, fetch):
    images = blobs(seed=2)
    images["r"][:] = 0
    outside = np.array([[200.0, 10.0], [200.0, 11.0], *CENTRE])
    with Viewer(write_tile(tmp_path, images)) as viewer:
        for spec in (VIEWER, BANDS):
            _, flags, reasons = fetch(viewer, outside, spec=spec)
            assert flags.tolist() == [Flag.NO_COVERAGE] * 2 + [Flag.MISSING_BAND]
            assert sorted(reasons.values()) == [1, 2]
            assert {flag for flag, _ in reasons} == {Flag.NO_COVERAGE, Flag.MISSING_BAND}


def test_passwords_stay_out_of_reasons(tiles):
    with Viewer(tiles) as viewer:
        url = viewer.url.replace("://", "://me:hunter2@")
        source = open_source(VIEWER, url=url)
        source.fetch(np.array([[200.0, 10.0]]))
        source.close()
    ((given, _),) = take_reasons().items()
    assert "hunter2" not in given.where and given.where.startswith("http://***@127.0.0.1")


def wrapped(inner):
    """An error as requests and urllib3 hand it on."""
    return requests.exceptions.SSLError(MaxRetryError(None, "/viewer?ra=1", SSLError(inner)))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            wrapped(ssl.SSLCertVerificationError(1, "[SSL] verify failed: self-signed (_ssl.c:1)")),
            "self-signed (_ssl.c:1)",
        ),
        (requests.ConnectionError("a (b: c')))"), "c"),
        (requests.ConnectionError("Failed to resolve 'host' ([Errno -2] unknown)"), None),
        (requests.ConnectionError("Exceeded."), "Exceeded"),
        (requests.ConnectionError(), "ConnectionError"),
        (requests.ConnectionError(OSError(111, "Connection refused")), "Connection refused"),
        (requests.TooManyRedirects("Exceeded 3 redirects."), "more than 3 redirects"),
    ],
)
def test_reasons_end_like_sentences(error, told):
    text = reason(error)
    assert text == (str(error) if told is None else told)


@pytest.mark.slow
def test_a_host_that_is_not_there_in_words(fetch):
    with Viewer() as viewer:
        pass
    start = time.monotonic()
    with pytest.raises(InputError) as caught:
        fetch(viewer)
    told = str(caught.value)
    assert "(Connection refused); check" in told and "'))" not in told
    assert time.monotonic() - start < 10


def test_what_is_wrong_is_not_asked_for_again():
    with pytest.raises(WrongImageError):
        decode_image(WRONG["small"][0])
