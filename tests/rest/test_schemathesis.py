"""Schemathesis reads the OpenAPI schema of a running Gluer and looks for answers that differ from it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.relay.conftest import office, prepared, running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer
from tests.rest.conformance import schema

__all__ = ["office", "prepared"]  # fixtures

EXAMPLES = 8  # of each operation, besides those at the schema's bounds: 1,000 requests in all


@pytest.fixture(scope="session")
def home(prepared: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = prepared.copy(tmp_path_factory.mktemp("schemathesis") / "home")
    home.settings["GLUER_REST_RATE"] = "100000/min"
    return home


@pytest.fixture(scope="session")
def site(home: Home, office: Office) -> Iterator[RelayServer]:
    with running(RelayServer(home), office) as server:
        yield server


def test_it_finds_nothing(site: RelayServer, office: Office, tmp_path: Path) -> None:
    alice = office.person("Alice")
    office.project(alice["workspace"])
    program = Path(sys.executable).with_name("schemathesis")
    command = [str(program), "run", f"{site.http}/api/schema", "--checks=all", f"--max-examples={EXAMPLES}"]
    header = f"--header=Authorization: Bearer {alice['token']}"
    options = ["--generation-deterministic", "--continue-on-failure", "--no-color", "--warnings=off", "--no-shrink"]
    done = subprocess.run([*command, header, *options], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Tested: {sum(map(len, schema()['paths'].values()))}\n" in done.stdout
