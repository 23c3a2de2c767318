"""Invitations: who may send them, what the invited see, and that nobody is a member who has not agreed."""

import re
from datetime import timedelta

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import MOST_INVITATIONS, MOST_MEMBERS, MOST_WORKSPACES, Invitation, Membership, User, Workspace
from tests.conftest import PASSWORD
from tests.pages.test_signup import link_in

NAME = "Acme Secret Plans"


@pytest.fixture
def page(alice: User, workspace: Workspace, client: Client) -> Client:
    Workspace.objects.filter(pk=workspace.pk).update(name=NAME)
    workspace.refresh_from_db()
    client.force_login(alice)
    return client


@pytest.fixture
def guest(charlie: User) -> Client:
    """Charlie's browser."""
    browser = Client()
    browser.force_login(charlie)
    return browser


def send(page: Client, workspace: Workspace, email: str, role: str = "member") -> str:
    """Invite somebody; what the page says then."""
    return page.post(f"/ctx/workspaces/{workspace.pk}/invitations", {"email": email, "role": role}, follow=True).text


def mailed_to(mails: list[EmailMessage], email: str) -> str:
    """The path of the link in the last mail to an address."""
    mail = next(mail for mail in reversed(mails) if mail.to == [email])
    found = re.search(r"http://localhost:8000(/invitations/[a-z2-7]{32})", str(mail.body))
    assert found
    return found[1]


def accept(guest: Client, link: str) -> str:
    """Follow the link and accept; what the page says then."""
    arrived = guest.get(link, follow=True)
    assert arrived.redirect_chain, arrived.text
    return guest.post(f"{arrived.redirect_chain[-1][0]}/accept", follow=True).text


def is_member(user: User, workspace: Workspace) -> bool:
    return workspace.memberships.filter(user=user).exists()


def test_somebody_becomes_a_member_when_they_accept_and_not_before(
    page: Client, guest: Client, workspace: Workspace, charlie: User, mailoutbox: list[EmailMessage]
) -> None:
    assert "We have mailed an invitation" in send(page, workspace, "Charlie@Example.org", "admin")
    assert not is_member(charlie, workspace)
    assert f"You are a member of {NAME} now" in accept(guest, mailed_to(mailoutbox, charlie.email))
    assert workspace.memberships.get(user=charlie).role == "admin"
    assert not Invitation.objects.pending().exists()


def test_somebody_without_an_account_signs_up_and_accepts(
    page: Client, workspace: Workspace, mailoutbox: list[EmailMessage]
) -> None:
    send(page, workspace, "dora@example.org")
    link, guest = mailed_to(mailoutbox, "dora@example.org"), Client()
    sign_up = re.search(r'href="(/accounts/signup/\?next=[^"]+)"', guest.get(link).text)
    assert sign_up
    form = {"name": "Dora", "email": "dora@example.org", "password1": PASSWORD, "password2": PASSWORD}
    guest.post(sign_up[1], {**form, "next": link})
    assert guest.post(link_in(mailoutbox[-1])).url == link  # type: ignore[attr-defined]
    accept(guest, link)
    assert is_member(User.objects.get(email="dora@example.org"), workspace)


def test_an_account_whose_address_is_not_confirmed_accepts_nothing(
    page: Client, guest: Client, workspace: Workspace, charlie: User, mailoutbox: list[EmailMessage]
) -> None:
    EmailAddress.objects.filter(user=charlie).update(verified=False)
    send(page, workspace, charlie.email)
    assert guest.get(mailed_to(mailoutbox, charlie.email)).status_code == 403
    invitation = Invitation.objects.get()
    assert guest.post(f"/ctx/invitations/{invitation.pk}/accept").status_code == 404
    assert "Accept or decline" not in guest.get("/ctx").text
    assert not is_member(charlie, workspace)


def test_an_invitation_is_its_addressees(
    page: Client, guest: Client, workspace: Workspace, charlie: User, mailoutbox: list[EmailMessage]
) -> None:
    send(page, workspace, "dora@example.org")
    answer = guest.get(mailed_to(mailoutbox, "dora@example.org"))
    assert answer.status_code == 403
    assert "for somebody else" in answer.text
    for word in ("dora@example.org", NAME, "Alice"):
        assert word not in answer.text
    invitation = Invitation.objects.get()
    for path in ("", "/accept", "/decline"):
        where = f"/ctx/invitations/{invitation.pk}{path}"
        assert (guest.post(where) if path else guest.get(where)).status_code == 404
    assert Invitation.objects.pending().exists()
    assert not is_member(charlie, workspace)
    link = mailed_to(mailoutbox, "dora@example.org")
    assert guest.post("/accounts/logout/", {"next": link}).url == link  # type: ignore[attr-defined]


