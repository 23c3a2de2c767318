"""Signing up, in and out, as a browser does it."""

import re

import pytest
from django.conf import settings
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django import Settings

from accounts.models import Invitation, Membership, User
from tests.conftest import PASSWORD

FORM = {"name": "Dora", "email": "Dora@Example.org", "password1": PASSWORD, "password2": PASSWORD}


def link_in(mail: EmailMessage) -> str:
    found = re.search(rf"{settings.SITE_URL}(/\S+)", str(mail.body))
    assert found
    return found[1]


def show_password(client: Client) -> None:
    """Once more, as it is wanted before the e-mail address changes."""
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})


def test_sign_up_confirm_and_arrive_at_the_dashboard(db: None, client: Client, mailoutbox: list[EmailMessage]) -> None:
    client.post("/accounts/signup/", FORM)
    assert client.get("/ctx").status_code == 302
    [mail] = mailoutbox
    assert mail.to == ["dora@example.org"]
    assert client.post(link_in(mail)).url == "/ctx"  # type: ignore[attr-defined]
    assert "Dora’s workspace" in client.get("/ctx").text
    membership = Membership.objects.get()
    assert (membership.user.name, membership.role) == ("Dora", "owner")


def test_opening_the_mailed_link_alone_confirms_nothing(
    db: None, client: Client, mailoutbox: list[EmailMessage]
) -> None:
    client.post("/accounts/signup/", FORM)
    client.get(link_in(mailoutbox[0]))
    client.post("/accounts/login/", {"login": FORM["email"], "password": PASSWORD})
    assert client.get("/ctx").status_code == 302


def test_a_password_chosen_by_a_stranger_ends_when_the_mail_is_read_elsewhere(
    db: None, client: Client, mailoutbox: list[EmailMessage]
) -> None:
    stranger, new = Client(), "a whole new secret"
    stranger.post("/accounts/signup/", FORM)  # with somebody else's address, who confirms it unawares
    page = client.post(link_in(mailoutbox[0]), follow=True)
    assert "choose a password" in page.text
    stranger.post("/accounts/login/", {"login": FORM["email"], "password": PASSWORD})
    assert stranger.get("/ctx").status_code == 302
    done = client.post(page.redirect_chain[-1][0], {"password1": new, "password2": new}, follow=True)
    assert '<a class="button" href="/accounts/login/">' in done.text
    client.post("/accounts/login/", {"login": FORM["email"], "password": new})
    assert client.get("/ctx").status_code == 200


def test_a_confirmed_address_is_confirmed_again_without_harm(
    db: None, client: Client, mailoutbox: list[EmailMessage]
) -> None:
    client.post("/accounts/signup/", FORM)
    for browser in (client, Client()):
        browser.post(link_in(mailoutbox[0]))
    client.post("/accounts/logout/")
    client.post("/accounts/login/", {"login": FORM["email"], "password": PASSWORD})
    assert client.get("/ctx").status_code == 200


def test_mails_lead_to_the_site_whatever_host_was_asked(
    alice: User, client: Client, mailoutbox: list[EmailMessage]
) -> None:
    asked = {"host": "127.0.0.1:6666"}  # an allowed host, at the attacker's port
    client.post("/accounts/signup/", FORM, headers=asked)
    client.post("/accounts/signup/", {**FORM, "email": alice.email}, headers=asked)
    for address in (alice.email, "nobody@example.org"):
        client.post("/accounts/password/reset/", {"email": address}, headers=asked)
    client.force_login(alice)
    show_password(client)
    client.post("/accounts/email/", {"action_add": "", "email": "alice@new.example"}, headers=asked)
    assert len(mailoutbox) == 6
    for mail in mailoutbox:
        assert link_in(mail)
        assert "6666" not in mail.subject + str(mail.body)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", "", "This field is required"),
        ("email", "nonsense", "Enter a valid e-mail address"),
        ("email", "dora@ex\u202eample.org", "no control or invisible characters"),
        ("password1", "12345678", "too common"),
        ("password2", "another one", "same password"),
    ],
)
def test_sign_up_says_what_is_wrong(db: None, client: Client, field: str, value: str, sentence: str) -> None:
    answer = client.post("/accounts/signup/", {**FORM, field: value})
    assert sentence in answer.text
    assert not User.objects.exists()


def test_an_address_that_is_taken_is_not_given_away(
    alice: User, client: Client, mailoutbox: list[EmailMessage]
) -> None:
    taken = client.post("/accounts/signup/", {**FORM, "email": alice.email})
    free = Client().post("/accounts/signup/", FORM)
    assert taken.url == free.url  # type: ignore[attr-defined]
    assert User.objects.count() == 2
    assert "has an account already" in str(mailoutbox[0].body)


def test_sign_in_by_e_mail_and_out(alice: User, client: Client) -> None:
    answer = client.post("/accounts/login/", {"login": "ALICE@example.org", "password": PASSWORD})
    assert answer.url == "/ctx"  # type: ignore[attr-defined]
    assert client.get("/ctx").status_code == 200
    client.post("/accounts/logout/")
    assert client.get("/ctx").status_code == 302


def test_a_wrong_password_is_refused_and_soon_too_many(alice: User, client: Client) -> None:
    answers = [client.post("/accounts/login/", {"login": alice.email, "password": "wrong"}) for _ in range(6)]
    assert "not correct" in answers[0].text
    assert "Too many failed attempts to sign in" in answers[-1].text
    client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    assert client.get("/ctx").status_code == 302


