"""Each test runs through each door."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.end_to_end.door import BehindNginx, Door, OneProcess, Project
from tests.cluster.harness.needs import missing
from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer

ONE, TWO = "one process", "two processes behind nginx"
SETTLING = 10  # s, as shipped


@pytest.fixture(scope="session", params=[ONE] if missing() else [ONE, TWO])
def any_door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    if request.param == TWO:
        yield BehindNginx(request.getfixturevalue("one_cluster"))
        return
    with one_process(tmp_path_factory.mktemp("one") / "home") as door:
        yield door


@contextmanager
def one_process(folder: Path) -> Iterator[OneProcess]:
    """In a home of its own."""
    home = Home(folder)
    home.prepare()
    office = Office(home)
    try:
        with running(RelayServer(home, settling=SETTLING), office) as relay:
            yield OneProcess(relay, office)
    finally:
        office.close()


@pytest.fixture
def door(any_door: Door) -> Iterator[Door]:
    """Whole."""
    yield any_door
    any_door.mend()


@pytest.fixture
async def alice(door: Door, tmp_path: Path) -> AsyncIterator[Project]:
    """Her project."""
    project = await door.project("Alice", tmp_path)
    yield project
    await project.close()


@pytest.fixture
async def charlie(door: Door, tmp_path: Path) -> AsyncIterator[Project]:
    """A stranger with a project of the same name."""
    project = await door.project("Charlie", tmp_path)
    yield project
    await project.close()
