"""One cluster of the whole session; each test finds it whole, and the cast with new projects."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.cluster.harness.backends import BackEnds
from tests.cluster.harness.cluster import Cluster, running
from tests.cluster.harness.needs import missing
from tests.cluster.harness.shop import ClusterShop

MISSING = missing()
collect_ignore_glob = ["test_*.py"] if MISSING else []


def pytest_report_header() -> list[str]:
    """What cannot run here is said, not skipped in silence."""
    said = []
    if MISSING:
        said.append(f"NOT RUN: tests/cluster needs {', '.join(MISSING)} (as root: .ci/servers installs them)")
    if shutil.which("systemd-analyze") is None:
        said.append("NOT RUN: systemd-analyze over deploy/systemd needs systemd")
    return said


@pytest.fixture(scope="session")
def one_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def cluster(one_cluster: Cluster) -> Iterator[Cluster]:
    yield one_cluster
    one_cluster.mend()


@pytest.fixture
async def alice(cluster: Cluster) -> AsyncIterator[ClusterShop]:
    """Her project."""
    shop = cluster.shop("Alice")
    yield shop
    await shop.close()


@pytest.fixture
async def charlie(cluster: Cluster) -> AsyncIterator[ClusterShop]:
    """A stranger with a project of the same name."""
    shop = cluster.shop("Charlie")
    yield shop
    await shop.close()


@pytest.fixture
def backends(alice: ClusterShop, tmp_path: Path) -> Iterator[BackEnds]:
    """Alice's, each a process."""
    backends = BackEnds(alice, tmp_path)
    yield backends
    backends.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For what a test starts of its own."""
    return tmp_path / "own"
