"""The two programs of the README, installed and run as their reader would."""

import contextlib
import functools
import http.server
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded.installation import BASE, until
from tests.example.visitor import Keys

VERBATIM = BASE / "sdks/examples/verbatim"
PAGE = """<!doctype html>
<script type="importmap">{"imports": {"gluer-js": "./node_modules/gluer-js/dist/index.js"}}</script>
<script type="module" src="app.js"></script>
"""
CHROMIUM = (
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--enable-logging=stderr",
)


def install(folder: Path, site_url: str) -> None:
    """Install both SDKs from the running site, as the README says."""
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    packages = [f"{site_url}/sdk/{sdk}.tgz" for sdk in ("gluer-js", "gluer-nodejs")]
    npm("install", "--no-audit", "--no-fund", "--prefer-offline", *packages, folder=folder)


def npm(*arguments: str, folder: Path) -> None:
    done = subprocess.run(["npm", *arguments], cwd=folder, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr


def write_back_end(folder: Path, keys: Keys) -> None:
    """The verbatim file with its key."""
    code = (VERBATIM / "server.js").read_text()
    (folder / "server.js").write_text(code.replace("YOUR_PRIVATE_KEY", keys.private))


def write_front_end(folder: Path, keys: Keys) -> None:
    """The verbatim file with its key."""
    code = (VERBATIM / "app.js").read_text()
    (folder / "app.js").write_text(code.replace("YOUR_PUBLIC_KEY", keys.public))


@contextlib.contextmanager
def running(*command: str, folder: Path) -> Iterator[Path]:
    """Run a program as long as the context lasts; nobody tells it where the relay is. Yields the file of its output."""
    log = folder / "log"
    environment = {name: value for name, value in os.environ.items() if name != "GLUER_URL"}
    with open(log, "wb") as output:
        program = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield log
    finally:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()


def until_printed(log: Path, *lines: str) -> None:
    """Return when the program has printed these lines; fail with all it printed when it does not."""
    try:
        until(lambda: all(line in log.read_text() for line in lines), f"{lines}", seconds=30)
    except AssertionError as problem:
        raise AssertionError(f"{problem}. It printed:\n{log.read_text()}") from None


def node_with_websocket() -> tuple[str, ...]:
    """Node 20 has a browser's WebSocket behind a flag, later ones without."""
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return ("node", "--experimental-websocket") if version.startswith("v20.") else ("node",)


def require_chromium() -> None:
    if shutil.which("chromium") is None:
        sentence = "chromium is not installed (apt-get install chromium)"
        pytest.fail(sentence) if os.environ.get("CI") else pytest.skip(sentence)


@contextlib.contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """Serve a folder's files. Yields the URL."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Not on the tests' output."""
