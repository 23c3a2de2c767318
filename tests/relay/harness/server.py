"""A relay in a process of its own, on a loopback port."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

import httpx

from tests.embedded.installation import until
from tests.relay.harness.family import child
from tests.relay.harness.home import BASE, Home

READ_AT_ALL = str(2 * 1_048_576)  # bytes of one message (GP-30)
DAPHNE = ["--websocket_timeout", "-1", "--websocket-max-message-size", READ_AT_ALL, "--websocket-max-frame-size"]
COMMANDS = {
    "uvicorn": [sys.executable, "-m", "gluer_site.embedded.web"],  # the fast edge, as the supervisor starts it
    "plain": [sys.executable, "-m", "tests.relay.harness.plain"],
    "daphne": [sys.executable, "-m", "daphne", *DAPHNE, READ_AT_ALL, "gluer_site.asgi:application", "--fd"],
}


class RelayServer:
    """`limits` become GLUER_LIMIT_ settings; `settling` s it holds calls of any name (GP-16). Started again, it keeps
    its port and its log."""

    def __init__(self, home: Home, kind: str = "uvicorn", *, settling: int = 0, **limits: int) -> None:
        self.home, self.kind = home, kind
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port: int = self.listener.getsockname()[1]
        self.http = f"http://127.0.0.1:{self.port}"
        self.ws = f"ws://127.0.0.1:{self.port}/v1/ws"
        self.log: Path = home.folder.with_name(f"{home.folder.name}-{self.port}.log")
        self.settings = {f"GLUER_LIMIT_{name.upper()}": str(value) for name, value in limits.items()}
        self.settings["GLUER_SETTLING"] = str(settling)
        self.settings["PYTHONHASHSEED"] = "0"  # by chance, two origins have one share of an address (sources.py)
        self.settings["GLUER_COMPILED"] = "1" if kind == "uvicorn" else "0"  # so both ways of running are tested

    def command(self) -> list[str]:
        return [*COMMANDS[self.kind], str(self.listener.fileno())]

    def start(self) -> None:
        with open(self.log, "ab") as log:
            self.process = child(
                self.command(),
                cwd=BASE,
                env=self.home.environment(**self.settings),
                pass_fds=self.inherited(),
                stdout=log,
            )
        until(lambda: self.answers() or self.process.poll() is not None, f"{self.kind} to answer")
        assert self.process.poll() is None, self.printed()

    def inherited(self) -> list[int]:
        """Descriptors: its port stays open between two starts."""
        return [self.listener.fileno()]

    def answers(self) -> bool:
        try:
            return httpx.options(f"{self.http}/v1/call/x", trust_env=False, timeout=5).status_code == 204
        except httpx.HTTPError:
            return False

    def stop(self) -> int:
        """SIGTERM, as the supervisor does. Returns the exit code."""
        self.process.terminate()
        return self.process.wait(20)

    def kill(self) -> float:
        """Kill -9. Returns when, as time.monotonic does."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(20)
        return time.monotonic()

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)
        self.listener.close()

    def printed(self) -> str:
        return self.log.read_text(errors="replace")

    def memory(self) -> int:
        """Resident bytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        """Open files and sockets."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def has_socket_to(self, port: int) -> bool:
        """Whether the relay still holds its end of the connection from this client port."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        held = [row[1:3] for row in rows if row[9] != "0"]  # the inode; the kernel goes on alone without one
        return any((int(local[-4:], 16), int(remote[-4:], 16)) == (self.port, port) for local, remote in held)
