"""A real Celery worker on a real broker of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gluer_site.embedded.broker import broker_program, free_port
from tests.relay.harness.home import BASE, Home


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """Yields its URL."""
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    process = subprocess.Popen([broker_program(), *options], stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


class Worker:
    """With its beat, as the supervisor starts it."""

    def __init__(self, home: Home, redis_url: str) -> None:
        self.home, self.redis_url = home, redis_url
        self.log = home.folder.with_name("worker.log")

    def start(self) -> None:
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gluer_site.embedded.worker"],
                cwd=BASE,
                env=self.home.environment(REDIS_URL=self.redis_url),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)
