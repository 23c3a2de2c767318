"""The functions of the connected back ends, on the project's page."""

import pytest
from django.test import Client

from accounts.models import User
from projects.models import Project


@pytest.mark.usefixtures("two_minds")
def test_the_page_tells_that_two_back_ends_disagree(client: Client, alice: User, project: Project) -> None:
    client.force_login(alice)
    page = client.get(f"/ctx/projects/{project.id}").content.decode()
    assert "<td>random</td>" in page
    assert "before: least_in_flight, not idempotent" in page


def test_without_back_ends_there_is_no_such_table(client: Client, alice: User, project: Project) -> None:
    client.force_login(alice)
    assert "functions-title" not in client.get(f"/ctx/projects/{project.id}").content.decode()
