"""Cutouts over HTTP from a viewer on loopback that takes 300 ms for each."""

import io
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import requests
from PIL import Image

from benchmarks.table import Row
from lsbg_classifier import open_source

SECONDS = 0.3
CONNECTIONS = 16
PUBLISHED = 5000 / (40.4 * 60)
"""Cutouts a second of the published loop, one request at a time."""


def serve():
    """Answer every request with the same JPEG after a while, until the process is ended."""
    rng = np.random.default_rng(1)
    buffer = io.BytesIO()
    image = np.clip(rng.normal(40, 12, (256, 256, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(image).save(buffer, "JPEG", quality=90)
    content = buffer.getvalue()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else 40 ms more, as no web server takes them

        def do_GET(self):
            time.sleep(SECONDS)
            self.send_response(200)
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()


def measure(cutouts: int = 640) -> list[Row]:
    """Fetch cutouts with 16 connections, and some one after the other."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.viewer"], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            url = server.stdout.readline().strip()
            source = open_source("legacysurvey:des-dr1", url=url, connections=CONNECTIONS)
            positions = np.random.default_rng(1).uniform((10, -60), (60, -10), (cutouts, 2))
            source.fetch(positions[:CONNECTIONS])
            start = time.perf_counter()
            _, flags = source.fetch(positions)
            rate = np.count_nonzero(flags == 0) / (time.perf_counter() - start)
            source.close()
            loop = _bare_loop(url, positions[:8])
        finally:
            server.terminate()
    most = CONNECTIONS / SECONDS
    return [
        Row(
            f"cutouts over HTTP, {SECONDS * 1000:.0f} ms each, {CONNECTIONS} connections, against "
            f"the most that is possible",
            f"{rate:.1f}/s of {most:.1f}/s",
            rate / most,
            0.9,
        ),
        Row(
            "the same, against the published loop (40.4 minutes for 5,000)",
            f"{rate:.1f}/s, loop {PUBLISHED:.2f}/s; a bare loop here {loop:.2f}/s",
            rate / PUBLISHED,
            20,
        ),
    ]


def _bare_loop(url: str, positions: np.ndarray) -> float:
    """Download one after the other, each with a connection of its own; cutouts a second."""
    start = time.perf_counter()
    for ra, dec in positions:
        parameters = {"ra": ra, "dec": dec, "layer": "des-dr1", "size": 256, "zoom": 15}
        answer = requests.get(f"{url}/jpeg-cutout", params=parameters, timeout=30)
        np.asarray(Image.open(io.BytesIO(answer.content)).resize((64, 64))) / 255
    return len(positions) / (time.perf_counter() - start)


if __name__ == "__main__":
    serve()
