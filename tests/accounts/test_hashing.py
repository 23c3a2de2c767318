"""Hashing passwords: two at a time, at the cost that OWASP advises, and 503 when there is no turn."""

from collections.abc import Iterator
from threading import Event

import pytest
from argon2 import PasswordHasher
from django.contrib.auth.hashers import make_password
from django.test import Client
from pytest_django import Settings

from accounts import hashing
from accounts.models import User
from tests.conftest import PASSWORD

LOG_IN = {"login": "alice@example.org", "password": PASSWORD}
NEW = {"password1": "a whole new secret", "password2": "a whole new secret"}
CHEAP = "argon2" + PasswordHasher(time_cost=1, memory_cost=1024, parallelism=8).hash(PASSWORD)
DORA = {"name": "Dora", "email": "dora@example.org", "password1": PASSWORD, "password2": PASSWORD}


@pytest.fixture(autouse=True)
def _real_passwords(settings: Settings, _fast_passwords: None) -> None:
    settings.PASSWORD_HASHERS = ["accounts.hashing.BoundedArgon2"]


@pytest.fixture
def _busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As many hashes as there may be go on and on."""
    end = Event()
    taken = [hashing.threads.submit(end.wait) for _ in range(hashing.AT_ONCE)]
    monkeypatch.setattr(hashing, "LONGEST_WAIT", 0.01)
    yield
    end.set()
    assert all(work.result() for work in taken)


def test_a_hash_costs_what_owasp_advises(db: None) -> None:
    assert make_password(PASSWORD).startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_hash_of_another_cost_is_made_anew_at_the_next_log_in(alice: User, client: Client) -> None:
    alice.password = CHEAP
    alice.save()
    client.post("/accounts/login/", LOG_IN)
    alice.refresh_from_db()
    assert "$m=19456,t=2,p=1$" in alice.password
    assert client.get("/ctx").status_code == 200


@pytest.mark.usefixtures("_busy")
@pytest.mark.parametrize(
    ("path", "form"), [("login", LOG_IN), ("signup", DORA), ("password/change", {"oldpassword": PASSWORD, **NEW})]
)
def test_who_finds_no_turn_is_told_to_come_again(client: Client, path: str, form: dict[str, str], db: None) -> None:
    alice = User.objects.create(email="alice@example.org", name="Alice", password=CHEAP)
    if path == "password/change":
        client.force_login(alice)
    answer = client.post(f"/accounts/{path}/", form)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "Try again in some seconds" in answer.text
    assert not User.objects.exclude(pk=alice.pk).exists()


@pytest.mark.usefixtures("_busy")
def test_an_operator_who_finds_no_turn_is_told_to_come_again(client: Client, db: None) -> None:
    operator = User.objects.create(email="op@example.org", name="Op", is_staff=True, is_superuser=True)
    client.force_login(operator)
    form = {**DORA, "usable_password": "true"}
    assert client.post("/admin/accounts/user/add/", form).status_code == 503
    assert User.objects.count() == 1
