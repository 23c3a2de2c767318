"""What is measured, and how each is started."""

# ruff: noqa: S603 (commands are constants; where programs stand differs from machine to machine)

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.generator import BUILD
from bench.gluer import TWO, TWO_SHARING, commit, fast_gluer, gluer, redis_server, two_processes
from bench.process import BOTH_CORES, RELAY_CORE, Process, Started, free_port

HERE = Path(__file__).parent
BASE = HERE.parent
INSTALLED = HERE / ".peers"  # by `make bench-peers`
DAPHNE = [sys.executable, "-m", "daphne", "--websocket_timeout", "-1", "-v", "0"]


@dataclass(frozen=True)
class System:
    """`start` runs it with its files in a folder; `needs` must exist, else it is skipped."""

    name: str
    dialect: str
    needs: str | Path
    start: Callable[[Path], Started]
    version: Callable[[], str]
    measured: tuple[str, ...] = ("idle", "calls", "latency", "fanout")

    @property
    def missing(self) -> bool:
        return shutil.which(self.needs) is None if isinstance(self.needs, str) else not self.needs.exists()

    @contextmanager
    def running(self, folder: Path) -> Iterator[Started]:
        """Ready when the context begins, gone when it ends. Raises Failed."""
        folder.mkdir(parents=True)
        started = self.start(folder)
        try:
            started.process.wait_ready()
            yield started
        finally:
            started.process.stop()


# --- the others ------------------------------------------------------------------------------------------------------


def c_relay(folder: Path) -> Started:
    port = free_port()
    return Started(Process([str(BUILD / "wsrelay"), str(port)], port, folder / "log", {}))


def node(program: str) -> Callable[[Path], Started]:
    """A program of peers/, run where npm has installed what it imports."""

    def start(folder: Path) -> Started:
        port = free_port()
        copy = shutil.copy(HERE / "peers" / program, INSTALLED)
        return Started(Process(["node", str(copy), str(port)], port, folder / "log", {}))

    return start


def stock(folder: Path) -> Started:
    port = free_port()
    command = [*DAPHNE, "-b", "127.0.0.1", "-p", str(port), "bench.peers.stock:application"]
    return Started(Process(command, port, folder / "log", {"PYTHONPATH": str(BASE)}))


def nats(folder: Path) -> Started:
    port = free_port()
    websocket = f"websocket {{ host: 127.0.0.1, port: {port}, no_tls: true, compression: false }}"
    configuration = folder / "nats.conf"
    configuration.write_text(f"host: 127.0.0.1\nport: {free_port()}\n{websocket}\n")
    return Started(Process(["nats-server", "-c", str(configuration)], port, folder / "log", {}))


def crossbar(folder: Path) -> Started:
    port = free_port()
    text = (HERE / "peers" / "crossbar.json").read_text().replace('"PORT"', str(port))
    (folder / "config.json").write_text(text)
    command = [str(INSTALLED / "crossbar" / "bin" / "crossbar"), "start", "--cbdir", str(folder)]
    return Started(Process(command, port, folder / "log", {"CROSSBAR_SHOW_LOGO": "0"}))


def printed(*command: str | Path) -> Callable[[], str]:
    """The first version number that a command prints."""

    def ask() -> str:
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60)
        found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
        return found[0] if found else "unknown"

    return ask


def npm_version(package: str) -> Callable[[], str]:
    def ask() -> str:
        found = json.loads((INSTALLED / "node_modules" / package / "package.json").read_text())["version"]
        return f"{found}, Node {printed('node', '--version')()}"

    return ask


def on_daphne() -> str:
    return f"Channels {version('channels')}, Daphne {version('daphne')}"


def with_redis() -> str:
    return f"{commit()}, {REDIS.name} {printed(REDIS, '--version')()}"


GLUER_ON_DAPHNE = [*DAPHNE, "gluer_site.asgi:application", "--fd"]
CROSSBAR = INSTALLED / "crossbar" / "bin" / "crossbar"
REDIS = redis_server()

SYSTEMS = [
    System("Gluer", "gluer", sys.executable, fast_gluer, commit),
    System(
        TWO, "gluer", REDIS, two_processes(REDIS, RELAY_CORE), with_redis,
        measured=("calls", "latency", "fanout"),
    ),
    System(
        TWO_SHARING, "gluer", REDIS, two_processes(REDIS, BOTH_CORES), with_redis,
        measured=("calls", "latency"),
    ),
    System(
        "Gluer on uvicorn", "gluer", sys.executable, gluer([sys.executable, "-m", "bench.plain"]),
        lambda: f"uvicorn {version('uvicorn')}",
    ),
    System("Gluer on Daphne", "gluer", sys.executable, gluer(GLUER_ON_DAPHNE), on_daphne),
    System("Channels on Daphne", "raw", sys.executable, stock, on_daphne),
    System(
        "Socket.IO", "socketio", INSTALLED / "node_modules" / "socket.io",
        node("socketio.mjs"), npm_version("socket.io"),
    ),
    System(
        "ws", "raw", INSTALLED / "node_modules" / "ws",
        node("ws.mjs"), npm_version("ws"),
    ),
    System("Crossbar", "wamp", CROSSBAR, crossbar, printed(CROSSBAR, "version")),
    System("nats-server", "nats", "nats-server", nats, printed("nats-server", "--version")),
    System("C relay", "raw", BUILD / "wsrelay", c_relay, lambda: f"cc {printed('cc', '--version')()}"),
]  # fmt: skip
QUICK = ("Gluer", "nats-server", "C relay", "Socket.IO")
