"""Which file and extension is the image, and what weights, masks, zeros and other tiles tell."""

import gzip
import os

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from painted_sky import PaintedSky, assert_same_cutout, header_of

from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier import open_source
from lsbg_classifier.cutouts import tile_folder
from lsbg_classifier.reasons import take_reasons

pytestmark = pytest.mark.filterwarnings("ignore:File may have been truncated")

SKY = PaintedSky()
SCALE, SIZE = 0.263, 300
PARTIAL = Flag.PARTIAL_COVERAGE


def pixels(band, moved=(0.0, 0.0)):
    image = SKY.image(header_of(SKY.centre, SCALE, SIZE, moved=moved), (SIZE, SIZE), band, SCALE**2)
    return image.astype(np.float32)


def header(moved=(0.0, 0.0), **cards):
    made = header_of(SKY.centre, SCALE, SIZE, moved=moved)
    made.update({"BUNIT": "nanomaggy"} | cards)
    return made


def write(
    folder, name="s_{}.fits", bands="grz", moved=(0.0, 0.0), change=lambda band, image: image
):
    folder.mkdir(exist_ok=True)
    for band in bands:
        path = folder / name.format(band)
        fits.writeto(path, change(band, pixels(band, moved)), header(moved))
    return folder


def fetch(folder, **options):
    take_reasons()
    (cutout,), (flag,) = open_source(f"tiles:{folder}", survey="des", **options).fetch([SKY.centre])
    return cutout, Flag(int(flag))


def check(folder, **options):
    cutout, flag = fetch(folder, **options)
    assert flag == 0
    assert_same_cutout(cutout, SKY.cutout())


