"""The functions of the connected back ends, over REST."""

import pytest

from accounts.models import User
from projects.models import Project
from tests.rest.conftest import ClientOf


def path(project: Project) -> str:
    return f"/api/v1/projects/{project.id}/functions"


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.usefixtures("two_minds")
def test_the_latest_registration_holds_and_what_it_changed_is_told(
    request: pytest.FixtureRequest, client_of: ClientOf, project: Project, who: str
) -> None:
    assert client_of(request.getfixturevalue(who)).get(path(project)).json()["results"] == [
        {
            "name": "calculator:add",
            "policy": "random",
            "idempotent": True,
            "servers": 2,
            "before": "least_in_flight, not idempotent",
        }
    ]


def test_a_project_without_back_ends_has_none(client_of: ClientOf, alice: User, project: Project) -> None:
    assert client_of(alice).get(path(project)).json()["results"] == []


@pytest.mark.usefixtures("two_minds")
def test_a_stranger_sees_nothing_of_it(client_of: ClientOf, charlie: User, project: Project) -> None:
    assert client_of(charlie).get(path(project)).status_code == 404
