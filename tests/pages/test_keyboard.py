"""Pages by keyboard, in a real browser as narrow as a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from accounts.models import AccessToken, Invitation, Role, User
from projects.models import Project
from tests.pages.browser import Browser, browser

FOCUS = "document.activeElement.getAttribute('name')"


@pytest.fixture
def tab(live_server: LiveServer, alice: User, client: Client, tmp_path: Path) -> Iterator[Browser]:
    """A browser of 390 px in which Alice is signed in."""
    client.force_login(alice)
    with browser(tmp_path) as tab:
        tab.command("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=False)
        tab.command("Network.setCookie", name="sessionid", value=client.cookies["sessionid"].value, url=live_server.url)
        yield tab


def press(tab: Browser, key: str) -> None:
    for kind in ("keyDown", "keyUp"):
        tab.command("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key])


KEYS = {"Tab": 9, "ArrowRight": 39}


@pytest.mark.parametrize(
    ("path", "form", "wrong", "field"),
    [
        ("/ctx/projects/{p}/settings", "form[method=post].panel", "allowed_origins.value = 'x'", "allowed_origins"),
        ("/ctx/workspaces/{w}", "form[action$=invitations]", "email.value = 'x'", "email"),
        ("/ctx/projects/{p}/delete", "form.panel", "name.value = 'x'", "name"),
        ("/accounts/password/change/", "main form", "oldpassword.value = 'x'", "oldpassword"),
    ],
)
def test_the_first_wrong_field_of_a_refused_form_has_the_focus(
    tab: Browser, live_server: LiveServer, project: Project, path: str, form: str, wrong: str, field: str
) -> None:
    tab.open(live_server.url + path.format(p=project.id, w=project.workspace_id))
    assert tab.run(FOCUS) is None
    tab.follow(f"form = document.querySelector('{form}'); form.elements.{wrong}; form.noValidate = true; form.submit()")
    tab.until(f"{FOCUS} === '{field}'")


def test_a_sign_in_that_failed_begins_anew_at_its_first_field(tab: Browser, live_server: LiveServer) -> None:
    tab.command("Network.deleteCookies", name="sessionid", url=live_server.url)
    tab.open(f"{live_server.url}/accounts/login/")
    tab.follow("form = document.querySelector('main form'); form.login.value = 'a@b.example'; "
               "form.password.value = 'x'; form.submit()")  # fmt: skip
    tab.until(f"{FOCUS} === 'login'")


def test_what_is_wider_than_the_page_is_scrolled_by_keys(
    tab: Browser, live_server: LiveServer, alice: User, project: Project
) -> None:
    AccessToken.make(alice, "a laptop with a long name")
    tab.open(f"{live_server.url}/ctx/profile")
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")
    for _ in range(40):
        press(tab, "Tab")
        if tab.run("document.activeElement.ariaLabel") == "Access tokens":
            break
    press(tab, "ArrowRight")
    tab.until("document.activeElement.ariaLabel === 'Access tokens' && document.activeElement.scrollLeft > 0")


LONG = "x" * 100
PAGES = ["/ctx", "/ctx/profile", "/ctx/workspaces/{w}", "/ctx/workspaces/{w}/projects", "/ctx/projects/{p}",
         "/ctx/projects/{p}/keys", "/ctx/projects/{p}/settings", "/ctx/projects/{p}/delete", "/docs", "/",
         "/accounts/email/", "/accounts/logout/", "/accounts/password/change/"]  # fmt: skip


def test_no_page_is_wider_than_a_phone(tab: Browser, live_server: LiveServer, alice: User, project: Project) -> None:
    """Whatever names people chose: what is wider scrolls by itself."""
    AccessToken.make(alice, LONG)
    Project.objects.update(name=LONG)
    project.keys.update(name=LONG)
    project.keys.create(kind="private", name=LONG).revoke()
    alice.workspaces.update(name=LONG)
    address = f"{'a' * 60}@{'b' * 60}.example"
    User.objects.filter(pk=alice.pk).update(name=LONG, email=address)
    EmailAddress.objects.filter(user=alice).update(email=address)
    EmailAddress.objects.create(user=alice, email=f"new-{address}")
    Invitation.make(alice.memberships.get(), f"eve-{address}", Role.MEMBER)
    wide = {}
    for path in PAGES:
        tab.open(live_server.url + path.format(p=project.id, w=project.workspace_id))
        wide[path] = tab.run("document.documentElement.scrollWidth - innerWidth")
    assert {path: by for path, by in wide.items() if by > 0} == {}
