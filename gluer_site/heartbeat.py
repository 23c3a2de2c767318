"""What the event loop tells the process that watches it: sd_notify(3) of systemd, which gluer_site/watch.py speaks too.

A process that hangs (stopped, spinning, waiting for ever) tells nothing, and is killed and started again.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)


class Heartbeat:
    """Tells `NOTIFY_SOCKET` that the process is ready, and three times in `WATCHDOG_USEC` that its event loop turns."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Without `NOTIFY_SOCKET` in the environment nobody watches, and nothing is told."""
        self.address = environment.get("NOTIFY_SOCKET", "")
        if self.address.startswith("@"):
            self.address = "\0" + self.address[1:]  # an abstract address (unix(7))
        watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.interval = int(environment.get("WATCHDOG_USEC") or 0) / 3_000_000 if watched else 0.0  # s; 0: never
        self.failing = False

    def start(self) -> None:
        """Say that the process is ready, and beat from now on. Must be called in the event loop."""
        self.tell("READY=1")
        self.beat()

    def beat(self) -> None:
        if self.address and self.interval:
            asyncio.get_running_loop().call_later(self.interval, self.beat)
            self.tell("WATCHDOG=1")

    def tell(self, words: str) -> None:
        """Send the words, or leave them out where the watcher cannot be reached."""
        if not self.address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto(words.encode(), self.address)
            self.failing = False
        except OSError as problem:
            if not self.failing:
                log.warning("NOTIFY_SOCKET cannot be reached: %s", problem)
            self.failing = True
