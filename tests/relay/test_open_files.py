"""Connections leave a relay the open files that it needs itself."""

from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse

import pytest

from gluer_site.serve import OWN_FILES
from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer

FILES = OWN_FILES + 20


class Narrow(RelayServer):
    """It may open few files."""

    def command(self) -> list[str]:
        return ["sh", "-c", f'ulimit -n {FILES}; exec "$@"', "sh", *super().command()]


@pytest.fixture
def relay(home: Home, office: Office) -> Iterator[RelayServer]:
    with running(Narrow(home), office) as server:
        yield server


def test_a_relay_full_of_connections_refuses_more_and_serves_those_it_has(relay: RelayServer) -> None:
    with ExitStack() as stack:

        def connection() -> HTTPConnection:
            client = HTTPConnection("127.0.0.1", relay.port, timeout=20)
            stack.callback(client.close)
            client.connect()
            return client

        first, *_ = [connection() for _ in range(FILES - OWN_FILES)]
        refused = HTTPResponse(connection().sock)
        refused.begin()  # without a request
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        first.request("GET", "/accounts/login/")  # for which it opens its database and its files
        assert first.getresponse().status == 200
