"""A relay's pure core with Alice's and Charlie's projects."""

from collections.abc import Iterator

import pytest

from relay.core.calls import TRANSITIONS
from tests.relay.core.cast import CoreRelay, Project
from tests.relay.core.journeys import Journeys

ARROWS = {(before, after) for before, arrows in TRANSITIONS.items() for after in arrows}


@pytest.fixture(autouse=True)
def journeys() -> Iterator[Journeys]:
    """In every test calls move as the table says, and not otherwise."""
    with Journeys() as journeys:
        yield journeys
    assert journeys.arrows <= ARROWS


@pytest.fixture
def relay() -> CoreRelay:
    return CoreRelay()


@pytest.fixture
def alice(relay: CoreRelay) -> Project:
    return relay.alice


@pytest.fixture
def charlie(relay: CoreRelay) -> Project:
    return relay.charlie
