"""Folders as surveys deliver them: small, with their names, headers, extensions and compression.

Each is made by code, read without any renaming, and compared with a sky that is known.
"""

import bz2
import gzip
import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from painted_sky import PaintedSky, assert_same_cutout, header_of

from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier import open_source

CENTRE = (150.0, 2.0)
SKY = PaintedSky(CENTRE)
SIZE = 300


def zero_point(magnitude):
    return 10 ** (0.4 * (magnitude - 22.5))


class Images:
    """Images of the sky in one band, in the pixels of a survey."""

    def __init__(self, scale, *, size=SIZE, **options):
        self.scale, self.size = scale, size
        self.header = header_of(CENTRE, scale, size, **options)

    def pixels(self, band, factor=1.0):
        image = SKY.image(self.header, (self.size, self.size), band, self.scale**2)
        return (image * factor).astype(np.float32)

    def cards(self, **cards):
        header = self.header.copy()
        header.update({key.replace("__", " "): value for key, value in cards.items()})
        return header

    def flat(self, value, dtype):
        return np.full((self.size, self.size), value, dtype)


def save(path, *hdus, primary=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    first = fits.PrimaryHDU(header=primary and fits.Header(primary))
    fits.HDUList([first, *hdus]).writeto(path)


def packed(pixels, header, name=None):
    """Compressed as fpack does it, so finely that nothing is lost."""
    options = {} if pixels.dtype.kind == "i" else {"quantize_method": 2, "quantize_level": 64}
    return fits.CompImageHDU(pixels, header, name=name, compression_type="RICE_1", **options)


def des(folder, ending="_{}.fits.fz", weights=True):
    images = Images(0.263)
    for band in "grizY":
        header = images.cards(BAND=band, FILTER=f"{band} DECam SDSS c0001 4720.0 1520.0")
        header.update(MAGZERO=30.0, BUNIT="electrons", TILENAME="DES1000+0209")
        pixels = images.pixels(band.lower(), zero_point(30))
        path = folder / f"DES1000+0209_r2590p01{ending.format(band)}"
        make = packed if path.suffix == ".fz" else fits.ImageHDU
        hdus = [make(pixels, header, name="SCI")]
        if weights:
            hdus.append(make(images.flat(0, np.int16), header, name="MSK"))
            hdus.append(fits.ImageHDU(images.flat(2, np.float32), header, name="WGT"))
        save(path, *hdus)
    (folder / "DES1000+0209_r2590p01_det.fits.fz").write_bytes(b"not read")
    Table({"RA": [1.0]}).write(folder / "DES1000+0209_r2590p01_g_cat.fits")


def des_nobkg(folder):
    des(folder, "_{}_nobkg.fits.fz")


def des_plain(folder):
    des(folder, "_{}.fits", weights=False)


def delve(folder):
    des(folder)
    for path in list(folder.glob("*.fz")):
        path.rename(
            path.with_name(path.name.replace("DES1000+0209_r2590p01", "DELVE1000+0209_r7701p01"))
        )


def legacy(folder):
    images = Images(0.262)
    brick = folder / "south" / "coadd" / "150" / "1500p020"
    for band in "griz":
        cards = images.cards(BRICKNAM="1500p020", BAND=band, FILTER=band, BUNIT="nanomaggy")
        cards["IMTYPE"] = "image"
        stem = f"legacysurvey-1500p020-{{}}-{band}.fits.fz"
        save(brick / stem.format("image"), packed(images.pixels(band), cards))
        cards["IMTYPE"], cards["BUNIT"] = "invvar", "1/nanomaggy^2"
        save(brick / stem.format("invvar"), packed(images.flat(9, np.float32), cards))
        for kind in ("model", "chi2", "blobmodel", "nexp", "depth", "galdepth", "psfsize"):
            save(brick / stem.format(kind), packed(images.flat(1, np.float32), images.header))
    mask = packed(images.flat(1, np.int16), images.cards(IMTYPE="maskbits"))
    save(brick / "legacysurvey-1500p020-maskbits.fits.fz", mask)
    Table({"ra": [1.0]}).write(brick / "legacysurvey-1500p020-ccds.fits")
    Table({"ra": [1.0]}).write(folder / "tractor-1500p020.fits")


def afw(folder, name, images, *, unit=None, primary=None, factor, band):
    """Image, mask and variance, as HSC's and Rubin's software writes them."""
    planes = {"MP_BAD": 0, "MP_SAT": 1, "MP_DETECTED": 5, "MP_NO_DATA": 8}
    masked = images.flat(1 << 5, np.int32)
    mask_header = images.header.copy()
    for plane, bit in planes.items():
        mask_header[f"HIERARCH {plane}"] = bit
    header = images.cards(**({"BUNIT": unit} if unit else {}))
    table = fits.BinTableHDU(Table({"cat.archive": [1]}), name="ARCHIVE_INDEX")
    save(
        folder / name,
        packed(images.pixels(band, factor), header, "IMAGE"),
        packed(masked, mask_header, "MASK"),
        packed(images.flat(3, np.float32), images.header, "VARIANCE"),
        table,
        primary=primary,
    )


def hsc(folder):
    images = Images(0.168, size=420)
    for band in "GRIZY":
        name = f"calexp-HSC-{band}-9813-4,5.fits"
        primary = {"FLUXMAG0": 63095734448.0194, "FILTER": f"HSC-{band}"}
        path = folder / f"HSC-{band}" / "9813" / "4,5"
        afw(path, name, images, primary=primary, factor=zero_point(27), band=band.lower())


def hsc_server(folder):
    """Cutouts of the archive's server: numbered by the line of the request."""
    images = Images(0.168, size=360)
    for number, band in enumerate("GRZ", start=2):
        primary = {"FLUXMAG0": 63095734448.0194, "FILTER": f"HSC-{band}"}
        name = f"{number}-cutout-HSC-{band}-9813-pdr2_wide.fits"
        afw(folder, name, images, primary=primary, factor=zero_point(27), band=band.lower())


def hsc_unagi(folder):
    images = Images(0.168, size=360)
    for band in "GRIZY":
        primary = {"FLUXMAG0": 63095734448.0194}
        name = f"s18a_wide_150.0_2.0_HSC-{band}.fits"
        afw(folder, name, images, primary=primary, factor=zero_point(27), band=band.lower())


def rubin(folder, unit="nJy"):
    images = Images(0.2, size=340)
    for band in "ugrizy":
        name = f"deep_coadd_5063_14_{band}_lsst_cells_v1_LSSTComCam_runs_DRP_DP1_v29_0_0.fits"
        afw(folder / "5063" / "14", name, images, unit=unit, factor=zero_point(31.4), band=band)


def rubin_silent(folder):
    rubin(folder, unit=None)


def kids(folder, cards=None):
    images = Images(0.2, size=340)
    for band in "ugri":
        stem = f"KiDS_DR4.0_150.0_2.0_{band}_"
        header = images.cards(FILTER=f"{band}_SDSS", **(cards or {}))
        fits.writeto(folder / f"{stem}sci.fits", images.pixels(band, zero_point(0)), header)
        fits.writeto(folder / f"{stem}wei.fits", images.flat(5, np.float32), header)
        fits.writeto(folder / f"{stem}msk.fits", images.flat(0, np.int32), header)
        Table({"RAJ2000": [1.0]}).write(folder / f"{stem}src.fits")


def cfis(folder):
    images = Images(0.186, size=340)
    for band, name in (("u", "9302"), ("g", "9402"), ("r", "9602"), ("z", "9901")):
        header = images.cards(FILTER=f"{band}.MP{name}", PHOTZP=30.0, EXPTIME=600.0)
        stem = folder / f"CFIS.123.456.{band}"
        fits.writeto(f"{stem}.fits", images.pixels(band, zero_point(30)), header)
        weight = packed(images.flat(1, np.float32), header)
        save(folder / f"CFIS.123.456.{band}.weight.fits.fz", weight)
        (folder / f"CFIS.123.456.{band}.cat").write_text("# a catalog")


def cfhtls(folder):
    images = Images(0.186, size=340)
    for band, name in (("g", "9401"), ("r", "9601"), ("i", "9701"), ("z", "9801")):
        header = images.cards(FILTER=f"{band}.MP{name}", MZP_AB=30.0, SOFTNAME="SWarp")
        stem = f"CFHTLS_W_{band}_100000+020000_T0007_MEDIAN"
        fits.writeto(folder / f"{stem}.fits", images.pixels(band, zero_point(30)), header)


def decam(folder):
    """Stacks of the Community Pipeline: the kind is in the primary header and in three letters."""
    images = Images(0.27)
    for band in "grz":
        header = images.cards(FILTER=f"{band} DECam SDSS c0001 4720.0 1520.0", EXPTIME=900.0)
        parts = {
            "osi": ("image", images.pixels(band, zero_point(31.5)), {"MAGZERO": 31.5}),
            "osd": ("dqmask", images.flat(0, np.int16), {}),
            "osw": ("wtmap", images.flat(4, np.float32), {}),
        }
        for word, (product, pixels, cards) in parts.items():
            path = folder / f"c4d_160101_013045_{word}_{band}_v1.fits.fz"
            primary = {"PRODTYPE": product, "PROCTYPE": "Stacked"}
            save(path, packed(pixels, header + fits.Header(cards)), primary=primary)


def renamed_decam(folder):
    decam(folder)
    for number, path in enumerate(sorted(folder.glob("*.fz"))):
        path.rename(folder / f"file{number}.fits.fz")


def panstarrs(folder):
    """Integers of inverse hyperbolic sines, with the old keywords of the matrix."""
    images = Images(0.25)
    header = images.header.copy()
    for axis in (1, 2):
        for other in (1, 2):
            header.remove(f"CD{axis}_{other}")
            header[f"PC00{axis}00{other}"] = (-1.0 if axis == 1 else 1.0) * (axis == other)
        header[f"CDELT{axis}"] = 0.25 / 3600
    for band in "grizy":
        counts = images.pixels(band, zero_point(25 + 2.5 * np.log10(731.0)))
        pixels = 2.5 / np.log(10) * np.arcsinh((counts - 1.0) / (2 * 20.0))
        header.update(EXPTIME=731.0, BOFFSET=1.0, BSOFTEN=20.0)
        header["HIERARCH FPA.FILTERID"] = f"{band}.00000"
        hdu = fits.ImageHDU(pixels.astype(np.float32), header)
        hdu.scale("int32", bscale=1e-7, bzero=0.0)
        stem = f"rings.v3.skycell.1234.056.stk.{band}.unconv"
        save(folder / f"{stem}.fits", hdu)
        for kind in ("wt", "exp", "expwt", "num"):
            save(folder / f"{stem}.{kind}.fits", fits.ImageHDU(images.flat(3, np.float32), header))
        save(folder / f"{stem}.mask.fits", fits.ImageHDU(images.flat(0, np.int16), header))


def sdss(folder, pack=lambda path: None):
    """Frames: turned by a right angle and more, mirrored, each band on pixels of its own."""
    for number, band in enumerate("ugriz"):
        images = Images(0.396, size=260, turn=93.0, flip=True, moved=(7.3 * number, -2.1 * number))
        header = images.cards(BUNIT="nanomaggy", FILTER=band, NMGY=0.004)
        path = folder / "301" / "752" / "1" / f"frame-{band}-000752-1-0006.fits"
        path.parent.mkdir(parents=True, exist_ok=True)
        hdus = [fits.PrimaryHDU(images.pixels(band), header), fits.ImageHDU(np.ones(260))]
        fits.HDUList([*hdus, fits.BinTableHDU(Table({"ALLSKY": [1.0]}))]).writeto(path)
        pack(path)


def sdss_bz2(folder):
    def pack(path):
        path.with_name(f"{path.name}.bz2").write_bytes(bz2.compress(path.read_bytes()))
        path.unlink()

    sdss(folder, pack)


def euclid(folder):
    images = Images(0.1, size=600)
    for band, stamp in zip("GRIZ", ("013602.1", "013709.4", "020000.0", "030000.0"), strict=True):
        header = images.cards(MAGZERO=23.9, FILTER=f"DECAM_{band.lower()}", TILEID=102018211)
        end = f"TILE102018211-31E2C{stamp[-1]}_20241018T{stamp}Z_00.00.fits"
        pixels = images.pixels(band.lower(), zero_point(23.9))
        fits.writeto(folder / f"EUC_MER_BGSUB-MOSAIC-DES-{band}_{end}", pixels, header)
        for kind in ("RMS", "FLAG"):
            other = images.flat(0 if kind == "FLAG" else 1, np.int32)
            fits.writeto(folder / f"EUC_MER_MOSAIC-DES-{band}-{kind}_{end}", other, header)
    pixels = images.pixels("r", zero_point(23.9))
    name = "EUC_MER_BGSUB-MOSAIC-VIS_TILE102018211-ABCDEF_20241018T143413.602607Z_00.00.fits"
    fits.writeto(folder / name, pixels, images.cards(MAGZERO=23.9, FILTER="VIS"))


def swarp(folder):
    images = Images(0.27)
    for band in "grz":
        header = images.cards(FILTER=band, SOFTNAME="SWarp", MAGZP=28.0)
        pixels = images.pixels(band, zero_point(28))
        fits.writeto(folder / f"field12_{band}.fits", pixels, header)
        weight = images.flat(1, np.float32)
        fits.writeto(folder / f"field12_{band}.weight.fits", weight, header)


def viewer_bands(folder):
    images = Images(0.262)
    for band in "grz":
        header = images.cards(
            SURVEY="DECaLS", VERSION="DR9", IMAGETYP="image", BANDS=band, BAND0=band
        )
        fits.writeto(folder / f"cutout_150.0000_2.0000_{band}.fits", images.pixels(band), header)


def viewer_cube(folder, scale=0.262):
    """The fluxes are per pixel of 0.262 arcsec, whatever the cutout's own."""
    images = Images(scale)
    cube = np.array([images.pixels(band, (0.262 / scale) ** 2) for band in "grz"])
    header = images.cards(BANDS="grz", BAND0="g", BAND1="r", BAND2="z")
    fits.writeto(folder / "cutout_150.0000_2.0000.fits", cube, header)


def viewer_fine_cube(folder):
    viewer_cube(folder, scale=0.2)


def viewer_extensions(folder):
    """Images and inverse variances in turns, one extension a band and kind."""
    images, hdus = Images(0.262), []
    for band in "grz":
        for kind in ("image", "invvar"):
            header = images.cards(SURVEY="DECaLS", VERSION="DR9-south", IMAGETYP=kind, BAND=band)
            pixels = images.pixels(band) if kind == "image" else images.flat(8, np.float32)
            hdus.append(fits.ImageHDU(pixels, header))
    save(folder / "cutout_150.0000_2.0000.fits", *hdus, primary={"SURVEY": "DECaLS"})


def generic(name, change=lambda path: path):
    """Nanomaggies under names that say little: the band alone, in one way or another."""

    def write(folder):
        images = Images(0.262)
        for band in "grz":
            path = folder / name.format(band, BAND=band.upper())
            path.parent.mkdir(parents=True, exist_ok=True)
            plain = path.with_name("plain.fits")
            fits.writeto(plain, images.pixels(band), images.cards(BUNIT="nanomaggy"))
            plain.rename(path)
            change(path)

    return write


def unnamed(keyword, value, name="img{}.fits"):
    """Numbered files whose header alone says the band."""

    def write(folder):
        images = Images(0.262)
        for number, band in enumerate("grz"):
            header = images.cards(BUNIT="nanomaggy")
            header[keyword] = value.format(band)
            fits.writeto(folder / name.format(number), images.pixels(band), header)

    return write


def gzipped(path):
    content = path.read_bytes()
    path.unlink()
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content))


