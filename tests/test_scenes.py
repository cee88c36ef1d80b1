"""Scenes: their classes follow from the published selection, and they lie where it is said."""

import numpy as np
import pytest
from astropy.io import fits

from lsbg_classifier.simulation import scene_tiles, scenes
from lsbg_classifier.simulation.coadds import plan_tiles
from lsbg_classifier.simulation.models import MODELS
from lsbg_classifier.simulation.sky import Conditions, Sky

CALM = Conditions((1.8, 2.1, 6.8), (1.12, 0.96, 0.84), 0.7, 1e9)
MIDDLE = 250


def drawn(kind, seed):
    sky = Sky(2 * MIDDLE + 1, CALM)
    scenes.KINDS[kind].draw(sky, MIDDLE, MIDDLE, np.random.default_rng(seed))
    return sky.images.astype(float)


def measured(image, pixel_scale=0.263):
    """Half-light radius in arcsec and mean surface brightness within it, of noiseless counts."""
    y, x = np.mgrid[: len(image), : len(image)] - MIDDLE
    distance = np.hypot(x, y).ravel() * pixel_scale
    order = np.argsort(distance)
    growth = np.cumsum(image.ravel()[order])
    radius = distance[order][np.searchsorted(growth, growth[-1] / 2)]
    magnitude = 30 - 2.5 * np.log10(growth[-1])
    return radius, magnitude + 2.5 * np.log10(2 * np.pi * radius**2)


def test_shares_add_up_and_both_classes_are_there():
    kinds = scenes.KINDS.values()
    assert sum(kind.share for kind in kinds) == pytest.approx(1)
    assert 0.3 < sum(kind.share for kind in kinds if kind.label) < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("kind", [name for name, kind in scenes.KINDS.items() if kind.label])
def test_lsbgs_pass_the_published_cut(kind):
    """Seen through the atmosphere, and round: flattened ones lose some of their radius."""
    found = np.array([measured(drawn(kind, seed)[0]) for seed in range(8)])
    radius, brightness = found.T
    assert (radius > 2.0).all() and np.median(radius) > 2.5
    assert (brightness > 24.0).all() and (brightness < 28.8).all()


@pytest.mark.parametrize("kind", ["small galaxy", "spiral"])
def test_what_is_rejected_is_too_small_or_too_bright(kind):
    for seed in range(8):
        radius, brightness = measured(drawn(kind, seed)[0])
        assert radius < 2.5 or brightness < 24.2


def test_scenes_lie_a_cutout_apart_and_are_drawn_at_their_places():
    sky = Sky(600, CALM)
    xy, kinds = scenes.draw_scenes(sky, np.random.default_rng(5))
    assert len(xy) == len(kinds) == 16 and set(kinds) <= set(scenes.KINDS)
    steps = np.diff(np.unique(np.round(xy[:, 0] / 20)))
    assert np.hypot(*(xy[0] - xy[1])) == pytest.approx(33.5 / 0.263, abs=8) and (steps >= 0).all()
    for (x, y), kind in zip(xy, kinds, strict=True):
        if kind in ("smooth", "spiral", "small galaxy"):
            near = sky.images[1][int(y) - 6 : int(y) + 7, int(x) - 6 : int(x) + 7]
            assert near.sum() > 20


@pytest.fixture
def real_tile(tmp_path):
    """A calm real image of 340 pixels at 0.339 arcsec, with one column without data."""
    rng = np.random.default_rng(1)
    wcs = plan_tiles("des", 1, 340, 1)[0].wcs()
    wcs.wcs.cd = np.diag([-0.339, 0.339]) / 3600
    for band, noise in zip("grz", MODELS["des"].noise, strict=True):
        image = rng.normal(0, noise, (340, 340)).astype(np.float32)
        image[:, 5] = 0
        header = wcs.to_header()
        header["MAGZERO"], header["BAND"] = 30.0, band
        hdus = [fits.PrimaryHDU(), fits.ImageHDU(image, header, name="SCI")]
        fits.HDUList(hdus).writeto(tmp_path / f"DES0208-4000_r2590p01_{band}.fits")
    return tmp_path


@pytest.mark.slow
def test_scenes_are_drawn_into_real_images_the_same_for_the_same_seed(real_tile):
    (one,), (again,), (other,) = (scene_tiles.scenes_on_sky(real_tile, s) for s in (1, 1, 2))
    assert one.images.shape[1:] == (64, 64, 3) and 4 <= len(one.images) <= 9
    for ours, theirs in zip(one, again, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    labels = [scenes.KINDS[kind].label for kind in one.kinds]
    assert one.labels.tolist() == labels
    assert other.kinds.tolist() != one.kinds.tolist() or (other.images != one.images).any()
