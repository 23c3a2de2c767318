"""Workspaces' members, and the profile."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import MOST_TOKENS, AccessToken, User, Workspace
from tests.conftest import PASSWORD


@pytest.fixture
def page(alice: User, client: Client) -> Client:
    client.force_login(alice)
    return client


def role_of(user: User, workspace: Workspace) -> str:
    return workspace.memberships.get(user=user).role


def test_a_name_is_one_line(page: Client, workspace: Workspace) -> None:
    form = {"name": "Acme\nBcc: everybody@example.org"}
    for path in (
        f"/ctx/workspaces/{workspace.pk}/name",
        f"/ctx/workspaces/{workspace.pk}/projects",
        "/ctx/profile/name",
    ):
        assert "one line" in page.post(path, form).text


def test_a_role_is_changed(page: Client, workspace: Workspace, bob: User) -> None:
    membership = workspace.memberships.get(user=bob)
    page.post(f"/ctx/workspaces/{workspace.pk}/members/{membership.pk}", {"role": "owner"})
    assert role_of(bob, workspace) == "owner"


def test_the_last_owner_stays(page: Client, workspace: Workspace, alice: User) -> None:
    membership = workspace.memberships.get(user=alice)
    path = f"/ctx/workspaces/{workspace.pk}/members/{membership.pk}"
    for answer in (page.post(path, {"role": "member"}, follow=True), page.post(f"{path}/remove", follow=True)):
        assert "needs an owner" in answer.text
    assert role_of(alice, workspace) == "owner"


def test_an_owner_removes_a_member(page: Client, workspace: Workspace, bob: User) -> None:
    membership = workspace.memberships.get(user=bob)
    page.post(f"/ctx/workspaces/{workspace.pk}/members/{membership.pk}/remove")
    assert not workspace.memberships.filter(user=bob).exists()


def test_a_member_leaves(client: Client, workspace: Workspace, bob: User) -> None:
    client.force_login(bob)
    membership = workspace.memberships.get(user=bob)
    answer = client.post(f"/ctx/workspaces/{workspace.pk}/members/{membership.pk}/remove")
    assert answer.url == "/ctx"  # type: ignore[attr-defined]
    assert not workspace.memberships.filter(user=bob).exists()


def test_a_workspace_is_renamed(page: Client, workspace: Workspace) -> None:
    assert 'class="errorlist"' in page.post(f"/ctx/workspaces/{workspace.pk}/name", {"name": ""}).text
    page.post(f"/ctx/workspaces/{workspace.pk}/name", {"name": "Acme"})
    workspace.refresh_from_db()
    assert workspace.name == "Acme"


def test_one_changes_ones_name(page: Client, alice: User) -> None:
    assert 'class="errorlist"' in page.post("/ctx/profile/name", {"name": ""}).text
    page.post("/ctx/profile/name", {"name": "Alicia"})
    alice.refresh_from_db()
    assert alice.name == "Alicia"


TOKEN = {"name": "laptop", "days": "30", "scope": "read"}


def test_an_access_token_is_shown_once(page: Client, alice: User) -> None:
    answer = page.post("/ctx/profile/tokens", TOKEN, follow=True)
    token = AccessToken.objects.get()
    [text] = [word for word in answer.text.replace("<", " ").replace(">", " ").split() if word.startswith("gluer_pat_")]
    assert text.endswith(token.hint)
    assert len(text) == len("gluer_pat_") + 32
    assert token.scope == "read"
    assert token.expires_at < timezone.now() + timedelta(days=30)
    assert "no-store" in answer["Cache-Control"]
    assert text not in page.get("/ctx/profile").text


def test_a_new_tokens_page_that_is_loaded_again_makes_no_second_token(page: Client, alice: User) -> None:
    where = page.post("/ctx/profile/tokens", TOKEN).url  # type: ignore[attr-defined]
    assert "gluer_pat_" in page.get(where).text
    again = page.get(where, follow=True)
    assert again.redirect_chain == [("/ctx/profile", 302)]
    assert "is shown once" in again.text
    assert AccessToken.objects.count() == 1


def test_a_token_that_was_not_shown_yet_is_kept_encrypted(page: Client, alice: User) -> None:
    where = page.post("/ctx/profile/tokens", TOKEN).url  # type: ignore[attr-defined]
    assert "gluer_pat_" not in str(page.session.items())
    AccessToken.objects.all().delete()
    assert page.get(where).status_code == 404


def test_a_token_too_many_is_refused(page: Client, alice: User) -> None:
    for number in range(MOST_TOKENS):
        AccessToken.make(alice, str(number))
    answer = page.post("/ctx/profile/tokens", {"name": "one more", "days": "90", "scope": "write"})
    assert f"at most {MOST_TOKENS} access tokens" in answer.text


def test_a_token_is_revoked(page: Client, alice: User) -> None:
    token, _ = AccessToken.make(alice, "laptop")
    page.post(f"/ctx/profile/tokens/{token.pk}/revoke")
    assert not AccessToken.objects.exists()


def test_an_operator_made_by_the_command_can_sign_in(db: None, client: Client) -> None:
    User.objects.create_superuser("op@example.org", PASSWORD, name="Op")
    client.post("/accounts/login/", {"login": "op@example.org", "password": PASSWORD})
    assert client.get("/admin/").status_code == 200
    assert client.get("/ctx").status_code == 200