DESCRIBED = {
    "DES DR1, DR2, Y6": (des, "des", "grz"),
    "DES, no background": (des_nobkg, "des", "grz"),
    "DES, plain": (des_plain, "des", "grz"),
    "DELVE": (delve, "des", "grz"),
    "Legacy Surveys": (legacy, "decals", "grz"),
    "Legacy Surveys, gri": (legacy, "decals", "gri"),
    "HSC PDR2, PDR3": (hsc, "hsc", "grz"),
    "HSC, gri": (hsc, "hsc", "gri"),
    "HSC cutout server": (hsc_server, "hsc", "grz"),
    "unagi": (hsc_unagi, "hsc", "grz"),
    "Rubin DP1": (rubin, "des", "grz"),
    "Rubin, no unit": (rubin_silent, "des", "grz"),
    "KiDS": (kids, "decals", "gri"),
    "KiDS, DES's colours": (lambda folder: kids(folder, {"MAGZERO": 0.0}), "decals", "gri"),
    "CFIS": (cfis, "des", "grz"),
    "CFHTLS": (cfhtls, "des", "grz"),
    "DECam": (decam, "des", "grz"),
    "DECam, other names": (renamed_decam, "des", "grz"),
    "Pan-STARRS": (panstarrs, "des", "grz"),
    "SDSS": (sdss, "des", "grz"),
    "SDSS, bzip2": (sdss_bz2, "des", "grz"),
    "Euclid": (euclid, "des", "grz"),
    "SWarp": (swarp, "des", "grz"),
    "viewer, a band a file": (viewer_bands, "des", "grz"),
    "viewer, cube": (viewer_cube, "des", "grz"),
    "viewer, cube of finer pixels": (viewer_fine_cube, "des", "grz"),
    "viewer, extensions": (viewer_extensions, "des", "grz"),
    "*_g.fits": (generic("field_{}.fits"), "des", "grz"),
    "g.fits": (generic("{}.fits"), "des", "grz"),
    "folders": (generic("objects/17/{}.fits"), "des", "grz"),
    "*.G.fits": (generic("field.{BAND}.fits"), "des", "grz"),
    ".fit": (generic("field_{}.fit"), "des", "grz"),
    ".FITS": (generic("FIELD_{BAND}.FITS"), "des", "grz"),
    ".fits.gz": (generic("field_{}.fits", gzipped), "des", "grz"),
    "FILTER": (unnamed("FILTER", "{} DECam SDSS c0001"), "des", "grz"),
    "FILTER1": (unnamed("FILTER1", "{}.MP9401"), "des", "grz"),
    "BAND": (unnamed("BAND", "{}"), "des", "grz"),
    "FILTER2": (unnamed("FILTER2", "{}SDSS"), "des", "grz"),
    "FILTER01": (unnamed("FILTER01", "W-S-{}+"), "des", "grz"),
    "HIERARCH": (unnamed("HIERARCH ESO INS FILT1 NAME", "{}_SDSS"), "des", "grz"),
}


