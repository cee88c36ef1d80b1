"""``lsbg tiles``: what it says of folders, and the footprint that it draws."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from painted_sky import header_of
from PIL import Image

SIZE = 300


def write(folder, tile="field", bands="grz", centre=(150.0, 2.0), **cards):
    for band in bands:
        header = header_of(centre, 0.263, SIZE)
        header.update({"BUNIT": "nJy"} | cards)
        rng = np.random.default_rng("ugrizy".index(band))
        noise = rng.normal(0, 3, (SIZE, SIZE)).astype(np.float32)
        fits.writeto(folder / f"{tile}_{band}.fits", noise, header)
    return folder


@pytest.fixture
def folder(tmp_path):
    """Two tiles that overlap by half, one far away without z, a weight, and a table."""
    step = 150 * 0.263 / 3600
    write(tmp_path, "a")
    write(tmp_path, "b", centre=(150.0, 2.0 + step), BUNIT="", MAGZERO=30.0)
    write(tmp_path, "c", bands="gr", centre=(151.0, 2.0), BUNIT="")
    fits.writeto(tmp_path / "a_r.weight.fits", np.ones((SIZE, SIZE), np.float32))
    fits.writeto(tmp_path / "a_r_model.fits", np.ones((SIZE, SIZE), np.float32))
    Table({"RA": [1.0]}).write(tmp_path / "table.fits")
    return tmp_path


def test_all_is_said(lsbg, folder):
    code, out, err = lsbg("tiles", folder, "--survey", "des")
    assert code == 0 and not err
    tile = (SIZE * 0.263 / 3600) ** 2
    assert f"area: {2.5 * tile:.2g}"[:9] in out
    for line in (
        "3 tiles: 3 of other names; colours of Dark Energy Survey",
        "bands: 2 tiles have g, r, z; 1 tile has g, r",
        "flux scale in g: BUNIT nJy; one count is 0.0002754 nanomaggies",
        "flux scale in z: MAGZERO 30; one count is 0.001 nanomaggies",
        "pixels in arcsec: 0.263 (8 images)",
        "1 of 8 images have a weight, 0 a mask",
        "2 files say neither unit nor zero point of the pixels, such as c_g.fits: the zero point "
        "of Dark Energy Survey, 30, is supposed",
        "1 file passed over: no science image by the word 'model' in its name (a_r_model.fits)",
        "1 file passed over: no image in it (table.fits)",
        "tile c lacks z",
    ):
        assert line in out, line


def test_the_area_counts_overlaps_once(lsbg, folder):
    _, out, _ = lsbg("tiles", folder, "--survey", "des")
    (line,) = (line for line in out.splitlines() if line.startswith("area: "))
    assert float(line.split()[1]) == pytest.approx(2.5 * (SIZE * 0.263 / 3600) ** 2, rel=0.05)


@pytest.mark.slow
def test_the_footprint(lsbg, folder, tmp_path):
    plot = tmp_path / "footprint.png"
    code, out, _ = lsbg("tiles", folder, "--survey", "des", "--plot", plot)
    assert code == 0 and f"wrote {plot}" in out
    pixels = np.asarray(Image.open(plot).convert("RGB")).reshape(-1, 3).astype(int)
    blue = (pixels[:, 2] > pixels[:, 0] + 40).mean()
    orange = (pixels[:, 0] > pixels[:, 2] + 40).mean()
    assert blue > 0 and orange > 0


def test_other_names_and_bands(lsbg, tmp_path):
    write(tmp_path, bands="gri")
    pattern = "{tile}_{band}.fits"
    code, out, _ = lsbg("tiles", tmp_path, "--tiles", pattern, "--bands", "gri", "--survey", "des")
    assert code == 0 and "lacks" not in out and "field" not in out


def test_damaged_and_contradictory_files_are_all_named(lsbg, folder):
    (folder / "a_g.fits").write_bytes((folder / "a_g.fits").read_bytes()[:99_000])
    fits.setval(folder / "b_r.fits", "BUNIT", value="nJy")
    code, out, err = lsbg("tiles", folder, "--survey", "des")
    assert code == 1 and "repair or remove the 2 refused files" in err
    refused = [line for line in out.splitlines() if line.startswith("refused: ")]
    assert "a_g.fits: not a readable image (truncated" in refused[0]
    assert "BUNIT nJy and MAGZERO 30 contradict each other" in refused[1]


def test_what_is_wrong_with_the_only_images_is_said(lsbg, folder):
    for path in folder.glob("*.fits"):
        path.write_bytes(path.read_bytes()[:99_000])
    code, out, err = lsbg("tiles", folder)
    assert (code, out) == (1, "") and err.count("\n") == 1
    assert "a_g.fits: not a readable image (truncated" in err


def test_a_folder_without_images(lsbg, tmp_path):
    code, out, err = lsbg("tiles", tmp_path)
    assert (code, out) == (1, "") and "no tiles" in err and err.count("\n") == 1
