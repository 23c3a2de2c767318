"""What is measured, and how each is started."""

# ruff: noqa: S603, S607 (commands are constants; where programs stand differs from machine to machine)

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from bench.generator import BUILD
from bench.process import Failed, Process, free_port, listening_socket, own_environment

HERE = Path(__file__).parent
BASE = HERE.parent
INSTALLED = HERE / ".peers"  # by `make bench-peers`
NEVER = str(10**9)  # a limit that is checked, and never reached
LIMITS = ("RATE", "KEY_RATE", "IP_RATE", "KEY_HELLOS", "IP_HELLOS", "KEY_CONNECTIONS", "IP_CONNECTIONS")
FALLBACK = "The fast edge is not available"
DAPHNE = [sys.executable, "-m", "daphne", "--websocket_timeout", "-1", "-v", "0"]


@dataclass
class Started:
    """A running system; `env` is what the generator has to know."""

    process: Process
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class System:
    """`start` runs it with its files in a folder; `needs` must exist, else it is skipped."""

    name: str
    dialect: str
    needs: str | Path
    start: Callable[[Path], Started]
    version: Callable[[], str]

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


# --- Gluer, with everything on ---------------------------------------------------------------------------------------


def gluer(command: list[str]) -> Callable[[Path], Started]:
    """In a home of its own; `command` takes a listening socket's descriptor."""

    def start(folder: Path) -> Started:
        project = json.loads((prepared(folder.parent) / "project.json").read_text())
        home = shutil.copytree(prepared(folder.parent), folder / "home")
        env = {"GLUER_HOME": str(home), "PYTHONPATH": str(BASE)} | {f"GLUER_LIMIT_{name}": NEVER for name in LIMITS}
        with listening_socket() as listening:
            descriptor, port = listening.fileno(), listening.getsockname()[1]
            process = Process([*command, str(descriptor)], port, folder / "log", env, (descriptor,))
        return Started(process, {f"GLUER_BENCH_{name}": value for name, value in project.items()})

    return start


def prepared(folder: Path) -> Path:
    """A home with a project, made once for all; each system gets a copy. Raises Failed."""
    home = folder / "prepared"
    if not home.exists():
        env = own_environment() | {"GLUER_HOME": str(home)}
        command = [sys.executable, "-m", "bench.project"]
        done = subprocess.run(command, cwd=BASE, env=env, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise Failed(f"the project could not be made: {done.stderr[-1000:]}")
        (home / "project.json").write_text(done.stdout)
    return home


def fast_gluer(folder: Path) -> Started:
    """Gluer as its supervisor starts it. Raises Failed when that is not the fast edge."""
    started = gluer([sys.executable, "-m", "gluer_site.embedded.web"])(folder)
    started.process.wait_ready()
    if FALLBACK in started.process.log.read_text():
        started.process.stop()
        raise Failed("it runs without the fast edge")
    return started


def gluer_version() -> str:
    """The commit, and what carries it."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=BASE, capture_output=True, text=True)
    return f"{commit.stdout.strip()}, Python {sys.version.split()[0]}"


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


GLUER_ON_DAPHNE = [*DAPHNE, "gluer_site.asgi:application", "--fd"]
CROSSBAR = INSTALLED / "crossbar" / "bin" / "crossbar"

SYSTEMS = [
    System("Gluer", "gluer", sys.executable, fast_gluer, gluer_version),
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
