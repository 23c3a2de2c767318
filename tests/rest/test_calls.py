"""What became of a project's calls in the last hour, over REST."""

from datetime import datetime

import pytest
from django.test import Client

from accounts.models import User
from projects.models import Project
from relay.core.statistics import Statistics
from relay.core.tenant import Tenant
from tests.rest.conftest import ClientOf


def path(project: Project) -> str:
    return f"/api/v1/projects/{project.id}/calls"


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_members_see_every_outcome(
    request: pytest.FixtureRequest, client_of: ClientOf, project: Project, counted: Statistics, who: str
) -> None:
    for name in ("result", "result", "callee_lost", "late", "rerouted"):
        counted.add(name)
    answer = client_of(request.getfixturevalue(who)).get(path(project))
    assert answer.json() == {
        "last_hour": {"result": 2, "callee_lost": 1},
        "besides": {"late": 1, "rerouted": 1},
        "refused": [],
    }
    assert list(answer.json()["last_hour"]) == ["result", "callee_lost"]


def test_ties_are_told_in_one_order(client_of: ClientOf, alice: User, project: Project, counted: Statistics) -> None:
    for name in ("result", "callee_lost", "app_error", "late", "held"):
        counted.add(name)
    answer = client_of(alice).get(path(project)).json()
    assert list(answer["last_hour"]) == ["app_error", "callee_lost", "result"]
    assert list(answer["besides"]) == ["held", "late"]


def test_what_was_refused_is_told_with_its_names(
    client_of: ClientOf, alice: User, project: Project, tenant: Tenant
) -> None:
    wall = tenant.hub.wall
    for name in ("shop:buy", "shop:add", "shop:buy"):
        tenant.refusals.add("call", "no_such_function", name, "192.0.2.1", wall)
    tenant.refusals.add("hello", "forbidden", "origin https://evil.example", "192.0.2.1", wall)
    refused = client_of(alice).get(path(project)).json()["refused"]
    assert [(row["request"], row["code"], row["name"], row["number"]) for row in refused] == [
        ("call", "no_such_function", "shop:buy", 2),
        ("call", "no_such_function", "shop:add", 1),
        ("hello", "forbidden", "origin https://evil.example", 1),
    ]
    assert datetime.fromisoformat(refused[0]["last"]).timestamp() == pytest.approx(wall, abs=1)


def test_a_project_without_calls_has_none(client_of: ClientOf, alice: User, project: Project) -> None:
    assert client_of(alice).get(path(project)).json() == {"last_hour": {}, "besides": {}, "refused": []}


def test_what_is_older_than_an_hour_is_gone(
    client_of: ClientOf, alice: User, project: Project, counted: Statistics
) -> None:
    counted.add("result")
    counted.turn(counted.minute + 60)
    counted.add("app_error")
    assert client_of(alice).get(path(project)).json()["last_hour"] == {"app_error": 1}


def test_a_stranger_sees_nothing_of_it(
    client_of: ClientOf, charlie: User, project: Project, counted: Statistics
) -> None:
    counted.add("result")
    hers, nowhere = client_of(charlie).get(path(project)), client_of(charlie).get("/api/v1/projects/aaaaaaaaaaaa/calls")
    assert (hers.status_code, nowhere.status_code) == (404, 404)
    assert hers.json() == nowhere.json()
    assert Client().get(path(project)).status_code == 401


@pytest.mark.parametrize("seconds", [0, 60])
def test_how_long_calls_are_held_is_a_setting(client_of: ClientOf, alice: User, project: Project, seconds: int) -> None:
    answer = client_of(alice).patch(
        f"/api/v1/projects/{project.id}", {"hold_seconds": seconds}, content_type="application/json"
    )
    assert answer.json()["hold_seconds"] == seconds
    project.refresh_from_db()
    assert project.hold_seconds == seconds
