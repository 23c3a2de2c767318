"""A project's page shows what became of its calls in the last hour."""

from django.test import Client

from accounts.models import User
from projects.models import Project
from relay.core.statistics import BESIDES, MEANINGS, Statistics
from relay.core.tenant import Tenant
from relay.templatetags.relay_tags import REFUSED_SHOWN, relay


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
    assert html.index("<code>result</code></td><td>1,234") < html.index("<code>app_error</code></td><td>1<")
    assert html.index("<code>app_error</code>") < html.index("<code>callee_lost</code>")  # ties by name
    assert "What else happened" not in html


def test_what_is_no_outcome_stands_apart(client: Client, alice: User, project: Project, counted: Statistics) -> None:
    counted.add("result")
    for name in (*BESIDES, *BESIDES):
        counted.add(name)
    client.force_login(alice)
    html = client.get(f"/ctx/projects/{project.id}").text
    assert html.index("<code>result</code>") < html.index("What else happened") < html.index("<code>forged</code>")
    assert html.index("<code>forged</code>") < html.index("<code>held</code>") < html.index("<code>late</code>")


def test_the_page_shows_what_was_refused_the_most_first(
    client: Client, alice: User, project: Project, tenant: Tenant
) -> None:
    wall = tenant.hub.wall
    for number in range(REFUSED_SHOWN + 5):
        tenant.refusals.add("call", "no_such_function", f"shop:{number:02}", f"192.0.2.{number}", wall)
    for name in ("key", "password", "origin https://evil.example"):
        code = "forbidden" if name.startswith("origin") else "unauthorized"
        for _ in range(2):
            tenant.refusals.add("hello", code, name, "192.0.2.200", wall)
    client.force_login(alice)
    html = client.get(f"/ctx/projects/{project.id}").text
    assert "Refused in the last hour" in html
    assert "connect <code>origin https://evil.example</code></td><td>2</td>" in html
    assert "The key is not known" in html
    assert html.index("connect <code>password</code>") < html.index("call <code>shop:00</code>")
    assert html.index("<code>shop:00</code>") < html.index("<code>shop:01</code>")
    assert "And 8 more" in html
    assert f"/api/v1/projects/{project.id}/calls" in html


def test_a_refused_key_is_seen_though_nobody_of_the_project_was_ever_here(
    client: Client, alice: User, project: Project
) -> None:
    hub = relay().hub
    refusals = hub.strays.of(project.id, "192.0.2.1")
    assert refusals is not None
    refusals.add("hello", "unauthorized", "key", "192.0.2.1", hub.wall)
    client.force_login(alice)
    html = client.get(f"/ctx/projects/{project.id}").text
    hub.strays.take(project.id)
    assert "connect <code>key</code></td><td>1</td>" in html


def test_a_stranger_does_not_see_the_page(client: Client, charlie: User, project: Project, counted: Statistics) -> None:
    counted.add("result")
    client.force_login(charlie)
    assert client.get(f"/ctx/projects/{project.id}").status_code == 404
