"""A sky viewer and a hips2fits service on loopback, rendered from DES tiles on disk.

Written from the description of the services alone, without any of the package's image code, so
that agreement between the two means something. Tests start it and stop it::

    with Viewer(folder) as viewer:
        open_source("legacysurvey:des-dr1", url=viewer.url)
"""

import io
import threading
import time
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image

NATIVE = {"hsc2": 0.168}
SCALES = {"g": 6.0, "r": 3.4, "z": 2.2}
LARGEST = 3000


class Sky:
    """The tiles of a folder, in memory."""

    def __init__(self, folder):
        self.tiles = {}
        for path in sorted(folder.glob("*.fits*")):
            name, _, band = path.name.split(".fits")[0].split("_")
            with fits.open(path) as hdus:
                image = np.array(hdus[1].data, np.float32) / 1000
                wcs = WCS(hdus[1].header)
            self.tiles.setdefault(name, {"wcs": wcs})[band] = image

    def sample(self, ra, dec, pixscale, width, height):
        """Nanomaggies of g, r, z on a TAN grid, row 0 at the south; shape (3, height, width)."""
        grid = WCS(naxis=2)
        grid.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        grid.wcs.crval = [ra, dec]
        grid.wcs.crpix = [(width + 1) / 2, (height + 1) / 2]
        grid.wcs.cd = np.diag([-pixscale, pixscale]) / 3600
        planes = np.zeros((3, height, width))
        tile = self._covering(ra, dec)
        if tile is not None:
            columns, rows = np.meshgrid(np.arange(width), np.arange(height))
            sky = grid.all_pix2world(columns.ravel(), rows.ravel(), 0)
            x, y = tile["wcs"].deepcopy().all_world2pix(*sky, 0)
            bands = [band for band in "grz" if band in tile]
            sampled = lanczos([tile[band] for band in bands], x, y)
            planes[["grz".index(band) for band in bands]] = sampled.reshape(-1, height, width)
        return planes, grid

    def _covering(self, ra, dec):
        """The tile that holds the position, furthest from its edges; None if there is none."""
        depths = [(0, None)]
        for tile in self.tiles.values():
            height, width = next(tile[band].shape for band in "grz" if band in tile)
            x, y = tile["wcs"].deepcopy().all_world2pix(ra, dec, 0, quiet=True)
            depths.append((min(x + 0.5, y + 0.5, width - 0.5 - x, height - 0.5 - y), tile))
        return max((pair for pair in depths if pair[0] >= 0), key=lambda pair: pair[0])[1]


def lanczos(images, x, y):
    """Lanczos-3 at each point, over 6x6 pixels with weights normalised; zero outside."""
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    west, south = column.min() - 2, row.min() - 2
    shape = row.max() + 4 - south, column.max() + 4 - west
    boxes = [cut_out(image, south, west, shape) for image in images]
    across, along = kernel(x - column), kernel(y - row)
    total = np.zeros((len(images), x.size))
    for j in range(6):
        for i in range(6):
            weight = along[j] * across[i]
            at = (row - south + j - 2, column - west + i - 2)
            for number, box in enumerate(boxes):
                total[number] += weight * box[at]
    return total


def cut_out(image, south, west, shape):
    """A box of an image, zero where it reaches beyond."""
    box = np.zeros(shape, np.float32)
    (height, width), (rows, columns) = shape, image.shape
    bottom, top = max(south, 0), min(south + height, rows)
    left, right = max(west, 0), min(west + width, columns)
    if bottom < top and left < right:
        box[bottom - south : top - south, left - west : right - west] = image[
            bottom:top, left:right
        ]
    return box


def kernel(fraction):
    """The six weights of each point, (6, N), that sum to one."""
    distance = fraction - np.arange(-2, 4)[:, None]
    weights = np.sinc(distance) * np.sinc(distance / 3)
    return weights / weights.sum(axis=0)


