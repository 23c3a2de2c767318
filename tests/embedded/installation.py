"""A real embedded Gluer in a folder of its own, and what can be seen of its processes."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

BASE = Path(__file__).resolve().parent.parent.parent
PATIENCE = 60  # s, as the supervisor's own


def until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Return as soon as `condition` holds; fail when it does not within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.02)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Installation:
    """`start()` it as `make run` does; `processes()` finds all that it started, by the installation's folder."""

    def __init__(self, folder: Path, *, demo: bool, port: int | None = None) -> None:
        self.home = folder / "var"
        self.log = folder / "log"
        self.port = port or free_port()
        self.url = f"http://localhost:{self.port}"
        unwanted = ("REDIS_URL", "DATABASE_URL", "GLUER_SITE_URL")
        self.environment = {name: value for name, value in os.environ.items() if name not in unwanted} | {
            "GLUER_HOME": str(self.home),
            "PORT": str(self.port),
            "DEMO": str(int(demo)),
        }

    def launch(self) -> None:
        with open(self.log, "wb") as log:
            self.supervisor = subprocess.Popen(
                [sys.executable, "-m", "gluer_site.embedded"],
                cwd=BASE,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def start(self) -> None:
        self.launch()
        until(lambda: self.ended() or "Gluer runs at" in self.printed(), "the banner")
        assert not self.ended(), self.printed()

    def printed(self) -> str:
        return self.log.read_text()

    def ended(self) -> bool:
        return self.supervisor.poll() is not None

    def interrupt(self) -> int:
        """Ctrl-C. Returns the supervisor's exit code."""
        self.supervisor.send_signal(signal.SIGINT)
        return self.supervisor.wait(PATIENCE)

    def kill(self) -> None:
        self.supervisor.kill()
        self.supervisor.wait()

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:  # noqa: S310
            body: bytes = answer.read()
            return body.decode()

    def processes(self, part: str = "") -> dict[int, str]:
        """Process id → command line of every living process of this installation with `part` in its command line."""
        found = {int(entry.name): command_line(entry) for entry in Path("/proc").glob("[0-9]*") if self.owns(entry)}
        return {number: line for number, line in found.items() if part in line}

    def owns(self, entry: Path) -> bool:
        """Whether a process of /proc is of this installation. The broker overwrites its environment with its title."""
        try:
            mark = f"GLUER_HOME={self.home}\0".encode()
            return mark in (entry / "environ").read_bytes() + b"\0" or (entry / "cwd").readlink() == self.home
        except OSError:  # it ended meanwhile
            return False


def command_line(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