def test_the_invited_see_the_two_names_and_nothing_else(
    page: Client, guest: Client, workspace: Workspace, charlie: User, bob: User, mailoutbox: list[EmailMessage]
) -> None:
    send(page, workspace, charlie.email, "owner")
    link = mailed_to(mailoutbox, charlie.email)
    seen = [
        Client().get(link).text,
        guest.get(link, follow=True).text,
        guest.get("/ctx").text,
        str(mailoutbox[-1].body),
    ]
    for text in seen:
        assert NAME in text
        assert "Alice" in text
        for word in ("alice@example.org", "Bob", "wner", f"/ctx/workspaces/{workspace.pk}"):
            assert word not in text
    assert guest.get(f"/ctx/workspaces/{workspace.pk}").status_code == 404


@pytest.mark.parametrize("way", ["link", "page"])
def test_an_invitation_is_declined(
    page: Client, guest: Client, workspace: Workspace, charlie: User, mailoutbox: list[EmailMessage], way: str
) -> None:
    send(page, workspace, charlie.email)
    link = mailed_to(mailoutbox, charlie.email)
    where = f"{link}/decline" if way == "link" else f"/ctx/invitations/{Invitation.objects.get().pk}/decline"
    answer = (Client() if way == "link" else guest).post(where, follow=True)
    assert "have declined" in answer.text
    assert "no such invitation" in guest.get(link).text
    assert "no such invitation" in Client().post(f"{link}/decline").text
    assert not is_member(charlie, workspace)


def test_the_link_says_what_has_become_of_its_invitation(
    page: Client, guest: Client, workspace: Workspace, charlie: User, mailoutbox: list[EmailMessage]
) -> None:
    send(page, workspace, charlie.email)
    first = mailed_to(mailoutbox, charlie.email)
    path = f"/ctx/workspaces/{workspace.pk}/invitations/{Invitation.objects.get().pk}"
    assert "mailed a new link" in page.post(f"{path}/resend", follow=True).text
    second = mailed_to(mailoutbox, charlie.email)
    answers = {first: "no such invitation", "/invitations/x": "no such invitation"}
    accept(guest, second)
    answers[second] = "is accepted"
    for link, sentence in answers.items():
        answer = guest.get(link)
        assert answer.status_code == 410
        assert sentence in answer.text


def test_an_invitation_ends_after_seven_days(
    page: Client, guest: Client, workspace: Workspace, charlie: User, mailoutbox: list[EmailMessage]
) -> None:
    send(page, workspace, charlie.email)
    invitation = Invitation.objects.get()
    with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1)):
        guest.force_login(charlie)
        assert "has ended" in guest.get(mailed_to(mailoutbox, charlie.email)).text
        assert guest.post(f"/ctx/invitations/{invitation.pk}/accept").status_code == 404
        assert not is_member(charlie, workspace)
        page.force_login(invitation.inviter)
        assert "We have mailed" in send(page, workspace, charlie.email)  # anew


@pytest.mark.parametrize("how", ["leaves", "is demoted", "is made inactive"])
def test_an_invitation_ends_with_its_inviters_right_to_make_it(
    page: Client,
    guest: Client,
    workspace: Workspace,
    bob: User,
    charlie: User,
    mailoutbox: list[EmailMessage],
    how: str,
) -> None:
    membership = workspace.memberships.get(user=bob)
    membership.change_role("owner")
    bobs = Client()
    bobs.force_login(bob)
    send(bobs, workspace, charlie.email, "owner")
    link, invitation = mailed_to(mailoutbox, charlie.email), Invitation.objects.get()
    if how == "leaves":
        membership.leave()
    elif how == "is demoted":
        membership.change_role("admin")
    else:
        User.objects.filter(pk=bob.pk).update(is_active=False)
    assert "has ended" in guest.get(link).text
    assert guest.post(f"/ctx/invitations/{invitation.pk}/accept").status_code == 404
    assert charlie.email not in page.get(f"/ctx/workspaces/{workspace.pk}").text
    assert not is_member(charlie, workspace)


def test_it_is_revoked_and_its_link_ends(
    page: Client, guest: Client, workspace: Workspace, charlie: User, mailoutbox: list[EmailMessage]
) -> None:
    send(page, workspace, charlie.email)
    path = f"/ctx/workspaces/{workspace.pk}/invitations/{Invitation.objects.get().pk}"
    assert "is revoked" in page.post(f"{path}/revoke", follow=True).text
    assert "no such invitation" in guest.get(mailed_to(mailoutbox, charlie.email)).text
    assert page.post(f"{path}/resend").status_code == 404


def test_nobody_invites_above_their_own_role(page: Client, workspace: Workspace, bob: User, charlie: User) -> None:
    send(page, workspace, charlie.email, "owner")
    workspace.memberships.get(user=bob).change_role("admin")
    bobs = Client()
    bobs.force_login(bob)
    assert "Select a valid choice" in send(bobs, workspace, "dora@example.org", "owner")
    api = {"data": {"email": "dora@example.org", "role": "owner"}, "content_type": "application/json"}
    assert bobs.post(f"/api/v1/workspaces/{workspace.pk}/invitations", **api).status_code == 403  # type: ignore[arg-type]
    path = f"/ctx/workspaces/{workspace.pk}/invitations/{Invitation.objects.get().pk}"
    assert bobs.post(f"{path}/revoke").status_code == 403
    assert "We have mailed" in send(bobs, workspace, "dora@example.org", "admin")


