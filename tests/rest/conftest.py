"""REST clients of the cast, by personal access token; each compares what it is answered with the schema."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import AccessToken, User
from tests.rest.conformance import ConformingClient

ClientOf = Callable[[User], Client]


@pytest.fixture
def client_of(db: None) -> ClientOf:
    def make(person: User) -> Client:
        _, text = AccessToken.make(person, "tests")
        return ConformingClient(headers={"authorization": f"Bearer {text}"})

    return make
