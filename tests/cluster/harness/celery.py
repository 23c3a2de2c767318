"""Worker and beat, by the commands of deploy/compose.yaml."""

import signal
import sys
from pathlib import Path

import yaml

from tests.cluster.harness.program import Program
from tests.relay.harness.home import BASE, Home


class Celery:
    """`service`: "worker" or "beat"."""

    def __init__(self, home: Home, service: str, folder: Path, **settings: str) -> None:
        self.home, self.settings = home, settings
        self.program = Program(folder / f"{service}.log", ends_by=signal.SIGTERM)
        services = yaml.safe_load((BASE / "deploy/compose.yaml").read_text())["services"]
        _, *arguments = services[service]["command"]
        own = [part.replace("/tmp", str(folder)) for part in arguments]  # noqa: S108 (a container's own)
        self.command = [sys.executable, "-m", "celery", *own]

    def __enter__(self) -> "Celery":
        self.program.start(self.command, cwd=BASE, env=self.home.environment(**self.settings))
        return self

    def __exit__(self, *error: object) -> None:
        """SIGTERM, as compose does it; the worker's own processes go with it."""
        self.program.end(signal.SIGTERM)
