"""Operators do what their permissions say, and nobody makes themselves more than they are."""

from collections.abc import Iterator

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import Invitation, Role, User
from projects.models import Project
from tests.conftest import PASSWORD, person
from tests.pages.walk import admin_paths

OTHERS_MATTER = ("sessions", "contenttypes")  # apps whose rows a look around may change


def operator(client: Client, *permissions: str) -> User:
    """Otto may do these things, and is signed in."""
    otto = person("Otto")
    User.objects.filter(pk=otto.pk).update(is_staff=True)
    codes = Permission.objects.filter(codename__in=permissions)
    assert len(codes) == len(permissions)
    otto.user_permissions.set(codes)
    client.force_login(otto)
    return otto


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root@example.org", PASSWORD, name="Root")


def everything() -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    models = [model for model in apps.get_models() if model._meta.app_label not in OTHERS_MATTER]
    return {model._meta.label: list(model._default_manager.order_by("pk").values_list()) for model in models}


def actions() -> Iterator[tuple[str, dict[str, object]]]:
    """Each action of each model's list, as the list would post it for all rows."""
    for model, pages in admin.site._registry.items():
        rows = [str(pk) for pk in model._default_manager.values_list("pk", flat=True)]
        for name in ("delete_selected", *[str(action) for action in pages.actions or ()]):
            where = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            yield where, {"action": name, "_selected_action": rows, "post": "yes"}


def test_who_may_look_changes_nothing(root: User, project: Project, client: Client) -> None:
    names = Permission.objects.filter(codename__startswith="view_").values_list("codename", flat=True)
    operator(client, *set(names))
    Invitation.make(project.workspace.memberships.get(), "dora@example.org", Role.MEMBER)
    before = everything()
    for path in admin_paths():
        assert client.get(f"/{path}").status_code in (200, 302, 403, 405), path
        client.post(f"/{path}", {"post": "yes", "name": "x", "is_superuser": "on", "password1": "x", "password2": "x"})
    for where, form in actions():
        client.post(where, form)
    assert everything() == before


def test_actions_ask_for_the_permission_to_change(project: Project, client: Client) -> None:
    operator(client, "view_key", "change_key", "view_project")
    for where, form in actions():
        client.post(where, form)
    project.refresh_from_db()
    assert not project.keys.filter(revoked_at=None).exists()
    assert Project.objects.filter(encrypted_password=project.encrypted_password).exists()


FORM = {"email": "otto@attacker.example", "name": "O", "is_active": "on", "is_staff": "on", "is_superuser": "on"}


def test_nobody_gives_themselves_rights(alice: User, client: Client) -> None:
    otto = operator(client, "view_user", "change_user", "add_user", "delete_user")
    everything_else = [permission.pk for permission in Permission.objects.all()]
    for who in (otto, alice):
        client.post(f"/admin/accounts/user/{who.pk}/change/", {**FORM, "user_permissions": everything_else})
        who.refresh_from_db()
        assert not who.is_superuser
    assert (alice.is_staff, alice.name, otto.name) == (False, "O", "Otto")
    assert otto.user_permissions.count() == 4
    assert not alice.user_permissions.exists()


def test_a_new_person_is_no_operator(db: None, client: Client) -> None:
    operator(client, "view_user", "change_user", "add_user")
    client.post("/admin/accounts/user/add/", {**FORM, "password1": PASSWORD, "password2": PASSWORD})
    made = User.objects.get(email=FORM["email"])
    assert (made.is_staff, made.is_superuser) == (False, False)


def test_only_superusers_change_other_operators(root: User, client: Client) -> None:
    operator(client, "view_user", "change_user", "delete_user", "view_workspace", "delete_workspace")
    other = person("Olga")
    User.objects.filter(pk=other.pk).update(is_staff=True)
    before = everything()
    for who in (root, other):
        where = f"/admin/accounts/user/{who.pk}/"
        new = {"password1": "a whole new secret", "password2": "a whole new secret", "usable_password": "true"}
        assert client.post(f"{where}change/", FORM).status_code == 403
        assert client.post(f"{where}password/", {**new, "set-password": "1"}).status_code == 403
        assert client.post(f"{where}delete/", {"post": "yes"}).status_code == 403
    form = {"action": "delete_selected", "_selected_action": [str(root.pk), str(other.pk)], "post": "yes"}
    client.post("/admin/accounts/user/", form)
    assert everything() == before


def test_no_page_puts_a_confirmed_address_to_somebody_elses_account(root: User, client: Client) -> None:
    client.force_login(root)
    assert client.get("/admin/account/emailaddress/").status_code == 404
    assert client.get("/admin/account/emailaddress/add/").status_code == 404


def test_an_address_that_no_mail_reaches_is_confirmed_by_an_operator(
    root: User, alice: User, bob: User, client: Client
) -> None:
    operator(client, "view_user", "change_user")
    EmailAddress.objects.exclude(user=bob).update(verified=False)  # Alice, Root and Otto
    EmailAddress.objects.create(user=bob, email="bob@new.example")  # which Bob has not confirmed
    form = {"action": "confirm_addresses", "_selected_action": [alice.pk, bob.pk, root.pk]}
    client.post("/admin/accounts/user/", form)
    confirmed = EmailAddress.objects.filter(verified=True).order_by("email")
    assert [address.email for address in confirmed] == [alice.email, bob.email]  # an operator's is not