def rgb(planes, factor=1):
    """The viewer's colours of g, r, z; uint8, shape (height, width, 3), row 0 at the north."""
    scaled = {b: factor * SCALES[b] * p + 0.03 for b, p in zip("grz", planes, strict=True)}
    intensity = sum(np.clip(s, 0, None) for s in scaled.values()) / 3
    stretch = np.arcsinh(20 * intensity) / np.sqrt(20)
    intensity = np.where(intensity == 0, 1e-6, intensity)
    image = np.dstack([np.clip(scaled[b] * stretch / intensity, 0, 1) for b in "zrg"])
    return (image * 255).astype(np.uint8)[::-1]


def jpeg(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=90, subsampling=2)
    return buffer.getvalue()


def fits_file(data, header=None):
    buffer = io.BytesIO()
    fits.PrimaryHDU(data.astype(np.float32), header).writeto(buffer)
    return buffer.getvalue()


class Viewer:
    """The server, from entering the context to leaving it; entered again, at the same address.

    Parameters
    ----------
    folder : path, optional
        Tiles named like ``DES0000+0209_r2590p01_g.fits.fz``; without it only faults are served.
    faults : callable, optional
        Called with the number of the request, from 1, and its path with the query. Returns None
        or one of ("status", code, headers), ("text", code, content type, bytes),
        ("delay", seconds), ("body", bytes), ("drip", bytes a second), "truncate", "html",
        "break" (the connection, half-way) and "hang" (until the server stops).

    Attributes
    ----------
    url, hips_url : str
        Where the viewer and hips2fits answer.
    requests : list of str
        Paths with queries, as they came.
    agents : set of str
        The User-Agents seen.
    ports : set of int
        The clients' ports, one a connection.
    most_at_once : int
        Largest number of requests under way at the same time.
    """

    def __init__(self, folder=None, faults=None):
        self.sky = Sky(folder) if folder else None
        self.faults = faults or (lambda number, path: None)
        self.requests, self.agents, self.ports = [], set(), set()
        self.most_at_once = self.at_once = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.answer = lru_cache(500)(self._answer)
        self.port = 0

    def __enter__(self):
        self.stopping.clear()
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), _Handler)
        self.port = self.server.server_port
        self.server.daemon_threads = True
        self.server.viewer = self
        host = f"http://127.0.0.1:{self.port}"
        self.url, self.hips_url = f"{host}/viewer", f"{host}/hips2fits"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def _answer(self, address):
        """Return status, content type and body for a path with its query."""
        parts = urlsplit(address)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/hips2fits":
            return self._hips(query)
        if parts.path not in ("/viewer/jpeg-cutout", "/viewer/fits-cutout"):
            return 404, "text/plain", b"not found"
        if "ra" not in query or "dec" not in query:
            return 400, "text/plain", b"Need ra,dec keywords"
        layer = query.get("layer", "ls-dr9")
        scale = NATIVE.get(layer, 0.262) * 2.0 ** (14 - int(query.get("zoom", 14)))
        scale = float(query.get("pixscale", scale))
        size = int(query.get("size", 256))
        width, height = (min(int(query.get(side, size)), LARGEST) for side in ("width", "height"))
        planes, grid = self.sky.sample(
            float(query["ra"]), float(query["dec"]), scale, width, height
        )
        bands = query.get("bands", "grz")
        if parts.path == "/viewer/fits-cutout":
            return 200, "image/fits", fits_cutout(planes, grid, bands)
        shown = planes * np.array([band in bands for band in "grz"])[:, None, None]
        return 200, "image/jpeg", jpeg(rgb(shown, 5 if layer == "hsc2" else 1))

    def _hips(self, query):
        """A colour HiPS as JPEG, or one band in counts as FITS, NaN where there is nothing."""
        width, height = int(query["width"]), int(query["height"])
        scale = float(query["fov"]) * 3600 / max(width, height)
        planes, grid = self.sky.sample(
            float(query["ra"]), float(query["dec"]), scale, width, height
        )
        if query["format"] == "jpg":
            return 200, "image/jpeg", jpeg(rgb(planes))
        plane = planes["grz".index(query["hips"][-1])] * 1000
        return 200, "image/fits", fits_file(np.where(plane == 0, np.nan, plane), grid.to_header())


