"""However an embedded installation ends, no process of it is left; what it made is there at the next start."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded.installation import Installation, until


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path, demo=False)
    made.start()
    yield made
    made.kill()


def test_ctrl_c_leaves_no_process_and_the_next_start_finds_its_secrets(installation: Installation) -> None:
    secrets = (installation.home / "secrets.json").read_bytes()
    assert installation.interrupt() == 0
    assert installation.processes() == {}

    installation.start()
    assert (installation.home / "secrets.json").read_bytes() == secrets
    assert not (installation.home / "demo.json").exists()
    assert people(installation) == 0

    assert len(installation.processes()) >= 4  # supervisor, broker, worker, web
    installation.kill()
    until(lambda: not installation.processes(), "the end of every process")


def test_the_end_of_the_web_server_ends_everything_with_a_sentence(installation: Installation) -> None:
    [web] = installation.processes("gluer_site.embedded.web")
    os.kill(web, signal.SIGKILL)
    assert installation.supervisor.wait(30) == 1
    assert "the web server ended (signal SIGKILL)" in installation.printed()
    assert installation.processes() == {}


def people(installation: Installation) -> int:
    with sqlite3.connect(installation.home / "gluer.sqlite3") as database:
        count: int = database.execute("SELECT count(*) FROM accounts_user").fetchone()[0]
        return count
