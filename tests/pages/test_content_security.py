"""The Content-Security-Policy: on every answer of the site, and no page needs more than it allows."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import Invitation, Role, User, Workspace
from projects.models import Project
from tests.conftest import PASSWORD
from tests.pages.browser import Browser, browser
from tests.pages.walk import NAME, every_path

STRANGERS = ["/", "/docs", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/nothing"]
WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) => violations.push(
  `${event.effectiveDirective}: ${event.blockedURI} ${event.sourceFile}:${event.lineNumber} ${event.sample}`));
"""


@pytest.fixture
def ids(alice: User, bob: User, charlie: User, project: Project) -> dict[str, object]:
    """Alice may do anything, and is invited by Charlie; all names are HTML."""
    User.objects.update(name=NAME)
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    Workspace.objects.update(name=NAME)
    Project.objects.update(name=NAME)
    key = project.keys.get(kind="private")
    member = project.workspace.memberships.get(user=bob)
    ids = {"project_id": project.id, "workspace_id": project.workspace_id}
    invitation = Invitation.make(charlie.memberships.get(), alice.email, Role.MEMBER)
    own = {"invitation_id": invitation.pk, "text": invitation.renew()}
    return {**ids, **own, "key_id": key.pk, "membership_id": member.pk}


@pytest.fixture
def tab(live_server: LiveServer, ids: dict[str, object], alice: User, client: Client, tmp_path: Path) -> Iterator[Any]:
    """A browser in which Alice is signed in, and which notes what the policy stops."""
    client.force_login(alice)
    with browser(tmp_path) as tab:
        tab.command("Network.setCookie", name="sessionid", value=client.cookies["sessionid"].value, url=live_server.url)
        tab.command("Page.enable")
        tab.command("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        yield tab


def is_strict(policy: str) -> bool:
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    closed = ("default-src", "base-uri", "frame-ancestors", "object-src")
    return (
        all(rules[name] == "'none'" for name in closed)
        and all(rules[name] == "'self'" for name in ("script-src", "style-src", "form-action"))
        and "unsafe" not in policy
    )


def test_every_answer_has_a_strict_policy(ids: dict[str, object], alice: User, client: Client) -> None:
    for person in (None, alice):
        if person:
            client.force_login(person)
        for path in [*every_path(**ids), *STRANGERS, "/static/gluer.css", "/static/nothing.css"]:
            assert is_strict(client.get(path).headers["Content-Security-Policy"]), path


def test_errors_have_it_too(alice: User, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(alice)
    wrong_host = client.get("/", headers={"host": "attacker.example"})
    no_csrf = client.post("/ctx/profile/name", {"name": "x"})
    monkeypatch.setattr("accounts.pages.profile.page", lambda request: 1 / 0)
    broken = client.get("/ctx/profile")
    for answer, status in ((wrong_host, 400), (no_csrf, 403), (broken, 500)):
        assert answer.status_code == status
        assert is_strict(answer.headers["Content-Security-Policy"])


def test_no_page_needs_more_than_the_policy_allows(
    tab: Browser, live_server: LiveServer, ids: dict[str, object]
) -> None:
    paths = [path for path in every_path(**ids) if not path.startswith(("/sdk/", "/api/"))]
    unlike = {re.sub(r"/[^/]+/(change|history|delete)/$", r"/\1", path): path for path in paths}  # a row of each model
    for path in [*unlike.values(), "/nothing"]:
        tab.open(f"{live_server.url}{path}")
        assert tab.run("window.violations") == [], path
        assert tab.run("window.ran") is None, path


def test_the_hostile_name_of_a_project_runs_no_script(
    tab: Browser, live_server: LiveServer, ids: dict[str, object]
) -> None:
    tab.open(f"{live_server.url}/ctx/projects/{ids['project_id']}/delete")
    assert NAME in tab.run("document.querySelector('.helptext').textContent")
    assert tab.run("window.ran") is None


def test_the_policy_alone_stops_a_script_that_gets_into_a_page(
    tab: Browser, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch, ids: dict[str, object]
) -> None:
    monkeypatch.setattr("projects.forms.format_html", lambda form, name: form.format(name))  # as it was
    tab.open(f"{live_server.url}/ctx/projects/{ids['project_id']}/delete")
    tab.until("window.violations.length >= 2")
    assert tab.run("window.ran") is None


def test_a_form_posted_in_a_browser_arrives(tab: Browser, live_server: LiveServer, alice: User) -> None:
    """`form-action` lets the site's own forms go where they lead."""
    tab.open(f"{live_server.url}/ctx/profile")
    form = "document.querySelector('form[action$=\"/profile/name\"]')"
    tab.follow(f"{form}.elements.name.value = 'Alicia'; {form}.querySelector('button').click()")
    alice.refresh_from_db()
    assert (alice.name, alice.check_password(PASSWORD)) == ("Alicia", True)
    assert tab.run("window.violations") == []
