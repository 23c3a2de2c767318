"""Starts peers in processes of their own (peer_process.py), and kills them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.embedded.installation import until
from tests.relay.harness.home import BASE
from tests.relay.harness.shop import ShopAt


class KillablePeer:
    """Connected when made."""

    def __init__(self, shop: ShopAt[Any], log: Path, role: str, **arguments: Any) -> None:
        self.log = log
        key = shop.public if role == "caller" else shop.private
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.relay.harness.peer_process"],
                cwd=BASE,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert self.process.stdin
        said = {"role": role, "url": f"{shop.relay.ws}/{shop.id}", "key": key, **arguments}
        self.process.stdin.write(json.dumps(said).encode() + b"\n")
        self.process.stdin.close()

    def ready(self) -> "KillablePeer":
        until(lambda: self.lines() or self.process.poll() is not None, "the peer")
        assert self.lines()[:1] == ["ready"], self.log.read_text()
        return self

    def lines(self) -> list[str]:
        """What it has printed, whole lines only."""
        return self.log.read_text().split("\n")[:-1]

    def freeze(self) -> None:
        """It does nothing any more; its socket still takes what comes."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """As if nothing had been."""
        os.kill(self.process.pid, signal.SIGCONT)

    def stop(self) -> int:
        """SIGTERM, as a process manager does. Returns the exit code."""
        self.process.terminate()
        return self.process.wait(20)

    def kill(self) -> None:
        """Kill -9."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
