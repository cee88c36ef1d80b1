"""A sky viewer and a hips2fits service on loopback, rendered from DES tiles on disk.

Written from the description of the services alone, without any of the package's image code, so
that agreement between the two means something. Tests start it and stop it.
"""

import io
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image

SCALES = {"g": 6.0, "r": 3.4, "z": 2.2}


class Sky:
    """The tiles of a folder, in memory."""

    def __init__(self, folder):
        self.tiles = {}
        for path in sorted(folder.glob("*.fits*")):
            name, _, band = path.name.split(".fits")[0].split("_")
            with fits.open(path) as hdus:
                image = np.asarray(hdus[1].data, float) / 1000
                wcs = WCS(hdus[1].header)
            self.tiles.setdefault(name, {"wcs": wcs})[band] = image

    def sample(self, ra, dec, pixscale, width, height):
        """Nanomaggies of g, r, z on a TAN grid, row 0 at the south; shape (3, height, width)."""
        grid = WCS(naxis=2)
        grid.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        grid.wcs.crval = [ra, dec]
        grid.wcs.crpix = [(width + 1) / 2, (height + 1) / 2]
        grid.wcs.cd = np.diag([-pixscale, pixscale]) / 3600
        columns, rows = np.meshgrid(np.arange(width), np.arange(height))
        sky = grid.all_pix2world(columns.ravel(), rows.ravel(), 0)
        planes = np.zeros((3, height, width))
        for tile in self._covering(ra, dec):
            x, y = tile["wcs"].all_world2pix(*sky, 0)
            for number, band in enumerate("grz"):
                if band in tile:
                    planes[number] = lanczos(tile[band], x, y).reshape(height, width)
        return planes, grid

    def _covering(self, ra, dec):
        """The tile that holds the position, furthest from its edges."""
        depths = []
        for tile in self.tiles.values():
            height, width = next(tile[b].shape for b in "grz" if b in tile)
            x, y = tile["wcs"].all_world2pix(ra, dec, 0)
            depths.append((min(x + 0.5, y + 0.5, width - 0.5 - x, height - 0.5 - y), tile))
        best = max(depths, key=lambda pair: pair[0], default=(0, None))
        return [best[1]] if best[0] > 0 else []


def lanczos(image, x, y):
    """Lanczos-3 at each point, over 6x6 pixels with weights normalised; zero outside."""
    padded = np.pad(image, 4)
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    total, weights = np.zeros(x.shape), np.zeros(x.shape)
    inside = (column >= -3) & (column < image.shape[1] + 3)
    inside &= (row >= -3) & (row < image.shape[0] + 3)
    for j in range(-2, 4):
        for i in range(-2, 4):
            dx, dy = x - column - i, y - row - j
            weight = np.sinc(dx) * np.sinc(dx / 3) * np.sinc(dy) * np.sinc(dy / 3)
            at = (
                np.clip(row + j + 4, 0, padded.shape[0] - 1),
                np.clip(column + i + 4, 0, padded.shape[1] - 1),
            )
            total += weight * padded[at]
            weights += weight
    return np.where(inside, total / weights, 0)


def rgb(planes):
    """The viewer's colours of g, r, z; uint8, shape (height, width, 3), row 0 at the north."""
    scaled = {b: SCALES[b] * plane + 0.03 for b, plane in zip("grz", planes, strict=True)}
    intensity = sum(np.clip(s, 0, None) for s in scaled.values()) / 3
    factor = np.arcsinh(20 * intensity) / np.sqrt(20)
    intensity = np.where(intensity == 0, 1e-6, intensity)
    image = np.dstack([np.clip(scaled[b] * factor / intensity, 0, 1) for b in "zrg"])
    return (image * 255).astype(np.uint8)[::-1]


def jpeg(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=90, subsampling=2)
    return buffer.getvalue()


class Viewer:
    """What the server knows and has seen.

    `faults` is called with the number of the request and its path; it returns None or one of
    ("status", code, headers), ("delay", seconds), "truncate", "html", ("body", bytes).
    """

    def __init__(self, folder=None, faults=None):
        self.sky = Sky(folder) if folder else None
        self.faults = faults or (lambda number, path: None)
        self.requests = []
        self.agents = set()
        self.most_at_once = self.at_once = 0
        self.lock = threading.Lock()

    def answer(self, path, query):
        """Return status, content type and body."""
        if path == "/hips2fits":
            return self._hips(query)
        if "ra" not in query or "dec" not in query:
            return 400, "text/plain", b"Need ra,dec keywords"
        ra, dec = float(query["ra"]), float(query["dec"])
        native = {"hsc2": 0.168}.get(query.get("layer"), 0.262)
        scale = native * 2.0 ** (14 - int(query["zoom"])) if "zoom" in query else native
        scale = float(query.get("pixscale", scale))
        size = min(int(query.get("size", 256)), 3000)
        width = min(int(query.get("width", size)), 3000)
        height = min(int(query.get("height", size)), 3000)
        planes, grid = self.sky.sample(ra, dec, scale, width, height)
        if path == "/viewer/jpeg-cutout":
            return 200, "image/jpeg", jpeg(rgb(planes))
        if path == "/viewer/fits-cutout":
            return 200, "image/fits", self._fits(planes, grid, query.get("bands", "grz"))
        return 404, "text/plain", b"not found"

    def _fits(self, planes, grid, bands):
        header = grid.to_header()
        header["BANDS"] = bands
        chosen = planes[["grz".index(band) for band in bands]].astype(np.float32)
        for number, band in enumerate(bands):
            header[f"BAND{number}"] = band
        buffer = io.BytesIO()
        fits.PrimaryHDU(chosen, header).writeto(buffer)
        return buffer.getvalue()

    def _hips(self, query):
        width, height = int(query["width"]), int(query["height"])
        scale = float(query["fov"]) * 3600 / width
        ra, dec = float(query["ra"]), float(query["dec"])
        planes, _ = self.sky.sample(ra, dec, scale, width, height)
        if query["format"] == "jpg":
            return 200, "image/jpeg", jpeg(rgb(planes))
        plane = planes["grz".index(query["hips"][-1])] * 1000
        buffer = io.BytesIO()
        fits.PrimaryHDU(np.where(plane == 0, np.nan, plane).astype(np.float32)).writeto(buffer)
        return 200, "image/fits", buffer.getvalue()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        viewer = self.server.viewer
        with viewer.lock:
            viewer.requests.append(self.path)
            viewer.agents.add(self.headers["User-Agent"])
            number = len(viewer.requests)
            viewer.at_once += 1
            viewer.most_at_once = max(viewer.most_at_once, viewer.at_once)
        try:
            self._answer(viewer, viewer.faults(number, self.path))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with viewer.lock:
                viewer.at_once -= 1

    def _answer(self, viewer, fault):
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        headers = {}
        match fault:
            case ("status", code, headers):
                status, kind, body = code, "text/plain", b"no"
            case "html":
                status, kind, body = 200, "text/html", b"<html>Sorry</html>"
            case ("body", content):
                status, kind, body = 200, "image/jpeg", content
            case _:
                if isinstance(fault, tuple):
                    time.sleep(fault[1])
                status, kind, body = viewer.answer(parts.path, query)
        if fault == "truncate":
            body = body[: len(body) // 2]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running_viewer(folder=None, faults=None):
    """Serve on a free loopback port; gives the `Viewer`, with `.url` and `.hips_url`."""
    viewer = Viewer(folder, faults)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.viewer = viewer
    host = f"http://127.0.0.1:{server.server_port}"
    viewer.url, viewer.hips_url = f"{host}/viewer", f"{host}/hips2fits"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield viewer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
