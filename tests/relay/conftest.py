"""Relays of the whole session, and the cast with new projects for every test.

The relays run in their own processes, with limits low enough to be reached where `strict` stands.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop

SERVERS = ("uvicorn", "plain", "daphne")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home to copy."""
    home = Home(tmp_path_factory.mktemp("relay") / "prepared")
    home.prepare()
    return home


@pytest.fixture(scope="session")
def home(prepared: Home) -> Home:
    """What the relays of the session share."""
    return prepared.copy(prepared.folder.with_name("shared"))


@pytest.fixture(scope="session")
def office(home: Home) -> Iterator[Office]:
    office = Office(home)
    yield office
    office.close()


@pytest.fixture(scope="session", params=SERVERS)
def relay(request: pytest.FixtureRequest, home: Home, office: Office) -> Iterator[RelayServer]:
    """A relay with the limits of the product, under each of the servers."""
    with running(RelayServer(home, request.param), office) as server:
        yield server


@contextmanager
def running(server: RelayServer, office: Office) -> Iterator[RelayServer]:
    """At its end no secret stands in what it printed, and nothing failed unnoticed."""
    server.start()
    try:
        yield server
        server.stop()
    finally:
        server.close()
    printed = server.printed()
    assert not [secret for secret in office.secrets if secret in printed]
    assert not [line for line in printed.splitlines() if "A tick failed" in line or "Task exception" in line]


@pytest.fixture
async def alice(relay: RelayServer, office: Office) -> AsyncIterator[Shop]:
    """Her project."""
    shop = Shop.open(relay, office, "Alice")
    yield shop
    await shop.close()


@pytest.fixture
async def charlie(relay: RelayServer, office: Office) -> AsyncIterator[Shop]:
    """A stranger with a project of the same name."""
    shop = Shop.open(relay, office, "Charlie")
    yield shop
    await shop.close()


@pytest.fixture
def own_home(prepared: Home, tmp_path: Path) -> Home:
    """For tests that harm their database or its server."""
    return prepared.copy(tmp_path / "home")