def refused(folder, **options):
    with pytest.raises(InputError) as caught:
        open_source(f"tiles:{folder}", survey="des", **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


NOT_SCIENCE = (
    "weight rms err var mask flag background exposure seg model resid chi2 psf invvar sky "
    "weightmap rmsmap nimg context bkgrms mod"
)


@pytest.mark.long
@pytest.mark.parametrize("order", ["{}_{}", "{1}.{0}", "{0}-image-{1}", "field_{1}_{0}"])
@pytest.mark.parametrize("word", NOT_SCIENCE.split())
def test_names_of_what_lies_beside_the_image(tmp_path, word, order):
    write(tmp_path, "field_{}.fits")
    for band in "grz":
        kind = np.ones((SIZE, SIZE), np.int16) if word in ("mask", "flag") else pixels(band) + 1
        fits.writeto(tmp_path / f"{order.format(word, band)}.fits", kind, header())
    if word in ("mask", "flag"):
        assert fetch(tmp_path)[1] in (0, Flag.MASKED_PIXELS)
    else:
        check(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "cards",
    [
        {"IMAGETYP": "rms"},
        {"IMTYPE": "invvar"},
        {"EXTNAME": "VARIANCE"},
        {"DES_EXT": "WEIGHT"},
        {"BUNIT": "1/nanomaggy^2"},
        {"EXTNAME": "BKG_MODEL"},
    ],
    ids=str,
)
def test_headers_of_what_lies_beside_the_image(tmp_path, cards):
    write(tmp_path)
    for band in "grz":
        fits.writeto(tmp_path / f"t_{band}.fits", pixels(band) + 1, header(**cards))
    check(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["WGT", "MASK", "MSK", "ERR", "VARIANCE", "BACKGROUND"])
@pytest.mark.parametrize("compressed", [False, True])
def test_an_extension_before_the_image(tmp_path, name, compressed):
    for band in "grz":
        other = np.ones((SIZE, SIZE), np.int16) if name.startswith("M") else pixels(band) + 1
        other = np.zeros_like(other) if name.startswith("M") else other
        lossless = {"quantize_level": 0, "compression_type": "GZIP_2"} if compressed else {}
        make = fits.CompImageHDU if compressed else fits.ImageHDU
        kinds = [make(other, header(), name=name, **lossless)]
        kinds.append(make(pixels(band), header(), name="SCI", **lossless))
        fits.HDUList([fits.PrimaryHDU(), *kinds]).writeto(tmp_path / f"s_{band}.fits")
    check(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("second", ["other_{}.fits", "below/s_{}.fits", "s_{}_sci.fits"])
def test_two_images_of_one_place_and_band_are_refused_with_both_names(tmp_path, second):
    (tmp_path / "below").mkdir()
    write(write(tmp_path), second)
    line = refused(tmp_path)
    assert "s_g.fits" in line and second.format("g") in line and "images of band g" in line


@pytest.mark.slow
def test_two_extensions_that_may_both_be_the_image(tmp_path):
    for band in "grz":
        hdus = [fits.ImageHDU(pixels(band), header()) for _ in range(2)]
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / f"s_{band}.fits")
    assert "extensions 1 and 2 may both be the image" in refused(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["extension", "file", "extension before"])
@pytest.mark.parametrize("kind", ["weight", "invvar", "mask", "legacy mask"])
def test_weights_and_masks_say_where_no_data_are(tmp_path, kind, where):
    """The left half of r, though its pixels are not zero."""
    name = "legacysurvey-1500p020-{}-{}.fits" if kind == "legacy mask" else "s_{1}_{0}.fits"
    for band in "grz":
        side, cards = side_of(kind, band)
        image = fits.ImageHDU(pixels(band), header(), name="SCI")
        side = fits.ImageHDU(side, header(**cards), name=kind.split()[-1])
        path = tmp_path / name.format("image", band)
        hdus = [image, side] if where == "extension" else [side, image]
        if where == "file":
            word = "maskbits" if kind == "legacy mask" else kind
            side.name = ""
            fits.HDUList([fits.PrimaryHDU(), side]).writeto(tmp_path / name.format(word, band))
            hdus = [image]
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    assert fetch(tmp_path)[1] == PARTIAL


def side_of(kind, band):
    """A weight or mask that rules out half of r."""
    half = np.zeros((SIZE, SIZE), bool)
    half[:, : SIZE // 2] = band == "r"
    if kind == "mask":
        return np.where(half, 1 << 8, 1 << 5).astype(np.int32), {"HIERARCH MP_NO_DATA": 8}
    if kind == "legacy mask":
        return np.where(half, 1 << 6, 3).astype(np.int16), {}  # ALLMASK_R; NPRIMARY, BRIGHT
    return np.where(half, 0, 7).astype(np.float32), {}


def test_image_mask_and_variance_without_names(tmp_path):
    """As HSC's software orders them."""
    named_bits = header()
    named_bits["HIERARCH MP_NO_DATA"] = 8
    for band in "grz":
        mask, variance = np.zeros((SIZE, SIZE), np.int32), np.ones((SIZE, SIZE), np.float32)
        hdus = [
            fits.ImageHDU(pixels(band), header()),
            fits.ImageHDU(mask, named_bits),
            fits.ImageHDU(variance, header()),
        ]
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / f"s_{band}.fits")
    check(tmp_path)


def test_one_mask_for_all_bands(tmp_path):
    """As maskbits of the Legacy Surveys: each band has bits of its own."""
    write(tmp_path, "legacysurvey-1500p020-image-{}.fits")
    mask = np.zeros((SIZE, SIZE), np.int16)
    mask[:, 150:] = 1 << 7  # ALLMASK_Z
    fits.writeto(tmp_path / "legacysurvey-1500p020-maskbits.fits", mask, header())
    cutout, flag = fetch(tmp_path)
    assert flag == PARTIAL
    expected = SKY.cutout()
    assert abs(cutout[:, :28].astype(int) - expected[:, :28]).max() <= 2
    assert (cutout[..., 0] < expected[..., 0])[20:40, 36:].mean() > 0.5


@pytest.mark.slow
def test_integers_and_undithered_images_have_no_gaps(tmp_path):
    """Exact zeros that come from rounding are data."""
    rng = np.random.default_rng(2)
    for kind in ("integers", "undithered"):
        folder = tmp_path / kind
        folder.mkdir()
        for band in "grz":
            noise = rng.normal(0, 0.002, (SIZE, SIZE)).astype(np.float32)
            if kind == "integers":
                image = np.round(noise * 1000).astype(np.int16)
                assert 0.1 < (image == 0).mean() < 0.3
                fits.writeto(folder / f"s_{band}.fits", image, header(BUNIT="adu", MAGZERO=30.0))
            else:
                image = (np.round(noise / 0.002) * 0.002).astype(np.float32)
                assert (image == 0).mean() > 0.3
                fits.writeto(folder / f"s_{band}.fits", image, header())
        assert fetch(folder)[1] == 0


@pytest.mark.slow
def test_blank_integers_have_no_data(tmp_path):
    for compressed in (False, True):
        folder = tmp_path / str(compressed)
        folder.mkdir()
        for band in "grz":
            image = np.round(pixels(band) * 1e4).astype(np.int16)
            image[:, :150] = -777
            cards = header(BUNIT="adu", MAGZERO=32.5, BLANK=-777)
            make = fits.CompImageHDU if compressed else fits.ImageHDU
            fits.HDUList([fits.PrimaryHDU(), make(image, cards)]).writeto(folder / f"s_{band}.fits")
        assert fetch(folder)[1] == PARTIAL


@pytest.mark.slow
@pytest.mark.parametrize("value", [0, np.nan, -9999, 1e30])
def test_half_of_an_image_without_data(tmp_path, value):
    def half(band, image):
        image[:, :150] = value
        return image

    assert fetch(write(tmp_path, change=half))[1] == PARTIAL


@pytest.mark.long
@pytest.mark.parametrize("lost", ["zeros", "one band", "nan", "damaged", "half"])
def test_the_next_tile_is_used_where_the_deepest_has_no_data(tmp_path, lost):
    def blank(band, image):
        if lost == "zeros" or (lost == "one band" and band == "z"):
            image[:] = 0
        elif lost == "nan":
            image[:] = np.nan
        elif lost == "half":
            image[:, :160] = 0
        return image

    write(tmp_path, "A_{}.fits", change=blank)
    write(tmp_path, "B_{}.fits", moved=(60, 30))
    source = open_source(f"tiles:{tmp_path}", survey="des")
    if lost == "damaged":
        (tmp_path / "A_r.fits").write_bytes((tmp_path / "A_r.fits").read_bytes()[:10_000])
    (cutout,), (flag,) = source.fetch([SKY.centre])
    assert flag == 0
    assert_same_cutout(cutout, SKY.cutout())


def test_the_deepest_tile_lacks_a_band(tmp_path):
    write(tmp_path, "A_{}.fits", bands="gr")
    write(tmp_path, "B_{}.fits", moved=(60, 30))
    check(tmp_path)


@pytest.mark.slow
def test_more_overlapping_tiles_than_are_looked_for_at_first(tmp_path):
    """Twelve blank ones lie around the position; the thirteenth has data."""
    small = np.zeros((140, 140), np.float32)
    for number in range(12):
        for band in "grz":
            cards = header_of(SKY.centre, SCALE, 140, moved=(3 * number - 18, 2))
            fits.writeto(tmp_path / f"t{number}_{band}.fits", small, cards)
    write(tmp_path, "whole_{}.fits", moved=(80, 80))
    check(tmp_path)


def test_what_is_no_image_is_passed_over_and_counted(tmp_path):
    write(tmp_path)
    Table({"RA": [1.0], "DEC": [2.0]}).write(tmp_path / "candidates.fits")
    (tmp_path / "._s_g.fits").write_bytes(b"left by a Mac")
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "lost_g.fits").symlink_to(tmp_path / "nowhere.fits")
    os.mkfifo(tmp_path / "pipe_g.fits")
    fits.writeto(tmp_path / "psf_model.fits", np.ones((9, 9)))
    fits.writeto(tmp_path / "plain.fits", np.ones((9, 9), np.float32))
    check(tmp_path)
    lines = "\n".join(open_source(f"tiles:{tmp_path}").passed_over())
    assert "no image in it (candidates.fits)" in lines and "notes.txt" in lines
    assert "by the word 'psf' in its name (psf_model.fits)" in lines
    assert "(plain.fits)" in lines and "._s_g" not in lines
    assert "2 files passed over: no file but a link that leads nowhere, or a pipe" in lines


