"""A project's page shows what became of its calls in the last hour."""

from django.test import Client

from accounts.models import User
from projects.models import Project
from relay.core.statistics import MEANINGS, Statistics


def test_the_page_says_when_there_were_none(client: Client, alice: User, project: Project) -> None:
    client.force_login(alice)
    html = client.get(f"/ctx/projects/{project.id}").text
    assert "Calls in the last hour" in html
    assert "None in the last hour." in html


def test_the_page_shows_every_outcome_with_its_meaning(
    client: Client, alice: User, project: Project, counted: Statistics
) -> None:
    for name in MEANINGS:
        counted.add(name)
    for _ in range(1_233):
        counted.add("result")
    client.force_login(alice)
    html = client.get(f"/ctx/projects/{project.id}").text
    assert all(f"<code>{name}</code>" in html for name in MEANINGS)
    assert "one session or one address in the project" in html  # what its owner can change, not what its caller does
    assert html.index("<code>result</code></td><td>1,234") < html.index("<code>late</code>")


def test_a_stranger_does_not_see_the_page(client: Client, charlie: User, project: Project, counted: Statistics) -> None:
    counted.add("result")
    client.force_login(charlie)
    assert client.get(f"/ctx/projects/{project.id}").status_code == 404
