"""A relay/web process of the cluster, as deploy/ starts it."""

import json
import os
import re
import signal
import sys
from pathlib import Path

from tests.relay.harness.home import BASE, Home
from tests.relay.harness.server import RelayServer


class Relay(RelayServer):
    """While it is down its port refuses; `start()` takes the same one again."""

    def __init__(self, home: Home, **settings: str) -> None:
        super().__init__(home)
        self.listener.close()
        self.settings |= settings

    def command(self) -> list[str]:
        return [sys.executable, "-m", "gluer_site.serve", "--host", "127.0.0.1", "--port", str(self.port)]

    def inherited(self) -> list[int]:
        return []

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def freeze(self) -> None:
        """SIGSTOP: its sockets still take what comes."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def drain(self, patience: float = 40) -> None:
        """SIGTERM, as a deploy does; returns once it has ended by it."""
        self.process.terminate()
        assert self.process.wait(patience) in (0, -signal.SIGTERM), self.printed()

    def restart(self) -> None:
        """Drained, then started again."""
        self.drain()
        self.start()


class WatchedRelay(Relay):
    """Below the watcher of deploy/Dockerfile, which kills it when it hangs, and ends with it."""

    def command(self) -> list[str]:
        [shipped] = re.findall(r"^CMD (.+)$", (BASE / "deploy/Dockerfile").read_text(), re.MULTILINE)
        _, *watcher = json.loads(shipped)
        return [sys.executable, *watcher[: watcher.index("python")], *super().command()]

    def freeze(self) -> None:
        """SIGSTOP of the relay itself."""
        number = self.process.pid
        [relay] = Path(f"/proc/{number}/task/{number}/children").read_text().split()
        os.kill(int(relay), signal.SIGSTOP)
