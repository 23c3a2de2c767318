"""A real Postgres that can go away and come back on its port."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

from gluer_site.embedded.broker import free_port
from tests.cluster.harness.needs import postgres_user, program
from tests.cluster.harness.network import Network
from tests.cluster.harness.program import Program
from tests.embedded.installation import until

PASSWORD = "a-password-of-the-tests"
SPEED = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=32MB"]


class Postgres:
    """Its data lies in a folder of its own in /tmp: as root it runs as another user, who may not enter pytest's."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self.url = f"postgres://gluer:{PASSWORD}@127.0.0.1:{self.port}/postgres"
        self.user = postgres_user()
        self.folder = Path(tempfile.mkdtemp(prefix="gluer-postgres-"))
        self.program = Program(log, ends_by=signal.SIGQUIT, user=self.user)
        self._make()

    def _make(self) -> None:
        secret = self.folder / "secret"
        secret.write_text(PASSWORD)
        if self.user:
            shutil.chown(self.folder, self.user)
            shutil.chown(secret, self.user)
        options = ["--username=gluer", f"--pwfile={secret}", "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8"]
        subprocess.run(
            [program("initdb"), f"--pgdata={self.data}", "--no-locale", *options],
            user=self.user,
            group=self.user and os.stat(secret).st_gid,
            extra_groups=[] if self.user else None,
            cwd="/",
            check=True,
            capture_output=True,
            timeout=60,
        )

    def through(self, network: Network) -> str:
        """Its URL behind that network."""
        return self.url.replace(f":{self.port}/", f":{network.port}/")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> "Postgres":
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}", *SPEED]
        options = [part for setting in settings for part in ("-c", setting)]
        self.program.start([program("postgres"), "-D", str(self.data), *options])
        until(lambda: self.answers() or not self.program.runs, "Postgres to answer", 30)
        assert self.program.runs, self.program.printed()
        return self

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.url, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def stop(self) -> None:
        """As an update does it ("fast"): sessions end, everything is written down."""
        self.program.end(signal.SIGINT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        """It is gone, with its data."""
        self.program.end(signal.SIGQUIT)
        shutil.rmtree(self.folder)
