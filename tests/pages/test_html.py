"""Every page is well-formed: tags closed in order, ids used once, no form inside a form or a paragraph.

Who uses a keyboard or hears the page can scroll whatever scrolls, and tells its buttons apart by their names.
"""

from html.parser import HTMLParser

import pytest
from django.test import Client

from accounts.models import AccessToken, Invitation, Role, User
from projects.models import Project

VOID = {"meta", "link", "input", "img", "br", "hr"}
NOT_IN_A_PARAGRAPH = {"form", "div", "p", "ul", "table", "section", "h1", "h2", "h3", "pre", "dl"}


class Page(HTMLParser):
    """Collects what is wrong."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.names: set[tuple[str, str]] = set()  # of buttons and of regions
        self.button: str | None = None  # what stands in the one that is open
        self.wrong: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.refuse(tag == "form" and "form" in self.open, "form in form")
        self.refuse(tag in NOT_IN_A_PARAGRAPH and "p" in self.open, f"{tag} in p")
        for name, value in attrs:
            if name == "id" and value:
                self.refuse(value in self.ids, f"id {value} twice")
                self.ids.add(value)
        given = dict(attrs)
        classes = (given.get("class") or "").split()
        if tag == "pre" or "scroll" in classes:
            self.refuse((given.get("tabindex"), given.get("role")) != ("0", "region"), "scrolls and takes no focus")
        if given.get("role") == "region":
            self.name("region", given.get("aria-label") or "")
        if (tag == "button" and "link" not in classes) or (tag == "a" and "button" in classes):
            self.button = ""
        if self.button is not None and given.get("aria-label"):
            self.name("button", given["aria-label"] or "")
            self.button = None
        if tag not in VOID:
            self.open.append(tag)

    def handle_data(self, data: str) -> None:
        if self.button is not None:
            self.button += data

    def name(self, kind: str, name: str) -> None:
        found = (kind, " ".join(name.split()))
        self.refuse(not found[1] or found in self.names, f"{kind} named “{found[1]}” again")
        self.names.add(found)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("button", "a") and self.button is not None:
            self.name("button", self.button)
            self.button = None
        expected = self.open.pop() if self.open else "nothing"
        self.refuse(expected != tag, f"</{tag}> closes {expected}")

    def refuse(self, wrong: bool, sentence: str) -> None:
        if wrong:
            self.wrong.append(f"line {self.getpos()[0]}: {sentence}")


PEOPLE = ["/ctx", "/ctx/profile", "/ctx/workspaces/{w}", "/ctx/workspaces/{w}/projects", "/docs", "/", "/nothing",
          "/accounts/email/", "/accounts/logout/", "/accounts/password/change/"]  # fmt: skip
PROJECTS = [f"/ctx/projects/{{p}}{sub}" for sub in ("", "/keys", "/settings", "/delete", "/password/regenerate")]
STRANGERS = ["/", "/docs", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"]


@pytest.mark.parametrize("path", PEOPLE + PROJECTS)
@pytest.mark.parametrize("name", ["alice", "bob"])
def test_pages_for_people(alice: User, bob: User, project: Project, client: Client, name: str, path: str) -> None:
    project.keys.create(kind="private", name="old").revoke()
    person = {"alice": alice, "bob": bob}[name]
    AccessToken.make(person, "laptop")
    client.force_login(person)
    assert Page(client.get(path.format(p=project.id, w=project.workspace_id)).text).wrong == []


@pytest.mark.parametrize("path", STRANGERS)
def test_pages_for_strangers(db: None, client: Client, path: str) -> None:
    assert Page(client.get(path).text).wrong == []


def test_pages_about_an_invitation(alice: User, charlie: User, client: Client) -> None:
    invitation = Invitation.make(alice.memberships.get(), charlie.email, Role.MEMBER)
    link, workspace = f"/invitations/{invitation.renew()}", f"/ctx/workspaces/{invitation.workspace_id}"
    pages = [client.get(link), client.get("/invitations/x")]
    for person in (alice, charlie):
        client.force_login(person)
        pages += [client.get(path, follow=True) for path in (link, "/ctx", workspace)]
    for page in pages:
        assert Page(page.text).wrong == []
        assert "style=" not in page.text


@pytest.mark.parametrize("path", ["/ctx/profile/name", "/ctx/profile/tokens", "/ctx/workspaces/{w}/invitations"])
def test_pages_with_errors(alice: User, project: Project, client: Client, path: str) -> None:
    client.force_login(alice)
    assert Page(client.post(path.format(w=project.workspace_id)).text).wrong == []