@pytest.mark.long
@pytest.mark.parametrize("name", DESCRIBED)
def test_a_layout_works_as_it_is(tmp_path, name):
    write, survey, bands = DESCRIBED[name]
    write(tmp_path)
    source = open_source(f"tiles:{tmp_path}", survey=survey, bands=bands)
    assert source.group(np.array([CENTRE])).tolist() == [0]
    cutouts, flags = source.fetch([CENTRE])
    assert flags.tolist() == [0]
    assert_same_cutout(cutouts[0], SKY.cutout(survey, bands))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("{0}/{1}/coadd-v7-img.fits", "{tile}/{band}/coadd-v7-{kind}.fits"),
        ("{1}/{0}.fits", "{band}/{tile}.fits"),
        ("{0}x{1}.fits.image.fits", "{tile}x{band}.fits.*.fits"),
        ("{0}7{1}.fits", "{tile}{band}.fits"),
    ],
)
def test_other_names_by_a_pattern(tmp_path, name, pattern):
    """The pattern is an option, or in the file that describes the survey."""
    images = Images(0.2)
    for tile in ("alpha", "beta"):
        for band in "grz":
            path = tmp_path / "images" / name.format(tile, band)
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = images.pixels(band) if tile == "alpha" else images.flat(0, np.float32)
            fits.writeto(
                path, pixels, images.cards(BUNIT="nanomaggy", CRVAL1=150.0 + 2 * (tile == "beta"))
            )
            shutil.copy(path, tmp_path / "images" / "notes.fits")
    described = tmp_path / "mine.toml"
    described.write_text(
        f'name = "mine"\npixel_scale = 0.263\nzero_point = 30\nviewer_scale = 0.131\n'
        f"tiles = '{pattern}'\n"
    )
    for options in ({"survey": "des", "tiles": pattern}, {"survey": str(described)}):
        source = open_source(f"tiles:{tmp_path / 'images'}", **options)
        cutouts, flags = source.fetch([CENTRE])
        assert flags.tolist() == [0]
        assert_same_cutout(cutouts[0], SKY.cutout())