def test_an_invitation_of_another_workspace_is_not_reached_through_ones_own(
    page: Client, guest: Client, workspace: Workspace, charlie: User
) -> None:
    send(page, workspace, "dora@example.org")
    own, foreign = charlie.workspaces.get().pk, Invitation.objects.get().pk
    assert guest.post(f"/ctx/workspaces/{own}/invitations/{foreign}/revoke").status_code == 404
    assert guest.delete(f"/api/v1/workspaces/{own}/invitations/{foreign}").status_code == 404
    assert Invitation.objects.exists()


def test_nobody_is_invited_twice_or_as_a_member(page: Client, workspace: Workspace, bob: User) -> None:
    assert "already a member" in send(page, workspace, "Bob@example.org")
    send(page, workspace, "dora@example.org")
    assert "has an invitation already" in send(page, workspace, "Dora@example.org", "owner")
    assert Invitation.objects.get().role == "member"


@pytest.mark.parametrize("email", ["dora@ex\u202eample.org", '"do\x1bra"@example.org'], ids=ascii)
def test_nobody_is_invited_at_an_address_that_nobody_can_read(page: Client, workspace: Workspace, email: str) -> None:
    assert "no control or invisible characters" in send(page, workspace, email)
    api = f"/api/v1/workspaces/{workspace.pk}/invitations"
    answer = page.post(api, {"email": email}, content_type="application/json")
    assert "no control or invisible characters" in answer.json()["errors"]["email"][0]
    assert not Invitation.objects.exists()


def test_one_person_sends_only_so_many(page: Client, workspace: Workspace, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "invite": "2/h/user"}
    send(page, workspace, "1@example.org")
    path = f"/ctx/workspaces/{workspace.pk}/invitations"
    page.post(f"{path}/{Invitation.objects.get().pk}/resend")
    answer = page.post(path, {"email": "2@example.org", "role": "member"})
    assert (answer.status_code, answer["Retry-After"]) == (429, "3600")
    assert "too many invitations" in answer.text
    assert "too many invitations" in page.post(f"{path}/{Invitation.objects.get().pk}/resend", follow=True).text
    api = page.post(f"/api/v1{path[4:]}", {"email": "2@example.org"}, content_type="application/json")
    assert (api.status_code, api["Retry-After"], api.json()["code"]) == (429, "3600", "throttled")
    assert Invitation.objects.count() == 1


def test_only_so_many_wait_in_a_workspace(page: Client, workspace: Workspace, alice: User) -> None:
    owner = alice.memberships.get()
    for number in range(MOST_INVITATIONS):
        Invitation.make(owner, f"{number}@example.org", "member")
    assert f"At most {MOST_INVITATIONS} invitations" in send(page, workspace, "dora@example.org")


def test_one_address_gets_only_so_many_mails(
    page: Client, workspace: Workspace, alice: User, mailoutbox: list[EmailMessage]
) -> None:
    for number in range(8):
        other = Workspace.make(str(number), alice)
        assert "We have mailed" in send(page, other, "dora@example.org")
    assert len(mailoutbox) == 5


def test_the_last_link_stays_good_when_no_more_are_mailed(
    page: Client, guest: Client, workspace: Workspace, charlie: User, mailoutbox: list[EmailMessage]
) -> None:
    send(page, workspace, charlie.email)
    for _ in range(6):
        page.post(f"/ctx/workspaces/{workspace.pk}/invitations/{Invitation.objects.get().pk}/resend")
    assert len(mailoutbox) == 5
    accept(guest, mailed_to(mailoutbox, charlie.email))
    assert is_member(charlie, workspace)


def test_a_member_too_many_is_refused(page: Client, guest: Client, workspace: Workspace, charlie: User) -> None:
    people = [User(email=f"{n}@example.net", name=str(n)) for n in range(MOST_MEMBERS - 1)]
    User.objects.bulk_create(people)
    Membership.objects.bulk_create(Membership(workspace=workspace, user=user) for user in people)
    send(page, workspace, charlie.email)
    answer = guest.post(f"/ctx/invitations/{Invitation.objects.get().pk}/accept")
    assert f"at most {MOST_MEMBERS} members" in answer.text
    assert Invitation.objects.pending().exists()


def test_nobody_is_in_workspaces_without_end(page: Client, guest: Client, workspace: Workspace, charlie: User) -> None:
    others = Workspace.objects.bulk_create(Workspace(name=str(n)) for n in range(MOST_WORKSPACES - 1))
    Membership.objects.bulk_create(Membership(workspace=other, user=charlie) for other in others)
    send(page, workspace, charlie.email)
    answer = guest.post(f"/ctx/invitations/{Invitation.objects.get().pk}/accept")
    assert f"more than {MOST_WORKSPACES} workspaces" in answer.text


def test_the_link_is_kept_as_a_digest_only(page: Client, workspace: Workspace, mailoutbox: list[EmailMessage]) -> None:
    send(page, workspace, "dora@example.org")
    text = mailed_to(mailoutbox, "dora@example.org").rpartition("/")[2]
    assert text not in map(str, Invitation.objects.values_list().get())
