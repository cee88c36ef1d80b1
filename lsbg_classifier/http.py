"""HTTP for all sources: pooled connections, retries, and limits of size, time and redirects."""

import html
import re
import time
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.util import Retry

from catalogs.errors import InputError
from catalogs.software import software_name

USER_AGENT = software_name().replace(" ", "/")

LARGEST_ANSWER = 4 << 20
"""Bytes; a 256x256 JPEG has about 20,000, a FITS plane 265,000."""

_LONGEST_WAIT = 20.0
"""Seconds between two attempts."""


_MOST_REDIRECTS = 3
"""Redirects that are followed for one answer; more are a loop."""

_LONGEST_TEXT = 100
"""Characters of a server's own words that are passed on."""


_PAIRS = {")": "(", "]": "[", "}": "{"}


class FetchError(Exception):
    """One cutout could not be fetched; the message says why."""


class _BoundedRetry(Retry):
    """Retries that never wait longer than `_LONGEST_WAIT`, whatever Retry-After asks for."""

    def get_retry_after(self, response) -> float | None:
        try:
            seconds = super().get_retry_after(response)
        except (HTTPError, ValueError, OverflowError):
            return None
        return None if seconds is None else min(seconds, _LONGEST_WAIT)


class _BoundedAdapter(HTTPAdapter):
    """Reads each answer whole, within a size and the time-out, and again if it breaks."""

    def __init__(self, largest: int, **options):
        self._largest = largest
        super().__init__(**options)

    def send(
        self, request, stream=False, timeout=None, verify=True, cert=None, proxies=None
    ) -> requests.Response:
        options = {"timeout": timeout, "verify": verify, "cert": cert, "proxies": proxies}
        try:
            return self._send_whole(request, options)
        except ProtocolError:
            pass
        try:
            return self._send_whole(request, options)
        except ProtocolError as error:
            raise requests.ConnectionError("the answer broke off") from error

    def _send_whole(self, request, options: dict) -> requests.Response:
        """Send a request and read its answer; a `ProtocolError` says that it broke off."""
        answer = super().send(request, stream=True, **options)
        try:
            answer._content = _body(answer.raw, options["timeout"], self._largest)
        except ProtocolError:
            raise
        except HTTPError as error:
            raise requests.ConnectionError(str(error)) from error
        else:
            answer._content_consumed = True
            return answer
        finally:
            answer.raw.close()
            answer.raw.release_conn()


class _Session(requests.Session):
    """A session that follows redirects on the same host only."""

    def get_redirect_target(self, resp) -> str | None:
        try:
            target = super().get_redirect_target(resp)
            same = urlsplit(urljoin(resp.url, target)).netloc == urlsplit(resp.url).netloc
        except ValueError:
            return None
        return target if same else None


