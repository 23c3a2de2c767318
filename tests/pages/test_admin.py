"""The admin site: for operators only, every model, no secret."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.utils import timezone

from accounts.models import AccessToken, Invitation, Role, User, Workspace
from billing.models import Plan, UsageBatch, UsageCount, UsageHour, UsageMonth, UsageNotice, UsageSpike, WorkspacePlan
from gluer_site.logs import logging_settings
from projects.models import Change, Key, Project
from tests.conftest import PASSWORD

OURS = [model for app in ("accounts", "projects", "billing") for model in apps.get_app_config(app).get_models()]


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create_superuser("op@example.org", PASSWORD, name="Op")


@pytest.fixture
def page(operator: User, client: Client) -> Client:
    client.force_login(operator)
    return client


@pytest.fixture
def rows(project: Project, alice: User) -> list[str]:
    """A row of every model; the secrets among them."""
    now = timezone.now()
    ids = {"workspace_id": project.workspace_id, "project_id": project.id}
    _, token = AccessToken.make(alice, "laptop")
    invitation = Invitation.make(alice.memberships.get(), "dora@example.org", Role.MEMBER)
    link = invitation.renew()
    WorkspacePlan.objects.create(workspace=project.workspace, plan=Plan.objects.get())
    batch = UsageBatch.objects.create(process="p", sequence=1, sealed_at=now)
    UsageCount.objects.create(batch=batch, minute=now, requests=1, **ids)
    UsageHour.objects.create(hour=now, requests=1, **ids)
    UsageMonth.objects.create(month=now.date(), requests=1, **ids)
    UsageNotice.objects.create(workspace_id=project.workspace_id, month=now.date(), percent=80)
    UsageSpike.objects.create(workspace_id=project.workspace_id, hour=now)
    keys = [secret for key in project.keys.all() for secret in (key.text, key.encrypted, key.digest)]
    digests = [AccessToken.objects.get().digest, project.password_digest, project.encrypted_password]
    return [*keys, *digests, project.password, token, alice.password, link, invitation.digest]


def test_every_model_of_ours_is_there(page: Client) -> None:
    assert [model for model in OURS if model not in admin.site._registry] == []


@pytest.mark.parametrize("model", OURS)
def test_no_page_shows_a_secret(page: Client, rows: list[str], model: type) -> None:
    where = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"  # type: ignore[attr-defined]
    html = page.get(where).text + page.get(f"{where}?q=a").text
    for row in model._default_manager.all():  # type: ignore[attr-defined]
        answer = page.get(f"{where}{row.pk}/change/")
        assert answer.status_code == 200
        html += answer.text + page.get(f"{where}{row.pk}/history/").text
    assert [secret for secret in rows if secret in html] == []


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_it_is_for_operators_only(alice: User, client: Client, name: str) -> None:
    if name == "alice":
        client.force_login(alice)
    answer = client.get("/admin/", follow=True)
    assert answer.status_code == (403 if name == "alice" else 200)
    if name == "nobody":
        assert answer.redirect_chain[-1][0].startswith("/accounts/login/")


def test_a_project_added_here_is_complete(page: Client, workspace: Workspace) -> None:
    numbers = {"hold_seconds": 3, "session_rate": 7, "address_rate": 70}
    form = {"workspace": workspace.pk, "name": "Shop", "allowed_origins": "[]", **numbers}
    assert page.post("/admin/projects/project/add/", form).status_code == 302
    project = Project.objects.get()
    assert sorted(project.keys.values_list("kind", flat=True)) == ["private", "public"]
    assert project.password
    assert (project.hold_seconds, project.session_rate, project.address_rate) == (3, 7, 70)


def test_a_key_added_here_is_generated(page: Client, project: Project) -> None:
    page.post("/admin/projects/key/add/", {"project": project.id, "kind": "private", "name": "Made by Op"})
    key = project.keys.get(name="Made by Op")
    assert key.text.startswith(f"gluer_prv_{project.id}_")


def test_keys_are_revoked_by_an_action(page: Client, project: Project) -> None:
    Change.objects.all().delete()
    keys = list(project.keys.values_list("pk", flat=True))
    page.post("/admin/projects/key/", {"action": "revoke", "_selected_action": keys})
    assert not Key.objects.filter(revoked_at=None).exists()
    assert Change.objects.filter(project_id=project.id).exists()


def test_a_password_is_regenerated_by_an_action(page: Client, project: Project) -> None:
    before = project.password
    page.post("/admin/projects/project/", {"action": "regenerate_passwords", "_selected_action": [project.pk]})
    project.refresh_from_db()
    assert project.password != before


def test_what_is_deleted_here_is_announced(page: Client, project: Project) -> None:
    Change.objects.all().delete()
    form = {"action": "delete_selected", "_selected_action": [project.pk], "post": "yes"}
    page.post("/admin/projects/project/", form)
    assert not Project.objects.exists()
    assert Change.objects.filter(project_id=project.id).exists()


def test_a_person_added_here_gets_a_workspace(page: Client) -> None:
    password = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    page.post("/admin/accounts/user/add/", {"email": "dora@example.org", "name": "Dora", **password})
    assert User.objects.get(email="dora@example.org").workspaces.get().name == "Dora’s workspace"


def test_the_free_plan_cannot_be_deleted(page: Client) -> None:
    assert page.post("/admin/billing/plan/free/delete/", {"post": "yes"}).status_code == 403
    assert Plan.objects.filter(slug="free").exists()


@pytest.mark.parametrize("form", ["json", "text"])
def test_who_may_not_enter_makes_no_traceback(
    alice: User, client: Client, caplog: pytest.LogCaptureFixture, form: str
) -> None:
    client.force_login(alice)
    assert client.get("/admin/", follow=True).status_code == 403
    [refused] = [said for said in caplog.records if said.name == "django.request"]
    assert refused.exc_info
    options = logging_settings(form, "INFO")["formatters"]["pipe"]
    line = options.pop("()")(**options).format(refused)
    assert "Forbidden" in line
    assert "Traceback" not in line
