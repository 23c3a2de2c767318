"""Making, changing and deleting projects and keys through the pages."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User, Workspace
from billing.months import month_of
from billing.usage import Count, fold, record_batch
from projects.models import MOST_KEYS, MOST_PROJECTS, Key, Project
from projects.sdk import DEFAULT_RELAY_URL

DAY = timedelta(days=1)


@pytest.fixture
def page(alice: User, client: Client) -> Client:
    client.force_login(alice)
    return client


def test_an_empty_dashboard_says_what_to_do(page: Client) -> None:
    assert "No projects yet" in page.get("/ctx").text


def test_a_new_project_has_everything(page: Client, workspace: Workspace) -> None:
    page.post(f"/ctx/workspaces/{workspace.pk}/projects", {"name": "Shop"})
    project = Project.objects.get()
    assert sorted(project.keys.values_list("kind", flat=True)) == ["private", "public"]
    assert re.fullmatch("[a-z2-7]{12}", project.id)
    assert len(project.password) >= 32
    assert "Shop" in page.get("/ctx").text


def test_the_dashboard_shows_which_projects_the_months_requests_come_from(page: Client, workspace: Workspace) -> None:
    """As the mails about the limit promise."""
    now = timezone.now()
    projects = [Project.make(workspace, name) for name in ("Shop", "Blog", "Gone")]
    counts = [Count(workspace.pk, project.id, now, 1_000 + n) for n, project in enumerate(projects)]
    record_batch("p", 1, now, counts[:2])
    fold(now)
    record_batch("p", 2, now, [*counts[1:], Count(workspace.pk, projects[0].id, month_of(now).start - DAY, 7)])
    projects[2].delete()
    html = page.get("/ctx").text
    shown = dict(re.findall(r'<h3><a href="/ctx/projects/(\w+)">.*?<dd>([\d,]+) requests</dd>', html, re.S))
    assert shown == {projects[0].id: "1,000", projects[1].id: "2,002"}
    assert "Deleted projects made 1,002 requests this month." in html


@pytest.mark.parametrize("path", ["", "/keys"])
def test_it_is_said_where_keys_are_what_a_public_key_hears(page: Client, project: Project, path: str) -> None:
    assert "A public key hears every channel" in page.get(f"/ctx/projects/{project.id}{path}").text


@pytest.mark.parametrize("name", ["", " ", "x" * 101])
def test_a_project_wants_a_name(page: Client, workspace: Workspace, name: str) -> None:
    answer = page.post(f"/ctx/workspaces/{workspace.pk}/projects", {"name": name})
    assert 'class="errorlist"' in answer.text
    assert not Project.objects.exists()


def test_a_project_too_many_is_refused(page: Client, workspace: Workspace) -> None:
    Project.objects.bulk_create(Project(workspace=workspace, name=str(n)) for n in range(MOST_PROJECTS))
    answer = page.post(f"/ctx/workspaces/{workspace.pk}/projects", {"name": "Shop"})
    assert f"at most {MOST_PROJECTS} projects" in answer.text


def test_a_name_is_text_and_no_html(page: Client, workspace: Workspace) -> None:
    project = Project.make(workspace, "<b>Shop</b>")
    for path in ("/ctx", f"/ctx/projects/{project.id}", f"/ctx/projects/{project.id}/settings"):
        assert "<b>Shop" not in page.get(path).text


def test_the_snippets_carry_the_projects_keys(page: Client, project: Project, settings: Settings) -> None:
    settings.RELAY_URL = DEFAULT_RELAY_URL
    html = page.get(f"/ctx/projects/{project.id}").text
    public, private = project.keys.get(kind="public"), project.keys.get(kind="private")
    assert f"gluer.setup({{ project: '{public.text}' }});" in html
    assert f'<span data-secret="{private.masked}">{private.masked}</span>' in html


def test_the_snippets_say_where_the_relay_is_unless_the_packages_know(
    page: Client, project: Project, settings: Settings, tmp_path: Path
) -> None:
    settings.RELAY_URL, settings.BASE_DIR = "ws://localhost:8000", tmp_path  # without packages
    html = page.get(f"/ctx/projects/{project.id}").text
    assert "\n  url: 'ws://localhost:8000',\n" in html
    assert "GLUER_URL=ws://localhost:8000 node server.js" in html


def test_a_private_key_is_revealed_to_the_pages_script(page: Client, project: Project) -> None:
    key = project.keys.get(kind="private")
    answer = page.post(f"/ctx/projects/{project.id}/keys/{key.pk}/reveal", headers={"accept": "application/json"})
    assert answer.json() == {"secret": key.text}
    assert "no-store" in answer["Cache-Control"]


def test_a_private_key_is_revealed_without_a_script_too(page: Client, project: Project) -> None:
    key = project.keys.get(kind="private")
    answer = page.post(f"/ctx/projects/{project.id}/keys/{key.pk}/reveal", headers={"accept": "text/html,*/*;q=0.8"})
    assert key.text in answer.text
    assert key.text not in re.findall("<title>(.*?)</title>", answer.text, re.S)[0]
    assert "no-store" in answer["Cache-Control"]


def test_nothing_is_revealed_by_opening_an_address(page: Client, project: Project) -> None:
    answer = page.get(f"/ctx/projects/{project.id}/password/reveal", follow=True)
    assert project.password not in answer.text


def test_a_key_is_made_used_and_revoked(page: Client, project: Project) -> None:
    page.post(f"/ctx/projects/{project.id}/keys", {"name": "Berlin", "kind": "private"})
    key = project.keys.get(name="Berlin")
    assert "Berlin" in page.get(f"/ctx/projects/{project.id}/keys").text
    page.post(f"/ctx/projects/{project.id}/keys/{key.pk}/revoke")
    key.refresh_from_db()
    assert key.revoked_at
    assert "Revoked</h2>" in page.get(f"/ctx/projects/{project.id}/keys").text


@pytest.mark.parametrize("form", [{"name": "", "kind": "public"}, {"name": "x", "kind": "secret"}, {"name": "x"}])
def test_a_wrong_key_form_says_so(page: Client, project: Project, form: dict[str, str]) -> None:
    assert 'class="errorlist"' in page.post(f"/ctx/projects/{project.id}/keys", form).text
    assert project.keys.count() == 2


def test_a_key_too_many_is_refused_until_one_is_revoked(page: Client, project: Project) -> None:
    for number in range(MOST_KEYS - 1):
        Key.objects.create(project=project, kind="private", name=str(number))
    form = {"name": "one more", "kind": "private"}
    assert f"at most {MOST_KEYS} private keys" in page.post(f"/ctx/projects/{project.id}/keys", form).text
    project.keys.filter(kind="private").latest("id").revoke()
    assert page.post(f"/ctx/projects/{project.id}/keys", form).status_code == 302


def test_settings_are_saved(page: Client, project: Project) -> None:
    origins = "https://Shop.example/\n\nhttp://[::1]:8080"
    numbers = {"hold_seconds": "20", "session_rate": "7", "address_rate": "70"}
    form = {"name": "Store", "require_password": "on", "allowed_origins": origins, **numbers}
    page.post(f"/ctx/projects/{project.id}/settings", form)
    project.refresh_from_db()
    assert (project.name, project.require_password, project.hold_seconds) == ("Store", True, 20)
    assert (project.session_rate, project.address_rate) == (7, 70)
    assert project.allowed_origins == ["https://shop.example", "http://[::1]:8080"]
    assert "https://shop.example\nhttp://[::1]:8080" in page.get(f"/ctx/projects/{project.id}/settings").text


@pytest.mark.parametrize("field", ["session_rate", "address_rate"])
@pytest.mark.parametrize("rate", ["", "0", "-1", "1000001", "0.5", "x"])
def test_a_rate_is_1_to_1000000_requests_a_second(page: Client, project: Project, field: str, rate: str) -> None:
    form = {"name": "Shop", "hold_seconds": "5", "session_rate": "50", "address_rate": "200", field: rate}
    answer = page.post(f"/ctx/projects/{project.id}/settings", form)
    assert answer.text.count('class="errorlist"') == 1
    project.refresh_from_db()
    assert (project.session_rate, project.address_rate) == (50, 200)


@pytest.mark.parametrize("seconds", ["", "-1", "61", "5.5", "x"])
def test_calls_are_held_for_0_to_60_seconds(page: Client, project: Project, seconds: str) -> None:
    form = {"name": "Shop", "hold_seconds": seconds, "session_rate": "50", "address_rate": "200"}
    answer = page.post(f"/ctx/projects/{project.id}/settings", form)
    assert answer.text.count('class="errorlist"') == 1
    project.refresh_from_db()
    assert project.hold_seconds == 5


@pytest.mark.parametrize(
    "line",
    ["shop.example", "ftp://shop.example", "https://shop.example/path", "https://u:p@shop.example", "https://a:99999",
     "https://", "*", "https://shop example", "javascript:alert(1)", "https://*.example"],
)  # fmt: skip
def test_a_wrong_origin_is_named(page: Client, project: Project, line: str) -> None:
    form = {"name": "Shop", "allowed_origins": f"https://right.example\n{line}"}
    answer = page.post(f"/ctx/projects/{project.id}/settings", form)
    assert "is no origin" in answer.text
    project.refresh_from_db()
    assert project.allowed_origins == []


def test_the_password_is_regenerated(page: Client, project: Project) -> None:
    before = project.password
    page.post(f"/ctx/projects/{project.id}/password/regenerate")
    project.refresh_from_db()
    assert project.password != before


def test_a_project_is_deleted_by_its_name(page: Client, project: Project) -> None:
    assert "This is not its name" in page.post(f"/ctx/projects/{project.id}/delete", {"name": "shop"}).text
    assert Project.objects.exists()
    page.post(f"/ctx/projects/{project.id}/delete", {"name": "Shop"})
    assert not Project.objects.exists()
    assert page.get(f"/ctx/projects/{project.id}").status_code == 404


def test_no_page_carries_inline_script_or_style(page: Client, project: Project) -> None:
    paths = ["/", "/docs", "/ctx", "/ctx/profile", f"/ctx/workspaces/{project.workspace_id}"]
    paths += [f"/ctx/projects/{project.id}{sub}" for sub in ("", "/keys", "/settings", "/delete")]
    for path in paths:
        html = page.get(path).text
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", html), path
