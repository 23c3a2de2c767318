"""REST clients of the cast, by personal access token."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import AccessToken, User

ClientOf = Callable[[User], Client]


@pytest.fixture
def client_of(db: None) -> ClientOf:
    def make(person: User) -> Client:
        _, text = AccessToken.make(person, "tests")
        return Client(headers={"authorization": f"Bearer {text}"})

    return make
