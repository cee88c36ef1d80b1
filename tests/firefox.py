"""A headless Firefox, driven by its own protocol, Marionette: commands of WebDriver as JSON.

Playwright drives only a Firefox of its own, and Selenium needs another program; this needs the
browser alone.
"""

import json
import shutil
import socket
import subprocess
import time
from contextlib import closing, contextmanager
from itertools import count

import pytest

FIREFOX = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
SECONDS = 60
PREFERENCES = {
    "marionette.port": 0,
    "app.update.auto": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}


class Firefox:
    """A connection to a browser; `run` evaluates JavaScript in its page."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._numbers = count(1)
        self._read()  # its greeting
        self.command("WebDriver:NewSession", {})

    def close(self):
        self._socket.close()

    def command(self, name, parameters):
        """Send a command of WebDriver, and return its result."""
        text = json.dumps([0, next(self._numbers), name, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self._read()
        assert error is None, error
        return result

    def _read(self):
        size = b""
        while (byte := self._socket.recv(1)) != b":":
            size += byte
        text = b""
        while len(text) < int(size):
            text += self._socket.recv(int(size) - len(text))
        return json.loads(text)

    def open(self, url):
        self.command("WebDriver:Navigate", {"url": url})

    def run(self, script):
        """Return the value of an expression in the page, or what its promise gives."""
        arguments = {"script": f"return (async () => ({script}))()", "args": []}
        return self.command("WebDriver:ExecuteScript", arguments)["value"]

    def until(self, condition):
        """Wait until an expression is true."""
        end = time.monotonic() + SECONDS
        while not self.run(condition):
            assert time.monotonic() < end, condition
            time.sleep(0.05)

    def press(self, key):
        """Press a key and let it go, where the focus is."""
        actions = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        keyboard = {"type": "key", "id": "keyboard", "actions": actions}
        self.command("WebDriver:PerformActions", {"actions": [keyboard]})


@contextmanager
def open_firefox(folder):
    """Give a headless Firefox with a profile of its own; skip the test where there is none."""
    if FIREFOX is None:
        pytest.skip("there is no firefox-esr or firefox on the PATH")
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
    (folder / "user.js").write_text("\n".join(lines))
    command = [FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", folder]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            with closing(Firefox(_port(folder, process))) as firefox:
                yield firefox
        finally:
            process.terminate()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port(folder, process):
    """Wait until the browser says on which port it listens."""
    end = time.monotonic() + SECONDS
    path = folder / "MarionetteActivePort"
    while not (path.exists() and path.read_text().strip()):
        assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text()
        time.sleep(0.05)
    return int(path.read_text())
