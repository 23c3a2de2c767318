"""Autobahn|Testsuite's fuzzing client against an echo on the fast edge; tests/README.md explains its results.

Sections 12 and 13 are about compression, which Gluer does not offer. There is no section 8 and 11.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.relay.edge.echo import PATHS, ROOMY, echo
from tests.relay.edge.server import EdgeServer
from tests.relay.harness.home import BASE

SECTIONS = ("1", "2", "3", "4", "5", "6", "7", "9", "10")
NUMBER = 301  # cases in them
LONGEST = 16 * 1024 * 1024  # bytes of a message, in section 9
EXPLAINED = {
    **dict.fromkeys(["6.4.1", "6.4.2", "6.4.3", "6.4.4"], "NON-STRICT"),
    **dict.fromkeys(["7.1.6", "7.13.1", "7.13.2"], "INFORMATIONAL"),
}
# A fault that is read together with the message before it ends the connection before that is echoed.
LAST_ECHO = {"3.2", "3.3", "3.4", "4.1.3", "4.1.4", "4.1.5", "4.2.3", "4.2.4", "4.2.5", "5.15"}


@pytest.fixture(scope="module")
def wstest() -> str:
    installed = subprocess.run(["tests/autobahn/install"], cwd=BASE, capture_output=True, text=True, timeout=600)
    if installed.returncode == 3:
        pytest.skip("Autobahn|Testsuite could not run: there is no CPython 2.7 here.")
    assert installed.returncode == 0, installed.stderr
    return installed.stdout.strip()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = EdgeServer(echo, ROOMY, ws_max_size=LONGEST)
    yield server.port
    server.stop()


def fuzz(wstest: str, folder: Path, url: str) -> "subprocess.Popen[bytes]":
    """Start the client, which writes its reports into the folder."""
    cases = [f"{section}.*" for section in SECTIONS]
    wanted = {"outdir": str(folder), "servers": [{"agent": "edge", "url": url}], "cases": cases}
    (folder / "wanted.json").write_text(json.dumps(wanted | {"exclude-cases": [], "exclude-agent-cases": {}}))
    with open(folder / "log", "wb") as log:
        command = [wstest, "-m", "fuzzingclient", "-s", "wanted.json"]
        return subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)


def test_autobahn_finds_no_failure_and_nothing_unexplained(wstest: str, port: int, tmp_path: Path) -> None:
    """Both at once: most of the time the client waits for what must not come."""
    folders = {path: tmp_path / path.strip("/") for path in PATHS}
    for folder in folders.values():
        folder.mkdir()
    clients = [fuzz(wstest, folder, f"ws://127.0.0.1:{port}{path}") for path, folder in folders.items()]
    try:
        ended = [client.wait(180) for client in clients]
    finally:
        for client in clients:
            client.kill()
    assert ended == [0, 0], [(folder / "log").read_text()[-2_000:] for folder in folders.values()]
    for folder in folders.values():
        results = notable(folder)
        assert {results.pop(case) for case in LAST_ECHO & results.keys()} <= {"NON-STRICT"}
        assert results == EXPLAINED


def notable(folder: Path) -> dict[str, str]:
    """The cases that were not simply passed, and how they were."""
    cases = json.loads((folder / "index.json").read_text())["edge"]
    assert len(cases) == NUMBER
    results = {case: {result["behavior"], result["behaviorClose"]} - {"OK"} for case, result in cases.items()}
    return {case: ", ".join(sorted(result)) for case, result in results.items() if result}
