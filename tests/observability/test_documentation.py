"""docs/metrics.md names every metric, with its labels, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded.installation import until
from tests.observability.scraped import Scraped
from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer
from tests.relay.harness.worker import broker

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/metrics.md"
PART = re.compile(r"_(bucket|count|sum)$")
Labels = dict[str, set[str]]


def documented() -> Labels:
    rows = [line.split("|") for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    return {cells[1].strip(" `"): set(filter(None, re.split(r"[, ]+", cells[2]))) for cells in rows}


def told(relay: RelayServer) -> Labels:
    labels: Labels = {}
    for name, given in Scraped(relay).samples:
        if name.startswith("gluer_"):
            labels.setdefault(PART.sub("", name), set()).update(label for label, _ in given)
    return labels


@pytest.fixture(scope="module")
def joined(home: Home, office: Office, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayServer]:
    """A relay that has a backplane, and nobody else on it."""
    server = RelayServer(home)
    with broker(tmp_path_factory.mktemp("broker")) as url:
        server.settings |= {"REDIS_URL": url, "GLUER_BACKPLANE": "redis"}
        with running(server, office):
            yield server


def test_every_metric_is_documented_and_nothing_else(joined: RelayServer) -> None:
    assert documented() == told(joined)


def test_a_relay_tells_of_its_backplane(joined: RelayServer) -> None:
    until(lambda: Scraped(joined).value("gluer_backplane_up") == 1, "its own echo", 5)
    until(lambda: Scraped(joined).value("gluer_backplane_lag_seconds") > 0, "a lag", 5)
    now = Scraped(joined)
    assert now.value("gluer_backplane_processes") == 0
    assert now.value("gluer_dependency_up", dependency="redis") == 1


def test_a_relay_that_is_alone_has_no_backplane(relay: RelayServer) -> None:
    assert told(relay) == {name: labels for name, labels in documented().items() if "backplane" not in name}
