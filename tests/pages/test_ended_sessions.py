"""A form that was open while its session ended: after the sign-in its path is asked by GET, and leads to its page."""

import pytest
from django.test import Client

from accounts.models import AccessToken, Invitation, Role, User
from projects.models import Project
from tests.conftest import PASSWORD
from tests.pages.walk import every_path

FORMS = [
    # where the form leads, and its page
    ("/ctx/profile/name", "/ctx/profile"),
    ("/ctx/profile/tokens", "/ctx/profile"),
    ("/ctx/workspaces/{w}/name", "/ctx/workspaces/{w}"),
    ("/ctx/workspaces/{w}/invitations", "/ctx/workspaces/{w}"),
    ("/ctx/workspaces/{w}/invitations/{i}/resend", "/ctx/workspaces/{w}"),
    ("/ctx/workspaces/{w}/invitations/{i}/revoke", "/ctx/workspaces/{w}"),
    ("/ctx/workspaces/{w}/members/{m}", "/ctx/workspaces/{w}"),
    ("/ctx/projects/{p}/keys/{k}/reveal", "/ctx/projects/{p}/keys"),
    ("/ctx/projects/{p}/password/reveal", "/ctx/projects/{p}/settings"),
]


@pytest.fixture
def ids(alice: User, bob: User, project: Project) -> dict[str, object]:
    workspace = project.workspace
    member, owner = workspace.memberships.get(user=bob), workspace.memberships.get(user=alice)
    key, invitation = project.keys.get(kind="private"), Invitation.make(owner, "eve@example.org", Role.MEMBER)
    return {"w": workspace.pk, "p": project.id, "m": member.pk, "k": key.pk, "i": invitation.pk}


@pytest.mark.parametrize(("path", "page"), FORMS)
def test_who_signs_in_before_the_form_is_sent_comes_to_its_page(
    alice: User, ids: dict[str, object], project: Project, client: Client, path: str, page: str
) -> None:
    sent = client.post(path.format(**ids), {"name": "Acme", "role": "owner"})
    log_in = {"login": alice.email, "password": PASSWORD}
    answer = client.post(sent.url, log_in, follow=True)  # type: ignore[attr-defined]
    assert (answer.status_code, answer.redirect_chain[-1][0]) == (200, page.format(**ids))
    assert "send the form again" in answer.text
    assert project.keys.get(kind="private").text not in answer.text


def test_the_answers_to_an_invitation_lead_to_it(alice: User, charlie: User, client: Client) -> None:
    invitation = Invitation.make(alice.memberships.get(), charlie.email, Role.MEMBER)
    link = f"/invitations/{invitation.renew()}"
    assert client.get(f"{link}/decline").url == link  # type: ignore[attr-defined]
    client.force_login(charlie)
    for answer in ("accept", "decline"):
        page = f"/ctx/invitations/{invitation.pk}"
        assert client.get(f"{page}/{answer}").url == page  # type: ignore[attr-defined]
    assert Invitation.objects.pending().exists()


def test_no_address_of_a_page_is_refused_for_its_method(alice: User, ids: dict[str, object], client: Client) -> None:
    User.objects.update(is_staff=True, is_superuser=True)
    token, _ = AccessToken.make(alice, "laptop")
    client.force_login(alice)
    names = {"project_id": ids["p"], "workspace_id": ids["w"], "membership_id": ids["m"], "key_id": ids["k"]}
    paths = every_path(**names, invitation_id=ids["i"], token_id=token.pk)
    refused = [path for path in paths if not path.startswith("/api/") and client.get(path).status_code == 405]
    assert refused == []


@pytest.mark.parametrize(("method", "path"), [("put", "/ctx/profile"), ("delete", "/"), ("post", "/docs")])
def test_another_method_is_refused_by_a_page_that_helps(alice: User, client: Client, method: str, path: str) -> None:
    client.force_login(alice)
    answer = getattr(client, method)(path)
    assert answer.status_code == 405
    assert "GET" in answer["Allow"]
    assert "Go to the dashboard" in answer.text