@pytest.mark.slow
@pytest.mark.parametrize("name", ["t_g.fits", "t_g.fits.fz", "t_g.fits.gz", "t_g.fits.bz2"])
@pytest.mark.parametrize("content", [b"", b"hello", b"<html><body>Log in</body></html>"])
def test_a_file_that_is_no_fits_file_is_passed_over_and_named(tmp_path, name, content):
    """It is looked at again when it has changed, and no other image is refused for it."""
    write(tmp_path)
    (tmp_path / name).write_bytes(content)
    for _ in range(2):
        check(tmp_path)
        source = open_source(f"tiles:{tmp_path}", survey="des")
        (line,) = source.passed_over()
        assert line.startswith("1 file passed over: not a readable image (it does not begin as")
        assert line.endswith(f"({name})") and source.assumptions() == [line]


@pytest.mark.slow
def test_a_damaged_weight_is_refused_once_it_has_an_image(tmp_path):
    write(tmp_path)
    write(tmp_path, "other_{}.weight.fits", bands="g")
    path = tmp_path / "other_g.weight.fits"
    path.write_bytes(path.read_bytes()[:9000])
    check(tmp_path)
    (line,) = open_source(f"tiles:{tmp_path}", survey="des").assumptions()
    assert "(truncated" in line and line.count(path.name) == 1 and str(tmp_path) not in line
    write(tmp_path, "other_{}.fits", moved=(SIZE, 0))
    assert "other_g.weight.fits: not a readable image (truncated" in refused(tmp_path)


