"""Alice owns, Bob is a member, Charlie is a stranger: every page of a workspace and a project for each of them."""

import pytest
from django.test import Client

from accounts.models import AccessToken, Invitation, Membership, Role, User, Workspace
from projects.models import Change, Key, Project
from tests.conftest import PASSWORD

MANAGE, OWN = "alice admin", "alice"
PAGES = [
    # method, path, who may, status for those who may
    ("get", "/ctx/projects/{p}", "alice admin bob", 200),
    ("get", "/ctx/projects/{p}/keys", "alice admin bob", 200),
    ("post", "/ctx/projects/{p}/keys", MANAGE, 400),
    ("get", "/ctx/projects/{p}/settings", MANAGE, 200),
    ("post", "/ctx/projects/{p}/settings", MANAGE, 400),
    ("get", "/ctx/projects/{p}/delete", MANAGE, 200),
    ("post", "/ctx/projects/{p}/delete", MANAGE, 400),
    ("post", "/ctx/projects/{p}/password/reveal", MANAGE, 200),
    ("get", "/ctx/projects/{p}/password/regenerate", MANAGE, 200),
    ("post", "/ctx/projects/{p}/password/regenerate", MANAGE, 302),
    ("post", "/ctx/projects/{p}/keys/{k}/reveal", MANAGE, 200),
    ("get", "/ctx/projects/{p}/keys/{k}/revoke", MANAGE, 200),
    ("post", "/ctx/projects/{p}/keys/{k}/revoke", MANAGE, 302),
    ("get", "/ctx/workspaces/{w}/projects", MANAGE, 200),
    ("post", "/ctx/workspaces/{w}/projects", MANAGE, 400),
    ("get", "/ctx/workspaces/{w}", "alice admin bob", 200),
    ("post", "/ctx/workspaces/{w}/name", OWN, 400),
    ("post", "/ctx/workspaces/{w}/invitations", MANAGE, 400),
    ("post", "/ctx/workspaces/{w}/invitations/{i}/resend", MANAGE, 302),
    ("post", "/ctx/workspaces/{w}/invitations/{i}/revoke", MANAGE, 302),
    ("post", "/ctx/workspaces/{w}/members/{m}", OWN, 302),
    ("get", "/ctx/workspaces/{w}/members/{m}/remove", OWN, 200),
    ("post", "/ctx/workspaces/{w}/members/{m}/remove", OWN, 302),
]


@pytest.fixture
def admin(workspace: Workspace) -> User:
    user = User.objects.create_user("admin@example.org", PASSWORD, name="Adam")
    Membership.objects.create(workspace=workspace, user=user, role=Role.ADMIN)
    return user


@pytest.fixture
def dora(workspace: Workspace) -> Membership:
    """Somebody else's membership, for the pages about one."""
    user = User.objects.create_user("dora@example.org", PASSWORD, name="Dora")
    return Membership.objects.create(workspace=workspace, user=user)


@pytest.fixture
def paths(project: Project, dora: Membership) -> dict[str, object]:
    key = project.keys.get(kind="private")
    owner = Membership.objects.get(workspace_id=project.workspace_id, role=Role.OWNER)
    invitation = Invitation.make(owner, "eve@example.org", Role.MEMBER)
    return {"p": project.id, "k": key.pk, "w": project.workspace_id, "m": dora.pk, "i": invitation.pk}


@pytest.mark.parametrize(("method", "path", "who", "status"), PAGES)
@pytest.mark.parametrize("name", ["alice", "admin", "bob", "charlie", "nobody"])
def test_each_page_is_for_those_it_is_for(
    alice: User, admin: User, bob: User, charlie: User, client: Client, paths: dict[str, object],
    name: str, method: str, path: str, who: str, status: int,
) -> None:  # fmt: skip
    person = {"alice": alice, "admin": admin, "bob": bob, "charlie": charlie}.get(name)
    if person:
        client.force_login(person)
    answer = getattr(client, method)(path.format(**paths))
    expected = status if name in who.split() else {"charlie": 404, "nobody": 302}.get(name, 403)
    assert answer.status_code == expected
    if name == "nobody":
        assert answer.url.startswith("/accounts/login/?next=/ctx/")
    if expected == status:
        assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize(("method", "path", "who", "status"), [page for page in PAGES if page[0] == "post"])
def test_every_post_wants_a_csrf_token(
    alice: User, paths: dict[str, object], method: str, path: str, who: str, status: int
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    before = Change.objects.count()
    answer = client.post(path.format(**paths))
    assert answer.status_code == 403
    assert "form has expired" in answer.text
    assert Change.objects.count() == before


@pytest.mark.parametrize("path", ["/ctx", "/ctx/projects/{p}", "/ctx/projects/{p}/keys"])
def test_members_see_the_public_key_and_no_trace_of_the_private_one(
    bob: User, project: Project, client: Client, path: str
) -> None:
    client.force_login(bob)
    html = client.get(path.format(p=project.id)).text
    private = project.keys.get(kind="private")
    assert project.keys.get(kind="public").text in html
    for secret in (private.text, private.masked, project.password, "Reveal"):
        assert secret not in html


@pytest.mark.parametrize("path", ["/ctx", "/ctx/projects/{p}", "/ctx/projects/{p}/keys", "/ctx/projects/{p}/settings"])
def test_owners_see_private_things_masked_until_they_reveal_them(
    alice: User, project: Project, client: Client, path: str
) -> None:
    client.force_login(alice)
    html = client.get(path.format(p=project.id)).text
    assert project.keys.get(kind="private").text not in html
    assert project.password not in html
    assert "Reveal" in html


def test_the_dashboard_of_a_stranger_knows_nothing_of_the_project(
    charlie: User, project: Project, client: Client
) -> None:
    client.force_login(charlie)
    html = client.get("/ctx").text
    assert project.id not in html
    assert project.name in html  # Charlie's own, of the same name
    assert Project.objects.get(workspace__members=charlie).id in html


def test_a_key_of_another_project_is_not_reached_through_ones_own(
    charlie: User, project: Project, client: Client
) -> None:
    client.force_login(charlie)
    own = Project.objects.get(workspace__members=charlie)
    foreign = project.keys.get(kind="private")
    assert client.post(f"/ctx/projects/{own.id}/keys/{foreign.pk}/reveal").status_code == 404
    assert client.post(f"/ctx/projects/{own.id}/keys/{foreign.pk}/revoke").status_code == 404
    assert Key.objects.get(pk=foreign.pk).revoked_at is None


def test_a_membership_of_another_workspace_is_not_reached_through_ones_own(
    charlie: User, dora: Membership, client: Client
) -> None:
    client.force_login(charlie)
    own = charlie.workspaces.get()
    assert client.post(f"/ctx/workspaces/{own.pk}/members/{dora.pk}/remove").status_code == 404
    assert client.post(f"/ctx/workspaces/{own.pk}/members/{dora.pk}", {"role": "owner"}).status_code == 404


def test_an_access_token_is_its_owners(alice: User, charlie: User, client: Client) -> None:
    token, _ = AccessToken.make(alice, "laptop")
    client.force_login(charlie)
    assert client.get(f"/ctx/profile/tokens/{token.pk}/revoke").status_code == 404
    assert client.post(f"/ctx/profile/tokens/{token.pk}/revoke").status_code == 404
    assert "laptop" not in client.get("/ctx/profile").text
