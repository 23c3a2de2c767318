"""Names that are HTML, everywhere a person or an SDK can choose one: every page and mail shows them as text."""

from collections import Counter
from collections.abc import Iterator

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone

from accounts.models import AccessToken, Invitation, Role, User, Workspace
from billing.models import Plan, UsageBatch, UsageSpike, WorkspacePlan
from billing.months import month_of
from billing.notices import try_to_tell
from billing.spikes import tell
from billing.usage import workspace_usage
from projects.models import Key, Project
from relay.core.connection import BACKEND
from relay.core.frames import FunctionSpec
from relay.core.tenant import Tenant
from tests.conftest import PASSWORD, back_end
from tests.pages.test_signup import show_password
from tests.pages.walk import BIDI, NAME, ZERO_WIDTH, Strict, every_path

EVERYTHING = NAME + "".join(map(chr, BIDI))
ADDRESS = '"<script>ran=1</script>"@example.org'


@pytest.fixture
def hostile(alice: User, bob: User, project: Project, tenant: Tenant) -> Iterator[dict[str, object]]:
    """Alice is an operator, and all names are the attacker's, past every form; the ids that pages need."""
    server = back_end(tenant)
    server.peer, server.id, server.name, server.sdk = BACKEND, EVERYTHING, EVERYTHING, EVERYTHING
    tenant.functions.register(server, [FunctionSpec(name=NAME)])
    tenant.functions.register(back_end(tenant), [FunctionSpec(name=NAME, idempotent=True)])
    tenant.connections[server] = None
    tenant.refusals.add("call", "no_such_function", NAME, "192.0.2.1", tenant.hub.wall)
    tenant.refusals.add("hello", "forbidden", f"origin {NAME}", "192.0.2.1", tenant.hub.wall)
    token, _ = AccessToken.make(alice, "laptop")
    project.keys.first().revoke()  # type: ignore[union-attr]
    UsageBatch.objects.create(process=NAME, sequence=1, sealed_at=timezone.now())
    UsageSpike.objects.create(workspace_id=project.workspace_id, hour=timezone.now())
    WorkspacePlan.objects.create(workspace=project.workspace, plan=Plan.objects.get())
    User.objects.update(name=EVERYTHING, is_staff=True, is_superuser=True)
    User.objects.filter(pk=bob.pk).update(email=ADDRESS)
    EmailAddress.objects.filter(user=bob).update(email=ADDRESS)
    for model in (Workspace, Project, Key, AccessToken, Plan):
        model._default_manager.update(name=EVERYTHING)
    Project.objects.update(allowed_origins=[NAME])
    member = project.workspace.memberships.get(user=bob)
    key = project.keys.get(kind="private")
    invitation = Invitation.make(alice.memberships.get(), "dora@example.org", Role.MEMBER)
    text = invitation.renew()
    Invitation.objects.update(email=ADDRESS)  # it is Bob's, who may look at it
    yield {
        "invitation_id": invitation.pk,
        "text": text,
        "project_id": project.id,
        "workspace_id": project.workspace_id,
        "membership_id": member.pk,
        "token_id": token.pk,
        "key_id": key.pk,
    }
    del tenant.connections[server]


def test_no_page_lets_a_name_be_html(hostile: dict[str, object], alice: User, bob: User, client: Client) -> None:
    seen = 0
    for person in (None, alice, bob):
        if person:
            client.force_login(person)
        for path in every_path(**hostile):
            answer = client.get(path, follow=True)
            assert answer.status_code < 500, path
            if answer["Content-Type"].startswith("text/html"):
                assert "<script>window" not in answer.text, path
                assert Strict(answer.text).wrong == [], path
                seen += "&lt;script&gt;" in answer.text
            else:  # no browser takes it for a page
                assert answer["X-Content-Type-Options"] == "nosniff", path
    assert seen > 60, "the walk no longer meets the names"


def test_no_answer_to_a_form_lets_its_input_be_html(
    hostile: dict[str, object], alice: User, bob: User, client: Client
) -> None:
    form = dict.fromkeys(("name", "email", "kind", "role", "days", "scope", "allowed_origins", "hold_seconds"), NAME)
    for given in (form, {"name": NAME, "kind": "private", "days": "30", "scope": "read", "role": "member"}):
        for path in every_path(**hostile):
            if path.startswith("/ctx/") and "delete" not in path:
                client.force_login(alice)
                html = client.post(path, given, follow=True).text
                assert Strict(html).wrong == [], path


def test_mails_are_text_and_their_subjects_one_line(
    hostile: dict[str, object], alice: User, bob: User, client: Client, mailoutbox: list[EmailMessage]
) -> None:
    form = {"name": NAME, "email": "dora@example.org", "password1": PASSWORD, "password2": PASSWORD}
    client.post("/accounts/signup/", form)
    client.post("/accounts/signup/", {**form, "email": alice.email})
    for address in (alice.email, "nobody@example.org"):
        client.post("/accounts/password/reset/", {"email": address})
    client.force_login(alice)
    show_password(client)
    client.post("/accounts/email/", {"action_add": "", "email": "alice@new.example"})
    workspace = alice.workspaces.first()
    assert workspace
    client.post(f"/ctx/workspaces/{workspace.pk}/invitations", {"email": "eve@example.org", "role": "member"})
    now, quota = timezone.now(), workspace_usage(workspace.pk, timezone.now())
    try_to_tell(workspace.pk, quota, month_of(now), 80)
    tell(workspace, now, Counter({str(hostile["project_id"]): 5}), quota)
    assert len(mailoutbox) == 9
    for mail in mailoutbox:
        assert (mail.content_subtype, mail.attachments) == ("plain", [])
        assert not getattr(mail, "alternatives", [])
        assert len(mail.subject.splitlines()) == 1


@pytest.mark.parametrize("character", [chr(code) for code in (*BIDI, *ZERO_WIDTH)], ids=ascii)
def test_no_name_is_chosen_with_what_nobody_sees(alice: User, project: Project, client: Client, character: str) -> None:
    User.objects.update(is_staff=True, is_superuser=True)
    name, workspace = f"Shop{character}2", project.workspace_id
    Client().post(
        "/accounts/signup/", {"name": name, "email": "d@example.org", "password1": PASSWORD, "password2": PASSWORD}
    )
    client.force_login(alice)
    client.post("/admin/projects/key/add/", {"project": project.id, "kind": "private", "name": name})
    for path, more in (
        ("/ctx/profile/name", {}),
        ("/ctx/profile/tokens", {"days": "30", "scope": "read"}),
        (f"/ctx/workspaces/{workspace}/name", {}),
        (f"/ctx/workspaces/{workspace}/projects", {}),
        (f"/ctx/projects/{project.id}/keys", {"kind": "private"}),
        (f"/ctx/projects/{project.id}/settings", {"hold_seconds": "5"}),
    ):
        assert "invisible" in client.post(path, {"name": name, **more}).text, path
    api = f"/api/v1/projects/{project.id}"
    for method, path, body in (
        ("patch", api, {"name": name}),
        ("post", f"{api}/keys", {"name": name, "kind": "public"}),
        ("post", "/api/v1/projects", {"name": name, "workspace": workspace}),
    ):
        answer = getattr(client, method)(path, body, content_type="application/json")
        assert "invisible" in answer.json()["errors"]["name"][0], path
    for model in (User, Workspace, Project, Key, AccessToken):
        assert not model._default_manager.filter(name__contains=character).exists()