def test_a_kind_in_a_part_of_a_pattern_that_may_be_anything(tmp_path):
    """What lies beside an image is not taken for it, whether the image is there or not."""
    generic("1/{}/final.fits")(tmp_path)
    for path in list(tmp_path.rglob("final.fits")):
        shutil.copy(path, path.with_name("final-rms.fits"))
    (tmp_path / "1" / "z" / "final.fits").unlink()
    with pytest.raises(InputError, match="1 tile has g, r; 3 files passed over: no science image"):
        open_source(f"tiles:{tmp_path}", survey="des", tiles="{tile}/{band}/final*.fits")


@pytest.mark.parametrize("pattern", ["{band}.fits", "{tile}{tile}_{band}.fits", "{tile}_{filter}"])
def test_patterns_that_make_no_sense(tmp_path, pattern):
    generic("field_{}.fits")(tmp_path)
    with pytest.raises(InputError, match=r"write a path with .tile. and"):
        open_source(f"tiles:{tmp_path}", tiles=pattern)


def test_a_pattern_that_no_file_follows(tmp_path):
    generic("field_{}.fits")(tmp_path)
    with pytest.raises(InputError, match="does not follow the pattern"):
        open_source(f"tiles:{tmp_path}", tiles="{tile}/{band}.fits")