def _body(raw, timeout: float, largest: int) -> bytes:
    """Read a body piece by piece within the time-out, also from a server that sends it slowly."""
    deadline = time.monotonic() + timeout
    parts, size = [], 0
    while part := raw.read1(1 << 16, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > largest:
            raise HTTPError("the answer is too large")
        if time.monotonic() > deadline:
            raise HTTPError("the answer takes too long")
    return b"".join(parts)


def new_session(connections: int, largest: int = LARGEST_ANSWER) -> requests.Session:
    """Make a session that keeps connections open and retries what may pass.

    Connection errors, time-outs and the answers 429, 500, 502, 503 and 504 are tried again with
    growing pauses, or after what Retry-After says, but 20 s at most. Answers are read whole within
    the time-out of the request, up to `largest` bytes; up to 3 redirects are followed, on
    the same host only.

    Parameters
    ----------
    connections : int
        Simultaneous requests, of all threads together; more wait for their turn.
    largest : int
        Bytes of the largest answer that is read.

    Returns
    -------
    requests.Session
    """
    retry = _BoundedRetry(
        total=4,
        connect=2,
        read=2,
        status_forcelist=(429, 500, 502, 503, 504),
        backoff_factor=0.3,
        backoff_jitter=0.2,
        backoff_max=_LONGEST_WAIT,
        raise_on_status=False,
    )
    adapter = _BoundedAdapter(largest, pool_maxsize=connections, pool_block=True, max_retries=retry)
    session = _Session()
    session.max_redirects = _MOST_REDIRECTS
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
    return session


def get(session: requests.Session, url: str, parameters: dict, timeout: float) -> bytes:
    """Return the body of one answer.

    Parameters
    ----------
    session : requests.Session
        As `new_session` makes it.
    url : str
    parameters : dict
        Of the query.
    timeout : float
        Seconds until the answer begins, without a byte, and for the whole of it.

    Returns
    -------
    bytes

    Raises
    ------
    FetchError
        If there is no complete answer with status 200 and of a sensible size.
    """
    try:
        answer = session.get(url, params=parameters, timeout=timeout)
    except (requests.RequestException, HTTPError) as error:
        raise FetchError(reason(error)) from error
    return content_of(answer)


def content_of(answer: requests.Response) -> bytes:
    """Return the body of an answer with status 200, or raise `FetchError` that says what came."""
    if answer.status_code == 200:
        return answer.content
    target = answer.headers.get("Location")
    if target:
        raise FetchError(f"HTTP {answer.status_code} to {_printable(target)}")
    text = _text_of(answer)
    raise FetchError(f"HTTP {answer.status_code}" + (f": {text}" if text else ""))


def _text_of(answer: requests.Response) -> str:
    """Return what a server says of an error, of a web page only its title; empty if nothing."""
    kind = answer.headers.get("Content-Type", "")
    text = answer.content[:4096].decode("utf-8", "replace")
    if "html" in kind or text.lstrip().startswith("<"):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        text = html.unescape(title[1]) if title else ""
    elif not kind.startswith("text/") and "json" not in kind:
        text = ""
    return _printable(text)


def reason(error: Exception) -> str:
    """Say in a few words what went wrong with a request; without a full stop."""
    if isinstance(error, requests.TooManyRedirects):
        return f"more than {_MOST_REDIRECTS} redirects"
    cause = _innermost(error)
    text = getattr(cause, "strerror", None) or str(cause)
    text = re.sub(r"^\[Errno -?\d+\] ", "", str(text).rpartition(": ")[2])
    return _printable(text) or type(error).__name__


def _innermost(error: Exception) -> Exception:
    """Return the original error; the libraries wrap it several times."""
    for _ in range(10):
        inner = [getattr(error, "reason", None), *error.args[::-1]]
        cause = next((each for each in inner if isinstance(each, Exception)), None)
        if cause is None:
            break
        error = cause
    return error


def _printable(text: object) -> str:
    """Return one line of printable characters, without a full stop or stray brackets at its end."""
    text = "".join(character if character.isprintable() else " " for character in str(text))
    text = " ".join(text.split())
    if len(text) > _LONGEST_TEXT:
        return f"{text[:_LONGEST_TEXT].rstrip()}..."
    text = text.rstrip(".,; ")
    while text and _ends_astray(text):
        text = text[:-1].rstrip(".,; ")
    return text


def _ends_astray(text: str) -> bool:
    """Tell whether the last character closes a bracket or quotation that never began."""
    last = text[-1]
    if last in "'\"":
        return text.count(last) % 2 == 1
    return last in _PAIRS and text.count(_PAIRS[last]) < text.count(last)


def check_server(url: str, connections: int, timeout: float) -> str:
    """Return the address of a source on a server, if its options make sense.

    Parameters
    ----------
    url : str
        As the user says it; spaces around it are dropped.
    connections : int
        Simultaneous requests.
    timeout : float
        Seconds.

    Returns
    -------
    str
        The address without spaces around it.

    Raises
    ------
    InputError
        If the address is not one of a server, or a number is out of range.
    """
    address, advice = url.strip(), "give --url http://HOST/..."
    try:
        parts = urlsplit(address)
        is_server = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port  # raises for what is no number of a port
    except ValueError as error:
        raise InputError(f"{url}: not an http address ({error}); {advice}") from error
    if not is_server:
        raise InputError(f"{url}: not an http address; {advice}")
    if connections < 1 or timeout <= 0:
        raise InputError(
            f"{connections} connections, time-out {timeout} s: give at least 1, and more than 0 s"
        )
    return address
