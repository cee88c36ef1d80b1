"""A folder served over HTTP as real servers do, with parts of files on request."""

import functools
import re
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class FileServer:
    """Serves a folder on a free port of loopback until the block ends.

    Attributes
    ----------
    url : str
    requests : list of (str, str, int)
        Method, path and bytes of each answer with content.
    refuse : callable
        Given the path, returns the status of an error to answer with, or None.
    ranges : bool
        Whether parts of files are sent; otherwise always the whole.
    authorization : str or None
        Header of that name that is asked for.
    """

    def __init__(self, folder: Path):
        handler = functools.partial(_Handler, directory=str(folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.requests = []
        self.refuse = lambda path: None
        self.ranges, self.authorization = True, None

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def bytes_of(self, ending: str) -> int:
        """Bytes sent of all files whose paths end so."""
        return sum(size for _, path, size in self.requests if path.endswith(ending))


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Be silent."""

    def _refused(self) -> bool:
        owner = self.server.owner
        status = owner.refuse(self.path)
        if owner.authorization not in (None, self.headers.get("Authorization")):
            status = 401
        if status is not None:
            self.send_error(status)
        return status is not None

    def do_HEAD(self):
        if not self._refused():
            super().do_HEAD()

    def do_GET(self):
        if self._refused():
            return
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        file = Path(self.translate_path(self.path))
        path = self.path.partition("?")[0]
        if not asked or not file.is_file() or not self.server.owner.ranges:
            size = file.stat().st_size if file.is_file() else 0
            self.server.owner.requests.append(("GET", path, size))
            super().do_GET()
            return
        start, stop = int(asked[1]), int(asked[2]) + 1
        with open(file, "rb") as opened:
            opened.seek(start)
            content = opened.read(stop - start)
        self.server.owner.requests.append(("GET", path, len(content)))
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{file.stat().st_size}")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