def test_a_forgotten_password_is_reset_by_mail(alice: User, client: Client, mailoutbox: list[EmailMessage]) -> None:
    client.post("/accounts/password/reset/", {"email": alice.email})
    page = client.get(link_in(mailoutbox[0]), follow=True)
    form = page.redirect_chain[-1][0]
    client.post(form, {"password1": "a whole new secret", "password2": "a whole new secret"})
    client.post("/accounts/login/", {"login": alice.email, "password": "a whole new secret"})
    assert client.get("/ctx").status_code == 200


def test_the_password_is_changed_with_the_old_one(alice: User, client: Client) -> None:
    client.force_login(alice)
    new = {"password1": "a whole new secret", "password2": "a whole new secret"}
    client.post("/accounts/password/change/", {"oldpassword": "wrong", **new})
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    changed = client.post("/accounts/password/change/", {"oldpassword": PASSWORD, **new}, follow=True)
    assert changed.redirect_chain == [("/ctx/profile", 302)]
    assert "Your password is changed." in changed.text
    alice.refresh_from_db()
    assert alice.check_password("a whole new secret")


def test_the_e_mail_address_changes_once_the_new_one_is_confirmed(
    alice: User, client: Client, mailoutbox: list[EmailMessage]
) -> None:
    client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    show_password(client)
    client.post("/accounts/email/", {"action_add": "", "email": "alice@new.example"})
    alice.refresh_from_db()
    assert alice.email == "alice@example.org"
    client.post(link_in(mailoutbox[-1]))
    alice.refresh_from_db()
    assert alice.email == "alice@new.example"


@pytest.mark.parametrize("path", ["login", "signup", "password/reset", "password/reset/done", "confirm-email"])
def test_the_pages_for_strangers_carry_no_script_and_no_style(db: None, client: Client, path: str) -> None:
    assert_strict(client.get(f"/accounts/{path}/").text)


@pytest.mark.parametrize("path", ["logout", "email", "password/change"])
def test_the_pages_for_people_carry_no_script_and_no_style(alice: User, client: Client, path: str) -> None:
    client.force_login(alice)
    assert_strict(client.get(f"/accounts/{path}/", follow=True).text)


def assert_strict(html: str) -> None:
    assert '<main id="main"' in html
    assert "<script" not in html
    assert "style=" not in html
    assert "<style" not in html


SAID = [("console", "in the terminal", "have mailed"), ("smtp", "have mailed", "in the terminal")]


@pytest.mark.parametrize(("backend", "sentence", "other"), SAID)
def test_one_thing_is_said_of_where_mail_goes(
    db: None, client: Client, settings: Settings, backend: str, sentence: str, other: str
) -> None:
    client.post("/accounts/signup/", FORM)
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"
    for path in ("confirm-email", "password/reset/done"):
        page = client.get(f"/accounts/{path}/").text
        assert sentence in page
        assert other not in page


@pytest.mark.parametrize(("backend", "sentence", "other"), [SAID[0], ("locmem", *SAID[1][1:])])
def test_a_change_of_the_address_and_an_invitation_say_where_their_mail_is(
    alice: User, client: Client, settings: Settings, backend: str, sentence: str, other: str
) -> None:
    client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    show_password(client)
    where = f"/ctx/workspaces/{alice.workspaces.get().pk}/invitations"
    client.post(where, {"email": "bob@example.org", "role": "member"}, follow=True)
    again = f"{where}/{Invitation.objects.get().pk}/resend"
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"
    for path, form in (
        ("/accounts/email/", {"action_add": "", "email": "alice@new.example"}),
        (where, {"email": "dora@example.org", "role": "member"}),
        (again, {}),
    ):
        page = client.post(path, form, follow=True).text
        assert sentence in page, path
        assert other not in page, path
    assert sentence in client.get("/accounts/email/").text


RESEND = "/accounts/confirm-email/resend"


@pytest.mark.parametrize("email", [FORM["email"], "alice@example.org"])
def test_the_mail_of_a_sign_up_is_sent_again(
    alice: User, client: Client, mailoutbox: list[EmailMessage], email: str
) -> None:
    """An address that has an account gets its own mail again, and nobody learns of it."""
    page = client.post("/accounts/signup/", {**FORM, "email": email}, follow=True).text
    assert email.lower() in page
    assert f'action="{RESEND}"' in page
    assert "sent the mail again" in client.post(RESEND, follow=True).text
    assert len(mailoutbox) == 2
    assert mailoutbox[0].body.split("http")[0] == mailoutbox[1].body.split("http")[0]


def test_only_so_many_mails_are_sent_again(db: None, client: Client, mailoutbox: list[EmailMessage]) -> None:
    client.post("/accounts/signup/", FORM)
    for _ in range(8):
        client.post(RESEND)
    assert len(mailoutbox) == 5


def test_a_confirmed_address_and_a_stranger_are_sent_nothing_again(
    db: None, client: Client, mailoutbox: list[EmailMessage]
) -> None:
    client.post("/accounts/signup/", FORM)
    Client().post(link_in(mailoutbox[0]))
    for browser in (client, Client()):
        assert browser.post(RESEND).url == "/accounts/login/"  # type: ignore[attr-defined]
    assert len(mailoutbox) == 1
    page = Client().get("/accounts/confirm-email/").text
    assert RESEND not in page
    assert "Sign in" in page
