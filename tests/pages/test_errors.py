import logging
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from accounts.models import AccessToken, User


def test_an_unknown_path_is_a_page_that_helps(alice: User, client: Client) -> None:
    answer = client.get("/nothing/here")
    assert answer.status_code == 404
    assert "Go to the start page" in answer.text
    client.force_login(alice)
    assert "Go to the dashboard" in client.get("/nothing/here").text


@pytest.mark.parametrize("path", ["/v1/", "/v1/call", "/v1/call/", "/v1/calls/calculator:add", "/v1/ws/shop"])
def test_an_unknown_path_of_the_bus_is_a_problem_that_helps(client: Client, path: str) -> None:
    for method in ("GET", "POST"):
        answer = client.generic(method, path, headers={"authorization": "Bearer gluer_pub_shop_x"})
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
        assert "POST /v1/call/NAME" in answer.json()["detail"]


def test_a_bug_is_a_page_that_needs_nothing(client: Client) -> None:
    from django.template.loader import render_to_string

    assert "Something broke" in render_to_string("500.html")


def test_a_refusal_says_who_may(bob: User, workspace: object, client: Client) -> None:
    client.force_login(bob)
    answer = client.post(f"/ctx/workspaces/{bob.memberships.latest('id').workspace_id}/name")
    assert "Only owners of this workspace may do this" in answer.text


def test_too_many_requests_are_refused_by_a_page_that_says_when(client: Client, settings: Settings, db: None) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "signup": "1/m/ip"}
    client.post("/accounts/signup/", {})
    answer = client.post("/accounts/signup/", {})
    assert answer.status_code == 429
    assert "Wait a minute and try again" in answer.text


@pytest.mark.parametrize(
    ("path", "page"), [("/ctx/", "/ctx"), ("/docs/?a=1", "/docs?a=1"), ("/ctx/profile/", "/ctx/profile")]
)
def test_a_slash_too_many_leads_to_the_page(client: Client, path: str, page: str, db: None) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer["Location"]) == (301, page)


@pytest.mark.parametrize("path", ["/nothing/", "/%2Fattacker.example/", "/docs//", "/sdk/", "/accounts/x/"])
def test_other_addresses_that_end_in_a_slash_are_not_found(client: Client, path: str, db: None) -> None:
    assert client.get(path).status_code == 404


def test_a_form_and_rest_are_led_nowhere(alice: User, client: Client) -> None:
    client.force_login(alice)
    assert client.post("/ctx/profile/name/", {"name": "x"}).status_code == 404
    assert client.get("/api/v1/projects/").status_code == 404


@pytest.fixture
def read_only(alice: User) -> Iterator[None]:
    """SQLite refuses to write, as where its folder is mounted read-only."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only=1")
        yield
        cursor.execute("PRAGMA query_only=0")


@pytest.mark.django_db(transaction=True)
def test_a_disk_that_cannot_be_written_is_told_to_who_asks_and_once_to_the_log(
    alice: User, client: Client, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    _, token = AccessToken.make(alice, "tests")
    client.force_login(alice)
    request.getfixturevalue("read_only")
    with caplog.at_level(logging.WARNING, "gluer_site.unavailable"):
        page = client.post(f"/ctx/workspaces/{alice.workspaces.get().id}/name", {"name": "Office"})
        rest = client.post("/api/v1/projects", {"name": "Shop"}, headers={"authorization": f"Bearer {token}"})
    for answer in (page, rest):
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert "The disk of this site is full or cannot be written, and nothing was changed" in answer.text
    assert rest["Content-Type"] == "application/problem+json"
    told = [record.getMessage() for record in caplog.records if record.name == "gluer_site.unavailable"]
    assert len(told) == 1
    assert "attempt to write a readonly database" in told[0]
    assert "Make room on its disk or make it writable" in told[0]