@pytest.mark.slow
def test_templates_beside_deep_coadds_of_rubin(tmp_path):
    rubin(tmp_path)
    for path in list(tmp_path.rglob("deep_coadd*")):
        shutil.copy(path, path.with_name(path.name.replace("deep", "template")))
    source = open_source(f"tiles:{tmp_path}", survey="des")
    assert source.fetch([CENTRE])[1].tolist() == [0]
    (line,) = source.passed_over()
    assert line.startswith("6 files passed over: another image of its place without 'template'")


@pytest.mark.slow
def test_the_image_without_background_is_the_second_choice(tmp_path):
    des(tmp_path)
    for band in "grz":
        (tmp_path / f"DES1000+0209_r2590p01_{band}_nobkg.fits.fz").write_bytes(b"not read")
    cutouts, flags = open_source(f"tiles:{tmp_path}").fetch([CENTRE])
    assert flags.tolist() == [0]
    assert_same_cutout(cutouts[0], SKY.cutout())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("write", "count"), [(des, 0), (hsc, 0), (legacy, 0), (sdss, 2), (kids, 3), (rubin_silent, 3)]
)
def test_what_is_supposed_of_a_layout(tmp_path, write, count):
    """Colours, pixels and zero points that no file and no name tells; nothing of known surveys."""
    write(tmp_path)
    bands = "gri" if write is kids else "grz"
    said = open_source(f"tiles:{tmp_path}", bands=bands).assumptions()
    assert len([line for line in said if "hardly right" not in line]) == count


