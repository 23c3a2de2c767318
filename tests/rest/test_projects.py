"""Projects, keys, passwords and usage over REST."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from rest_framework.throttling import UserRateThrottle

from accounts.models import User, Workspace
from billing.usage import Count, record_batch
from projects.models import MOST_KEYS, Key, Project
from tests.rest.conftest import ClientOf

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def api(alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


def post(client: Client, path: str, body: Any = None) -> Any:
    return client.post(f"/api/v1{path}", body, content_type="application/json")


def patch(client: Client, path: str, body: Any) -> Any:
    return client.patch(f"/api/v1{path}", body, content_type="application/json")


def test_a_project_is_made_with_all_its_settings(api: Client, workspace: Workspace) -> None:
    body = {
        "workspace": workspace.pk,
        "name": "Shop",
        "require_password": True,
        "allowed_origins": ["HTTPS://a.example/"],
    }
    answer = post(api, "/projects", body)
    project = Project.objects.get()
    made = answer.json()
    del made["keys"], made["password"]
    assert made == {
        "id": project.id,
        "workspace": workspace.pk,
        "name": "Shop",
        "require_password": True,
        "allowed_origins": ["https://a.example"],
        "hold_seconds": 5,
        "session_rate": 50,
        "address_rate": 200,
        "created_at": project.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert project.keys.count() == 2


def test_a_new_project_shows_its_keys_and_password_once(api: Client, workspace: Workspace) -> None:
    answer = post(api, "/projects", {"workspace": workspace.pk, "name": "Shop"})
    project = Project.objects.get()
    keys = {key["kind"]: (key["id"], key["key"]) for key in answer.json()["keys"]}
    assert keys == {key.kind: (key.pk, key.text) for key in project.keys.all()}
    assert answer.json()["password"] == project.password
    assert answer["Cache-Control"] == "no-store"
    for path in (f"/api/v1/projects/{project.id}", "/api/v1/projects"):
        assert project.password not in api.get(path).text
        assert keys["private"][1] not in api.get(path).text
    assert "password" not in patch(api, f"/projects/{project.id}", {"name": "Store"}).json()


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("name", "x" * 101), ("name", None), ("workspace", 0), ("workspace", "x"), ("require_password", 7),
     ("name", 7), ("name", True), ("workspace", "1"), ("workspace", True), ("require_password", "no"),
     ("require_password", 0), ("session_rate", "5"), ("address_rate", True), ("hold_seconds", 0.5),
     ("hold_seconds", 61), ("hold_seconds", -1), ("hold_seconds", "x"),
     ("session_rate", 0), ("session_rate", None), ("address_rate", 1_000_001), ("address_rate", "x"),
     ("allowed_origins", "https://a.example"), ("allowed_origins", ["nonsense"]),
     ("allowed_origins", ["https://a.example:65536"]), ("allowed_origins", ["http://[6e9]"]), ("allowed_origins", [1])],
)  # fmt: skip
def test_wrong_fields_are_named(api: Client, workspace: Workspace, field: str, value: object) -> None:
    answer = post(api, "/projects", {"workspace": workspace.pk, "name": "Shop", field: value})
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (400, 400, "invalid")
    assert list(problem["errors"]) == [field]
    assert not Project.objects.exists()


def test_a_body_that_is_no_json_is_a_problem(api: Client) -> None:
    answer = api.post("/api/v1/projects", "{", content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")


def test_a_project_is_changed_but_stays_in_its_workspace(
    api: Client, project: Project, charlie: User, alice: User
) -> None:
    before = project.workspace_id
    other = patch(api, f"/projects/{project.id}", {"name": "Store", "workspace": charlie.workspaces.get().pk})
    assert (other.status_code, list(other.json()["errors"])) == (400, ["workspace"])
    answer = patch(api, f"/projects/{project.id}", {"name": "Store"})
    assert (answer.json()["name"], answer.json()["workspace"]) == ("Store", before)
    project.refresh_from_db()
    assert (project.name, project.workspace_id) == ("Store", before)


def test_a_new_key_is_shown_in_full_once(api: Client, project: Project) -> None:
    made = post(api, f"/projects/{project.id}/keys", {"kind": "private", "name": "Berlin"})
    assert made["Cache-Control"] == "no-store"
    key = Key.objects.get(pk=made.json()["id"])
    assert made.json()["key"] == key.text
    listed = api.get(f"/api/v1/projects/{project.id}/keys")
    assert key.text not in listed.text
    assert [item["key"] for item in listed.json()["results"] if item["kind"] == "private"] == [None, None]


def test_a_key_is_revealed_and_revoked(api: Client, project: Project) -> None:
    key = project.keys.get(kind="private")
    answer = post(api, f"/projects/{project.id}/keys/{key.pk}/reveal")
    assert answer.json() == {"secret": key.text}
    assert answer["Cache-Control"] == "no-store"
    api.delete(f"/api/v1/projects/{project.id}/keys/{key.pk}")
    key.refresh_from_db()
    assert key.revoked_at


def test_a_key_too_many_is_a_problem(api: Client, project: Project) -> None:
    for number in range(MOST_KEYS - 1):
        Key.objects.create(project=project, kind="public", name=str(number))
    answer = post(api, f"/projects/{project.id}/keys", {"kind": "public", "name": "one more"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert answer.json()["detail"] == f"A project has at most {MOST_KEYS} public keys. Revoke one first."


def test_members_list_public_keys_only(bob: User, project: Project, client_of: ClientOf) -> None:
    answer = client_of(bob).get(f"/api/v1/projects/{project.id}/keys")
    assert [item["key"] for item in answer.json()["results"]] == [project.keys.get(kind="public").text]


def test_the_password_is_revealed_and_regenerated(api: Client, project: Project) -> None:
    before = post(api, f"/projects/{project.id}/password/reveal").json()["secret"]
    assert before == project.password
    after = post(api, f"/projects/{project.id}/password/regenerate").json()["secret"]
    project.refresh_from_db()
    assert before != after == project.password


def test_usage_is_told(api: Client, project: Project) -> None:
    record_batch("p", 1, NOON, [Count(project.workspace_id, project.id, NOON, 3)])
    with time_machine.travel(NOON):
        assert api.get(f"/api/v1/projects/{project.id}/usage").json() == {
            "requests": 3,
            "resets_at": "2026-12-01T00:00:00Z",
        }
        assert api.get(f"/api/v1/workspaces/{project.workspace_id}/usage").json() == {
            "requests": 3,
            "limit": 1_000_000,
            "resets_at": "2026-12-01T00:00:00Z",
        }


def test_too_many_requests_are_told_when_to_come_back(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UserRateThrottle, "THROTTLE_RATES", {"user": "2/min"})
    cache.clear()
    answers = [api.get("/api/v1/projects") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[-1]["Retry-After"]) <= 60
    assert answers[-1].json()["code"] == "throttled"


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(
    "path", ["v1/nothing", "", "v1/projects/aaaaaaaaaaaa%0A", "v1/workspaces/%0A1/usage", "%0A%00"]
)
def test_an_unknown_path_is_a_problem(db: None, client: Client, method: str, path: str) -> None:
    answer = getattr(client, method)(f"/api/{path}")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


def test_a_wrong_method_is_a_problem(api: Client, project: Project) -> None:
    answer = api.put(f"/api/v1/projects/{project.id}", {}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
