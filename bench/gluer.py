"""How Gluer is started, with everything on: in one process, or in two with a Redis between them."""

# ruff: noqa: S603, S607 (commands are constants; where programs stand differs from machine to machine)

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.process import (
    READY_WITHIN,
    RELAY_CORE,
    Failed,
    Process,
    Running,
    Started,
    free_port,
    listening_socket,
    own_environment,
    until,
)
from gluer_site.embedded.broker import broker_program
from gluer_site.embedded.options import StartError

BASE = Path(__file__).parent.parent
TWO, TWO_SHARING = "Gluer in two processes", "Gluer in two processes on both cores"
WEB = [sys.executable, "-m", "gluer_site.embedded.web"]
NEVER = str(10**9)  # a limit that is checked, and never reached
LIMITS = (
    "RATE",
    "KEY_RATE",
    "IP_RATE",
    "RATE_BYTES",
    "BACKEND_RATE_BYTES",
    "KEY_RATE_BYTES",
    "IP_RATE_BYTES",
    "KEY_HELLOS",
    "IP_HELLOS",
    "KEY_CONNECTIONS",
    "PROJECT_CONNECTIONS",
    "PROJECT_DELIVERIES",
    "PROJECT_DELIVERY_BYTES",
    "IP_CONNECTIONS",
)
FALLBACK = "The fast edge is not available"
CONNECTED = "Redis is there"  # says a process that has joined the others


def gluer(command: list[str]) -> Callable[[Path], Started]:
    """In a home of its own; `command` takes a listening socket's descriptor."""

    def start(folder: Path) -> Started:
        home, known = new_home(folder)
        return Started(relay(command, home, folder / "log"), known)

    return start


def fast_gluer(folder: Path) -> Started:
    """Gluer as its supervisor starts it. Raises Failed when that is not the fast edge."""
    home, known = new_home(folder)
    process = relay(WEB, home, folder / "log")
    try:
        wait_fast(process)
    except Failed:
        process.stop()
        raise
    return Started(process, known)


def two_processes(redis: Path, cores: str) -> Callable[[Path], Started]:
    """Front ends and publishers reach the one, back ends and subscribers the other."""

    def start(folder: Path) -> Started:
        home, known = new_home(folder)
        port = free_port()
        settings = {"GLUER_BACKPLANE": "redis", "REDIS_URL": f"redis://127.0.0.1:{port}"}
        command = [str(redis), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
        between = Process(command, port, folder / "redis.log", {}, cores=cores)
        relays = [relay(WEB, home, folder / f"log{number}", settings, cores) for number in (1, 2)]
        return Started(Pair(relays[0], relays[1], between), known)

    return start


class Pair(Running):
    """Two processes of one relay, and the Redis between them."""

    def __init__(self, front: Process, back: Process, redis: Process) -> None:
        self.relays, self.all = (front, back), (front, back, redis)
        self.port, self.back_port, self.cores = front.port, back.port, front.cores

    def wait_ready(self) -> None:
        """Until both answer and are connected. Raises Failed."""
        for relay in self.relays:
            wait_fast(relay)
            wait_connected(relay)

    @property
    def pids(self) -> list[int]:
        """Of both, and of Redis."""
        return [pid for process in self.all for pid in process.pids]

    def stop(self) -> None:
        """End all three."""
        for process in self.all:
            process.stop()


def wait_fast(relay: Process) -> None:
    """Raises Failed when it is not the fast edge."""
    relay.wait_ready()
    if FALLBACK in relay.log.read_text():
        raise Failed("it runs without the fast edge")


def wait_connected(relay: Process) -> None:
    """Raises Failed when it does not join the others."""
    if not until(lambda: CONNECTED in relay.log.read_text(), READY_WITHIN):
        raise Failed(f"it did not join the other process; see {relay.log}:\n{relay.log.read_text()[-1000:]}")


def relay(
    command: list[str], home: Path, log: Path, settings: Mapping[str, str] | None = None, cores: str = RELAY_CORE
) -> Process:
    """One process, on a port of its own."""
    limits = {f"GLUER_LIMIT_{name}": NEVER for name in LIMITS}
    env = {"GLUER_HOME": str(home), "PYTHONPATH": str(BASE), **limits, **(settings or {})}
    with listening_socket() as listening:
        descriptor, port = listening.fileno(), listening.getsockname()[1]
        return Process([*command, str(descriptor)], port, log, env, (descriptor,), cores)


def new_home(folder: Path) -> tuple[Path, dict[str, str]]:
    """A home with a project, and what the generator has to know of it. Raises Failed."""
    made = prepared(folder.parent)
    project = json.loads((made / "project.json").read_text())
    known = {f"GLUER_BENCH_{name}": value for name, value in project.items()}
    return Path(shutil.copytree(made, folder / "home")), known


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


def redis_server() -> Path:
    """Where one is: on PATH, or of requirements.txt. A name that does not exist if there is none."""
    try:
        return Path(shutil.which(broker_program()) or "redis-server")
    except StartError:
        return Path("redis-server")


def commit() -> str:
    """Which, and what carries it."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=BASE, capture_output=True, text=True)
    return f"{done.stdout.strip()}, Python {sys.version.split()[0]}"