def test_bands_that_their_place_alone_joins_are_named(tmp_path):
    """One of them may be something else; numbers that differ say nothing."""
    generic("field_{}.fits")(tmp_path)
    assert not open_source(f"tiles:{tmp_path}", survey="des").assumptions()
    (tmp_path / "field_z.fits").rename(tmp_path / "field_z_starless.fits")
    (line,) = open_source(f"tiles:{tmp_path}", survey="des").assumptions()
    assert line.startswith("the bands of 1 tile are joined by their place, because their names")
    assert line.endswith("such as field_g.fits and field_z_starless.fits")


@pytest.mark.slow
def test_many_objects_in_folders_of_their_own(tmp_path):
    """Each with its g.fits, r.fits and z.fits; a third without z."""
    for number in range(3):
        generic(f"{number}/{{}}.fits")(tmp_path)
        for band in "grz":
            path = tmp_path / str(number) / f"{band}.fits"
            fits.setval(path, "CRVAL1", value=150.0 + number)
    (tmp_path / "2" / "z.fits").unlink()
    source = open_source(f"tiles:{tmp_path}", survey="des")
    positions = [(150.0 + number, 2.0) for number in range(3)]
    cutouts, flags = source.fetch(positions)
    assert flags.tolist() == [0, 0, Flag.MISSING_BAND]
    assert "1 of 3 tiles lacks a band of g, r, z, such as 2" in source.assumptions()
    for cutout in cutouts[:2]:
        assert_same_cutout(cutout, SKY.cutout())
