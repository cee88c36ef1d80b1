"""Published LSBGs from VizieR, against an HTTPS server on loopback that answers as VizieR does."""

import io
import ipaddress
import shutil
import ssl
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from urllib.parse import parse_qs

import numpy as np
import pytest
from astropy.io import votable
from astropy.table import Table

from catalogs.errors import InputError
from lsbg_classifier.training.vizier import CATALOGS, vizier_lsbgs

POSITIONS = np.array([[30.5, -12.25], [10.25, 2.5], [10.25, -2.5], [350.0, -60.125]])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Certificate and key of localhost, signed by itself, in one file."""
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    if find_spec("cryptography"):
        sign_with_cryptography(path)
    elif shutil.which("openssl"):
        sign_with_openssl(path)
    else:
        pytest.skip("neither cryptography nor openssl is here to make a certificate")
    return path


def sign_with_openssl(path):
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    files = ("-keyout", path.with_suffix(".key"), "-out", path)
    subprocess.run([*command.split(), *files], check=True, capture_output=True, timeout=60)
    path.write_bytes(path.read_bytes() + path.with_suffix(".key").read_bytes())


def sign_with_cryptography(path):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(pem) + private)


class Vizier(ThreadingHTTPServer):
    """Answers every request with `status` and `body`, and keeps what was asked."""

    daemon_threads = True

    def __init__(self, certificate):
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.name = f"localhost:{self.server_port}"
        self.status, self.body, self.asked = 200, b"", []

    def handle_error(self, *_):
        """A client that does not trust the certificate breaks off; it says so itself."""


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append((self.path, parse_qs(form.replace("\n", "&"))))
        self.send_response(self.server.status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)


@pytest.fixture
def server(certificate, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with Vizier(certificate) as vizier:
        thread = threading.Thread(target=vizier.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield vizier
        vizier.shutdown()
        thread.join()


def positions_table(positions, names=("_RAJ2000", "_DEJ2000")):
    table = Table(np.asarray(positions, float), names=names, units=("deg", "deg"))
    return Table(table, masked=True)


def answer(*tables):
    """A VOTable with one resource and table after another."""
    file = votable.tree.VOTableFile()
    for number, table in enumerate(tables):
        resource = votable.tree.Resource(name=f"J/ApJ/{number}")
        made = votable.from_table(table).resources[0].tables[0]
        made.name = made.ID = f"table{number}"
        resource.tables.append(made)
        file.resources.append(resource)
    buffer = io.BytesIO()
    file.to_xml(buffer)
    return buffer.getvalue()


def cached(tmp_path):
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


@pytest.mark.parametrize("survey", sorted(CATALOGS))
def test_the_catalog_of_the_survey_is_asked_for_all_its_positions(server, survey):
    server.body = answer(positions_table(POSITIONS))
    vizier_lsbgs(survey, server=server.name)
    ((path, form),) = server.asked
    assert path == "/viz-bin/votable"
    assert form["-source"] == [CATALOGS[survey]]
    assert form["-out.max"] == ["unlimited"]
    assert "_RAJ2000,_DEJ2000" in form["-out.add"]


def test_positions_are_sorted_and_unique(server):
    server.body = answer(positions_table([*POSITIONS, *POSITIONS[:2]]))
    found = vizier_lsbgs("des", server=server.name)
    assert found.colnames == ["ra", "dec"]
    expected = [(10.25, -2.5), (10.25, 2.5), (30.5, -12.25), (350.0, -60.125)]
    assert [tuple(row) for row in found] == expected


def test_asked_once_and_then_cached(server, tmp_path):
    server.body = answer(positions_table(POSITIONS))
    first = vizier_lsbgs("des", server=server.name)
    assert cached(tmp_path) == [tmp_path / "cache/lsbg_classifier/lists/vizier-des.csv"]
    server.status, server.body = 500, b""
    again = vizier_lsbgs("des", server=server.name)
    assert len(server.asked) == 1
    assert again.as_array().tolist() == first.as_array().tolist()
    with pytest.raises(InputError):
        vizier_lsbgs("hsc", server=server.name)


def test_the_largest_table_with_positions_is_taken(server):
    server.body = answer(
        positions_table(POSITIONS[:1]),
        positions_table(POSITIONS),
        positions_table(np.zeros((9, 2)), names=("RA", "DE")),
    )
    assert len(vizier_lsbgs("des", server=server.name)) == len(POSITIONS)


def test_rows_without_a_position_are_left_out(server):
    table = positions_table([*POSITIONS, (1.0, 1.0), (2.0, 2.0)])
    table["_RAJ2000"].mask[4] = table["_DEJ2000"].mask[5] = True
    server.body = answer(table)
    assert sorted(vizier_lsbgs("des", server=server.name)["ra"]) == sorted(POSITIONS[:, 0])


def without_positions():
    table = positions_table(POSITIONS)
    table["_RAJ2000"].mask[:] = True
    return answer(table)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"<html>down</html>"),
        (404, b""),
        (200, b""),
        (200, b"<html>Sorry</html>"),
        (200, b"\x00\xff" * 500),
        (200, b"SIMPLE  = not a FITS file"),
        (200, b"#\n#   VizieR\n\n#\n\n#\n"),
        (200, b"<?xml version='1.0'?>\n<html><body>Sorry\n</body></html>"),
        (200, b"<?xml version='1.0'?>\n<VOTABLE><RESOURCE>"),
        (200, answer(positions_table(POSITIONS))[:-300]),
        (200, answer()),
        (200, answer(positions_table(np.empty((0, 2))))),
        (200, answer(positions_table(POSITIONS, names=("RA", "DE")))),
        (200, without_positions()),
        (200, answer(Table({"_RAJ2000": ["01 02 03"], "_DEJ2000": ["-04 05 06"]}))),
    ],
    ids=[
        "error", "not found", "nothing", "html", "binary", "fits", "tsv", "xml", "unfinished",
        "cut off", "no tables", "no rows", "other columns", "nulls", "text",
    ],
)  # fmt: skip
def test_what_is_no_answer_is_one_line_and_not_cached(server, tmp_path, status, body):
    server.status, server.body = status, body
    with pytest.raises(InputError, match=r"VizieR J/ApJS/252/18: ") as caught:
        vizier_lsbgs("des", server=server.name)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    assert cached(tmp_path) == []
    server.status, server.body = 200, answer(positions_table(POSITIONS))
    assert len(vizier_lsbgs("des", server=server.name)) == len(POSITIONS)


def test_a_server_that_is_not_trusted_or_not_there(server, tmp_path, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    for name in (server.name, "localhost:1"):
        with pytest.raises(InputError, match=r"VizieR J/ApJ/857/104: ") as caught:
            vizier_lsbgs("hsc", server=name)
        assert "\n" not in str(caught.value)
    assert server.asked == [] and cached(tmp_path) == []
