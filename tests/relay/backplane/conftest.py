"""Two processes, a page on the first and a back end on the second."""

import pytest

from tests.relay.backplane.network import ADD, Network
from tests.relay.core.cast import Peer


@pytest.fixture
def network() -> Network:
    return Network(2)


@pytest.fixture
def page(network: Network) -> Peer:
    return network.alice(0).frontend()


@pytest.fixture
def server(network: Network) -> Peer:
    server = network.alice(1).backend(ADD)
    network.settle()
    return server
