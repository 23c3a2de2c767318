"""What no browser sends: never a 500."""

import pytest
from django.test import Client

from accounts.models import User
from projects.models import Project

HUGE = 10**30


@pytest.mark.parametrize(
    "path",
    [f"/ctx/workspaces/{HUGE}", f"/ctx/projects/{{p}}/keys/{HUGE}/revoke", f"/ctx/profile/tokens/{HUGE}/revoke",
     "/ctx/projects/" + "a" * 500, "/ctx/projects/%00", f"/api/v1/workspaces/{HUGE}/usage"],
)  # fmt: skip
def test_ids_that_cannot_be_are_not_found(alice: User, project: Project, client: Client, path: str) -> None:
    client.force_login(alice)
    assert client.get(path.format(p=project.id)).status_code == 404


@pytest.mark.parametrize("name", ["\x00", "\ud800", "a\u2028b", "x" * 100_000])
def test_any_name_is_refused_or_taken(alice: User, project: Project, client: Client, name: str) -> None:
    client.force_login(alice)
    form = {"name": name.encode("utf-8", "surrogatepass")}
    answer = client.post(f"/ctx/workspaces/{project.workspace_id}/projects", form)
    assert answer.status_code in (302, 400)
