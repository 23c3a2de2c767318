"""Alice owns, Bob is a member, Charlie is a stranger: every REST operation for each of them."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AccessToken, Invitation, Role, User
from projects.models import Key, Project
from tests.rest.conftest import ClientOf

MANAGERS, ALL = "alice", "alice bob"
OPERATIONS = [
    # method, path, body, who may, status for those who may
    ("get", "/projects/{p}", None, ALL, 200),
    ("patch", "/projects/{p}", {"name": "Store"}, MANAGERS, 200),
    ("delete", "/projects/{p}", None, MANAGERS, 204),
    ("get", "/projects/{p}/keys", None, ALL, 200),
    ("post", "/projects/{p}/keys", {"kind": "private", "name": "x"}, MANAGERS, 201),
    ("delete", "/projects/{p}/keys/{k}", None, MANAGERS, 204),
    ("post", "/projects/{p}/keys/{k}/reveal", None, MANAGERS, 200),
    ("post", "/projects/{p}/password/reveal", None, MANAGERS, 200),
    ("post", "/projects/{p}/password/regenerate", None, MANAGERS, 200),
    ("get", "/projects/{p}/usage", None, ALL, 200),
    ("get", "/projects/{p}/servers", None, ALL, 200),
    ("get", "/projects/{p}/functions", None, ALL, 200),
    ("get", "/projects/{p}/calls", None, ALL, 200),
    ("get", "/workspaces/{w}/usage", None, ALL, 200),
    ("get", "/workspaces/{w}/invitations", None, MANAGERS, 200),
    ("post", "/workspaces/{w}/invitations", {"email": "dora@example.org", "role": "admin"}, MANAGERS, 201),
    ("post", "/workspaces/{w}/invitations/{i}/resend", None, MANAGERS, 200),
    ("delete", "/workspaces/{w}/invitations/{i}", None, MANAGERS, 204),
]


@pytest.mark.parametrize(("method", "path", "body", "who", "status"), OPERATIONS)
@pytest.mark.parametrize("name", ["alice", "bob", "charlie", "nobody"])
def test_each_operation_is_for_those_it_is_for(
    alice: User, bob: User, charlie: User, project: Project, client_of: ClientOf,
    name: str, method: str, path: str, body: object, who: str, status: int,
) -> None:  # fmt: skip
    person = {"alice": alice, "bob": bob, "charlie": charlie}.get(name)
    client = client_of(person) if person else Client()
    key = project.keys.get(kind="private")
    invitation = Invitation.make(alice.memberships.get(), "eve@example.org", Role.MEMBER)
    where = "/api/v1" + path.format(p=project.id, k=key.pk, w=project.workspace_id, i=invitation.pk)
    answer = getattr(client, method)(where, body, content_type="application/json")
    expected = status if name in who.split() else {"charlie": 404, "nobody": 401}.get(name, 403)
    assert answer.status_code == expected
    if expected != status:
        assert answer["Content-Type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == expected
        assert problem["detail"]


def test_the_lists_hold_only_ones_own(
    alice: User, bob: User, charlie: User, project: Project, client_of: ClientOf
) -> None:
    theirs = Project.objects.get(workspace__members=charlie)
    for person, ids in ((alice, [project.id]), (bob, [project.id]), (charlie, [theirs.id])):
        found = client_of(person).get("/api/v1/projects").json()["results"]
        assert [item["id"] for item in found] == ids


def test_workspaces_are_listed_with_ones_own_role(bob: User, project: Project, client_of: ClientOf) -> None:
    found = client_of(bob).get("/api/v1/workspaces").json()["results"]
    assert [(item["name"], item["role"]) for item in found] == [
        ("Alice’s workspace", "member"),
        ("Bob’s workspace", "owner"),
    ]


@pytest.mark.parametrize(("name", "status"), [("alice", 201), ("bob", 403), ("charlie", 404)])
def test_projects_are_made_by_managers(
    alice: User, bob: User, charlie: User, project: Project, client_of: ClientOf, name: str, status: int
) -> None:
    person = {"alice": alice, "bob": bob, "charlie": charlie}[name]
    body = {"workspace": project.workspace_id, "name": "Second"}
    answer = client_of(person).post("/api/v1/projects", body, content_type="application/json")
    assert answer.status_code == status
    assert Project.objects.filter(name="Second").exists() == (status == 201)


def test_a_key_of_another_project_is_not_reached_through_ones_own(
    charlie: User, project: Project, client_of: ClientOf
) -> None:
    own, foreign = Project.objects.get(workspace__members=charlie), project.keys.get(kind="private")
    client = client_of(charlie)
    assert client.post(f"/api/v1/projects/{own.id}/keys/{foreign.pk}/reveal").status_code == 404
    assert client.delete(f"/api/v1/projects/{own.id}/keys/{foreign.pk}").status_code == 404
    assert Key.objects.get(pk=foreign.pk).revoked_at is None


@pytest.mark.parametrize("text", ["", "gluer_pat_", "gluer_pat_" + "a" * 32, "gluer_prv_nonsense", "ü"])
def test_a_wrong_token_is_refused_with_what_to_do(db: None, client: Client, text: str) -> None:
    answer = client.get("/api/v1/projects", headers={"authorization": f"Bearer {text}"})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert "Make one on your profile page" in answer.json()["detail"]


def test_an_expired_token_is_refused(alice: User, client: Client) -> None:
    _, text = AccessToken.make(alice, "old", timezone.now() - timedelta(seconds=1))
    assert client.get("/api/v1/projects", headers={"authorization": f"Bearer {text}"}).status_code == 401


def test_the_token_of_somebody_inactive_is_refused(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    User.objects.update(is_active=False)
    assert client.get("/api/v1/projects").status_code == 401


def test_the_use_of_a_token_is_noted(alice: User, client_of: ClientOf) -> None:
    client_of(alice).get("/api/v1/projects")
    assert AccessToken.objects.get().last_used_at


def test_a_session_will_do_with_a_csrf_token_only(alice: User, project: Project) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.get("/api/v1/projects").status_code == 200
    assert client.delete(f"/api/v1/projects/{project.id}").status_code == 403
    assert Project.objects.filter(pk=project.id).exists()