def test_nothing_but_tables(tmp_path):
    Table({"RA": [1.0], "DEC": [2.0]}).write(tmp_path / "candidates.fits")
    line = refused(tmp_path)
    assert "no tiles that can be used" in line and "no image in it (candidates.fits)" in line


def test_nothing_but_weights(tmp_path):
    for band in "grz":
        fits.writeto(tmp_path / f"s_{band}.fits", pixels(band), header(IMAGETYP="weight"))
    line = refused(tmp_path)
    assert "below it: weights or masks alone in files such as s_g.fits; say" in line


def test_a_band_that_name_and_header_contradict(tmp_path):
    write(tmp_path)
    fits.setval(tmp_path / "s_r.fits", "FILTER", value="i DECam SDSS")
    assert "its name says band r, its header band i" in refused(tmp_path)


@pytest.mark.slow
def test_a_file_that_would_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(tile_folder, "_MOST_UNPACKED", 1 << 20)
    for band in "grz":
        content = (write(tmp_path, bands=band) / f"s_{band}.fits").read_bytes()
        (tmp_path / f"s_{band}.fits").unlink()
        (tmp_path / f"s_{band}.fits.gz").write_bytes(gzip.compress(content))
    check(tmp_path)
    (tmp_path / "t_g.fits.gz").write_bytes(gzip.compress(content + bytes(1 << 21)))
    assert "t_g.fits.gz: not a readable image (larger than 2 GiB" in refused(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("compressed", [False, True])
def test_a_damaged_row_costs_only_the_cutouts_that_need_it(tmp_path, compressed):
    rng = np.random.default_rng(3)
    for band in "grz":
        noise = rng.normal(0, 0.003, (900, SIZE)).astype(np.float32)
        cards = header_of(SKY.centre, SCALE, SIZE)
        cards["CRPIX2"], cards["BUNIT"] = 450.5, "nanomaggy"
        make = fits.CompImageHDU if compressed else fits.ImageHDU
        fits.HDUList([fits.PrimaryHDU(), make(noise, cards)]).writeto(tmp_path / f"s_{band}.fits")
    rows = np.linspace(-360, 360, 13)
    positions = [(SKY.centre[0], SKY.centre[1] + row * SCALE / 3600) for row in rows]
    source = open_source(f"tiles:{tmp_path}", survey="des")
    whole, flags = source.fetch(positions)
    assert not flags.any()
    damage(tmp_path / "s_r.fits", 300, compressed)
    take_reasons()
    cutouts, flags = source.fetch(positions)
    near = abs(rows + 450 - 300) < 60 if compressed else rows + 450 > 240
    far = abs(rows + 450 - 300) > 80 if compressed else rows + 450 < 220
    assert (flags[near] == Flag.BAD_IMAGE).all() and not flags[far].any() and far.any()
    assert 0 < (flags != 0).sum() <= 13 and (cutouts[flags == 0] == whole[flags == 0]).all()
    reasons = take_reasons()
    assert sum(reasons.values()) == (flags == Flag.BAD_IMAGE).sum()
    for reason in reasons:
        assert reason.where == str(tmp_path / "s_r.fits")
        assert not compressed or reason.what.startswith("row 300 is damaged")


def damage(path, row, compressed):
    """Spoil where the bytes of a compressed row lie; cut a plain file off behind the row."""
    with fits.open(path, disable_image_compression=True) as hdus:
        start, width = hdus[1].fileinfo()["datLoc"], hdus[1].header["NAXIS1"]
    if not compressed:
        content = path.read_bytes()
        path.write_bytes(content[: start + row * SIZE * 4])
        return
    with open(path, "r+b") as file:
        file.seek(start + row * width + 4)
        file.write((1 << 30).to_bytes(4, "big"))