def fits_cutout(planes, grid, bands):
    """The bands asked for, with the WCS and BANDS, BAND0, ... in the header."""
    header = grid.to_header()
    header["BANDS"] = bands
    for number, band in enumerate(bands):
        header[f"BAND{number}"] = band
    return fits_file(planes[["grz".index(band) for band in bands]], header)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        viewer = self.server.viewer
        if viewer.stopping.is_set():  # a connection that was kept open
            self.close_connection = True
            return
        with viewer.lock:
            viewer.requests.append(self.path)
            viewer.agents.add(self.headers["User-Agent"])
            viewer.ports.add(self.client_address[1])
            number = len(viewer.requests)
            viewer.at_once += 1
            viewer.most_at_once = max(viewer.most_at_once, viewer.at_once)
        try:
            self._respond(viewer, viewer.faults(number, self.path))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with viewer.lock:
                viewer.at_once -= 1

    def _respond(self, viewer, fault):
        match fault:
            case ("status", code, headers):
                return self._send(code, "text/plain", b"no", headers)
            case "html":
                return self._send(200, "text/html", b"<html>Sorry</html>")
            case ("text", code, kind, content):
                return self._send(code, kind, content)
            case ("body", content):
                return self._send(200, "image/jpeg", content)
            case "hang":
                viewer.stopping.wait()
                self.close_connection = True
                return None
            case ("delay", seconds):
                viewer.stopping.wait(seconds)
        status, kind, body = viewer.answer(self.path)
        match fault:
            case "truncate":
                body = body[: len(body) // 2]
            case "break":
                return self._break_off(kind, body)
            case ("drip", rate):
                return self._drip(viewer, kind, body, rate)
        return self._send(status, kind, body)

    def _head(self, status, kind, length, headers=None):
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(length),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, status, kind, body, headers=None):
        self._head(status, kind, len(body), headers)
        self.wfile.write(body)

    def _break_off(self, kind, body):
        self._head(200, kind, len(body))
        self.wfile.write(body[: len(body) // 2])
        self.close_connection = True

    def _drip(self, viewer, kind, body, rate):
        self._head(200, kind, len(body))
        for start in range(0, len(body), max(1, rate // 10)):
            if viewer.stopping.is_set():
                break
            self.wfile.write(body[start : start + max(1, rate // 10)])
            time.sleep(0.1)
        self.close_connection = True


def write_tile(folder, images, name="DES0000+0209", position=(0.35, 2.15), compress=False):
    """Write one tile, bands as in `images`: nanomaggies, (height, width), row 0 at the south."""
    for band, image in images.items():
        height, width = image.shape
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crval = position
        wcs.wcs.crpix = [(width + 1) / 2, (height + 1) / 2]
        wcs.wcs.cd = np.diag([-0.263, 0.263]) / 3600
        header = wcs.to_header()
        header["BAND"] = band
        counts = (image * 1000).astype(np.float32)
        lossless = {"compression_type": "GZIP_2", "quantize_level": 0}
        image = (
            fits.CompImageHDU(counts, header, name="SCI", **lossless)
            if compress
            else fits.ImageHDU(counts, header, name="SCI")
        )
        hdus = fits.HDUList([fits.PrimaryHDU(), image])
        hdus.writeto(folder / f"{name}_r2590p01_{band}.fits{'.fz' if compress else ''}")
    return folder


def blobs(size=600, seed=1, spots=60, noise=0.002):
    """Nanomaggies of g, r, z with sky noise and round sources all over, (size, size) each."""
    rng = np.random.default_rng(seed)
    images = {
        band: rng.normal(0, noise * factor, (size, size))
        for band, factor in zip("grz", (1, 1.5, 3), strict=True)
    }
    y, x = np.mgrid[:size, :size]
    for _ in range(spots):
        cx, cy, width = *rng.uniform(0, size, 2), rng.uniform(1.5, 8)
        profile = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * width**2)) / width
        for band, flux in zip("grz", (0.5, 1.0, 1.4), strict=True):
            images[band] += flux * rng.uniform(0.7, 1.4) * profile
    return images
