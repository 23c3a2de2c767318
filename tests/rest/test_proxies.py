"""Behind a trusted proxy the throttle counts the address that the proxy tells, not what the client says before it."""

import httpx

from tests.relay.conftest import home, office, prepared, running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer

__all__ = ["home", "office", "prepared"]  # fixtures


def test_one_address_has_one_throttle_whatever_it_says(home: Home, office: Office) -> None:
    server = RelayServer(home)
    server.settings |= {"GLUER_TRUSTED_PROXIES": "127.0.0.1", "GLUER_REST_RATE": "2/hour"}

    def asked(forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded}
        return httpx.get(f"{server.http}/api/schema", headers=headers, trust_env=False).status_code

    with running(server, office):
        assert [asked(f"10.0.0.{number}, 192.0.2.7") for number in range(3)] == [200, 200, 429]
        assert asked("192.0.2.8") == 200
