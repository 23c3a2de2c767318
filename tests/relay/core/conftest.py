"""A relay's pure core with Alice's and Charlie's projects."""

import pytest

from tests.relay.core.cast import CoreRelay, Project


@pytest.fixture
def relay() -> CoreRelay:
    return CoreRelay()


@pytest.fixture
def alice(relay: CoreRelay) -> Project:
    return relay.alice


@pytest.fixture
def charlie(relay: CoreRelay) -> Project:
    return relay.charlie
