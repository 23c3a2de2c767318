"""Access tokens: what one may do, how long it lives, and what ends it."""

import re
from datetime import timedelta
from importlib import import_module

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import LONGEST_TOKEN_LIFE, AccessToken, Scope, User
from projects.models import Change, Project
from tests.conftest import PASSWORD
from tests.pages.test_signup import link_in
from tests.pages.walk import every_path

NEW = "a whole new secret"
WRITES = ("post", "put", "patch", "delete")


def client_with(person: User, scope: str = Scope.WRITE) -> Client:
    _, text = AccessToken.make(person, "tests", scope=scope)
    return Client(headers={"authorization": f"Bearer {text}"})


def works(client: Client) -> bool:
    return client.get("/api/v1/projects").status_code == 200


def test_a_token_that_may_only_read_changes_nothing_and_sees_no_secret(alice: User, project: Project) -> None:
    client, key = client_with(alice, Scope.READ), project.keys.get(kind="private")
    Change.objects.all().delete()
    ids = {"project_id": project.id, "workspace_id": project.workspace_id, "key_id": key.pk}
    for path in every_path(**ids):
        if not path.startswith("/api/v1/"):
            continue
        answers = {method: getattr(client, method)(path) for method in (*WRITES, "get")}
        for method in WRITES:
            assert answers[method].status_code in (403, 405), (method, path)
        for secret in (key.text, project.password):
            assert all(secret not in answer.text for answer in answers.values()), path
        if answers["get"].status_code == 405:
            assert answers["post"].json()["code"] == "read_only_token" or path.endswith(f"/keys/{key.pk}")
    assert works(client)
    assert not Change.objects.exists()


def test_a_token_that_may_write_does_what_its_owner_may(alice: User, bob: User, project: Project) -> None:
    where = f"/api/v1/projects/{project.id}/password/reveal"
    assert client_with(alice).post(where).json() == {"secret": project.password}
    assert client_with(bob).post(where).status_code == 403


def test_no_token_lives_longer_than_a_year(alice: User, client: Client) -> None:
    with pytest.raises(ValidationError, match="at most 365 days"):
        AccessToken.make(alice, "old", timezone.now() + LONGEST_TOKEN_LIFE + timedelta(minutes=1))
    client.force_login(alice)
    for days in ("", "366", "100000", "-1", "ever"):
        client.post("/ctx/profile/tokens", {"name": "old", "days": days, "scope": "write"})
    assert not AccessToken.objects.exists()
    client.post("/ctx/profile/tokens", {"name": "a year", "days": "365", "scope": "write"})
    assert AccessToken.objects.get().expires_at <= timezone.now() + LONGEST_TOKEN_LIFE


def test_a_token_of_nobodys_choice_lives_for_90_days(alice: User) -> None:
    token, _ = AccessToken.make(alice, "laptop")
    assert timedelta(days=89) < token.expires_at - timezone.now() < timedelta(days=91)


def test_tokens_from_before_go_on_for_a_year(alice: User) -> None:
    client = client_with(alice)
    AccessToken.objects.update(expires_at=timezone.now() + timedelta(days=4_000))
    import_module("accounts.migrations.0005_token_scopes").bound_expiry(apps, None)
    assert AccessToken.objects.get().expires_at <= timezone.now() + LONGEST_TOKEN_LIFE
    assert works(client)
    assert AccessToken._meta.get_field("scope").default == Scope.WRITE


def test_a_change_of_the_password_ends_ones_tokens_and_nobody_elses(alice: User, bob: User, client: Client) -> None:
    hers, his = client_with(alice), client_with(bob)
    client.force_login(alice)
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    assert (works(hers), works(his)) == (False, True)


def test_a_reset_of_the_password_ends_them(alice: User, client: Client, mailoutbox: list[EmailMessage]) -> None:
    hers = client_with(alice)
    client.post("/accounts/password/reset/", {"email": alice.email})
    link = re.search(r"http://\S+?(/accounts/\S+)", str(mailoutbox[0].body))
    assert link
    assert works(hers)
    page = client.get(link[1], follow=True)
    client.post(page.redirect_chain[-1][0], {"password1": NEW, "password2": NEW})
    assert not works(hers)


def test_a_password_by_an_operator_ends_them(alice: User, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    hers = client_with(alice)
    client.force_login(User.objects.create_superuser("root@example.org", PASSWORD, name="Root"))
    form = {"password1": NEW, "password2": NEW, "usable_password": "true", "set-password": "1"}
    client.post(f"/admin/accounts/user/{alice.pk}/password/", form)
    assert not works(hers)
    hers = client_with(alice)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "another whole new secret")
    call_command("changepassword", alice.email, verbosity=0)
    assert not works(hers)


def test_an_operator_who_ends_a_password_ends_them(alice: User, client: Client) -> None:
    hers = client_with(alice)
    client.force_login(User.objects.create_superuser("root@example.org", PASSWORD, name="Root"))
    client.post(f"/admin/accounts/user/{alice.pk}/password/", {"usable_password": "false", "unset-password": "1"})
    alice.refresh_from_db()
    assert not alice.has_usable_password()
    assert not works(hers)


def test_a_first_confirmation_in_another_browser_ends_them(
    alice: User, client: Client, mailoutbox: list[EmailMessage]
) -> None:
    """Whoever chose the password may have made tokens with it, before addresses had to be confirmed."""
    hers = client_with(alice)
    EmailAddress.objects.filter(user=alice).update(verified=False)
    client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    assert works(hers)
    Client().post(link_in(mailoutbox[0]))
    assert not works(hers)


def test_signing_in_ends_none_even_when_the_password_is_hashed_anew(
    alice: User, client: Client, settings: Settings
) -> None:
    hers = client_with(alice)
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    User.objects.update(password=make_password(PASSWORD, hasher="md5"))
    client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    alice.refresh_from_db()
    assert alice.password.startswith("pbkdf2")
    alice.name = "Alicia"
    alice.save()
    assert works(hers)


def test_what_a_program_forgets_at_first_is_told(alice: User, client: Client) -> None:
    """As curl sends it: without a token, and with the Content-Type of a form."""
    answer = client.get("/api/v1/projects")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert "`Authorization: Bearer gluer_pat_…`" in answer.json()["detail"]
    form = client_with(alice).post("/api/v1/projects", '{"name": "Shop"}', "application/x-www-form-urlencoded")
    assert form.status_code == 415
    assert "`Content-Type: application/json`" in form.json()["detail"]
