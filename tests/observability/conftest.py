"""Relays whose probes, figures and logs are looked at."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.relay.conftest import home, office, own_home, prepared, running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop

__all__ = ["home", "office", "own_home", "prepared"]  # fixtures


@pytest.fixture(scope="module")
def relay(home: Home, office: Office) -> Iterator[RelayServer]:
    with running(RelayServer(home), office) as server:
        yield server


@pytest.fixture
async def alice(relay: RelayServer, office: Office) -> AsyncIterator[Shop]:
    shop = Shop.open(relay, office, "Alice")
    yield shop
    await shop.close()


@pytest.fixture
def own_office(own_home: Home) -> Iterator[Office]:
    office = Office(own_home)
    yield office
    office.close()
