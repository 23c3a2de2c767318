"""One embedded installation with its demo, looked at while it runs."""

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from gluer_site.embedded.demo import read_account
from tests.embedded.installation import Installation, until


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("running"), demo=True)
    installation.start()
    yield installation
    installation.interrupt()


def test_the_first_page_comes(running: Installation) -> None:
    assert "Gluer" in running.get("/")


def test_the_banner_tells_the_next_steps(running: Installation) -> None:
    account = read_account(running.home)
    for part in (running.url, account["email"], account["password"], "createsuperuser", "DEMO=0"):
        assert part in running.printed()


def test_no_secret_is_printed_but_the_demo_password(running: Installation) -> None:
    assert read_account(running.home)["private_key"] not in running.printed()
    assert not any(secret in running.printed() for secret in secrets(running))


def test_no_secret_stands_in_a_command_line(running: Installation) -> None:
    lines = " ".join(running.processes().values())
    assert "gluer_site.embedded.web" in lines
    hidden = [*secrets(running), *read_account(running.home).values()]
    assert not any(secret in lines for secret in hidden)


def test_files_are_the_owners_alone(running: Installation) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in running.home.iterdir() if path.is_file()}
    assert {"secrets.json", "demo.json", "gluer.sqlite3"} <= modes.keys()
    assert {name for name, mode in modes.items() if mode & 0o077} == set()


def test_the_demo_server_is_connected(running: Installation) -> None:
    assert len(running.processes("demo/server.mjs")) == 1
    until(lambda: "demo   | The demo calculator is connected" in running.printed(), "the demo's connection")


def test_a_second_one_in_the_same_folder_is_refused(running: Installation, tmp_path: Path) -> None:
    second = Installation(tmp_path, demo=False)
    second.environment["GLUER_HOME"] = str(running.home)
    second.launch()
    assert second.supervisor.wait(30) == 1
    assert "another Gluer runs with the folder" in second.printed()


def test_a_taken_port_is_refused_before_anything_starts(running: Installation, tmp_path: Path) -> None:
    second = Installation(tmp_path, demo=False, port=running.port)
    second.launch()
    assert second.supervisor.wait(30) == 1
    assert f"port {running.port} of 127.0.0.1 cannot be used" in second.printed()
    assert "make run PORT=" in second.printed()
    assert not (second.home / "gluer.sqlite3").exists()


@pytest.mark.parametrize("part", ["gluer_site.embedded.worker", "demo/server.mjs", "127.0.0.1:"])
def test_a_killed_helper_is_started_again(running: Installation, part: str) -> None:
    [number] = running.processes(part)
    os.kill(number, signal.SIGKILL)
    until(lambda: running.processes(part).keys() - {number}, "its successor")
    assert not running.ended()


def secrets(installation: Installation) -> list[str]:
    import json

    return list(json.loads((installation.home / "secrets.json").read_text()).values())
